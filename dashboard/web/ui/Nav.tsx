import { Link, usePath } from "./router";

interface NavProps {
  algorithms: boolean;
  /** Who is signed in. */
  me?: { username: string; role: string } | null;
}

/** Between the pages. What the pool does not serve is not offered; a page that was opened all the same has a way back. */
export function Nav({ algorithms, me = null }: NavProps) {
  const elsewhere = usePath() !== "/";
  if (!algorithms && !elsewhere) return null;
  return (
    <nav className="nav" aria-label="Pages">
      <Link to="/">DASHBOARD</Link>
      {algorithms && <Link to="/algorithms">ALGORITHMS</Link>}
      {algorithms && <Link to="/payouts">PAYOUTS</Link>}
      {algorithms && <Link to="/alerts">ALERTS</Link>}
      {algorithms && <Link to="/algorithms/bench">PACKAGE_BENCH</Link>}
      {me?.role === "admin" && <Link to="/users">USERS</Link>}
      {me?.role === "admin" && <Link to="/audit">AUDIT</Link>}
      {me ? <Link to="/account">{me.username}</Link> : <Link to="/sign-in">SIGN_IN</Link>}
    </nav>
  );
}
