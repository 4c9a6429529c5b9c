// @vitest-environment jsdom
import { act, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { App } from "../App";
import { makeError } from "../algorithms/fixtures";
import { AlgorithmsStore } from "../algorithms/store";
import { Session } from "../state/session";
import { Store } from "../state/store";
import { at } from "../test-data";
import { change } from "./AuditPage";
import { Account } from "./account";
import { AccountApi } from "./api";

type Answer = [status: number, body: unknown];

const person = (username: string, change: object = {}) => ({
  id: username,
  username,
  email: null,
  role: "miner",
  mfa: false,
  disabled_at: null,
  created_at: at,
  ...change,
});

const opened = (id: string, change: object = {}) => ({
  id,
  username: "alice",
  role: "admin",
  address: "192.0.2.1",
  agent: "Firefox",
  created_at: at,
  seen_at: at,
  ...change,
});

const entry = (id: string, change: object = {}) => ({
  id,
  at,
  node: "node-0",
  actor: "alice",
  address: "192.0.2.1",
  action: "auth.login",
  subject: "alice",
  outcome: "done",
  before: null,
  after: null,
  ...change,
});

const pair = { token: "good", refresh_token: "r", expires_in: 900, mfa_required: false };

class Pool {
  me: Record<string, unknown> = { ...person("alice"), role: "admin", by: "session", backup_codes_left: 7 };
  answers = new Map<string, Answer>([
    ["POST /api/auth/login", [200, pair]],
    ["POST /api/auth/register", [201, person("alice")]],
    ["POST /api/auth/mfa/verify", [200, pair]],
    ["POST /api/auth/logout", [204, null]],
    ["POST /api/auth/password", [204, null]],
    ["POST /api/auth/mfa/setup", [200, { secret: "GEZDGNBV", otpauth_uri: "otpauth://x", qr_svg: "<svg/>" }]],
    ["POST /api/auth/mfa/enable", [200, { ...pair, backup_codes: ["aaaa-bbbb-cccc", "dddd-eeee-ffff"] }]],
    ["POST /api/auth/mfa/disable", [204, null]],
    ["POST /api/auth/mfa/backup-codes", [200, { backup_codes: ["new1-new2-new3"] }]],
    [
      "GET /api/auth/sessions",
      [200, { items: [opened("s1", { current: true }), opened("s2", { address: "198.51.100.7" })] }],
    ],
    ["DELETE /api/auth/sessions/s2", [204, null]],
    ["GET /api/auth/tokens", [200, { items: [] }]],
    [
      "GET /api/admin/users?limit=100",
      [
        200,
        {
          items: [person("alice", { role: "admin", mfa: true }), person("<b>bob</b>", { disabled_at: at })],
          next: null,
        },
      ],
    ],
    ["GET /api/admin/sessions", [200, { items: [opened("s1"), opened("s3", { username: "carol", role: "viewer" })] }]],
    ["DELETE /api/admin/sessions/s3", [204, null]],
  ]);
  sent: [route: string, body: unknown][] = [];

  say(route: string, status: number, body: unknown) {
    this.answers.set(route, [status, body]);
  }

  readonly fetch = async (path: string, init: RequestInit): Promise<Response> => {
    const route = `${init.method ?? "GET"} ${path}`;
    this.sent.push([route, init.body ? JSON.parse(String(init.body)) : null]);
    if (route === "GET /api/auth/me") return new Response(JSON.stringify(this.me), { status: 200 });
    const [status, body] = this.answers.get(route) ?? [404, makeError("NOT_FOUND")];
    return new Response(status === 204 ? null : JSON.stringify(body), { status });
  };

  bodies = (route: string) => this.sent.filter(([sent]) => sent === route).map(([, body]) => body);
}

async function open(path: string, { signedIn = true, pool = new Pool() } = {}) {
  window.history.replaceState(null, "", path);
  const account = new Account({ api: (token) => new AccountApi(token, pool.fetch) });
  if (signedIn) await account.signIn("alice", "right");
  const session = new Session({
    url: "ws://pool/api/live",
    open: () => ({ onopen: null, onmessage: null, onclose: null, onerror: null, close() {} }),
    load: async () => ({ stats: null, blocks: null, miners: null }),
    store: new Store((flush) => flush()),
  });
  render(<App session={session} algorithms={new AlgorithmsStore({ keeper: account })} account={account} />);
  await waitFor(() => expect(document.querySelector("main")).toBeTruthy());
  return { pool, account };
}

const type = (label: string | RegExp, value: string) =>
  fireEvent.change(screen.getByLabelText(label), { target: { value } });
const press = (name: string | RegExp, inside: HTMLElement = document.body) =>
  fireEvent.click(within(inside).getByRole("button", { name }));
const dialog = () => screen.getByRole("dialog");
const shown = (text: string | RegExp) => screen.findByText(text);

beforeEach(() => {
  // jsdom knows no modal dialogs.
  HTMLDialogElement.prototype.showModal = function showModal() {
    this.open = true;
  };
  HTMLDialogElement.prototype.close = function close() {
    this.open = false;
  };
});
afterEach(() => window.history.replaceState(null, "", "/"));

describe("SIGN_IN", () => {
  it("goes where it was asked to, once the pool let somebody in", async () => {
    const { pool } = await open("/sign-in?next=/account", { signedIn: false });
    pool.say("POST /api/auth/login", 401, makeError("SIGN_IN_REFUSED"));
    type("Username", " alice ");
    type("Password", "wrong");
    press("SIGN IN");
    await shown("SIGN_IN_REFUSED");
    pool.say("POST /api/auth/login", 200, pair);
    type("Password", "right");
    press("SIGN IN");
    await waitFor(() => expect(window.location.pathname).toBe("/account"));
    expect(pool.bodies("POST /api/auth/login")).toContainEqual({ username: "alice", password: "right" });
    expect(await screen.findByRole("link", { name: "alice" })).toBeTruthy();
  });

  it("asks for the second factor, by app or by backup code", async () => {
    const { pool } = await open("/sign-in", { signedIn: false });
    pool.say("POST /api/auth/login", 200, { mfa_required: true, mfa_token: "half", token: null });
    type("Username", "alice");
    type("Password", "right");
    press("SIGN IN");
    await shown("SECOND_FACTOR");
    pool.say("POST /api/auth/mfa/verify", 401, makeError("MFA_REFUSED"));
    type("Code of your app", "000 000");
    press("SIGN IN");
    await shown("MFA_REFUSED");
    press("USE A BACKUP CODE");
    pool.say("POST /api/auth/mfa/verify", 200, pair);
    type("Backup code", "aaaa-bbbb-cccc");
    press("SIGN IN");
    await waitFor(() => expect(window.location.pathname).toBe("/"));
    expect(pool.bodies("POST /api/auth/mfa/verify")).toEqual([
      { mfa_token: "half", code: "000000" },
      { mfa_token: "half", backup_code: "aaaa-bbbb-cccc" },
    ]);
  });

  it("registers, and goes back from the second factor", async () => {
    const { pool } = await open("/sign-in", { signedIn: false });
    press("REGISTER");
    pool.say("POST /api/auth/register", 409, makeError("NAME_TAKEN"));
    type("Username", "alice");
    type("Password", "tuna fence orbit");
    press("REGISTER AND SIGN IN");
    await shown("NAME_TAKEN");
    press("I HAVE AN ACCOUNT");
    pool.say("POST /api/auth/login", 200, { mfa_required: true, mfa_token: "half", token: null });
    press("SIGN IN");
    await shown("SECOND_FACTOR");
    press("BACK");
    expect(screen.getByText("WHO_ARE_YOU")).toBeTruthy();
  });
});

describe("ACCOUNT", () => {
  it("is for people who have signed in", async () => {
    await open("/account", { signedIn: false });
    await shown("NOT_SIGNED_IN");
    expect(screen.getByRole("link", { name: "SIGN IN" }).getAttribute("href")).toBe("/sign-in?next=%2Faccount");
  });

  it("turns a second factor on, and shows the backup codes until they are kept", async () => {
    const { pool } = await open("/account");
    pool.me = { ...pool.me, mfa: false };
    await screen.findByLabelText("Password");
    type("Password", "right");
    press("SET UP");
    expect((await screen.findByAltText(/QR code/)).getAttribute("src")).toMatch(/^data:image\/svg\+xml,/);
    expect(screen.getByText("GEZDGNBV")).toBeTruthy();
    pool.me = { ...pool.me, mfa: true };
    type("Code of your app", "123 456");
    press("TURN ON");
    expect((await screen.findByTestId("backup-codes")).textContent).toContain("aaaa-bbbb-cccc");
    expect(pool.bodies("POST /api/auth/mfa/enable")).toEqual([{ code: "123456" }]);
    press("I HAVE THEM");
    await shown(/Backup codes that were not used/);

    press("NEW BACKUP CODES…");
    type("Code of your app", "222222");
    press("MAKE THEM", dialog());
    expect((await screen.findByTestId("backup-codes")).textContent).toContain("new1-new2-new3");
    press("I HAVE THEM");
    press("TURN OFF…");
    within(dialog()).getByText("TURN OFF");
    type("Password", "right");
    type("Code of your app", "333333");
    pool.me = { ...pool.me, mfa: false };
    press("TURN OFF", dialog());
    await shown(/The second factor is off/);
    expect(pool.bodies("POST /api/auth/mfa/disable")).toEqual([{ password: "right", code: "333333" }]);
  });

  it("shows nothing else where a second factor must be set up first", async () => {
    const pool = new Pool();
    pool.me = { ...pool.me, mfa_setup_required: true };
    await open("/account", { pool });
    await shown(/nothing else is open before/);
    expect(screen.queryByText("OPEN_SESSIONS")).toBeNull();
    pool.say("POST /api/auth/mfa/setup", 401, makeError("SIGN_IN_REFUSED"));
    type("Password", "wrong");
    press("SET UP");
    await shown("SIGN_IN_REFUSED");
  });

  it("changes the password, ends sessions and signs out", async () => {
    const { pool } = await open("/account");
    expect(await screen.findAllByText("Firefox")).toHaveLength(2);
    press(/END the session of 198/);
    await waitFor(() => expect(pool.bodies("DELETE /api/auth/sessions/s2")).toHaveLength(1));
    press("CHANGE PASSWORD…");
    type("Password now", "right");
    type("New password", "weak");
    pool.say("POST /api/auth/password", 400, makeError("BAD_REQUEST"));
    press("CHANGE", dialog());
    await within(dialog()).findByText("BAD_REQUEST");
    pool.say("POST /api/auth/password", 204, null);
    press("CHANGE", dialog());
    await shown(/The password was changed/);
    press("SIGN OUT");
    await shown("NOT_SIGNED_IN");
  });

  it("makes a token, shows it once, and takes it back", async () => {
    const { pool } = await open("/account");
    await shown("NO_TOKENS");
    const token = {
      id: "t1",
      name: "nightly",
      scopes: ["read", "payouts"],
      created_at: at,
      expires_at: "2999-01-01T00:00:00Z",
      revoked_at: null,
    };
    press("NEW TOKEN…");
    type("What is it for?", "nightly");
    type("Good for (days)", "30");
    fireEvent.click(within(dialog()).getByLabelText("payouts"));
    fireEvent.click(within(dialog()).getByLabelText("admin"));
    fireEvent.click(within(dialog()).getByLabelText("admin"));
    pool.say("POST /api/auth/tokens", 201, { ...token, token: "bdp_t1_secret" });
    pool.say("GET /api/auth/tokens", 200, { items: [token] });
    pool.say("DELETE /api/auth/tokens/t1", 204, null);
    press("MAKE IT", dialog());
    expect((await screen.findByTestId("new-token")).textContent).toBe("bdp_t1_secret");
    expect(pool.bodies("POST /api/auth/tokens")).toEqual([
      { name: "nightly", scopes: ["read", "payouts"], expires_in_days: 30 },
    ]);
    press("I HAVE IT");
    expect(screen.queryByTestId("new-token")).toBeNull();
    pool.say("GET /api/auth/tokens", 200, { items: [{ ...token, revoked_at: at }] });
    press(/TAKE BACK/);
    await shown("NO_TOKENS");
  });
});

describe("USERS", () => {
  it("is for admins", async () => {
    const pool = new Pool();
    pool.me = { ...pool.me, role: "viewer" };
    await open("/users", { pool });
    await shown("FOR_ADMINS");
    expect(screen.queryByRole("link", { name: "USERS" })).toBeNull();
    expect(pool.sent.some(([route]) => route.includes("/api/admin/"))).toBe(false);
  });

  it("changes people one thing at a time, after a question", async () => {
    const { pool } = await open("/users");
    // A name is text wherever it is shown.
    expect((await screen.findAllByText("<b>bob</b>")).length).toBeGreaterThan(0);
    expect(document.querySelector("main b")).toBeNull();
    const path = `PATCH /api/admin/users/${encodeURIComponent("<b>bob</b>")}`;
    pool.say(path, 200, {});
    pool.say("PATCH /api/admin/users/alice", 409, makeError("CONFLICT"));
    press(/^ENABLE/);
    press("DO IT", dialog());
    await shown(/bob.*done/);
    fireEvent.change(screen.getByLabelText("Role of alice"), { target: { value: "miner" } });
    await within(dialog()).findByText(/alice is admin now, and will be miner/);
    press("DO IT", dialog());
    await within(dialog()).findByText("CONFLICT");
    press("CANCEL", dialog());
    press(/^DISABLE/);
    press("CANCEL", dialog());
    press(/^RESET 2FA/);
    pool.say("PATCH /api/admin/users/alice", 200, {});
    press("DO IT", dialog());
    await waitFor(() =>
      expect(pool.bodies("PATCH /api/admin/users/alice")).toEqual([{ role: "miner" }, { reset_mfa: true }]),
    );
    expect(pool.bodies(path)).toEqual([{ disabled: false }]);
  });

  it("adds somebody, and ends anybody's session", async () => {
    const { pool } = await open("/users");
    await shown("carol (viewer)");
    press("ADD…");
    type("Username", "dave");
    type("First password", "tuna fence orbit");
    fireEvent.change(within(dialog()).getByLabelText("Role"), { target: { value: "operator" } });
    pool.say("POST /api/admin/users", 201, person("dave", { role: "operator" }));
    press("ADD", dialog());
    await shown("dave may sign in as operator.");
    expect(pool.bodies("POST /api/admin/users")).toEqual([
      { username: "dave", role: "operator", password: "tuna fence orbit" },
    ]);
    const ends = screen.getAllByRole("button", { name: /^END/ });
    fireEvent.click(ends.at(-1) as HTMLElement);
    await waitFor(() => expect(pool.bodies("DELETE /api/admin/sessions/s3")).toHaveLength(1));
  });

  it("says what went wrong", async () => {
    const pool = new Pool();
    pool.say("GET /api/admin/users?limit=100", 503, makeError("STORE_UNAVAILABLE"));
    pool.say("GET /api/admin/sessions", 503, makeError("CACHE_UNAVAILABLE"));
    await open("/users", { pool });
    await shown("STORE_UNAVAILABLE");
    await shown("CACHE_UNAVAILABLE");
  });
});

describe("AUDIT", () => {
  it("shows the trail page by page, with what changed, as text", async () => {
    const pool = new Pool();
    const script = entry("9", {
      actor: "<img src=x onerror=alert(1)>",
      action: "POST /api/admin/payouts/hold",
      outcome: "refused",
      before: { held: null },
      after: { held: "a reason" },
    });
    pool.say("GET /api/admin/audit?limit=50", 200, { items: [script], next: "9" });
    pool.say("GET /api/admin/audit?limit=50&cursor=9", 200, { items: [entry("8")], next: null });
    await open("/audit", { pool });
    await shown("<img src=x onerror=alert(1)>");
    expect(document.querySelector("img")).toBeNull();
    await shown(/held: null → "a reason"/);
    press("OLDER");
    await waitFor(() => expect(within(screen.getByTestId("audit")).getAllByRole("listitem")).toHaveLength(2));
    expect(screen.queryByRole("button", { name: "OLDER" })).toBeNull();
  });

  it("is filtered by who and what", async () => {
    const pool = new Pool();
    pool.say("GET /api/admin/audit?limit=50", 200, { items: [entry("1")], next: null });
    pool.say("GET /api/admin/audit?limit=50&actor=bob", 200, { items: [], next: null });
    pool.say("GET /api/admin/audit?limit=50&actor=bob&action=auth.", 503, makeError("STORE_UNAVAILABLE"));
    await open("/audit", { pool });
    await screen.findByTestId("audit");
    type("By whom", "bob");
    await shown("NOTHING");
    await act(async () => void fireEvent.change(screen.getByLabelText("About"), { target: { value: "auth." } }));
    await shown("STORE_UNAVAILABLE");
    type("By whom", "");
    fireEvent.change(screen.getByLabelText("About"), { target: { value: "" } });
    await screen.findByTestId("audit");
    press("REFRESH");
    await waitFor(() => expect(pool.bodies("GET /api/admin/audit?limit=50").length).toBeGreaterThan(2));
  });
});

describe("what changed", () => {
  it("is told field by field", () => {
    expect(change({ before: null, after: null })).toBeNull();
    expect(change({ before: { a: 1, b: "x" }, after: { a: 1, b: "y", c: true } })).toBe('b: "x" → "y"\nc: true');
    expect(change({ before: { a: 1 }, after: null })).toBe("a: 1 → gone");
    expect(change({ before: null, after: { a: null } })).toBe("a: null");
    expect(change({ before: "x", after: ["y"] })).toBe('"x" → ["y"]');
    expect(change({ before: { a: 1 }, after: { a: 1 } })).toBeNull();
  });
});
