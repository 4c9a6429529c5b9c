import { decodeList } from "./decode";
import type { Fetch } from "./rest";
import { z } from "./z";

/** The pool does not have what was asked for, or does not serve the route at all. */
export class NotThere extends Error {}

/** The pool says that what was asked for can't be; `message` is its own. */
export class NotAsked extends Error {}

const timeoutMs = 10_000;

const refusal = z.object({ error: z.object({ message: z.string() }) });

/** What a body says of itself; nothing if it is not the pool's (a proxy's). */
async function messageOf(response: Response): Promise<string | null> {
  const read = refusal.safeParse(await response.json().catch(() => null));
  return read.success ? read.data.error.message : null;
}

/** What came, or an error: [`NotThere`] for 404, [`NotAsked`] for 400, any other for the rest. */
export async function getJson(path: string, fetcher: Fetch = (to, init) => fetch(to, init)): Promise<unknown> {
  const response = await fetcher(path, { signal: AbortSignal.timeout(timeoutMs) });
  if (response.status === 404) throw new NotThere(`${path} answered 404`);
  if (response.status === 400) {
    throw new NotAsked((await messageOf(response)) ?? `${path} answered 400`);
  }
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response.json();
}

const around = z.object({
  next: z
    .union([z.string(), z.number().transform(String)])
    .nullish()
    .default(null),
  total: z.number().nullish().default(null),
  stale_at: z.string().nullish().default(null),
});

/** A page of a list; items that do not fit are left out. */
export interface ListPage<T> {
  items: T[];
  next: string | null;
  /** How many there are on all pages, where the pool says so. */
  total: number | null;
  /** Of when the list is, while the database is away. */
  staleAt: string | null;
}

export async function loadPage<T>(path: string, item: z.Shape<T>, fetcher?: Fetch): Promise<ListPage<T>> {
  const body = await getJson(path, fetcher);
  const { next, total, stale_at } = around.parse(body);
  return { items: decodeList(item, body), next, total, staleAt: stale_at };
}

/** `path` with those parameters that are set. */
export function query(path: string, parameters: Record<string, string | number | boolean | null>): string {
  const set = Object.entries(parameters).filter(([, value]) => value !== null && value !== "" && value !== false);
  const text = new URLSearchParams(set.map(([key, value]) => [key, String(value)])).toString();
  return text === "" ? path : `${path}?${text}`;
}
