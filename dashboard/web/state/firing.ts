import type { AlertsApi } from "../alerts/api";
import type { Alert } from "../alerts/schema";

/** How often it is asked while somebody looks. */
const everyMs = 10_000;

/** The alerts that fire, for those who may see them; null before the first answer and for everybody else. */
export class Firing {
  #alerts: readonly Alert[] | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;
  readonly #listeners = new Set<() => void>();
  readonly #api: Pick<AlertsApi, "firing">;

  constructor(api: Pick<AlertsApi, "firing">) {
    this.#api = api;
  }

  readonly shown = (): readonly Alert[] | null => this.#alerts;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  start(): void {
    void this.ask();
    this.#timer = setInterval(() => {
      if (document.visibilityState === "visible") void this.ask();
    }, everyMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#set(null);
  }

  /** What is known stays while the pool does not answer; who may not see them any more is shown none. */
  readonly ask = async (): Promise<void> => {
    const answer = await this.#api.firing();
    if (this.#timer === undefined) return;
    if (answer.ok) this.#set(answer.value.firing);
    else if (answer.failure.kind === "locked") this.#set(null);
  };

  #set(alerts: readonly Alert[] | null): void {
    this.#alerts = alerts;
    for (const listener of this.#listeners) listener();
  }
}
