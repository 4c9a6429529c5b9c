import "./algorithms.css";
import "./deploy.css";
import "./rollout.css";
import { type ReactNode, useEffect, useRef, useSyncExternalStore } from "react";
import { usePool } from "../state/pool";
import type { Session } from "../state/session";
import { useNow } from "../ui/clock";
import { PageFrame } from "../ui/PageFrame";
import { Empty, type Freshness, Loading, Panel } from "../ui/Panel";
import { useNotify } from "../ui/Toasts";
import { AccessBar } from "./AccessBar";
import { type Access, barred, hasToken } from "./access";
import { Cards } from "./Cards";
import { Compare } from "./Compare";
import { DeployPanel } from "./DeployPanel";
import { FailureCard } from "./FailureCard";
import { Generations } from "./Generations";
import { History } from "./History";
import { MigrationPanel } from "./MigrationPanel";
import { RemoteView } from "./RemoteView";
import { Report } from "./Report";
import { underWay } from "./rollout";
import type { Overview, Status } from "./schema";
import type { AlgorithmsState, AlgorithmsStore } from "./store";
import { Uploader } from "./Uploader";

interface PageProps {
  session: Session;
  store: AlgorithmsStore;
  nav: ReactNode;
}

/** Older than this, the status is marked as stale: three rounds were missed. */
const staleMs = 32_000;

/** `[ALGORITHM_MANAGEMENT]`: stage a package, read its report, deploy it, watch, go back. */
export default function AlgorithmsPage({ session, store, nav }: PageProps) {
  const pool = usePool(session);
  const state = useSyncExternalStore(store.subscribe, store.shown);
  const now = useNow();
  const live = pool.link.phase === "live";
  useNews(store, pool.deployment);
  useEffect(() => {
    store.start();
    return () => store.stop();
  }, [store]);
  // The feed is back: the pool may have been restarted meanwhile.
  useEffect(() => {
    if (live) void store.refresh();
  }, [live, store]);
  const { value } = state.status;
  const running = value && underWay(value);
  return (
    <PageFrame
      session={session}
      nav={nav}
      title="ALGORITHM_MANAGEMENT"
      name={`${running ? `${Math.round(running.progress)}% · ` : ""}Algorithms`}
      algorithm={pool.stats?.network.algorithm ?? null}
    >
      <Body state={state} store={store} now={now} poolNow={now + pool.skewMs} />
    </PageFrame>
  );
}

/** What the feed tells of a deployment: shown at once, said once, and asked for in full. */
function useNews(store: AlgorithmsStore, news: ReturnType<Session["store"]["shown"]>["deployment"]): void {
  const notify = useNotify();
  // What came before the page was opened is no news.
  const seen = useRef(news?.seq ?? 0);
  const said = useRef(news?.text ?? "");
  useEffect(() => {
    if (news === null || news.seq <= seen.current) return;
    seen.current = news.seq;
    store.takeDeployment(news.deployment);
    if (news.text === said.current) return;
    said.current = news.text;
    notify(news.severity, news.text, "deployment");
    void store.refresh();
  }, [news, store, notify]);
}

interface BodyProps {
  state: AlgorithmsState;
  store: AlgorithmsStore;
  /** Viewer's clock, and the pool's. */
  now: number;
  poolNow: number;
}

function Body({ state, store, now, poolNow }: BodyProps) {
  const { service, status, statusAt } = state;
  if (service === "asking") return <Loading what="algorithms" lines={6} />;
  if (service === "unserved") return <Unserved state={state} store={store} />;
  if (status.value === null) {
    return status.failure ? <FailureCard failure={status.failure} /> : <Loading what="algorithms" lines={6} />;
  }
  const old = statusAt === null || now - statusAt > staleMs || status.failure !== null;
  return (
    <Served state={state} store={store} status={status.value} poolNow={poolNow} freshness={old ? "stale" : "fresh"} />
  );
}

function Unserved({ state, store }: Pick<BodyProps, "state" | "store">) {
  return (
    <Panel title="NOT_SERVED">
      <Empty title="THIS_POOL_SERVES_NO_ALGORITHM_ROUTES">
        It answered {state.status.failure?.status ?? "nothing"} for /api/algorithms/status: it is older than this page,
        or was built without the algorithm engine. Mining is not affected, and the dashboard works as before.
      </Empty>
      <div className="centered">
        <button type="button" className="button" onClick={() => void store.refresh()}>
          ASK AGAIN
        </button>
      </div>
    </Panel>
  );
}

function uploadBar(access: Access, overview: Overview | null): string | null {
  const bar = barred(access, "Uploading");
  if (bar !== null) return bar;
  return overview?.can_stage === false ? "This pool has no place for packages: its configuration names none." : null;
}

interface ServedProps extends Pick<BodyProps, "state" | "store" | "poolNow"> {
  status: Status;
  freshness: Freshness;
}

function Served({ state, store, status, poolNow, freshness }: ServedProps) {
  const { access, deployments, report, points } = state;
  const staged = status.staged_algorithm;
  const running = underWay(status);
  const fresh = report && staged?.algorithm_id === report.algorithm_id ? report : staged;
  const uploading = uploadBar(access, state.overview.value);
  const comparison = (
    <Panel
      title="CONTROL_VERSUS_CANDIDATE"
      freshness={freshness}
      aside={running ? null : <span className="tag">LAST DEPLOYMENT</span>}
    >
      <Compare points={points} />
    </Panel>
  );
  return (
    <>
      <Cards status={status} freshness={freshness} />
      {state.status.failure && <FailureCard failure={state.status.failure} />}
      <AccessBar access={access} onUnlock={(token) => store.unlock(token)} onLock={() => store.lock()} />
      <div className="grid">
        {running && (
          <Panel title="MIGRATION_IN_PROGRESS" freshness={freshness} className="panel-migration">
            <MigrationPanel
              rollout={running}
              barred={barred(access, "Steering a deployment")}
              now={poolNow}
              onAct={(deployment, action) => store.act(deployment, action)}
            />
          </Panel>
        )}
        {running && comparison}
        <Panel title="STAGE_NEW_ALGORITHM" className="panel-half">
          <Uploader barred={uploading} onStage={(...upload) => store.stage(...upload)} />
        </Panel>
        <Panel title="DEPLOY_ALGORITHM" className="panel-half" freshness={freshness}>
          <DeployPanel
            status={status}
            stale={freshness === "stale"}
            access={access}
            plan={state.plan}
            onDeploy={(config) => store.deploy(config)}
          />
        </Panel>
        {staged && fresh && (
          <Panel title="VALIDATION_REPORT" aside={<span className="count">{staged.algorithm_id}</span>}>
            <Report
              checks={fresh.validation_results}
              benchmark={fresh.benchmark_results}
              warnings={fresh.warnings}
              nextSteps={fresh.next_steps}
            />
          </Panel>
        )}
        {!running && points.length > 1 && comparison}
        {hasToken(access) && (
          <>
            <Panel title="DEPLOYMENTS" className="panel-half">
              <RemoteView remote={deployments} what="deployments">
                {(list) => <History deployments={list} load={store.api.deployment} />}
              </RemoteView>
            </Panel>
            <Panel title="GENERATIONS" className="panel-half" freshness={freshness}>
              <RemoteView remote={state.overview} what="generations">
                {(overview) => <Generations slots={overview.slots} />}
              </RemoteView>
            </Panel>
          </>
        )}
      </div>
    </>
  );
}
