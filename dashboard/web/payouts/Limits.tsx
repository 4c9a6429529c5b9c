import type { Currency } from "../feed/schema";
import { money, unitOf } from "../format/money";
import { plural, whole } from "../format/number";
import { Fact, Facts } from "../ui/Panel";
import type { Ask } from "./dialogs";
import type { Status } from "./schema";

interface LimitsProps {
  status: Status;
  currency: Currency | null;
  onAsk: (ask: Ask) => void;
}

/** The switch that stops everything, and how much may leave in an hour and a day. */
export function Limits({ status, currency, onAsk }: LimitsProps) {
  const { held, rules, spent } = status;
  return (
    <>
      <div className={held === null ? "switchboard" : "switchboard switchboard-held"} data-testid="switchboard">
        <div>
          <strong>{held === null ? "Payouts flow" : "All payouts are held"}</strong>
          <p className="switchboard-words">
            {held === null
              ? "A hold stops everything that was not sent yet; what was sent goes on to its end."
              : `Reason: ${held}. What was sent before goes on to its end.`}
          </p>
        </div>
        {held === null ? (
          <button
            type="button"
            className="button button-danger"
            onClick={() => onAsk({ what: "hold", scope: { scope: "all" } })}
          >
            HOLD ALL…
          </button>
        ) : (
          <button
            type="button"
            className="button"
            onClick={() => onAsk({ what: "release", scope: { scope: "all" }, held })}
          >
            RELEASE ALL…
          </button>
        )}
      </div>
      <Meter
        name="last 60 minutes"
        spent={spent?.hour ?? null}
        limit={rules?.limit_per_hour ?? null}
        currency={currency}
      />
      <Meter name="last 24 hours" spent={spent?.day ?? null} limit={rules?.limit_per_day ?? null} currency={currency} />
      {rules && (
        <Facts>
          <Fact name="recipients">at most {whole(rules.recipients_max)} a payout</Fact>
          <Fact name="settled at depth">{plural(rules.confirmations, "confirmation")}</Fact>
        </Facts>
      )}
    </>
  );
}

interface MeterProps {
  name: string;
  spent: string | null;
  limit: string | null;
  currency: Currency | null;
}

function Meter({ name, spent, limit, currency }: MeterProps) {
  const basisPoints =
    spent === null || limit === null || limit === "0" ? 0n : (BigInt(spent) * 10_000n) / BigInt(limit);
  const part = Math.min(100, Number(basisPoints) / 100);
  return (
    <div className="meter">
      <div className="meter-words">
        <span>{name}</span>
        <span>
          {money(spent, currency)}{" "}
          {limit === null ? unitOf(currency) : `of ${money(limit, currency)} ${unitOf(currency)}`}
          {limit === null && <small> · no limit</small>}
        </span>
      </div>
      {limit !== null && (
        <div className={part >= 90 ? "meter-bar meter-full" : "meter-bar"} aria-hidden="true">
          <span style={{ width: `${part}%` }} />
        </div>
      )}
    </div>
  );
}
