/** What the pages of blocks read beside the list. */
import { amount, block } from "../feed/schema";
import { z } from "../feed/z";
import { statement as summary } from "../miner/schema";

const text = z.string().nullish().default(null);

/** A step of a block's life. */
const step = z.object({
  at: text,
  status: z.string(),
  color: z.enum(["unknown", "blue", "red"]).catch("unknown"),
  reason: text,
});
export type Step = z.infer<typeof step>;

/** `GET /api/blocks/{hash}`. */
export const blockDetails = block.extend({
  network_work: text,
  merging_block: text,
  reason: text,
  steps: z.array(step).catch([]).default([]),
});
export type BlockDetails = z.infer<typeof blockDetails>;

/** A line of a statement. */
const line = z.object({
  index: z.number(),
  account: z.string(),
  work: z.string().regex(/^\d+$/),
  amount: amount.nullish().default(null),
});
export type Line = z.infer<typeof line>;

/** `GET /api/blocks/{hash}/statement`. */
export const statement = summary.extend({ items: z.array(line).default([]), next: text });
export type Statement = z.infer<typeof statement>;
