/** What the miner page reads: earnings, statements, proofs, payouts. */
import { amount } from "../feed/schema";
import { z } from "../feed/z";

const hex64 = z.string().regex(/^[0-9a-f]{64}$/);
const natural = z.string().regex(/^\d+$/);
const text = z.string().nullish().default(null);
const number = z.number().nullish().default(null);

export const earning = z.object({
  id: z.string(),
  block: hex64,
  height: number,
  income: z.string(),
  revision: z.number(),
  amount,
  state: z.enum(["pending", "confirmed", "voided"]),
  credited_at: z.string(),
  ended_at: text,
  color: z.enum(["unknown", "blue", "red"]).catch("unknown"),
  status: text,
});
export type Earning = z.infer<typeof earning>;

export const payout = z.object({
  id: z.union([z.string(), z.number()]).transform(String),
  amount,
  state: z.string(),
  txid: text,
  created_at: text,
  confirmed_at: text,
  reason: text,
});
export type Payout = z.infer<typeof payout>;

/** `GET /api/miners/{account}/hashrate`: an hour of one function's credited work. */
const hour = z.object({ at: z.string(), algorithm: text, hashrate: z.number(), accepted: z.number().default(0) });
export const hours = z.object({ interval_s: z.number().positive().default(3600), items: z.array(hour) });
export type Hours = z.infer<typeof hours>;

/** A page of a list. */
export const pageOf = <T extends z.Shape>(item: T) => z.object({ items: z.array(item), next: text });
export interface Page<T> {
  items: T[];
  next: string | null;
}

/** What holds for this account alone. */
const terms = z.object({
  /** Paid from there, where it is not the pool's. */
  threshold: amount.nullish().default(null),
  /** Why it is not paid, while an operator holds it. */
  held: text,
  /** Why the chain does not take its address. */
  set_aside: text,
});
export type Terms = z.infer<typeof terms>;

export const payouts = pageOf(payout).extend({ terms: terms.nullish().catch(null).default(null) });
export type Payouts = z.infer<typeof payouts>;

export const statement = z.object({
  block: hex64,
  height: number,
  algorithm: z.string(),
  account: z.string(),
  found_at: z.string(),
  scheme: z.string(),
  factor_basis_points: number,
  fee_basis_points: z.number(),
  network_work: natural,
  window_work: natural.nullish().default(null),
  shares: z.object({ first: number, first_counted: natural.nullish().default(null), last: z.number() }),
  total_work: natural,
  reward: amount.nullish().default(null),
  red_merge_income: amount.nullish().default(null),
  fee: z.object({ reward: amount.nullish().default(null), red_merge_income: amount.nullish().default(null) }),
  root: hex64,
  accounts: z.number(),
});
export type Statement = z.infer<typeof statement>;

export const proof = z.object({
  format: z.literal("dagpool-proof-1"),
  block: hex64,
  root: hex64,
  account: z.string(),
  work: natural,
  proof: z.object({
    index: z.number().int().nonnegative(),
    count: z.number().int().positive(),
    branch: z.array(hex64).max(64),
  }),
  total_work: natural,
  fee_basis_points: z.number().int().min(0).max(10_000),
  reward: natural.nullish().default(null),
  red_merge_income: natural.nullish().default(null),
  reward_part: natural.nullish().default(null),
  red_merge_part: natural.nullish().default(null),
});
export type Proof = z.infer<typeof proof>;
