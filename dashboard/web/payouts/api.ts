import { Client, type Outcome } from "../feed/client";
import * as shape from "./schema";

/** What is held or released. */
export type Scope = { scope: "all" } | { scope: "payout"; id: string } | { scope: "account"; account: string };

export type Filter = "all" | (typeof shape.states)[number];

/** The routes for payouts. */
export class PayoutsApi extends Client {
  status = () => this.ask("/api/admin/payouts", shape.status);
  dryRun = () => this.ask("/api/admin/payouts/dry-run", shape.dryRun);
  audit = () => this.ask("/api/admin/payouts/audit?limit=25", shape.audit);
  one = (id: string) => this.ask(`/api/payouts/${encodeURIComponent(id)}`, shape.details);
  page(filter: Filter, cursor: string | null): Promise<Outcome<shape.Payouts>> {
    const query = [filter !== "all" && `state=${filter}`, cursor !== null && `cursor=${encodeURIComponent(cursor)}`];
    return this.ask(`/api/payouts?${["limit=20", ...query.filter(Boolean)].join("&")}`, shape.payouts);
  }

  run = () => this.ask("/api/admin/payouts/run", shape.done, {});
  hold = (scope: Scope, reason: string) => this.ask("/api/admin/payouts/hold", shape.done, { ...scope, reason });
  release = (scope: Scope) => this.ask("/api/admin/payouts/release", shape.done, scope);
  /** In the smallest unit; null gives the account the pool's again. */
  threshold = (account: string, threshold: string | null) =>
    this.ask("/api/admin/payouts/threshold", shape.done, { account, threshold });
}
