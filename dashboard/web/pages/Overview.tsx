import { type ReactNode, useEffect, useMemo } from "react";
import { ChartsRow } from "../charts/ChartsRow";
import { BlocksPanel } from "../dag/BlocksPanel";
import { hashrateText, whole } from "../format/number";
import { zoneNote } from "../format/time";
import { Activity } from "../panels/Activity";
import { Alerts } from "../panels/Alerts";
import { FiringNow } from "../panels/FiringNow";
import { Funnel } from "../panels/Funnel";
import { Header } from "../panels/Header";
import { Ledger } from "../panels/Ledger";
import { Miners } from "../panels/Miners";
import { JobPanel, NodePanel } from "../panels/NodeJob";
import { ShareResults } from "../panels/ShareResults";
import { StatusCards } from "../panels/StatusCards";
import { alertsOf, staleMs } from "../state/alerts";
import type { Firing } from "../state/firing";
import { usePool, useStages } from "../state/pool";
import type { Session } from "../state/session";
import { useNow } from "../ui/clock";
import { Empty, type Freshness, Loading, Panel } from "../ui/Panel";
import { Link } from "../ui/router";

function freshnessOf(arrivedAt: number | null, now: number): Freshness {
  if (arrivedAt === null) return "waiting";
  return now - arrivedAt > staleMs ? "stale" : "fresh";
}

interface OverviewProps {
  session: Session;
  /** Told to those who may see alerts. */
  firing?: Firing;
  nav: ReactNode;
}

/** The pool at a glance: figures, charts, the DAG, miners, money. */
export function Overview({ session, firing, nav }: OverviewProps) {
  const state = usePool(session);
  const now = useNow();
  const alerts = useMemo(() => alertsOf(state, now), [state, now]);

  const worst = alerts[0]?.title;
  useEffect(() => {
    document.title = worst ? `⚠ ${worst} · DAG Pool` : `${hashrateText(state.stats?.pool.hashrate)} · DAG Pool`;
  }, [worst, state.stats]);

  const poolNow = now + state.skewMs;
  const figures = freshnessOf(state.statsAt, now);
  // What only the database knows stands still while it is away; the rest goes on.
  const books = figures === "fresh" && state.stats?.stale ? "stale" : figures;
  const node = freshnessOf(state.nodeAt, now);
  // Samples only come by the feed, like the node's state.
  const history: Freshness = state.samples.length === 0 && node === "waiting" ? "waiting" : node;
  const { stats } = state;
  const connected = Math.max(stats?.pool.miners ?? 0, state.miners?.length ?? 0);
  const live = state.link.phase === "live";
  const stage = useStages(4);

  return (
    <div className="dashboard" data-live={live}>
      <a className="skip" href="#blocks">
        Skip to the blocks
      </a>
      <Header
        title="DAG_POOL"
        link={state.link}
        now={now}
        skewMs={state.skewMs}
        algorithm={stats?.network.algorithm ?? null}
        nav={nav}
      />
      <Alerts alerts={alerts} onRetry={session.retry} />
      {firing && <FiringNow firing={firing} now={poolNow} />}
      <main>
        <StatusCards stats={stats} freshness={figures} books={books} />
        <div className="grid">
          {stage >= 1 && <ChartsRow samples={state.samples} freshness={history} />}
          {stage >= 2 && (
            <div id="blocks" className="anchor" tabIndex={-1}>
              <BlocksPanel
                blocks={state.blocks}
                currency={state.currency}
                now={poolNow}
                freshness={state.blocks === null ? "waiting" : figures}
              />
            </div>
          )}
          {stage >= 3 && (
            <>
              <Panel title="NODE" className="panel-half" freshness={node}>
                {state.node === null ? <Loading what="node state" /> : <NodePanel node={state.node} now={poolNow} />}
              </Panel>
              <Panel title="CURRENT_JOB" className="panel-half" freshness={node}>
                {state.job === null ? (
                  <Loading what="job" />
                ) : (
                  <JobPanel job={state.job} elapsedMs={state.nodeAt === null ? 0 : now - state.nodeAt} />
                )}
              </Panel>
            </>
          )}
          {stage >= 4 && (
            <>
              <div className="stack stack-wide">
                <Panel
                  title="MINERS"
                  freshness={state.miners === null ? "waiting" : figures}
                  aside={
                    state.miners && (
                      <span className="asides">
                        <span className="count">{whole(connected)}</span>
                        <Link to="/miners" className="button button-small">
                          ALL ▸
                        </Link>
                      </span>
                    )
                  }
                >
                  {state.miners === null ? (
                    <Loading what="miners" lines={5} />
                  ) : (
                    <Miners miners={state.miners} currency={state.currency} total={connected} now={poolNow} />
                  )}
                </Panel>
                <Panel title="ACTIVITY" className="panel-activity">
                  {state.events.length === 0 && !live ? (
                    <Empty title="NOT_LISTENING">Events appear here while the live feed is connected.</Empty>
                  ) : (
                    <Activity events={state.events} now={poolNow} />
                  )}
                </Panel>
              </div>
              <div className="stack">
                <Panel title="PAID_CONVERSION" freshness={books}>
                  {stats ? <Funnel blocks={stats.blocks} /> : <Loading what="block counts" lines={5} />}
                </Panel>
                <Panel title="SHARES" freshness={figures}>
                  {stats ? <ShareResults shares={stats.pool.shares} /> : <Loading what="share results" />}
                </Panel>
                <Panel title="LEDGER" freshness={books}>
                  {stats ? <Ledger ledger={stats.ledger} currency={state.currency} /> : <Loading what="ledger" />}
                </Panel>
              </div>
            </>
          )}
        </div>
      </main>
      {stage >= 4 && (
        <footer className="footer">
          <span>{zoneNote()}</span>
          <nav aria-label="More">
            <a href="/api/docs">API</a>
            <a href="/metrics">metrics</a>
            <a href="/health/ready">health</a>
          </nav>
        </footer>
      )}
    </div>
  );
}
