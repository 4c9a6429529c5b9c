import { type Keeper, TokenKeeper } from "../algorithms/access";
import type { Failure } from "../algorithms/failure";
import { AccountApi, type Factor } from "./api";
import type { Me, Pair } from "./schema";

/**
 * Where the refresh token waits while the page is being reloaded. It is taken out again at once: a tab that was duplicated, or
 * a window that this one opened, copies this storage, and two that trade one refresh token end the session.
 */
const key = "dagpool.session";
/** The next pair is asked for so long before the access token ends. */
const marginMs = 60_000;
/** After no answer it is tried again. */
const againMs = 5_000;

type Storage = Pick<globalThis.Storage, "getItem" | "setItem" | "removeItem">;

export interface AccountState {
  /** `back`: a reload brought a refresh token, which is being traded. */
  phase: "out" | "back" | "in";
  me: Me | null;
}

/** What the right password led to. */
export type SignedIn = { mfa: string } | { setup: boolean };

interface Options {
  api?: (token: () => string | null) => AccountApi;
  storage?: () => Storage;
  operator?: TokenKeeper;
}

/**
 * Who is signed in here. The access token is in memory only; the refresh token, too, save while the page is being reloaded. The
 * operator token is used where nobody is signed in.
 */
export class Account implements Keeper {
  #state: AccountState = { phase: "out", me: null };
  #access: string | null = null;
  #refresh: string | null = null;
  #trading: Promise<boolean> | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #operator: TokenKeeper;
  readonly #storage: () => Storage;
  readonly #listeners = new Set<() => void>();
  readonly api: AccountApi;

  constructor({ api, storage, operator }: Options = {}) {
    this.#storage = storage ?? (() => window.sessionStorage);
    this.#operator = operator ?? new TokenKeeper(this.#storage);
    this.api = (api ?? ((token) => new AccountApi(token)))(this.token);
  }

  readonly shown = (): AccountState => this.#state;
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  readonly token = (): string | null => this.#access ?? this.#operator.token();
  readonly who = () => this.#state.me;
  /** Whether a token may be expected to open something: that of a session, or an operator token that the pool did not refuse. */
  readonly vouched = (): boolean => this.#access !== null || this.#operator.vouches();

  /** The operator token; null signs out, too. */
  keep(token: string | null): void {
    this.#operator.keep(token);
    if (token === null && this.#state.phase !== "out") void this.signOut();
    else this.#tell();
  }

  /** Goes on with the session that a reload brought along. */
  start(): void {
    window.addEventListener("pagehide", this.#leave);
    window.addEventListener("pageshow", this.#return);
    this.#return();
  }

  stop(): void {
    window.removeEventListener("pagehide", this.#leave);
    window.removeEventListener("pageshow", this.#return);
    clearTimeout(this.#timer);
  }

  readonly #leave = (): void => {
    // While a trade is under way, the one that is here may be used up.
    if (this.#refresh === null || this.#trading !== null) return;
    try {
      this.#storage().setItem(key, this.#refresh);
    } catch {
      // Forbidden: a reload signs out.
    }
  };

  readonly #return = (): void => {
    try {
      const kept = this.#storage().getItem(key);
      this.#storage().removeItem(key);
      if (kept === null || this.#refresh !== null) return;
      this.#refresh = kept;
      this.#set({ phase: "back", me: null });
      void this.renew();
    } catch {
      // Forbidden: there is none.
    }
  };

  async signIn(username: string, password: string): Promise<SignedIn | Failure> {
    const answer = await this.api.login(username, password);
    if (!answer.ok) return answer.failure;
    if (answer.value.mfa_required) return { mfa: answer.value.mfa_token };
    return this.take(answer.value);
  }

  async verify(mfa: string, factor: Factor): Promise<SignedIn | Failure> {
    const answer = await this.api.verify(mfa, factor);
    return answer.ok ? this.take(answer.value) : answer.failure;
  }

  /** Goes on with this pair. */
  async take(pair: Pair): Promise<SignedIn | Failure> {
    this.#accept(pair);
    const failure = await this.look();
    return failure ?? { setup: pair.mfa_setup_required };
  }

  /** Asks who this is. */
  async look(): Promise<Failure | null> {
    const me = await this.api.me();
    if (!me.ok) return me.failure;
    if (this.#access !== null) this.#set({ phase: "in", me: me.value });
    return null;
  }

  /** Trades the refresh token for the next pair, one trade at a time. An operator token that was refused has no next one. */
  readonly renew = (refused?: string): Promise<boolean> => {
    if (refused !== undefined && this.#access === null && refused === this.#operator.token()) {
      this.#operator.refuse(refused);
      this.#tell();
      return Promise.resolve(false);
    }
    this.#trading ??= this.#trade().finally(() => {
      this.#trading = null;
    });
    return this.#trading;
  };

  async #trade(): Promise<boolean> {
    const traded = this.#refresh;
    if (traded === null) return false;
    const answer = await this.api.refresh(traded);
    // Signed out, or in as somebody else, meanwhile.
    if (this.#refresh !== traded) return this.#access !== null;
    if (answer.ok) {
      this.#accept(answer.value);
      const me = await this.api.me();
      if (me.ok && this.#access !== null) this.#set({ phase: "in", me: me.value });
      return true;
    }
    if (answer.failure.kind === "locked") {
      this.#forget();
      return false;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.renew(), againMs);
    return false;
  }

  async signOut(): Promise<void> {
    const ended = this.#access === null ? null : this.api.logout();
    this.#forget();
    await ended;
  }

  #accept({ token, refresh_token, expires_in }: Pair): void {
    this.#access = token;
    this.#refresh = refresh_token;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.renew(), Math.max(expires_in * 1000 - marginMs, 1_000));
    this.#tell();
  }

  #forget(): void {
    this.#access = null;
    this.#refresh = null;
    clearTimeout(this.#timer);
    this.#set({ phase: "out", me: null });
  }

  #set(state: AccountState): void {
    this.#state = state;
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** Where to go after signing in: a page of this pool, never another site's. */
export function nextPage(search: string): string {
  const next = new URLSearchParams(search).get("next") ?? "";
  return /^\/(?![/\\])[\w\-./]*$/.test(next) && next !== "/sign-in" ? next : "/";
}
