import { useEffect, useState } from "react";
import { localTime, parseTime, span, utcTime } from "../format/time";
import { Copy } from "../ui/Copy";
import { Empty, Loading } from "../ui/Panel";
import type { Outcome } from "./api";
import { FailureCard } from "./FailureCard";
import type { Failure } from "./failure";
import { causes, isOpen, phaseName, titleOf } from "./rollout";
import type { Deployment, Rollback, Step } from "./schema";

export const outcomes: Record<string, { mark: string; tone: string }> = {
  completed: { mark: "✓", tone: "good" },
  running: { mark: "▶", tone: "blue" },
  scheduled: { mark: "◷", tone: "blue" },
  paused: { mark: "‖", tone: "warning" },
  rolled_back: { mark: "↩", tone: "bad" },
  pending: { mark: "○", tone: "blue" },
};

interface HistoryProps {
  deployments: readonly Deployment[];
  /** One with its trail. */
  load: (id: string) => Promise<Outcome<Deployment>>;
}

/** Every deployment, newest first; one opens to its steps, with who or what caused each. */
export function History({ deployments, load }: HistoryProps) {
  const [open, setOpen] = useState<string | null>(null);
  if (deployments.length === 0) {
    return <Empty title="NO_DEPLOYMENTS">Each deployment is listed here with its steps and the reason for each.</Empty>;
  }
  return (
    <ul className="history">
      {deployments.map((one) => (
        <Entry
          key={one.deployment_id}
          deployment={one}
          load={load}
          open={open === one.deployment_id}
          onToggle={() => setOpen(open === one.deployment_id ? null : one.deployment_id)}
        />
      ))}
    </ul>
  );
}

interface EntryProps {
  deployment: Deployment;
  load: HistoryProps["load"];
  open: boolean;
  onToggle: () => void;
}

function Entry({ deployment, load, open, onToggle }: EntryProps) {
  const { status, algorithm, replaces, rollback } = deployment;
  const { mark, tone } = outcomes[status] ?? { mark: "•", tone: "blue" };
  const began = parseTime(deployment.created_at);
  const ended = isOpen(status) ? null : parseTime(deployment.updated_at);
  return (
    <li className={`deployment deployment-${tone}`}>
      <button type="button" className="deployment-head" aria-expanded={open} onClick={onToggle}>
        <span className="deployment-mark" aria-hidden="true">
          {mark}
        </span>
        <span className="deployment-what">
          {replaces ? titleOf(replaces) : "?"} <span aria-hidden="true">→</span>{" "}
          <strong>{algorithm ? titleOf(algorithm) : "?"}</strong>
        </span>
        <span className="deployment-status">{status.replaceAll("_", " ").toUpperCase()}</span>
        <span className="deployment-when">
          {began !== null && <time title={utcTime(began)}>{localTime(began)}</time>}
          {began !== null && ended !== null && ` · took ${span(ended - began)}`}
        </span>
        <span className="deployment-open" aria-hidden="true">
          {open ? "▾" : "▸"}
        </span>
      </button>
      {rollback && <RollbackView rollback={rollback} />}
      {open && <Trail deployment={deployment} load={load} />}
    </li>
  );
}

/** The steps of one, asked for when it is opened and again when it moved. */
function Trail({ deployment, load }: Pick<EntryProps, "deployment" | "load">) {
  const { deployment_id: id, updated_at: moved } = deployment;
  const [steps, setSteps] = useState<readonly Step[] | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a deployment that moved has new steps
  useEffect(() => {
    let gone = false;
    void load(id).then((outcome) => {
      if (gone) return;
      if (outcome.ok) setSteps(outcome.value.trail ?? []);
      setFailure(outcome.ok ? null : outcome.failure);
    });
    return () => {
      gone = true;
    };
  }, [id, moved, load]);
  const words = [`deployment ${id}`, deployment.kind, deployment.strategy, deployment.by && `by ${deployment.by}`];
  return (
    <div className="deployment-body">
      <p className="note">{words.filter(Boolean).join(" · ")}</p>
      {failure && <FailureCard failure={failure} />}
      {steps === null && failure === null && <Loading what="steps" />}
      {steps?.length === 0 && <p className="note">The pool tells no steps of it.</p>}
      {steps && steps.length > 0 && <Steps steps={steps} />}
    </div>
  );
}

export function Steps({ steps }: { steps: readonly Step[] }) {
  return (
    <ol className="steps">
      {steps.map((step, index) => {
        const at = parseTime(step.at);
        return (
          // biome-ignore lint/suspicious/noArrayIndexKey: steps have no name of their own, and are only ever appended
          <li key={index} className="step">
            {at === null ? <span>—</span> : <time title={utcTime(at)}>{localTime(at)}</time>}
            <span className="step-what">
              <strong>{phaseName(step.stage ?? "step")}</strong>
              {step.action && ` ${step.action.replaceAll("_", " ")}`}
              {step.traffic_split !== null && ` · ${step.traffic_split}%`}
              {step.by && <span className="step-actor"> by {step.by}</span>}
            </span>
            {step.detail && <p className="reason">{step.detail}</p>}
          </li>
        );
      })}
    </ol>
  );
}

/** Why it went back; for a wrong hash, the input that proves it, to hand to the author. */
export function RollbackView({ rollback }: { rollback: Rollback }) {
  const cause = rollback.cause && (causes[rollback.cause] ?? rollback.cause);
  // The detail of a wrong hash is its input, which has a place of its own.
  const proven = rollback.cause === "hash_differs";
  const input = rollback.input ?? (proven ? rollback.detail : null);
  const detail = proven ? null : rollback.detail;
  const proof = [
    ["input", input],
    ["expected", rollback.expected],
    ["got", rollback.got],
  ] as const;
  return (
    <div className="reason">
      {cause && <p>Rolled back: {cause}.</p>}
      {detail && <p>{detail}</p>}
      {input && (
        <dl className="proof">
          {proof.map(
            ([name, hex]) =>
              hex && (
                <div key={name}>
                  <dt>{name}</dt>
                  <dd>
                    <code>{hex}</code>
                    <Copy text={hex} what={`the ${name}`} />
                  </dd>
                </div>
              ),
          )}
        </dl>
      )}
    </div>
  );
}
