import "../algorithms/algorithms.css";
import "../algorithms/deploy.css";
import "../payouts/payouts.css";
import "./account.css";
import { type ReactNode, useEffect, useSyncExternalStore } from "react";
import { Alerts } from "../panels/Alerts";
import { Header } from "../panels/Header";
import { degradedAlerts } from "../state/alerts";
import type { Session } from "../state/session";
import { useNow } from "../ui/clock";
import { Empty, Loading } from "../ui/Panel";
import { Link, usePath } from "../ui/router";
import type { Account } from "./account";

export interface PageProps {
  session: Session;
  account: Account;
  nav: ReactNode;
}

interface FrameProps extends Omit<PageProps, "account"> {
  title: string;
  /** Of the browser's tab. */
  name: string;
  children: ReactNode;
}

/** The frame of the pages about people. */
export function PageFrame({ session, nav, title, name, children }: FrameProps) {
  const pool = useSyncExternalStore(session.store.subscribe, session.store.shown);
  const now = useNow();
  useEffect(() => {
    document.title = `${name} · DAG Pool`;
  }, [name]);
  return (
    <div className="dashboard" data-live={pool.link.phase === "live"}>
      <a className="skip" href="#page">
        Skip to the page
      </a>
      <Header title={title} link={pool.link} now={now} skewMs={pool.skewMs} algorithm={null} nav={nav} />
      <Alerts alerts={degradedAlerts(pool, now)} onRetry={session.retry} />
      <main id="page" tabIndex={-1}>
        {children}
      </main>
      <footer className="footer">
        <span>Times are in your zone, UTC on hover.</span>
        <nav aria-label="More">
          <a href="/docs/errors">error codes</a>
        </nav>
      </footer>
    </div>
  );
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
