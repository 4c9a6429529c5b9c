// @vitest-environment jsdom
import { act, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { App } from "../App";
import { Account } from "../account/account";
import { TokenKeeper } from "../algorithms/access";
import { makeError } from "../algorithms/fixtures";
import { AlgorithmsStore } from "../algorithms/store";
import type { Socket } from "../feed/live";
import { Session } from "../state/session";
import { Store } from "../state/store";
import { at, atMs, frame, makeSnapshot } from "../test-data";
import { loadPages } from "../test-pages";
import { Toasts } from "../ui/Toasts";
import { PayoutsApi } from "./api";
import { stateOf } from "./Cards";
import PayoutsPage, { inTheWay } from "./PayoutsPage";
import { reasonOf } from "./Plan";
import { status as statusShape } from "./schema";

beforeAll(loadPages);

const miner = "kaspa:qqabcdefghijklmnopqrstuvwxyz";

const makeStatus = (change: object = {}) => ({
  enabled: true,
  dispatching: true,
  held: null,
  standing_by: null,
  trouble: null,
  troubles: [],
  stuck: { round: false, plan: false, payouts: [] },
  suggested_actions: [],
  open: 1,
  looked_at: at,
  planned_at: at,
  waiting: [],
  terms: [],
  rules: {
    threshold: "1000000",
    limit_per_hour: null,
    limit_per_day: "1000000000",
    recipients_max: 100,
    interval_s: 600,
    confirmations: 10,
  },
  spent: { hour: "0", day: "950000000" },
  ...change,
});

const makePayout = (id: number, change: object = {}) => ({
  id: String(id),
  state: "settled",
  amount: "150000000",
  recipients: [{ account: miner, amount: "150000000" }],
  txid: "ab".repeat(32),
  fee: "1000",
  held: null,
  recipient_held: false,
  created_at: at,
  updated_at: at,
  confirmed_at: at,
  reason: null,
  ...change,
});

const dry = {
  held: null,
  amount: "250000000",
  payouts: [{ recipients: [{ account: miner, amount: "250000000" }] }],
  skipped: [{ account: "whale", amount: "9000000000", reason: "above_limit" }],
  refused: [{ account: "typo", amount: "5000000", reason: "checksum" }],
  spent: { hour: "0", day: "0" },
};

type Answer = [status: number, body: unknown];

/** A pool that answers what it is told to, and remembers what it was sent. */
class Pool {
  answers = new Map<string, Answer>([
    ["/api/admin/payouts", [200, makeStatus()]],
    ["/api/payouts", [200, { items: [makePayout(2), makePayout(1)], next: null }]],
    ["/api/admin/payouts/audit", [200, { items: [], next: null }]],
    ["/api/admin/payouts/dry-run", [200, dry]],
    ["/api/admin/payouts/run", [202, { status: "asked" }]],
    ["/api/admin/payouts/hold", [200, {}]],
    ["/api/admin/payouts/release", [200, {}]],
    ["/api/admin/payouts/threshold", [200, {}]],
  ]);
  sent: [path: string, body: unknown][] = [];
  asked: string[] = [];
  offline = false;

  say(path: string, status: number, body: unknown) {
    this.answers.set(path, [status, body]);
  }

  readonly fetch = async (path: string, init: RequestInit): Promise<Response> => {
    if (this.offline) throw new TypeError("offline");
    this.asked.push(path);
    const { authorization } = (init.headers ?? {}) as Record<string, string>;
    if (authorization !== "Bearer good")
      return new Response(JSON.stringify(makeError("UNAUTHORIZED")), { status: 401 });
    if (init.body) this.sent.push([path, JSON.parse(String(init.body))]);
    const answer = this.answers.get(path) ?? this.answers.get(path.split("?")[0] ?? path);
    const [status, body] = answer ?? [404, makeError("NOT_FOUND")];
    return new Response(JSON.stringify(body), { status });
  };
}

function memory(token: string | null) {
  const kept = new Map<string, string>(token === null ? [] : [["dagpool.token", token]]);
  return () => ({
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  });
}

async function open(pool = new Pool(), token: string | null = "good") {
  const sockets: Socket[] = [];
  const session = new Session({
    url: "ws://pool/api/live",
    open: () => {
      const socket: Socket = { onopen: null, onmessage: null, onclose: null, onerror: null, close() {} };
      sockets.push(socket);
      return socket;
    },
    load: async () => ({ stats: null, blocks: null, miners: null }),
    store: new Store((flush) => flush()),
  });
  session.start();
  const keeper = new TokenKeeper(memory(token));
  const api = new PayoutsApi(keeper.token, pool.fetch);
  const view = render(
    <Toasts>
      <PayoutsPage session={session} keeper={keeper} nav={null} api={api} />
    </Toasts>,
  );
  const say = (text: string) => act(() => sockets.at(-1)?.onmessage?.({ data: text }));
  say(frame("snapshot", 1, makeSnapshot()));
  if (token === "good" && !pool.offline) await screen.findByText("WHO_DID_WHAT");
  return { ...view, pool, keeper, say, session };
}

const press = (name: string | RegExp) => fireEvent.click(screen.getByRole("button", { name }));
const fill = (label: string | RegExp, value: string) =>
  fireEvent.change(screen.getByLabelText(label), { target: { value } });
const dialog = () => within(screen.getByRole("dialog"));
const confirm = (name: string) => fireEvent.click(dialog().getByRole("button", { name }));

describe("the payout page", () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });

  it("asks for the token, refuses a wrong one, and forgets it on demand", async () => {
    const { keeper } = await open(new Pool(), null);
    expect(screen.getByText(/Payouts of everybody are for operators/)).toBeTruthy();
    expect(screen.queryByText("NEXT_PAYOUTS")).toBeNull();
    fireEvent.change(screen.getByPlaceholderText("operator token"), { target: { value: "bad" } });
    press("UNLOCK");
    await screen.findByText("UNAUTHORIZED");
    expect(keeper.token()).toBeNull();
    fireEvent.change(screen.getByPlaceholderText("operator token"), { target: { value: "good" } });
    press("UNLOCK");
    await screen.findByText("NEXT_PAYOUTS");
    expect(keeper.token()).toBe("good");
    press("FORGET TOKEN");
    expect(screen.queryByText("NEXT_PAYOUTS")).toBeNull();
    expect(keeper.token()).toBeNull();
  });

  it("shows the first of many who wait, and all when asked", async () => {
    const pool = new Pool();
    const waiting = Array.from({ length: 20 }, (_, index) => ({ account: `w${index}`, amount: "1", reason: "held" }));
    pool.say("/api/admin/payouts", 200, makeStatus({ waiting }));
    await open(pool);
    await screen.findByText("w0");
    expect(screen.queryByText("w19")).toBeNull();
    press("SHOW ALL 20");
    expect(screen.getByText("w19")).toBeTruthy();
    press("SHOW FEWER");
    expect(screen.queryByText("w19")).toBeNull();
  });

  it("says that a token is not taken any more", async () => {
    await open(new Pool(), "old");
    await screen.findByText(/does not take this token/);
  });

  it("shows the dispatcher, limits with what is spent, and payouts with their states", async () => {
    await open();
    expect(screen.getByTestId("dispatcher").textContent).toBe("PAYING");
    expect(screen.getByTestId("spent-day").textContent).toBe("9.50 SDAG");
    expect(screen.getByText("9.50 of 10.00 SDAG")).toBeTruthy();
    expect(document.querySelector(".meter-full")).toBeTruthy();
    expect(screen.getByText("ALL_ACCOUNTS_ALIKE")).toBeTruthy();
    expect(screen.getByText("NO_DECISIONS")).toBeTruthy();
    expect(screen.getAllByText("SETTLED")).toHaveLength(3);
    expect(screen.getByText("in 10 m 0 s", { exact: false })).toBeTruthy();
  });

  it("opens a payout to its recipients and steps, and says when they can't be had", async () => {
    const pool = new Pool();
    const steps = [
      { at, state: "reserved", detail: null },
      { at, state: "settled", detail: "block 12" },
    ];
    pool.say("/api/payouts/2", 200, { ...makePayout(2), steps });
    await open(pool);
    press(/#2/);
    await screen.findByText("block 12");
    expect(screen.getByText("Final on the chain.")).toBeTruthy();
    expect(screen.queryByRole("button", { name: /HOLD THIS/ })).toBeNull();
    press(/#2/);
    expect(screen.queryByText("block 12")).toBeNull();
    press(/#1/);
    await screen.findByText("NOT_FOUND");
  });

  it("makes a dry run: who would be paid, who would not, and why", async () => {
    await open();
    press("DRY RUN");
    const outlook = within(await screen.findByTestId("outlook"));
    expect(outlook.getByText("2.50 SDAG")).toBeTruthy();
    expect(outlook.getByText(/to 1 account in 1 transaction/)).toBeTruthy();
    expect(outlook.getByText(/raise it, or pay by hand/)).toBeTruthy();
    expect(outlook.getByText("checksum")).toBeTruthy();
    press("Dismiss the dry run");
    expect(screen.queryByTestId("outlook")).toBeNull();
  });

  it("says why a dry run is not possible", async () => {
    const pool = new Pool();
    pool.say("/api/admin/payouts/dry-run", 503, makeError("PAYOUTS_UNAVAILABLE"));
    await open(pool);
    press("DRY RUN");
    await screen.findByText("PAYOUTS_UNAVAILABLE");
    press("Dismiss");
    expect(screen.queryByText("PAYOUTS_UNAVAILABLE")).toBeNull();
    press("PAY NOW…");
    await screen.findByText("PAYOUTS_UNAVAILABLE");
    expect((dialog().getByRole("button", { name: "PAY NOW" }) as HTMLButtonElement).disabled).toBe(true);
  });

  it("pays now only after the dry run was seen", async () => {
    const { pool } = await open();
    press("PAY NOW…");
    await screen.findByTestId("outlook");
    confirm("PAY NOW");
    await screen.findByText(/the dispatcher plans and pays now/);
    expect(pool.sent).toEqual([["/api/admin/payouts/run", {}]]);
  });

  it("does not pay what is held, and says so in the question", async () => {
    const pool = new Pool();
    pool.say("/api/admin/payouts/dry-run", 200, { ...dry, held: "audit", payouts: [], skipped: [], refused: [] });
    await open(pool);
    press("PAY NOW…");
    await screen.findByText(/Payouts are held \(audit\)/);
    expect(screen.getByText("NOBODY_IS_DUE")).toBeTruthy();
    expect((dialog().getByRole("button", { name: "PAY NOW" }) as HTMLButtonElement).disabled).toBe(true);
    confirm("CANCEL");
    expect(screen.queryByRole("dialog")).toBeNull();
  });

  it("holds everything with a reason, keeps the question open when the pool refuses, and releases", async () => {
    const pool = new Pool();
    await open(pool);
    press("HOLD ALL…");
    const hold = () => dialog().getByRole("button", { name: "HOLD" }) as HTMLButtonElement;
    expect(hold().disabled).toBe(true);
    fill("Reason", "x".repeat(201));
    expect(screen.getByText("At most 200 characters.")).toBeTruthy();
    expect(hold().disabled).toBe(true);
    fill("Reason", " wallet looks odd ");
    pool.say("/api/admin/payouts/hold", 503, makeError("STORE_UNAVAILABLE"));
    confirm("HOLD");
    await screen.findByText("STORE_UNAVAILABLE");
    pool.say("/api/admin/payouts/hold", 200, {});
    pool.say("/api/admin/payouts", 200, makeStatus({ held: "wallet looks odd" }));
    confirm("HOLD");
    await screen.findByText("Held: all payouts.");
    expect(pool.sent.at(-1)).toEqual(["/api/admin/payouts/hold", { scope: "all", reason: "wallet looks odd" }]);
    expect(screen.getByTestId("dispatcher").textContent).toBe("HELD");
    press("RELEASE ALL…");
    expect(dialog().getByText(/wallet looks odd/)).toBeTruthy();
    confirm("RELEASE");
    await screen.findByText("Released: all payouts.");
    expect(pool.sent.at(-1)).toEqual(["/api/admin/payouts/release", { scope: "all" }]);
  });

  it("holds and releases one payout", async () => {
    const pool = new Pool();
    const items = [
      makePayout(4, { state: "reserved", txid: null, confirmed_at: null, recipient_held: true }),
      makePayout(3, { state: "signed", held: "look", confirmed_at: null }),
    ];
    pool.say("/api/payouts", 200, { items, next: null });
    await open(pool);
    expect(screen.getByText("A recipient is held.")).toBeTruthy();
    expect(screen.getByText("Held: look")).toBeTruthy();
    press(/#4/);
    expect(screen.getByText("not signed yet")).toBeTruthy();
    press("HOLD THIS PAYOUT…");
    fill("Reason", "later");
    confirm("HOLD");
    await screen.findByText("Held: payout #4.");
    expect(pool.sent.at(-1)?.[1]).toEqual({ scope: "payout", id: "4", reason: "later" });
    press(/#3/);
    press("RELEASE THIS PAYOUT…");
    confirm("RELEASE");
    await screen.findByText("Released: payout #3.");
    expect(pool.sent.at(-1)?.[1]).toEqual({ scope: "payout", id: "3" });
  });

  it("gives an account its threshold exactly, the pool's again, and holds it", async () => {
    const pool = new Pool();
    const terms = [
      { account: miner, threshold: "500000000", held: null, set_aside: null },
      { account: "mallory", threshold: null, held: "stolen", set_aside: null },
      { account: "typo", threshold: null, held: null, set_aside: "bad checksum" },
    ];
    pool.say(
      "/api/admin/payouts",
      200,
      makeStatus({ terms, waiting: [{ account: "w", amount: "1", reason: "held" }] }),
    );
    await open(pool);
    expect(screen.getByText("WHO_WAITS")).toBeTruthy();
    expect(screen.getByText("from 5.00 SDAG")).toBeTruthy();
    expect(screen.getByText("held: stolen")).toBeTruthy();
    expect(screen.getByText(/bad checksum/)).toBeTruthy();
    press("SET A THRESHOLD…");
    fill("Account", " alice ");
    fill(/Threshold in SDAG/, "0.123456789");
    expect(screen.getByText(/at most 8 decimals/)).toBeTruthy();
    fill(/Threshold in SDAG/, "12.5");
    confirm("SET");
    await screen.findByText("Paid from 12.5 SDAG.");
    const path = "/api/admin/payouts/threshold";
    expect(pool.sent.at(-1)).toEqual([path, { account: "alice", threshold: "1250000000" }]);
    fireEvent.click(screen.getAllByRole("button", { name: "THRESHOLD…" })[0] as HTMLElement);
    confirm("USE THE POOL'S");
    await screen.findByText("The pool's threshold holds again.");
    expect(pool.sent.at(-1)).toEqual([path, { account: miner, threshold: null }]);
    press("HOLD AN ACCOUNT…");
    fill("Account", "bob");
    fill("Reason", "asked by phone");
    confirm("HOLD");
    await screen.findByText("Held: account bob.");
    fireEvent.click(screen.getAllByRole("button", { name: "RELEASE…" })[1] as HTMLElement);
    confirm("RELEASE");
    await screen.findByText("Released: account typo.");
    expect(pool.sent.at(-1)).toEqual(["/api/admin/payouts/release", { scope: "account", account: "typo" }]);
  });

  it("filters by state and goes on to older ones, which stay when newer ones come", async () => {
    const pool = new Pool();
    pool.say("/api/payouts", 200, { items: [makePayout(9), makePayout(8)], next: "8" });
    pool.say("/api/payouts?limit=20&cursor=8", 200, { items: [makePayout(7)], next: null });
    pool.say("/api/payouts?limit=20&state=returned", 200, { items: [], next: null });
    await open(pool);
    press("OLDER");
    await screen.findByRole("button", { name: /#7/ });
    pool.say("/api/payouts", 200, { items: [makePayout(10), makePayout(9), makePayout(8)], next: "8" });
    press("DRY RUN");
    press("HOLD ALL…");
    fill("Reason", "x");
    confirm("HOLD");
    await screen.findByRole("button", { name: /#10/ });
    expect(screen.getByRole("button", { name: /#7/ })).toBeTruthy();
    expect(screen.queryByRole("button", { name: "OLDER" })).toBeNull();
    press("RETURNED");
    await screen.findByText("None is in this state.");
    expect(pool.asked).toContain("/api/payouts?limit=20&state=returned");
  });

  it("follows payouts of older pages to their end", async () => {
    vi.useFakeTimers({ now: atMs, shouldAdvanceTime: true });
    const pool = new Pool();
    pool.say("/api/payouts", 200, { items: [makePayout(9), makePayout(8)], next: "8" });
    pool.say("/api/payouts?limit=20&cursor=8", 200, { items: [makePayout(7, { state: "confirming" })], next: "7" });
    await open(pool);
    press("OLDER");
    const row = await screen.findByRole("button", { name: /#7/ });
    expect(row.textContent).toContain("CONFIRMING");
    pool.say("/api/payouts?limit=20&cursor=8", 200, { items: [makePayout(7, { state: "settled" })], next: "7" });
    await act(() => vi.advanceTimersByTimeAsync(3_100));
    expect(screen.getByRole("button", { name: /#7/ }).textContent).toContain("SETTLED");
    expect(screen.getByRole("button", { name: "OLDER" })).toBeTruthy();
    // All have ended: they are not asked for any more.
    const asked = pool.asked.filter((path) => path.includes("cursor=8")).length;
    await act(() => vi.advanceTimersByTimeAsync(6_100));
    expect(pool.asked.filter((path) => path.includes("cursor=8"))).toHaveLength(asked);
  });

  it("tells what is in the way payout by payout, apart from what it means and what can be done", async () => {
    const pool = new Pool();
    const words = "the node does not take it now: no; payout 9: not yet";
    const troubles = Array.from({ length: 7 }, (_, n) => ({ payout: String(n + 1), what: words }));
    const stuck = { round: false, plan: false, payouts: troubles.map(({ payout }) => payout) };
    const action = { action: "Look at what is in the way", command: "dagpool payout status", priority: "high" };
    const status = makeStatus({ trouble: words, troubles, stuck, suggested_actions: [action] });
    pool.say("/api/admin/payouts", 200, status);
    await open(pool);
    const trouble = screen.getByTestId("payout-trouble");
    const lines = [...trouble.querySelectorAll("dl > div")].map((line) => line.textContent);
    expect(lines).toHaveLength(6);
    expect(lines[0]).toBe(`payout 1${words}`);
    expect(lines[5]).toBe("and2 more payouts");
    expect(trouble.querySelector(".alert-text")?.textContent).not.toContain("payout 1");
    expect(within(trouble).getByText("dagpool payout status")).toBeTruthy();
    const about = within(trouble).getByRole("link", { name: "About PAYOUTS_UNAVAILABLE" });
    expect(about.getAttribute("href")).toBe("/docs/errors/PAYOUTS_UNAVAILABLE");
  });

  it("says what an empty pool, one without payouts, and one in trouble means", async () => {
    const pool = new Pool();
    pool.say("/api/payouts", 200, { items: [], next: null });
    const away = { payout: null, what: "node: timed out" };
    const stuck = { round: true, plan: false, payouts: [] };
    pool.say("/api/admin/payouts", 200, makeStatus({ trouble: away.what, troubles: [away], stuck }));
    const line = { at, actor: "operator", subject: "account bob" };
    const audit = [
      { ...line, action: "hold", detail: "asked" },
      { ...line, action: "threshold", detail: "250000000" },
    ];
    pool.say("/api/admin/payouts/audit", 200, { items: audit, next: null });
    const { unmount } = await open(pool);
    expect(screen.getByText(/confirmed balance reaches its threshold/)).toBeTruthy();
    const trouble = screen.getByTestId("payout-trouble");
    expect(trouble.querySelector("dl")?.textContent).toBe("all payoutsnode: timed out");
    expect(trouble.textContent).toContain("nothing is paid twice");
    expect(screen.getByText("asked")).toBeTruthy();
    expect(screen.getByText("paid from 2.50 SDAG")).toBeTruthy();
    unmount();
    pool.say("/api/admin/payouts", 200, makeStatus({ enabled: false, dispatching: false, rules: null, spent: null }));
    await open(pool);
    expect(screen.getByTestId("dispatcher").textContent).toBe("OFF");
    expect(screen.getByText("PAYOUTS_ARE_OFF")).toBeTruthy();
    for (const name of ["DRY RUN", "PAY NOW…"]) {
      const button = screen.getByRole("button", { name });
      expect(button).toHaveProperty("disabled", true);
      expect(document.getElementById(button.getAttribute("aria-describedby") ?? "")?.textContent).toBe(
        "Payouts are off in this process.",
      );
    }
    expect(screen.getByText("Nothing was ever paid out by this pool.")).toBeTruthy();
  });

  it("keeps what it knows when the pool fails, and marks it", async () => {
    vi.useFakeTimers({ now: atMs, shouldAdvanceTime: true });
    const { pool, say } = await open();
    pool.say("/api/admin/payouts", 503, makeError("STORE_UNAVAILABLE"));
    pool.say("/api/payouts", 503, makeError("STORE_UNAVAILABLE"));
    const absence = { component: "store", code: "STORE_UNAVAILABLE", message: "gone", since: at, figures_at: at };
    const { stats } = makeSnapshot();
    say(frame("stats", 2, { stats: { ...stats, stale: true, degraded: [absence] } }));
    expect(screen.getByTestId("alert-store").textContent).toContain("DATABASE_AWAY");
    await act(() => vi.advanceTimersByTimeAsync(3_100));
    expect(screen.getAllByText("STORE_UNAVAILABLE").length).toBeGreaterThan(0);
    expect(screen.getAllByText("STALE").length).toBeGreaterThan(1);
    expect(screen.getByRole("button", { name: /#2/ })).toBeTruthy();
    pool.say("/api/admin/payouts", 200, makeStatus());
    pool.say("/api/payouts", 200, { items: [makePayout(2)], next: null });
    await act(() => vi.advanceTimersByTimeAsync(3_100));
    expect(screen.queryByText("STORE_UNAVAILABLE")).toBeNull();
  });

  it("is reached by its path, with the token that another page keeps", async () => {
    const pool = new Pool();
    vi.stubGlobal("fetch", (path: string, init: RequestInit) => pool.fetch(path, init));
    window.history.replaceState(null, "", "/payouts");
    const session = new Session({
      url: "ws://pool/api/live",
      open: () => ({ onopen: null, onmessage: null, onclose: null, onerror: null, close() {} }),
      load: async () => ({ stats: null, blocks: null, miners: null }),
    });
    const algorithms = new AlgorithmsStore({ keeper: new TokenKeeper(memory("good")) });
    render(<App session={session} algorithms={algorithms} account={new Account()} />);
    await screen.findByText("WHO_DID_WHAT");
    await waitFor(() => expect(document.title).toBe("Payouts · DAG Pool"));
    window.history.replaceState(null, "", "/");
  });
});

describe("words of payouts", () => {
  it("name whose trouble it is, and count what is left out as people do", () => {
    const told = (stuck: object, ...whose: (string | null)[]) => {
      const troubles = whose.map((payout) => ({ payout, what: "no" }));
      return inTheWay(statusShape.parse(makeStatus({ troubles, stuck }))).details.map((line) => line.join(" "));
    };
    const plan = { round: true, plan: true, payouts: ["1"] };
    expect(told(plan, null, "1")).toEqual(["the plan that is due no", "payout 1 no"]);
    const many = { round: false, plan: false, payouts: ["1", "2", "3", "4", "5", "6"] };
    expect(told(many, ...many.payouts).at(-1)).toBe("and 1 more payout");
  });

  it("name the dispatcher's state, worst first, and the pool's own reasons", () => {
    const word = (change: object) => stateOf(statusShape.parse(makeStatus(change))).word;
    expect(word({ held: "x", trouble: "y" })).toBe("HELD");
    expect(word({ trouble: "y", dispatching: false })).toBe("TROUBLE");
    expect(word({ dispatching: false })).toBe("STANDING BY");
    const other = statusShape.parse(makeStatus({ dispatching: false, standing_by: "another pool process pays" }));
    expect(stateOf(other)).toMatchObject({ tone: "quiet", note: "another pool process pays" });
    expect(reasonOf("waits_for_limit")).toContain("later plan");
    expect(reasonOf("some_new_reason")).toBe("some new reason");
  });
});
