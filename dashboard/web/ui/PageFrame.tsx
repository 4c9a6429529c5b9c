import { type ReactNode, useEffect } from "react";
import { zoneNote } from "../format/time";
import { Alerts } from "../panels/Alerts";
import { Header } from "../panels/Header";
import { alertsOf, degradedAlerts } from "../state/alerts";
import { usePool } from "../state/pool";
import type { Session } from "../state/session";
import { useNow } from "./clock";

interface FrameProps {
  session: Session;
  nav: ReactNode;
  title: string;
  /** Of the browser's tab. */
  name: string;
  /** In the header. */
  algorithm?: string | null;
  /** The page lives from the feed: what is wrong with that is said, too. */
  live?: boolean;
  /** What explains the page, at its foot. */
  note?: ReactNode;
  className?: string;
  children: ReactNode;
}

/** The frame of every page but the first. */
export function PageFrame(props: FrameProps) {
  const { session, nav, title, name, algorithm = null, live = false, note, className = "", children } = props;
  const pool = usePool(session);
  const now = useNow();
  useEffect(() => {
    document.title = `${name} · DAG Pool`;
  }, [name]);
  const alerts = live ? alertsOf(pool, now) : degradedAlerts(pool, now);
  return (
    <div className={`dashboard ${className}`} data-live={pool.link.phase === "live"}>
      <a className="skip" href="#page">
        Skip to the page
      </a>
      <Header title={title} link={pool.link} now={now} skewMs={pool.skewMs} algorithm={algorithm} nav={nav} />
      <Alerts alerts={alerts} onRetry={session.retry} />
      <main id="page" tabIndex={-1} aria-label={name}>
        {children}
      </main>
      <footer className="footer">
        <span>
          {zoneNote()} {note}
        </span>
        <nav aria-label="More">
          <a href="/docs/errors">error codes</a>
          <a href="/metrics">metrics</a>
        </nav>
      </footer>
    </div>
  );
}
