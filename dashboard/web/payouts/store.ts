import { type Access, accessOf, type Keeper } from "../algorithms/access";
import type { Failure } from "../algorithms/failure";
import { merge, type Remote } from "../algorithms/store";
import type { Outcome } from "../feed/client";
import type { Filter, PayoutsApi } from "./api";
import type { Audit, Payout, Payouts, Status } from "./schema";

export interface PayoutsState {
  /** The pool decides who may; until there are users, who has the token may do everything. */
  access: Access;
  /** Asking for the first time with a token. */
  asking: boolean;
  status: Remote<Status>;
  payouts: Remote<Payouts>;
  audit: Remote<Audit>;
  filter: Filter;
}

const nothing = { value: null, failure: null };
const locked = (why: "no-token" | "wrong-token"): Access => ({ may: "look", why });
/** How often it is asked while somebody looks. */
const everyMs = 3_000;

/** What the page knows of payouts, asked for again and again while it is open. */
export class PayoutsStore {
  #state: PayoutsState;
  readonly #keeper: Keeper;
  readonly api: PayoutsApi;
  readonly #listeners = new Set<() => void>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #round = 0;

  constructor(keeper: Keeper, api: PayoutsApi) {
    this.#keeper = keeper;
    this.api = api;
    this.#state = {
      access: locked("no-token"),
      asking: keeper.token() !== null,
      status: nothing,
      payouts: nothing,
      audit: nothing,
      filter: "all",
    };
  }

  readonly shown = (): PayoutsState => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  start(): void {
    void this.refresh();
    this.#timer = setInterval(() => {
      if (document.visibilityState === "visible") void this.refresh();
    }, everyMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Tries a token; it is kept only if the pool takes it. */
  async unlock(token: string): Promise<Failure | null> {
    const before = this.#keeper.token();
    this.#keeper.keep(token);
    const status = await this.api.status();
    if (status.ok) {
      await this.refresh();
      return null;
    }
    this.#keeper.keep(before);
    return status.failure;
  }

  lock(): void {
    this.#keeper.keep(null);
    this.#round += 1;
    this.#set({ access: locked("no-token"), status: nothing, payouts: nothing, audit: nothing });
  }

  async choose(filter: Filter): Promise<void> {
    this.#set({ filter, payouts: nothing });
    await this.refresh();
  }

  /** The page of payouts after those that are shown; they stay until the filter changes or the page is left. */
  async older(): Promise<void> {
    const { payouts, filter } = this.#state;
    const cursor = payouts.value?.next ?? null;
    if (cursor === null) return;
    const page = await this.api.page(filter, cursor);
    const known = this.#state.payouts.value;
    if (filter !== this.#state.filter || known?.next !== cursor) return;
    const grown = page.ok ? { ok: true as const, value: joined(known.items, page.value) } : page;
    this.#set({ payouts: merge(this.#state.payouts, grown) });
  }

  /** Does something, and asks for everything that may be another thing now. */
  async act(doing: Promise<Outcome<unknown>>): Promise<Failure | null> {
    const outcome = await doing;
    await this.refresh();
    return outcome.ok ? null : outcome.failure;
  }

  async refresh(): Promise<void> {
    if (this.#keeper.token() === null) return;
    this.#round += 1;
    const round = this.#round;
    const { filter } = this.#state;
    const [status, newest, audit] = await Promise.all([
      this.api.status(),
      this.api.page(filter, null),
      this.api.audit(),
    ]);
    // Asked again, locked or filtered meanwhile: a later answer is the one.
    if (round !== this.#round) return;
    if (!status.ok && status.failure.kind === "locked") {
      this.#set({ access: locked("wrong-token"), asking: false, status: nothing, payouts: nothing, audit: nothing });
      return;
    }
    if (!status.ok && status.failure.kind === "forbidden") {
      // Known, and may not even look.
      const access = accessOf(this.#keeper.who?.() ?? null);
      this.#set({ access, asking: false, status: { value: null, failure: status.failure } });
      return;
    }
    const shown = this.#state.payouts.value;
    const older = newest.ok && shown ? await this.#again(filter, shown, newest.value) : null;
    if (round !== this.#round) return;
    const known = this.#state.payouts.value;
    const merged = (page: Payouts) => older ?? (known ? fresh(known, page) : page);
    const list = newest.ok ? { ok: true as const, value: merged(newest.value) } : newest;
    this.#set({
      access: accessOf(this.#keeper.who?.() ?? null),
      asking: false,
      status: merge(this.#state.status, status),
      payouts: merge(this.#state.payouts, list),
      audit: merge(this.#state.audit, audit),
    });
  }

  /** The pages that were asked for, once more, while one of their payouts may still change. Null: they stay as they are. */
  async #again(filter: Filter, shown: Payouts, newest: Payouts): Promise<Payouts | null> {
    const kept = olderThan(newest, shown);
    const last = kept.at(-1);
    if (!last || !kept.some(({ state }) => state !== "settled" && state !== "returned")) return null;
    let all = newest;
    while (all.next !== null) {
      const page = await this.api.page(filter, all.next);
      // Asked for more meanwhile, or no answer: the next time.
      if (!page.ok || this.#state.payouts.value !== shown) return null;
      all = joined(all.items, page.value);
      const oldest = all.items.at(-1);
      if (page.value.items.length === 0 || (oldest && BigInt(oldest.id) <= BigInt(last.id))) break;
    }
    return all;
  }

  #set(change: Partial<PayoutsState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}

function joined(known: readonly Payout[], page: Payouts): Payouts {
  const ids = new Set(page.items.map(({ id }) => id));
  return { items: [...known.filter(({ id }) => !ids.has(id)), ...page.items], next: page.next };
}

/** What was shown below the newest page. */
function olderThan(newest: Payouts, known: Payouts): readonly Payout[] {
  const oldest = newest.items.at(-1);
  return oldest ? known.items.filter(({ id }) => BigInt(id) < BigInt(oldest.id)) : [];
}

/** The newest page in front of what was shown; pages that were asked for stay. */
function fresh(known: Payouts, newest: Payouts): Payouts {
  const kept = olderThan(newest, known);
  return { items: [...newest.items, ...kept], next: kept.length > 0 ? known.next : newest.next };
}
