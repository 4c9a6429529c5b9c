import type { Block, Miner, Stats } from "./feed/schema";

export const at = "2026-11-22T12:00:00Z";
export const atMs = Date.parse(at);

interface StatsChange extends Partial<Pick<Stats, "stale" | "degraded">> {
  pool?: object;
  network?: object;
  blocks?: object;
  ledger?: object;
}

export function makeStats(change: StatsChange = {}): Stats {
  return {
    pool: {
      hashrate: 1.25e12,
      miners: 2,
      workers: 5,
      shares: { accepted: 990, rejected: 10, stale: 6, duplicate: 1, low_difficulty: 2, invalid: 1 },
      shares_per_second: 12.5,
      effort_basis_points: 4_250,
      luck: { found: 12, expected_millionths: 9_600_000, basis_points: 12_500 },
      currency: { symbol: "SDAG", decimals: 8 },
      ...change.pool,
    },
    network: {
      algorithm: "blake2s",
      difficulty: 4096,
      hashrate: 5e12,
      block_rate: 0.5,
      ready: true,
      reason: null,
      ...change.network,
    },
    blocks: {
      candidate: 100,
      submitted: 99,
      accepted: 95,
      rejected: 3,
      matured: 80,
      paid: 70,
      void: 5,
      blue: 90,
      red: 5,
      ...change.blocks,
    },
    ledger: {
      pending: "1500000000",
      confirmed: "250000000",
      paid: "0",
      imbalance: "0",
      findings: [],
      ...change.ledger,
    },
    stale: change.stale ?? false,
    degraded: change.degraded ?? [],
  };
}

export function makeBlock(hash: string, change: Partial<Block> = {}): Block {
  return {
    hash,
    height: 10,
    parents: [],
    status: "accepted",
    color: "blue",
    confirmations: 3,
    reward: "44000000000",
    account: "kaspa:qqabcdefghijklmnop",
    worker: "rig1",
    found_at: at,
    algorithm: "blake2s",
    ours: true,
    ...change,
  };
}

export function makeMiner(account: string, change: Partial<Miner> = {}): Miner {
  return {
    account,
    workers: 1,
    hashrate: 1000,
    shares: { accepted: 10, rejected: 0 },
    connected_since: at,
    difficulty: 16,
    last_share_at: at,
    ...change,
  };
}

export function makeSnapshot(change: object = {}) {
  return {
    stats: makeStats(),
    blocks: [makeBlock("bb02", { height: 11, parents: ["aa01"] }), makeBlock("aa01")],
    miners: [makeMiner("alice"), makeMiner("bob", { hashrate: 5e6 })],
    job: {
      id: "5a1",
      algorithm: "blake2s",
      height: 12,
      parents: ["bb02"],
      age_ms: 1500,
      network_difficulty: 4096,
      template_time: at,
    },
    node: { name: "node-1", ready: true, reason: null, endpoint_count: 2, last_template_at: at, latency_ms: 3 },
    history: [
      { at: "2026-11-22T11:59:58Z", hashrate: 1e12, shares_per_second: 10 },
      { at: "2026-11-22T11:59:59Z", hashrate: 1.1e12, shares_per_second: 11 },
    ],
    currency: { symbol: "SDAG", decimals: 8 },
    ...change,
  };
}

/** One frame of the feed as the pool sends it. */
export function frame(type: string, seq: number, data: unknown, time: string = at): string {
  return JSON.stringify({ type, seq, at: time, data });
}
