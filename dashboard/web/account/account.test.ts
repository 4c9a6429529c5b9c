// @vitest-environment jsdom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { TokenKeeper } from "../algorithms/access";
import { makeError } from "../algorithms/fixtures";
import { Client, renewBy } from "../feed/client";
import { z } from "../feed/z";
import { Account, nextPage } from "./account";
import { AccountApi } from "./api";

const me = { username: "alice", role: "admin", email: null, mfa: false, backup_codes_left: 0, by: "session" };

/** A pool with one user, whose refresh tokens are good once. */
class Pool {
  generation = 0;
  valid = "";
  refresh = "";
  offline = false;
  mfa = false;
  asked: string[] = [];

  pair() {
    this.generation += 1;
    this.valid = `access-${this.generation}`;
    this.refresh = `refresh-${this.generation}`;
    return { token: this.valid, refresh_token: this.refresh, expires_in: 900, mfa_required: false };
  }

  readonly fetch = async (path: string, init: RequestInit): Promise<Response> => {
    if (this.offline) throw new TypeError("offline");
    this.asked.push(path);
    const answer = (status: number, body: unknown) => new Response(JSON.stringify(body), { status });
    const body = init.body ? JSON.parse(String(init.body)) : {};
    const { authorization } = init.headers as Record<string, string>;
    if (path === "/api/auth/login") {
      if (body.password !== "right") return answer(401, makeError("SIGN_IN_REFUSED"));
      return answer(200, this.mfa ? { mfa_required: true, mfa_token: "half", token: null } : this.pair());
    }
    if (path === "/api/auth/mfa/verify")
      return body.mfa_token === "half" && body.code === "123456"
        ? answer(200, this.pair())
        : answer(401, makeError("MFA_REFUSED"));
    if (path === "/api/auth/refresh")
      return body.refresh_token === this.refresh ? answer(200, this.pair()) : answer(401, makeError("SESSION_ENDED"));
    if (authorization !== `Bearer ${this.valid}`) return answer(401, makeError("UNAUTHORIZED"));
    if (path === "/api/auth/me") return answer(200, me);
    if (path === "/api/auth/logout") this.valid = "";
    return answer(200, { path });
  };
}

function open(pool = new Pool()) {
  const account = new Account({ api: (token) => new AccountApi(token, pool.fetch) });
  account.start();
  return { pool, account };
}

const passing = () => vi.advanceTimersByTimeAsync(0);

describe("a session", () => {
  let opened: Account[] = [];
  const start = (pool?: Pool) => {
    const made = open(pool);
    opened.push(made.account);
    return made;
  };
  beforeEach(() => {
    vi.useFakeTimers();
    window.sessionStorage.clear();
  });
  afterEach(() => {
    for (const account of opened) account.stop();
    opened = [];
    renewBy(null);
    vi.useRealTimers();
  });

  it("begins with the right password, and says who it is", async () => {
    const { account } = start();
    const heard = vi.fn();
    account.subscribe(heard);
    const refused = await account.signIn("alice", "wrong");
    expect(refused).toMatchObject({ kind: "locked", code: "SIGN_IN_REFUSED" });
    expect(await account.signIn("alice", "right")).toEqual({ setup: false });
    expect(account.shown()).toMatchObject({ phase: "in", me: { username: "alice", role: "admin" } });
    expect(account.who()?.role).toBe("admin");
    expect(account.token()).toBe("access-1");
    expect(heard).toHaveBeenCalled();
    // Nothing that lets anybody in is kept where scripts and copies of the tab find it.
    expect(window.sessionStorage.length).toBe(0);
    expect(window.localStorage.length).toBe(0);
    expect(document.cookie).toBe("");
  });

  it("asks for the second factor of who has one", async () => {
    const { account, pool } = start();
    pool.mfa = true;
    expect(await account.signIn("alice", "right")).toEqual({ mfa: "half" });
    expect(account.token()).toBeNull();
    expect(await account.verify("half", { code: "000000" })).toMatchObject({ code: "MFA_REFUSED" });
    expect(await account.verify("half", { code: "123456" })).toEqual({ setup: false });
    expect(account.shown().phase).toBe("in");
  });

  it("is renewed before its token ends, and tried again when nobody answers", async () => {
    const { account, pool } = start();
    await account.signIn("alice", "right");
    await vi.advanceTimersByTimeAsync(839_000);
    expect(account.token()).toBe("access-1");
    pool.offline = true;
    await vi.advanceTimersByTimeAsync(2_000);
    expect(account.shown().phase).toBe("in");
    pool.offline = false;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(account.token()).toBe("access-2");
  });

  it("ends when its refresh token is good for nothing", async () => {
    const { account, pool } = start();
    await account.signIn("alice", "right");
    pool.refresh = "somebody traded it";
    expect(await account.renew()).toBe(false);
    expect(account.shown()).toEqual({ phase: "out", me: null });
    expect(await account.renew()).toBe(false);
  });

  it("trades once, however many ask", async () => {
    const { account, pool } = start();
    await account.signIn("alice", "right");
    expect(await Promise.all([account.renew(), account.renew(), account.renew()])).toEqual([true, true, true]);
    expect(pool.asked.filter((path) => path === "/api/auth/refresh")).toHaveLength(1);
  });

  it("survives a reload, and is not copied with the tab", async () => {
    const { account, pool } = start();
    await account.signIn("alice", "right");
    // A copy of the tab gets a copy of its storage: there is nothing in it.
    expect(start(pool).account.shown().phase).toBe("out");
    window.dispatchEvent(new Event("pagehide"));
    expect(window.sessionStorage.getItem("dagpool.session")).toBe("refresh-1");
    account.stop();
    const { account: after } = start(pool);
    expect(after.shown().phase).toBe("back");
    expect(window.sessionStorage.length).toBe(0);
    await passing();
    expect(after.shown()).toMatchObject({ phase: "in", me: { username: "alice" } });
  });

  it("comes back from the browser's own cache of pages", async () => {
    const { account } = start();
    await account.signIn("alice", "right");
    window.dispatchEvent(new Event("pagehide"));
    window.dispatchEvent(new Event("pageshow"));
    expect(window.sessionStorage.length).toBe(0);
    expect(account.shown().phase).toBe("in");
  });

  it("is not kept while it is being traded", async () => {
    const { account } = start();
    await account.signIn("alice", "right");
    const trade = account.renew();
    window.dispatchEvent(new Event("pagehide"));
    expect(window.sessionStorage.length).toBe(0);
    await trade;
  });

  it("is signed out here and at the pool", async () => {
    const { account, pool } = start();
    await account.signIn("alice", "right");
    account.keep(null);
    await passing();
    expect(account.shown().phase).toBe("out");
    expect(account.token()).toBeNull();
    expect(pool.asked).toContain("/api/auth/logout");
    await vi.advanceTimersByTimeAsync(900_000);
    expect(pool.asked).not.toContain("/api/auth/refresh");
  });

  it("goes before the operator token, which is used where nobody is signed in", async () => {
    const { account } = start();
    account.keep("operator");
    expect(account.token()).toBe("operator");
    expect(account.who()).toBeNull();
    await account.signIn("alice", "right");
    expect(account.token()).toBe("access-1");
    await account.signOut();
    expect(account.token()).toBe("operator");
  });

  it("expects nothing of an operator token that the pool refused, and forgets it with the page", async () => {
    const { account, pool } = start();
    renewBy(account.renew);
    class Asking extends Client {
      get = () => this.ask("/api/thing", z.object({ path: z.string() }));
    }
    const asking = new Asking(account.token, pool.fetch);
    const told = vi.fn();
    account.subscribe(told);
    account.keep("ended");
    expect([account.vouched(), sessionStorage.getItem("dagpool.token")]).toEqual([true, "ended"]);
    told.mockClear();
    expect(await asking.get()).toMatchObject({ ok: false, failure: { kind: "locked" } });
    expect(told).toHaveBeenCalled();
    expect([account.vouched(), sessionStorage.getItem("dagpool.token")]).toEqual([false, null]);
    // A page still says that it was wrong, and putting it back does not make it better.
    expect(account.token()).toBe("ended");
    account.keep("another");
    expect(account.vouched()).toBe(true);
    account.keep("ended");
    expect([account.vouched(), sessionStorage.getItem("dagpool.token")]).toEqual([false, null]);
    // Whoever signs in is not held back by it.
    await account.signIn("alice", "right");
    expect(account.vouched()).toBe(true);
    expect(await asking.get()).toMatchObject({ ok: true });
  });

  it("does not refuse a token that was entered while the answer to the last one was on its way", async () => {
    const { account } = start();
    account.keep("newer");
    expect(await account.renew("older")).toBe(false);
    expect(account.vouched()).toBe(true);
  });

  it("does without storage where that is forbidden", async () => {
    const forbidden = () => {
      throw new Error("forbidden");
    };
    const pool = new Pool();
    const account = new Account({
      api: (token) => new AccountApi(token, pool.fetch),
      storage: forbidden,
      operator: new TokenKeeper(forbidden),
    });
    account.start();
    opened.push(account);
    await account.signIn("alice", "right");
    window.dispatchEvent(new Event("pagehide"));
    expect(account.shown().phase).toBe("in");
  });

  it("lets a request that comes too late be sent once more", async () => {
    const { account, pool } = start();
    await account.signIn("alice", "right");
    renewBy(account.renew);
    pool.valid = "ended meanwhile";
    class Asking extends Client {
      get = () => this.ask("/api/thing", z.object({ path: z.string() }));
    }
    const asking = new Asking(account.token, pool.fetch);
    expect(await asking.get()).toEqual({ ok: true, value: { path: "/api/thing" } });
    expect(pool.asked.filter((path) => path === "/api/thing")).toHaveLength(2);
    pool.valid = "ended";
    pool.refresh = "ended";
    expect(await asking.get()).toMatchObject({ ok: false, failure: { kind: "locked" } });
    expect(account.shown().phase).toBe("out");
  });
});

describe("where to go after signing in", () => {
  it("is a page of this pool", () => {
    expect(nextPage("?next=/payouts")).toBe("/payouts");
    expect(nextPage("?next=/algorithms/bench")).toBe("/algorithms/bench");
    for (const elsewhere of [
      "",
      "?next=",
      "?next=//evil.example",
      "?next=/%5Cevil.example",
      "?next=https://evil.example",
      "?next=javascript:alert(1)",
      "?next=/sign-in",
      "?next=/a?b=//c",
      "?next=%09//evil.example",
    ])
      expect(nextPage(elsewhere), elsewhere).toBe("/");
  });
});
