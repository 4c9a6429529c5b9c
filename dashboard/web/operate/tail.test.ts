// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { noAnswer } from "../algorithms/failure";
import type { LogFilter } from "./api";
import type { Line } from "./schema";
import { keptMax, Tail } from "./tail";

const line = (seq: number): Line => ({
  seq,
  at: "2026-11-22T12:00:00Z",
  level: "info",
  category: "stratum",
  target: "pool_actors::stratum",
  message: `line ${seq}`,
  fields: {},
});

/** A pool that keeps lines `oldest..=newest`, and answers as the real one does. */
class Log {
  oldest = 1;
  newest: number;
  asked: Record<string, string>[] = [];
  broken = false;
  /** Answers wait for it. */
  gate: Promise<void> = Promise.resolve();

  constructor(newest: number) {
    this.newest = newest;
  }

  readonly logs = async (_: LogFilter, more: Record<string, string>) => {
    this.asked.push(more);
    await this.gate;
    if (this.broken) return { ok: false as const, failure: noAnswer() };
    const limit = Number(more.limit);
    const { newest, oldest } = this;
    const [from, to] = more.after
      ? [Math.max(Number(more.after) + 1, oldest), Math.min(Math.max(Number(more.after), oldest - 1) + limit, newest)]
      : ((end) => [Math.max(end - limit + 1, oldest), end])(more.cursor ? Number(more.cursor) - 1 : newest);
    const items = Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => line(from + index));
    const missed = more.after ? Math.max(0, oldest - Number(more.after) - 1) : 0;
    const next = from > oldest && items.length > 0 ? String(from) : null;
    return { ok: true as const, value: { items, next, seen: more.after ? to : newest, missed, categories: [] } };
  };
}

describe("the tail of the log", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => {
    tail.stop();
    vi.useRealTimers();
  });
  const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
  let tail: Tail;

  async function follow(log: Log) {
    tail = new Tail(log);
    tail.start({ level: "", category: "", search: "" });
    await pass(0);
    return tail;
  }

  /** First and last line; there is no hole between them. */
  function span(): [number | undefined, number | undefined] {
    const seqs = tail.shown().lines.map(({ seq }) => seq);
    const holes = seqs.filter((seq, index) => index > 0 && seq !== (seqs[index - 1] ?? 0) + 1);
    expect(holes).toEqual([]);
    return [seqs[0], seqs.at(-1)];
  }

  it("has no hole after older lines were asked for on a full page", async () => {
    const log = new Log(30_000);
    await follow(log);
    for (let page = 0; page < 9; page += 1) await tail.older();
    expect(span()).toEqual([20_001, 30_000]);
    expect(tail.shown()).toMatchObject({ phase: "following", behind: false });
    // No room: the newest make it, and wait.
    await tail.older();
    expect(span()).toEqual([19_001, 29_000]);
    expect(tail.shown()).toMatchObject({ phase: "paused", behind: true, older: "19001" });
    log.newest = 30_500;
    const asked = log.asked.length;
    await pass(10_000);
    expect(log.asked.length).toBe(asked);
    tail.resume();
    await pass(3_000);
    expect(span()).toEqual([20_501, 30_500]);
    expect(tail.shown()).toMatchObject({ phase: "following", behind: false, missed: 0 });
  });

  it("counts what the pool did not keep until it went on", async () => {
    const log = new Log(30_000);
    await follow(log);
    for (let page = 0; page < 10; page += 1) await tail.older();
    expect(span()).toEqual([19_001, 29_000]);
    [log.oldest, log.newest] = [29_101, 31_000];
    tail.resume();
    await pass(3_000);
    expect(tail.shown()).toMatchObject({ missed: 100, phase: "following" });
    expect(tail.shown().lines.at(-1)?.seq).toBe(31_000);
  });

  it("asks for what is older than the oldest line that it still has", async () => {
    const log = new Log(1_000);
    await follow(log);
    expect(tail.shown().older).toBeNull();
    for (let more = 0; more < 6; more += 1) {
      log.newest += 2_000;
      await pass(300);
    }
    expect(span()).toEqual([3_001, 13_000]);
    expect(tail.shown().lines).toHaveLength(keptMax);
    await tail.older();
    expect(span()).toEqual([2_001, 12_000]);
  });

  it("takes neither a line twice nor none while older lines are under way", async () => {
    const log = new Log(5_000);
    await follow(log);
    let open = () => {};
    log.gate = new Promise((done) => {
      open = done;
    });
    log.newest = 5_100;
    await pass(300);
    const older = [tail.older(), tail.older()];
    open();
    await Promise.all(older);
    await pass(300);
    expect(span()).toEqual([3_001, 5_100]);
    expect(tail.shown().phase).toBe("following");
  });

  it("goes on when older lines could not be had, and stays paused where it was", async () => {
    const log = new Log(5_000);
    await follow(log);
    log.broken = true;
    await tail.older();
    expect(tail.shown().failure).not.toBeNull();
    log.broken = false;
    log.newest = 5_001;
    await pass(3_000);
    expect(span()).toEqual([4_001, 5_001]);
    tail.pause();
    log.newest = 5_002;
    await tail.older();
    await pass(3_000);
    expect(span()).toEqual([3_001, 5_001]);
    expect(tail.shown().phase).toBe("paused");
  });
});
