import type { Fetch } from "../feed/rest";
import type { z } from "../feed/z";
import {
  type Earning,
  earning,
  type Hours,
  hours,
  type Page,
  type Payouts,
  pageOf,
  payouts,
  proof,
  statement,
} from "./schema";

const timeoutMs = 10_000;

/** The pool does not have what was asked for, or does not serve the route at all. */
export class NotThere extends Error {}

async function get<T>(shape: z.Shape<T>, path: string, fetcher: Fetch): Promise<T> {
  const response = await fetcher(path, { signal: AbortSignal.timeout(timeoutMs) });
  if (response.status === 404 || response.status === 401) throw new NotThere(`${path} answered ${response.status}`);
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return shape.parse(await response.json());
}

const fetchIt: Fetch = (path, init) => fetch(path, init);
const named = encodeURIComponent;

export const earningsPath = (account: string) => `/api/miners/${named(account)}/earnings`;

export function loadEarnings(account: string, cursor: string | null, fetcher = fetchIt): Promise<Page<Earning>> {
  const query = cursor === null ? "?limit=25" : `?limit=25&cursor=${named(cursor)}`;
  return get(pageOf(earning), earningsPath(account) + query, fetcher);
}

/** The account's payouts; null where the pool serves no such route. */
export async function loadPayouts(account: string, fetcher = fetchIt): Promise<Payouts | null> {
  try {
    return await get(payouts, `/api/miners/${named(account)}/payouts?limit=25`, fetcher);
  } catch (error) {
    if (error instanceof NotThere) return null;
    throw error;
  }
}

/** The hash rate of so many hours, from credited work. */
export const loadHours = (account: string, back: number, fetcher = fetchIt): Promise<Hours> =>
  get(hours, `/api/miners/${named(account)}/hashrate?hours=${back}`, fetcher);

/** What a block's statement says, without its lines. */
export const loadStatement = (block: string, fetcher = fetchIt) =>
  get(statement, `/api/blocks/${block}/statement?limit=1`, fetcher);

export const loadProof = (block: string, account: string, fetcher = fetchIt) =>
  get(proof, `/api/blocks/${block}/proof?account=${named(account)}`, fetcher);
