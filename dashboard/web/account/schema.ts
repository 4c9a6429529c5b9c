/** What `/api/auth/...`, `/api/admin/users` and `/api/admin/audit` answer. */
import { currency } from "../feed/schema";
import { z } from "../feed/z";

const text = z.string().nullish().default(null);

export const pair = z.object({
  token: z.string(),
  refresh_token: z.string(),
  /** Seconds. */
  expires_in: z.number(),
  mfa_setup_required: z.boolean().default(false),
});
export type Pair = z.infer<typeof pair>;

export const login = z.union([
  z.object({ mfa_required: z.literal(true), mfa_token: z.string() }),
  pair.extend({ mfa_required: z.literal(false) }),
]);

export const me = z.object({
  username: z.string(),
  role: z.string(),
  email: text,
  email_verified: z.boolean().default(false),
  mfa: z.boolean(),
  backup_codes_left: z.number().default(0),
  mfa_setup_required: z.boolean().default(false),
  created_at: text,
});
export type Me = z.infer<typeof me>;

export const address = z.object({ account: z.string(), by: text, claimed_at: text });
export type Address = z.infer<typeof address>;
export const sent = z.object({ channel: z.string(), ok: z.boolean(), message: text });
export type Sent = z.infer<typeof sent>;
/** What is told of an address of one's own, and where. */
export const ownAlerts = z.object({
  worker_offline_minutes: z.number(),
  hashrate_drop_percent: z.number(),
  payout: z.boolean(),
  block: z.boolean(),
  email: z.boolean(),
  email_confirmed: z.boolean(),
  channels: z.array(z.object({ channel: z.string(), to: z.string(), confirmed: z.boolean() })),
  key: z.boolean(),
  offered: z.boolean(),
  telegram_offered: z.boolean(),
});
export type OwnAlerts = z.infer<typeof ownAlerts>;
export const ownSent = z.object({ sent: z.array(sent) });
export const ownAlertsSet = ownAlerts.extend(ownSent.shape);
export const settings = z.object({ account: z.string(), threshold: text, pool_threshold: text });
export const figures = z.object({ pool: z.object({ currency }) });
export const ownKey = z.object({ account: z.string(), password: z.string() });
export const claim = z.object({
  account: z.string(),
  password: z.string(),
  challenge: z.string(),
  /** Whether addresses of this kind have a key that signs. */
  signature: z.boolean().default(false),
  expires_at: text,
});
export type Claim = z.infer<typeof claim>;

export const setup = z.object({ secret: z.string(), otpauth_uri: z.string(), qr_svg: text });
export type Setup = z.infer<typeof setup>;
export const codes = z.object({ backup_codes: z.array(z.string()) });
export const enabled = pair.extend(codes.shape);

export const session = z.object({
  id: z.string(),
  username: z.string(),
  role: z.string(),
  address: text,
  agent: text,
  created_at: z.string(),
  seen_at: text,
  current: z.boolean().default(false),
});
export type SignedIn = z.infer<typeof session>;

export const scopes = ["read", "algorithms", "payouts", "ledger", "operate", "admin"] as const;
export const token = z.object({
  id: z.string(),
  name: z.string(),
  scopes: z.array(z.string()),
  created_at: z.string(),
  expires_at: z.string(),
  revoked_at: text,
});
export type Token = z.infer<typeof token>;
export const newToken = token.extend({ token: z.string() });

export const roles = ["admin", "operator", "viewer", "miner"] as const;
export const user = z.object({
  id: z.string(),
  username: z.string(),
  email: text,
  role: z.string(),
  mfa: z.boolean(),
  disabled_at: text,
  created_at: z.string(),
});
export type User = z.infer<typeof user>;
export const users = z.object({ items: z.array(user), next: text });

export const line = z.object({
  id: z.string(),
  at: z.string(),
  node: text,
  actor: z.string(),
  address: text,
  action: z.string(),
  subject: z.string(),
  outcome: z.string(),
  before: z.unknown().default(null),
  after: z.unknown().default(null),
});
export type Line = z.infer<typeof line>;
export const trail = z.object({ items: z.array(line), next: text });
export type Trail = z.infer<typeof trail>;
