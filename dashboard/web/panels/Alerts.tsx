import { useId, useState } from "react";
import type { Alert } from "../state/alerts";
import { Copy } from "../ui/Copy";

const marks = { critical: "✕", warning: "!", info: "i" } as const;
/** With more than these, each is told in a sentence, so that the page below stays in sight. */
const toldWhole = 2;

interface AlertsProps {
  alerts: readonly Alert[];
  onRetry: () => void;
}

/** What is wrong, in words, above everything else. */
export function Alerts({ alerts, onRetry }: AlertsProps) {
  return (
    <div className="alerts" aria-live="polite" aria-relevant="additions">
      {alerts.map((alert) => (
        <One key={alert.id} alert={alert} brief={alerts.length > toldWhole} onRetry={onRetry} />
      ))}
    </div>
  );
}

/** Its first sentence, and the others. */
function sentences(text: string): [first: string, rest: string] {
  const end = text.indexOf(". ");
  return end < 0 ? [text, ""] : [text.slice(0, end + 1), text.slice(end + 2)];
}

function One({ alert, brief, onRetry }: { alert: Alert; brief: boolean; onRetry: () => void }) {
  const id = useId();
  const [open, setOpen] = useState(false);
  const [first, rest] = sentences(alert.text);
  const whole = open || !brief;
  const more = rest !== "" || alert.command !== undefined || alert.link !== undefined;
  return (
    <div className={`alert alert-${alert.severity}`} data-testid={`alert-${alert.id}`}>
      <span className="alert-mark" aria-hidden="true">
        {marks[alert.severity]}
      </span>
      <div className="alert-body" id={id}>
        <strong className="alert-title">{alert.title}</strong>
        <span className="alert-text">{whole ? alert.text : first}</span>
        {whole && (alert.command || alert.link) && (
          <span className="alert-more">
            {alert.command && (
              <span className="command">
                <code>{alert.command}</code>
                <Copy text={alert.command} what="the command" />
              </span>
            )}
            {alert.link && (
              <a href={alert.link} target="_blank" rel="noreferrer">
                what it means
              </a>
            )}
          </span>
        )}
      </div>
      {alert.retry && (
        <button className="button" type="button" onClick={onRetry}>
          RETRY NOW
        </button>
      )}
      {brief && more && (
        <button
          className="button button-small button-quiet alert-open"
          type="button"
          aria-expanded={open}
          aria-controls={id}
          onClick={() => setOpen(!open)}
        >
          {open ? "LESS" : "MORE"} <span className="visually-hidden">about {alert.title}</span>
        </button>
      )}
    </div>
  );
}
