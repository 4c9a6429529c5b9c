import { type FormEvent, type ReactNode, useId, useMemo, useState } from "react";
import { utcTime } from "../format/time";
import { useNow } from "../ui/clock";
import { Dialog } from "../ui/Dialog";
import type { DeployConfig, Level, Outcome, Strategy } from "./api";
import { checkForm, type DeployForm, type FormProblems, initialForm } from "./config";
import { FailureCard } from "./FailureCard";
import type { Failure } from "./failure";
import { PlanView, Timeline } from "./PlanView";
import { titleOf } from "./rollout";
import type { Deployed, Plan, Staged } from "./schema";

const strategies: readonly (readonly [Strategy, string, string])[] = [
  ["gradual", "GRADUAL", "Shadow first, then ever more sessions. Goes back by itself when something is found."],
  ["immediate", "IMMEDIATE", "All sessions at once. For fixes that can't wait."],
  ["scheduled", "SCHEDULED", "Gradual, but begins at a time that you choose."],
];

const isolations: readonly (readonly [Level, string])[] = [
  ["wasm", "wasm — a sandbox; the package's wasm module"],
  ["process", "process — native code in a confined child process"],
  ["in-process", "in-process — native code inside the pool; nothing can contain it"],
];

interface DialogProps {
  staged: Staged;
  plan: Plan | null;
  /** The algorithm's name, if its manifest says `rollback_supported: false`. */
  irreversible: string | null;
  onDeploy: (config: DeployConfig) => Promise<Outcome<Deployed>>;
  onClose: () => void;
}

/** How to deploy: strategy, durations, time; what will happen is shown while it is chosen. */
export function DeployDialog({ staged, plan, irreversible, onDeploy, onClose }: DialogProps) {
  const now = useNow();
  const [form, setForm] = useState<DeployForm>(() => initialForm(plan, Date.now()));
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const checked = useMemo(
    () => checkForm(form, now, irreversible, plan, staged.digest),
    [form, now, irreversible, plan, staged.digest],
  );
  const change = (part: Partial<DeployForm>) => setForm((before) => ({ ...before, ...part }));
  const problems: FormProblems = tried ? checked.problems : {};
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (!checked.config || busy) return;
    setBusy(true);
    setFailure(null);
    const outcome = await onDeploy(checked.config);
    if (outcome.ok) return;
    setBusy(false);
    setFailure(outcome.failure);
  };
  return (
    <Dialog title={`DEPLOY ${titleOf(staged)}`} onClose={onClose} busy={busy} wide>
      <form className="form" onSubmit={submit} noValidate>
        <Strategies value={form.strategy} onChange={(strategy) => change({ strategy })} />
        {form.strategy === "scheduled" && (
          <StartTime at={form.at} problem={problems.at} onChange={(at) => change({ at })} />
        )}
        {form.strategy !== "immediate" && (
          <div className="form-row">
            <Field label="Shadow, seconds" problem={problems.shadow} hint="copies of shares, nobody is moved">
              {(props) => (
                <input
                  {...props}
                  inputMode="numeric"
                  value={form.shadow}
                  onChange={(event) => change({ shadow: event.target.value })}
                />
              )}
            </Field>
            <Field label="Each phase, seconds" problem={problems.phase} hint="time to find fault before the next step">
              {(props) => (
                <input
                  {...props}
                  inputMode="numeric"
                  value={form.phase}
                  onChange={(event) => change({ phase: event.target.value })}
                />
              )}
            </Field>
            <Field label="Phases, % of sessions" problem={problems.phases} hint="rising, the last one 100">
              {(props) => (
                <input {...props} value={form.phases} onChange={(event) => change({ phases: event.target.value })} />
              )}
            </Field>
          </div>
        )}
        <Field
          label="Isolation"
          problem={undefined}
          hint="how far the pool is kept from the code; native levels need a key that is trusted for native code"
        >
          {(props) => (
            <select
              {...props}
              value={form.isolation}
              onChange={(event) => change({ isolation: event.target.value as Level })}
            >
              {isolations.map(([level, text]) => (
                <option key={level} value={level}>
                  {text}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Tick checked={form.rollbackOnError} onChange={(rollbackOnError) => change({ rollbackOnError })}>
          Roll back by itself when a health check fails <code>rollback_on_error</code>
        </Tick>
        {plan && plan.channels.length > 0 && (
          <fieldset className="ticks">
            <legend>Who is told of each step</legend>
            {plan.channels.map((name) => (
              <Tick
                key={name}
                checked={form.notify.includes(name)}
                onChange={(told) =>
                  change({ notify: [...form.notify.filter((one) => one !== name), ...(told ? [name] : [])] })
                }
              >
                {name}
              </Tick>
            ))}
          </fieldset>
        )}
        <h3 className="sub">WHAT_WILL_HAPPEN</h3>
        {plan && <PlanView plan={plan} />}
        <Timeline steps={checked.timeline} />
        {plan && plan.needs_override !== null && (
          <div className="no-way-back">
            <Tick
              checked={form.overridden}
              onChange={(overridden) => change({ overridden })}
              problem={problems.overridden}
            >
              <strong>
                Its author lets {staged.name} replace only {plan.needs_override} <code>migration.from_algorithms</code>.
              </strong>{" "}
              I deploy it all the same; the trail keeps that <code>override_migration_from</code>.
            </Tick>
          </div>
        )}
        {irreversible !== null && (
          <div className="no-way-back">
            <Tick checked={form.confirmed} onChange={(confirmed) => change({ confirmed })} problem={problems.confirmed}>
              <strong>
                {irreversible} declares <code>rollback_supported: false</code>.
              </strong>{" "}
              Once miners are on it, there may be no way back to the present algorithm. I deploy it all the same.
            </Tick>
          </div>
        )}
        {failure && <FailureCard failure={failure} />}
        <div className="form-actions">
          <button type="button" className="button button-quiet" disabled={busy} onClick={onClose}>
            CANCEL
          </button>
          <button type="submit" className="button button-big" disabled={busy}>
            {busy ? "STARTING…" : form.strategy === "scheduled" ? "SCHEDULE" : "DEPLOY NOW"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function Strategies({ value, onChange }: { value: Strategy; onChange: (strategy: Strategy) => void }) {
  const name = useId();
  return (
    <fieldset className="choices">
      <legend>Strategy</legend>
      {strategies.map(([key, label, text]) => (
        <label key={key} className="choice" data-chosen={key === value}>
          <input type="radio" name={name} value={key} checked={key === value} onChange={() => onChange(key)} />
          <span className="choice-name">{label}</span>
          <span className="choice-text">{text}</span>
        </label>
      ))}
    </fieldset>
  );
}

interface StartProps {
  at: string;
  problem: string | undefined;
  onChange: (at: string) => void;
}

function StartTime({ at, problem, onChange }: StartProps) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const time = Date.parse(at);
  return (
    <Field label={`Begins at (${zone})`} problem={problem} hint={Number.isNaN(time) ? "" : `that is ${utcTime(time)}`}>
      {(props) => (
        <input {...props} type="datetime-local" value={at} onChange={(event) => onChange(event.target.value)} />
      )}
    </Field>
  );
}

interface InputProps {
  id: string;
  className: string;
  "aria-invalid": boolean;
  "aria-describedby": string;
}

interface FieldProps {
  label: string;
  hint: string;
  problem: string | undefined;
  children: (props: InputProps) => ReactNode;
}

function Field({ label, hint, problem, children }: FieldProps) {
  const id = useId();
  const input = { id, className: "input", "aria-invalid": problem !== undefined, "aria-describedby": `${id}-hint` };
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children(input)}
      <p className={problem ? "field-problem" : "field-hint"} id={`${id}-hint`}>
        {problem ?? hint}
      </p>
    </div>
  );
}

interface TickProps {
  checked: boolean;
  onChange: (checked: boolean) => void;
  problem?: string | undefined;
  children: ReactNode;
}

function Tick({ checked, onChange, problem, children }: TickProps) {
  return (
    <div className="field">
      <label className="tick">
        <input type="checkbox" checked={checked} onChange={(event) => onChange(event.target.checked)} />
        <span>{children}</span>
      </label>
      {problem && <p className="field-problem">{problem}</p>}
    </div>
  );
}
