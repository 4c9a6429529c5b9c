/** What `/api/admin/system`, `/bans`, `/connections`, `/config` and `/logs` answer, as the pages read it. */
import { deployment } from "../algorithms/schema";
import { z } from "../feed/z";

const text = z.string().nullish().default(null);
const count = z.number().nullish().default(null);

export const actor = z.object({
  name: z.string(),
  kind: z.string(),
  /** running, restarting, stopped, failed. */
  life: z.string(),
  restarts: z.number().default(0),
  last_death: text,
  state: z.unknown().default(null),
  mailbox_delay_us: count,
});
export type Actor = z.infer<typeof actor>;
export const system = z.object({ actors: z.array(actor), at: text });
export type System = z.infer<typeof system>;

export const ban = z.object({
  address: z.string(),
  reason: z.string(),
  /** An operator's own. */
  words: text,
  at: text,
  until: text,
});
export type Ban = z.infer<typeof ban>;

export const connection = z.object({
  session: z.union([z.string(), z.number()]).transform(String),
  account: text,
  worker: text,
  peer: text,
  agent: text,
  difficulty: z.union([z.string(), z.number()]).transform(String).nullish().default(null),
  connected_at: text,
  last_share_at: text,
});
export type Connection = z.infer<typeof connection>;
export const connections = z.object({ items: z.array(connection), total: z.number().nullish().default(null) });
export type Connections = z.infer<typeof connections>;

export const banned = z.object({ address: z.string(), sessions: z.number().default(0) });

export const deployments = z.object({ items: z.array(deployment), next: text });
export type Deployments = z.infer<typeof deployments>;

export const key = z.object({
  name: z.string(),
  value: z.unknown().default(null),
  default: z.unknown().default(null),
  /** default, file, environment, command. */
  source: z.string(),
  variable: text,
  live: z.boolean().default(false),
  doc: z.string().default(""),
});
export type Key = z.infer<typeof key>;
export const section = z.object({ name: z.string(), keys: z.array(key) });
export type Section = z.infer<typeof section>;
export const change = z.object({ key: z.string(), from: z.string(), to: z.string(), live: z.boolean() });
export type Change = z.infer<typeof change>;
export const config = z.object({
  file: text,
  read_at: text,
  sections: z.array(section),
  waiting: z.array(change).default([]),
});
export type Config = z.infer<typeof config>;
export const reloaded = z.object({ dry_run: z.boolean(), changes: z.array(change) });

export const levels = ["error", "warn", "info", "debug", "trace"] as const;
export type Level = (typeof levels)[number];
export const line = z.object({
  seq: z.number(),
  at: z.string(),
  level: z.enum(levels).catch("info"),
  category: z.string(),
  target: z.string().default(""),
  message: z.string(),
  fields: z.record(z.string(), z.string()).default({}),
});
export type Line = z.infer<typeof line>;
export const logs = z.object({
  items: z.array(line),
  next: text,
  seen: z.number(),
  missed: z.number().default(0),
  categories: z.array(z.string()).default([]),
});
export type Logs = z.infer<typeof logs>;
