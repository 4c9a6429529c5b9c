// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Socket } from "../feed/live";
import { frame, makeSnapshot, makeStats } from "../test-data";
import { liveUrl, resumePoint, Session } from "./session";
import { Store } from "./store";

function setUp() {
  const sockets: Socket[] = [];
  const load = vi.fn(async () => ({ stats: makeStats(), blocks: [], miners: [] }));
  const store = new Store((flush) => flush());
  const open = () => {
    const socket: Socket = { onopen: null, onmessage: null, onclose: null, onerror: null, close() {} };
    sockets.push(socket);
    return socket;
  };
  return { sockets, load, store, session: new Session({ url: "ws://x", open, load, store }) };
}

describe("Session", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("loads by REST at once, then follows the feed without polling", async () => {
    const { session, sockets, load, store } = setUp();
    session.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(store.shown().restOk).toBe(true);
    sockets[0]?.onmessage?.({ data: frame("snapshot", 3, makeSnapshot()) });
    expect(store.shown()).toMatchObject({ link: { phase: "live" }, seq: 3 });
    for (let second = 0; second < 20; second += 1) {
      sockets[0]?.onmessage?.({ data: frame("stats", 4 + second, { stats: makeStats() }) });
      await vi.advanceTimersByTimeAsync(1000);
    }
    expect(load).toHaveBeenCalledTimes(1);
    session.stop();
  });

  it("introduces whoever signed in to the feed", () => {
    const { session, sockets } = setUp();
    const sent: string[] = [];
    session.start();
    const [socket] = sockets as [Socket];
    socket.send = (text) => void sent.push(text);
    socket.onopen?.();
    session.identify("mine");
    expect(sent).toEqual(['{"type":"auth","token":"mine"}']);
    session.stop();
  });

  it("polls while the feed is away, and reconnects when the network is back", async () => {
    const { session, sockets, load } = setUp();
    session.start();
    await vi.advanceTimersByTimeAsync(0);
    sockets[0]?.onclose?.();
    window.dispatchEvent(new Event("online"));
    expect(sockets).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(load).toHaveBeenCalledTimes(3);
    session.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(load).toHaveBeenCalledTimes(3);
  });

  it("asks one thing at a time", async () => {
    const { session, load } = setUp();
    load.mockImplementation(() => new Promise(() => {}));
    session.start();
    await vi.advanceTimersByTimeAsync(30_000);
    expect(load).toHaveBeenCalledTimes(1);
    session.stop();
  });

  it("resumes after a short absence only", () => {
    expect(resumePoint({ seq: 7, nodeAt: 1000 }, 20_000)).toBe(7);
    expect(resumePoint({ seq: 7, nodeAt: 1000 }, 40_000)).toBeNull();
    expect(resumePoint({ seq: null, nodeAt: null }, 0)).toBeNull();
  });

  it("finds the feed beside the page", () => {
    expect(liveUrl({ protocol: "http:", host: "pool:8080" })).toBe("ws://pool:8080/api/live");
    expect(liveUrl({ protocol: "https:", host: "pool" })).toBe("wss://pool/api/live");
  });

  it("opens real sockets and asks by fetch when told nothing else", async () => {
    const made: string[] = [];
    vi.stubGlobal(
      "WebSocket",
      class {
        constructor(url: string) {
          made.push(url);
        }
        close() {}
      },
    );
    const fetcher = vi.spyOn(globalThis, "fetch").mockRejectedValue(new TypeError("offline"));
    const session = new Session({ url: "ws://real" });
    session.start();
    await vi.advanceTimersByTimeAsync(0);
    expect(made).toEqual(["ws://real"]);
    expect(fetcher).toHaveBeenCalled();
    session.stop();
  });
});

describe("Store", () => {
  it("announces a burst once", () => {
    let flush = () => {};
    const store = new Store((later) => {
      flush = later;
    });
    const listener = vi.fn();
    const leave = store.subscribe(listener);
    store.dispatch({ type: "link", link: { phase: "live" } });
    store.dispatch({ type: "link", link: { phase: "connecting" } });
    expect(store.shown().link.phase).toBe("connecting");
    flush();
    expect(listener).toHaveBeenCalledTimes(1);
    leave();
    store.dispatch({ type: "link", link: { phase: "live" } });
    expect(store.latest.link.phase).toBe("live");
    expect(store.shown().link.phase).toBe("connecting");
    flush();
    expect(listener).toHaveBeenCalledTimes(1);
  });

  it("announces within a tenth of a second by default", () => {
    vi.useFakeTimers();
    const store = new Store();
    store.dispatch({ type: "link", link: { phase: "live" } });
    vi.advanceTimersByTime(100);
    expect(store.shown().link.phase).toBe("live");
    vi.useRealTimers();
  });
});
