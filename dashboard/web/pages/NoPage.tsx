import { PageFrame, type PageProps } from "../account/Frame";
import { Empty } from "../ui/Panel";
import { Link, usePath } from "../ui/router";

/** Where an address leads to no page. */
export default function NoPage({ session, nav }: Omit<PageProps, "account">) {
  const path = usePath();
  return (
    <PageFrame session={session} nav={nav} title="404" name="No such page">
      <Empty title="NO_SUCH_PAGE">
        There is nothing at <code className="break">{path}</code>. It may have been mistyped, or be of another version
        of the pool.
      </Empty>
      <div className="centered">
        <Link className="button" to="/">
          GO TO THE OVERVIEW
        </Link>
      </div>
    </PageFrame>
  );
}
