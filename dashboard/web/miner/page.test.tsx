// @vitest-environment jsdom
import { act, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { App } from "../App";
import { Account } from "../account/account";
import { AlgorithmsStore } from "../algorithms/store";
import { decode } from "../feed/decode";
import { Session } from "../state/session";
import { Store } from "../state/store";
import { atMs, frame, makeStats } from "../test-data";
import { loadPages } from "../test-pages";
import { meanOf } from "./HashrateHours";
import MinerPage from "./MinerPage";
import { earning, proof, statement } from "./schema";

beforeAll(loadPages);

const block = "ab".repeat(32);
const root = "76".repeat(32);

const credit = (id: string, change: object = {}) =>
  earning.parse({
    id,
    block,
    height: 12,
    income: "block",
    revision: 1,
    amount: "74300000000",
    state: "pending",
    credited_at: "2026-11-22T12:00:00Z",
    ended_at: null,
    status: "accepted",
    color: "blue",
    ...change,
  });

const shownStatement = statement.parse({
  block,
  height: 12,
  algorithm: "blake2s",
  account: "alice",
  found_at: "2026-11-22T12:00:00Z",
  scheme: "pplns",
  factor_basis_points: 20_000,
  fee_basis_points: 100,
  network_work: "1000",
  window_work: "2000",
  shares: { first: 5, first_counted: "3", last: 9 },
  total_work: "2000",
  reward: "100000000000",
  red_merge_income: null,
  fee: { reward: "1000000000", red_merge_income: null },
  root,
  accounts: 2,
});

const shownProof = proof.parse({
  format: "dagpool-proof-1",
  block,
  root,
  account: "alice",
  work: "1500",
  proof: { index: 0, count: 1, branch: [] },
  total_work: "2000",
  fee_basis_points: 100,
  reward: "100000000000",
  reward_part: "74300000000",
});

const miner = {
  account: "alice",
  workers: [
    { name: "rig1", hashrate: 1e6, difficulty: "16", last_share_at: null, shares: { accepted: 7, rejected: 1 } },
  ],
  balance: { pending: "74300000000", confirmed: "5", paid: "0" },
};

type Route = (query: URLSearchParams) => { status?: number; body?: unknown };

/** Answers by path; 404 for the rest. */
function serve(routes: Record<string, Route>) {
  vi.stubGlobal("fetch", async (path: string) => {
    const { pathname, searchParams } = new URL(path, "http://pool");
    const { status = 200, body } = routes[pathname]?.(searchParams) ?? { status: 404 };
    return new Response(JSON.stringify(body ?? {}), { status });
  });
}

const page = (routes: Record<string, Route>, account = "alice") => {
  serve(routes);
  const session = new Session({ url: "ws://x", store: new Store((flush) => flush()) });
  return render(<MinerPage account={account} session={session} nav={null} />);
};

const good: Record<string, Route> = {
  "/api/miners/alice": () => ({ body: miner }),
  "/api/miners/alice/earnings": (query) =>
    query.get("cursor") === null
      ? { body: { items: [credit("9"), credit("8", { state: "voided", income: "red_merge" })], next: "8" } }
      : { body: { items: [credit("3", { state: "confirmed" })], next: null } },
  [`/api/blocks/${block}/statement`]: () => ({ body: shownStatement }),
  [`/api/blocks/${block}/proof`]: () => ({ body: shownProof }),
};

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

describe("MINER", () => {
  const rig = {
    ...miner.workers[0],
    connected_since: "2026-11-22T11:00:00Z",
    shares: { accepted: 90, rejected: 10, stale: 9, duplicate: 0, low_difficulty: 0, invalid: 1 },
    difficulties: [
      { at: "2026-11-22T11:00:00Z", difficulty: "64" },
      { at: "2026-11-22T11:30:00Z", difficulty: "16" },
    ],
  };

  it("says of an account that nobody has heard of that it is not known, until it is", async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    let known = false;
    page({ "/api/miners/alice": () => (known ? { body: miner } : { status: 404 }) });
    await screen.findByText("NOT_KNOWN");
    expect(screen.queryByText("NO_ANSWER")).toBeNull();
    known = true;
    await act(() => vi.advanceTimersByTimeAsync(5_000));
    await screen.findByText("BALANCE");
    expect(screen.queryByText("NOT_KNOWN")).toBeNull();
    vi.useRealTimers();
  });

  it("tells each rig: here or not, why shares were refused, how its difficulty went", async () => {
    const gone = { ...rig, name: "gone", connected_since: null, hashrate: 0, difficulties: [] };
    const shares = { ...rig.shares, accepted: 97 };
    page({ ...good, "/api/miners/alice": () => ({ body: { ...miner, shares, workers: [gone, rig] } }) });
    await screen.findByText("1 of 2 connected");
    const rigs = screen.getAllByRole("listitem").filter((item) => item.className.includes("rig"));
    expect(rigs.map((item) => item.querySelector("strong")?.textContent)).toEqual(["rig1", "gone"]);
    expect(rigs[0]?.textContent).toContain("stale 9 · invalid 1");
    expect(rigs[0]?.textContent).toContain("was 64 until");
    expect(screen.getByRole("img", { name: /Difficulty: 64 since .*, 16 since/ })).toBeTruthy();
    expect(rigs[1]?.textContent).toContain("NOT CONNECTED");
    expect(screen.getByText("97")).toBeTruthy();
  });

  it("weighs the hour that is under way by what has passed of it", () => {
    const begun = Date.parse("2026-11-22T12:00:00Z");
    const hour = (back: number, hashrate: number) => ({ at: begun - back * 3_600_000, hashrate, accepted: 1 });
    // 15 minutes of the third hour: as much of the mean as they are of the time.
    expect(meanOf([hour(2, 1000), hour(1, 1000), hour(0, 1900)], begun + 900_000)).toBe(1100);
    expect(meanOf([hour(1, 1000), hour(0, 1000)], begun + 1)).toBe(1000);
    expect(meanOf([hour(0, 1000)], begun)).toBe(0);
    // What a clock that is behind the pool's gives is no negative weight.
    expect(meanOf([hour(1, 1000), hour(0, 9)], begun - 60_000)).toBe(1000);
  });

  it("draws hash rates by the hour, and says what is under the pointer", async () => {
    const newest = Date.parse("2026-11-22T12:00:00Z");
    vi.spyOn(Date, "now").mockReturnValue(newest + 3_600_000 - 1);
    const at = (back: number) => new Date(newest - back * 3_600_000).toISOString();
    const items = [
      { at: at(0), algorithm: "blake2s", hashrate: 1000, accepted: 3 },
      { at: at(2), algorithm: "blake2s", hashrate: 3000, accepted: 5 },
      { at: at(2), algorithm: "blake3", hashrate: 1000, accepted: 1 },
      { at: at(500), algorithm: "blake3", hashrate: 9e9, accepted: 1 },
    ];
    const asked: string[] = [];
    let status = 200;
    const { container } = page({
      ...good,
      "/api/miners/alice/hashrate": (query) => {
        asked.push(query.get("hours") ?? "");
        return { status, body: { interval_s: 3600, items } };
      },
    });
    const figure = await screen.findByRole("figure", {
      name: /last 24 hours: mean 208.3\u00a0H\/s · highest 4.00\u00a0kH\/s · 9 shares/,
    });
    const svg = figure.querySelector("svg") as SVGSVGElement;
    vi.spyOn(svg, "getBoundingClientRect").mockReturnValue({ left: 0, width: 240 } as DOMRect);
    fireEvent.pointerMove(svg, { clientX: 215 });
    expect(figure.textContent).toContain("4.00\u00a0kH/s · 6 shares");
    fireEvent.pointerLeave(svg);
    expect(figure.textContent).toContain("mean 208.3\u00a0H/s");
    expect(container.querySelector(".hours-path")?.getAttribute("d")?.match(/M/g)).toHaveLength(2);
    fireEvent.click(screen.getByRole("button", { name: "30 D" }));
    await screen.findByRole("figure", { name: /last 720 hours/ });
    status = 503;
    fireEvent.click(screen.getByRole("button", { name: "7 D" }));
    await waitFor(() => expect(asked).toEqual(["24", "720", "168"]));
    expect(screen.getByRole("figure", { name: /last 720 hours/ })).toBeTruthy();
  });

  it("says when there is no hash rate to draw", async () => {
    let reply: { status?: number; body?: unknown } = { body: { items: [] } };
    const routes = { ...good, "/api/miners/alice/hashrate": () => reply };
    const empty = page(routes);
    await screen.findByText("No share was credited in this time.");
    empty.unmount();
    reply = { status: 503 };
    const failed = page(routes);
    await screen.findByText(/did not tell the hash rates/);
    failed.unmount();
    page(good);
    await screen.findByText(/serves no hash rates/);
  });

  it("shows balance, workers and earnings, and no payouts where the pool has none", async () => {
    page(good);
    expect((await screen.findByTestId("balance-pending")).textContent).toContain("74,300,000,000");
    expect(screen.getByText("rig1")).toBeTruthy();
    expect(await screen.findAllByText("PENDING")).toHaveLength(1);
    expect(screen.getByText("VOIDED")).toBeTruthy();
    expect(screen.queryByText("PAYOUTS")).toBeNull();
    expect(screen.getByText("CSV").getAttribute("href")).toBe("/api/miners/alice/earnings?format=csv");
    fireEvent.click(screen.getByText("OLDER"));
    expect(await screen.findByText("CONFIRMED")).toBeTruthy();
    expect(screen.queryByText("OLDER")).toBeNull();
  });

  it("checks a proof in the browser, and says when it is wrong", async () => {
    page(good);
    fireEvent.click((await screen.findAllByRole("button", { expanded: false }))[0] as HTMLElement);
    fireEvent.click(await screen.findByText("VERIFY"));
    // A made-up root is not above any line.
    expect(screen.getByText(/Not valid: the line of alice is not below the root/)).toBeTruthy();
    expect(screen.getByText("75.00% of the window")).toBeTruthy();
    expect(screen.getByText("PPLNS × 2")).toBeTruthy();
    fireEvent.click(screen.getAllByRole("button", { expanded: true })[0] as HTMLElement);
    expect(screen.queryByText("VERIFY")).toBeNull();
  });

  it("takes a sound proof", async () => {
    const { rootOf } = await import("./proof");
    const sound = rootOf("alice", 1500n, shownProof.proof);
    page({
      ...good,
      [`/api/blocks/${block}/statement`]: () => ({ body: { ...shownStatement, root: sound } }),
      [`/api/blocks/${block}/proof`]: () => ({ body: { ...shownProof, root: sound, reward_part: "74250000000" } }),
    });
    fireEvent.click((await screen.findAllByRole("button", { expanded: false }))[0] as HTMLElement);
    fireEvent.click(await screen.findByText("VERIFY"));
    expect(screen.getByText(/below this root/)).toBeTruthy();
  });

  it("lists payouts where the pool serves them", async () => {
    const paid = { id: 4, amount: "900", state: "confirmed", txid: "c0de", created_at: "2026-11-22T12:00:00Z" };
    const held = { id: 5, amount: "1", state: "on_hold", created_at: null, reason: "asked by the operator" };
    page({ ...good, "/api/miners/alice/payouts": () => ({ body: { items: [paid, held], next: null } }) });
    expect(await screen.findByText("PAYOUTS")).toBeTruthy();
    expect(screen.getByText("c0de")).toBeTruthy();
    expect(screen.getByText("ON HOLD")).toBeTruthy();
    expect(screen.getByText("asked by the operator")).toBeTruthy();
  });

  it("tells what holds for this account alone", async () => {
    const terms = { threshold: "500", held: "asked by phone", set_aside: "bad checksum" };
    page({ ...good, "/api/miners/alice/payouts": () => ({ body: { items: [], next: null, terms } }) });
    expect((await screen.findByTestId("held")).textContent).toContain("asked by phone");
    expect(screen.getByText(/bad checksum/)).toBeTruthy();
    expect(screen.getByText(/Paid from 500/)).toBeTruthy();
  });

  it("says what is not there", async () => {
    page(
      {
        "/api/miners/carol": () => ({ status: 500 }),
        "/api/miners/carol/payouts": () => ({ body: { items: [], next: null } }),
      },
      "carol",
    );
    expect(await screen.findAllByText("NO_ANSWER")).toHaveLength(3);
    // Neither earnings nor hash rates.
    expect(await screen.findAllByText("NOT_SERVED")).toHaveLength(2);
    expect(screen.getByText("NO_PAYOUTS")).toBeTruthy();
  });

  it("says that the database is away instead of blaming the account, and asks again when it is back", async () => {
    let status = 503;
    serve({
      "/api/miners/alice": () => ({ status, body: miner }),
      "/api/miners/alice/earnings": () => ({ status, body: { items: [credit("9")], next: null } }),
    });
    const session = new Session({ url: "ws://x", store: new Store((flush) => flush()) });
    const hear = (seq: number, change: object) =>
      act(() => {
        const decoded = decode(frame("stats", seq, { stats: makeStats(change) }));
        session.store.dispatch({ type: "frame", decoded, now: atMs });
      });
    const absence = { component: "store", code: "STORE_UNAVAILABLE", message: "", since: null, figures_at: null };
    hear(1, { stale: true, degraded: [{ ...absence, waiting_shares: 3 }] });
    render(<MinerPage account="alice" session={session} nav={null} />);
    // The banner, and the four panels that need it.
    await waitFor(() => expect(screen.getAllByText("DATABASE_AWAY")).toHaveLength(5));
    status = 200;
    hear(2, {});
    expect(await screen.findByText("PENDING")).toBeTruthy();
    expect(screen.queryByTestId("alert-store")).toBeNull();
  });

  it("asks again when earnings failed, and says when there are none", async () => {
    let status = 503;
    page({
      "/api/miners/alice": () => ({ body: { account: "alice", workers: [], balance: null } }),
      "/api/miners/alice/earnings": () => ({ status, body: { items: [], next: null } }),
      "/api/miners/alice/payouts": () => ({ status: 503 }),
    });
    const again = await screen.findByText("ASK AGAIN");
    expect(screen.getByText("NO_WORKERS")).toBeTruthy();
    expect(screen.getByText("NO_BALANCE")).toBeTruthy();
    status = 200;
    fireEvent.click(again);
    expect(await screen.findByText("NO_EARNINGS")).toBeTruthy();
  });

  it("says when a statement can't be had", async () => {
    page({ ...good, [`/api/blocks/${block}/proof`]: () => ({ status: 503 }) });
    fireEvent.click((await screen.findAllByRole("button", { expanded: false }))[0] as HTMLElement);
    expect(await screen.findByText("The pool did not tell this block's statement.")).toBeTruthy();
  });

  it("is found by its path, encoded or not", async () => {
    serve({ "/api/miners/kaspa%3Aqz": () => ({ body: { ...miner, account: "kaspa:qz" } }) });
    for (const path of ["/miners/kaspa%3Aqz", "/miners/kaspa:qz"]) {
      window.history.pushState(null, "", path);
      const session = new Session({ url: "ws://x", store: new Store((flush) => flush()) });
      const view = render(<App session={session} algorithms={new AlgorithmsStore()} account={new Account()} />);
      await waitFor(() => expect(view.getByText("kaspa:qz")).toBeTruthy(), { timeout: 10_000 });
      view.unmount();
    }
    window.history.pushState(null, "", "/");
  });
});
