import "../algorithms/algorithms.css";
import "../algorithms/deploy.css";
import "../payouts/payouts.css";
import "./account.css";
import { type ReactNode, useSyncExternalStore } from "react";
import type { Session } from "../state/session";
import { Empty, Loading } from "../ui/Panel";

export { PageFrame } from "../ui/PageFrame";

import { mayOpen, type Needs, rolesFor } from "../ui/roles";
import { Link, usePath } from "../ui/router";
import type { Account } from "./account";

export interface PageProps {
  session: Session;
  account: Account;
  nav: ReactNode;
}

/** For whom the page is; others are told where to go. */
export function Only({ account, admin = false, children }: { account: Account; admin?: boolean; children: ReactNode }) {
  const { phase, me } = useSyncExternalStore(account.subscribe, account.shown);
  const here = usePath();
  if (phase === "back") return <Loading what="your session" lines={4} />;
  if (me === null)
    return (
      <>
        <Empty title="NOT_SIGNED_IN">This page is for people who have signed in.</Empty>
        <div className="centered">
          <Link className="button" to={`/sign-in?next=${encodeURIComponent(here)}`}>
            SIGN IN
          </Link>
        </div>
      </>
    );
  if (admin && me.role !== "admin")
    return (
      <Empty title="FOR_ADMINS">
        You are signed in as {me.username} ({me.role}). Users and the audit trail are for the role admin.
      </Empty>
    );
  return children;
}

/** As `Only`, for pages of operators, which the operator token opens as well. */
export function Guard({ account, needs, children }: { account: Account; needs: Needs; children: ReactNode }) {
  const { phase, me } = useSyncExternalStore(account.subscribe, account.shown);
  const token = useSyncExternalStore(account.subscribe, account.vouched);
  const here = usePath();
  if (phase === "back") return <Loading what="your session" lines={4} />;
  if (mayOpen(needs, { me, token })) return children;
  if (me !== null)
    return (
      <Empty title="NOT_FOR_YOUR_ROLE">
        You are signed in as {me.username} ({me.role}). This page needs the role {rolesFor(needs)}; an admin of the pool
        gives roles.
      </Empty>
    );
  return (
    <>
      <Empty title="NOT_SIGNED_IN">
        This page is for those who run the pool. Sign in with the role {rolesFor(needs)} to see it.
      </Empty>
      <div className="centered">
        <Link className="button" to={`/sign-in?next=${encodeURIComponent(here)}`}>
          SIGN IN
        </Link>
      </div>
    </>
  );
}
