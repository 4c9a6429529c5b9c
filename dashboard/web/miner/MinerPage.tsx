import "./miner.css";
import { type ReactNode, useCallback, useEffect, useState } from "react";
import { getJson, NotThere } from "../feed/pages";
import { type Currency, type MinerDetails, minerDetails } from "../feed/schema";
import { money, unitOf } from "../format/money";
import { parseTime } from "../format/time";
import { ShareResults } from "../panels/ShareResults";
import { usePool } from "../state/pool";
import type { Session } from "../state/session";
import { Copy } from "../ui/Copy";
import { useNow } from "../ui/clock";
import { PageFrame } from "../ui/PageFrame";
import { Empty, Loading, Panel } from "../ui/Panel";
import { Link } from "../ui/router";
import { Instant } from "../ui/Time";
import { earningsPath, loadPayouts } from "./api";
import { Earnings } from "./Earnings";
import { HashrateHours } from "./HashrateHours";
import type { Payout, Terms } from "./schema";
import { Workers } from "./Workers";

/** While the page is open, its figures are asked for again at this pace. */
const refreshMs = 5_000;

interface PageProps {
  account: string;
  session: Session;
  nav: ReactNode;
}

/** `[MINER]`: one account's money, workers, earnings with their proofs, and payouts. */
export default function MinerPage({ account, session, nav }: PageProps) {
  const pool = usePool(session);
  const now = useNow();
  const details = useRepeated(
    useCallback(async () => minerDetails.parse(await getJson(`/api/miners/${encodeURIComponent(account)}`)), [account]),
  );
  const payouts = useRepeated(useCallback(() => loadPayouts(account), [account]));
  const poolNow = now + pool.skewMs;
  const away = pool.stats?.stale ?? false;
  return (
    <PageFrame
      session={session}
      nav={nav}
      title="MINER"
      name={account.slice(0, 18)}
      live
      note="Proofs are checked in this browser."
    >
      <p className="miner-name">
        <code className="hash">{account}</code> <Copy text={account} what="the account" />
      </p>
      {details.state === "none" ? (
        <Panel title="ACCOUNT">
          <Empty title="NOT_KNOWN">
            No share of this account was credited here yet: it is known from the first one on, and shown then by itself.
            Whoever mines is in <Link to="/miners">MINERS</Link>.
          </Empty>
        </Panel>
      ) : (
        <div className="grid">
          <Panel title="BALANCE" className="panel-half">
            <Shown answer={details} what="balance" away={away}>
              {(found) => <Balance balance={found.balance} currency={pool.currency} />}
            </Shown>
          </Panel>
          <Panel title="SHARES" className="panel-half">
            <Shown answer={details} what="shares" away={away}>
              {(found) =>
                found.shares === null ? (
                  <Empty title="NO_SHARES">This pool does not tell how shares were judged.</Empty>
                ) : (
                  <>
                    <ShareResults shares={found.shares} />
                    <p className="note">
                      Accepted: credited by the ledger. Rejected: since the workers came, as the pool remembers.
                    </p>
                  </>
                )
              }
            </Shown>
          </Panel>
          <HashrateHours account={account} away={away} />
          <Panel title="WORKERS" className="panel-whole" aside={<Online answer={details} />}>
            <Shown answer={details} what="workers" away={away}>
              {(found) => <Workers workers={found.workers} now={poolNow} />}
            </Shown>
          </Panel>
          <Panel title="EARNINGS" className="panel-whole" aside={<Exports account={account} />}>
            <Earnings account={account} currency={pool.currency} away={away} />
          </Panel>
          {payouts.state === "shown" && payouts.found !== null && (
            <Panel title="PAYOUTS" className="panel-whole">
              <TermsOf terms={payouts.found.terms} currency={pool.currency} />
              <Payouts payouts={payouts.found.items} currency={pool.currency} />
            </Panel>
          )}
        </div>
      )}
    </PageFrame>
  );
}

/** How many of its workers are here. */
function Online({ answer }: { answer: Answer<MinerDetails> }) {
  if (answer.state !== "shown") return null;
  const { workers } = answer.found;
  const online = workers.filter(({ connected_since }) => connected_since !== null).length;
  return <span className="count">{`${online} of ${workers.length} connected`}</span>;
}

type Answer<T> = { state: "loading" } | { state: "failed" } | { state: "none" } | { state: "shown"; found: T };

/** Asked for now and every few seconds; what was shown stays while the pool does not answer. */
function useRepeated<T>(load: () => Promise<T>): Answer<T> {
  const [answer, setAnswer] = useState<Answer<T>>({ state: "loading" });
  useEffect(() => {
    let open = true;
    const ask = async () => {
      try {
        const found = await load();
        if (open) setAnswer({ state: "shown", found });
      } catch (error) {
        const state = error instanceof NotThere ? "none" : "failed";
        if (open) setAnswer((known) => (known.state === "shown" ? known : { state }));
      }
    };
    void ask();
    const timer = setInterval(() => void ask(), refreshMs);
    return () => {
      open = false;
      clearInterval(timer);
    };
  }, [load]);
  return answer;
}

interface ShownProps<T> {
  answer: Answer<T>;
  what: string;
  /** The database is away: that is why. */
  away: boolean;
  children: (found: T) => ReactNode;
}

function Shown<T>({ answer, what, away, children }: ShownProps<T>) {
  // As many lines as make the height of what comes: nothing below it moves.
  if (answer.state === "loading") return <Loading what={what} lines={7} />;
  if (answer.state === "failed" && away)
    return (
      <Empty title="DATABASE_AWAY">
        The {what} can't be told while the database is away. Nothing of it is lost; asking again every 5 s.
      </Empty>
    );
  if (answer.state !== "shown")
    return <Empty title="NO_ANSWER">The pool did not tell the {what}; asking again every 5 s.</Empty>;
  return children(answer.found);
}

const kinds = [
  ["pending", "from blocks that may still change colour"],
  ["confirmed", "mature, owed to you"],
  ["paid", "sent"],
] as const;

function Balance({ balance, currency }: { balance: MinerDetails["balance"]; currency: Currency | null }) {
  if (!balance) return <Empty title="NO_BALANCE">This pool does not tell balances.</Empty>;
  return (
    <dl className="ledger">
      {kinds.map(([kind, meaning]) => (
        <div className="ledger-row" key={kind}>
          <dt>
            {kind} <small>{meaning}</small>
          </dt>
          <dd data-testid={`balance-${kind}`}>
            {money(balance[kind], currency)} <span className="unit">{unitOf(currency)}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Exports({ account }: { account: string }) {
  return (
    <span className="exports">
      <a className="button button-small" href={`${earningsPath(account)}?format=csv`} download="earnings.csv">
        CSV
      </a>
      <a className="button button-small" href={`${earningsPath(account)}?format=json`} download="earnings.json">
        JSON
      </a>
    </span>
  );
}

/** What is decided about this account, if anything is. */
function TermsOf({ terms, currency }: { terms: Terms | null; currency: Currency | null }) {
  if (terms === null) return null;
  const { threshold, held, set_aside } = terms;
  return (
    <>
      {held !== null && (
        <p className="terms warn" data-testid="held">
          Held by the operator: {held}. What was sent before goes on to its end; the balance stays yours.
        </p>
      )}
      {set_aside !== null && (
        <p className="terms warn">Not paid, as the chain does not take this address: {set_aside}. Ask the operator.</p>
      )}
      {threshold !== null && (
        <p className="terms">
          Paid from {money(threshold, currency)} {unitOf(currency)} on, instead of the pool's threshold.
        </p>
      )}
    </>
  );
}

const payoutTones: Record<string, string> = { settled: "tag tag-good", returned: "tag tag-red" };

function Payouts({ payouts, currency }: { payouts: readonly Payout[]; currency: Currency | null }) {
  if (payouts.length === 0)
    return <Empty title="NO_PAYOUTS">Payouts are listed here once the confirmed balance reached the threshold.</Empty>;
  return (
    <ul className="credits">
      {payouts.map((one) => (
        <li key={one.id} className="credit">
          <div className="credit-head credit-plain">
            <span className="credit-amount">
              {money(one.amount, currency)} <span className="unit">{unitOf(currency)}</span>
            </span>
            <span className={payoutTones[one.state] ?? "tag tag-blue"}>
              {one.state.replaceAll("_", " ").toUpperCase()}
            </span>
            <span className="credit-when">
              <Instant at={parseTime(one.confirmed_at ?? one.created_at)} />
            </span>
          </div>
          {one.txid && (
            <p className="credit-id">
              <code className="hash">{one.txid}</code> <Copy text={one.txid} what="the transaction id" />
            </p>
          )}
          {one.reason && <p className="note">{one.reason}</p>}
        </li>
      ))}
    </ul>
  );
}
