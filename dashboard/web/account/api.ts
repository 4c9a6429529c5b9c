import { Client, type Outcome } from "../feed/client";
import * as shape from "./schema";

export type Factor = { code: string } | { backup_code: string };

/** What an admin changes of somebody: one thing at a time. */
export type Decision = { role: string } | { disabled: boolean } | { reset_mfa: true } | { password: string };

/** The routes for signing in, for users and for the trail. */
export class AccountApi extends Client {
  login = (username: string, password: string) => this.ask("/api/auth/login", shape.login, { username, password });
  register = (username: string, email: string, password: string): Promise<Outcome<unknown>> =>
    this.send("/api/auth/register", email === "" ? { username, password } : { username, email, password });
  forgot = (email: string): Promise<Outcome<unknown>> => this.send("/api/auth/password/forgot", { email });
  reset = (token: string, password: string): Promise<Outcome<unknown>> =>
    this.send("/api/auth/password/reset", { token, password });
  confirm = (token: string): Promise<Outcome<unknown>> => this.send("/api/auth/email/verify", { token });
  resend = (email: string): Promise<Outcome<unknown>> => this.send("/api/auth/email/resend", { email });
  changeEmail = (password: string, email: string | null): Promise<Outcome<unknown>> =>
    this.send("/api/auth/email", { password, email });
  verify = (mfa_token: string, factor: Factor) =>
    this.ask("/api/auth/mfa/verify", shape.pair, { mfa_token, ...factor });
  refresh = (refresh_token: string) => this.ask("/api/auth/refresh", shape.pair, { refresh_token });
  logout = (): Promise<Outcome<unknown>> => this.send("/api/auth/logout", {});
  me = () => this.ask("/api/auth/me", shape.me);

  mfaSetup = (password: string) => this.ask("/api/auth/mfa/setup", shape.setup, { password });
  mfaEnable = (code: string) => this.ask("/api/auth/mfa/enable", shape.enabled, { code });
  mfaDisable = (password: string, factor: Factor): Promise<Outcome<unknown>> =>
    this.send("/api/auth/mfa/disable", { password, ...factor });
  backupCodes = (code: string) => this.ask("/api/auth/mfa/backup-codes", shape.codes, { code });
  password = (password: string, new_password: string): Promise<Outcome<unknown>> =>
    this.send("/api/auth/password", { password, new_password });
  accounts = () => this.list("/api/auth/accounts", shape.address);
  #alerts = (account: string) => `/api/auth/accounts/${encodeURIComponent(account)}/alerts`;
  ownAlerts = (account: string) => this.ask(this.#alerts(account), shape.ownAlerts);
  setOwnAlerts(account: string, wanted: shape.OwnAlerts, places: { [channel: string]: string | undefined }) {
    const { worker_offline_minutes, hashrate_drop_percent, payout, block, email } = wanted;
    const body = { worker_offline_minutes, hashrate_drop_percent, payout, block, email, ...places };
    return this.ask(this.#alerts(account), shape.ownAlertsSet, body);
  }
  confirmOwnAlerts = (account: string, channel: string, code: string) =>
    this.ask(`${this.#alerts(account)}/confirm`, shape.ownAlerts, { channel, code });
  testOwnAlerts = (account: string) => this.ask(`${this.#alerts(account)}/test`, shape.ownSent, {});
  keyOfOwnAlerts = (account: string) => this.ask(`${this.#alerts(account)}/key`, shape.ownKey, {});
  #settings = (account: string) => `/api/miners/${encodeURIComponent(account)}/settings`;
  settings = (account: string) => this.ask(this.#settings(account), shape.settings);
  setThreshold = (account: string, threshold: string | null): Promise<Outcome<unknown>> =>
    this.send(this.#settings(account), { threshold }, "PATCH");
  currency = () => this.ask("/api/stats", shape.figures);
  beginClaim = (account: string) => this.ask("/api/auth/accounts/claims", shape.claim, { account });
  verifyClaim = (account: string, signature: string | null): Promise<Outcome<unknown>> =>
    this.send("/api/auth/accounts/claims/verify", signature === null ? { account } : { account, signature });
  releaseAccount = (account: string): Promise<Outcome<unknown>> =>
    this.send(`/api/auth/accounts/${encodeURIComponent(account)}`, undefined, "DELETE");
  sessions = () => this.list("/api/auth/sessions", shape.session);
  endSession = (id: string): Promise<Outcome<unknown>> =>
    this.send(`/api/auth/sessions/${encodeURIComponent(id)}`, undefined, "DELETE");
  tokens = () => this.list("/api/auth/tokens", shape.token);
  addToken = (name: string, scopes: readonly string[], expires_in_days: number) =>
    this.ask("/api/auth/tokens", shape.newToken, { name, scopes, expires_in_days });
  revokeToken = (id: string): Promise<Outcome<unknown>> =>
    this.send(`/api/auth/tokens/${encodeURIComponent(id)}`, undefined, "DELETE");

  users = (cursor: string | null) =>
    this.ask(
      `/api/admin/users?limit=500${cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`}`,
      shape.users,
    );
  addUser = (username: string, role: string, password: string) =>
    this.ask("/api/admin/users", shape.user, { username, role, password });
  decide = (username: string, decision: Decision): Promise<Outcome<unknown>> =>
    this.send(`/api/admin/users/${encodeURIComponent(username)}`, decision, "PATCH");
  allSessions = () => this.list("/api/admin/sessions", shape.session);
  endAnySession = (id: string): Promise<Outcome<unknown>> =>
    this.send(`/api/admin/sessions/${encodeURIComponent(id)}`, undefined, "DELETE");
  audit(filter: { actor: string; action: string }, cursor: string | null) {
    const query = new URLSearchParams({ limit: "50" });
    if (filter.actor !== "") query.set("actor", filter.actor);
    if (filter.action !== "") query.set("action", filter.action);
    if (cursor !== null) query.set("cursor", cursor);
    return this.ask(`/api/admin/audit?${query}`, shape.trail);
  }
}
