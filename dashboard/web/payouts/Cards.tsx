import type { Currency } from "../feed/schema";
import { money, unitOf } from "../format/money";
import { whole } from "../format/number";
import { Card } from "../ui/Card";
import type { Freshness } from "../ui/Panel";
import type { Status } from "./schema";

/** What the dispatcher does, in a word and a sentence; the worst first. */
export function stateOf(status: Status): { word: string; tone: "good" | "warning" | "bad" | "quiet"; note: string } {
  if (!status.enabled) return { word: "OFF", tone: "quiet", note: "payout.enabled is false" };
  if (status.held !== null) return { word: "HELD", tone: "warning", note: status.held };
  if (status.trouble !== null) return { word: "TROUBLE", tone: "bad", note: "something is in its way, see below" };
  if (!status.dispatching) {
    const note = status.standing_by ?? "another process of this database pays";
    return { word: "STANDING BY", tone: "quiet", note };
  }
  return { word: "PAYING", tone: "good", note: "plans and sends by itself" };
}

interface CardsProps {
  status: Status;
  currency: Currency | null;
  freshness: Freshness;
}

export function Cards({ status, currency, freshness }: CardsProps) {
  const { word, tone, note } = stateOf(status);
  const waiting = status.waiting.length;
  const spent = status.spent;
  const limit = status.rules?.limit_per_day ?? null;
  return (
    <ul className="cards payout-cards" aria-label="Payouts at a glance">
      <Card icon="network" label="DISPATCHER" value={word} tone={tone} freshness={freshness} testId="dispatcher">
        {note}
      </Card>
      <Card
        icon="migration"
        label="UNDER_WAY"
        value={whole(status.open)}
        tone={status.open > 0 ? "good" : "plain"}
        freshness={freshness}
        testId="open"
      >
        reserved, sent or confirming
      </Card>
      <Card
        icon="miners"
        label="WAITING"
        value={whole(waiting)}
        tone={waiting > 0 ? "warning" : "plain"}
        freshness={freshness}
        testId="waiting"
      >
        {waiting > 0 ? "at their threshold, and yet not paid" : "nobody at the threshold waits"}
      </Card>
      <Card
        icon="conversion"
        label="LAST_24_HOURS"
        value={money(spent?.day, currency)}
        unit={unitOf(currency)}
        tone="plain"
        freshness={freshness}
        testId="spent-day"
      >
        {limit === null ? "no daily limit" : `of at most ${money(limit, currency)} ${unitOf(currency)}`}
      </Card>
    </ul>
  );
}
