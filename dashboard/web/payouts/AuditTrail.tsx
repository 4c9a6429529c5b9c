import { parseTime } from "../format/time";
import { Empty } from "../ui/Panel";
import { Instant } from "../ui/Time";
import type { Audit } from "./schema";

/** What operators decided, newest first; append-only in the database. */
export function AuditTrail({ audit }: { audit: Audit }) {
  if (audit.items.length === 0)
    return <Empty title="NO_DECISIONS">Each hold, release and threshold is written here, with who and why.</Empty>;
  return (
    <ol className="trail">
      {audit.items.map((line, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lines have no name of their own, and are only ever prepended
        <li key={`${line.at}-${index}`}>
          <span className="trail-when">
            <Instant at={parseTime(line.at)} />
          </span>
          <span>
            <strong>{line.action.replaceAll("_", " ")}</strong> {line.subject}
            <span className="step-actor"> by {line.actor}</span>
          </span>
          {line.detail && <p className="reason">{line.detail}</p>}
        </li>
      ))}
    </ol>
  );
}
