import { useEffect, useId, useState } from "react";
import { FailureCard } from "../algorithms/FailureCard";
import type { Failure } from "../algorithms/failure";
import type { Outcome } from "../feed/client";
import type { Currency } from "../feed/schema";
import { money, unitOf } from "../format/money";
import { plural } from "../format/number";
import { parseTime } from "../format/time";
import { Copy } from "../ui/Copy";
import { Empty, Fact, Facts, Loading } from "../ui/Panel";
import { Switch } from "../ui/Switch";
import { Instant } from "../ui/Time";
import { AccountLink } from "./AccountLink";
import type { Filter } from "./api";
import type { Ask } from "./dialogs";
import type { Details, Payout, Payouts } from "./schema";

const filters: readonly (readonly [Filter, string])[] = [
  ["all", "ALL"],
  ["reserved", "RESERVED"],
  ["signed", "SIGNED"],
  ["broadcast", "SENT"],
  ["confirming", "CONFIRMING"],
  ["settled", "SETTLED"],
  ["returned", "RETURNED"],
];

const tones: Record<Payout["state"], string> = {
  reserved: "tag",
  signed: "tag tag-blue",
  broadcast: "tag tag-blue",
  confirming: "tag tag-blue",
  settled: "tag tag-good",
  returned: "tag tag-red",
};

const meanings: Record<Payout["state"], string> = {
  reserved: "The amount is set aside; nothing is signed.",
  signed: "Signed and kept; not sent yet.",
  broadcast: "Sent; the same bytes are sent again until a block holds them.",
  confirming: "In a block, not deep enough yet.",
  settled: "Final on the chain.",
  returned: "Provably impossible, or never signed: the amount is back on the balances.",
};

interface ListProps {
  payouts: Payouts;
  filter: Filter;
  enabled: boolean;
  currency: Currency | null;
  load: (id: string) => Promise<Outcome<Details>>;
  onFilter: (filter: Filter) => void;
  onOlder: () => void;
  onAsk: (ask: Ask) => void;
}

/** Every payout, newest first; one opens to its recipients and steps. */
export function PayoutList({ payouts, filter, enabled, currency, load, onFilter, onOlder, onAsk }: ListProps) {
  const [open, setOpen] = useState<string | null>(null);
  return (
    <>
      <div className="payout-filter">
        <Switch name="State" options={filters} value={filter} onChange={onFilter} />
      </div>
      {payouts.items.length === 0 ? (
        <Empty title="NO_PAYOUTS">
          {filter !== "all"
            ? "None is in this state."
            : enabled
              ? "The first one is listed here when an account's confirmed balance reaches its threshold."
              : "Nothing was ever paid out by this pool."}
        </Empty>
      ) : (
        <ul className="payouts">
          {payouts.items.map((one) => (
            <Row
              key={one.id}
              payout={one}
              currency={currency}
              load={load}
              open={open === one.id}
              onToggle={() => setOpen(open === one.id ? null : one.id)}
              onAsk={onAsk}
            />
          ))}
        </ul>
      )}
      {payouts.next !== null && (
        <button type="button" className="button button-quiet" onClick={onOlder}>
          OLDER
        </button>
      )}
    </>
  );
}

interface RowProps extends Pick<ListProps, "currency" | "load" | "onAsk"> {
  payout: Payout;
  open: boolean;
  onToggle: () => void;
}

function Row({ payout, currency, load, open, onToggle, onAsk }: RowProps) {
  const id = useId();
  const ended = payout.state === "settled" || payout.state === "returned";
  return (
    <li className="payout">
      <button type="button" className="payout-head" aria-expanded={open} aria-controls={id} onClick={onToggle}>
        <span className="payout-open" aria-hidden="true">
          {open ? "▾" : "▸"}
        </span>
        <span className="payout-number">#{payout.id}</span>
        <span className="payout-amount">
          {money(payout.amount, currency)} <span className="unit">{unitOf(currency)}</span>
        </span>
        <span className="payout-to">to {plural(payout.recipients.length, "account")}</span>
        <span className={tones[payout.state]}>{payout.state.toUpperCase()}</span>
        <span className="payout-when">
          <Instant at={parseTime(payout.confirmed_at ?? payout.updated_at ?? payout.created_at)} />
        </span>
      </button>
      {(payout.held !== null || payout.recipient_held) && !ended && (
        <p className="payout-say warn">{payout.held === null ? "A recipient is held." : `Held: ${payout.held}`}</p>
      )}
      {payout.reason !== null && <p className="payout-say note">{payout.reason}</p>}
      {open && (
        <div id={id} className="payout-body">
          <p className="payout-meaning">{meanings[payout.state]}</p>
          <Body payout={payout} currency={currency} load={load} />
          {!ended && <Acts payout={payout} onAsk={onAsk} />}
        </div>
      )}
    </li>
  );
}

function Acts({ payout, onAsk }: Pick<RowProps, "payout" | "onAsk">) {
  const scope = { scope: "payout", id: payout.id } as const;
  return (
    <div className="acts">
      {payout.held === null ? (
        <button
          type="button"
          className="button button-small button-danger"
          onClick={() => onAsk({ what: "hold", scope })}
        >
          HOLD THIS PAYOUT…
        </button>
      ) : (
        <button
          type="button"
          className="button button-small"
          onClick={() => onAsk({ what: "release", scope, held: payout.held ?? "" })}
        >
          RELEASE THIS PAYOUT…
        </button>
      )}
      {payout.txid !== null && (
        <p className="note">It was signed: a hold keeps it from being sent, if it was not yet.</p>
      )}
    </div>
  );
}

function Body({ payout, currency, load }: Pick<RowProps, "payout" | "currency" | "load">) {
  const { id, updated_at: moved } = payout;
  const [details, setDetails] = useState<Details | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a payout that moved has new steps
  useEffect(() => {
    let gone = false;
    void load(id).then((outcome) => {
      if (gone) return;
      if (outcome.ok) setDetails(outcome.value);
      setFailure(outcome.ok ? null : outcome.failure);
    });
    return () => {
      gone = true;
    };
  }, [id, moved, load]);
  return (
    <>
      <Facts>
        <Fact name="planned">
          <Instant at={parseTime(payout.created_at)} />
        </Fact>
        <Fact name={`network fee ${unitOf(currency)}`}>{money(payout.fee, currency)}</Fact>
        <Fact name="transaction" wide>
          {payout.txid === null ? (
            "not signed yet"
          ) : (
            <>
              <code className="hash">{payout.txid}</code> <Copy text={payout.txid} what="the transaction id" />
            </>
          )}
        </Fact>
      </Facts>
      <h3 className="sub">RECIPIENTS</h3>
      <ul className="parts">
        {payout.recipients.map((one) => (
          <li key={one.account}>
            <AccountLink account={one.account} />
            <span className="part-amount">{money(one.amount, currency)}</span>
          </li>
        ))}
      </ul>
      {failure && <FailureCard failure={failure} />}
      {details === null && failure === null && <Loading what="steps" />}
      {details && (
        <>
          <h3 className="sub">STEPS</h3>
          <ol className="trail">
            {details.steps.map((step, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: steps are only ever appended
              <li key={index}>
                <span className="trail-when">
                  <Instant at={parseTime(step.at)} />
                </span>
                <strong>{step.state.replaceAll("_", " ")}</strong>
                {step.detail && <p className="reason">{step.detail}</p>}
              </li>
            ))}
          </ol>
        </>
      )}
    </>
  );
}
