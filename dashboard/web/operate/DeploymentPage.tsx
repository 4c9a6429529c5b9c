import "../algorithms/rollout.css";
import "./operate.css";
import { useCallback, useMemo, useSyncExternalStore } from "react";
import type { Account } from "../account/account";
import { Guard, PageFrame, type PageProps } from "../account/Frame";
import type { Line } from "../account/schema";
import { FailureCard } from "../algorithms/FailureCard";
import { outcomes, RollbackView, Steps } from "../algorithms/History";
import { isOpen, nanoseconds, phaseMarks, phaseName, rate, seconds, titleOf } from "../algorithms/rollout";
import type { Deployment, Figures } from "../algorithms/schema";
import type { Outcome } from "../feed/client";
import { usePolled } from "../feed/poll";
import { whole } from "../format/number";
import { parseTime, span } from "../format/time";
import { Empty, Fact, Facts, Loading, Panel } from "../ui/Panel";
import { Link } from "../ui/router";
import { Instant } from "../ui/Time";
import { OperateApi } from "./api";

const everyMs = 3_000;

interface DeploymentPageProps extends PageProps {
  id: string;
  /** For tests. */
  api?: OperateApi;
}

/** `[DEPLOYMENT]`: one roll-out from its first step to its last, with what was measured and who had a hand in it. */
export default function DeploymentPage({ session, account, nav, id, api }: DeploymentPageProps) {
  const routes = useMemo(() => api ?? new OperateApi(account.token), [api, account]);
  return (
    <PageFrame session={session} nav={nav} title="DEPLOYMENT" name={`Deployment ${id}`}>
      <p className="back">
        <Link to="/deployments">◂ all deployments</Link>
      </p>
      <Guard account={account} needs="viewer">
        <Body api={routes} account={account} id={id} />
      </Guard>
    </PageFrame>
  );
}

function Body({ api, account, id }: { api: OperateApi; account: Account; id: string }) {
  const { value, failure } = usePolled(
    useCallback(() => api.deployment(id), [api, id]),
    everyMs,
  );
  const { me } = useSyncExternalStore(account.subscribe, account.shown);
  if (value === null) {
    if (failure?.status === 404) return <Empty title="NO_SUCH_DEPLOYMENT">This pool has no deployment {id}.</Empty>;
    return failure ? <FailureCard failure={failure} /> : <Loading what="the deployment" lines={8} />;
  }
  const freshness = failure ? "stale" : "fresh";
  return (
    <div className="grid">
      {failure && <FailureCard failure={failure} />}
      <Panel title={`DEPLOYMENT_${id}`} className="panel-half" freshness={freshness}>
        <About deployment={value} />
      </Panel>
      <Panel title="COMPARISON" className="panel-half" freshness={freshness}>
        <Comparison deployment={value} />
      </Panel>
      <Panel title="STEPS" className="panel-half" freshness={freshness}>
        {value.trail && value.trail.length > 0 ? (
          <Steps steps={value.trail} />
        ) : (
          <Empty title="NO_STEPS">The pool tells no steps of it.</Empty>
        )}
      </Panel>
      <Panel title="WHO_DID_WHAT" className="panel-half">
        {me?.role === "admin" ? (
          <Audit account={account} id={id} />
        ) : (
          <Empty title="FOR_ADMINS">The audit trail is for the role admin; the steps name who asked for each.</Empty>
        )}
      </Panel>
    </div>
  );
}

function About({ deployment }: { deployment: Deployment }) {
  const { status, algorithm, replaces, rollback, phases } = deployment;
  const { mark, tone } = outcomes[status] ?? { mark: "•", tone: "blue" };
  const [began, moved] = [parseTime(deployment.created_at), parseTime(deployment.updated_at)];
  return (
    <>
      <p className={`verdict-line deployment-${tone}`} data-testid="deployment-status">
        <span className="deployment-mark" aria-hidden="true">
          {mark}
        </span>{" "}
        {status.replaceAll("_", " ").toUpperCase()}
        {isOpen(status) && ` · ${phaseName(deployment.phase)} · ${Math.round(deployment.progress)}%`}
      </p>
      <Facts>
        <Fact name="From">{replaces ? titleOf(replaces) : "—"}</Fact>
        <Fact name="To">{algorithm ? titleOf(algorithm) : "—"}</Fact>
        <Fact name="Kind">{deployment.kind ?? "—"}</Fact>
        <Fact name="Strategy">{deployment.strategy ?? "—"}</Fact>
        <Fact name="By">{deployment.by ?? "—"}</Fact>
        <Fact name="Began">
          <Instant at={began} />
        </Fact>
        <Fact name={isOpen(status) ? "Moved" : "Ended"}>
          <Instant at={moved} />
        </Fact>
        <Fact name="Took">{began !== null && moved !== null ? span(moved - began) : "—"}</Fact>
      </Facts>
      {rollback && <RollbackView rollback={rollback} />}
      {phases.length > 0 && (
        <ol className="phase-list" aria-label="Phases">
          {phases.map((phase) => {
            const { mark, word } = phaseMarks[phase.status];
            return (
              <li key={phase.name} className={`phase-${phase.status}`}>
                <span aria-hidden="true">{mark}</span> {phaseName(phase.name)}{" "}
                <small>
                  {word}
                  {phase.duration ? ` · ${seconds(phase.duration)}` : ""}
                </small>
              </li>
            );
          })}
        </ol>
      )}
    </>
  );
}

const rows: readonly (readonly [name: string, show: (group: Figures) => string])[] = [
  ["hashes", (group) => whole(group.hashes)],
  ["shares", (group) => whole(group.shares)],
  ["accepted", (group) => whole(group.accepted)],
  ["errors", (group) => rate(group.error_rate)],
  ["rejects", (group) => rate(group.reject_rate)],
  ["median time", (group) => nanoseconds(group.median_ns)],
  ["99th percentile", (group) => nanoseconds(group.p99_ns)],
  ["traps", (group) => whole(group.traps)],
  ["blocks", (group) => whole(group.blocks)],
];

function Comparison({ deployment: { health } }: { deployment: Deployment }) {
  const { control = null, candidate = null } = health ?? {};
  if (control === null && candidate === null)
    return (
      <Empty title="NOT_KEPT">
        Control group and candidate are compared while a roll-out is under way; afterwards its steps say what was found.
      </Empty>
    );
  return (
    <table className="comparison">
      <caption className="visually-hidden">Control group and candidate</caption>
      <thead>
        <tr>
          <th scope="col">
            <span className="visually-hidden">figure</span>
          </th>
          <th scope="col">CONTROL</th>
          <th scope="col">CANDIDATE</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(([name, show]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{control ? show(control) : "—"}</td>
            <td>{candidate ? show(candidate) : "—"}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** What the trail of the whole pool has about this one: its orders, and the one that began it. */
async function about(account: Account, id: string): Promise<Outcome<Line[]>> {
  const [orders, begun] = await Promise.all([
    account.api.audit({ actor: "", action: "POST /api/deployments" }, null),
    account.api.audit({ actor: "", action: "POST /api/algorithms/deploy" }, null),
  ]);
  if (!orders.ok) return orders;
  if (!begun.ok) return begun;
  const mine = orders.value.items.filter(({ subject }) => subject.startsWith(`/api/deployments/${id}/`));
  const first = begun.value.items.filter(({ after }) => {
    const named = typeof after === "object" && after !== null ? (after as Record<string, unknown>).deployment_id : null;
    return String(named) === id;
  });
  return { ok: true, value: [...mine, ...first] };
}

function Audit({ account, id }: { account: Account; id: string }) {
  const { value, failure } = usePolled(
    useCallback(() => about(account, id), [account, id]),
    10_000,
  );
  if (value === null) return failure ? <FailureCard failure={failure} /> : <Loading what="the trail" />;
  if (value.length === 0)
    return <Empty title="NOBODY_STEERED_IT">The newest lines of the audit trail hold nothing about it.</Empty>;
  return (
    <ol className="trail" data-testid="deployment-audit">
      {value.map((line) => (
        <li key={line.id}>
          <span className="trail-when">
            <Instant at={parseTime(line.at)} />
          </span>
          <strong>{line.actor}</strong>{" "}
          {line.action.replace("{id}", id).replace("{action}", line.subject.split("/").at(-1) ?? "")}{" "}
          <span className="tag">{line.outcome.toUpperCase()}</span>
        </li>
      ))}
    </ol>
  );
}
