/** What the payout page reads: `/api/admin/payouts...` and `/api/payouts...`. */
import type { Action } from "../algorithms/failure";
import { amount } from "../feed/schema";
import { z } from "../feed/z";

const text = z.string().nullish().default(null);
const part = z.object({ account: z.string(), amount });
const waiting = part.extend({ reason: z.string() });
export type Waiting = z.infer<typeof waiting>;
const spent = z.object({ hour: amount, day: amount });
const terms = z.object({ account: z.string(), threshold: amount.nullish().default(null), held: text, set_aside: text });
export type Terms = z.infer<typeof terms>;

const rules = z.object({
  threshold: amount,
  limit_per_hour: amount.nullish().default(null),
  limit_per_day: amount.nullish().default(null),
  recipients_max: z.number(),
  interval_s: z.number(),
  confirmations: z.number(),
});
export type Rules = z.infer<typeof rules>;

const priorities: Record<string, Action["priority"]> = { low: "low", high: "high", critical: "critical" };
const action = z.object({
  action: z.string(),
  command: text,
  priority: z.string().transform((name) => priorities[name] ?? "medium"),
});

/** How the dispatcher fares, and what was decided. */
export const status = z.object({
  enabled: z.boolean(),
  dispatching: z.boolean(),
  /** Why nothing is paid, while all payouts are held. */
  held: text,
  /** Another process pays: in words. */
  standing_by: text,
  /** What is in the way of all that is stuck, as a sentence and one by one. */
  trouble: text,
  troubles: z.array(z.object({ payout: text, what: z.string() })).default([]),
  stuck: z.object({ round: z.boolean(), plan: z.boolean() }).default({ round: false, plan: false }),
  suggested_actions: z.array(action).catch([]).default([]),
  open: z.number(),
  looked_at: text,
  planned_at: text,
  waiting: z.array(waiting).default([]),
  terms: z.array(terms).default([]),
  rules: rules.nullish().default(null),
  spent: spent.nullish().default(null),
});
export type Status = z.infer<typeof status>;

/** What would be paid now. */
export const dryRun = z.object({
  held: text,
  amount,
  payouts: z.array(z.object({ recipients: z.array(part) })),
  skipped: z.array(waiting).default([]),
  refused: z.array(waiting).default([]),
});
export type DryRun = z.infer<typeof dryRun>;

export const states = ["reserved", "signed", "broadcast", "confirming", "settled", "returned"] as const;

export const payout = z.object({
  id: z.string(),
  state: z.enum(states).catch("reserved"),
  amount,
  recipients: z.array(part),
  txid: text,
  fee: amount.nullish().default(null),
  held: text,
  recipient_held: z.boolean().catch(false).default(false),
  created_at: text,
  updated_at: text,
  confirmed_at: text,
  reason: text,
});
export type Payout = z.infer<typeof payout>;

const step = z.object({ at: text, state: z.string(), detail: text });
export const details = payout.extend({ steps: z.array(step).default([]) });
export type Details = z.infer<typeof details>;

export const payouts = z.object({ items: z.array(payout), next: text });
export type Payouts = z.infer<typeof payouts>;

const line = z.object({ at: text, actor: z.string(), action: z.string(), subject: z.string(), detail: text });
export const audit = z.object({ items: z.array(line), next: text });
export type Audit = z.infer<typeof audit>;

export const done = z.unknown();
