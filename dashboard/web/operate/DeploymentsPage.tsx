import "../algorithms/rollout.css";
import "./operate.css";
import { useMemo, useState } from "react";
import { Guard, PageFrame, type PageProps } from "../account/Frame";
import { FailureCard } from "../algorithms/FailureCard";
import { outcomes } from "../algorithms/History";
import { isOpen, titleOf } from "../algorithms/rollout";
import type { Deployment } from "../algorithms/schema";
import { usePolled } from "../feed/poll";
import { parseTime, span } from "../format/time";
import { Empty, Loading, Panel } from "../ui/Panel";
import { Link } from "../ui/router";
import { Instant } from "../ui/Time";
import { useNotify } from "../ui/Toasts";
import { OperateApi } from "./api";
import type { Deployments } from "./schema";

const everyMs = 5_000;

interface DeploymentsPageProps extends PageProps {
  /** For tests. */
  api?: OperateApi;
}

/** `[DEPLOYMENTS]`: every algorithm that was ever rolled out here, newest first. */
export default function DeploymentsPage({ session, account, nav, api }: DeploymentsPageProps) {
  const routes = useMemo(() => api ?? new OperateApi(account.token), [api, account]);
  return (
    <PageFrame session={session} nav={nav} title="DEPLOYMENTS" name="Deployments">
      <Guard account={account} needs="viewer">
        <Body api={routes} />
      </Guard>
    </PageFrame>
  );
}

function Body({ api }: { api: OperateApi }) {
  const notify = useNotify();
  const newest = usePolled(
    useMemo(() => () => api.deployments(null), [api]),
    everyMs,
  );
  const [older, setOlder] = useState<Deployments | null>(null);
  const { value, failure } = newest;
  if (value === null) return failure ? <FailureCard failure={failure} /> : <Loading what="deployments" lines={6} />;
  const ids = new Set(value.items.map(({ deployment_id }) => deployment_id));
  const items = [...value.items, ...(older?.items ?? []).filter(({ deployment_id }) => !ids.has(deployment_id))];
  const next = older ? older.next : value.next;
  const more = async (cursor: string) => {
    const page = await api.deployments(cursor);
    if (page.ok) setOlder({ items: [...(older?.items ?? []), ...page.value.items], next: page.value.next });
    else notify("error", page.failure.message, "deployments");
  };
  return (
    <Panel title="HISTORY" freshness={failure ? "stale" : "fresh"}>
      {failure && <FailureCard failure={failure} />}
      {items.length === 0 ? (
        <>
          <Empty title="NO_DEPLOYMENTS">
            Nothing was ever rolled out here: the pool runs the algorithm that it was started with.
          </Empty>
          <div className="centered">
            <Link className="button" to="/algorithms">
              STAGE A PACKAGE
            </Link>
          </div>
        </>
      ) : (
        <ul className="history" data-testid="deployments">
          {items.map((one) => (
            <Row key={one.deployment_id} deployment={one} />
          ))}
        </ul>
      )}
      {next !== null && (
        <div className="acts">
          <button type="button" className="button button-small" onClick={() => void more(next)}>
            OLDER
          </button>
        </div>
      )}
    </Panel>
  );
}

/** `blake3 1.0.0 → blake3 1.1.0`, as a link to all of it. */
function Row({ deployment }: { deployment: Deployment }) {
  const { deployment_id: id, status, algorithm, replaces, kind, strategy, by } = deployment;
  const { mark, tone } = outcomes[status] ?? { mark: "•", tone: "blue" };
  const [began, moved] = [parseTime(deployment.created_at), parseTime(deployment.updated_at)];
  return (
    <li className={`deployment deployment-${tone}`}>
      <Link className="deployment-head deployment-link" to={`/deployments/${encodeURIComponent(id)}`}>
        <span className="deployment-mark" aria-hidden="true">
          {mark}
        </span>
        <span className="deployment-what">
          {replaces ? titleOf(replaces) : "?"} <span aria-hidden="true">→</span>{" "}
          <strong>{algorithm ? titleOf(algorithm) : "?"}</strong>
          <small className="deployment-words">
            {[`#${id}`, kind, strategy, by && `by ${by}`].filter(Boolean).join(" · ")}
          </small>
        </span>
        <span className="deployment-status">
          {status.replaceAll("_", " ").toUpperCase()}
          {isOpen(status) && ` ${Math.round(deployment.progress)}%`}
        </span>
        <span className="deployment-when">
          <Instant at={began} />
          {began !== null && moved !== null && !isOpen(status) && ` · took ${span(moved - began)}`}
        </span>
        <span className="deployment-open" aria-hidden="true">
          ▸
        </span>
      </Link>
    </li>
  );
}
