// @vitest-environment jsdom
import { act, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { zoneNote } from "../format/time";
import { Session } from "../state/session";
import { Store } from "../state/store";
import { makeMiner } from "../test-data";
import { linkOf, MinerList, pageSize, type Wanted, wantedOf } from "./list";
import MinersPage from "./MinersPage";

const fastest: Wanted = { sort: "hashrate", descending: true, search: "" };
const json = (body: unknown, status = 200) => Promise.resolve(new Response(JSON.stringify(body), { status }));
const row = (at: number) => makeMiner(`kaspa:q${String(at).padStart(4, "0")}`, { hashrate: 1e6 - at });

/** A pool of so many, which sorts nothing and finds by the number. */
function poolOf(count: number) {
  const asked: URLSearchParams[] = [];
  const state = { up: true, from: 0, gate: Promise.resolve() };
  const fetcher = async (path: string) => {
    const said = new URL(path, "http://pool").searchParams;
    asked.push(said);
    await state.gate;
    if (!state.up) return json({}, 503);
    const all = Array.from({ length: count }, (_, at) => row(at)).filter(({ account }) =>
      account.includes(said.get("search") ?? ""),
    );
    const first = Number(said.get("cursor")?.split(":")[0] ?? 0);
    const items = all.slice(first, first + pageSize).map((one) => ({ ...one, hashrate: one.hashrate + state.from }));
    const next = first + pageSize < all.length ? `${first + pageSize}:x` : null;
    return json({ items, next, total: all.length });
  };
  return { asked, state, fetcher };
}

describe("MinerList", () => {
  it("goes on page by page to the end, and no further", async () => {
    const { fetcher, asked } = poolOf(450);
    const list = new MinerList(fastest, fetcher);
    const pages: number[] = [];
    for (let turn = 0; turn < 4; turn += 1) {
      await list.more();
      pages.push(list.shown().rows.length);
    }
    expect(pages).toEqual([200, 400, 450, 450]);
    expect(list.shown()).toMatchObject({ total: 450, more: false, busy: false, failed: false });
    expect(asked).toHaveLength(3);
    expect(asked[1]?.toString()).toBe("active=true&sort=hashrate&order=desc&limit=200&cursor=200%3Ax");
  });

  it("asks once at a time, and leaves out what comes too late", async () => {
    let answer: ((response: Response) => void) | undefined;
    const slow = new MinerList(fastest, () => new Promise((done) => (answer = done)));
    const first = slow.more();
    void slow.more();
    const late = answer;
    const second = slow.want({ ...fastest, search: "b" });
    answer?.(new Response(JSON.stringify({ items: [makeMiner("b")], next: null, total: 1 })));
    late?.(new Response(JSON.stringify({ items: [makeMiner("a")], next: null, total: 1 })));
    await Promise.all([first, second]);
    expect(slow.shown().rows.map(({ account }) => account)).toEqual(["b"]);
  });

  it("renews what is in sight, shows no account twice, and keeps all while the pool is away", async () => {
    const { fetcher, state, asked } = poolOf(600);
    const list = new MinerList(fastest, fetcher);
    await list.again(0, 10);
    await list.more();
    await list.more();
    state.from = 7;
    await list.again(210, 230);
    expect(list.shown().rows[0]?.hashrate).toBe(1e6);
    expect(list.shown().rows[205]?.hashrate).toBe(1e6 - 205 + 7);
    expect(asked).toHaveLength(4);
    await list.again(195, 205);
    expect(asked).toHaveLength(6);
    expect(new Set(list.shown().rows.map(({ account }) => account)).size).toBe(600);
    state.up = false;
    await list.again(0, 5);
    expect(list.shown()).toMatchObject({ failed: true, total: 600 });
    expect(list.shown().rows).toHaveLength(600);
    state.up = true;
    await list.again(0, 5);
    expect(list.shown().failed).toBe(false);
    const twice = new MinerList(fastest, (path) =>
      json({
        items: [makeMiner("a"), makeMiner(path.includes("cursor") ? "c" : "b")],
        next: path.includes("cursor") ? null : "1:a",
      }),
    );
    await twice.more();
    await twice.more();
    expect(twice.shown().rows.map(({ account }) => account)).toEqual(["a", "b", "c"]);
  });

  it("is told by a link", () => {
    expect(wantedOf("")).toEqual(fastest);
    expect(wantedOf("?sort=account&search=q")).toEqual({ sort: "account", descending: false, search: "q" });
    expect(wantedOf("?sort=money&order=asc")).toEqual({ sort: "hashrate", descending: false, search: "" });
    expect(linkOf(fastest)).toBe("/miners");
    expect(linkOf({ sort: "workers", descending: false, search: "a b" })).toBe(
      "/miners?sort=workers&order=asc&search=a+b",
    );
  });
});

describe("MINERS", () => {
  beforeEach(() => {
    vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(600);
    vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(1000);
    window.history.replaceState(null, "", "/miners");
  });
  afterEach(() => void vi.useRealTimers());

  function open(count: number, wanted = fastest) {
    const pool = poolOf(count);
    const session = new Session({ url: "ws://pool/api/live", open: () => ({}) as never, store: new Store((f) => f()) });
    const list = new MinerList(wanted, pool.fetcher);
    const { container } = render(<MinersPage session={session} nav={null} list={list} />);
    // By role it takes a second, where many are drawn.
    const rows = () => [...container.querySelectorAll("[role=rowheader]")];
    return { ...pool, list, rows };
  }

  it("draws what is in sight of thousands", async () => {
    const { rows } = open(900);
    expect(screen.getByText("Loading miners").classList).not.toContain("visually-hidden");
    expect(screen.getByRole("contentinfo").textContent).toContain(zoneNote());
    await screen.findByText("900 accounts");
    await waitFor(() => expect(rows().length).toBeGreaterThan(10));
    expect(rows().length).toBeLessThan(60);
    expect(screen.getByLabelText("Accounts that mine now").getAttribute("aria-rowcount")).toBe("901");
    expect(rows()[0]?.parentElement?.getAttribute("aria-rowindex")).toBe("2");
    expect(rows()[0]?.querySelector("a")?.getAttribute("href")).toBe("/miners/kaspa%3Aq0000");
    expect(document.title).toContain("Miners");
  });

  it("sorts by every column, both ways, and says so in the address", async () => {
    const { asked, rows } = open(3);
    await screen.findByText("3 accounts");
    await waitFor(() => expect(rows()).toHaveLength(3));
    fireEvent.click(screen.getByRole("button", { name: "difficulty" }));
    await waitFor(() => expect(asked.at(-1)?.get("sort")).toBe("difficulty"));
    expect(asked.at(-1)?.get("order")).toBe("desc");
    await waitFor(() => expect(rows()).toHaveLength(3));
    fireEvent.click(screen.getByRole("button", { name: "difficulty" }));
    await waitFor(() => expect(asked.at(-1)?.get("order")).toBe("asc"));
    expect(window.location.search).toBe("?sort=difficulty&order=asc");
    fireEvent.click(screen.getByRole("button", { name: "account" }));
    await waitFor(() => expect(asked.at(-1)?.get("order")).toBe("asc"));
    expect(screen.getAllByRole("columnheader")[0]?.getAttribute("aria-sort")).toBe("ascending");
  });

  it("searches while one types, and knows a way for whom it does not find", async () => {
    const { asked } = open(40);
    await screen.findByText("40 accounts");
    const box = screen.getByRole("searchbox");
    fireEvent.change(box, { target: { value: "q003" } });
    await screen.findByText("10 found");
    expect(asked.filter((said) => said.has("search"))).toHaveLength(1);
    fireEvent.change(box, { target: { value: "kaspa:zz99" } });
    await screen.findByText("NO_MATCH");
    expect(screen.getByRole("link", { name: /open kaspa:zz99/ }).getAttribute("href")).toBe("/miners/kaspa%3Azz99");
    fireEvent.change(box, { target: { value: "zz" } });
    await waitFor(() => expect(screen.queryByRole("link", { name: /open/ })).toBeNull());
  });

  it("has no empty frame while it asks again after it found nobody", async () => {
    const { state, list } = open(40);
    await screen.findByText("40 accounts");
    await act(() => list.want({ ...fastest, search: "zz" }));
    await screen.findByText("NO_MATCH");
    let answer = () => {};
    state.gate = new Promise((done) => (answer = done));
    let asking = Promise.resolve();
    act(() => {
      asking = list.want(fastest);
    });
    // Whether nobody mines is not known yet.
    expect(screen.getByText("Loading miners")).toBeTruthy();
    expect(screen.queryByText("NO_MINERS")).toBeNull();
    answer();
    await act(() => asking);
    expect(screen.queryByText("Loading miners")).toBeNull();
    await act(() => list.want({ ...fastest, search: "zz" }));
    state.up = false;
    await act(() => list.want({ ...fastest, search: "zzz" }));
    expect(screen.getByText("NO_ANSWER")).toBeTruthy();
    expect(screen.queryByText("NO_MATCH")).toBeNull();
  });

  it("says when nobody mines", async () => {
    open(0);
    await screen.findByText("NO_MINERS");
  });

  it("says when the pool does not answer, keeps what it knows, and asks again", async () => {
    const { state, list, rows } = open(3);
    state.up = false;
    await act(() => list.want(fastest));
    expect(screen.getByText(/does not answer/)).toBeTruthy();
    state.up = true;
    fireEvent.click(screen.getByRole("button", { name: "ASK AGAIN" }));
    await screen.findByText("3 accounts");
    state.up = false;
    await act(() => list.again(0, 2));
    expect(screen.getByText(/older figures/)).toBeTruthy();
    await waitFor(() => expect(rows()).toHaveLength(3));
    state.up = true;
    fireEvent.click(screen.getByRole("button", { name: "ASK AGAIN" }));
    await waitFor(() => expect(screen.queryByText(/older figures/)).toBeNull());
  });

  it("renews its figures every few seconds", async () => {
    vi.useFakeTimers();
    const { asked } = open(3);
    await act(() => vi.advanceTimersByTimeAsync(100));
    const before = asked.length;
    await act(() => vi.advanceTimersByTimeAsync(5_000));
    expect(asked.length).toBe(before + 1);
  });
});
