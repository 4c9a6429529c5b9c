import type { Currency } from "../feed/schema";
import { money, unitOf } from "../format/money";
import { parseTime } from "../format/time";
import { Empty } from "../ui/Panel";
import { Instant } from "../ui/Time";
import type { Audit } from "./schema";

/** A threshold is written in the smallest unit. */
function detailOf({ action, detail }: Audit["items"][number], currency: Currency | null): string | null {
  const isAmount = action === "threshold" && detail !== null && /^\d+$/.test(detail);
  return isAmount ? `paid from ${money(detail, currency)} ${unitOf(currency)}` : detail;
}

/** What operators decided, newest first; append-only in the database. */
export function AuditTrail({ audit, currency }: { audit: Audit; currency: Currency | null }) {
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
          {line.detail && <p className="reason">{detailOf(line, currency)}</p>}
        </li>
      ))}
    </ol>
  );
}
