/**
 * A small block DAG that grows: several miners, delays that make siblings, late blocks that turn red, merges.
 *
 * Colours follow a shortcut of GHOSTDAG that is good enough to look at: a block merged late (k other blocks in its
 * anticone) is red. The pool's simulator has the real rules; this only feeds the page.
 */

/** Small deterministic generator (mulberry32), so that every run shows the same pool. */
export function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export function hashOf(random, zeros = 4) {
  let hash = "0".repeat(zeros);
  while (hash.length < 64) hash += Math.floor(random() * 16).toString(16);
  return hash;
}

export const algorithms = ["blake2s", "blake3", "sha256d", "kheavyhash"];

export class Dag {
  constructor(random, finders) {
    this.random = random;
    this.finders = finders;
    this.blocks = new Map();
    /** What is too old for the feed, oldest first. */
    this.archive = [];
    this.tips = [];
    /** Blocks that were mined but not yet heard of by the others. */
    this.late = [];
    this.height = 48_200;
  }

  /** One step of block making; returns the blocks that are new or changed. */
  step(now) {
    const changed = new Map();
    const parents = this.tips.length > 0 ? [...this.tips] : [hashOf(this.random)];
    const roll = this.random();
    const siblings = roll < 0.55 ? 1 : roll < 0.85 ? 2 : 3;
    const made = Array.from({ length: siblings }, () => this.#mine(parents, now));
    this.tips = made.map((block) => block.hash);
    for (const block of made) changed.set(block.hash, block);
    if (this.random() < 0.16) {
      const hidden = this.#mine(parents.slice(0, 1), now);
      this.late.push({ hash: hidden.hash, turn: 3 });
      changed.set(hidden.hash, hidden);
    }
    for (const entry of this.late) entry.turn -= 1;
    for (const entry of this.late.filter((late) => late.turn === 0)) this.tips.push(entry.hash);
    this.late = this.late.filter((entry) => entry.turn > 0);
    this.height += 1;
    for (const block of this.#age()) changed.set(block.hash, block);
    for (const hash of [...this.blocks.keys()].slice(0, Math.max(0, this.blocks.size - 60))) {
      this.archive.push(this.blocks.get(hash));
      this.blocks.delete(hash);
    }
    return [...changed.values()];
  }

  #mine(parents, now) {
    const ours = this.random() < 0.45;
    const finder = this.finders[Math.floor(this.random() * this.finders.length)];
    const block = {
      hash: hashOf(this.random),
      height: this.height,
      parents: [...parents],
      status: ours ? "candidate" : null,
      color: "unknown",
      confirmations: 0,
      reward: null,
      account: ours ? finder.account : null,
      worker: ours ? "rig1" : null,
      found_at: new Date(now).toISOString(),
      algorithm: algorithms[Math.floor(this.random() * algorithms.length)],
      ours,
    };
    this.blocks.set(block.hash, block);
    return block;
  }

  #age() {
    const changed = [];
    for (const [hash, block] of this.blocks) {
      const depth = this.height - block.height;
      const next = { ...block, confirmations: Math.max(0, depth - 1) };
      if (depth >= 2 && block.color === "unknown") {
        next.color = this.late.some((entry) => entry.hash === hash) ? "red" : "blue";
      }
      if (block.ours) next.status = statusAt(depth, next.color, hash);
      if (block.ours && depth >= 3 && next.color === "blue") next.reward = "44000000000";
      this.blocks.set(hash, next);
      if (block.ours && JSON.stringify(next) !== JSON.stringify(block)) changed.push(next);
      else if (next.color !== block.color) changed.push(next);
    }
    return changed;
  }
}

function statusAt(depth, color, hash) {
  // One in sixteen is refused by the node, so that the page has a loss to show.
  if (hash.endsWith("7")) return "rejected";
  if (color === "red" && depth > 6) return "void";
  if (depth < 1) return "candidate";
  if (depth < 8) return "accepted";
  return depth < 14 ? "matured" : "paid";
}
