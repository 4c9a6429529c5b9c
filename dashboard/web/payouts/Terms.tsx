import type { Currency } from "../feed/schema";
import { money, unitOf } from "../format/money";
import { Empty } from "../ui/Panel";
import { AccountLink } from "./AccountLink";
import type { Ask } from "./dialogs";
import type { Status } from "./schema";

interface TermsProps {
  status: Status;
  currency: Currency | null;
  onAsk: (ask: Ask) => void;
}

/** Accounts that are not treated like the others: own threshold, held, set aside. */
export function Terms({ status, currency, onAsk }: TermsProps) {
  return (
    <>
      <div className="acts">
        <button type="button" className="button button-small" onClick={() => onAsk({ what: "threshold", account: "" })}>
          SET A THRESHOLD…
        </button>
        <button
          type="button"
          className="button button-small button-danger"
          onClick={() => onAsk({ what: "hold", scope: { scope: "account", account: "" } })}
        >
          HOLD AN ACCOUNT…
        </button>
      </div>
      {status.terms.length === 0 ? (
        <Empty title="ALL_ACCOUNTS_ALIKE">No account has a threshold of its own, is held, or was set aside.</Empty>
      ) : (
        <ul className="parts">
          {status.terms.map((one) => {
            const scope = { scope: "account", account: one.account } as const;
            return (
              <li key={one.account}>
                <AccountLink account={one.account} />
                <span className="part-amount">
                  {one.threshold === null
                    ? "pool's threshold"
                    : `from ${money(one.threshold, currency)} ${unitOf(currency)}`}
                </span>
                {one.held !== null && <span className="part-why warn">held: {one.held}</span>}
                {one.set_aside !== null && (
                  <span className="part-why warn">set aside, the chain says: {one.set_aside}</span>
                )}
                <span className="part-acts">
                  <button
                    type="button"
                    className="button button-small button-quiet"
                    onClick={() => onAsk({ what: "threshold", account: one.account })}
                  >
                    THRESHOLD…
                  </button>
                  {(one.held !== null || one.set_aside !== null) && (
                    <button
                      type="button"
                      className="button button-small"
                      onClick={() => onAsk({ what: "release", scope, held: one.held ?? one.set_aside ?? "" })}
                    >
                      RELEASE…
                    </button>
                  )}
                </span>
              </li>
            );
          })}
        </ul>
      )}
    </>
  );
}
