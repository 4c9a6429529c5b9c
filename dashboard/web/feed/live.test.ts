import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Link, LiveFeed, retryDelayMs, type Socket } from "./live";

class FakeSocket implements Socket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;
  onerror: (() => void) | null = null;
  closed = false;
  sent: string[] = [];
  send(text: string) {
    this.sent.push(text);
  }
  close() {
    this.closed = true;
  }
}

function setUp(since: () => number | null = () => null) {
  const opened: { url: string; socket: FakeSocket }[] = [];
  const links: Link[] = [];
  const texts: string[] = [];
  const feed = new LiveFeed({
    url: "ws://pool/api/live",
    open: (url) => {
      const socket = new FakeSocket();
      opened.push({ url, socket });
      return socket;
    },
    since,
    onText: (text) => texts.push(text),
    onLink: (link) => links.push(link),
    random: () => 1,
  });
  const newest = () => opened.at(-1)?.socket as FakeSocket;
  return { feed, opened, links, texts, newest, phase: () => links.at(-1)?.phase };
}

describe("LiveFeed", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is live only once a message came", () => {
    const { feed, newest, phase, texts } = setUp();
    feed.start();
    feed.start();
    newest().onopen?.();
    expect(phase()).toBe("connecting");
    newest().onmessage?.({ data: "hello" });
    expect(phase()).toBe("live");
    newest().onmessage?.({ data: new ArrayBuffer(1) });
    expect(texts).toEqual(["hello"]);
    feed.stop();
  });

  it("backs off while the pool is away, and resumes after the last message", () => {
    let seen: number | null = null;
    const { feed, opened, newest, links } = setUp(() => seen);
    feed.start();
    newest().onclose?.();
    expect(links.at(-1)).toEqual({ phase: "waiting", attempt: 1, retryAt: Date.now() + 500 });
    vi.advanceTimersByTime(500);
    newest().onclose?.();
    expect(links.at(-1)).toMatchObject({ attempt: 2, retryAt: Date.now() + 1000 });
    vi.advanceTimersByTime(1000);
    expect(opened.map(({ url }) => url)).toEqual(Array(3).fill("ws://pool/api/live"));
    newest().onmessage?.({ data: "snapshot" });
    seen = 41;
    newest().onclose?.();
    expect(links.at(-1)).toMatchObject({ attempt: 1 });
    vi.advanceTimersByTime(500);
    expect(opened.at(-1)?.url).toBe("ws://pool/api/live?since=41");
    feed.stop();
  });

  it("tells of silence, then gives the connection up", () => {
    const { feed, newest, phase, links } = setUp();
    feed.start();
    const first = newest();
    first.onmessage?.({ data: "one" });
    const heard = Date.now();
    vi.advanceTimersByTime(4000);
    expect(links.at(-1)).toEqual({ phase: "silent", since: heard });
    first.onmessage?.({ data: "two" });
    expect(phase()).toBe("live");
    vi.advanceTimersByTime(12_000);
    expect(phase()).toBe("waiting");
    expect(first.closed).toBe(true);
    feed.stop();
  });

  it("does not hang on a connection that is never answered", () => {
    const { feed, phase } = setUp();
    feed.start();
    vi.advanceTimersByTime(12_000);
    expect(phase()).toBe("waiting");
    feed.stop();
  });

  it("says for whom it is after each connect and with each newer token, and is a stranger's again without one", () => {
    const { feed, opened, newest } = setUp();
    const auth = (token: string) => JSON.stringify({ type: "auth", token });
    feed.identify("first");
    feed.start();
    const first = newest();
    expect(first.sent).toEqual([]);
    first.onopen?.();
    feed.identify("first");
    feed.identify("second");
    expect(first.sent).toEqual([auth("first"), auth("second")]);
    first.onclose?.();
    feed.identify("third");
    vi.advanceTimersByTime(500);
    newest().onopen?.();
    expect(newest().sent).toEqual([auth("third")]);
    const last = newest();
    feed.identify(null);
    expect(last.closed).toBe(true);
    expect(opened).toHaveLength(3);
    newest().onopen?.();
    expect(newest().sent).toEqual([]);
    feed.identify("fourth");
    expect(newest().sent).toEqual([auth("fourth")]);
    feed.stop();
    feed.identify(null);
    expect(opened).toHaveLength(3);
  });

  it("tries at once when asked, and only while it waits", () => {
    const { feed, opened, newest } = setUp();
    feed.start();
    feed.retryNow();
    expect(opened).toHaveLength(1);
    newest().onclose?.();
    feed.retryNow();
    expect(opened).toHaveLength(2);
    vi.advanceTimersByTime(10_000);
    expect(opened).toHaveLength(2);
    feed.stop();
  });

  it("goes on when the browser refuses to open a socket, and stops when told", () => {
    const links: Link[] = [];
    const feed = new LiveFeed({
      url: "ws://x",
      open: () => {
        throw new Error("blocked");
      },
      since: () => null,
      onText: () => {},
      onLink: (link) => links.push(link),
    });
    feed.start();
    expect(links.at(-1)?.phase).toBe("waiting");
    feed.stop();
    const count = links.length;
    vi.advanceTimersByTime(60_000);
    expect(links).toHaveLength(count);
  });
});

describe("retryDelayMs", () => {
  it("doubles up to a bound, and spreads over its upper half", () => {
    expect([1, 2, 3, 4, 5, 6, 50].map((attempt) => retryDelayMs(attempt, 1))).toEqual([
      500, 1000, 2000, 4000, 8000, 15_000, 15_000,
    ]);
    expect(retryDelayMs(3, 0)).toBe(1000);
  });
});
