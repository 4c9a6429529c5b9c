import { describe, expect, it } from "vitest";
import type { Block } from "../feed/schema";
import { makeBlock } from "../test-data";
import { Book, bookLimit } from "./book";
import { column, row } from "./geometry";
import { Older } from "./older";
import * as viewport from "./viewport";

const chain = (from: number, to: number, change: Partial<Block> = {}): Block[] =>
  Array.from({ length: to - from }, (_, index) => {
    const height = from + index;
    return makeBlock(`b${height}`, {
      height,
      parents: [`b${height - 1}`],
      found_at: new Date(Date.UTC(2026, 10, 22, 12, 0, height)).toISOString(),
      ...change,
    });
  });

const honest = (book: Book) =>
  [...book.blocks.values()].every((block) =>
    block.parents.every((parent) => {
      const place = book.place(parent);
      return place === undefined || place.layer < (book.place(block.hash)?.layer ?? -1);
    }),
  );

describe("Book", () => {
  it("follows the feed without moving what is shown", () => {
    const book = new Book();
    expect(book.follow(chain(0, 5))).toEqual({ changed: true, moved: false });
    const before = book.place("b2");
    const same = [...book.blocks.values()];
    expect(book.follow(same)).toEqual({ changed: false, moved: false });
    expect(book.follow([...same, ...chain(5, 8)])).toEqual({ changed: true, moved: false });
    expect(book.place("b2")).toBe(before);
    expect([book.min, book.max, book.size]).toEqual([0, 7, 8]);
    expect(book.childrenOf("b3")).toEqual(["b4"]);
    const recoloured = makeBlock("b2", { ...chain(2, 3)[0], color: "red" });
    expect(book.follow([recoloured])).toEqual({ changed: true, moved: false });
    expect(book.blocks.get("b2")?.color).toBe("red");
  });

  it("places all anew when a parent comes after its child", () => {
    const book = new Book();
    book.follow(chain(3, 6));
    const late = makeBlock("b2", { height: 2, parents: [] });
    expect(book.follow([late]).moved).toBe(true);
    expect(honest(book)).toBe(true);
    expect(book.place("b2")?.layer).toBe(0);
  });

  it("grows to the left with older blocks, those of ours with gaps between them too", () => {
    const book = new Book();
    book.follow(chain(100, 110));
    expect(book.addOlder(chain(95, 102).reverse())).toBe(5);
    expect(book.addOlder(chain(95, 100))).toBe(0);
    expect(honest(book)).toBe(true);
    const alone = [10, 20, 20, 30].map((height, at) =>
      makeBlock(`own${at}`, { height, parents: ["gone"], found_at: null }),
    );
    expect(book.addOlder(alone)).toBe(4);
    const layers = [0, 1, 2, 3].map((at) => book.place(`own${at}`)?.layer ?? -1);
    expect(layers[1]).toBe(layers[2]);
    expect(layers[0]).toBeLessThan(layers[1] as number);
    expect(layers[3]).toBeLessThan(book.place("b95")?.layer ?? -1);
    expect(book.newestFirst()[0]?.hash).toBe("b109");
    expect(book.layers.get(layers[0] as number)?.at).toBeNull();
    // A candidate of a moment ago has no height yet.
    book.follow([makeBlock("fresh", { height: null, parents: [] })]);
    expect(book.place("fresh")?.layer).toBe(book.max);
  });

  it("lets the oldest go beyond its limit", () => {
    const book = new Book();
    book.addOlder(chain(0, bookLimit));
    const { moved } = book.follow(chain(bookLimit, bookLimit + 1));
    expect([moved, book.size, honest(book)]).toEqual([true, bookLimit * 0.8, true]);
    expect(book.blocks.has("b0")).toBe(false);
    expect(book.blocks.has(`b${bookLimit}`)).toBe(true);
  });
});

describe("the view", () => {
  const size = { width: 1000, height: 400 };
  const book = new Book();
  book.follow(chain(0, 50));
  const view = { scale: 1, right: viewport.newestRight(book, 1), middle: 0 };

  it("shows the newest at the right end, and is moved and zoomed around a point", () => {
    const newest = book.place("b49") ?? { layer: 0, lane: 0 };
    const at = viewport.toScreen(newest, view, size);
    expect([at.x, at.y]).toEqual([936, 185]);
    const moved = viewport.panned(view, 100, 30, book, size);
    expect(viewport.toScreen(newest, moved, size)).toEqual({ x: 1036, y: 215 });
    const near = viewport.zoomed(view, 2, at.x, at.y, size);
    expect(viewport.toScreen(newest, near, size)).toEqual(at);
    expect(viewport.zoomed(view, 1000, 0, 0, size).scale).toBe(viewport.zoomLimits.max);
    const small = viewport.zoomed(view, 0.001, at.x, at.y, size);
    expect(small.scale).toBe(viewport.zoomLimits.min);
    const apart =
      viewport.toScreen({ layer: 0, lane: 1 }, small, size).y - viewport.toScreen({ layer: 0, lane: 0 }, small, size).y;
    expect(apart).toBeGreaterThan(20);
  });

  it("never loses the blocks", () => {
    const left = viewport.panned(view, 1e9, 1e9, book, size);
    const right = viewport.panned(view, -1e9, -1e9, book, size);
    expect(left.right).toBe(200);
    expect(right.right).toBe(49 * column + 300);
    expect([left.middle, right.middle]).toEqual([-12 * row, 12 * row]);
  });

  it("finds the block under a pointer, and the one in the middle", () => {
    const at = viewport.toScreen(book.place("b45") ?? { layer: 0, lane: 0 }, view, size);
    expect(viewport.blockAt(at.x + 6, at.y - 6, book, view, size)).toBe("b45");
    expect(viewport.blockAt(at.x + 39, at.y, book, view, size)).toBeNull();
    expect(viewport.blockInMiddle(book, view, size)).toBe("b43");
    expect(viewport.blockInMiddle(new Book(), view, size)).toBeNull();
  });

  it("keeps in place what has moved, and brings into sight what is asked for", () => {
    const held = viewport.anchored(view, { layer: 3, lane: 0 }, { layer: 9, lane: 1 });
    expect([held.right - view.right, held.middle]).toEqual([6 * column, row]);
    expect(viewport.anchored(view, undefined, { layer: 1, lane: 1 })).toBe(view);
    for (const place of [
      { layer: 0, lane: -6 },
      { layer: 49, lane: 6 },
    ]) {
      const { x, y } = viewport.toScreen(place, viewport.revealed(view, place, size), size);
      expect(x).toBeGreaterThanOrEqual(119);
      expect(x).toBeLessThanOrEqual(881);
      expect(y).toBeGreaterThanOrEqual(79);
      expect(y).toBeLessThanOrEqual(291);
    }
  });

  it("has ticks that stay apart and say when", () => {
    for (const scale of [1, 0.1, 2]) {
      const ticks = viewport.ticksOf(book, { ...view, scale }, size);
      expect(ticks.length).toBeGreaterThan(0);
      for (const [index, { x }] of ticks.entries()) {
        if (index > 0) expect(x - (ticks[index - 1]?.x ?? 0)).toBeGreaterThanOrEqual(112);
      }
    }
  });
});

describe("Older", () => {
  const json = (body: unknown, status = 200) => Promise.resolve(new Response(JSON.stringify(body), { status }));

  it("goes back through the pool's memory, then through our own, past what is known", async () => {
    const asked: string[] = [];
    const answers: Record<string, unknown> = {
      "/api/blocks/dag?limit=500": { items: chain(8, 10), next: "7" },
      "/api/blocks/dag?limit=500&cursor=7": { items: chain(6, 8), next: null },
      "/api/blocks?limit=500": { items: chain(6, 9), next: "3" },
      "/api/blocks?limit=500&cursor=3": { items: chain(1, 3), next: null },
    };
    const older = new Older((path) => {
      asked.push(path);
      return json(answers[path]);
    });
    const known = new Set(["b8", "b9"]);
    const take = async () => {
      const found = await older.next((hash) => known.has(hash));
      for (const { hash } of found) known.add(hash);
      return found.map(({ hash }) => hash);
    };
    expect(await take()).toEqual(["b6", "b7"]);
    expect(older.done).toBe(false);
    expect(await take()).toEqual(["b1", "b2"]);
    expect(older.done).toBe(true);
    expect(await take()).toEqual([]);
    expect(asked).toHaveLength(4);
    older.reset();
    expect(older.done).toBe(false);
    expect(await take()).toEqual([]);
  });

  it("does without a DAG that is not served, and goes on after a failure where it was", async () => {
    let status = 500;
    const older = new Older((path) =>
      path.startsWith("/api/blocks/dag") ? json({}, 404) : json({ items: chain(1, 2), next: null }, status),
    );
    await expect(older.next(() => false)).rejects.toThrow("500");
    status = 200;
    expect((await older.next(() => false)).map(({ hash }) => hash)).toEqual(["b1"]);
    expect(older.done).toBe(true);
  });
});
