import { Client, type Outcome } from "../feed/client";
import * as shape from "./schema";

/** The routes for alerts. */
export class AlertsApi extends Client {
  all = () => this.ask("/api/alerts?limit=50", shape.alerts);
  firing = () => this.ask("/api/alerts?limit=1", shape.alerts);
  older = (cursor: string) => this.ask(`/api/alerts?limit=50&cursor=${encodeURIComponent(cursor)}`, shape.alerts);
  rules = () => this.list("/api/alerts/rules", shape.rule);
  channels = () => this.list("/api/alerts/channels", shape.channel);
  acknowledge = (id: string, note: string): Promise<Outcome<unknown>> =>
    this.send(`/api/alerts/${encodeURIComponent(id)}/acknowledge`, { note });
  /** An empty rule or subject: every one. */
  silence = (rule: string, subject: string, for_s: number, reason: string): Promise<Outcome<unknown>> =>
    this.send("/api/alerts/silences", { rule, subject, for_s, reason });
  end = (id: string): Promise<Outcome<unknown>> =>
    this.send(`/api/alerts/silences/${encodeURIComponent(id)}`, undefined, "DELETE");
  test = (name: string) => this.ask(`/api/alerts/channels/${encodeURIComponent(name)}/test`, shape.tried, {});
}
