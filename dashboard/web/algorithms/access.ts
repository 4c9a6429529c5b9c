/** Where the operator's token is kept: this tab only, gone when it is closed. */
const key = "dagpool.token";

type Storage = Pick<globalThis.Storage, "getItem" | "setItem" | "removeItem">;

/** Where requests get their token from. */
export interface Keeper {
  readonly token: () => string | null;
  keep(token: string | null): void;
  /** Who is signed in, if somebody is. */
  readonly who?: () => { username: string; role: string } | null;
}

/** The token of this tab. A browser that forbids storage keeps it until the page is left. */
export class TokenKeeper implements Keeper {
  #token: string | null = null;
  /** Those that the pool did not know. */
  readonly #refused = new Set<string>();
  readonly #storage: () => Storage;

  constructor(storage: () => Storage = () => window.sessionStorage) {
    this.#storage = storage;
    try {
      this.#token = storage().getItem(key);
    } catch {
      // Forbidden: there is none.
    }
  }

  readonly token = (): string | null => this.#token;

  /** Whether there is one that the pool has not refused. */
  readonly vouches = (): boolean => this.#token !== null && !this.#refused.has(this.#token);

  /** The pool does not know this one (any more): it opens nothing, and is not kept beyond this page. */
  refuse(token: string): void {
    this.#refused.add(token);
    if (token === this.#token) this.keep(token);
  }

  keep(token: string | null): void {
    this.#token = token;
    try {
      if (token === null || this.#refused.has(token)) this.#storage().removeItem(key);
      else this.#storage().setItem(key, token);
    } catch {
      // Kept in memory alone.
    }
  }
}

/** What the viewer may do here. The pool decides; this only keeps buttons from promising what it would refuse. */
export type Access =
  /** `unknown`: there is a token, and the pool did not answer whose it is. */
  | { may: "look"; why: "no-token" | "wrong-token" | "unknown" }
  | { may: "read"; user: string | null; role: string }
  | { may: "change"; user: string | null; role: string | null };

const changing = new Set(["admin", "operator"]);

/** `me` is null where the pool has no users: then there is one token, and it may do everything. */
export function accessOf(me: { username: string | null; role: string | null } | null): Access {
  if (me === null || me.role === null) return { may: "change", user: me?.username ?? null, role: null };
  const { username: user, role } = me;
  return changing.has(role) ? { may: "change", user, role } : { may: "read", user, role };
}

/** While the pool is asked once more whose token it is. */
export const unnamed = "The pool did not say who you are; it is asked again.";

/** Why what is an operator's can't be pressed; null if it can. */
export function barred(access: Access, doing: string): string | null {
  if (access.may === "change") return null;
  if (access.may === "read") return `${doing} needs the operator role.`;
  return access.why === "unknown" ? unnamed : `${doing} needs the operator token.`;
}

/** Whether there is a token that opens what needs no role. */
export function hasToken(access: Access): boolean {
  return access.may !== "look" || access.why === "unknown";
}
