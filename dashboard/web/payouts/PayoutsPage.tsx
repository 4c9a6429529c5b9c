import "../algorithms/algorithms.css";
import "../algorithms/deploy.css";
import "./payouts.css";
import { type ReactNode, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { AccessBar, type Purpose } from "../algorithms/AccessBar";
import type { Keeper } from "../algorithms/access";
import { FailureCard } from "../algorithms/FailureCard";
import { type Failure, failure } from "../algorithms/failure";
import { RemoteView } from "../algorithms/RemoteView";
import type { Currency } from "../feed/schema";
import { plural } from "../format/number";
import { usePool } from "../state/pool";
import type { Session } from "../state/session";
import { useNow } from "../ui/clock";
import { PageFrame } from "../ui/PageFrame";
import { Empty, type Freshness, Loading, Panel } from "../ui/Panel";
import { useNotify } from "../ui/Toasts";
import { AuditTrail } from "./AuditTrail";
import { type Filter, PayoutsApi } from "./api";
import { Cards } from "./Cards";
import { type Ask, AskDialog } from "./dialogs";
import { Limits } from "./Limits";
import { PayoutList } from "./PayoutList";
import { Plan } from "./Plan";
import type { Status } from "./schema";
import { PayoutsStore } from "./store";
import { Terms } from "./Terms";

const purpose: Purpose = {
  locked:
    "Payouts of everybody are for operators: sign in, or enter the operator token. Each miner finds its own on its page.",
  wrong: "Enter a valid one to see and steer payouts.",
  role: "Holding, releasing and paying need the operator role.",
};

interface PageProps {
  session: Session;
  keeper: Keeper;
  nav: ReactNode;
  /** For tests. */
  api?: PayoutsApi;
}

/** `[PAYOUTS]`: what is paid, what would be, who waits and why; hold, release, pay now. */
export default function PayoutsPage({ session, keeper, nav, api }: PageProps) {
  const pool = usePool(session);
  const store = useMemo(() => new PayoutsStore(keeper, api ?? new PayoutsApi(keeper.token)), [keeper, api]);
  const state = useSyncExternalStore(store.subscribe, store.shown);
  const now = useNow();
  useEffect(() => {
    store.start();
    return () => store.stop();
  }, [store]);
  return (
    <PageFrame session={session} nav={nav} title="PAYOUTS" name="Payouts">
      <Body store={store} currency={pool.currency} poolNow={now + pool.skewMs} state={state} />
    </PageFrame>
  );
}

/** Payouts whose trouble is told one by one. */
const toldMax = 5;

/** What is stuck, what is in the way of each, and what can be done about it. */
export function inTheWay({ troubles, stuck, suggested_actions }: Status): Failure {
  const all = stuck.plan ? "the plan that is due" : "all payouts";
  const told = troubles
    .slice(0, toldMax)
    .map(({ payout, what }): [string, string] => [payout === null ? all : `payout ${payout}`, what]);
  const more = troubles.length - told.length;
  return {
    ...failure(
      "refused",
      "PAYOUTS_UNAVAILABLE",
      "The dispatcher tries again by itself; nothing is paid twice, whatever happens.",
      suggested_actions,
    ),
    details: more > 0 ? [...told, ["and", plural(more, "more payout")]] : told,
    documentation: "/docs/errors/PAYOUTS_UNAVAILABLE",
    severity: "warning",
  };
}

interface BodyProps {
  store: PayoutsStore;
  state: ReturnType<PayoutsStore["shown"]>;
  currency: Currency | null;
  poolNow: number;
}

function Body({ store, state, currency, poolNow }: BodyProps) {
  const notify = useNotify();
  const [ask, setAsk] = useState<Ask | null>(null);
  const bar = (
    <AccessBar
      access={state.access}
      onUnlock={(token) => store.unlock(token)}
      onLock={() => store.lock()}
      purpose={purpose}
    />
  );
  if (state.asking) return <Loading what="payouts" lines={6} />;
  if (state.access.may === "look") return bar;
  const { status } = state;
  const shown = status.value;
  const freshness: Freshness = status.failure === null ? "fresh" : "stale";
  const finish = async (doing: () => Promise<Failure | null>, said: string): Promise<Failure | null> => {
    const failure = await doing();
    if (failure === null) {
      setAsk(null);
      notify("success", said, "payouts");
    }
    return failure;
  };
  return (
    <>
      {shown && <Cards status={shown} currency={currency} freshness={freshness} />}
      {status.failure && <FailureCard failure={status.failure} />}
      {bar}
      {shown === null && status.failure === null && <Loading what="payouts" lines={6} />}
      {shown && (
        <div className="grid">
          {shown.troubles.length > 0 && (
            <div className="panel-whole" data-testid="payout-trouble">
              <FailureCard failure={inTheWay(shown)} />
            </div>
          )}
          <Panel title="NEXT_PAYOUTS" className="panel-half" freshness={freshness}>
            <Plan status={shown} store={store} currency={currency} poolNow={poolNow} onAsk={setAsk} />
          </Panel>
          <Panel title="HOLD_AND_LIMITS" className="panel-half" freshness={freshness}>
            <Limits status={shown} currency={currency} onAsk={setAsk} />
          </Panel>
          <Panel title="PAYOUTS" className="panel-whole" freshness={state.payouts.failure ? "stale" : "fresh"}>
            <RemoteView remote={state.payouts} what="payouts">
              {(payouts) => (
                <PayoutList
                  payouts={payouts}
                  filter={state.filter}
                  enabled={shown.enabled}
                  currency={currency}
                  load={store.api.one}
                  onFilter={(filter: Filter) => void store.choose(filter)}
                  onOlder={() => void store.older()}
                  onAsk={setAsk}
                />
              )}
            </RemoteView>
          </Panel>
          <Panel title="ACCOUNTS" className="panel-half" freshness={freshness}>
            <Terms status={shown} currency={currency} onAsk={setAsk} />
          </Panel>
          <Panel title="WHO_DID_WHAT" className="panel-half">
            <RemoteView remote={state.audit} what="the trail">
              {(audit) => <AuditTrail audit={audit} currency={currency} />}
            </RemoteView>
          </Panel>
        </div>
      )}
      {ask && <AskDialog ask={ask} store={store} currency={currency} onClose={() => setAsk(null)} finish={finish} />}
      {shown && !shown.enabled && (
        <Empty title="PAYOUTS_ARE_OFF">
          This pool process pays nothing out: set <code>payout.enabled = true</code> where the chain has a wallet.
        </Empty>
      )}
    </>
  );
}
