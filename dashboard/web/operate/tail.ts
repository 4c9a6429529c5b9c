import type { Failure } from "../algorithms/failure";
import type { LogFilter, OperateApi } from "./api";
import type { Line } from "./schema";

/** Lines that the page keeps; the oldest make room. */
export const keptMax = 10_000;
/** How long the pool waits for a line before it answers without one; below the client's own patience. */
const waitMs = 8_000;
/** Between two answers: lines come in bursts, and nobody reads faster. */
const pauseMs = 250;
/** After no answer. */
const againMs = 2_000;
const firstLimit = 1_000;

export interface TailState {
  /** Oldest first. */
  lines: readonly Line[];
  phase: "asking" | "following" | "paused";
  failure: Failure | null;
  categories: readonly string[];
  /** Lines that the pool had dropped before they were asked for. */
  missed: number;
  /** Where older lines are; null when there are none. */
  older: string | null;
  /** The newest lines made room for older ones, and come back when it goes on. */
  behind: boolean;
}

export const emptyTail: TailState = {
  lines: [],
  phase: "asking",
  failure: null,
  categories: [],
  missed: 0,
  older: null,
  behind: false,
};

/**
 * Follows the log: asks for what comes after the last line that is known, again and again. A page that is slow, hidden or paused
 * asks later, and the pool keeps nothing for it.
 */
export class Tail {
  #state = emptyTail;
  #filter: LogFilter = { level: "", category: "", search: "" };
  #seen: number | null = null;
  /** Which loop is the one: another filter or a pause begins a new one. */
  #round = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #api: Pick<OperateApi, "logs">;
  readonly #listeners = new Set<() => void>();

  constructor(api: Pick<OperateApi, "logs">) {
    this.#api = api;
  }

  readonly shown = (): TailState => this.#state;
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Begins anew with this filter. */
  start(filter: LogFilter): void {
    this.#filter = filter;
    this.#seen = null;
    this.#set({ ...emptyTail, categories: this.#state.categories });
    this.#begin();
  }

  stop(): void {
    this.#round += 1;
    clearTimeout(this.#timer);
  }

  pause(): void {
    this.stop();
    this.#set({ phase: "paused" });
  }

  resume(): void {
    this.#set({ phase: this.#seen === null ? "asking" : "following", behind: false });
    this.#begin();
  }

  /** Lines before the oldest one. Where there is no room for them the newest make it, and it pauses there. */
  async older(): Promise<void> {
    const { older, phase, lines: newer } = this.#state;
    if (older === null) return;
    // Nothing comes meanwhile: lines would be taken out where the older ones belong.
    this.stop();
    const round = this.#round;
    const answer = await this.#api.logs(this.#filter, { cursor: older, limit: String(firstLimit) });
    if (round !== this.#round) return;
    if (!answer.ok) this.#set({ failure: answer.failure });
    else {
      const lines = [...answer.value.items, ...newer];
      const behind = this.#state.behind || lines.length > keptMax;
      lines.length = Math.min(lines.length, keptMax);
      if (behind) this.#seen = lines.at(-1)?.seq ?? this.#seen;
      this.#set({ lines, older: answer.value.next, failure: null, behind, phase: behind ? "paused" : phase });
    }
    if (this.#state.phase !== "paused") this.#begin();
  }

  #begin(): void {
    this.#round += 1;
    clearTimeout(this.#timer);
    void this.#ask(this.#round);
  }

  async #ask(round: number): Promise<void> {
    const first = this.#seen === null;
    const more: Record<string, string> = first
      ? { limit: String(firstLimit) }
      : { after: String(this.#seen), wait_ms: String(waitMs), limit: "2000" };
    const answer = document.visibilityState === "hidden" && !first ? null : await this.#api.logs(this.#filter, more);
    if (round !== this.#round) return;
    const next = (ms: number) => {
      this.#timer = setTimeout(() => void this.#ask(round), ms);
    };
    if (answer === null) {
      next(againMs);
      return;
    }
    if (!answer.ok) {
      this.#set({ failure: answer.failure });
      // Whoever may not read is not asked again and again.
      if (answer.failure.kind !== "forbidden" && answer.failure.kind !== "locked") next(againMs);
      return;
    }
    const { items, seen, missed, categories } = answer.value;
    if (this.#seen !== null && seen < this.#seen) {
      // The pool was started anew, and numbers its lines from one again.
      this.#seen = null;
      next(0);
      return;
    }
    this.#seen = seen;
    const all = first ? items : [...this.#state.lines, ...items];
    const lines = all.slice(-keptMax);
    // What made room is older now.
    const older = lines.length < all.length ? String(lines[0]?.seq) : first ? answer.value.next : this.#state.older;
    this.#set({
      phase: "following",
      failure: null,
      categories,
      missed: this.#state.missed + missed,
      lines: items.length === 0 ? this.#state.lines : lines,
      older,
    });
    next(pauseMs);
  }

  #set(change: Partial<TailState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}

/** A line as text, for the clipboard and for whoever reads it by ear. */
export function lineText({ at, level, category, message, fields }: Line): string {
  const more = Object.entries(fields).map(([name, value]) => ` ${name}=${value}`);
  return `${at} ${level.toUpperCase()} ${category}: ${message}${more.join("")}`;
}
