import { describe, expect, it } from "vitest";
import type { Block } from "../feed/schema";
import { makeBlock } from "../test-data";
import { describeBlock } from "./describe";
import { edgesOf, frameOf } from "./geometry";
import { type Layout, layout } from "./layout";
import { neighbour } from "./navigate";

const block = (hash: string, parents: string[] = [], change: Partial<Block> = {}) =>
  makeBlock(hash, { parents, ...change });
const mapOf = (blocks: Block[]) => new Map(blocks.map((one) => [one.hash, one]));

/** a <- b, c <- d (merges both) <- e; f hangs on a and is merged by e. */
const diamond = [
  block("a"),
  block("b", ["a"]),
  block("c", ["a"]),
  block("f", ["a"], { color: "red" }),
  block("d", ["b", "c"]),
  block("e", ["d", "f"]),
];

function checkHonest(blocks: Block[], placed: Layout) {
  const seats = new Set<string>();
  for (const one of blocks) {
    const own = placed.places.get(one.hash);
    if (!own) throw new Error(`${one.hash} has no place`);
    seats.add(`${own.layer}:${own.lane}`);
    for (const parent of one.parents) {
      const from = placed.places.get(parent);
      // Not an expect for each: there are tens of thousands.
      if (from && from.layer >= own.layer) throw new Error(`the edge from ${one.hash} to ${parent} runs backwards`);
    }
  }
  expect(seats.size).toBe(blocks.length);
}

describe("layout", () => {
  it("runs every edge from left to right and gives each block its own place", () => {
    const placed = layout(diamond);
    checkHonest(diamond, placed);
    expect(placed.layers).toEqual({ min: 0, max: 3 });
  });

  it("does not depend on the order of arrival for its honesty", () => {
    checkHonest(diamond, layout([...diamond].reverse()));
  });

  it("keeps places while blocks come, change colour and go", () => {
    const first = layout(diamond.slice(0, 4));
    const turned = diamond.map((one) => ({ ...one, color: "red" as const })).slice(1);
    const second = layout(turned, first);
    for (const hash of ["b", "c", "f"]) expect(second.places.get(hash)).toEqual(first.places.get(hash));
    expect(second.places.has("a")).toBe(false);
    checkHonest(turned, second);
  });

  it("places everything anew when a parent comes after its child", () => {
    const child = block("child", ["late"]);
    const first = layout([block("root"), child]);
    const all = [block("root"), child, block("late", ["root"])];
    const second = layout(all, first);
    checkHonest(all, second);
    expect(second.places.get("child")?.layer).toBe(2);
  });

  it("goes by height where no parent is known", () => {
    const loose = [
      block("x", ["?1"], { height: 5 }),
      block("y", ["?2"], { height: 9 }),
      block("z", ["?3"], { height: 9 }),
    ];
    const placed = layout(loose);
    expect(loose.map((one) => placed.places.get(one.hash)?.layer)).toEqual([0, 1, 1]);
    const more = [...loose, block("w", ["?4"], { height: 10 })];
    expect(layout(more, placed).places.get("w")?.layer).toBe(2);
  });

  it("survives nothing at all, and parents that claim each other", () => {
    expect(layout([]).places.size).toBe(0);
    const cycle = [block("p", ["q"]), block("q", ["p"])];
    expect(layout(cycle).places.size).toBe(2);
    expect(layout(cycle, layout([block("p")])).places.size).toBe(2);
  });

  it("stays honest over a long random history", () => {
    let seed = 11;
    const random = () => {
      seed = (seed * 16_807) % 2_147_483_647;
      return seed / 2_147_483_647;
    };
    let shown: Block[] = [];
    let placed: Layout | undefined;
    for (let step = 0; step < 200; step += 1) {
      const recent = shown.slice(-6);
      const parents = recent.filter(() => random() < 0.4).map((one) => one.hash);
      const color = random() < 0.2 ? "red" : "blue";
      shown = [...shown, block(`h${step}`, parents, { height: step, color })].slice(-60);
      placed = layout(shown, placed);
      checkHonest(shown, placed);
    }
    expect((placed?.lanes.max ?? 0) - (placed?.lanes.min ?? 0)).toBeLessThan(12);
  });
});

describe("geometry", () => {
  it("draws one curve per known parent, and a stub where none is known", () => {
    const blocks = mapOf([...diamond, block("g", ["gone"])]);
    const placed = layout(blocks.values());
    const edges = edgesOf(blocks, placed, frameOf(placed));
    expect(edges.filter((edge) => edge.parent !== null)).toHaveLength(7);
    expect(edges.filter((edge) => edge.parent === null).map((edge) => edge.child)).toEqual(["g"]);
    expect(edges.every((edge) => !edge.path.includes("NaN"))).toBe(true);
  });

  it("leaves out blocks without a place", () => {
    const placed = layout([block("a")]);
    expect(edgesOf(mapOf([block("a"), block("b", ["a"])]), placed, frameOf(placed))).toEqual([]);
  });

  it("bends an edge around the blocks that it would cross", () => {
    const blocks = mapOf([block("a"), block("b", ["a"]), block("c", ["b", "a"])]);
    const placed = layout(blocks.values());
    const frame = frameOf(placed);
    const long = edgesOf(blocks, placed, frame).find((edge) => edge.child === "c" && edge.parent === "a");
    const middle = frame.y({ layer: 0, lane: placed.places.get("a")?.lane ?? 0 });
    expect(long?.path.split(" ")[1]).not.toMatch(new RegExp(`,${middle}$`));
  });

  it("keeps its height while the DAG is narrow", () => {
    const one = frameOf(layout([block("a")]));
    const two = frameOf(layout([block("a"), block("b")]));
    expect(two.height).toBe(one.height);
  });
});

describe("neighbour", () => {
  const blocks = mapOf(diamond);
  const placed = layout(diamond);
  const go = (key: string, from: string) => neighbour(key, from, blocks, placed);

  it("follows edges left and right", () => {
    expect(go("ArrowLeft", "b")).toBe("a");
    expect(["b", "c", "f"]).toContain(go("ArrowRight", "a"));
    expect(go("ArrowRight", "d")).toBe("e");
    expect(go("ArrowLeft", "a")).toBeNull();
    expect(go("ArrowRight", "e")).toBeNull();
  });

  it("moves within a column up and down, and to both ends", () => {
    const column = ["b", "c", "f"].sort(
      (x, y) => (placed.places.get(x)?.lane ?? 0) - (placed.places.get(y)?.lane ?? 0),
    );
    expect(go("ArrowDown", column[0] as string)).toBe(column[1]);
    expect(go("ArrowUp", column[2] as string)).toBe(column[1]);
    expect(go("ArrowUp", column[0] as string)).toBeNull();
    expect(go("Home", "d")).toBe("a");
    expect(go("End", "a")).toBe("e");
  });

  it("crosses to the next column where no edge leads", () => {
    const loose = mapOf([block("x", [], { height: 1 }), block("y", [], { height: 2 })]);
    const apart = layout(loose.values());
    expect(neighbour("ArrowRight", "x", loose, apart)).toBe("y");
    expect(neighbour("ArrowLeft", "y", loose, apart)).toBe("x");
  });

  it("ignores other keys and blocks that are gone", () => {
    expect(go("x", "a")).toBeNull();
    expect(go("ArrowLeft", "gone")).toBeNull();
  });
});

describe("describeBlock", () => {
  it("says in words what the glyph shows", () => {
    expect(describeBlock(block("0000aabbccddeeff", ["p"]))).toBe(
      "B ddeeff accepted, our block, blue, height 10, 1 parent",
    );
    expect(describeBlock(block("0000aabbccddeeff", [], { ours: false, status: null, color: "unknown" }))).toBe(
      "? ddeeff, block of others, colour pending, height 10, 0 parents",
    );
  });
});
