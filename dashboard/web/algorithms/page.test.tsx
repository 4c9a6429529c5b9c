// @vitest-environment jsdom
import { act, fireEvent, render, screen, within } from "@testing-library/react";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Socket } from "../feed/live";
import { frame, makeSnapshot } from "../test-data";
import { loadPages } from "../test-pages";
import { atMs, makeDeployment, makeError, makePlan, makeSlots, makeStaged, makeStatus, report } from "./fixtures";

beforeAll(loadPages);

const lines: unknown[] = [];
vi.mock("uplot", () => ({
  default: class {
    width = 300;
    constructor(readonly options: { scales: { y: { range: (a: unknown, b: number, max: number) => number[] } } }) {
      lines.push(options.scales.y.range(null, 0, 0), options.scales.y.range(null, 0, 8));
    }
    setData(data: unknown) {
      lines.push(data);
    }
    setScale() {}
    destroy() {}
  },
}));

const { Account } = await import("../account/account");
const { App } = await import("../App");
const { Session } = await import("../state/session");
const { Store } = await import("../state/store");
const { AlgorithmsApi } = await import("./api");
const { TokenKeeper } = await import("./access");
const { AlgorithmsStore } = await import("./store");

type Answer = [status: number, body: unknown];

/** A pool that answers what it is told to. */
class Pool {
  role: string | null = "operator";
  answers = new Map<string, Answer>();
  asked: string[] = [];
  sent: unknown[] = [];
  offline = false;

  constructor() {
    this.answers.set("/api/algorithms/status", [200, makeStatus()]);
    this.answers.set("/api/algorithms", [200, { slots: makeSlots(), can_stage: true }]);
    this.answers.set("/api/deployments", [200, { items: [] }]);
    this.answers.set("/api/algorithms/plan", [200, makePlan()]);
  }

  say(path: string, status: number, body: unknown) {
    this.answers.set(path, [status, body]);
  }

  readonly fetch = async (path: string, init: RequestInit): Promise<Response> => {
    if (this.offline) throw new TypeError("offline");
    const route = path.split("?")[0] ?? path;
    this.asked.push(route);
    if (init.body) this.sent.push(JSON.parse(String(init.body)));
    const { authorization } = (init.headers ?? {}) as Record<string, string>;
    const open = route === "/api/algorithms/status";
    if (!open && authorization !== "Bearer good") return this.#answer(401, makeError("UNAUTHORIZED"));
    if (route === "/api/auth/me" && !this.answers.has(route)) {
      return this.role === null
        ? this.#answer(404, makeError("NOT_FOUND"))
        : this.#answer(200, { username: "o", role: this.role });
    }
    const [status, body] = this.answers.get(route) ?? [404, makeError("NOT_FOUND")];
    return this.#answer(status, body);
  };

  #answer(status: number, body: unknown) {
    return new Response(JSON.stringify(body), { status });
  }
}

async function open(pool: Pool, token: string | null = "good") {
  window.history.replaceState(null, "", "/algorithms");
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
  const keeper = new TokenKeeper();
  keeper.keep(token);
  const store = new AlgorithmsStore({ keeper, api: (read) => new AlgorithmsApi(read, pool.fetch) });
  const view = render(<App session={session} algorithms={store} account={new Account()} />);
  const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));
  const say = (text: string) => act(() => sockets.at(-1)?.onmessage?.({ data: text }));
  // The page itself is loaded on demand.
  await act(() => vi.dynamicImportSettled());
  await pass(50);
  return { ...view, pass, say, store, session };
}

const click = (name: string | RegExp) => fireEvent.click(screen.getByRole("button", { name }));

describe("ALGORITHM_MANAGEMENT", () => {
  beforeEach(() => void vi.useFakeTimers({ now: atMs }));
  afterEach(() => {
    vi.useRealTimers();
    window.sessionStorage.clear();
    window.history.replaceState(null, "", "/");
  });

  it("explains that nothing is staged, and offers nothing that would be refused", async () => {
    await open(new Pool());
    expect(screen.getByRole("heading", { name: /ALGORITHM_MANAGEMENT/ })).toBeTruthy();
    expect(screen.getByTestId("active").textContent).toBe("blake3 1.0.0");
    expect(screen.getByText("NOTHING_STAGED")).toBeTruthy();
    expect(screen.getByRole("button", { name: "DEPLOY…" })).toHaveProperty("disabled", true);
    expect(screen.getByText("NO_DEPLOYMENTS")).toBeTruthy();
    expect(screen.getByRole("region", { name: "Generations in service" }).textContent).toContain("gen 3");
    expect(screen.getByRole("link", { name: "ALGORITHMS" }).getAttribute("aria-current")).toBe("page");
  });

  it("says calmly that a pool has no such routes, and asks again on demand", async () => {
    const pool = new Pool();
    pool.say("/api/algorithms/status", 404, makeError("NOT_FOUND"));
    const { pass } = await open(pool);
    expect(screen.getByText(/THIS_POOL_SERVES_NO/)).toBeTruthy();
    expect(screen.queryByRole("link", { name: "ALGORITHMS" })).toBeNull();
    pool.say("/api/algorithms/status", 200, makeStatus());
    click("ASK AGAIN");
    await pass(50);
    expect(screen.getByTestId("active").textContent).toBe("blake3 1.0.0");
    fireEvent.click(screen.getByRole("link", { name: "OVERVIEW" }));
    await pass(0);
    expect(screen.getByRole("heading", { name: /DAG_POOL/ })).toBeTruthy();
  });

  it("lets a visitor look, and takes a token only if the pool does", async () => {
    const pool = new Pool();
    const { pass } = await open(pool, null);
    expect(pool.asked).not.toContain("/api/deployments");
    expect(screen.getByText("Uploading needs the operator token.")).toBeTruthy();
    const input = screen.getByPlaceholderText("operator token");
    fireEvent.change(input, { target: { value: "bad" } });
    click("UNLOCK");
    await pass(50);
    expect(screen.getByText("UNAUTHORIZED")).toBeTruthy();
    expect(window.sessionStorage.length).toBe(0);
    fireEvent.change(screen.getByPlaceholderText("operator token"), { target: { value: " good " } });
    click("UNLOCK");
    await pass(50);
    expect(screen.getByText("OPERATOR")).toBeTruthy();
    expect(window.sessionStorage.getItem("dagpool.token")).toBe("good");
    click("SIGN OUT");
    expect(screen.getByPlaceholderText("operator token")).toBeTruthy();
    expect(window.sessionStorage.length).toBe(0);
  });

  it("lets nobody press what is a role's while the pool does not say who it is", async () => {
    const pool = new Pool();
    pool.role = "viewer";
    pool.say("/api/algorithms/status", 200, makeStatus({ staged_algorithm: makeStaged() }));
    pool.say("/api/auth/me", 503, makeError("STORE_UNAVAILABLE"));
    const { pass } = await open(pool);
    const why = "The pool did not say who you are; it is asked again.";
    const note = (button: HTMLElement) =>
      document.getElementById(button.getAttribute("aria-describedby") ?? "")?.textContent;
    const deploy = screen.getByRole("button", { name: "DEPLOY…" });
    expect(deploy).toHaveProperty("disabled", true);
    expect(note(deploy)).toBe(why);
    expect(screen.getAllByText(why)).toHaveLength(3);
    // What needs no role is there, and nobody is asked for a token who has one.
    expect(screen.queryByPlaceholderText("operator token")).toBeNull();
    expect(screen.getByText("MIGRATION_PLAN")).toBeTruthy();
    expect(screen.getByRole("heading", { name: "DEPLOYMENTS" })).toBeTruthy();
    expect(pool.asked).toContain("/api/deployments");
    pool.answers.delete("/api/auth/me");
    await pass(10_000);
    expect(screen.getByText("Deploying needs the operator role.")).toBeTruthy();
    expect(screen.queryByText(why)).toBeNull();
  });

  it("keeps a token that the pool takes, though it does not say whose it is", async () => {
    const pool = new Pool();
    pool.say("/api/auth/me", 503, makeError("STORE_UNAVAILABLE"));
    const { pass } = await open(pool, null);
    fireEvent.change(screen.getByPlaceholderText("operator token"), { target: { value: "good" } });
    click("UNLOCK");
    await pass(50);
    expect(window.sessionStorage.getItem("dagpool.token")).toBe("good");
    expect(screen.queryByPlaceholderText("operator token")).toBeNull();
    pool.answers.delete("/api/auth/me");
    await pass(10_000);
    expect(screen.getByText("OPERATOR")).toBeTruthy();
    // Of a token that ended between two answers it is known.
    pool.say("/api/auth/me", 401, makeError("UNAUTHORIZED"));
    click("SIGN OUT");
    fireEvent.change(screen.getByPlaceholderText("operator token"), { target: { value: "good" } });
    click("UNLOCK");
    await pass(50);
    expect(window.sessionStorage.length).toBe(0);
    expect(screen.getByText(/does not take this token/)).toBeTruthy();
  });

  it("does not ask for a token while the pool can't say what it is worth", async () => {
    const pool = new Pool();
    pool.say("/api/algorithms", 503, makeError("STORE_UNAVAILABLE"));
    const { pass, store } = await open(pool);
    expect(store.shown().access).toEqual({ may: "look", why: "unknown" });
    click("SIGN OUT");
    expect(screen.getByPlaceholderText("operator token")).toBeTruthy();
    // Not known to be good: it is not kept.
    fireEvent.change(screen.getByPlaceholderText("operator token"), { target: { value: "good" } });
    click("UNLOCK");
    await pass(50);
    expect(screen.getByText("STORE_UNAVAILABLE")).toBeTruthy();
    expect(window.sessionStorage.length).toBe(0);
    expect(store.shown().access).toEqual({ may: "look", why: "no-token" });
  });

  it("shows a viewer everything and lets nothing be pressed", async () => {
    const pool = new Pool();
    pool.role = "viewer";
    pool.say(
      "/api/algorithms/status",
      200,
      makeStatus({ deployment: makeDeployment(), staged_algorithm: makeStaged() }),
    );
    await open(pool);
    expect(screen.getByText("READ_ONLY")).toBeTruthy();
    for (const name of ["PAUSE", "ADVANCE", "ROLL BACK", "DEPLOY…"])
      expect(screen.getByRole("button", { name })).toHaveProperty("disabled", true);
    expect(screen.getByText("Steering a deployment needs the operator role.")).toBeTruthy();
  });

  it("notices a token that ran out", async () => {
    const pool = new Pool();
    const { pass } = await open(pool);
    pool.say("/api/algorithms", 401, makeError("UNAUTHORIZED"));
    await pass(11_000);
    expect(screen.getByText(/does not take this token/)).toBeTruthy();
  });

  it("shows report, plan and why a package can't be deployed", async () => {
    const pool = new Pool();
    pool.role = null;
    pool.say("/api/algorithms/status", 200, makeStatus({ staged_algorithm: makeStaged({ migration_from: null }) }));
    pool.say("/api/algorithms/plan", 200, makePlan({ obstacles: ["it computes another function"] }));
    pool.say("/api/algorithms", 200, { slots: [], can_stage: false });
    await open(pool);
    expect(screen.getByText("2 of 3 checks passed")).toBeTruthy();
    expect(screen.getByText("PERFORMANCE_WARNING")).toBeTruthy();
    expect(screen.getByText("0.63")).toBeTruthy();
    expect(screen.getByText("The pool would refuse it: it computes another function.")).toBeTruthy();
    expect(screen.getByText(/no place for packages/)).toBeTruthy();
    expect(screen.getByText("NO_GENERATIONS")).toBeTruthy();
  });

  it("deploys with what the dialog says, and keeps it open when the pool refuses", async () => {
    const pool = new Pool();
    pool.say(
      "/api/algorithms/status",
      200,
      makeStatus({ staged_algorithm: makeStaged({ rollback_supported: false }) }),
    );
    pool.say("/api/algorithms/plan", 200, makePlan({ needs_override: "blake2s" }));
    pool.say("/api/algorithms/deploy", 409, makeError("DEPLOYMENT_IN_PROGRESS"));
    const { pass } = await open(pool);
    click("DEPLOY…");
    const dialog = within(screen.getByRole("dialog"));
    expect(dialog.getByLabelText("Shadow, seconds")).toHaveProperty("value", "120");
    fireEvent.change(dialog.getByLabelText("Shadow, seconds"), { target: { value: "60" } });
    fireEvent.change(dialog.getByLabelText("Each phase, seconds"), { target: { value: "30" } });
    fireEvent.change(dialog.getByLabelText("Phases, % of sessions"), { target: { value: "10 100" } });
    fireEvent.click(dialog.getByLabelText(/Roll back by itself/));
    const told = within(dialog.getByRole("group", { name: "Who is told of each step" }));
    for (const name of ["ops-mail", "pager", "ops-mail"]) fireEvent.click(told.getByLabelText(name));
    fireEvent.change(dialog.getByLabelText("Isolation"), { target: { value: "process" } });
    fireEvent.click(dialog.getByRole("button", { name: "DEPLOY NOW" }));
    expect(dialog.getByText("Confirm that there is no way back.")).toBeTruthy();
    fireEvent.click(dialog.getByLabelText(/blake3 declares/));
    expect(dialog.getByText("Confirm that it may replace this algorithm all the same.")).toBeTruthy();
    fireEvent.click(dialog.getByLabelText(/replace only blake2s/));
    fireEvent.click(dialog.getByRole("button", { name: "DEPLOY NOW" }));
    await pass(50);
    expect(dialog.getByText("DEPLOYMENT_IN_PROGRESS")).toBeTruthy();
    const config = { strategy: "gradual", shadow_duration: 60, phase_duration: 30, phases: [10, 100] };
    const agreed = { confirm: "blake3", override_migration_from: true, isolation: "process" };
    // What the operator looked at, and nothing that was staged meanwhile.
    const meant = { digest: "9f".repeat(32), notification_channels: ["pager"] };
    expect(pool.sent).toEqual([{ config: { ...config, rollback_on_error: false, ...agreed, ...meant } }]);
    fireEvent.click(dialog.getByRole("radio", { name: /SCHEDULED/ }));
    expect(dialog.getByText(/^that is 2026-11-22 13:00:00 UTC/)).toBeTruthy();
    fireEvent.change(dialog.getByLabelText(/Begins at/), { target: { value: "" } });
    fireEvent.click(dialog.getByRole("button", { name: "SCHEDULE" }));
    expect(dialog.getByText("Choose a day and a time.")).toBeTruthy();
    fireEvent.click(dialog.getByRole("radio", { name: /IMMEDIATE/ }));
    expect(dialog.getByText(/at once; the old one finishes/)).toBeTruthy();
    pool.say("/api/algorithms/deploy", 202, { deployment_id: 43 });
    fireEvent.click(dialog.getByRole("button", { name: "DEPLOY NOW" }));
    await pass(50);
    expect(screen.queryByRole("dialog")).toBeNull();
    expect(screen.getByText("Deployment 43 has begun")).toBeTruthy();
    await pass(8_000);
    expect(screen.queryByText("Deployment 43 has begun")).toBeNull();
  });

  it("follows a roll-out, draws both groups, and steers it after a confirmation", async () => {
    const pool = new Pool();
    pool.say("/api/algorithms/status", 200, makeStatus({ deployment: makeDeployment() }));
    pool.say("/api/deployments/42/pause", 409, makeError("DEPLOYMENT_STEP_REFUSED"));
    const { pass, say } = await open(pool);
    say(frame("snapshot", 1, makeSnapshot()));
    expect(screen.getByRole("progressbar", { name: "Deployment" }).getAttribute("aria-valuenow")).toBe("44");
    expect(screen.getByText("CONTROL 75%")).toBeTruthy();
    expect(document.title).toContain("44%");
    await pass(4_500);
    expect(screen.getByRole("figure", { name: /LATENCY_P99: control 2.00 µs/ })).toBeTruthy();
    expect(lines).toContainEqual([0, 9]);
    click("PAUSE");
    const dialog = within(screen.getByRole("dialog"));
    fireEvent.click(dialog.getByRole("button", { name: "PAUSE" }));
    await pass(50);
    expect(dialog.getByText("DEPLOYMENT_STEP_REFUSED")).toBeTruthy();
    pool.say("/api/deployments/42/pause", 200, {});
    pool.say("/api/algorithms/status", 200, makeStatus({ deployment: makeDeployment({ status: "paused" }) }));
    fireEvent.click(dialog.getByRole("button", { name: "PAUSE" }));
    await pass(50);
    expect(screen.getByText("The deployment is paused")).toBeTruthy();
    const advance = screen.getByRole("button", { name: "ADVANCE" });
    expect(advance).toHaveProperty("disabled", true);
    expect(document.getElementById(advance.getAttribute("aria-describedby") ?? "")?.textContent).toMatch(/Resume it/);
    click("RESUME");
    fireEvent(screen.getByRole("dialog"), new Event("cancel", { cancelable: true }));
    expect(screen.queryByRole("dialog")).toBeNull();
  });

  it("hears from the feed at once, and says each thing once", async () => {
    const pool = new Pool();
    const { pass, say } = await open(pool);
    say(frame("snapshot", 1, makeSnapshot()));
    const scheduled = makeDeployment({
      status: "scheduled",
      phase: "staged",
      at: "2026-11-22T13:00:00Z",
      created_at: null,
    });
    pool.say("/api/algorithms/status", 200, makeStatus({ deployment: scheduled }));
    say(frame("deployment", 2, scheduled));
    expect(screen.getByTestId("migration").textContent).toBe("STAGED");
    expect(screen.getByText(/\(in 1 h 0 m\)/)).toBeTruthy();
    say(frame("deployment", 3, { staging: "ab", check: null }));
    say(frame("deployment", 4, scheduled));
    const wrong = makeDeployment({
      status: "rolled_back",
      rollback: { cause: "hash_differs", detail: "00ff", input: "00ff", expected: "aa", got: "bb" },
    });
    pool.say("/api/algorithms/status", 200, makeStatus({ deployment: wrong }));
    pool.say("/api/deployments", 200, {
      items: [wrong, makeDeployment({ deployment_id: "41", status: "odd", replaces: null })],
    });
    pool.say("/api/deployments/42", 200, {
      ...wrong,
      trail: [
        {
          at: "2026-11-22T12:00:00Z",
          action: "roll_back",
          stage: "shadow",
          traffic_split: 0,
          by: "supervisor",
          detail: "found",
        },
        { at: null, stage: null },
      ],
    });
    say(frame("deployment", 5, wrong));
    await pass(50);
    expect(screen.getByTestId("migration").textContent).toBe("IDLE");
    expect(screen.getAllByText(/was rolled back: old and new code/)).toHaveLength(1);
    expect(screen.getByRole("button", { name: "Copy the input" })).toBeTruthy();
    click(/blake3 1.0.0.*ROLLED BACK/);
    await pass(50);
    expect(screen.getByText("found")).toBeTruthy();
    click(/blake3 1.0.0.*ROLLED BACK/);
    click(/ODD/);
    await pass(50);
    expect(screen.getByText("NOT_FOUND")).toBeTruthy();
    click("Dismiss");
    expect(screen.queryByText(/was rolled back: old and new code/)).toBeNull();
  });

  it("keeps what it knows while the pool is away, and says that it is old", async () => {
    const pool = new Pool();
    const { pass, container } = await open(pool);
    pool.offline = true;
    await pass(11_000);
    expect(screen.getByText("NO_ANSWER")).toBeTruthy();
    expect(container.querySelectorAll('.card[data-freshness="stale"]')).toHaveLength(4);
    expect(screen.getByTestId("active").textContent).toBe("blake3 1.0.0");
    pool.offline = false;
    await pass(11_000);
    expect(screen.queryByText("NO_ANSWER")).toBeNull();
  });

  it("says that the pool does not answer where nothing was known before", async () => {
    const pool = new Pool();
    pool.offline = true;
    await open(pool);
    expect(screen.getByText("NO_ANSWER")).toBeTruthy();
  });

  it("asks nothing while nobody looks", async () => {
    const pool = new Pool();
    const { pass } = await open(pool);
    const visible = vi.spyOn(document, "visibilityState", "get").mockReturnValue("hidden");
    const before = pool.asked.length;
    await pass(60_000);
    expect(pool.asked.length).toBe(before);
    visible.mockReturnValue("visible");
    document.dispatchEvent(new Event("visibilitychange"));
    await pass(50);
    expect(pool.asked.length).toBeGreaterThan(before);
  });
});

describe("upload", () => {
  beforeEach(() => void vi.useFakeTimers({ now: atMs }));
  afterEach(() => {
    vi.useRealTimers();
    window.sessionStorage.clear();
    window.history.replaceState(null, "", "/");
  });
  const file = (name = "a.zip", size = 4) => new File([new Uint8Array(size)], name);
  const input = (container: HTMLElement) => container.querySelector('input[type="file"]') as HTMLInputElement;
  const choose = (container: HTMLElement, ...files: File[]) =>
    fireEvent.change(input(container), { target: { files: Object.assign([...files], { item: () => null }) } });

  it("refuses by itself what can't be a package", async () => {
    const { container } = await open(new Pool());
    choose(container, file("notes.txt"));
    expect(screen.getByText("NOT_A_PACKAGE")).toBeTruthy();
    choose(container, file("a.zip", 0));
    expect(screen.getByText("EMPTY_FILE")).toBeTruthy();
    choose(container, file(), file());
    expect(screen.getByText("ONE_AT_A_TIME")).toBeTruthy();
    choose(container);
    click("Dismiss");
    expect(screen.queryByText("ONE_AT_A_TIME")).toBeNull();
  });

  it("shows progress, then the report; a drop is as good as a choice", async () => {
    const pool = new Pool();
    const { container, store, pass } = await open(pool);
    let done: (outcome: Awaited<ReturnType<typeof store.api.stage>>) => void = () => {};
    let tell: Parameters<typeof store.api.stage>[1] = () => {};
    let signal = new AbortController().signal;
    vi.spyOn(store.api, "stage").mockImplementation((_, onProgress, abort) => {
      tell = onProgress;
      signal = abort;
      return new Promise((resolve) => {
        done = resolve;
      });
    });
    const zone = container.querySelector(".dropzone") as HTMLElement;
    fireEvent.dragOver(zone);
    expect(screen.getByText("Let go to take it")).toBeTruthy();
    fireEvent.dragLeave(zone);
    fireEvent.drop(zone, { dataTransfer: { files: [file("pack.zip")] } });
    act(() => tell({ phase: "sending", sent: 512, total: 2048 }));
    expect(screen.getByText("512 B of 2.0 KiB · 25%")).toBeTruthy();
    act(() => tell({ phase: "checking" }));
    expect(screen.getByRole("progressbar").getAttribute("aria-valuenow")).toBeNull();
    click("CANCEL");
    expect(signal.aborted).toBe(true);
    pool.say("/api/algorithms/status", 200, makeStatus({ staged_algorithm: makeStaged({ validation_results: null }) }));
    await act(async () =>
      done({ ok: true, value: { algorithm_id: "blake3_1.1.0", status: "staged", ...report } as never }),
    );
    await pass(50);
    expect(screen.getByText("blake3_1.1.0 is staged")).toBeTruthy();
    expect(screen.getByText("Deploy when ready")).toBeTruthy();
  });

  it("shows the advice of a pool that refuses, and is silent about what was cancelled", async () => {
    const { container, store, pass } = await open(new Pool());
    const { failure, cancelled } = await import("./failure");
    const stage = vi.spyOn(store.api, "stage");
    stage.mockResolvedValueOnce({
      ok: false,
      failure: failure("refused", "SIGNATURE_INVALID", "changed after signing"),
    });
    choose(container, file());
    await pass(50);
    expect(screen.getByText("SIGNATURE_INVALID")).toBeTruthy();
    stage.mockResolvedValueOnce({ ok: false, failure: cancelled() });
    choose(container, file());
    await pass(50);
    expect(screen.queryByText("UPLOAD_CANCELLED")).toBeNull();
    expect(screen.getByText(/was cancelled; nothing was staged/)).toBeTruthy();
  });
});
