import { type Access, accessOf, hasToken, type Keeper, TokenKeeper } from "./access";
import { AlgorithmsApi, type DeployConfig, type DeploymentAction, type Outcome, type UploadProgress } from "./api";
import type { Failure } from "./failure";
import { type ComparePoint, extend, pointOf, rolloutOf, underWay } from "./rollout";
import type { Deployed, Deployment, Overview, Plan, StageReport, Status } from "./schema";

/** A part that is fetched by itself and may be missing by itself. */
export interface Remote<T> {
  value: T | null;
  failure: Failure | null;
}

const nothing = { value: null, failure: null };
const unknown: Access = { may: "look", why: "unknown" };

export interface AlgorithmsState {
  /** Whether the pool serves the routes; `asking` before the first answer. */
  service: "asking" | "served" | "unserved" | "offline";
  access: Access;
  status: Remote<Status>;
  /** When the status arrived, by the viewer's clock. */
  statusAt: number | null;
  overview: Remote<Overview>;
  deployments: Remote<readonly Deployment[]>;
  plan: Remote<Plan>;
  /** Of this page's last upload. */
  report: StageReport | null;
  /** Control group and candidate of `pointsOf`. */
  points: readonly ComparePoint[];
  pointsOf: string | null;
}

export const initialAlgorithms: AlgorithmsState = {
  service: "asking",
  access: { may: "look", why: "no-token" },
  status: nothing,
  statusAt: null,
  overview: nothing,
  deployments: nothing,
  plan: nothing,
  report: null,
  points: [],
  pointsOf: null,
};

/** While something is under way, and while nothing is. */
const busyMs = 2_000;
const calmMs = 10_000;

interface StoreOptions {
  keeper?: Keeper;
  api?: (token: () => string | null) => AlgorithmsApi;
  now?: () => number;
}

/** What the page knows of algorithms and deployments, asked for again and again while somebody looks. */
export class AlgorithmsStore {
  #state = initialAlgorithms;
  /** The tab's token; pages share it. */
  readonly keeper: Keeper;
  readonly api: AlgorithmsApi;
  readonly #now: () => number;
  readonly #listeners = new Set<() => void>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running = false;
  #asking: Promise<void> | null = null;
  #again = false;

  constructor({ keeper, api, now }: StoreOptions = {}) {
    this.keeper = keeper ?? new TokenKeeper();
    this.api = (api ?? ((token) => new AlgorithmsApi(token)))(this.keeper.token);
    this.#now = now ?? Date.now;
  }

  readonly shown = (): AlgorithmsState => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Asks whether the pool serves the routes, for the navigation. */
  async probe(): Promise<void> {
    this.#takeStatus(await this.api.status());
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    document.addEventListener("visibilitychange", this.#seen);
    void this.#round();
  }

  stop(): void {
    this.#running = false;
    clearTimeout(this.#timer);
    document.removeEventListener("visibilitychange", this.#seen);
  }

  /** Asks for everything now; while an answer is awaited, once more after it. */
  refresh(): Promise<void> {
    if (this.#asking) {
      this.#again = true;
      return this.#asking;
    }
    this.#asking = this.#load().finally(() => {
      this.#asking = null;
      if (!this.#again) return;
      this.#again = false;
      void this.refresh();
    });
    return this.#asking;
  }

  /** The feed brought a newer state of a roll-out. */
  takeDeployment(deployment: Deployment): void {
    const { value } = this.#state.status;
    if (value !== null) this.#takeStatus({ ok: true, value: { ...value, deployment } });
  }

  /** Tries a token; it is kept only if the pool takes it. */
  async unlock(token: string): Promise<Failure | null> {
    const before = this.keeper.token();
    this.keeper.keep(token);
    const access = await this.#readAccess();
    if (access.ok) {
      await this.refresh();
      return null;
    }
    this.keeper.keep(before);
    return access.failure;
  }

  lock(): void {
    this.keeper.keep(null);
    this.forget();
  }

  /** Somebody else is here, or nobody: what was only for whom it was shown to is gone. */
  forget(): void {
    const locked: Access = { may: "look", why: "no-token" };
    this.#set({ access: locked, overview: nothing, deployments: nothing, plan: nothing, report: null });
  }

  async stage(
    file: File,
    onProgress: (progress: UploadProgress) => void,
    signal: AbortSignal,
  ): Promise<Outcome<StageReport>> {
    const outcome = await this.api.stage(file, onProgress, signal);
    if (outcome.ok) this.#set({ report: outcome.value });
    await this.refresh();
    return outcome;
  }

  async deploy(config: DeployConfig): Promise<Outcome<Deployed>> {
    const outcome = await this.api.deploy(config);
    await this.refresh();
    return outcome;
  }

  async act(id: string, action: DeploymentAction): Promise<Outcome<unknown>> {
    const outcome = await this.api.act(id, action);
    await this.refresh();
    return outcome;
  }

  readonly #seen = (): void => {
    if (document.visibilityState === "visible") void this.#round();
  };

  async #round(): Promise<void> {
    clearTimeout(this.#timer);
    if (document.visibilityState === "visible") await this.refresh();
    if (!this.#running) return;
    clearTimeout(this.#timer);
    const { value } = this.#state.status;
    const busy = value !== null && underWay(value) !== null;
    this.#timer = setTimeout(() => void this.#round(), busy ? busyMs : calmMs);
  }

  async #load(): Promise<void> {
    const outcome = await this.api.status();
    this.#takeStatus(outcome);
    // The token was forgotten on another page.
    if (this.keeper.token() === null && hasToken(this.#state.access)) this.forget();
    // One answer that is missing is said once; what is known stays.
    if (!outcome.ok || this.keeper.token() === null) return;
    if (this.#state.access.may === "look") {
      const access = await this.#readAccess();
      // A plain no; anything else says nothing about who is here.
      if (!access.ok && (access.failure.kind === "locked" || access.failure.kind === "forbidden")) return;
      if (!access.ok) this.#set({ access: unknown });
    }
    const { status } = this.#state;
    const [overview, deployments, plan] = await Promise.all([
      this.api.overview(),
      this.api.deployments(),
      status.value?.staged_algorithm ? this.api.plan() : null,
    ]);
    if (!overview.ok && overview.failure.kind === "locked") {
      // The token was good once: it ran out or was revoked.
      this.#set({ access: { may: "look", why: "wrong-token" } });
      return;
    }
    this.#set({
      overview: merge(this.#state.overview, overview),
      deployments: merge(this.#state.deployments, deployments),
      plan: plan ? merge(this.#state.plan, plan) : nothing,
    });
  }

  async #readAccess(): Promise<Outcome<Access>> {
    const [proof, me] = await Promise.all([this.api.overview(), this.api.me()]);
    if (!proof.ok && proof.failure.kind !== "unserved") {
      if (proof.failure.kind === "locked") this.#set({ access: { may: "look", why: "wrong-token" } });
      return proof;
    }
    if (!me.ok && me.failure.kind === "locked") {
      this.#set({ access: { may: "look", why: "wrong-token" } });
      return me;
    }
    // Only a pool without users has no such route; anything else leaves open who this is, of a token that is good.
    const open = !me.ok && me.failure.kind !== "unserved";
    const access = open ? unknown : accessOf(me.ok ? me.value : null);
    this.#set({ access });
    return { ok: true, value: access };
  }

  #takeStatus(outcome: Outcome<Status>): void {
    if (!outcome.ok) {
      const { kind } = outcome.failure;
      // A pool without these routes answers 404, or 401 as for any path that it does not know.
      const absent = kind === "unserved" || (kind === "locked" && this.#state.service !== "served");
      const service = absent ? "unserved" : kind === "offline" ? this.#offline() : "served";
      this.#set({ service, status: { ...this.#state.status, failure: outcome.failure } });
      return;
    }
    const now = this.#now();
    const rollout = rolloutOf(outcome.value);
    const point = pointOf(rollout, now);
    // Another roll-out starts with empty charts.
    const known = rollout?.id === this.#state.pointsOf ? this.#state.points : [];
    this.#set({
      service: "served",
      status: { value: outcome.value, failure: null },
      statusAt: now,
      points: point ? extend(known, point) : known,
      pointsOf: rollout?.id ?? null,
    });
  }

  /** What was once served is still shown, marked as old. */
  #offline(): "served" | "offline" {
    return this.#state.status.value === null ? "offline" : "served";
  }

  #set(change: Partial<AlgorithmsState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}

export function merge<T>(before: Remote<T>, outcome: Outcome<T>): Remote<T> {
  return outcome.ok ? { value: outcome.value, failure: null } : { value: before.value, failure: outcome.failure };
}
