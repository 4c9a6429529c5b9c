import type { Deployment, Figures, Health, Phase, Status } from "./schema";

/** A roll-out as it is shown: from the deployment where the pool tells it, else from `migration_state` alone. */
export interface Rollout {
  id: string | null;
  status: string;
  phase: string;
  progress: number;
  /** The candidate's part of the sessions, in percent. */
  traffic: number;
  phases: readonly Phase[];
  health: Health;
  healthReason: string | null;
  kind: string | null;
  strategy: string | null;
  from: string | null;
  to: string | null;
  /** When it begins, if that was scheduled. */
  at: string | null;
  createdAt: string | null;
  updatedAt: string | null;
  control: Figures | null;
  candidate: Figures | null;
}

const open = new Set(["pending", "scheduled", "running", "paused"]);

export function isOpen(status: string): boolean {
  return open.has(status);
}

function fromDeployment(deployment: Deployment): Rollout {
  const { algorithm, replaces, health } = deployment;
  return {
    id: deployment.deployment_id,
    status: deployment.status,
    phase: deployment.phase,
    progress: deployment.progress,
    traffic: deployment.traffic_split,
    phases: deployment.phases,
    health: health?.status ?? "unknown",
    healthReason: health?.reason ?? null,
    kind: deployment.kind,
    strategy: deployment.strategy,
    from: replaces && titleOf(replaces),
    to: algorithm && titleOf(algorithm),
    at: deployment.at,
    createdAt: deployment.created_at,
    updatedAt: deployment.updated_at,
    control: health?.control ?? null,
    candidate: health?.candidate ?? null,
  };
}

const unknown = {
  kind: null,
  strategy: null,
  from: null,
  to: null,
  at: null,
  createdAt: null,
  updatedAt: null,
  control: null,
  candidate: null,
};

/** The roll-out under way, or the last one; null if there was none. */
export function rolloutOf({ deployment, migration_state: state }: Status): Rollout | null {
  if (deployment) return fromDeployment(deployment);
  if (!state) return null;
  return {
    ...unknown,
    id: state.deployment_id,
    status: state.status ?? "running",
    phase: state.phase,
    progress: state.progress,
    traffic: state.traffic_split,
    phases: state.phases,
    health: state.health,
    healthReason: state.health_reason,
  };
}

/** The roll-out that is under way, paused or scheduled. */
export function underWay(status: Status): Rollout | null {
  const rollout = rolloutOf(status);
  return rollout && isOpen(rollout.status) ? rollout : null;
}

/** What a message of the feed says in a line. */
export function newsOf(deployment: Deployment): { text: string; severity: "info" | "warning" | "error" } {
  const { deployment_id, algorithm, status, phase, health, rollback } = deployment;
  const name = `Deployment ${deployment_id}${algorithm ? ` of ${titleOf(algorithm)}` : ""}`;
  const why = rollback?.cause ? `: ${causes[rollback.cause] ?? rollback.cause}` : "";
  if (status === "rolled_back") {
    const severity = rollback?.cause === "requested" ? "warning" : "error";
    return { text: `${name} was rolled back${why}`, severity };
  }
  if (status === "completed") return { text: `${name} is complete`, severity: "info" };
  const worse = health?.status === "degraded" || health?.status === "unhealthy";
  if (worse) return { text: `${name} is ${health.status}: ${health.reason ?? phase}`, severity: "warning" };
  return { text: `${name}: ${status === "running" ? phase : status}`, severity: "info" };
}

export const causes: Record<string, string> = {
  hash_differs: "old and new code gave different hashes for one input, so the candidate is wrong",
  warm_up_failed: "it did not pass its own vectors or its benchmark",
  unhealthy: "it did worse than the control group",
  slot_failed: "it crashed, hung or trapped",
  requested: "an operator asked for it",
};

/** `blake3 1.0.0` */
export function titleOf(one: { name: string; version: string | null }): string {
  return one.version === null ? one.name : `${one.name} ${one.version}`;
}

/** One instant of control group and candidate. */
export interface ComparePoint {
  /** Milliseconds since the epoch. */
  at: number;
  control: Figures | null;
  candidate: Figures | null;
}

const pointsMax = 1_800;

export function pointOf(rollout: Rollout | null, now: number): ComparePoint | null {
  if (!rollout || (rollout.control === null && rollout.candidate === null)) return null;
  return { at: now, control: rollout.control, candidate: rollout.candidate };
}

export function extend(points: readonly ComparePoint[], point: ComparePoint): readonly ComparePoint[] {
  const last = points.at(-1);
  // The feed and the poll may bring the same second.
  if (last && point.at - last.at < 500) return points;
  return [...points.slice(1 - pointsMax), point];
}

/** Phases in capitals, as the theme writes names; a canary's percentage alone would be read as progress. */
export function phaseName(name: string): string {
  const word = name
    .trim()
    .replace(/[\s-]+/g, "_")
    .toUpperCase();
  return /^[\d.]+%$/.test(word) ? `CANARY_${word}` : word;
}

/** Seconds as `1 h 5 m`. */
export function seconds(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return "—";
  const whole = Math.max(0, Math.round(value));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const parts = [hours && `${hours} h`, minutes && `${minutes} m`, rest && `${rest} s`].filter(Boolean);
  return parts.length > 0 ? parts.join(" ") : "0 s";
}

/** Nanoseconds in the unit that leaves a readable number. */
export function nanoseconds(value: number | null): string {
  if (value === null) return "—";
  if (value < 1_000) return `${Math.round(value)} ns`;
  if (value < 1_000_000) return `${(value / 1_000).toFixed(value < 10_000 ? 2 : 1)} µs`;
  return `${(value / 1_000_000).toFixed(1)} ms`;
}

/** A part of 1 in percent, small ones with enough places to tell them from none. */
export function rate(value: number | null): string {
  if (value === null) return "—";
  const percent = value * 100;
  if (percent === 0) return "0%";
  return percent < 0.1 ? `${percent.toPrecision(2)}%` : `${percent.toFixed(percent < 10 ? 2 : 1)}%`;
}

export const phaseMarks: Record<Phase["status"], { mark: string; word: string }> = {
  pending: { mark: "○", word: "pending" },
  active: { mark: "▶", word: "active" },
  completed: { mark: "✓", word: "completed" },
  failed: { mark: "✕", word: "failed" },
  rolled_back: { mark: "↩", word: "rolled back" },
};
