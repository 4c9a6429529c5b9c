import type { Currency, Stats } from "../feed/schema";
import { money, unitOf } from "../format/money";

const rows = [
  ["pending", "credited, not yet mature"],
  ["confirmed", "mature, owed to miners"],
  ["paid", "sent"],
] as const;

/** Sums of the ledger, which is the only source of money figures. */
export function Ledger({ ledger, currency }: { ledger: Stats["ledger"]; currency: Currency | null }) {
  const balanced = BigInt(ledger.imbalance) === 0n;
  const unit = unitOf(currency);
  return (
    <div className="ledger">
      <dl>
        {rows.map(([key, meaning]) => (
          <div className="ledger-row" key={key}>
            <dt>
              {key} <small>{meaning}</small>
            </dt>
            <dd data-testid={`ledger-${key}`}>
              {money(ledger[key], currency)} <span className="unit">{unit}</span>
            </dd>
          </div>
        ))}
      </dl>
      <p className={balanced ? "verdict verdict-good" : "verdict verdict-bad"}>
        <span aria-hidden="true">{balanced ? "✓" : "✕"}</span>
        {balanced ? "Ledger is balanced" : `Off by ${money(ledger.imbalance, currency)} ${unit}`}
      </p>
    </div>
  );
}
