import type { ReactNode } from "react";
import type { Link } from "../feed/live";
import { span, utcTime } from "../format/time";

function describe(link: Link, now: number): { word: string; detail: string; tone: string } {
  switch (link.phase) {
    case "live":
      return { word: "CONNECTED", detail: "", tone: "good" };
    case "connecting":
      return { word: "CONNECTING", detail: "", tone: "wait" };
    case "silent":
      return { word: "SILENT", detail: span(now - link.since), tone: "wait" };
    case "waiting": {
      const seconds = Math.max(0, Math.ceil((link.retryAt - now) / 1000));
      return { word: "OFFLINE", detail: seconds > 0 ? `retry in ${seconds} s` : "retrying", tone: "bad" };
    }
  }
}

interface HeaderProps {
  title: string;
  link: Link;
  /** Viewer's clock. */
  now: number;
  /** Pool's clock minus viewer's. */
  skewMs: number;
  algorithm: string | null;
  nav?: ReactNode;
}

export function Header({ title, link, now, skewMs, algorithm, nav }: HeaderProps) {
  const { word, detail, tone } = describe(link, now);
  return (
    <header className="header">
      <h1 className="title">
        <span className="bracket" aria-hidden="true">
          [
        </span>
        {title}
        <span className="bracket" aria-hidden="true">
          ]
        </span>
      </h1>
      {nav}
      <div className="status-line">
        {algorithm && <span className="algorithm">{algorithm}</span>}
        <time className="utc-clock" dateTime={new Date(now + skewMs).toISOString()}>
          <span className="wide-only">{utcTime(now + skewMs).slice(0, 11)}</span>
          {utcTime(now + skewMs).slice(11)}
        </time>
        <span className={`connection connection-${tone}`}>
          <span className="pulse" aria-hidden="true" />
          {/* Only the word is announced: a countdown read aloud every second helps nobody. */}
          <span role="status" data-testid="connection">
            {word}
          </span>
          {detail && <span className="connection-detail">{detail}</span>}
        </span>
      </div>
    </header>
  );
}
