/** What the viewer is told about the feed; the indicator in the header shows nothing else. */
export type Link =
  | { phase: "connecting" }
  | { phase: "live" }
  /** The socket is open, but nothing came for `silenceMs`. */
  | { phase: "silent"; since: number }
  /** The socket is closed; the next attempt starts at `retryAt` (milliseconds since the epoch, viewer's clock). */
  | { phase: "waiting"; retryAt: number; attempt: number };

/** The part of WebSocket that the feed needs, so that tests can stand in for the network. */
export interface Socket {
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: (() => void) | null;
  onerror: (() => void) | null;
  /** Missing in sockets that only listen. */
  send?(text: string): void;
  close(): void;
}

export interface FeedOptions {
  url: string;
  open: (url: string) => Socket;
  onText: (text: string) => void;
  onLink: (link: Link) => void;
  /** Sequence number to resume after, or null for a fresh snapshot. */
  since: () => number | null;
  /** In [0, 1); spreads the reconnects of many viewers after a restart. */
  random?: () => number;
  now?: () => number;
}

const retryBaseMs = 500;
const retryMaxMs = 15_000;
/** Stats come once a second: four missed ones are worth telling, a dozen are a dead connection. */
const silenceMs = 4_000;
const deadMs = 12_000;
const watchMs = 1_000;

/** Delay before attempt `attempt` (from 1): doubles up to 15 s, with the upper half left to chance. */
export function retryDelayMs(attempt: number, random: number): number {
  const full = Math.min(retryMaxMs, retryBaseMs * 2 ** Math.min(attempt - 1, 10));
  return Math.round(full / 2 + (full / 2) * random);
}

/** Keeps one WebSocket to `/api/live` open, resumes where it left off, and says honestly how it stands. */
export class LiveFeed {
  readonly #options: FeedOptions;
  readonly #now: () => number;
  readonly #random: () => number;
  #socket: Socket | null = null;
  #isOpen = false;
  /** Whose events are asked for beyond the public ones. */
  #token: string | null = null;
  #attempt = 0;
  #heardAt = 0;
  #phase: Link["phase"] | "stopped" = "stopped";
  #retry: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setInterval> | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#random = options.random ?? Math.random;
  }

  start(): void {
    if (this.#phase !== "stopped") return;
    this.#watch = setInterval(() => this.#look(), watchMs);
    this.#connect();
  }

  stop(): void {
    clearTimeout(this.#retry);
    clearInterval(this.#watch);
    this.#drop();
    this.#phase = "stopped";
  }

  /** Tries at once instead of at the end of the back-off (the viewer asked, or the network came back). */
  retryNow(): void {
    if (this.#phase !== "waiting") return;
    clearTimeout(this.#retry);
    this.#connect();
  }

  /**
   * From now on the feed is for whom this token stands for: it is said after each connect, and again when there is a newer one.
   * Without one the connection is made anew, as a stranger's.
   */
  identify(token: string | null): void {
    if (token === this.#token) return;
    this.#token = token;
    if (token !== null) this.#introduce();
    else if (this.#socket !== null) {
      this.#drop();
      this.#connect();
    }
  }

  #introduce(): void {
    if (!this.#isOpen || this.#token === null) return;
    this.#socket?.send?.(JSON.stringify({ type: "auth", token: this.#token }));
  }

  #connect(): void {
    const since = this.#options.since();
    const url = since === null ? this.#options.url : `${this.#options.url}?since=${since}`;
    this.#heardAt = this.#now();
    this.#say({ phase: "connecting" });
    let socket: Socket;
    try {
      socket = this.#options.open(url);
    } catch {
      this.#wait();
      return;
    }
    this.#socket = socket;
    socket.onopen = () => {
      this.#isOpen = true;
      this.#introduce();
    };
    socket.onmessage = (event) => this.#hear(event.data);
    // An error is always followed by close, which carries the same news.
    socket.onclose = () => {
      this.#drop();
      this.#wait();
    };
  }

  #hear(data: unknown): void {
    this.#heardAt = this.#now();
    // Only a message proves the feed: a proxy may accept the socket and close it right away.
    this.#attempt = 0;
    if (this.#phase !== "live") this.#say({ phase: "live" });
    if (typeof data === "string") this.#options.onText(data);
  }

  #look(): void {
    if (!this.#socket) return;
    const quiet = this.#now() - this.#heardAt;
    if (quiet >= deadMs) {
      this.#drop();
      this.#wait();
    } else if (quiet >= silenceMs && this.#phase === "live") {
      this.#say({ phase: "silent", since: this.#heardAt });
    }
  }

  #wait(): void {
    this.#attempt += 1;
    const delay = retryDelayMs(this.#attempt, this.#random());
    this.#say({ phase: "waiting", retryAt: this.#now() + delay, attempt: this.#attempt });
    this.#retry = setTimeout(() => this.#connect(), delay);
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#isOpen = false;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = socket.onerror = null;
    socket.close();
  }

  #say(link: Link): void {
    this.#phase = link.phase;
    this.#options.onLink(link);
  }
}
