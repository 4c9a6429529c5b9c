import { useId, useState } from "react";
import { parseTime, span } from "../format/time";
import { Dialog } from "../ui/Dialog";
import { Ago, Instant } from "../ui/Time";
import { useNotify } from "../ui/Toasts";
import type { DeploymentAction, Outcome } from "./api";
import { healthTones } from "./Cards";
import { FailureCard } from "./FailureCard";
import type { Failure } from "./failure";
import { phaseMarks, phaseName, type Rollout, seconds } from "./rollout";
import type { Phase } from "./schema";

interface MigrationProps {
  rollout: Rollout;
  /** Why it can't be steered from here, or null. */
  barred: string | null;
  /** By the pool's clock. */
  now: number;
  onAct: (id: string, action: DeploymentAction) => Promise<Outcome<unknown>>;
}

/** The roll-out under way: where it is, who is served by what, and the levers. */
export function MigrationPanel({ rollout, barred, now, onAct }: MigrationProps) {
  const { phase, progress, phases, traffic, health, kind, strategy, from, to, status } = rollout;
  const started = parseTime(rollout.createdAt);
  const moved = parseTime(rollout.updatedAt);
  const begins = parseTime(rollout.at);
  const paused = status === "paused";
  const done = Math.max(0, Math.min(100, progress));
  return (
    <div className="migration">
      <p className="migration-what">
        <span className="tag tag-blue">{(kind ?? "deployment").toUpperCase()}</span>
        {strategy && <span className="tag">{strategy}</span>}
        {(from || to) && (
          <span className="migration-names">
            {from ?? "?"} <span aria-hidden="true">→</span>
            <span className="visually-hidden">to</span> <strong>{to ?? "?"}</strong>
          </span>
        )}
        <span className="migration-since">
          {rollout.id && `deployment ${rollout.id}`}
          {started !== null && (
            <>
              {" · asked for "}
              <Ago at={started} now={now} />
            </>
          )}
        </span>
      </p>
      <div className="migration-head">
        <span className="migration-phase">{`${phaseName(phase)} · ${Math.round(done)}%`}</span>
        <span className={`health health-${healthTones[health]}`}>
          <span className="pulse" aria-hidden="true" />
          {health.toUpperCase()}
        </span>
        {rollout.healthReason && <span className="migration-reason">{rollout.healthReason}</span>}
        <span className="migration-next">
          {paused && <span className="tag tag-warning">PAUSED</span>}
          {status === "scheduled" && begins !== null && (
            <>
              begins <Instant at={begins} /> (in {span(Math.max(0, begins - now))})
            </>
          )}
          {status === "running" && moved !== null && (
            <>
              last change <Ago at={moved} now={now} />
            </>
          )}
        </span>
      </div>
      <div
        className={paused ? "progress progress-paused" : "progress progress-live"}
        role="progressbar"
        aria-label="Deployment"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(done)}
      >
        <span className="progress-fill" style={{ width: `${done}%` }} />
      </div>
      {phases.length > 0 && <Phases phases={phases} />}
      <Traffic candidate={traffic} />
      <Levers id={rollout.id} paused={paused} barred={barred} to={to} onAct={onAct} />
    </div>
  );
}

function Phases({ phases }: { phases: readonly Phase[] }) {
  return (
    <ol className="phases" aria-label="Phases">
      {phases.map((phase) => {
        const { mark, word } = phaseMarks[phase.status];
        return (
          <li
            key={phase.name}
            className={`phase phase-${phase.status}`}
            aria-current={phase.status === "active" ? "step" : undefined}
          >
            <span className="phase-mark" aria-hidden="true">
              {mark}
            </span>
            <span className="phase-name">{phaseName(phase.name)}</span>
            <span className="visually-hidden">{word}</span>
            <span className="phase-time">{phase.duration ? seconds(phase.duration) : "as it takes"}</span>
          </li>
        );
      })}
    </ol>
  );
}

function Traffic({ candidate }: { candidate: number }) {
  const split = { control: 100 - candidate, candidate };
  const percent = (value: number) => `${Number(value.toFixed(2))}%`;
  return (
    <div className="traffic">
      <div className="traffic-words">
        <span className="traffic-control">CONTROL {percent(split.control)}</span>
        <span className="traffic-candidate">CANDIDATE {percent(split.candidate)}</span>
      </div>
      <div className="traffic-bar" aria-hidden="true">
        <span className="traffic-part traffic-part-control" style={{ width: `${split.control}%` }} />
        <span className="traffic-part traffic-part-candidate" style={{ width: `${split.candidate}%` }} />
      </div>
    </div>
  );
}

interface Lever {
  action: DeploymentAction;
  label: string;
  title: string;
  text: string;
  done: string;
  danger?: boolean;
}

const levers: Record<DeploymentAction, Lever> = {
  pause: {
    action: "pause",
    label: "PAUSE",
    title: "PAUSE_DEPLOYMENT",
    text: "The deployment stays where it is: sessions keep the generation that they have, health is still watched, and it can be rolled back.",
    done: "The deployment is paused",
  },
  resume: {
    action: "resume",
    label: "RESUME",
    title: "RESUME_DEPLOYMENT",
    text: "The deployment goes on from the phase that it was paused in.",
    done: "The deployment goes on",
  },
  advance: {
    action: "advance",
    label: "ADVANCE",
    title: "ADVANCE_NOW",
    text: "The wait of this phase ends now, and more sessions are moved. What this phase could still have found is found later, with more miners on the candidate.",
    done: "The deployment went one phase on",
  },
  rollback: {
    action: "rollback",
    label: "ROLL BACK",
    title: "ROLL_BACK",
    text: "All sessions get jobs of the old generation again, at once. Shares under way are still judged and credited; nobody is disconnected. The deployment ends.",
    done: "Rolled back to the old generation",
    danger: true,
  },
};

interface LeversProps {
  id: string | null;
  paused: boolean;
  barred: string | null;
  to: string | null;
  onAct: MigrationProps["onAct"];
}

/** One click and one confirmation each. */
function Levers({ id, paused, barred, to, onAct }: LeversProps) {
  const notify = useNotify();
  const note = useId();
  const [asked, setAsked] = useState<Lever | null>(null);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const closed = barred !== null || id === null;
  const close = () => {
    setAsked(null);
    setFailure(null);
  };
  const confirm = async (lever: Lever) => {
    if (id === null) return;
    setBusy(true);
    const outcome = await onAct(id, lever.action);
    setBusy(false);
    if (!outcome.ok) {
      setFailure(outcome.failure);
      return;
    }
    close();
    notify("success", lever.done, "deployment");
  };
  const why =
    barred ??
    (id === null
      ? "The pool does not say which deployment this is."
      : paused
        ? "Resume it before it can advance; it can be rolled back as it stands."
        : null);
  const shown = [paused ? levers.resume : levers.pause, levers.advance, levers.rollback];
  return (
    <div className="levers">
      {shown.map((lever) => (
        <button
          key={lever.action}
          type="button"
          className={lever.danger ? "button button-danger" : "button button-blue"}
          disabled={closed || (paused && lever.action === "advance")}
          aria-describedby={why === null ? undefined : note}
          onClick={() => setAsked(lever)}
        >
          {lever.label}
        </button>
      ))}
      {why && (
        <p className="note" id={note}>
          {why}
        </p>
      )}
      {asked && (
        <Dialog title={asked.title} onClose={close} busy={busy}>
          <p className="dialog-text">
            {to && <strong>{to}: </strong>}
            {asked.text}
          </p>
          {failure && <FailureCard failure={failure} />}
          <div className="form-actions">
            <button type="button" className="button button-quiet" disabled={busy} onClick={close}>
              CANCEL
            </button>
            <button
              type="button"
              className={asked.danger ? "button button-big button-danger" : "button button-big"}
              disabled={busy}
              onClick={() => void confirm(asked)}
            >
              {busy ? "ASKING…" : asked.label}
            </button>
          </div>
        </Dialog>
      )}
    </div>
  );
}
