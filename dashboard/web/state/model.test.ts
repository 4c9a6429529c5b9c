import { describe, expect, it } from "vitest";
import { decode } from "../feed/decode";
import { at, atMs, frame, makeBlock, makeMiner, makeSnapshot, makeStats } from "../test-data";
import { type Action, initialState, limits, type PoolState, readiness, reduce } from "./model";

function hear(text: string, now = atMs): Action {
  return { type: "frame", decoded: decode(text), now };
}

function play(...actions: Action[]): PoolState {
  return actions.reduce(reduce, initialState);
}

const live: Action = { type: "link", link: { phase: "live" } };
const tick = (seq: number, time: string, change: object = {}) =>
  hear(
    frame(
      "stats",
      seq,
      { stats: makeStats(), point: { at: time, hashrate: 1, shares_per_second: 2 }, ...change },
      time,
    ),
  );

describe("snapshot", () => {
  it("fills everything, blocks oldest first", () => {
    const state = play(hear(frame("snapshot", 7, makeSnapshot()), atMs - 2500));
    expect(state).toMatchObject({ seq: 7, skewMs: 2500, currency: { symbol: "SDAG" } });
    expect([...(state.blocks?.keys() ?? [])]).toEqual(["aa01", "bb02"]);
    expect(state.miners?.length).toBe(2);
    expect(state.samples).toHaveLength(2);
  });

  it("says so when there is no job and no node, and finds the currency in the stats", () => {
    const state = play(
      hear(frame("snapshot", 1, makeSnapshot({ job: null, node: null, currency: null, history: [] }))),
    );
    expect(state).toMatchObject({ job: "none", node: "none", currency: { decimals: 8 } });
    expect(readiness(state)).toBe(true);
  });

  it("starts over when the pool did: a lower sequence is accepted", () => {
    const state = play(
      hear(frame("snapshot", 900, makeSnapshot())),
      hear(frame("snapshot", 2, makeSnapshot({ blocks: [] }))),
    );
    expect(state.seq).toBe(2);
    expect(state.blocks?.size).toBe(0);
  });

  it("keeps old stats when the new ones cannot be read, and counts that", () => {
    const state = play(
      hear(frame("snapshot", 1, makeSnapshot())),
      hear(frame("snapshot", 2, makeSnapshot({ stats: 5 }))),
    );
    expect(state.stats?.pool.miners).toBe(2);
    expect(state.problems.count).toBe(1);
    expect(state.problems.last).toContain("stats");
  });
});

describe("stats", () => {
  it("adds one sample a second and breaks the line at a gap", () => {
    const state = play(
      tick(1, "2026-11-22T12:00:00Z"),
      tick(2, "2026-11-22T12:00:01Z"),
      tick(3, "2026-11-22T12:00:01Z"),
      tick(4, "2026-11-22T12:01:00Z"),
      tick(5, "2026-11-22T12:01:01Z", { point: { at: "soon", hashrate: 1, shares_per_second: 1 } }),
    );
    expect(state.samples.map((sample) => sample.hashrate)).toEqual([1, 1, null, 1]);
  });

  it("never keeps more samples than its bound", () => {
    let state = initialState;
    for (let second = 0; second < limits.points + 50; second += 1) {
      state = reduce(state, tick(second + 1, new Date(atMs + second * 1000).toISOString()));
    }
    expect(state.samples.length).toBeLessThanOrEqual(limits.points);
    expect(state.samples.at(-1)?.at).toBe(atMs + (limits.points + 49) * 1000);
  });

  it("ignores what a resumed feed repeats", () => {
    const state = play(tick(5, at), tick(5, "2026-11-22T12:00:09Z"), tick(4, "2026-11-22T12:00:10Z"));
    expect(state.samples).toHaveLength(1);
    expect(state.seq).toBe(5);
  });

  it("notes when the node stops and starts taking blocks", () => {
    const node = { name: "n", ready: true, reason: null };
    const state = play(
      tick(1, at, { node }),
      tick(2, at, { node: { ...node, ready: false, reason: "syncing" } }),
      tick(3, at, { node }),
      tick(4, at, { node: null, job: null }),
    );
    expect(state.events.map((event) => event.tone)).toEqual(["good", "bad"]);
    expect(state).toMatchObject({ node: "none", job: "none" });
  });

  it("tells what came back, and after how long", () => {
    const absence = (component: string, since: string | null) => ({
      component,
      code: "X",
      message: "away",
      since,
      figures_at: null,
      waiting_shares: null,
    });
    const degraded = [absence("store", "2026-11-22T11:59:30Z"), absence("moon", null)];
    const away = play(
      hear(frame("snapshot", 1, makeSnapshot())),
      tick(2, at, { stats: makeStats({ degraded }) }),
      tick(3, at, { stats: makeStats({ degraded: degraded.slice(0, 1) }) }),
    );
    expect(away.events.map(({ text }) => text)).toEqual(["moon is back"]);
    const back = [tick(4, "2026-11-22T12:00:02Z"), tick(5, "2026-11-22T12:00:03Z")].reduce(reduce, away);
    expect(back.events.map(({ text }) => text)).toContain("The database is back, after 32\u00a0s");
    expect(back.events).toHaveLength(2);
  });

  it("keeps what the message does not mention", () => {
    const state = play(hear(frame("snapshot", 1, makeSnapshot())), hear(frame("stats", 2, { stats: "odd" })));
    expect(state).toMatchObject({ job: { id: "5a1" }, node: { name: "node-1" } });
    expect(state.stats).not.toBeNull();
  });
});

describe("blocks", () => {
  it("tells the life of ours, not that of others", () => {
    const state = play(
      hear(frame("block", 1, makeBlock("aa", { status: "candidate", color: "unknown" }))),
      hear(frame("block", 2, makeBlock("zz", { ours: false, status: null }))),
      hear(frame("block", 3, makeBlock("aa", { status: "accepted", color: "unknown" }))),
      hear(frame("block", 4, makeBlock("aa", { status: "accepted", color: "blue" }))),
      hear(frame("block", 5, makeBlock("aa", { status: "accepted", color: "red", confirmations: 9 }))),
      hear(frame("block", 6, makeBlock("aa", { status: "accepted", color: "red", confirmations: 10 }))),
      hear(frame("block", 7, makeBlock("aa", { status: "void", color: "red" }))),
      hear(frame("block", 8, makeBlock("aa", { status: null, color: "red" }))),
    );
    expect(state.events.map((event) => event.text.replace("Block aa ", ""))).toEqual([
      "void: no reward",
      "turned red",
      "is blue",
      "accepted",
      "found",
    ]);
    expect(state.blocks?.size).toBe(2);
    expect(new Set(state.events.map((event) => event.id)).size).toBe(5);
  });

  it("never keeps more than its bound, oldest go first", () => {
    let state = initialState;
    for (let index = 1; index <= limits.blocks + 20; index += 1) {
      state = reduce(state, hear(frame("block", index, makeBlock(`b${index}`))));
    }
    expect(state.blocks?.size).toBe(limits.blocks);
    expect(state.blocks?.has("b20")).toBe(false);
    expect(state.blocks?.has("b21")).toBe(true);
    expect(state.events.length).toBeLessThanOrEqual(40);
  });
});

describe("events", () => {
  it("name miners by what is known of them", () => {
    const state = play(
      hear(frame("miner_connected", 1, { session: 1, account: "alice", worker: "rig" })),
      hear(frame("miner_disconnected", 2, { session: 1, peer: "192.0.2.1:5" })),
      hear(frame("miner_connected", 3, { session: 2 })),
      hear(frame("alert", 4, { message: "disk nearly full", severity: "warning" })),
      hear(frame("payout", 5, { id: "9", state: "final", recipients: 2 })),
      hear(frame("share_rate", 6, {})),
    );
    expect(state.events.map((event) => event.text)).toEqual([
      "payout 9 to 2 accounts is final",
      "disk nearly full",
      "a miner connected",
      "192.0.2.1:5 disconnected",
      "alice.rig connected",
    ]);
    expect(state.seq).toBe(6);
  });
});

describe("REST", () => {
  const answer = { stats: makeStats({ pool: { miners: 9 } }), blocks: [makeBlock("rr")], miners: [makeMiner("rest")] };

  it("fills the page before the feed does", () => {
    const state = play({ type: "rest", answer, now: 5 });
    expect(state).toMatchObject({ restOk: true, statsAt: 5, stats: { pool: { miners: 9 } } });
    expect(state.nodeAt).toBeNull();
  });

  it("does not overwrite a live feed, but adds to a dead one", () => {
    const fresh = play(hear(frame("snapshot", 1, makeSnapshot())), live, { type: "rest", answer, now: atMs + 100 });
    expect(fresh.stats?.pool.miners).toBe(2);
    const dead = play(hear(frame("snapshot", 1, makeSnapshot())), {
      type: "rest",
      answer: { ...answer, miners: null },
      now: atMs + 9000,
    });
    expect(dead.stats?.pool.miners).toBe(9);
    expect([...(dead.blocks?.keys() ?? [])]).toEqual(["aa01", "bb02", "rr"]);
    expect(dead.miners?.length).toBe(2);
  });

  it("remembers that nothing answered", () => {
    const state = play({ type: "rest", answer: { stats: null, blocks: null, miners: null }, now: 5 });
    expect(state).toMatchObject({ restOk: false, stats: null, blocks: null });
    expect(readiness(state)).toBeNull();
  });
});

describe("unreadable messages", () => {
  it("cost themselves and nothing else", () => {
    const before = play(hear(frame("snapshot", 1, makeSnapshot())));
    const after = reduce(before, hear("{ not json"));
    expect(after).toEqual({ ...before, problems: { count: 1, last: "frame: not JSON", at: atMs } });
  });
});
