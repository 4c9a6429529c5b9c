import { type DeployConfig, type Level, levels, type Strategy } from "./api";
import type { Plan, Staged } from "./schema";

/** What the dialog's fields hold: text, as typed. */
export interface DeployForm {
  strategy: Strategy;
  shadow: string;
  phase: string;
  phases: string;
  /** `datetime-local`, in the viewer's zone. */
  at: string;
  rollbackOnError: boolean;
  isolation: Level;
  /** Channels that are told of each step. */
  notify: readonly string[];
  confirmed: boolean;
  overridden: boolean;
}

const strategies: readonly string[] = ["immediate", "gradual", "scheduled"];
export const defaults = { shadow: 300, phase: 600, phases: [5, 10, 25, 50, 75, 100] } as const;
const dayS = 86_400;

/** Prefilled by the pool's plan, else by the usual values. */
export function initialForm(plan: Plan | null, now: number): DeployForm {
  const wish = plan?.strategy ?? "gradual";
  const shadow = plan?.phases.find(({ name }) => name === "shadow")?.duration;
  const steps = plan?.phases.filter(({ name, traffic_split }) => traffic_split > 0 && name !== "draining") ?? [];
  // The plan of an immediate deployment has one step and no times: nothing to prefill the others with.
  const stepwise = steps.length > 1;
  return {
    strategy: strategies.includes(wish) ? (wish as Strategy) : "gradual",
    shadow: String((stepwise && shadow) || defaults.shadow),
    phase: String((stepwise && steps[0]?.duration) || defaults.phase),
    phases: (stepwise ? steps.map((step) => step.traffic_split) : defaults.phases).join(", "),
    at: localInput(now + 3_600_000),
    rollbackOnError: plan?.rollback_on_error ?? true,
    isolation: plannedLevel(plan) ?? "wasm",
    notify: [],
    confirmed: false,
    overridden: false,
  };
}

/** The level that the pool would choose; null if it does not say. */
function plannedLevel(plan: Plan | null): Level | null {
  return levels.find((level) => level === plan?.isolation) ?? null;
}

/** Milliseconds since the epoch as a `datetime-local` field wants them: local, to the minute. */
export function localInput(at: number): string {
  const date = new Date(at);
  const two = (value: number) => String(value).padStart(2, "0");
  const day = [String(date.getFullYear()), two(date.getMonth() + 1), two(date.getDate())].join("-");
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}`;
}

function duration(text: string): number | null {
  const value = /^\d{1,6}$/.test(text.trim()) ? Number(text) : Number.NaN;
  return value >= 1 && value <= dayS ? value : null;
}

/** Percents, rising to 100; null if they are not. */
export function parsePhases(text: string): number[] | null {
  const parts = text.split(/[\s,]+/).filter((part) => part !== "");
  const steps = parts.map((part) => (/^\d{1,3}(\.\d{1,2})?%?$/.test(part) ? Number.parseFloat(part) : Number.NaN));
  const rising = steps.every((step, index) => step > (steps[index - 1] ?? 0));
  return rising && steps.at(-1) === 100 && steps.length <= 32 ? steps : null;
}

export type FormProblems = Partial<Record<"shadow" | "phase" | "phases" | "at" | "confirmed" | "overridden", string>>;

export interface Checked {
  problems: FormProblems;
  /** Null while there are problems. */
  config: DeployConfig | null;
  /** What will happen, in order; seconds each. */
  timeline: { name: string; duration: number; traffic: number }[];
}

/**
 * Reads the form. `irreversible` is the name of an algorithm that says it can't be rolled back, `digest` that of the package
 * which the operator looks at.
 */
export function checkForm(
  form: DeployForm,
  now: number,
  irreversible: string | null,
  plan: Plan | null = null,
  digest: string | null = null,
): Checked {
  const problems: FormProblems = {};
  const stepwise = form.strategy !== "immediate";
  const [shadow, phase, phases] = [duration(form.shadow), duration(form.phase), parsePhases(form.phases)];
  if (stepwise && shadow === null) problems.shadow = `Whole seconds, 1 to ${dayS}.`;
  if (stepwise && phase === null) problems.phase = `Whole seconds, 1 to ${dayS}.`;
  if (stepwise && phases === null) problems.phases = "Rising percentages, the last one 100, such as 5, 25, 100.";
  const at = Date.parse(form.at);
  if (form.strategy === "scheduled") {
    if (Number.isNaN(at)) problems.at = "Choose a day and a time.";
    else if (at <= now) problems.at = "This time has passed.";
  }
  if (irreversible !== null && !form.confirmed) problems.confirmed = "Confirm that there is no way back.";
  const override = plan !== null && plan.needs_override !== null;
  if (override && !form.overridden) problems.overridden = "Confirm that it may replace this algorithm all the same.";
  const config: DeployConfig = { strategy: form.strategy, rollback_on_error: form.rollbackOnError };
  if (stepwise && shadow !== null && phase !== null && phases !== null) {
    Object.assign(config, { shadow_duration: shadow, phase_duration: phase, phases });
  }
  if (form.strategy === "scheduled" && !Number.isNaN(at)) config.at = new Date(at).toISOString();
  if (irreversible !== null) config.confirm = irreversible;
  if (override) config.override_migration_from = true;
  if (digest !== null) config.digest = digest;
  if (form.notify.length > 0) config.notification_channels = [...form.notify];
  if (form.isolation !== (plannedLevel(plan) ?? "wasm")) config.isolation = form.isolation;
  return {
    problems,
    config: Object.keys(problems).length === 0 ? config : null,
    timeline: timelineOf(stepwise, shadow, phase, phases),
  };
}

function timelineOf(stepwise: boolean, shadow: number | null, phase: number | null, phases: number[] | null) {
  if (!stepwise) return [{ name: "all at once", duration: 0, traffic: 100 }];
  const steps = (phases ?? []).map((traffic) => ({ name: `${traffic}%`, duration: phase ?? 0, traffic }));
  return [{ name: "shadow", duration: shadow ?? 0, traffic: 0 }, ...steps];
}

/** The algorithm's name, if its manifest says that there is no way back. */
export function irreversibleName(plan: Plan | null, staged: Staged): string | null {
  const warned = plan?.needs_confirmation === true || staged.rollback_supported === false;
  return warned ? staged.name : null;
}
