import type { Block } from "../feed/schema";

export interface Place {
  /** Column: one more than the rightmost known parent. Grows with time and never changes while the block is shown. */
  layer: number;
  /** Row: 0 is the middle, negative above. */
  lane: number;
}

export interface Layout {
  places: ReadonlyMap<string, Place>;
  layers: { min: number; max: number };
  lanes: { min: number; max: number };
}

const empty: Layout = { places: new Map(), layers: { min: 0, max: 0 }, lanes: { min: 0, max: 0 } };

/**
 * Places blocks so that every edge runs from left to right and nothing that is on screen jumps.
 *
 * Blocks keep their place from `before`; only new ones are placed. If one arrives late, below a child that was placed
 * without it, everything is placed anew, which is rare and keeps the edges honest.
 */
export function layout(blocks: Iterable<Block>, before: Layout = empty): Layout {
  const list = [...blocks];
  return place(list, before.places) ?? place(list, new Map()) ?? empty;
}

function place(list: readonly Block[], known: ReadonlyMap<string, Place>): Layout | null {
  const board = new Board();
  const fresh: Block[] = [];
  for (const block of list) {
    const old = known.get(block.hash);
    if (old) board.put(block, old);
    else fresh.push(block);
  }
  const floor = board.minLayer;
  for (const block of parentsFirst(fresh)) board.add(block, floor);
  const honest = list.every((block) => {
    const own = board.places.get(block.hash);
    return block.parents.every((parent) => (board.places.get(parent)?.layer ?? -Infinity) < (own?.layer ?? 0));
  });
  return honest || known.size === 0 ? board.finish() : null;
}

/** The given order, but never a block before a parent of its own. */
export function parentsFirst(list: readonly Block[]): Block[] {
  const waiting = new Map(list.map((block) => [block.hash, block]));
  const done: Block[] = [];
  // Explicit stack: a long chain must not overflow the call stack. Removal on first visit also ends a (bogus) cycle.
  for (const root of list) {
    const stack = waiting.has(root.hash) ? [root] : [];
    while (stack.length > 0) {
      const block = stack[stack.length - 1] as Block;
      waiting.delete(block.hash);
      const next = block.parents.map((parent) => waiting.get(parent)).find((parent) => parent !== undefined);
      if (next) stack.push(next);
      else done.push(stack.pop() as Block);
    }
  }
  return done;
}

/** Places as they are given out one by one. */
export class Board {
  readonly places = new Map<string, Place>();
  readonly #taken = new Set<string>();
  /** Rightmost layer of each height, lowest height first. */
  readonly #heights: { height: number; layer: number /** Of this height and all below it. */; reach: number }[] = [];

  get minLayer(): number {
    let min = Infinity;
    for (const { layer } of this.places.values()) min = Math.min(min, layer);
    return min === Infinity ? 0 : min;
  }

  put(block: Block, at: Place): void {
    this.places.set(block.hash, at);
    this.#taken.add(`${at.layer}:${at.lane}`);
    if (block.height !== null) this.#reaches(block.height, at.layer);
  }

  isTaken(layer: number, lane: number): boolean {
    return this.#taken.has(`${layer}:${lane}`);
  }

  /** How many of the heights are below this one. Blocks come nearly in order: it is looked for from the end. */
  #below(height: number): number {
    let count = this.#heights.length;
    while (count > 0 && (this.#heights[count - 1]?.height ?? 0) >= height) count -= 1;
    return count;
  }

  #reaches(height: number, layer: number): void {
    const at = this.#below(height);
    const known = this.#heights[at];
    if (known?.height === height) known.layer = Math.max(known.layer, layer);
    else this.#heights.splice(at, 0, { height, layer, reach: layer });
    for (let next = at; next < this.#heights.length; next += 1) {
      const entry = this.#heights[next];
      if (!entry) break;
      const reach = Math.max(entry.layer, this.#heights[next - 1]?.reach ?? -Infinity);
      if (reach === entry.reach && next > at) break;
      entry.reach = reach;
    }
  }

  add(block: Block, floor: number): void {
    const parents = block.parents.map((hash) => this.places.get(hash)).filter((found) => found !== undefined);
    const layer =
      parents.length > 0 ? Math.max(...parents.map((found) => found.layer)) + 1 : this.#byHeight(block.height, floor);
    // Main parent first: its chain runs straight, half way back to the middle with each block.
    const wanted = Math.trunc((parents[0]?.lane ?? 0) / 2);
    this.put(block, { layer, lane: this.#freeLane(layer, wanted, block.hash) });
  }

  /** Without a known parent the height says roughly where a block belongs. */
  #byHeight(height: number | null, floor: number): number {
    if (height === null) return Math.max(floor, this.#heights.at(-1)?.reach ?? floor);
    const at = this.#below(height);
    const same = this.#heights[at];
    const beside = same?.height === height ? same.layer : floor;
    return Math.max(floor, beside, (this.#heights[at - 1]?.reach ?? floor - 1) + 1);
  }

  #freeLane(layer: number, wanted: number, hash: string): number {
    // Which side is tried first depends on the hash alone, so that it is the same for every viewer.
    const side = hash.charCodeAt(hash.length - 1) % 2 === 0 ? 1 : -1;
    for (let distance = 0; ; distance += 1) {
      for (const lane of [wanted + side * distance, wanted - side * distance]) {
        if (!this.#taken.has(`${layer}:${lane}`)) return lane;
      }
    }
  }

  finish(): Layout {
    const all = [...this.places.values()];
    if (all.length === 0) return empty;
    const layers = all.map((at) => at.layer);
    const lanes = all.map((at) => at.lane);
    return {
      places: this.places,
      layers: { min: Math.min(...layers), max: Math.max(...layers) },
      lanes: { min: Math.min(...lanes), max: Math.max(...lanes) },
    };
  }
}
