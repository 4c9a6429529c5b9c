// @vitest-environment jsdom
import { render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it, vi } from "vitest";
import type { Job, NodeHealth } from "../feed/schema";
import { atMs, makeMiner, makeStats } from "../test-data";
import { Boundary } from "../ui/Boundary";
import { Activity } from "./Activity";
import { Alerts } from "./Alerts";
import { Funnel, stagesOf } from "./Funnel";
import { Header } from "./Header";
import { Ledger } from "./Ledger";
import { MinerDetails } from "./MinerDetails";
import { Miners, sortMiners } from "./Miners";
import { JobPanel, NodePanel } from "./NodeJob";
import { ShareResults } from "./ShareResults";
import { blockRate, StatusCards, unlucky } from "./StatusCards";

describe("Header", () => {
  it.each([
    [{ phase: "live" }, "CONNECTED", ""],
    [{ phase: "connecting" }, "CONNECTING", ""],
    [{ phase: "silent", since: atMs - 5000 }, "SILENT", "5\u00a0s"],
    [{ phase: "waiting", attempt: 1, retryAt: atMs + 2500 }, "OFFLINE", "retry in 3 s"],
    [{ phase: "waiting", attempt: 1, retryAt: atMs - 1 }, "OFFLINE", "retrying"],
  ] as const)("tells how the feed stands: %o", (link, word, detail) => {
    render(<Header title="DAG_POOL" link={link} now={atMs} skewMs={1000} algorithm={null} />);
    expect(screen.getByTestId("connection").textContent).toBe(word);
    expect(screen.getByRole("banner").textContent).toContain(detail);
    expect(screen.getByRole("banner").textContent).toContain("2026-11-22 12:00:01 UTC");
  });
});

describe("Alerts", () => {
  it("offers to retry only where that helps", async () => {
    const retry = vi.fn();
    const base = { severity: "critical", title: "T", text: "x" } as const;
    render(
      <Alerts
        alerts={[
          { ...base, id: "feed", retry: true },
          { ...base, id: "node" },
        ]}
        onRetry={retry}
      />,
    );
    await userEvent.click(screen.getByRole("button", { name: "RETRY NOW" }));
    expect(retry).toHaveBeenCalledOnce();
  });

  it("tells many in a sentence each, and the rest of one when asked", async () => {
    const one = (id: string) =>
      ({ id, severity: "warning", title: id, text: `First ${id}. Then more.`, command: `do ${id}` }) as const;
    const { rerender } = render(<Alerts alerts={[one("a"), one("b")]} onRetry={() => undefined} />);
    expect(screen.getByTestId("alert-a").textContent).toContain("First a. Then more.");
    expect(screen.queryByRole("button", { name: /MORE/ })).toBeNull();
    rerender(<Alerts alerts={[one("a"), one("b"), one("c")]} onRetry={() => undefined} />);
    expect(screen.getByTestId("alert-b").textContent).toContain("First b.");
    expect(screen.getByTestId("alert-b").textContent).not.toContain("Then more.");
    await userEvent.click(screen.getByRole("button", { name: "MORE about b" }));
    expect(screen.getByTestId("alert-b").textContent).toContain("Then more.");
    expect(screen.getByText("do b")).toBeTruthy();
    expect(screen.queryByText("do a")).toBeNull();
    expect(screen.getByRole("button", { name: "LESS about b" }).getAttribute("aria-expanded")).toBe("true");
  });
});

describe("StatusCards", () => {
  it.each([
    [0, 8, false],
    [0, 10, true],
    [75, 100, false],
    [69, 100, true],
    [130, 100, false],
    [0, 0, false],
  ])("calls %i blocks of %i no mere bad luck: %s", (found, expected, wanted) => {
    expect(unlucky({ found, expected_millionths: expected * 1e6 })).toBe(wanted);
  });

  it("warns of many rejected shares, and of too few blocks", () => {
    const pool = { shares: { accepted: 90, rejected: 10, stale: 10, duplicate: 0, low_difficulty: 0, invalid: 0 } };
    const luck = { found: 10, expected_millionths: 50e6, basis_points: 2_000 };
    render(<StatusCards stats={makeStats({ pool: { ...pool, luck } })} freshness="fresh" />);
    expect(screen.getByTestId("shares-rate").closest(".card-warning")).toBeTruthy();
    expect(screen.getByTestId("luck").closest(".card-warning")).toBeTruthy();
  });

  it("shows figures with units", () => {
    render(<StatusCards stats={makeStats()} freshness="fresh" />);
    expect(screen.getByTestId("hashrate").textContent).toBe("1.25 TH/s");
    expect(screen.getByTestId("conversion").textContent).toBe("70.0%");
    expect(screen.getByText("25.0% of network 5.00 TH/s")).toBeTruthy();
    expect(screen.getByText("990 accepted (99.0%)")).toBeTruthy();
  });

  it("tells effort and luck, warns of a long one, and says what it does not know", () => {
    const { rerender } = render(<StatusCards stats={makeStats()} freshness="fresh" />);
    expect(screen.getByTestId("effort").textContent).toBe("42.5%");
    expect(screen.getByTestId("luck").textContent).toBe("125%");
    expect(screen.getByText("12 found of 9.6 expected")).toBeTruthy();
    const luck = { found: 0, expected_millionths: 250_000, basis_points: null };
    rerender(<StatusCards stats={makeStats({ pool: { effort_basis_points: 31_000, luck } })} freshness="fresh" />);
    expect(screen.getByTestId("effort").closest(".card-warning")).toBeTruthy();
    expect(screen.getByTestId("luck").textContent).toBe("—");
    rerender(<StatusCards stats={makeStats({ pool: { effort_basis_points: null, luck: null } })} freshness="fresh" />);
    expect(screen.getByText("a block's work is unknown")).toBeTruthy();
  });

  it("claims no more than all of the network", () => {
    const stats = makeStats();
    render(<StatusCards stats={{ ...stats, pool: { ...stats.pool, hashrate: 6e12 } }} freshness="fresh" />);
    expect(screen.getByText("network 5.00 TH/s")).toBeTruthy();
  });

  it("shows dashes, not zeros, before anything is known", () => {
    render(<StatusCards stats={null} freshness="waiting" />);
    for (const id of ["hashrate", "shares-rate", "miners", "difficulty", "blocks-found", "conversion"]) {
      expect(screen.getByTestId(id).textContent).toBe("—");
    }
  });

  it("says what it does not know", () => {
    const stats = makeStats({ network: { hashrate: null, block_rate: null }, blocks: { candidate: 0, paid: 0 } });
    render(<StatusCards stats={stats} freshness="fresh" />);
    expect(screen.getByText("network hash rate unknown")).toBeTruthy();
    expect(screen.getByTestId("conversion").textContent).toBe("—");
  });

  it("picks a readable block rate", () => {
    expect([null, 0, 10, 1 / 30, 1 / 600].map(blockRate)).toEqual([
      "block rate unknown",
      "block rate unknown",
      "10.0 blocks/s",
      "2.0 blocks/min",
      "6.0 blocks/h",
    ]);
  });
});

describe("Funnel", () => {
  it("accounts for every block at every stage", () => {
    const { blocks } = makeStats();
    for (const [index, stage] of stagesOf(blocks).entries()) {
      const before = stagesOf(blocks)[index - 1];
      const lost = stage.losses.reduce((sum, loss) => sum + loss.count, 0);
      if (before) expect(before.count).toBe(stage.count + lost + stage.underway.count);
    }
  });

  it("names losses with their reason", () => {
    render(<Funnel blocks={makeStats().blocks} />);
    expect(screen.getByText("−3 rejected by the node")).toBeTruthy();
    expect(screen.getByText("−5 red or orphaned: void")).toBeTruthy();
    expect(screen.getByText("10 awaiting payout")).toBeTruthy();
  });

  it("survives a pool without blocks", () => {
    const none = {
      candidate: 0,
      submitted: 0,
      accepted: 0,
      rejected: 0,
      matured: 0,
      paid: 0,
      void: 0,
      blue: 0,
      red: 0,
    };
    render(<Funnel blocks={none} />);
    expect(screen.getAllByText("—")).toHaveLength(5);
  });
});

describe("ShareResults", () => {
  it("lists reasons, and no rate before any share", () => {
    const { rerender } = render(<ShareResults shares={makeStats().pool.shares} />);
    expect(screen.getByText("rejected (1.0%)")).toBeTruthy();
    rerender(
      <ShareResults shares={{ accepted: 0, rejected: 0, stale: 0, duplicate: 0, low_difficulty: 0, invalid: 0 }} />,
    );
    expect(screen.getByText("rejected")).toBeTruthy();
  });
});

describe("Ledger", () => {
  it("shows exact amounts and whether they balance", () => {
    const { rerender } = render(<Ledger ledger={makeStats().ledger} currency={{ symbol: "X", decimals: 8 }} />);
    expect(screen.getByTestId("ledger-pending").textContent).toBe("15.00 X");
    expect(screen.getByText("Ledger is balanced")).toBeTruthy();
    rerender(<Ledger ledger={{ ...makeStats().ledger, imbalance: "5" }} currency={null} />);
    expect(screen.getByText("Off by 5 smallest units")).toBeTruthy();
  });
});

describe("NodePanel and JobPanel", () => {
  const node: NodeHealth = {
    name: "n1",
    ready: false,
    reason: null,
    endpoint_count: 2,
    last_template_at: null,
    latency_ms: 12,
  };
  const job: Job = {
    id: "5a",
    algorithm: null,
    height: null,
    parents: [],
    age_ms: 1000,
    network_difficulty: null,
    template_time: null,
  };

  it("say what is missing", () => {
    render(<NodePanel node="none" now={atMs} />);
    render(<JobPanel job="none" elapsedMs={0} />);
    expect(screen.getByText("NO_NODE")).toBeTruthy();
    expect(screen.getByText("NO_JOB")).toBeTruthy();
  });

  it("say why the node is not ready", () => {
    const { rerender } = render(<NodePanel node={node} now={atMs} />);
    expect(screen.getByTestId("node-verdict").textContent).toContain("no reason given");
    rerender(<NodePanel node={{ ...node, name: null, reason: "syncing" }} now={atMs} />);
    expect(screen.getByTestId("node-verdict").textContent).toContain("syncing");
    rerender(<NodePanel node={{ ...node, ready: true }} now={atMs} />);
    expect(screen.getByTestId("node-verdict").textContent).toContain("Ready");
  });

  it("go on counting the job's age", () => {
    const { rerender } = render(<JobPanel job={job} elapsedMs={4000} />);
    expect(screen.getByText("5 s")).toBeTruthy();
    rerender(<JobPanel job={{ ...job, age_ms: null, parents: ["a".repeat(64)] }} elapsedMs={4000} />);
    expect(screen.queryByText("5 s")).toBeNull();
    expect(screen.getByText("aaaaaa…aaaaaa")).toBeTruthy();
  });
});

describe("Activity", () => {
  it("lists events, or says that it is quiet", () => {
    const { rerender } = render(<Activity events={[]} now={atMs} />);
    expect(screen.getByText("QUIET")).toBeTruthy();
    rerender(<Activity events={[{ id: 1, at: atMs - 9000, kind: "node", tone: "bad", text: "gone" }]} now={atMs} />);
    expect(screen.getByText("9 s ago")).toBeTruthy();
  });
});

describe("Miners", () => {
  const many = Array.from({ length: 15 }, (_, index) => makeMiner(`kaspa:miner${index}`, { hashrate: index }));
  const firstRow = () => within(screen.getAllByRole("row")[1] as HTMLElement).getByRole("rowheader").title;

  it("tells how to connect when nobody is", () => {
    render(<Miners miners={[]} currency={null} total={0} now={atMs} />);
    expect(screen.getByText("NO_MINERS")).toBeTruthy();
  });

  it("sorts by any column, both ways", async () => {
    render(<Miners miners={many} currency={null} total={0} now={atMs} />);
    expect(firstRow()).toBe("kaspa:miner14");
    await userEvent.click(screen.getByRole("button", { name: /hash rate/ }));
    expect(firstRow()).toBe("kaspa:miner0");
    await userEvent.click(screen.getByRole("button", { name: /account/ }));
    expect(screen.getByRole("columnheader", { name: /account/ }).getAttribute("aria-sort")).toBe("ascending");
  });

  it("says when only the fastest are listed", () => {
    render(<Miners miners={many} currency={null} total={1234} now={atMs} />);
    expect(screen.getByText("The 15 fastest of 1,234 are listed.")).toBeTruthy();
  });

  it("compares numbers as numbers, with ties by account", () => {
    const [a, b] = [
      makeMiner("a", { workers: 2, difficulty: null, last_share_at: null, connected_since: null }),
      makeMiner("b", { workers: 10, shares: { accepted: 90, rejected: 1 } }),
    ];
    for (const key of ["workers", "accepted", "difficulty", "last", "since"] as const) {
      expect(sortMiners([a, b], key, true).map((miner) => miner.account)).toEqual(["b", "a"]);
    }
    expect(sortMiners([b, a], "hashrate", true).map((miner) => miner.account)).toEqual(["a", "b"]);
  });

  it("shows a dozen, all on demand, and those that match", async () => {
    render(<Miners miners={many} currency={null} total={0} now={atMs} />);
    expect(screen.getAllByRole("row")).toHaveLength(13);
    await userEvent.click(screen.getByRole("button", { name: "SHOW ALL 15" }));
    expect(screen.getAllByRole("row")).toHaveLength(16);
    await userEvent.click(screen.getByRole("button", { name: "SHOW FEWER" }));
    await userEvent.type(screen.getByRole("searchbox"), "MINER14");
    expect(screen.getAllByRole("row")).toHaveLength(2);
    await userEvent.type(screen.getByRole("searchbox"), "zzz");
    expect(screen.getByText("NO_MATCH")).toBeTruthy();
  });

  it("tells rejected shares and unknown times", () => {
    const odd = makeMiner("x", { shares: { accepted: 3, rejected: 1 }, connected_since: null, last_share_at: null });
    render(<Miners miners={[odd]} currency={null} total={0} now={atMs} />);
    expect(screen.getByTitle("1 rejected").textContent).toContain("25.0%");
    expect(screen.getByText("never")).toBeTruthy();
  });
});

describe("MinerDetails", () => {
  const currency = { symbol: "X", decimals: 8 };
  const answer = {
    account: "alice",
    workers: [
      { name: "rig1", hashrate: 5000, difficulty: 16, last_share_at: null, shares: { accepted: 7, rejected: 1 } },
      { hashrate: 1 },
    ],
    balance: { pending: "100000000", confirmed: "5", paid: "0" },
  };

  it("shows workers and balance of the account that is opened", async () => {
    const fetcher = vi.spyOn(globalThis, "fetch").mockImplementation(async () => new Response(JSON.stringify(answer)));
    render(<Miners miners={[makeMiner("kaspa:alice")]} currency={currency} total={1} now={atMs} />);
    await userEvent.click(screen.getByRole("button", { expanded: false }));
    const workers = within(await screen.findByRole("list", { name: "Workers of kaspa:alice" }));
    expect(workers.getAllByRole("listitem").map((item) => item.querySelector("strong")?.textContent)).toEqual([
      "rig1",
      "unnamed",
    ]);
    expect(screen.getByText("0.00000005")).toBeTruthy();
    expect(fetcher.mock.calls[0]?.[0]).toBe("/api/miners/kaspa%3Aalice");
    await userEvent.click(screen.getByRole("button", { expanded: true }));
    expect(screen.queryByText("0.00000005")).toBeNull();
  });

  it("says when the pool does not answer, and does without a balance", async () => {
    const fetcher = vi.spyOn(globalThis, "fetch").mockResolvedValueOnce(new Response("", { status: 500 }));
    const { unmount } = render(<MinerDetails account="alice" currency={currency} now={atMs} />);
    expect(await screen.findByText("NO_ANSWER")).toBeTruthy();
    unmount();
    fetcher.mockResolvedValueOnce(new Response(JSON.stringify({ account: "alice" })));
    render(<MinerDetails account="alice" currency={currency} now={atMs} />);
    expect(await screen.findByRole("list", { name: "Workers of alice" })).toBeTruthy();
    expect(screen.queryByText(/pending/)).toBeNull();
  });
});

function Broken({ fault }: { fault: unknown }): never {
  throw fault;
}

describe("Boundary", () => {
  it("says that the page failed, and that the pool did not", () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    const { unmount } = render(
      <Boundary>
        <Broken fault={new Error("bad glyph")} />
      </Boundary>,
    );
    expect(screen.getByRole("alert").textContent).toContain("bad glyph");
    unmount();
    render(
      <Boundary>
        <Broken fault="odd" />
      </Boundary>,
    );
    expect(screen.getByText("odd")).toBeTruthy();
  });
});
