/**
 * Shapes of the routes below `/api/algorithms` and `/api/deployments`, as the page reads them.
 *
 * As in `feed/schema.ts`, what a view can do without may be missing: it shows a dash, not an error.
 */
import { z } from "../feed/z";

const text = z.string().nullish().default(null);
const number = z.number().nullish().default(null);
const flag = z.boolean().nullish().default(null);
const count = z
  .number()
  .nonnegative()
  .nullish()
  .transform((value) => value ?? 0);
const texts = z
  .array(z.string())
  .nullish()
  .transform((list) => list ?? []);

export const healths = ["healthy", "degraded", "unhealthy", "unknown"] as const;
export type Health = (typeof healths)[number];
const health = z.enum(healths).catch("unknown").default("unknown");

/** One algorithm in one version. */
const named = z
  .object({
    algorithm_id: text,
    name: z.string(),
    version: text,
    /** Of the manifest: the same function is an upgrade, another one a migration. */
    hash_function: text,
    /** `package` or `linked_in`. */
    source: text,
    digest: text,
  })
  .transform((one) => ({
    ...one,
    algorithm_id: one.algorithm_id ?? [one.name, one.version].filter(Boolean).join("_"),
  }));
export type Named = z.infer<typeof named>;

export const severities = ["info", "warning", "error", "critical"] as const;
export type Severity = (typeof severities)[number];

/** One check of staging. What is only worth a warning passes. */
export const check = z.object({
  check: z.string(),
  ok: z.boolean(),
  severity: z.enum(severities).catch("error").default("info"),
  code: text,
  message: z.string().default(""),
});
export type Check = z.infer<typeof check>;

const benchmark = z.object({
  /** Hashes per second on the pool's machine. */
  hashrate: number,
  /** What the manifest promises; 0 or null where it promises nothing. */
  expected: number,
  /** Measured by expected; below 0.8 is a warning. */
  performance_score: number,
});
export type Benchmark = z.infer<typeof benchmark>;

const report = {
  validation_results: z.array(check).nullish().default(null),
  benchmark_results: benchmark.nullish().default(null),
  warnings: texts,
  next_steps: texts,
};

/** `POST /api/algorithms/stage`. */
export const stageReport = z.object({ algorithm_id: z.string(), status: text, ...report });
export type StageReport = z.infer<typeof stageReport>;

const staged = z.intersection(
  named,
  z.object({
    ...report,
    /** The algorithms that it may replace; null for any. */
    migration_from: z.array(z.string()).nullish().default(null),
    rollback_supported: flag,
  }),
);
export type Staged = z.infer<typeof staged>;

export const phaseStatuses = ["pending", "active", "completed", "failed", "rolled_back"] as const;
const phase = z.object({
  name: z.string(),
  status: z.enum(phaseStatuses).catch("pending"),
  /** Seconds; 0 for as long as it takes. */
  duration: number,
});
export type Phase = z.infer<typeof phase>;

const figures = z
  .object({
    shares: count,
    accepted: count,
    low_difficulty: count,
    hashes: count,
    compared: count,
    errors: count,
    traps: count,
    blocks: count,
    /** Time per hash. */
    median_ns: number,
    p99_ns: number,
  })
  .transform((seen) => ({
    ...seen,
    /** Parts of 1; null of nothing. */
    error_rate: seen.hashes > 0 ? seen.errors / seen.hashes : null,
    reject_rate: seen.shares > 0 ? seen.low_difficulty / seen.shares : null,
  }));
export type Figures = z.infer<typeof figures>;

/** The candidate's part of the sessions, in percent. */
const traffic = z.number().min(0).max(100).catch(0).default(0);
/** Percent. */
const progress = z.number().catch(0).default(0);

/** `migration_state` of the contract: the roll-out under way, or the last one. */
const migrationState = z.object({
  deployment_id: text,
  status: text,
  phase: z.string(),
  progress,
  traffic_split: traffic,
  phases: z.array(phase).default([]),
  health,
  health_reason: text,
});
export type MigrationState = z.infer<typeof migrationState>;

/** Why a roll-out went back; for a wrong hash, what proves it. */
const rollback = z.object({
  /** warm_up_failed, hash_differs, unhealthy, slot_failed, requested. */
  cause: text,
  detail: text,
  /** Hexadecimal. */
  input: text,
  expected: text,
  got: text,
});
export type Rollback = z.infer<typeof rollback>;

const step = z.object({
  at: text,
  action: text,
  stage: text,
  traffic_split: number,
  by: text,
  detail: z
    .unknown()
    .nullish()
    .transform((value) => (typeof value === "string" && value !== "" ? value : null)),
});
export type Step = z.infer<typeof step>;

/** One of `GET /api/deployments`, and the feed's `deployment`; `trail` only by its own route. */
export const deployment = z.object({
  deployment_id: z.union([z.string(), z.number()]).transform(String),
  /** pending, scheduled, running, paused, completed, rolled_back. */
  status: z.string(),
  kind: text,
  strategy: text,
  algorithm: named.nullish().default(null),
  replaces: named.nullish().default(null),
  phase: z.string().default(""),
  progress,
  traffic_split: traffic,
  phases: z.array(phase).default([]),
  health: z
    .object({
      status: health,
      reason: text,
      candidate: figures.nullish().default(null),
      control: figures.nullish().default(null),
    })
    .nullish()
    .catch(null)
    .default(null),
  rollback: rollback.nullish().catch(null).default(null),
  at: text,
  created_at: text,
  updated_at: text,
  by: text,
  trail: z.array(step).nullish().default(null),
});
export type Deployment = z.infer<typeof deployment>;

const slot = z.object({
  slot: number,
  generation: number,
  algorithm: named.nullish().default(null),
  life: text,
  traffic_split: traffic,
  in_flight: count,
  figures: figures.nullish().default(null),
});
export type Slot = z.infer<typeof slot>;

const slots = z
  .array(slot)
  .nullish()
  .catch(null)
  .transform((list) => list ?? []);

/** `GET /api/algorithms/status`; public. */
export const status = z.object({
  active_algorithm: named.nullish().default(null),
  staged_algorithm: staged.nullish().default(null),
  migration_state: migrationState.nullish().default(null),
  /** What `migration_state` is about, in full. */
  deployment: deployment.nullish().catch(null).default(null),
  health,
  health_reason: text,
  performance_metrics: z.object({ slots }).nullish().catch(null).default(null),
});
export type Status = z.infer<typeof status>;

/** `GET /api/algorithms`. */
export const overview = z.object({
  slots,
  /** Whether the pool has a place for packages. */
  can_stage: z
    .boolean()
    .nullish()
    .transform((can) => can ?? true),
});
export type Overview = z.infer<typeof overview>;

/** `GET /api/algorithms/plan`. */
export const plan = z.object({
  kind: text,
  from: named.nullish().default(null),
  to: named.nullish().default(null),
  strategy: text,
  phases: z.array(z.object({ name: z.string(), duration: number, traffic_split: traffic })).default([]),
  /** Percent of the shares that are hashed twice in shadow. */
  shadow_percentage: number,
  rollback_on_error: flag,
  /** Channels of alerts that could be told of each step. */
  channels: texts,
  /** wasm, process or in-process. */
  isolation: text,
  /** Seconds. */
  estimated_duration: number,
  /** The manifest says `rollback_supported: false`. */
  needs_confirmation: flag,
  /** What its author lets it replace, where that does not include the algorithm in force. */
  needs_override: text,
  /** Why the pool would refuse. */
  obstacles: texts,
  warnings: texts,
});
export type Plan = z.infer<typeof plan>;

/** `POST /api/algorithms/deploy`, 202. */
export const deployed = z.object({
  deployment_id: z.union([z.string(), z.number()]).transform(String),
  status: text,
  estimated_duration: number,
  monitoring_url: text,
});
export type Deployed = z.infer<typeof deployed>;

/** `GET /api/auth/me`, where the pool has users. */
export const me = z.object({ username: text, role: text });
export type Me = z.infer<typeof me>;
