import { useEffect, useId, useState } from "react";
import { FailureCard } from "../algorithms/FailureCard";
import type { Outcome } from "../feed/client";
import type { Currency } from "../feed/schema";
import { money, unitOf } from "../format/money";
import { plural, whole } from "../format/number";
import { parseTime, span } from "../format/time";
import { Empty, Fact, Facts } from "../ui/Panel";
import { Ago } from "../ui/Time";
import { AccountLink } from "./AccountLink";
import type { Ask } from "./dialogs";
import type { DryRun, Status, Waiting } from "./schema";
import type { PayoutsStore } from "./store";

interface PlanProps {
  status: Status;
  store: PayoutsStore;
  currency: Currency | null;
  poolNow: number;
  onAsk: (ask: Ask) => void;
}

/** When it pays next, who waits and why, and what would be paid now. */
export function Plan({ status, store, currency, poolNow, onAsk }: PlanProps) {
  const note = useId();
  const [busy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<Outcome<DryRun> | null>(null);
  const planned = parseTime(status.planned_at);
  const interval = status.rules === null ? null : status.rules.interval_s * 1000;
  const next = planned === null || interval === null ? null : Math.max(0, planned + interval - poolNow);
  // A hold that ended, or began, makes another thing of it.
  // biome-ignore lint/correctness/useExhaustiveDependencies: it is the hold that changed
  useEffect(() => setOutcome(null), [status.held]);
  const look = async () => {
    setBusy(true);
    setOutcome(await store.api.dryRun());
    setBusy(false);
  };
  const barred = !status.enabled
    ? "Payouts are off in this process."
    : !status.dispatching
      ? "Another process of this pool pays: PAY NOW works there."
      : null;
  return (
    <>
      <Facts>
        <Fact name="last plan">
          <Ago at={planned} now={poolNow} />
        </Fact>
        <Fact name="next plan">
          {!status.dispatching || next === null ? "—" : next < 1000 ? "now" : `in ${span(next)}`}
        </Fact>
        <Fact name="paid from">
          {money(status.rules?.threshold, currency)} {unitOf(currency)}
        </Fact>
      </Facts>
      <div className="acts">
        <button
          type="button"
          className="button button-blue"
          disabled={busy || !status.enabled}
          aria-describedby={note}
          onClick={() => void look()}
        >
          {busy ? "ASKING…" : "DRY RUN"}
        </button>
        <button
          type="button"
          className="button"
          disabled={barred !== null}
          aria-describedby={note}
          onClick={() => onAsk({ what: "run" })}
        >
          PAY NOW…
        </button>
        <p className="note" id={note}>
          {barred ?? "A dry run changes nothing: it says who would be paid now, and who would not."}
        </p>
      </div>
      {outcome?.ok && <Outlook plan={outcome.value} currency={currency} onClose={() => setOutcome(null)} />}
      {outcome && !outcome.ok && <FailureCard failure={outcome.failure} onDismiss={() => setOutcome(null)} />}
      {status.waiting.length > 0 && <Skipped title="WHO_WAITS" list={status.waiting} currency={currency} />}
    </>
  );
}

interface OutlookProps {
  plan: DryRun;
  currency: Currency | null;
  onClose?: () => void;
}

/** The answer of a dry run. */
export function Outlook({ plan, currency, onClose }: OutlookProps) {
  const recipients = plan.payouts.reduce((sum, payout) => sum + payout.recipients.length, 0);
  return (
    <section className="outlook" aria-label="What would be paid now" data-testid="outlook">
      <header>
        <strong>
          {money(plan.amount, currency)} {unitOf(currency)}
        </strong>
        <span className="note">
          {" "}
          to {plural(recipients, "account")} in {plural(plan.payouts.length, "transaction")}
        </span>
        {onClose && (
          <button type="button" className="toast-close" aria-label="Dismiss the dry run" onClick={onClose}>
            ✕
          </button>
        )}
      </header>
      {plan.held !== null && (
        <p className="warn">Payouts are held ({plan.held}): nothing is paid until they are released.</p>
      )}
      {plan.payouts.length === 0 && plan.skipped.length === 0 && plan.refused.length === 0 && (
        <Empty title="NOBODY_IS_DUE">No account has reached its threshold.</Empty>
      )}
      {plan.payouts.map((payout, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: planned payouts have no number yet
        <ul className="parts" key={index} aria-label={`Transaction ${index + 1}`}>
          {payout.recipients.map((one) => (
            <li key={one.account}>
              <AccountLink account={one.account} />
              <span className="part-amount">{money(one.amount, currency)}</span>
            </li>
          ))}
        </ul>
      ))}
      {plan.skipped.length > 0 && <Skipped title="LEFT_OUT" list={plan.skipped} currency={currency} />}
      {plan.refused.length > 0 && <Skipped title="REFUSED_BY_THE_CHAIN" list={plan.refused} currency={currency} />}
    </section>
  );
}

/** Why an account at its threshold is not in the plan. */
const reasons: Record<string, string> = {
  waits_for_limit: "the spending limit is used up for now: it comes with a later plan",
  above_limit: "more than the spending limit itself: raise it, or pay by hand",
  above_chain_limit: "more than one transaction of this chain carries",
};

export function reasonOf(reason: string): string {
  return reasons[reason] ?? reason.replaceAll("_", " ");
}

/** What stands below a long list is looked for, too. */
const firstOnes = 8;

function Skipped({ title, list, currency }: { title: string; list: readonly Waiting[]; currency: Currency | null }) {
  const [all, setAll] = useState(false);
  return (
    <>
      <h3 className="sub">
        {title}
        <span className="sub-note">
          {plural(list.length, "account")}
          {currency && `, amounts in ${unitOf(currency)}`}
        </span>
      </h3>
      <ul className="parts">
        {(all ? list : list.slice(0, firstOnes)).map((one) => (
          <li key={one.account}>
            <AccountLink account={one.account} />
            <span className="part-amount">{money(one.amount, currency)}</span>
            <span className="part-why">{reasonOf(one.reason)}</span>
          </li>
        ))}
      </ul>
      {list.length > firstOnes && (
        <button className="button button-quiet" type="button" onClick={() => setAll(!all)}>
          {all ? "SHOW FEWER" : `SHOW ALL ${whole(list.length)}`}
        </button>
      )}
    </>
  );
}
