import { type ListPage, loadPage, query } from "../feed/pages";
import type { Fetch } from "../feed/rest";
import { type Miner, miner } from "../feed/schema";

export const sortKeys = [
  "account",
  "hashrate",
  "workers",
  "accepted",
  "rejected",
  "difficulty",
  "last_share",
  "connected",
] as const;
export type SortKey = (typeof sortKeys)[number];

export interface Wanted {
  sort: SortKey;
  descending: boolean;
  search: string;
}

export const pageSize = 200;

/** A page with the cursor that it was asked for by, so that it can be asked for again. */
interface Part {
  cursor: string | null;
  page: ListPage<Miner>;
}

export interface Listed {
  wanted: Wanted;
  rows: readonly Miner[];
  /** How many fit what is wanted; null while the first page is on its way. */
  total: number | null;
  more: boolean;
  busy: boolean;
  /** The last thing that was asked was not answered. */
  failed: boolean;
}

/**
 * The sorted list of those that mine now, page by page as it is looked at. Pages in sight are asked for again: a page begins
 * where it began, whatever has moved meanwhile, and an account that is met twice is shown where it is met first.
 */
export class MinerList {
  #wanted: Wanted;
  #parts: Part[] = [];
  #shown: Listed;
  /** Counts what is wanted: answers to something else come too late. */
  #turn = 0;
  readonly #listeners = new Set<() => void>();
  readonly #fetch: Fetch | undefined;

  constructor(wanted: Wanted, fetcher?: Fetch) {
    this.#wanted = wanted;
    this.#fetch = fetcher;
    this.#shown = { wanted, rows: [], total: null, more: true, busy: false, failed: false };
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly shown = (): Listed => this.#shown;

  /** Begins anew with another order or search. */
  want(wanted: Wanted): Promise<void> {
    this.#turn += 1;
    this.#wanted = wanted;
    this.#parts = [];
    this.#say({ rows: this.#shown.rows, total: this.#shown.total, more: true, busy: false, failed: false });
    return this.more();
  }

  /** The next page. */
  async more(): Promise<void> {
    if (this.#shown.busy || !this.#shown.more) return;
    const cursor = this.#parts.at(-1)?.page.next ?? null;
    const turn = this.#turn;
    this.#say({ busy: true });
    const page = await this.#ask(cursor);
    if (turn !== this.#turn) return;
    if (page === null) return this.#say({ busy: false, failed: true });
    this.#parts.push({ cursor, page });
    this.#tell({ busy: false });
  }

  /** Asks again for the pages that hold these rows. */
  async again(first: number, last: number): Promise<void> {
    if (this.#parts.length === 0) return this.more();
    const turn = this.#turn;
    const [from, to] = [Math.floor(first / pageSize), Math.floor(last / pageSize)];
    const parts = this.#parts.slice(from, to + 1);
    const pages = await Promise.all(parts.map(({ cursor }) => this.#ask(cursor)));
    if (turn !== this.#turn) return;
    let failed = false;
    for (const [index, page] of pages.entries()) {
      const part = parts[index];
      if (page === null || part === undefined) failed = true;
      // What comes after it goes on from where it went on; only the last page says whether there is more.
      else part.page = part === this.#parts.at(-1) ? page : { ...page, next: part.page.next };
    }
    if (failed) this.#say({ failed: true });
    else this.#tell({});
  }

  async #ask(cursor: string | null): Promise<ListPage<Miner> | null> {
    const { sort, descending, search } = this.#wanted;
    const path = query("/api/miners", {
      active: true,
      sort,
      order: descending ? "desc" : "asc",
      search: search.trim(),
      limit: pageSize,
      cursor,
    });
    return loadPage(path, miner, this.#fetch).catch(() => null);
  }

  #tell(change: Partial<Listed>): void {
    const seen = new Set<string>();
    const rows: Miner[] = [];
    for (const { page } of this.#parts) {
      for (const row of page.items) {
        if (seen.has(row.account)) continue;
        seen.add(row.account);
        rows.push(row);
      }
    }
    const last = this.#parts.at(-1)?.page;
    const total = Math.max(this.#parts[0]?.page.total ?? rows.length, rows.length);
    this.#say({ rows, total, more: last?.next !== null, failed: false, ...change });
  }

  #say(change: Partial<Listed>): void {
    this.#shown = { ...this.#shown, wanted: this.#wanted, ...change };
    for (const listener of this.#listeners) listener();
  }
}

/** What a link to the page says. */
export function wantedOf(search: string): Wanted {
  const said = new URLSearchParams(search);
  const sort = sortKeys.find((key) => key === said.get("sort")) ?? "hashrate";
  const order = said.get("order");
  return { sort, descending: order === null ? sort !== "account" : order !== "asc", search: said.get("search") ?? "" };
}

export function linkOf({ sort, descending, search }: Wanted): string {
  const plain = sort === "hashrate" && descending;
  return query("/miners", { sort: plain ? null : sort, order: plain ? null : descending ? "desc" : "asc", search });
}
