// @vitest-environment jsdom
import { act, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Account } from "../account/account";
import { AccountApi } from "../account/api";
import { TokenKeeper } from "../algorithms/access";
import { makeError } from "../algorithms/fixtures";
import { Session } from "../state/session";
import { Store } from "../state/store";
import { at } from "../test-data";
import { Toasts } from "../ui/Toasts";
import AlertsPage from "./AlertsPage";
import { AlertsApi } from "./api";

const alert = (id: string, rule: string, change: object = {}) => ({
  id,
  rule,
  subject: "",
  severity: "critical",
  state: "firing",
  message: `${rule} says what is wrong`,
  documentation_link: "/docs/errors/NODE_UNUSABLE",
  value: 0,
  fired_at: at,
  resolved_at: null,
  acknowledged: null,
  inhibited_by: null,
  silenced: false,
  ...change,
});

const over = (id: string, rule: string) => alert(id, rule, { state: "resolved", resolved_at: at });

const rules = [
  { name: "node_not_ready", severity: "critical", condition: "dagpool_node_ready < 1", for_s: 10, value: 0 },
  { name: "slow_disk", severity: "warning", condition: "mean of x over 60 s > 0.1", for_s: 30, value: null },
];

const channel = (name: string, change: object = {}) => ({
  name,
  kind: "slack",
  delivered: 3,
  given_up: 0,
  waiting: 0,
  delivered_at: at,
  trouble: null,
  ...change,
});

class Pool {
  answers = new Map<string, [status: number, body: unknown]>([
    ["GET /api/alerts?limit=50", [200, { firing: [], items: [], silences: [], next: null }]],
    ["GET /api/alerts/rules", [200, { items: rules, next: null }]],
    ["GET /api/alerts/channels", [200, { items: [], next: null }]],
    ["POST /api/auth/login", [200, { token: "t", refresh_token: "r", expires_in: 900, mfa_required: false }]],
  ]);
  sent: [route: string, body: unknown][] = [];

  say(route: string, status: number, body: unknown) {
    this.answers.set(route, [status, body]);
  }

  alerts(change: object) {
    this.say("GET /api/alerts?limit=50", 200, { firing: [], items: [], silences: [], next: null, ...change });
  }

  readonly fetch = async (path: string, init: RequestInit): Promise<Response> => {
    const route = `${init.method ?? "GET"} ${path}`;
    this.sent.push([route, init.body ? JSON.parse(String(init.body)) : null]);
    const [status, body] = this.answers.get(route) ?? [404, makeError("NOT_FOUND")];
    return new Response(status === 204 ? null : JSON.stringify(body), { status });
  };

  bodies = (route: string) => this.sent.filter(([sent]) => sent === route).map(([, body]) => body);
}

/** The page, for who has the operator token, a role, or nothing. */
async function open(pool: Pool, who: "token" | "viewer" | "operator" | "stranger" = "token") {
  const kept = who === "token" ? "good" : null;
  const storage = { getItem: () => kept, setItem: () => {}, removeItem: () => {} };
  const account = new Account({
    api: (token) => new AccountApi(token, pool.fetch),
    storage: () => storage,
    operator: new TokenKeeper(() => storage),
  });
  if (who === "viewer" || who === "operator") {
    pool.say("GET /api/auth/me", 200, { username: "ann", role: who, mfa: false });
    await account.signIn("ann", "right");
  }
  const session = new Session({
    url: "ws://pool/api/live",
    open: () => ({ onopen: null, onmessage: null, onclose: null, onerror: null, close() {} }),
    load: async () => ({ stats: null, blocks: null, miners: null }),
    store: new Store((flush) => flush()),
  });
  const api = new AlertsApi(account.token, pool.fetch);
  render(
    <Toasts>
      <AlertsPage session={session} account={account} nav={null} api={api} />
    </Toasts>,
  );
}

const shown = (text: string | RegExp) => screen.findByText(text);
const press = (name: string | RegExp, inside: HTMLElement = document.body) =>
  fireEvent.click(within(inside).getByRole("button", { name }));
const dialog = () => screen.getByRole("dialog");

beforeEach(() => {
  // jsdom knows no modal dialogs.
  HTMLDialogElement.prototype.showModal = function showModal() {
    this.open = true;
  };
  HTMLDialogElement.prototype.close = function close() {
    this.open = false;
  };
});

describe("ALERTS", () => {
  it("says that all is quiet, and that nobody would be told", async () => {
    await open(new Pool());
    await shown("ALL_QUIET");
    await shown("NOBODY_IS_TOLD");
    await shown("NOTHING_YET");
  });

  it("sends strangers to sign in, and asks nothing for them", async () => {
    const pool = new Pool();
    await open(pool, "stranger");
    expect((await screen.findByRole("link", { name: "SIGN IN" })).getAttribute("href")).toContain("/sign-in?next=");
    expect(pool.sent).toEqual([]);
  });

  it("offers viewers nothing that the pool would refuse them", async () => {
    const pool = new Pool();
    const silence = { id: "9", rule: "slow_disk", subject: "", by: "ann", reason: "a new disk", at, until: at };
    pool.alerts({ firing: [alert("1", "node_not_ready", { subject: "n1" })], silences: [silence] });
    pool.say("GET /api/alerts/channels", 200, { items: [channel("chat")], next: null });
    await open(pool, "viewer");
    await screen.findByTestId("firing-node_not_ready");
    await shown("ann: a new disk");
    await shown("chat");
    await shown("dagpool_node_ready < 1");
    expect(screen.queryAllByRole("button").map((one) => one.textContent)).toEqual([]);
  });

  it("offers operators all of it, each button with the alert's name", async () => {
    const pool = new Pool();
    pool.alerts({
      firing: [alert("1", "payout_stuck", { subject: "7" }), alert("2", "payout_stuck", { subject: "8" })],
    });
    await open(pool, "operator");
    await screen.findByRole("button", { name: "I TAKE IT… payout_stuck · 7" });
    screen.getByRole("button", { name: "I TAKE IT… payout_stuck · 8" });
    screen.getByRole("button", { name: "SILENCE… payout_stuck · 8" });
    expect(screen.getAllByRole("link", { name: /^WHAT IT MEANS payout_stuck/ })).toHaveLength(2);
  });

  it("silences one alert alone, unless all of its rule is meant", async () => {
    const pool = new Pool();
    const silence = { id: "9", rule: "payout_stuck", subject: "7", by: "ann", reason: "known", at, until: at };
    pool.alerts({
      firing: [alert("1", "payout_stuck", { subject: "7" }), alert("2", "slow_disk")],
      silences: [silence],
    });
    pool.say("POST /api/alerts/silences", 201, silence);
    await open(pool, "operator");
    await screen.findByRole("button", { name: "END the silence of payout_stuck · 7" });
    const hush = (change: [label: string, value: string][]) => {
      for (const [label, value] of [...change, ["Why", "known"]] as const)
        fireEvent.change(within(dialog()).getByLabelText(label), { target: { value } });
      press("SILENCE IT", dialog());
      return waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    };
    press("SILENCE… payout_stuck · 7");
    await hush([]);
    await shown("payout_stuck · 7 is silenced");
    press("SILENCE… payout_stuck · 7");
    await hush([["Of it", ""]]);
    // Another rule does not keep the subject of the first.
    press("SILENCE… payout_stuck · 7");
    await hush([["Which", "slow_disk"]]);
    expect(pool.bodies("POST /api/alerts/silences")).toEqual([
      { rule: "payout_stuck", subject: "7", for_s: 3_600, reason: "known" },
      { rule: "payout_stuck", subject: "", for_s: 3_600, reason: "known" },
      { rule: "slow_disk", subject: "", for_s: 3_600, reason: "known" },
    ]);
  });

  it("says when a silence could not be ended", async () => {
    const pool = new Pool();
    const silence = { id: "9", rule: "", subject: "", by: "ann", reason: "known", at, until: at };
    pool.alerts({ silences: [silence] });
    pool.say("DELETE /api/alerts/silences/9", 404, makeError("NOT_FOUND", { message: "there is no silence 9" }));
    await open(pool);
    await shown("ann: known");
    press("END the silence of every rule");
    await shown("there is no silence 9");
  });

  it("shows what fires with why it is quiet, and lets somebody take it on", async () => {
    const pool = new Pool();
    const taken = { by: "ann", at, note: "on it" };
    pool.alerts({
      firing: [
        alert("3", "slow_disk", { severity: "warning", acknowledged: taken }),
        alert("2", "template_old", { inhibited_by: "node_not_ready", silenced: true }),
        alert("1", "node_not_ready"),
      ],
    });
    pool.say("POST /api/alerts/1/acknowledge", 200, alert("1", "node_not_ready"));
    await open(pool);
    const first = await screen.findByTestId("firing-node_not_ready");
    const second = screen.getByTestId("firing-template_old");
    const order = [...document.querySelectorAll(".alert-list li")].map((line) => line.getAttribute("data-testid"));
    expect(order[0], "what nobody takes care of comes first").toBe("firing-node_not_ready");
    expect(order.at(-1)).toBe("firing-slow_disk");
    expect(second.textContent).toContain("node_not_ready explains it");
    expect(second.textContent).toContain("silenced");
    expect(screen.getByTestId("firing-slow_disk").textContent).toContain("ann takes care of it: on it");
    press(/^I TAKE IT…/, first);
    fireEvent.change(within(dialog()).getByLabelText("What you do about it"), { target: { value: " restart " } });
    press("I TAKE IT", dialog());
    await waitFor(() => expect(pool.bodies("POST /api/alerts/1/acknowledge")).toEqual([{ note: "restart" }]));
    await shown("node_not_ready is yours");
  });

  it("silences a rule for a reason, shows a refusal, and ends a silence", async () => {
    const pool = new Pool();
    const silence = { id: "9", rule: "slow_disk", subject: "", by: "ann", reason: "a new disk", at, until: at };
    pool.alerts({ silences: [silence] });
    pool.say("POST /api/alerts/silences", 400, makeError("BAD_REQUEST"));
    pool.say("DELETE /api/alerts/silences/9", 204, null);
    await open(pool);
    await shown("ann: a new disk");
    press(/SILENCE… node_not_ready/);
    expect(within(dialog()).getByRole("button", { name: "SILENCE IT" })).toHaveProperty("disabled", true);
    fireEvent.change(within(dialog()).getByLabelText("Why"), { target: { value: "upgrade" } });
    fireEvent.change(within(dialog()).getByLabelText("For"), { target: { value: "86400" } });
    press("SILENCE IT", dialog());
    await shown("BAD_REQUEST");
    pool.say("POST /api/alerts/silences", 201, silence);
    press("SILENCE IT", dialog());
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    expect(pool.bodies("POST /api/alerts/silences")[1]).toEqual({
      rule: "node_not_ready",
      subject: "",
      for_s: 86_400,
      reason: "upgrade",
    });
    press(/END the silence of slow_disk/);
    await waitFor(() => expect(pool.bodies("DELETE /api/alerts/silences/9")).toHaveLength(1));
  });

  it("tries a channel and says what it answered", async () => {
    const pool = new Pool();
    const items = [channel("chat"), channel("pager", { trouble: "it answered 401", given_up: 2, waiting: 1 })];
    pool.say("GET /api/alerts/channels", 200, { items, next: null });
    pool.say("POST /api/alerts/channels/chat/test", 200, { channel: "chat", ok: true, message: null });
    pool.say("POST /api/alerts/channels/pager/test", 200, { channel: "pager", ok: false, message: "wrong key" });
    await open(pool);
    await shown(/it answered 401 · 1 wait · 2 given up/);
    press(/SEND A TEST to chat/);
    await shown("chat: the test was taken");
    press(/SEND A TEST to pager/);
    await shown("pager: wrong key");
  });

  it("keeps what is over, page by page, each alert once", async () => {
    const pool = new Pool();
    pool.alerts({ items: [over("5", "slow_disk"), over("4", "many_bans")], next: "4" });
    const older = { firing: [], silences: [], items: [over("4", "many_bans"), over("3", "slow_node")], next: null };
    pool.say("GET /api/alerts?limit=50&cursor=4", 200, older);
    await open(pool);
    await screen.findByTestId("over");
    press("OLDER");
    await waitFor(() => expect(within(screen.getByTestId("over")).getAllByRole("listitem")).toHaveLength(3));
    expect(screen.queryByRole("button", { name: "OLDER" })).toBeNull();
  });
});

describe("what the page ALERTS knows", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is never older than what was known before", async () => {
    const pool = new Pool();
    const open_answers: ((message: string) => void)[] = [];
    const { fetch } = pool;
    const slow = async (path: string, init: RequestInit) => {
      if (path !== "/api/alerts?limit=50") return fetch(path, init);
      const message = await new Promise<string>((done) => open_answers.push(done));
      const firing = [alert("1", "slow_disk", { message })];
      return new Response(JSON.stringify({ firing, items: [], silences: [], next: null }), { status: 200 });
    };
    await open(Object.assign(pool, { fetch: slow }));
    const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));
    await pass(0);
    await act(async () => open_answers[0]?.("first"));
    await pass(0);
    expect(screen.getByText("first")).toBeTruthy();
    // The next one is slow, and the one after an act overtakes it.
    await pass(3_000);
    pool.say("POST /api/alerts/1/acknowledge", 200, alert("1", "slow_disk"));
    press(/^I TAKE IT/);
    press("I TAKE IT", dialog());
    await pass(0);
    expect(open_answers).toHaveLength(3);
    await act(async () => open_answers[2]?.("after the act"));
    await act(async () => open_answers[1]?.("before the act"));
    await pass(0);
    expect(screen.getByText("after the act")).toBeTruthy();
    expect(screen.queryByText("before the act")).toBeNull();
  });
});
