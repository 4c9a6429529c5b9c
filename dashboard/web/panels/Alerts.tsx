import type { Alert } from "../state/alerts";
import { Copy } from "../ui/Copy";

const marks = { critical: "✕", warning: "!", info: "i" } as const;

/** What is wrong, in words, above everything else. */
export function Alerts({ alerts, onRetry }: { alerts: readonly Alert[]; onRetry: () => void }) {
  return (
    <div className="alerts" aria-live="polite" aria-relevant="additions">
      {alerts.map((alert) => (
        <div className={`alert alert-${alert.severity}`} key={alert.id} data-testid={`alert-${alert.id}`}>
          <span className="alert-mark" aria-hidden="true">
            {marks[alert.severity]}
          </span>
          <div className="alert-body">
            <strong className="alert-title">{alert.title}</strong>
            <span className="alert-text">{alert.text}</span>
            {(alert.command || alert.link) && (
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
        </div>
      ))}
    </div>
  );
}
