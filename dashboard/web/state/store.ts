import { type Action, initialState, type PoolState, reduce } from "./model";

type Schedule = (flush: () => void) => void;

/** A fast chain sends many messages a second; the page is drawn at most this often. */
const frameMs = 100;

/** After a pause at once, then at that pace. */
function paced(): Schedule {
  let next = 0;
  return (flush) => {
    const now = performance.now();
    const delay = Math.max(0, next - now);
    next = now + delay + frameMs;
    setTimeout(flush, delay);
  };
}

/** Holds the state outside React, so that a burst of messages costs one drawing. */
export class Store {
  #state: PoolState = initialState;
  #shown: PoolState = initialState;
  #pending = false;
  readonly #listeners = new Set<() => void>();
  readonly #schedule: Schedule;

  constructor(schedule: Schedule = paced()) {
    this.#schedule = schedule;
  }

  /** The newest state, for those who act on it. */
  get latest(): PoolState {
    return this.#state;
  }

  /** The state as last announced: stable between two announcements, as `useSyncExternalStore` wants it. */
  readonly shown = (): PoolState => this.#shown;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  dispatch(action: Action): void {
    this.#state = reduce(this.#state, action);
    if (this.#pending) return;
    this.#pending = true;
    this.#schedule(() => {
      this.#pending = false;
      this.#shown = this.#state;
      for (const listener of this.#listeners) listener();
    });
  }
}
