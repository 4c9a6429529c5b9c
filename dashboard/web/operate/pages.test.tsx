// @vitest-environment jsdom
import { act, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Account } from "../account/account";
import { AccountApi } from "../account/api";
import { TokenKeeper } from "../algorithms/access";
import { makeError } from "../algorithms/fixtures";
import { Session } from "../state/session";
import { Store } from "../state/store";
import { at, frame, makeSnapshot } from "../test-data";
import { Toasts } from "../ui/Toasts";
import { OperateApi } from "./api";
import BansPage, { hostOf } from "./BansPage";
import ConfigPage, { shown as valueText } from "./ConfigPage";
import DeploymentPage from "./DeploymentPage";
import DeploymentsPage from "./DeploymentsPage";
import LogsPage from "./LogsPage";
import { processOf, withToken } from "./process";
import SystemPage, { delay } from "./SystemPage";

const actor = (name: string, change: object = {}) => ({
  name,
  kind: "Thing",
  life: "running",
  restarts: 0,
  last_death: null,
  state: { waiting: 3 },
  mailbox_delay_us: 120,
  ...change,
});

const connection = (session: number, change: object = {}) => ({
  session,
  account: "alice",
  worker: `rig${session}`,
  peer: `192.0.2.${session}:4000`,
  agent: "miner/1",
  difficulty: "8",
  connected_at: at,
  last_share_at: null,
  ...change,
});

const figures = { shares: 100, accepted: 99, low_difficulty: 1, hashes: 1000, errors: 2, median_ns: 800, p99_ns: 4000 };

const deployment = (id: string, change: object = {}) => ({
  deployment_id: id,
  status: "completed",
  kind: "upgrade",
  strategy: "gradual",
  algorithm: { name: "blake3", version: "1.1.0" },
  replaces: { name: "blake3", version: "1.0.0" },
  phase: "retired",
  progress: 100,
  traffic_split: 100,
  phases: [{ name: "shadow", status: "completed", duration: 300 }],
  created_at: at,
  updated_at: at,
  by: "ann",
  ...change,
});

const key = (name: string, change: object = {}) => ({
  name,
  value: 1,
  default: 1,
  source: "default",
  variable: null,
  live: false,
  doc: `What ${name} means.`,
  ...change,
});

const config = (change: object = {}) => ({
  file: "pool.toml",
  read_at: at,
  waiting: [],
  sections: [
    { name: "pool", keys: [key("name", { value: "Ours", default: "Pool", source: "file" }), key("arbiters")] },
    {
      name: "log",
      keys: [
        key("level", { value: "info", default: "info", live: true }),
        key("format", { value: "json", default: "human", source: "environment", variable: "DAGPOOL__LOG__FORMAT" }),
      ],
    },
  ],
  ...change,
});

const line = (seq: number, change: object = {}) => ({
  seq,
  at,
  level: "info",
  category: "stratum",
  target: "pool_actors::stratum",
  message: `line ${seq}`,
  fields: {},
  ...change,
});

const logs = (items: object[], change: object = {}) => ({
  items,
  next: null,
  seen: items.length,
  missed: 0,
  categories: ["audit", "stratum"],
  ...change,
});

type Answer = [status: number, body: unknown];

class Pool {
  answers = new Map<string, Answer | (() => Answer)>();
  sent: [route: string, body: unknown][] = [];

  say(route: string, status: number, body: unknown) {
    this.answers.set(route, [status, body]);
    return this;
  }

  readonly fetch = async (path: string, init: RequestInit): Promise<Response> => {
    const route = `${init.method ?? "GET"} ${path}`;
    this.sent.push([route, init.body ? JSON.parse(String(init.body)) : null]);
    const known = this.answers.get(route) ?? this.answers.get(route.split("?")[0] ?? "");
    const [status, body] = typeof known === "function" ? known() : (known ?? [404, makeError("NOT_FOUND")]);
    return new Response(status === 204 ? null : JSON.stringify(body), { status });
  };

  bodies = (route: string) => this.sent.filter(([sent]) => sent === route).map(([, body]) => body);
}

function setUp(pool: Pool, token: string | null = "good") {
  const memory = new Map(token === null ? [] : [["dagpool.token", token]]);
  const storage = {
    getItem: (name: string) => memory.get(name) ?? null,
    setItem: (name: string, value: string) => void memory.set(name, value),
    removeItem: (name: string) => void memory.delete(name),
  };
  const account = new Account({
    api: (token) => new AccountApi(token, pool.fetch),
    storage: () => storage,
    operator: new TokenKeeper(() => storage),
  });
  const session = new Session({
    url: "ws://pool/api/live",
    open: () => ({ onopen: null, onmessage: null, onclose: null, onerror: null, close() {} }),
    load: async () => ({ stats: null, blocks: null, miners: null }),
    store: new Store((flush) => flush()),
  });
  return { account, session, nav: null, api: new OperateApi(account.token, pool.fetch) };
}

const signIn = async (account: Account, pool: Pool, role: string) => {
  pool.say("POST /api/auth/login", 200, { token: "t", refresh_token: "r", expires_in: 900, mfa_required: false });
  pool.say("GET /api/auth/me", 200, { username: "ann", role, mfa: false });
  await account.signIn("ann", "right");
};

const text = (words: string | RegExp) => screen.findByText(words);
const press = (name: string | RegExp, inside: HTMLElement = document.body) =>
  fireEvent.click(within(inside).getByRole("button", { name }));
/** Once it is there and may be pressed. */
const pressSoon = async (name: string) => {
  await waitFor(() => expect(screen.getByRole("button", { name })).toHaveProperty("disabled", false));
  press(name);
};
const dialog = () => screen.getByRole("dialog");
const type = (label: string | RegExp, value: string) =>
  fireEvent.change(screen.getByLabelText(label), { target: { value } });

beforeEach(() => {
  // jsdom knows no modal dialogs.
  HTMLDialogElement.prototype.showModal = function showModal() {
    this.open = true;
  };
  HTMLDialogElement.prototype.close = function close() {
    this.open = false;
  };
  vi.stubGlobal("fetch", async () => new Response("", { status: 404 }));
});
afterEach(() => void vi.unstubAllGlobals());

describe("pages of operators", () => {
  it("send strangers to sign in, and tell a role that it is not for it", async () => {
    const pool = new Pool();
    const { unmount } = render(<LogsPage {...setUp(pool, null)} />);
    expect((await screen.findByRole("link", { name: "SIGN IN" })).getAttribute("href")).toContain("next=");
    await text(/for those who run the pool.*the role operator or admin/);
    unmount();
    const props = setUp(pool, null);
    await signIn(props.account, pool, "viewer");
    render(<ConfigPage {...props} />);
    await text("NOT_FOR_YOUR_ROLE");
    await text(/signed in as ann \(viewer\).*needs the role operator or admin/);
    expect(pool.sent.some(([route]) => route.includes("/api/admin/"))).toBe(false);
  });
});

describe("SYSTEM", () => {
  it("shows actors, what ended them, and what they say of themselves", async () => {
    const pool = new Pool().say("GET /api/admin/system", 200, {
      at,
      actors: [
        actor("journal-shard-0"),
        actor("alert-keeper", {
          life: "restarting",
          restarts: 2,
          last_death: "panic: no",
          mailbox_delay_us: 2_500_000,
        }),
        actor("mute", { state: null, mailbox_delay_us: null }),
      ],
    });
    const metrics = [
      "dagpool_process_resident_memory_bytes 2097152",
      "process_cpu_seconds_total 4",
      "process_open_fds 90",
      "process_max_fds 100",
      "process_start_time_seconds 100",
    ].join("\n");
    vi.stubGlobal("fetch", async () => new Response(metrics));
    const props = setUp(pool);
    render(<SystemPage {...props} />);
    expect((await screen.findByTestId("RUNNING")).textContent).toBe("2/3");
    expect(screen.getByTestId("RESTARTS").textContent).toBe("2");
    expect(screen.getByTestId("SLOWEST_MAILBOX").textContent).toBe("2.5 s");
    expect((await screen.findByTestId("MEMORY")).textContent).toBe("2.0 MiB");
    expect(screen.getByTestId("FILES").textContent).toBe("90");
    await text("last ended by: panic: no");
    press(/journal-shard-0/);
    await text(/"waiting": 3/);
    press(/journal-shard-0/);
    expect(screen.queryByText(/"waiting": 3/)).toBeNull();
    press(/mute/);
    await text(/It tells nothing of itself/);
    press("WITH TROUBLE");
    expect(screen.queryByTestId("actor-mute")).toBeNull();
    type("Name", "journal");
    await text("NONE");
    type("Name", "alert");
    expect(screen.getByTestId("actor-alert-keeper")).toBeTruthy();
  });

  it("says that all is well, and keeps what it knows while the pool fails", async () => {
    vi.useFakeTimers();
    const pool = new Pool().say("GET /api/admin/system", 200, { at, actors: [actor("one")] });
    render(<SystemPage {...setUp(pool)} />);
    await act(() => vi.advanceTimersByTimeAsync(0));
    press("WITH TROUBLE");
    expect(screen.getByText("ALL_WELL")).toBeTruthy();
    pool.say("GET /api/admin/system", 500, makeError("INTERNAL"));
    await act(() => vi.advanceTimersByTimeAsync(2_000));
    expect(screen.getByText("INTERNAL")).toBeTruthy();
    expect(screen.getByText("STALE")).toBeTruthy();
    vi.useRealTimers();
  });

  it("says why it knows nothing", async () => {
    render(<SystemPage {...setUp(new Pool().say("GET /api/admin/system", 500, makeError("INTERNAL")))} />);
    await text("INTERNAL");
  });

  it("shows what lets somebody in, where there is something", async () => {
    const asked = vi.spyOn(globalThis, "fetch").mockResolvedValue(new Response(""));
    await withToken(() => null)("/metrics");
    await withToken(() => "token")("/metrics");
    expect(asked.mock.calls).toEqual([
      ["/metrics", {}],
      ["/metrics", { headers: { authorization: "Bearer token" } }],
    ]);
    asked.mockRestore();
  });

  it("reads waits and the process's figures", async () => {
    expect([delay(null), delay(7), delay(1_500), delay(3e6)]).toEqual(["—", "7 µs", "1.5 ms", "3.0 s"]);
    const say = (cpu: number) => async () => new Response(`process_cpu_seconds_total ${cpu}\n`);
    await processOf(say(10), 1_000);
    const second = await processOf(say(11), 3_000);
    expect(second).toMatchObject({ ok: true, value: { cpu: 0.5, memoryBytes: null, files: null, startedAt: null } });
    expect((await processOf(async () => new Response("", { status: 401 }))).ok).toBe(false);
    expect((await processOf(() => Promise.reject(new Error("away")))).ok).toBe(false);
  });
});

describe("BANS", () => {
  const ban = (address: string, change: object = {}) => ({
    address,
    reason: "malformed",
    words: null,
    at,
    until: "2099-01-01T00:00:00Z",
    ...change,
  });

  it("says that nobody is banned or connected", async () => {
    const pool = new Pool()
      .say("GET /api/admin/bans", 200, { items: [] })
      .say("GET /api/admin/connections", 200, { items: [], total: 0 });
    render(<BansPage {...setUp(pool)} />);
    await text("NOBODY_IS_BANNED");
    await text("NOBODY_IS_CONNECTED");
  });

  it("bans by hand, shows a refusal, and lifts", async () => {
    const pool = new Pool()
      .say("GET /api/admin/bans", 200, {
        items: [ban("192.0.2.9"), ban("203.0.113.1", { reason: "operator", words: "it floods" })],
      })
      .say("GET /api/admin/connections", 200, { items: [connection(5)], total: 900 })
      .say("POST /api/admin/bans", 400, makeError("BAD_REQUEST"))
      .say("DELETE /api/admin/bans/192.0.2.9", 204, null);
    render(
      <Toasts>
        <BansPage {...setUp(pool)} />
      </Toasts>,
    );
    await text(/sent lines that are no requests/);
    await text(/it floods/);
    await text(/The first 1 of 900/);
    press("BAN AN ADDRESS…");
    type("Address", " 198.51.100.1 ");
    expect(within(dialog()).getByRole("button", { name: "BAN IT" })).toHaveProperty("disabled", true);
    type("Why", "a test");
    fireEvent.change(within(dialog()).getByLabelText("For"), { target: { value: "3600" } });
    press("BAN IT", dialog());
    await text("BAD_REQUEST");
    pool.say("POST /api/admin/bans", 201, { address: "198.51.100.1", sessions: 2 });
    press("BAN IT", dialog());
    await text("198.51.100.1 is banned; 2 connections were closed");
    expect(pool.bodies("POST /api/admin/bans").at(-1)).toEqual({
      address: "198.51.100.1",
      for_s: 3600,
      reason: "a test",
    });
    press(/LIFT… the ban of 192.0.2.9/);
    press("LIFT IT", dialog());
    await text("192.0.2.9 may connect again");
    type("Find", "floods");
    expect(within(screen.getByTestId("bans")).getAllByRole("listitem")).toHaveLength(1);
    type("Find", "nothing");
    await text("NONE_OF_THAT_KIND");
  });

  it("closes a connection, bans its address, and finds others", async () => {
    const pool = new Pool()
      .say("GET /api/admin/bans", 200, { items: [] })
      .say("GET /api/admin/connections", 200, { items: [connection(5, { difficulty: "4938271560" })], total: 1 })
      .say("GET /api/admin/connections?limit=200&search=bob", 200, { items: [], total: 0 })
      .say("DELETE /api/admin/connections/5", 404, makeError("NOT_FOUND"));
    render(
      <Toasts>
        <BansPage {...setUp(pool)} />
      </Toasts>,
    );
    await text("alice.rig5");
    press(/CLOSE… the connection of alice.rig5/);
    press("CLOSE IT", dialog());
    await text("NOT_FOUND");
    pool.say("DELETE /api/admin/connections/5", 204, null);
    press("CLOSE IT", dialog());
    await text("The connection was closed");
    expect((await text("4.94G")).title).toBe("4,938,271,560");
    press(/BAN… the address of alice.rig5/);
    expect(within(dialog()).getByLabelText("Address")).toHaveProperty("value", "192.0.2.5");
    press("CANCEL", dialog());
    type("Find a connection", "bob");
    await text("No connection holds that text.");
  });

  it("lets viewers look only, and says what fails", async () => {
    const pool = new Pool()
      .say("GET /api/admin/bans", 200, { items: [ban("192.0.2.9")] })
      .say("GET /api/admin/connections", 500, makeError("INTERNAL"));
    const props = setUp(pool, null);
    await signIn(props.account, pool, "viewer");
    render(<BansPage {...props} />);
    await text("192.0.2.9");
    await text("INTERNAL");
    expect(screen.queryByRole("button", { name: /LIFT|BAN/ })).toBeNull();
  });

  it("reads the host of a peer", () => {
    expect([hostOf("192.0.2.1:5"), hostOf("[2001:db8::1]:5"), hostOf("192.0.2.1")]).toEqual([
      "192.0.2.1",
      "2001:db8::1",
      "192.0.2.1",
    ]);
  });
});

describe("DEPLOYMENTS", () => {
  it("says that there was none", async () => {
    render(<DeploymentsPage {...setUp(new Pool().say("GET /api/deployments", 200, { items: [], next: null }))} />);
    await text("NO_DEPLOYMENTS");
  });

  it("lists them page by page, each as a link", async () => {
    const pool = new Pool()
      .say("GET /api/deployments?limit=20", 200, {
        items: [deployment("9", { status: "running", progress: 40 }), deployment("8", { status: "rolled_back" })],
        next: "8",
      })
      .say("GET /api/deployments?limit=20&cursor=8", 200, { items: [deployment("8"), deployment("7")], next: null });
    render(<DeploymentsPage {...setUp(pool)} />);
    await text("RUNNING 40%");
    press("OLDER");
    await waitFor(() => expect(within(screen.getByTestId("deployments")).getAllByRole("link")).toHaveLength(3));
    expect(within(screen.getByTestId("deployments")).getAllByRole("link").at(-1)?.getAttribute("href")).toBe(
      "/deployments/7",
    );
    expect(screen.queryByRole("button", { name: "OLDER" })).toBeNull();
  });

  it("says what fails", async () => {
    const { unmount } = render(
      <DeploymentsPage {...setUp(new Pool().say("GET /api/deployments", 500, makeError("INTERNAL")))} />,
    );
    await text("INTERNAL");
    unmount();
    render(<DeploymentPage {...setUp(new Pool().say("GET /api/deployments/3", 500, makeError("INTERNAL")))} id="3" />);
    await text("INTERNAL");
  });

  it("shows one with its steps, its comparison and who steered it", async () => {
    const audited = (subject: string, action: string, after: unknown = null) => ({
      id: subject,
      at,
      actor: "ann",
      action,
      subject,
      outcome: "done",
      after,
    });
    const pool = new Pool()
      .say("GET /api/deployments/9", 200, {
        ...deployment("9", { status: "running", progress: 40, phase: "25%" }),
        health: { status: "healthy", reason: null, control: figures, candidate: null },
        rollback: { cause: "requested", detail: "by hand" },
        trail: [{ at, action: "began", stage: "shadow", traffic_split: 5, by: "ann", detail: "words" }],
      })
      .say("GET /api/admin/audit?limit=50&action=POST+%2Fapi%2Fdeployments", 200, {
        items: [
          audited("/api/deployments/9/pause", "POST /api/deployments/{id}/{action}"),
          audited("/api/deployments/10/pause", "POST /api/deployments/{id}/{action}"),
        ],
        next: null,
      })
      .say("GET /api/admin/audit?limit=50&action=POST+%2Fapi%2Falgorithms%2Fdeploy", 200, {
        items: [audited("/api/algorithms/deploy", "POST /api/algorithms/deploy", { deployment_id: "9" })],
        next: null,
      });
    const props = setUp(pool, null);
    await signIn(props.account, pool, "admin");
    render(<DeploymentPage {...props} id="9" />);
    expect((await screen.findByTestId("deployment-status")).textContent).toContain("RUNNING · CANARY_25% · 40%");
    expect(screen.getByRole("row", { name: /errors/ }).textContent).toBe("errors0.20%—");
    await text("words");
    const trail = await screen.findByTestId("deployment-audit");
    expect(within(trail).getAllByRole("listitem")).toHaveLength(2);
    expect(trail.textContent).toContain("POST /api/deployments/9/pause");
  });

  it("tells viewers that the trail is for admins, and of one that there is not", async () => {
    const pool = new Pool().say("GET /api/deployments/9", 200, deployment("9"));
    const { unmount } = render(<DeploymentPage {...setUp(pool)} id="9" />);
    await text("FOR_ADMINS");
    await text("NOT_KEPT");
    await text("NO_STEPS");
    unmount();
    render(<DeploymentPage {...setUp(pool)} id="77" />);
    await text("NO_SUCH_DEPLOYMENT");
  });

  it("says when nobody steered it", async () => {
    const pool = new Pool()
      .say("GET /api/deployments/9", 200, deployment("9"))
      .say("GET /api/admin/audit", 200, { items: [], next: null });
    const props = setUp(pool, null);
    await signIn(props.account, pool, "admin");
    render(<DeploymentPage {...props} id="9" />);
    await text("NOBODY_STEERED_IT");
  });
});

describe("CONFIG", () => {
  const change = (name: string, live: boolean) => ({ key: name, from: '"a"', to: '"b"', live });

  it("shows every key with its source, and finds some", async () => {
    render(<ConfigPage {...setUp(new Pool().say("GET /api/admin/config", 200, config()))} />);
    const name = await screen.findByTestId("key-pool.name");
    expect(name.textContent).toContain("FILE");
    expect(name.textContent).toContain("Default: Pool");
    expect(screen.getByTestId("key-log.level").textContent).toContain("LIVE");
    expect(screen.getByTestId("key-log.format").textContent).toContain("DAGPOOL__LOG__FORMAT");
    press("CHANGE LIVE");
    expect(screen.queryByTestId("key-pool.name")).toBeNull();
    press("NOT DEFAULT");
    expect(screen.queryByTestId("key-log.level")).toBeNull();
    type("Find a key", "nothing at all");
    await text("NO_SUCH_KEY");
  });

  it("shows what a reload would do, refuses what is wrong, and does it", async () => {
    const route = "POST /api/admin/config/reload";
    const pool = new Pool()
      .say("GET /api/admin/config", 200, config({ waiting: [change("store.url", false)] }))
      .say(route, 422, makeError("CONFIG_NOT_RELOADED"));
    render(
      <Toasts>
        <ConfigPage {...setUp(pool)} />
      </Toasts>,
    );
    await text("In the file, and waiting for a restart");
    await pressSoon("DRY RUN");
    expect((await screen.findByTestId("config-refused")).textContent).toContain("CONFIG_NOT_RELOADED");
    await pressSoon("RELOAD…");
    await waitFor(() => expect(pool.bodies(route)).toHaveLength(2));
    expect(screen.queryByRole("dialog")).toBeNull();
    pool.say(route, 200, { dry_run: true, changes: [change("log.level", true), change("store.url", false)] });
    await pressSoon("DRY RUN");
    await text("If the file were read now");
    await pressSoon("RELOAD…");
    await screen.findByRole("dialog");
    expect(dialog().textContent).toContain("AFTER A RESTART");
    pool.say(route, 422, makeError("CONFIG_NOT_RELOADED"));
    press("RELOAD", dialog());
    await within(dialog()).findByText("CONFIG_NOT_RELOADED");
    pool.say(route, 200, { dry_run: false, changes: [change("log.level", true), change("store.url", false)] });
    press("RELOAD", dialog());
    await text("1 key changed; 1 key waits for a restart");
    expect(pool.bodies(route)).toEqual([
      { dry_run: true },
      { dry_run: true },
      { dry_run: true },
      { dry_run: true },
      { dry_run: false },
      { dry_run: false },
    ]);
    pool.say(route, 200, { dry_run: true, changes: [] });
    await pressSoon("DRY RUN");
    await text("NO_DIFFERENCE");
    await pressSoon("RELOAD…");
    await screen.findByRole("dialog");
    press("RELOAD", dialog());
    await text("The file says what is in force");
  });

  it("says so where there is no file, and what fails", async () => {
    const pool = new Pool().say("GET /api/admin/config", 200, config({ file: null }));
    const { unmount } = render(<ConfigPage {...setUp(pool)} />);
    await text(/started without a file/);
    expect(screen.queryByRole("button", { name: "RELOAD…" })).toBeNull();
    unmount();
    render(<ConfigPage {...setUp(new Pool().say("GET /api/admin/config", 500, makeError("INTERNAL")))} />);
    await text("INTERNAL");
  });

  it("writes values as people do", () => {
    const shown = [null, "", "x", [], ["a", 2], { a: 1 }, false].map(valueText);
    expect(shown).toEqual(["not set", "empty", "x", "none", "a, 2", '{"a":1}', "false"]);
    expect(valueText([{ a: 1 }])).toContain('"a": 1');
  });
});

describe("LOGS", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));
  const first = "GET /api/admin/logs?limit=1000";
  const beyond = (seq: number) => `GET /api/admin/logs?after=${seq}&wait_ms=8000&limit=2000`;
  const options = () => [...document.querySelectorAll<HTMLElement>(".log-line")];
  const texts = () => options().map((one) => one.querySelector(".log-text")?.textContent);

  it("follows, tells of what was missed, pauses and goes on", async () => {
    const pool = new Pool()
      .say(first, 200, logs([line(1), line(2, { level: "warn", fields: { who: "bob" } })]))
      .say(beyond(2), 200, logs([line(3)], { seen: 3, missed: 4 }))
      .say(beyond(3), 200, logs([], { seen: 3 }));
    render(<LogsPage {...setUp(pool)} />);
    expect(screen.getByText("Loading the log")).toBeTruthy();
    await pass(300);
    await pass(300);
    expect(texts()).toEqual(["line 1", "line 2 who=bob", "line 3"]);
    expect(screen.getByTestId("log-count").textContent).toBe("3 lines");
    expect(screen.getByText(/4 lines came faster/)).toBeTruthy();
    press("PAUSE");
    const asked = pool.sent.length;
    await pass(5_000);
    expect(pool.sent.length).toBe(asked);
    pool.say(beyond(3), 200, logs([line(4)], { seen: 4 }));
    pool.say(beyond(4), 200, logs([], { seen: 4 }));
    press("RESUME");
    await pass(0);
    expect(texts()).toHaveLength(4);
  });

  it("filters, shows older lines and one line in full", async () => {
    const pool = new Pool()
      .say(first, 200, logs([line(5)], { next: "5", seen: 5 }))
      .say("GET /api/admin/logs?cursor=5&limit=1000", 200, logs([line(3), line(4)]))
      .say("GET /api/admin/logs", 200, logs([], { seen: 5 }));
    render(<LogsPage {...setUp(pool)} />);
    await pass(300);
    press("OLDER");
    await pass(0);
    expect(texts()).toEqual(["line 3", "line 4", "line 5"]);
    const list = screen.getByRole("listbox");
    fireEvent.keyDown(list, { key: "ArrowUp" });
    expect(screen.getByTestId("log-details").textContent).toContain("line 5");
    fireEvent.keyDown(list, { key: "ArrowUp" });
    expect(list.getAttribute("aria-activedescendant")).toBe(
      options().find((one) => one.ariaSelected === "true" || one.getAttribute("aria-selected") === "true")?.id,
    );
    expect(screen.getByTestId("log-details").textContent).toContain("line 4");
    fireEvent.keyDown(list, { key: "ArrowDown" });
    fireEvent.keyDown(list, { key: "Home" });
    expect(screen.getByTestId("log-details").textContent).toContain("line 3");
    fireEvent.keyDown(list, { key: "x" });
    fireEvent.keyDown(list, { key: "Escape" });
    expect(screen.queryByTestId("log-details")).toBeNull();
    fireEvent.click(options()[0] as HTMLElement);
    press("CLOSE");
    fireEvent.change(screen.getByLabelText("This bad or worse"), { target: { value: "error" } });
    fireEvent.change(screen.getByLabelText("About"), { target: { value: "audit" } });
    type("With the text", "bob");
    await pass(600);
    expect(pool.sent.at(-1)?.[0]).toContain("level=error&category=audit&search=bob");
    await pass(0);
    expect(screen.getByText("NO_LINES")).toBeTruthy();
  });

  it("draws only what is seen of ten thousand lines, and copies all", async () => {
    const writeText = vi.fn().mockResolvedValueOnce(undefined).mockRejectedValueOnce(new Error("http"));
    Object.defineProperty(navigator, "clipboard", { value: { writeText }, configurable: true });
    const many = Array.from({ length: 12_000 }, (_, index) => line(index + 1));
    const pool = new Pool().say(first, 200, logs(many)).say("GET /api/admin/logs", 200, logs([], { seen: 12_000 }));
    pool.say(beyond(12_000), 200, logs(many.slice(0, 1), { seen: 12_001 }));
    pool.say(beyond(12_001), 200, logs([], { seen: 12_001 }));
    render(
      <Toasts>
        <LogsPage {...setUp(pool)} />
      </Toasts>,
    );
    await pass(0);
    await pass(300);
    expect(screen.getByTestId("log-count").textContent).toBe("10,000 lines");
    expect(options().length).toBeLessThan(80);
    press("COPY");
    await pass(0);
    expect(String(writeText.mock.calls[0]?.[0]).split("\n")).toHaveLength(10_000);
    expect(screen.getByText("10,000 lines copied")).toBeTruthy();
    press("COPY");
    await pass(0);
    expect(screen.getByText(/does not let this page copy/)).toBeTruthy();
    const list = screen.getByRole("listbox");
    Object.defineProperties(list, { scrollHeight: { value: 240_000 }, clientHeight: { value: 600 } });
    list.scrollTop = 1_200;
    fireEvent.scroll(list);
    expect(options()[0]?.getAttribute("aria-posinset")).toBe("39");
  });

  it("is honest about trouble, and begins anew with a pool that did", async () => {
    const pool = new Pool().say(first, 500, makeError("INTERNAL"));
    render(<LogsPage {...setUp(pool)} />);
    await pass(0);
    expect(screen.getByText("INTERNAL")).toBeTruthy();
    pool.say(first, 200, logs([line(900)], { seen: 900 })).say(beyond(900), 200, logs([], { seen: 3 }));
    await pass(2_000);
    expect(texts()).toEqual(["line 900"]);
    pool.say(first, 200, logs([line(3)], { seen: 3 })).say(beyond(3), 200, logs([], { seen: 3 }));
    await pass(600);
    expect(texts()).toEqual(["line 3"]);
    pool.say(beyond(3), 403, makeError("FORBIDDEN"));
    await pass(300);
    const asked = pool.sent.length;
    await pass(20_000);
    expect(pool.sent.length).toBe(asked);
  });

  it("does not ask while nobody looks", async () => {
    const pool = new Pool().say(first, 200, logs([line(1)])).say(beyond(1), 200, logs([], { seen: 1 }));
    render(<LogsPage {...setUp(pool)} />);
    await pass(0);
    const hidden = vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden");
    const asked = pool.sent.length;
    await pass(6_000);
    expect(pool.sent.length).toBe(asked);
    hidden.mockReturnValue("visible");
    await pass(2_500);
    expect(pool.sent.length).toBeGreaterThan(asked);
  });
});

it("the pages of operators are in the frame of all pages", async () => {
  const pool = new Pool().say("GET /api/admin/system", 200, { at, actors: [] });
  const props = setUp(pool);
  props.session.store.dispatch({
    type: "frame",
    decoded: (await import("../feed/decode")).decode(frame("snapshot", 1, makeSnapshot())),
    now: Date.now(),
  });
  render(<SystemPage {...props} />);
  expect((await screen.findByTestId("CONNECTIONS")).textContent).toBe("5");
  expect(document.title).toBe("System · DAG Pool");
});
