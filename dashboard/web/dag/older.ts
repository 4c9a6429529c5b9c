import { type ListPage, loadPage, NotThere, query } from "../feed/pages";
import type { Fetch } from "../feed/rest";
import { type Block, block } from "../feed/schema";

const pageSize = 500;
/** Pages in a row that may bring nothing new: what the feed brought is asked for again on the way back. */
const pagesMax = 40;

/** Goes back in the DAG: first as far as the pool remembers all blocks, then through our own, which its database has for ever. */
export class Older {
  #source: "dag" | "ours" | "done" = "dag";
  #cursor: string | null = null;
  readonly #fetch: Fetch | undefined;

  constructor(fetcher?: Fetch) {
    this.#fetch = fetcher;
  }

  /** Whether there is nothing older. */
  get done(): boolean {
    return this.#source === "done";
  }

  /** Begins from the newest again, after the oldest were let go. */
  reset(): void {
    this.#source = "dag";
    this.#cursor = null;
  }

  /** The next blocks that are not known; none at the end of all. Rejects when the pool does not answer: then it may be asked again. */
  async next(isKnown: (hash: string) => boolean): Promise<Block[]> {
    for (let page = 0; page < pagesMax && this.#source !== "done"; page += 1) {
      const { items, next } = await this.#page();
      if (next === null) {
        this.#source = this.#source === "dag" ? "ours" : "done";
        this.#cursor = null;
      } else this.#cursor = next;
      const fresh = items.filter(({ hash }) => !isKnown(hash));
      if (fresh.length > 0) return fresh;
    }
    return [];
  }

  async #page(): Promise<Pick<ListPage<Block>, "items" | "next">> {
    const path = this.#source === "dag" ? "/api/blocks/dag" : "/api/blocks";
    try {
      return await loadPage(query(path, { limit: pageSize, cursor: this.#cursor }), block, this.#fetch);
    } catch (error) {
      // A pool that serves no DAG has its own blocks all the same.
      if (this.#source === "dag" && error instanceof NotThere) return { items: [], next: null };
      throw error;
    }
  }
}
