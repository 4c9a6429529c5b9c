/** What `/api/alerts...` answers. */
import { z } from "../feed/z";

const text = z.string().nullish().default(null);

export const alert = z.object({
  id: z.string(),
  rule: z.string(),
  subject: z.string().default(""),
  severity: z.enum(["warning", "error", "critical"]).catch("warning"),
  state: z.string(),
  message: z.string(),
  documentation_link: text,
  fired_at: text,
  resolved_at: text,
  acknowledged: z
    .object({ by: z.string(), at: text, note: z.string().default("") })
    .nullish()
    .default(null),
  inhibited_by: text,
  silenced: z.boolean().default(false),
});
export type Alert = z.infer<typeof alert>;

export const silence = z.object({
  id: z.string(),
  rule: z.string().default(""),
  subject: z.string().default(""),
  by: z.string(),
  reason: z.string(),
  until: text,
});
export type Silence = z.infer<typeof silence>;

export const alerts = z.object({
  firing: z.array(alert),
  items: z.array(alert),
  silences: z.array(silence),
  next: text,
});
export type Alerts = z.infer<typeof alerts>;

export const rule = z.object({
  name: z.string(),
  severity: z.string(),
  condition: z.string(),
  for_s: z.number(),
  value: z.number().nullish().default(null),
});
export type Rule = z.infer<typeof rule>;

export const channel = z.object({
  name: z.string(),
  kind: z.string(),
  delivered: z.number(),
  given_up: z.number(),
  waiting: z.number(),
  delivered_at: text,
  trouble: text,
});
export type Channel = z.infer<typeof channel>;

export const tried = z.object({ ok: z.boolean(), message: text });
