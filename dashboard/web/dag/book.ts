import type { Block } from "../feed/schema";
import { parseTime } from "../format/time";
import { Board, type Place, parentsFirst } from "./layout";

/** Blocks that the page DAG keeps at most; the oldest are let go, and asked for again when they are looked for. */
export const bookLimit = 6_000;

export interface Layer {
  hashes: string[];
  /** When the first of its blocks was found; null while none says so. */
  at: number | null;
}

/**
 * All blocks that the page DAG knows, with their places: grows with the feed to the right, with what is asked for to the
 * left. What the feed brings moves nothing that is shown; older blocks place everything anew.
 */
export class Book {
  readonly blocks = new Map<string, Block>();
  layers = new Map<number, Layer>();
  min = 0;
  max = 0;
  #board = new Board();
  /** Blocks by a parent that they name, known or not. */
  #children = new Map<string, string[]>();

  get size(): number {
    return this.blocks.size;
  }

  get places(): ReadonlyMap<string, Place> {
    return this.#board.places;
  }

  place(hash: string): Place | undefined {
    return this.#board.places.get(hash);
  }

  isTaken(layer: number, lane: number): boolean {
    return this.#board.isTaken(layer, lane);
  }

  /** Takes in what the feed shows now. Says whether anything is new, and whether blocks that were shown have moved. */
  follow(shown: Iterable<Block>): { changed: boolean; moved: boolean } {
    let changed = false;
    const fresh: Block[] = [];
    for (const block of shown) {
      const known = this.blocks.get(block.hash);
      if (known === block) continue;
      changed = true;
      if (known === undefined) fresh.push(block);
      this.blocks.set(block.hash, block);
    }
    let moved = false;
    if (this.size > bookLimit) moved = this.#letGo();
    if (moved) return { changed, moved };
    for (const block of parentsFirst(fresh)) {
      this.#board.add(block, this.#board.places.size === 0 ? 0 : this.min);
      this.#enter(block);
      const own = this.place(block.hash)?.layer ?? 0;
      // A parent that comes after its child: its place would be right of it.
      if (this.#children.get(block.hash)?.some((child) => (this.place(child)?.layer ?? Infinity) <= own)) moved = true;
    }
    if (moved) this.#placeAnew();
    return { changed, moved };
  }

  /** Takes in older blocks; returns how many were not known. Places may have moved if any was. */
  addOlder(older: Iterable<Block>): number {
    const before = this.size;
    for (const block of older) if (!this.blocks.has(block.hash)) this.blocks.set(block.hash, block);
    const added = this.size - before;
    if (added > 0) this.#placeAnew();
    return added;
  }

  childrenOf(hash: string): readonly string[] {
    return this.#children.get(hash) ?? [];
  }

  /** Newest first. */
  newestFirst(): Block[] {
    return [...this.blocks.values()].sort((a, b) => inOrder(b, a));
  }

  #letGo(): boolean {
    const kept = this.newestFirst().slice(0, Math.floor(bookLimit * 0.8));
    this.blocks.clear();
    for (const block of kept) this.blocks.set(block.hash, block);
    this.#placeAnew();
    return true;
  }

  #placeAnew(): void {
    this.#board = new Board();
    this.#children = new Map();
    this.layers = new Map();
    this.min = 0;
    this.max = 0;
    for (const block of parentsFirst([...this.blocks.values()].sort(inOrder))) {
      this.#board.add(block, 0);
      this.#enter(block);
    }
  }

  #enter(block: Block): void {
    const layer = this.place(block.hash)?.layer ?? 0;
    const found = parseTime(block.found_at);
    const known = this.layers.get(layer);
    if (known === undefined) this.layers.set(layer, { hashes: [block.hash], at: found });
    else {
      known.hashes.push(block.hash);
      if (found !== null) known.at = Math.min(known.at ?? found, found);
    }
    const first = this.#board.places.size === 1;
    this.min = first ? layer : Math.min(this.min, layer);
    this.max = first ? layer : Math.max(this.max, layer);
    for (const parent of block.parents) {
      const children = this.#children.get(parent);
      if (children === undefined) this.#children.set(parent, [block.hash]);
      else children.push(block.hash);
    }
  }
}

/** Oldest first. A block without a height is a candidate of a moment ago. */
function inOrder(a: Block, b: Block): number {
  return (
    (a.height ?? Number.MAX_SAFE_INTEGER) - (b.height ?? Number.MAX_SAFE_INTEGER) ||
    (a.found_at ?? "").localeCompare(b.found_at ?? "") ||
    (a.hash < b.hash ? -1 : 1)
  );
}
