import { decodeList } from "./decode";
import { type Block, block, type Miner, type MinerDetails, miner, minerDetails, type Stats, stats } from "./schema";

export interface RestAnswer {
  /** Null when the pool did not answer, or answered something else. */
  stats: Stats | null;
  blocks: Block[] | null;
  miners: Miner[] | null;
}

export type Fetch = (path: string, init: { signal: AbortSignal }) => Promise<Response>;

const timeoutMs = 5_000;

async function get(fetcher: Fetch, path: string): Promise<unknown> {
  const response = await fetcher(path, { signal: AbortSignal.timeout(timeoutMs) });
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response.json();
}

/** The ledger's list has all accounts that ever mined. */
function isConnected({ workers, connected_since }: Miner): boolean {
  return workers > 0 || connected_since !== null;
}

/**
 * First paint, and the fallback while the feed is away: three public routes, each allowed to fail by itself. Most pages want the figures
 * alone; the feed brings them the rest.
 */
export async function loadRest(
  fetcher: Fetch = (path, init) => fetch(path, init),
  withLists = true,
): Promise<RestAnswer> {
  const list = (path: string) => (withLists ? get(fetcher, path) : Promise.reject(new Error("not wanted")));
  const [figures, found, accounts] = await Promise.allSettled([
    get(fetcher, "/api/stats"),
    list("/api/blocks?limit=60"),
    list("/api/miners?active=true&limit=200"),
  ]);
  const parsed = figures.status === "fulfilled" ? stats.safeParse(figures.value) : null;
  return {
    stats: parsed?.success ? parsed.data : null,
    blocks: found.status === "fulfilled" ? decodeList(block, found.value) : null,
    miners: accounts.status === "fulfilled" ? decodeList(miner, accounts.value).filter(isConnected) : null,
  };
}

/** One account with its workers and balance; rejects when the pool does not answer or answers something else. */
export async function loadMiner(
  account: string,
  fetcher: Fetch = (path, init) => fetch(path, init),
): Promise<MinerDetails> {
  return minerDetails.parse(await get(fetcher, `/api/miners/${encodeURIComponent(account)}`));
}
