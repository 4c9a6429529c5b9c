import { Client, type Fetch, type Outcome, parse, read } from "../feed/client";
import { cancelled, type Failure, noAnswer, refusal } from "./failure";
import * as shape from "./schema";

export type { Fetch, Outcome };

export type Strategy = "immediate" | "gradual" | "scheduled";

/** How far the pool is kept from a package's code. */
export const levels = ["wasm", "process", "in-process"] as const;
export type Level = (typeof levels)[number];

/** `config` of `POST /api/algorithms/deploy`. Durations in seconds, phases in percent of the sessions. */
export interface DeployConfig {
  strategy: Strategy;
  shadow_duration?: number;
  phase_duration?: number;
  phases?: number[];
  /** RFC 3339, UTC. */
  at?: string;
  rollback_on_error: boolean;
  /** Without it, as the package was staged. */
  isolation?: Level;
  /** The name of the algorithm whose manifest says `rollback_supported: false`, repeated by the operator. */
  confirm?: string;
  /** Deploy it although its author lets it replace other algorithms only. */
  override_migration_from?: boolean;
  /** Which package is meant: if another one was staged meanwhile, nothing is deployed. */
  digest?: string;
  /** Channels of alerts that are told of each step. */
  notification_channels?: string[];
}

export type DeploymentAction = "pause" | "resume" | "advance" | "rollback";

/** How an upload goes: bytes on their way, then the pool's checks, which take seconds. */
export type UploadProgress = { phase: "sending"; sent: number; total: number } | { phase: "checking" };

/** The routes for algorithms and deployments. No method throws: what went wrong is in the outcome. */
export class AlgorithmsApi extends Client {
  status = () => this.ask("/api/algorithms/status", shape.status);
  /** What only an override hinders is no obstacle here: the plan says `needs_override`, and the dialog asks for it. */
  plan = () => this.ask("/api/algorithms/plan?override_migration_from=true", shape.plan);
  me = () => this.ask("/api/auth/me", shape.me);
  deployment = (id: string) => this.ask(`/api/deployments/${encodeURIComponent(id)}`, shape.deployment);
  overview = () => this.ask("/api/algorithms", shape.overview);
  deployments = () => this.list("/api/deployments?limit=50", shape.deployment);
  deploy = (config: DeployConfig) => this.ask("/api/algorithms/deploy", shape.deployed, { config });
  act = (id: string, action: DeploymentAction): Promise<Outcome<unknown>> =>
    this.send(`/api/deployments/${encodeURIComponent(id)}/${action}`, {});

  /** Sends a package. `XMLHttpRequest`, as `fetch` does not tell how much of a body is on its way. */
  stage(
    file: File,
    onProgress: (progress: UploadProgress) => void,
    signal: AbortSignal,
  ): Promise<Outcome<shape.StageReport>> {
    const path = "/api/algorithms/stage";
    return new Promise((done) => {
      const request = new XMLHttpRequest();
      const fail = (failure: Failure) => done({ ok: false, failure });
      request.open("POST", path);
      const token = this.token();
      if (token !== null) request.setRequestHeader("authorization", `Bearer ${token}`);
      request.upload.onprogress = ({ loaded, total }) =>
        onProgress({ phase: "sending", sent: Math.min(loaded, file.size), total: Math.min(total, file.size) });
      request.upload.onload = () => onProgress({ phase: "checking" });
      request.onerror = () => fail(noAnswer());
      request.onabort = () => fail(cancelled());
      request.onload = () => {
        const body = parse(request.responseText);
        if (request.status < 200 || request.status > 299) fail(refusal(request.status, body, path));
        else done(read(path, shape.stageReport, body));
      };
      signal.addEventListener("abort", () => request.abort(), { once: true });
      const form = new FormData();
      form.append("package", file, file.name);
      request.send(form);
    });
  }
}
