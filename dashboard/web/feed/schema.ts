/**
 * Shapes of the pool's public API, as the dashboard reads them.
 *
 * Fields that a view can do without are nullable here: a pool that does not serve them yet shows a dash, not an error.
 */
import { z } from "./z";

/** Counters that a pool may leave out when they never moved. */
const count = z.number().nonnegative().default(0);
const text = z.string().nullish().default(null);
const number = z.number().nullish().default(null);
/** The last instant that a Date can hold, in milliseconds. */
const lastInstantMs = 8.64e15;
/** RFC 3339; milliseconds since the epoch are understood too. */
const instant = z.union([
  z.string(),
  z
    .number()
    .min(0)
    .max(lastInstantMs)
    .transform((ms) => new Date(ms).toISOString()),
]);
const time = instant.nullish().default(null);
/** Integers beyond 2^53 travel as decimal strings; only used for display, never for money. */
const magnitude = z
  .union([z.number(), z.string().regex(/^\d+(\.\d+)?(e[+-]?\d+)?$/i)])
  .nullish()
  .transform((value) => (value === null || value === undefined ? null : Number(value)));
/** An amount of money in the currency's smallest unit. */
export const amount = z.string().regex(/^-?\d+$/);

export const currency = z.object({ symbol: z.string().default(""), decimals: z.number().int().min(0).max(36) });
export type Currency = z.infer<typeof currency>;

const shares = z.object({
  accepted: count,
  rejected: count,
  stale: count,
  duplicate: count,
  low_difficulty: count,
  invalid: count,
});
export type Shares = z.infer<typeof shares>;

/** A part of the pool that is away, which it goes on without. */
export const absence = z.object({
  /** store, cache or journal. */
  component: z.string(),
  code: z.string(),
  message: z.string(),
  since: time,
  /** Of when the figures are that need it. */
  figures_at: time,
  /** Accepted and durable, not credited yet. */
  waiting_shares: number,
});
export type Absence = z.infer<typeof absence>;

export const stats = z.object({
  pool: z.object({
    hashrate: z.number(),
    miners: count,
    workers: count,
    shares,
    shares_per_second: number,
    /** Work since our last block, in hundredths of a percent of what a block takes. */
    effort_basis_points: number,
    /** Blocks found of those to be expected, since the pool's process began. */
    luck: z
      .object({ found: z.number(), expected_millionths: z.number(), basis_points: number })
      .nullish()
      .catch(null)
      .default(null),
    currency: currency.nullish().default(null),
  }),
  network: z.object({
    /** "none" before the first job. */
    algorithm: text.transform((name) => (name === "none" ? null : name)),
    difficulty: magnitude,
    hashrate: number,
    /** Blocks per second of the whole network. */
    block_rate: number,
    ready: z.boolean().nullish().default(null),
    reason: text,
  }),
  blocks: z.object({
    candidate: count,
    submitted: count,
    accepted: count,
    rejected: count,
    matured: count,
    paid: count,
    void: count,
    blue: count,
    red: count,
  }),
  ledger: z.object({
    pending: amount,
    confirmed: amount,
    paid: amount,
    imbalance: amount,
    /** Audits of the database that found something. */
    findings: z.array(z.object({ check: z.string(), rows: z.number() })).default([]),
  }),
  /** Blocks and ledger are those of before: the database is away. */
  stale: z.boolean().catch(false).default(false),
  /** Worst first. */
  degraded: z.array(absence).catch([]).default([]),
});
export type Stats = z.infer<typeof stats>;

export const blockStatuses = ["candidate", "submitted", "accepted", "rejected", "matured", "paid", "void"] as const;
export const block = z.object({
  hash: z.string().min(1),
  /** Null until known; says little in a DAG anyway. */
  height: number,
  /** Main parent first. */
  parents: z.array(z.string()).default([]),
  /** Null for blocks that are not ours. */
  status: z.enum(blockStatuses).nullish().default(null),
  color: z.enum(["unknown", "blue", "red"]).catch("unknown"),
  confirmations: number,
  reward: amount.nullish().default(null),
  account: text,
  worker: text,
  found_at: time,
  algorithm: text,
  /** REST lists only our own blocks, without this field. */
  ours: z.boolean().default(true),
});
export type Block = z.infer<typeof block>;

export const miner = z.object({
  account: z.string().min(1),
  workers: z.union([z.number(), z.array(z.unknown()).transform((list) => list.length)]).default(0),
  hashrate: z.number().default(0),
  shares: z.object({ accepted: count, rejected: count }).default({ accepted: 0, rejected: 0 }),
  connected_since: time,
  difficulty: magnitude,
  last_share_at: time,
});
export type Miner = z.infer<typeof miner>;

const noShares: Shares = { accepted: 0, rejected: 0, stale: 0, duplicate: 0, low_difficulty: 0, invalid: 0 };

const worker = z.object({
  name: text,
  hashrate: z.number().default(0),
  difficulty: magnitude,
  last_share_at: time,
  /** Null while it is not connected. */
  connected_since: time,
  shares: shares.default(noShares),
  /** Since when it has had which, oldest first. */
  difficulties: z
    .array(z.object({ at: instant, difficulty: magnitude }))
    .catch([])
    .default([]),
});
export type Worker = z.infer<typeof worker>;

/** `GET /api/miners/{account}`. */
export const minerDetails = z.object({
  account: z.string(),
  hashrate: number,
  workers: z.array(worker).default([]),
  shares: shares.nullish().default(null),
  balance: z.object({ pending: amount, confirmed: amount, paid: amount }).nullish().default(null),
});
export type MinerDetails = z.infer<typeof minerDetails>;

export const job = z.object({
  id: z.union([z.string(), z.number()]).transform(String),
  algorithm: text,
  height: number,
  parents: z.array(z.string()).default([]),
  age_ms: number,
  network_difficulty: magnitude,
  template_time: time,
});
export type Job = z.infer<typeof job>;

export const node = z.object({
  name: text,
  ready: z.boolean(),
  reason: text,
  endpoint_count: number,
  last_template_at: time,
  latency_ms: number,
});
export type NodeHealth = z.infer<typeof node>;

export const point = z.object({
  at: instant,
  hashrate: z.number(),
  shares_per_second: z.number(),
});
export type Point = z.infer<typeof point>;

export const peer = z.object({
  session: z.union([z.string(), z.number()]).transform(String),
  account: text,
  worker: text,
  peer: text,
  agent: text,
});
export type Peer = z.infer<typeof peer>;

export const notice = z.object({ message: text, severity: text, code: text });

/** A step of a payout, or how many there will be. */
export const payoutStep = z.object({
  id: z
    .union([z.string(), z.number().transform(String)])
    .nullish()
    .default(null),
  state: text,
  reason: text,
  payouts: number,
  recipients: number,
});

/** The wrapper of every message on `/api/live`. */
export const envelope = z.object({
  type: z.string(),
  seq: z.number().int().nonnegative(),
  at: instant,
  data: z.unknown(),
});
