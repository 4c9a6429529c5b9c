// @vitest-environment jsdom
import { act, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { App } from "../App";
import { makeError } from "../algorithms/fixtures";
import { AlgorithmsStore } from "../algorithms/store";
import { Session } from "../state/session";
import { Store } from "../state/store";
import { at } from "../test-data";
import { loadPages } from "../test-pages";
import { change } from "./AuditPage";
import { Account } from "./account";
import { AccountApi } from "./api";

beforeAll(loadPages);

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
    ["GET /api/auth/accounts", [200, { items: [] }]],
    ["GET /api/auth/tokens", [200, { items: [] }]],
    [
      "GET /api/admin/users?limit=500",
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

describe("what an address of one's own is paid from", () => {
  const route = "/api/miners/kaspa%3Aq1/settings";
  const settings = { account: "kaspa:q1", threshold: null as string | null, pool_threshold: "1000000" };
  const asking = async (
    answer: Answer,
    figures: Answer = [200, { pool: { currency: { symbol: "SIM", decimals: 8 } } }],
  ) => {
    const pool = new Pool();
    pool.say("GET /api/auth/accounts", 200, { items: [{ account: "kaspa:q1", by: "workers", claimed_at: at }] });
    pool.say(`GET ${route}`, ...answer);
    pool.say("GET /api/stats", ...figures);
    await open("/account", { pool });
    fireEvent.click(await screen.findByRole("button", { name: "PAID FROM…" }));
    return pool;
  };
  const type = (value: string) =>
    fireEvent.change(within(dialog()).getByLabelText("Paid from, in SIM"), { target: { value } });

  it("is set in the currency, not below the pool's", async () => {
    const pool = await asking([200, { ...settings, threshold: "250000000" }]);
    expect(await screen.findByLabelText("Paid from, in SIM")).toHaveProperty("value", "2.50");
    type("x");
    await shown("Write an amount above 0 with at most 8 decimals.");
    type("0.001");
    await shown("At least 0.01, from which the pool pays everybody.");
    expect(within(dialog()).getByRole("button", { name: "KEEP" })).toHaveProperty("disabled", true);
    type("12.5");
    pool.say(`PATCH ${route}`, 403, makeError("FORBIDDEN"));
    press("KEEP", dialog());
    await shown("FORBIDDEN");
    pool.say(`PATCH ${route}`, 200, { ...settings, threshold: "1250000000" });
    press("KEEP", dialog());
    await shown("Paid from 12.5 SIM on.");
    expect(pool.bodies(`PATCH ${route}`)[1]).toEqual({ threshold: "1250000000" });
  });

  it("is the pool's again when nothing is written", async () => {
    const pool = await asking([200, { ...settings, pool_threshold: null }]);
    await screen.findByLabelText("Paid from, in SIM");
    pool.say(`PATCH ${route}`, 200, settings);
    press("USE THE POOL'S", dialog());
    await shown("The pool's threshold holds.");
    expect(pool.bodies(`PATCH ${route}`)).toEqual([{ threshold: null }]);
  });

  it("says why it can't be asked for", async () => {
    await asking([404, makeError("NOT_FOUND")]);
    await shown("NOT_FOUND");
  });

  it("says why it can't be shown", async () => {
    await asking([200, settings], [500, makeError("INTERNAL")]);
    await shown("INTERNAL");
  });
});

describe("what one hears of an address", () => {
  const route = "/api/auth/accounts/kaspa%3Aq1/alerts";
  const known = {
    worker_offline_minutes: 0,
    hashrate_drop_percent: 0,
    payout: false,
    block: false,
    email: false,
    email_confirmed: true,
    channels: [] as object[],
    key: false,
    offered: true,
    telegram_offered: false,
  };
  const telling = async (answer: Answer) => {
    const pool = new Pool();
    pool.say("GET /api/auth/accounts", 200, { items: [{ account: "kaspa:q1", by: "workers", claimed_at: at }] });
    pool.say(`GET ${route}`, ...answer);
    await open("/account", { pool });
    fireEvent.click(await screen.findByRole("button", { name: "TELL ME…" }));
    return pool;
  };
  const field = (name: string) => within(dialog()).getByLabelText(name);
  const type = (name: string, value: string) => fireEvent.change(field(name), { target: { value } });

  it("is set; a code is sent to a new place, and shows that one reads there", async () => {
    const pool = await telling([200, known]);
    await screen.findByLabelText("Webhook");
    expect(within(dialog()).queryByLabelText("Telegram")).toBeNull();
    type("A worker is offline for, minutes", "10x");
    type("The hash rate falls by, percent", "");
    type("Webhook", "https://x.example/");
    type("Discord", "d");
    type("Discord", "");
    fireEvent.click(field("A payout is sent"));
    fireEvent.click(field("A block is found"));
    fireEvent.click(field("By mail, to your confirmed address"));
    pool.say(`POST ${route}`, 400, makeError("BAD_REQUEST"));
    press("KEEP", dialog());
    await shown("BAD_REQUEST");
    const wanted = { ...known, worker_offline_minutes: 10, payout: true, block: true, email: true };
    const place = { channel: "webhook", to: "https://x.example/…", confirmed: false };
    const sent = [
      { channel: "webhook", ok: true, message: null },
      { channel: "other", ok: false, message: null },
    ];
    pool.say(`POST ${route}`, 200, { ...wanted, channels: [place], sent });
    press("KEEP", dialog());
    await shown("Webhook: taken");
    await shown("other: not taken (no reason)");
    expect(pool.bodies(`POST ${route}`)[1]).toEqual({
      worker_offline_minutes: 10,
      hashrate_drop_percent: 0,
      payout: true,
      block: true,
      email: true,
      webhook: "https://x.example/",
    });
    const confirm = within(dialog()).getByRole("button", { name: "CONFIRM" });
    expect(confirm).toHaveProperty("disabled", true);
    type("Code that was sent to Webhook", "12345678");
    pool.say(`POST ${route}/confirm`, 400, makeError("RATE_LIMITED"));
    press("CONFIRM", dialog());
    await shown("RATE_LIMITED");
    pool.say(`POST ${route}/confirm`, 200, { ...wanted, channels: [{ ...place, confirmed: true }] });
    press("CONFIRM", dialog());
    await shown("confirmed");
    expect(pool.bodies(`POST ${route}/confirm`)[1]).toEqual({ channel: "webhook", code: "12345678" });
    press("Remove Webhook", dialog());
    press("Undo removing Webhook", dialog());
    press("Remove Webhook", dialog());
    pool.say(`POST ${route}`, 200, { ...wanted, sent: [] });
    press("KEEP", dialog());
    await shown("Kept.");
    expect(pool.bodies(`POST ${route}`)[2]).toMatchObject({ webhook: "" });
    expect(screen.queryByRole("dialog")).toBeNull();
  });

  it("is tried, and machines may change it by a password", async () => {
    const there = [{ channel: "telegram", to: "…789", confirmed: true }];
    const pool = await telling([200, { ...known, email_confirmed: false, telegram_offered: true, channels: there }]);
    await screen.findByTestId("own-telegram");
    expect(field("By mail: confirm your address first")).toHaveProperty("disabled", true);
    pool.say(`POST ${route}/test`, 409, makeError("CONFLICT"));
    press("SEND A TEST", dialog());
    await shown("CONFLICT");
    pool.say(`POST ${route}/test`, 200, { sent: [{ channel: "telegram", ok: false, message: "it can't be reached" }] });
    press("SEND A TEST", dialog());
    await shown("Telegram: not taken (it can't be reached)");
    pool.say(`POST ${route}/key`, 500, makeError("INTERNAL"));
    press("PASSWORD FOR MACHINES", dialog());
    await shown("INTERNAL");
    pool.say(`POST ${route}/key`, 201, { account: "kaspa:q1", password: "alerts-00" });
    press("PASSWORD FOR MACHINES", dialog());
    await shown("alerts-00");
  });

  it("is not there where the pool does not offer it, or does not answer", async () => {
    await telling([200, { ...known, offered: false, key: true }]);
    await shown("This pool does not offer it.");
    expect(within(dialog()).getByRole("button", { name: "KEEP" })).toHaveProperty("disabled", true);
    press("CANCEL", dialog());
  });

  it("says why it can't be shown", async () => {
    await telling([404, makeError("NOT_FOUND")]);
    await shown("NOT_FOUND");
  });
});

describe("addresses", () => {
  const begun = {
    account: "kaspa:q1",
    password: "claim-0123456789",
    challenge: "Pool: the user alice claims kaspa:q1",
    signature: true,
    expires_at: at,
  };

  it("are claimed by machines or by a signature, and given back", async () => {
    const { pool } = await open("/account");
    await shown("NO_ADDRESSES");
    pool.say("POST /api/auth/accounts/claims", 400, makeError("BAD_REQUEST"));
    type("Payout address", " kaspa:q1 ");
    press("CLAIM IT");
    await shown("BAD_REQUEST");
    pool.say("POST /api/auth/accounts/claims", 201, begun);
    press("CLAIM IT");
    await shown("claim-0123456789");
    await shown(begun.challenge);
    pool.say("POST /api/auth/accounts/claims/verify", 409, makeError("CONFLICT"));
    press("CHECK THE MACHINES");
    await shown("CONFLICT");
    pool.say("POST /api/auth/accounts/claims/verify", 200, { account: "kaspa:q1", by: "signature" });
    pool.say("GET /api/auth/accounts", 200, { items: [{ account: "kaspa:q1", by: "signature", claimed_at: at }] });
    type("Signature", "ab");
    press("IT IS SIGNED");
    const link = await screen.findByRole("link", { name: "kaspa:q1" });
    expect(link.getAttribute("href")).toBe("/miners/kaspa%3Aq1");
    expect(pool.bodies("POST /api/auth/accounts/claims/verify")).toEqual([
      { account: "kaspa:q1" },
      { account: "kaspa:q1", signature: "ab" },
    ]);
    pool.say("DELETE /api/auth/accounts/kaspa%3Aq1", 204, null);
    pool.say("GET /api/auth/accounts", 200, { items: [] });
    press("GIVE BACK");
    await shown("NO_ADDRESSES");
  });

  it("of a chain without signatures are shown by machines alone", async () => {
    const { pool } = await open("/account");
    await shown("NO_ADDRESSES");
    pool.say("POST /api/auth/accounts/claims", 201, { ...begun, account: "alice", signature: false });
    type("Payout address", "alice");
    press("CLAIM IT");
    await shown("claim-0123456789");
    expect(screen.queryByLabelText("Signature")).toBeNull();
    press("BACK");
    await screen.findByRole("button", { name: "CLAIM IT" });
  });
});

describe("mails", () => {
  const secret = "0123456789abcdef".repeat(4);

  it("asks for a link, and says the same whoever asks", async () => {
    const { pool } = await open("/sign-in", { signedIn: false });
    fireEvent.click(await screen.findByRole("link", { name: "Forgot the password?" }));
    const send = await screen.findByRole("button", { name: "SEND THE LINK" });
    type("E-mail address", "alice");
    expect(send.hasAttribute("disabled")).toBe(true);
    type("E-mail address", " a@b.org ");
    pool.say("POST /api/auth/password/forgot", 429, makeError("SIGN_IN_LOCKED"));
    fireEvent.click(send);
    await shown("SIGN_IN_LOCKED");
    pool.say("POST /api/auth/password/forgot", 202, { status: "sent_if_known" });
    fireEvent.click(send);
    await shown(/a mail is on its way/);
    expect(pool.bodies("POST /api/auth/password/forgot")).toEqual([{ email: "a@b.org" }, { email: "a@b.org" }]);
  });

  it("sets another password by a link that leaves the address at once", async () => {
    const { pool, account } = await open(`/reset#${secret}`);
    const set = await screen.findByRole("button", { name: "SET IT" });
    expect(window.location.hash).toBe("");
    type("New password", "seven green doors");
    type("Once more", "seven green");
    await shown("The two differ.");
    type("Once more", "seven green doors");
    pool.say("POST /api/auth/password/reset", 400, makeError("LINK_REFUSED"));
    fireEvent.click(set);
    await shown("LINK_REFUSED");
    pool.say("POST /api/auth/password/reset", 204, null);
    fireEvent.click(set);
    await shown(/has been signed out/);
    expect(account.who()).toBeNull();
    expect(pool.bodies("POST /api/auth/password/reset")[0]).toEqual({ token: secret, password: "seven green doors" });
  });

  it("takes no link that is not whole", async () => {
    await open("/reset#javascript:alert(1)", { signedIn: false });
    await shown("NO_LINK");
    expect(screen.getByRole("link", { name: "A NEW MAIL" }).getAttribute("href")).toBe("/forgot");
  });

  it("confirms an address when it is told to", async () => {
    const { pool } = await open(`/verify#${secret}`, { signedIn: false });
    await screen.findByRole("button", { name: "CONFIRM" });
    expect(pool.bodies("POST /api/auth/email/verify")).toEqual([]);
    pool.say("POST /api/auth/email/verify", 200, { username: "alice", email: "a@b.org" });
    press("CONFIRM");
    await shown(/The address is confirmed/);
    expect(pool.bodies("POST /api/auth/email/verify")).toEqual([{ token: secret }]);
  });

  it("sends the mail again", async () => {
    const { pool } = await open("/sign-in", { signedIn: false });
    pool.say("POST /api/auth/login", 403, makeError("EMAIL_UNCONFIRMED"));
    await screen.findByLabelText("Password");
    type("Username", "alice");
    type("Password", "tuna fence orbit");
    press("SIGN IN");
    fireEvent.click(await screen.findByRole("link", { name: "Have it sent again" }));
    await screen.findByRole("button", { name: "SEND IT AGAIN" });
    type("E-mail address", "a@b.org");
    pool.say("POST /api/auth/email/resend", 202, { status: "sent_if_known" });
    press("SEND IT AGAIN");
    await shown(/a mail is on its way/);
  });

  it("changes the address of who knows the password", async () => {
    const { pool } = await open("/account");
    await shown("none");
    pool.say("POST /api/auth/email", 401, makeError("SIGN_IN_REFUSED"));
    press("CHANGE E-MAIL…");
    fireEvent.change(within(dialog()).getByLabelText("New e-mail address"), { target: { value: "a@b.org" } });
    fireEvent.change(within(dialog()).getByLabelText("Password"), { target: { value: "right" } });
    press("CHANGE", dialog());
    await shown("SIGN_IN_REFUSED");
    pool.say("POST /api/auth/email", 202, person("alice", { email: "a@b.org" }));
    pool.me = { ...pool.me, email: "a@b.org", email_verified: false };
    press("CHANGE", dialog());
    await shown("not confirmed");
    expect(pool.bodies("POST /api/auth/email")[1]).toEqual({ password: "right", email: "a@b.org" });
    press("CHANGE E-MAIL…");
    fireEvent.change(within(dialog()).getByLabelText("Password"), { target: { value: "right" } });
    press("CHANGE", dialog());
    await waitFor(() => expect(pool.bodies("POST /api/auth/email")).toHaveLength(3));
    expect(pool.bodies("POST /api/auth/email")[2]).toEqual({ password: "right", email: null });
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

  it("gives somebody another password", async () => {
    const { pool } = await open("/users");
    const path = `PATCH /api/admin/users/${encodeURIComponent("<b>bob</b>")}`;
    fireEvent.click(await screen.findByRole("button", { name: "NEW PASSWORD… for <b>bob</b>" }));
    expect(within(dialog()).getByRole("button", { name: "SET IT" })).toHaveProperty("disabled", true);
    type("New password", "short");
    const message = "password: it has 5 characters, fewer than 12";
    pool.say(path, 400, makeError("BAD_REQUEST", { message }));
    press("SET IT", dialog());
    await within(dialog()).findByText(message);
    type("New password", "tuna fence orbit");
    pool.say(path, 200, {});
    press("SET IT", dialog());
    await shown(/bob.*done/);
    expect(pool.bodies(path)).toEqual([{ password: "short" }, { password: "tuna fence orbit" }]);
  });

  it("shows everybody, page by page, and finds whoever is on a later page", async () => {
    const pool = new Pool();
    const names = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, index) => person(`user-${String(from + index).padStart(4, "0")}`));
    const next = "user-0499";
    pool.say("GET /api/admin/users?limit=500", 200, { items: names(0, 500), next });
    const last = [...names(500, 510), person("zoe", { email: "zoe@pool.example", role: "operator" })];
    pool.say(`GET /api/admin/users?limit=500&cursor=${next}`, 200, { items: last, next: null });
    await open("/users", { pool });
    const people = () => document.querySelectorAll(".person").length;
    await waitFor(() => expect(people()).toBe(50));
    expect(screen.getByTestId("people-count").textContent).toBe("500 or more");
    // By their text: roles of so many are looked up for minutes here.
    const more = () => fireEvent.click(screen.getByText("MORE"));
    for (let pages = 1; pages < 10; pages += 1) more();
    expect(people()).toBe(500);
    more();
    await waitFor(() => expect(people()).toBe(511));
    expect(screen.queryByText("MORE")).toBeNull();
    expect(screen.getByTestId("people-count").textContent).toBe("511");
  });

  it("looks through all pages for a name, an address or a role, and goes on after a failure", async () => {
    const pool = new Pool();
    pool.say("GET /api/admin/users?limit=500", 200, { items: [person("alice", { role: "admin" })], next: "alice" });
    pool.say("GET /api/admin/users?limit=500&cursor=alice", 503, makeError("STORE_UNAVAILABLE"));
    await open("/users", { pool });
    await screen.findByLabelText("Role of alice");
    type("Find", " ZOE@ ");
    await shown("STORE_UNAVAILABLE");
    expect(screen.queryByText("NOBODY_LIKE_THAT")).toBeNull();
    const last = [person("bob", { disabled_at: at }), person("zoe", { email: "zoe@pool.example", role: "operator" })];
    pool.say("GET /api/admin/users?limit=500&cursor=alice", 200, { items: last, next: null });
    press("MORE");
    await screen.findByLabelText("Role of zoe");
    const found = () => [...document.querySelectorAll(".person select")].map((one) => one.getAttribute("aria-label"));
    expect(found()).toEqual(["Role of zoe"]);
    type("Find", "operator");
    expect(found()).toEqual(["Role of zoe"]);
    type("Find", "disabled");
    expect(found()).toEqual(["Role of bob"]);
    type("Find", "nobody at all");
    await shown("NOBODY_LIKE_THAT");
    // Asked again after a decision: as many as were there before.
    type("Find", "bob");
    pool.say("PATCH /api/admin/users/bob", 200, {});
    const asked = pool.sent.length;
    press(/^ENABLE/);
    press("DO IT", dialog());
    await shown("bob: done. Their sessions have ended.");
    await waitFor(() =>
      expect(pool.sent.slice(asked).map(([route]) => route)).toContain("GET /api/admin/users?limit=500&cursor=alice"),
    );
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
    pool.say("GET /api/admin/users?limit=500", 503, makeError("STORE_UNAVAILABLE"));
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

it("no page says how long a password must be at least: that is a setting of the pool", async () => {
  const sources = import.meta.glob(["./*.tsx"], { query: "?raw", import: "default" });
  const texts = await Promise.all(Object.values(sources).map((load) => load()));
  expect(texts.length).toBeGreaterThan(7);
  for (const text of texts) expect(String(text)).not.toMatch(/(ten|\d+) characters or more/i);
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
