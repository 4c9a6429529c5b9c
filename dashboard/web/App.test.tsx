// @vitest-environment jsdom
import { act, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Socket } from "./feed/live";
import type { RestAnswer } from "./feed/rest";
import { atMs, frame, makeBlock, makeMiner, makeSnapshot, makeStats } from "./test-data";
import { loadPages } from "./test-pages";
import { navigate } from "./ui/router";

beforeAll(loadPages);

type Format = (plot: unknown, splits: number[]) => string[];
interface FakeOptions {
  hooks: { setCursor: ((plot: FakePlot) => void)[] };
  scales: { y: { range: (plot: unknown, min: number, max: number) => number[] } };
  axes: { values: Format }[];
  series: { fill?: (plot: unknown) => unknown }[];
}

const plots: FakePlot[] = [];
class FakePlot {
  width = 300;
  cursor: { idx: number | null } = { idx: null };
  data: unknown;
  destroyed = false;
  size: unknown = null;
  constructor(readonly options: FakeOptions) {
    plots.push(this);
  }
  setData(data: unknown) {
    this.data = data;
  }
  setScale() {}
  setSize(size: unknown) {
    this.size = size;
  }
  destroy() {
    this.destroyed = true;
  }
}
vi.mock("uplot", () => ({ default: FakePlot }));

await import("./charts/Chart");
const { Account } = await import("./account/account");
const { App } = await import("./App");
const { Session } = await import("./state/session");
const { AlgorithmsApi } = await import("./algorithms/api");
const { AlgorithmsStore } = await import("./algorithms/store");
const { Store } = await import("./state/store");

const nothing: RestAnswer = { stats: null, blocks: null, miners: null };

function open(answer: RestAnswer = nothing) {
  const sockets: Socket[] = [];
  const session = new Session({
    url: "ws://pool/api/live",
    open: () => {
      const socket: Socket = { onopen: null, onmessage: null, onclose: null, onerror: null, close() {} };
      sockets.push(socket);
      return socket;
    },
    load: async () => answer,
    store: new Store((flush) => flush()),
  });
  const algorithms = new AlgorithmsStore({
    api: (token) => new AlgorithmsApi(token, () => Promise.reject(new Error())),
  });
  const view = render(<App session={session} algorithms={algorithms} account={new Account()} />);
  const say = (text: string) => act(() => sockets.at(-1)?.onmessage?.({ data: text }));
  const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));
  /** The charts' library comes by itself, after the page. */
  const drawn = () => act(() => vi.dynamicImportSettled());
  return { ...view, sockets, say, pass, drawn, hangUp: () => act(() => sockets.at(-1)?.onclose?.()) };
}

describe("App", () => {
  beforeEach(() => {
    plots.length = 0;
    vi.useFakeTimers({ now: atMs });
  });
  afterEach(() => void vi.useRealTimers());

  it("starts with empty places, not with zeros", async () => {
    const { pass } = open();
    await pass(0);
    expect(screen.getByTestId("connection").textContent).toBe("CONNECTING");
    expect(screen.getByTestId("hashrate").textContent).toBe("—");
    expect(screen.getAllByRole("status").length).toBeGreaterThan(4);
    expect(screen.getByText("NOT_LISTENING")).toBeTruthy();
  });

  it("shows a snapshot whole, then follows", async () => {
    const { say, drawn, pass } = open();
    await pass(0);
    say(frame("snapshot", 1, makeSnapshot()));
    expect(screen.getByTestId("connection").textContent).toBe("CONNECTED");
    expect(screen.getByTestId("hashrate").textContent).toBe("1.25 TH/s");
    expect(screen.getAllByRole("button", { name: /our block/ })).toHaveLength(2);
    expect(screen.getByText("Ready to take blocks")).toBeTruthy();
    expect(screen.getByText("QUIET")).toBeTruthy();
    const point = { at: "2026-11-22T12:00:00Z", hashrate: 2e12, shares_per_second: 20 };
    say(frame("stats", 2, { stats: makeStats({ pool: { hashrate: 2e12 } }), point }));
    expect(screen.getByTestId("hashrate").textContent).toBe("2.00 TH/s");
    expect(document.title).toBe("2.00\u00a0TH/s · DAG Pool");
    await drawn();
    expect(screen.getByRole("figure", { name: /Pool hash rate: now 2.00\u00a0TH\/s/ })).toBeTruthy();
  });

  it("reads out the point under the cursor, in local time and UTC", async () => {
    const { say, unmount, drawn } = open();
    say(frame("snapshot", 1, makeSnapshot()));
    await drawn();
    const plot = plots[0] as FakePlot;
    act(() => {
      plot.cursor.idx = 0;
      plot.options.hooks.setCursor[0]?.(plot);
    });
    expect(screen.getByText(/11:59:58 UTC · 1.00 TH\/s/)).toBeTruthy();
    act(() => {
      plot.cursor.idx = null;
      plot.options.hooks.setCursor[0]?.(plot);
    });
    expect(screen.getByText(/mean 1.05 TH\/s/)).toBeTruthy();
    fireEvent.click(screen.getByRole("button", { name: "2 MIN" }));
    expect(screen.getByRole("button", { name: "2 MIN" }).getAttribute("aria-pressed")).toBe("true");
    unmount();
    expect(plots.every((one) => one.destroyed)).toBe(true);
  });

  it("draws from zero, with readable axes, and follows the size of its box", async () => {
    const boxes: ((entries: { contentRect: { width: number } }[]) => void)[] = [];
    vi.stubGlobal(
      "ResizeObserver",
      class {
        constructor(seen: (typeof boxes)[number]) {
          boxes.push(seen);
        }
        observe() {}
        disconnect() {}
      },
    );
    const { say, drawn } = open();
    say(frame("snapshot", 1, makeSnapshot()));
    await drawn();
    const plot = plots[0] as FakePlot;
    const { axes, scales, series } = plot.options;
    expect(scales.y.range(plot, 5, 100)).toEqual([0, 112.5]);
    expect(scales.y.range(plot, 0, 0)).toEqual([0, 1]);
    expect(axes[1]?.values(plot, [0, 5e9])).toEqual(["0\u00a0H/s", "5.00\u00a0GH/s"]);
    expect(axes[0]?.values(plot, [1_200, 1_260]).every((text) => /^\d\d:\d\d$/.test(text))).toBe(true);
    expect(axes[0]?.values(plot, [1_200, 1_201]).every((text) => /^\d\d:\d\d:\d\d$/.test(text))).toBe(true);
    const stops: unknown[] = [];
    const gradient = { addColorStop: (_: number, color: string) => stops.push(color) };
    series[1]?.fill?.({ bbox: { top: 0, height: 10 }, ctx: { createLinearGradient: () => gradient } });
    expect(stops).toEqual(["#00ff4140", "#00ff4100"]);
    boxes[0]?.([{ contentRect: { width: 300 } }]);
    expect(plot.size).toBeNull();
    boxes[0]?.([{ contentRect: { width: 512.7 } }]);
    expect(plot.size).toEqual({ width: 512, height: 190 });
  });

  it("is honest about a feed that stops: silent, stale, offline, polling, back", async () => {
    const answer: RestAnswer = { stats: makeStats({ pool: { miners: 77 } }), blocks: null, miners: null };
    const { say, pass, hangUp, container, sockets } = open(answer);
    say(frame("snapshot", 1, makeSnapshot()));
    await pass(7000);
    expect(screen.getByTestId("connection").textContent).toBe("SILENT");
    hangUp();
    expect(screen.getByTestId("connection").textContent).toBe("OFFLINE");
    expect(document.title).toContain("FEED_OFFLINE");
    fireEvent.click(screen.getByRole("button", { name: "RETRY NOW" }));
    expect(sockets).toHaveLength(2);
    hangUp();
    await pass(1000);
    expect(container.querySelectorAll('.panel[data-freshness="stale"]').length).toBeGreaterThan(1);
    await pass(5000);
    expect(screen.getByTestId("miners").textContent).toBe("77");
    say(frame("snapshot", 2, makeSnapshot()));
    expect(screen.getByTestId("connection").textContent).toBe("CONNECTED");
    expect(screen.queryByText("FEED_OFFLINE")).toBeNull();
  });

  it("goes on while the database is away: what stands still is marked, what moves is not", () => {
    const { say, container } = open();
    say(frame("snapshot", 1, makeSnapshot()));
    const degraded = [
      {
        component: "store",
        code: "STORE_UNAVAILABLE",
        message: "gone",
        since: "2026-11-22T11:59:50Z",
        figures_at: "2026-11-22T11:59:49Z",
        waiting_shares: 12,
      },
    ];
    say(frame("stats", 2, { stats: makeStats({ stale: true, degraded }) }));
    const alert = within(screen.getByTestId("alert-store"));
    expect(alert.getByText(/for 10 s.*12 shares wait/)).toBeTruthy();
    expect(alert.getByText("what it means").getAttribute("href")).toBe("/docs/errors/STORE_UNAVAILABLE");
    expect(document.title).toContain("DATABASE_AWAY");
    const titles = [...container.querySelectorAll('.panel[data-freshness="stale"] .panel-title')];
    expect(titles.map((title) => title.textContent)).toEqual(["PAID_CONVERSION", "LEDGER"]);
    expect(container.querySelectorAll('.card[data-freshness="stale"]')).toHaveLength(2);
    say(frame("stats", 3, { stats: makeStats() }));
    expect(screen.queryByTestId("alert-store")).toBeNull();
    expect(screen.getByText(/The database is back/)).toBeTruthy();
    expect(container.querySelectorAll('[data-freshness="stale"]')).toHaveLength(0);
  });

  it("says that work is paused, and goes on by itself", () => {
    const { say } = open();
    say(frame("snapshot", 1, makeSnapshot({ node: { name: "n", ready: false, reason: "syncing" }, job: null })));
    expect(screen.getByTestId("alert-node").textContent).toContain("syncing");
    expect(screen.getByText("NO_JOB")).toBeTruthy();
    say(frame("stats", 2, { stats: makeStats(), node: { name: "n", ready: true, reason: null } }));
    expect(screen.queryByTestId("alert-node")).toBeNull();
    expect(screen.getByText("Node is ready, work goes on")).toBeTruthy();
  });

  it("survives rubbish and counts it", () => {
    const { say } = open();
    say(frame("snapshot", 1, makeSnapshot()));
    say("{ not json");
    expect(screen.getByTestId("alert-problems")).toBeTruthy();
    expect(screen.getByTestId("hashrate").textContent).toBe("1.25 TH/s");
  });

  it("shows a pool where nothing has happened yet", () => {
    const { say } = open();
    say(frame("snapshot", 1, makeSnapshot({ blocks: [], miners: [], history: [], job: null, node: null })));
    for (const title of ["NO_BLOCKS_YET", "NO_MINERS", "NO_JOB", "NO_NODE"])
      expect(screen.getByText(title)).toBeTruthy();
    expect(screen.getAllByText("COLLECTING")).toHaveLength(2);
  });
});

describe("blocks", () => {
  beforeEach(() => void vi.useFakeTimers({ now: atMs }));
  afterEach(() => void vi.useRealTimers());
  const details = () => within(screen.getByTestId("block-details"));
  const blocks = [
    makeBlock("aa01"),
    makeBlock("bb02", { height: 11, parents: ["aa01", "dead"], reward: null, worker: null, color: "unknown" }),
    makeBlock("cc03", { height: 12, parents: ["bb02"], ours: false, status: null, algorithm: null, color: "red" }),
  ];

  function openBlocks() {
    const opened = open();
    opened.say(frame("snapshot", 1, makeSnapshot({ blocks })));
    return opened;
  }

  it("follow our newest until one is chosen", () => {
    const { say } = openBlocks();
    expect(details().getByText("bb02")).toBeTruthy();
    expect(details().getByText("not known yet")).toBeTruthy();
    fireEvent.click(screen.getByRole("button", { name: /aa01/, pressed: false }));
    expect(details().getByText("440.00 SDAG")).toBeTruthy();
    say(frame("block", 2, makeBlock("dd04", { height: 13, parents: ["cc03"] })));
    expect(details().getByText("aa01")).toBeTruthy();
    fireEvent.click(details().getByRole("button", { name: /NEWEST/ }));
    expect(details().getByText("dd04")).toBeTruthy();
  });

  it("are walked by keyboard, with one stop for the tab key", () => {
    const { container } = openBlocks();
    const node = (hash: string) => container.querySelector(`[data-hash="${hash}"]`) as SVGGElement;
    expect(container.querySelectorAll('.node[tabindex="0"]')).toHaveLength(1);
    fireEvent.keyDown(node("bb02"), { key: "ArrowLeft" });
    expect(document.activeElement).toBe(node("aa01"));
    expect(node("aa01").getAttribute("tabindex")).toBe("0");
    fireEvent.keyDown(node("aa01"), { key: "End" });
    expect(details().getByText("BLOCK")).toBeTruthy();
    fireEvent.keyDown(node("bb02"), { key: "Enter" });
    expect(node("bb02").getAttribute("aria-pressed")).toBe("true");
    fireEvent.keyDown(node("bb02"), { key: "x" });
    expect(node("bb02").getAttribute("aria-pressed")).toBe("true");
  });

  it("hold still on demand, but keep their newest state", () => {
    const { say } = openBlocks();
    fireEvent.click(screen.getByRole("button", { name: /HOLD/ }));
    say(frame("block", 2, makeBlock("dd04", { height: 13, parents: ["cc03"] })));
    say(frame("block", 3, { ...blocks[1], color: "blue", status: "matured" }));
    expect(screen.queryByRole("button", { name: /dd04/ })).toBeNull();
    expect(screen.getByRole("button", { name: /B bb02 matured/ })).toBeTruthy();
    fireEvent.click(screen.getByRole("button", { name: /GO ON/ }));
    expect(screen.getByRole("button", { name: /dd04/ })).toBeTruthy();
  });

  it("lead on to their parents, and can be copied", async () => {
    const { pass } = openBlocks();
    const writeText = vi.fn().mockResolvedValueOnce(undefined).mockRejectedValueOnce(new Error("http"));
    Object.defineProperty(navigator, "clipboard", { value: { writeText }, configurable: true });
    fireEvent.click(details().getByRole("button", { name: "Copy the hash" }));
    await pass(0);
    expect(details().getByText("COPIED")).toBeTruthy();
    await pass(2000);
    fireEvent.click(details().getByRole("button", { name: "Copy the hash" }));
    await pass(0);
    expect(details().getByText("SELECT IT BY HAND")).toBeTruthy();
    await pass(2000);
    expect(details().getByText("COPY")).toBeTruthy();
    fireEvent.click(details().getByRole("button", { name: "aa01" }));
    expect(details().getByText("none")).toBeTruthy();
  });

  it("are also a table of ours", () => {
    const { say } = openBlocks();
    fireEvent.click(screen.getByRole("button", { name: "LIST" }));
    const region = within(screen.getByRole("region", { name: "Our recent blocks" }));
    expect(region.getAllByRole("rowheader").map((cell) => cell.textContent)).toEqual(["bb02", "aa01"]);
    fireEvent.click(region.getByRole("button", { name: "aa01" }));
    expect(details().getByText("440.00 SDAG")).toBeTruthy();
    say(frame("snapshot", 2, makeSnapshot({ blocks: [blocks[2]] })));
    expect(screen.getByText("NO_BLOCKS_OF_OURS")).toBeTruthy();
  });

  it("stay in place once the viewer scrolled back, and are followed again on demand", () => {
    const { say } = openBlocks();
    const box = screen.getByTestId("dag");
    Object.defineProperties(box, { scrollWidth: { value: 2000 }, clientWidth: { value: 400 } });
    say(frame("block", 2, makeBlock("dd04", { height: 13, parents: ["cc03"] })));
    expect(box.scrollLeft).toBe(2000);
    box.scrollLeft = 500;
    fireEvent.scroll(box);
    say(frame("block", 3, makeBlock("ee05", { height: 14, parents: ["dd04"], status: "void" })));
    expect(box.scrollLeft).toBe(500);
    fireEvent.click(screen.getAllByRole("button", { name: "NEWEST ▸" }).at(0) as HTMLElement);
    expect(box.scrollLeft).toBe(2000);
    box.scrollLeft = 1600;
    fireEvent.scroll(box);
    expect(screen.queryByRole("button", { name: "NEWEST ▸" })).toBeNull();
  });

  it("show miners that REST brought before the feed did", async () => {
    const { pass } = open({ stats: makeStats(), blocks: [makeBlock("aa01")], miners: [makeMiner("alice")] });
    await pass(0);
    expect(screen.getByTestId("hashrate").textContent).toBe("1.25 TH/s");
    expect(screen.getByTitle("alice")).toBeTruthy();
  });
});

describe("between pages", () => {
  const go = async (name: string) => {
    fireEvent.click(screen.getByRole("link", { name }));
    await act(() => vi.dynamicImportSettled());
  };
  const main = () => document.querySelector("main");
  afterEach(() => window.history.replaceState(null, "", "/"));

  it("the focus goes to what the page is about, and stays where it is at first", async () => {
    open();
    expect(document.activeElement).toBe(document.body);
    await go("BLOCKS");
    await waitFor(() => expect(document.title).toContain("Blocks"));
    await waitFor(() => expect(document.activeElement).toBe(main()));
    await go("SIGN_IN");
    await screen.findByText("WHO_ARE_YOU");
    await waitFor(() => expect(document.activeElement).toBe(main()));
    await go("OVERVIEW");
    await screen.findByText("BLOCKS_FOUND");
    await waitFor(() => expect(document.activeElement).toBe(main()));
  });

  it("the focus stays where it is when only the question after the path changes", async () => {
    window.history.replaceState(null, "", "/sign-in");
    open();
    const field = await screen.findByLabelText("Username");
    field.focus();
    act(() => navigate("/sign-in?next=/account"));
    expect(document.activeElement).toBe(field);
  });

  it("an address that nobody knows is said to be none, as text, with a way on", async () => {
    window.history.replaceState(null, "", "/no/<b>such</b>");
    open();
    await screen.findByText("NO_SUCH_PAGE");
    expect(main()?.querySelector("b")).toBeNull();
    expect(main()?.textContent).toContain("/no/%3Cb%3Esuch%3C/b%3E");
    await waitFor(() => expect(document.title).toBe("No such page · DAG Pool"));
    expect(screen.queryByText("BLOCKS_FOUND")).toBeNull();
    for (const link of screen.getAllByRole("link")) expect(link.getAttribute("aria-current")).toBeNull();
    fireEvent.click(screen.getByRole("link", { name: "GO TO THE OVERVIEW" }));
    await screen.findByText("BLOCKS_FOUND");
  });

  it("the file of the page is its first address", async () => {
    window.history.replaceState(null, "", "/index.html");
    open();
    expect(await screen.findByText("BLOCKS_FOUND")).toBeTruthy();
  });
});
