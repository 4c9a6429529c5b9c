import { shorten } from "../format/number";
import { Link } from "../ui/router";

/** An account, with the way to its page. */
export function AccountLink({ account }: { account: string }) {
  return (
    <Link to={`/miners/${encodeURIComponent(account)}`} className="part-account">
      <span title={account}>{shorten(account, 18, 8)}</span>
    </Link>
  );
}
