import { Copy } from "../ui/Copy";
import type { Failure } from "./failure";
import { Checks } from "./Report";

const marks = { critical: "✕", error: "✕", warning: "!", info: "i" } as const;

interface FailureProps {
  failure: Failure;
  onDismiss?: () => void;
}

/** An error with what the pool advises: actions in order of urgency, their commands, and where to read more. */
export function FailureCard({ failure, onDismiss }: FailureProps) {
  const { severity, code, message, details, checks, actions, documentation, id } = failure;
  return (
    <div className={`failure failure-${severity}`} role="alert">
      <span className="alert-mark" aria-hidden="true">
        {marks[severity]}
      </span>
      <div className="failure-body">
        <strong className="alert-title">{code}</strong>
        <p className="alert-text">{message}</p>
        {details.length > 0 && (
          <dl className="failure-details">
            {details.map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>
                  <code>{value}</code>
                  {/^[0-9a-f]{32,}$/i.test(value) && <Copy text={value} what={name} />}
                </dd>
              </div>
            ))}
          </dl>
        )}
        {checks.length > 0 && <Checks checks={checks} />}
        {actions.length > 0 && (
          <ul className="advice" aria-label="Suggested actions">
            {actions.map(({ action, command, priority }) => (
              <li key={`${action} ${command}`}>
                <span className={`tag priority-${priority}`}>{priority}</span>
                <span className="advice-text">
                  {action}
                  {command && (
                    <span className="command">
                      <code>{command}</code>
                      <Copy text={command} what="the command" />
                    </span>
                  )}
                </span>
              </li>
            ))}
          </ul>
        )}
        <p className="failure-foot">
          {documentation && (
            <a href={documentation} target="_blank" rel="noreferrer">
              About {code}
            </a>
          )}
          {id && (
            <span>
              error id <code>{id}</code>
            </span>
          )}
        </p>
      </div>
      {onDismiss && (
        <button type="button" className="toast-close" aria-label="Dismiss" onClick={onDismiss}>
          ✕
        </button>
      )}
    </div>
  );
}
