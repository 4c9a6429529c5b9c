import { describe, expect, it } from "vitest";
import { at, frame, makeBlock, makeMiner, makeSnapshot, makeStats } from "../test-data";
import { decode, decodeList } from "./decode";
import { block, miner } from "./schema";

describe("decode", () => {
  it("reads a snapshot whole", () => {
    const { message, problems } = decode(frame("snapshot", 7, makeSnapshot()));
    expect(problems).toEqual([]);
    expect(message).toMatchObject({
      type: "snapshot",
      seq: 7,
      at: Date.parse(at),
      job: { id: "5a1" },
      node: { ready: true },
    });
    expect(message?.type === "snapshot" && message.blocks.map((one) => one.hash)).toEqual(["bb02", "aa01"]);
  });

  it("drops a bad item and keeps the rest", () => {
    const blocks = [makeBlock("aa"), { hash: 7 }, makeBlock("cc")];
    const { message, problems } = decode(frame("snapshot", 1, makeSnapshot({ blocks, miners: "none", node: null })));
    expect(message?.type === "snapshot" && message.blocks.length).toBe(2);
    expect(message).toMatchObject({ miners: [], node: null });
    expect(problems).toHaveLength(2);
    expect(problems[0]).toContain("blocks.1");
  });

  it("tells a job that is not mentioned from one that is gone", () => {
    const silent = decode(frame("stats", 2, { stats: makeStats() })).message;
    expect(silent).toMatchObject({ job: undefined, node: undefined, miners: null, point: null });
    const gone = decode(frame("stats", 2, { stats: makeStats(), job: null, node: null, miners: [] })).message;
    expect(gone).toMatchObject({ job: null, node: null, miners: [] });
  });

  it.each([
    ["no JSON", "{ not json", "frame: not JSON"],
    ["no envelope", "[1,2]", "message"],
    ["no time", JSON.stringify({ type: "stats", seq: 1, at: "soon", data: {} }), "stats.at"],
    ["no block", frame("block", 1, { hash: 7 }), "block.hash"],
    ["no peer", frame("miner_connected", 1, null), "miner_connected"],
  ])("survives a message with %s", (_, text, problem) => {
    const { message, problems } = decode(text);
    expect(message).toBeNull();
    expect(problems[0]).toContain(problem);
  });

  it("survives data of any kind", () => {
    for (const data of [null, 5, "text", [], { stats: { pool: null } }]) {
      for (const type of ["snapshot", "stats", "block", "alert", "share_rate"]) {
        expect(() => decode(frame(type, 1, data))).not.toThrow();
      }
    }
  });

  it("understands times in milliseconds, and refuses those beyond the calendar", () => {
    const found = decode(frame("block", 1, { ...makeBlock("aa"), found_at: Date.parse(at) }));
    expect(found.message).toMatchObject({ block: { found_at: "2026-11-22T12:00:00.000Z" } });
    expect(decode(frame("block", 1, { ...makeBlock("aa"), found_at: 9e15 })).message).toBeNull();
  });

  it("reads blocks of others, peers, notices and topics it does not know", () => {
    const other = decode(
      frame("block", 3, { hash: "ff", height: 2, parents: ["aa"], ours: false, status: null, color: "green" }),
    );
    expect(other.message).toMatchObject({ block: { ours: false, status: null, color: "unknown", reward: null } });
    expect(decode(frame("miner_disconnected", 4, { session: 12 })).message).toMatchObject({ peer: { session: "12" } });
    expect(decode(frame("alert", 5, { message: "disk full", severity: "critical" })).message).toMatchObject({
      type: "notice",
      message: "disk full",
      severity: "critical",
    });
    const told = (data: object) => decode(frame("payout", 5, data)).message;
    const sent = { id: "30", state: "broadcast", recipients: 4, amount: "100", txid: "ab", reason: null };
    expect(told(sent)).toMatchObject({ message: "payout 30 to 4 accounts is broadcast", severity: "info" });
    expect(told({ ...sent, id: 31, state: "returned", recipients: 1, reason: "too small" })).toMatchObject({
      message: "payout 31 to 1 account is returned: too small",
    });
    const begun = { state: "calculated", payouts: 2, recipients: 5, amount: "100" };
    expect(told(begun)).toMatchObject({ message: "2 payouts to 5 accounts set aside" });
    expect(told({ id: {} })).toMatchObject({ message: "payout" });
    expect(decode(frame("alert", 5, "odd")).message).toMatchObject({ message: "alert" });
    const step = { deployment_id: 7, status: "running", phase: "shadow" };
    expect(decode(frame("deployment", 5, step)).message).toMatchObject({ deployment: { deployment_id: "7" } });
    expect(decode(frame("deployment", 5, { staging: "ab", check: null })).message).toMatchObject({ topic: "staging" });
    expect(decode(frame("deployment", 5, "odd")).problems).toHaveLength(1);
    expect(decode(frame("brand_new", 6, {})).message).toMatchObject({ type: "other", topic: "brand_new" });
  });
});

describe("REST lists", () => {
  it("come bare or with a cursor", () => {
    expect(decodeList(block, { items: [makeBlock("aa")], next: null })).toHaveLength(1);
    expect(decodeList(block, [makeBlock("aa"), {}])).toHaveLength(1);
    expect(decodeList(block, undefined)).toEqual([]);
  });

  it("may carry a miner's workers as a list", () => {
    const [found] = decodeList(miner, [{ ...makeMiner("alice"), workers: [{}, {}], difficulty: "1024" }]);
    expect(found).toMatchObject({ workers: 2, difficulty: 1024 });
  });
});
