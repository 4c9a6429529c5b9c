import { deployment } from "../algorithms/schema";
import { Client, type Outcome } from "../feed/client";
import * as shape from "./schema";

/** Which lines of the log are wanted; empty texts = all. */
export interface LogFilter {
  level: string;
  category: string;
  search: string;
}

const part = encodeURIComponent;

/** The routes for operators. */
export class OperateApi extends Client {
  system = () => this.ask("/api/admin/system", shape.system);
  bans = () => this.list("/api/admin/bans", shape.ban);
  connections = (search: string, limit: number) =>
    this.ask(`/api/admin/connections?limit=${limit}&search=${part(search)}`, shape.connections);
  ban = (address: string, for_s: number, reason: string) =>
    this.ask("/api/admin/bans", shape.banned, { address, for_s, reason });
  lift = (address: string): Promise<Outcome<unknown>> =>
    this.send(`/api/admin/bans/${part(address)}`, undefined, "DELETE");
  kick = (session: string): Promise<Outcome<unknown>> =>
    this.send(`/api/admin/connections/${part(session)}`, undefined, "DELETE");

  deployments = (cursor: string | null) =>
    this.ask(`/api/deployments?limit=20${cursor === null ? "" : `&cursor=${part(cursor)}`}`, shape.deployments);
  deployment = (id: string) => this.ask(`/api/deployments/${part(id)}`, deployment);

  config = () => this.ask("/api/admin/config", shape.config);
  reload = (dry_run: boolean) => this.ask("/api/admin/config/reload", shape.reloaded, { dry_run });

  logs(filter: LogFilter, more: Record<string, string>) {
    const query = new URLSearchParams(more);
    for (const name of ["level", "category", "search"] as const) if (filter[name]) query.set(name, filter[name]);
    return this.ask(`/api/admin/logs?${query}`, shape.logs);
  }
}
