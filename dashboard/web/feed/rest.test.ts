import { describe, expect, it, vi } from "vitest";
import { makeBlock, makeMiner, makeStats } from "../test-data";
import { loadRest } from "./rest";

function json(value: unknown): Response {
  return new Response(JSON.stringify(value));
}

describe("loadRest", () => {
  it("reads the three routes", async () => {
    const answer = await loadRest(async (path) => {
      if (path.startsWith("/api/stats")) return json(makeStats());
      return json({
        items: path.startsWith("/api/blocks")
          ? [makeBlock("aa")]
          : [makeMiner("alice"), makeMiner("gone", { workers: 0, connected_since: null })],
        next: null,
      });
    });
    expect(answer.stats?.pool.miners).toBe(2);
    expect(answer.blocks?.[0]?.hash).toBe("aa");
    expect(answer.miners?.map(({ account }) => account)).toEqual(["alice"]);
  });

  it("asks for the figures alone where a page is not about the lists", async () => {
    const asked: string[] = [];
    const answer = await loadRest(async (path) => {
      asked.push(path);
      return json(makeStats());
    }, false);
    expect(asked).toEqual(["/api/stats"]);
    expect(answer).toMatchObject({ blocks: null, miners: null, stats: { pool: { miners: 2 } } });
  });

  it("lets each fail by itself", async () => {
    const answer = await loadRest(async (path) => {
      if (path.startsWith("/api/stats")) return json({ pool: "odd" });
      if (path.startsWith("/api/blocks")) return new Response("", { status: 503 });
      return json([]);
    });
    expect(answer).toEqual({ stats: null, blocks: null, miners: [] });
  });

  it("uses the browser's fetch", async () => {
    const fetcher = vi.spyOn(globalThis, "fetch").mockRejectedValue(new TypeError("offline"));
    expect(await loadRest()).toEqual({ stats: null, blocks: null, miners: null });
    expect(fetcher).toHaveBeenCalledTimes(3);
  });
});
