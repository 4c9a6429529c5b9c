import { decode } from "../feed/decode";
import { LiveFeed, type Socket } from "../feed/live";
import { loadRest, type RestAnswer } from "../feed/rest";
import type { PoolState } from "./model";
import { Store } from "./store";

export interface SessionOptions {
  url: string;
  open?: (url: string) => Socket;
  load?: () => Promise<RestAnswer>;
  store?: Store;
}

/** While the feed is away, REST keeps the main figures fresh at this pace. */
const pollMs = 5_000;

/**
 * After a longer absence a fresh snapshot is asked for: the pool may have been restarted meanwhile, and then numbers its
 * messages anew.
 */
const resumeMs = 30_000;

/** The sequence number to go on after, or null for a snapshot. */
export function resumePoint(state: Pick<PoolState, "seq" | "nodeAt">, now: number): number | null {
  return state.nodeAt !== null && now - state.nodeAt < resumeMs ? state.seq : null;
}

/** Address of the feed beside the page, whatever the page's scheme. */
export function liveUrl(page: { protocol: string; host: string }): string {
  return `${page.protocol === "https:" ? "wss" : "ws"}://${page.host}/api/live`;
}

/** Everything a page needs of the pool: the feed, the REST fallback and the store that both fill. */
export class Session {
  readonly store: Store;
  readonly #feed: LiveFeed;
  readonly #load: () => Promise<RestAnswer>;
  #poll: ReturnType<typeof setInterval> | undefined;
  #loading = false;

  constructor(options: SessionOptions) {
    const store = options.store ?? new Store();
    this.store = store;
    this.#load = options.load ?? (() => loadRest());
    this.#feed = new LiveFeed({
      url: options.url,
      open: options.open ?? ((url) => new WebSocket(url) as Socket),
      since: () => resumePoint(store.latest, Date.now()),
      onText: (text) => store.dispatch({ type: "frame", decoded: decode(text), now: Date.now() }),
      onLink: (link) => store.dispatch({ type: "link", link }),
    });
  }

  /** Once more is no more: the page begins before its first drawing. */
  start(): void {
    if (this.#poll !== undefined) return;
    this.#feed.start();
    void this.#ask();
    this.#poll = setInterval(() => {
      const away = this.store.latest.link.phase !== "live";
      if (away && document.visibilityState === "visible") void this.#ask();
    }, pollMs);
    window.addEventListener("online", this.retry);
  }

  stop(): void {
    clearInterval(this.#poll);
    this.#poll = undefined;
    window.removeEventListener("online", this.retry);
    this.#feed.stop();
  }

  /** Tries the feed at once. */
  readonly retry = (): void => this.#feed.retryNow();

  /** Whose events the feed brings besides those for everybody; null = nobody's. */
  identify(token: string | null): void {
    this.#feed.identify(token);
  }

  async #ask(): Promise<void> {
    if (this.#loading) return;
    this.#loading = true;
    try {
      const answer = await this.#load();
      this.store.dispatch({ type: "rest", answer, now: Date.now() });
    } finally {
      this.#loading = false;
    }
  }
}
