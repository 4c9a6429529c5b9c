// @vitest-environment jsdom
import { act, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { decode } from "../feed/decode";
import { rootOf } from "../miner/proof";
import { Session } from "../state/session";
import { Store } from "../state/store";
import { frame, makeBlock, makeSnapshot, makeStats } from "../test-data";
import BlockPage, { shareOf } from "./BlockPage";
import BlocksPage, { filterOf, merged } from "./BlocksPage";

const hash = "ab".repeat(32);
const root = rootOf("alice", 1500n, { index: 0, count: 1, branch: [] }) ?? "";
const none = { status: "", color: "", account: "" };

type Reply = { status?: number; body?: unknown } | (() => { status?: number; body?: unknown });

/** Answers by the beginning of a path, the longest first. */
function serve(replies: Record<string, Reply>) {
  const asked: string[] = [];
  vi.stubGlobal("fetch", (path: string) => {
    asked.push(path);
    const key = Object.keys(replies)
      .sort((a, b) => b.length - a.length)
      .find((known) => path.startsWith(known));
    const reply = key === undefined ? { status: 404 } : replies[key];
    const { status = 200, body = {} } = typeof reply === "function" ? reply() : (reply ?? {});
    return Promise.resolve(new Response(JSON.stringify(body), { status }));
  });
  return asked;
}

function makeSession() {
  const store = new Store((flush) => flush());
  let seq = 0;
  const say = (type: string, data: unknown) => {
    seq += 1;
    act(() => store.dispatch({ type: "frame", decoded: decode(frame(type, seq, data)), now: Date.now() }));
  };
  return { say, session: new Session({ url: "ws://pool/api/live", open: () => ({}) as never, store }) };
}

const old = (name: string, change: object = {}) =>
  makeBlock(name, { found_at: "2026-11-22T11:00:00Z", status: "paid", ...change });

describe("BLOCKS", () => {
  beforeEach(() => window.history.replaceState(null, "", "/blocks"));

  function open() {
    const { say, session } = makeSession();
    render(<BlocksPage session={session} nav={null} />);
    return say;
  }
  const rows = () => screen.getAllByRole("row").slice(1);

  it("lists page by page, with what the feed knows better", async () => {
    const asked = serve({
      "/api/blocks?limit=50": {
        body: { items: [old("aa11"), old("aa10", { color: "red", status: "void" })], next: "9" },
      },
      "/api/blocks?limit=50&cursor=9": { body: { items: [old("aa09")], next: null } },
    });
    const say = open();
    expect(screen.getByText("Loading blocks")).toBeTruthy();
    await screen.findByTitle("aa11");
    expect(rows()).toHaveLength(2);
    fireEvent.click(screen.getByRole("button", { name: "OLDER" }));
    await screen.findByTitle("aa09");
    expect(screen.queryByRole("button", { name: "OLDER" })).toBeNull();
    say("snapshot", makeSnapshot({ blocks: [makeBlock("ff01"), old("aa11", { status: "matured" })] }));
    expect(rows().map((row) => row.textContent)).toEqual([
      expect.stringContaining("ff01"),
      expect.stringContaining("matured"),
      expect.stringContaining("void"),
      expect.stringContaining("aa09"),
    ]);
    expect(screen.getByText(/100 found · 70 paid · 8 lost/)).toBeTruthy();
    expect(asked).toHaveLength(2);
    expect(screen.getByRole("link", { name: /aa09/ }).getAttribute("href")).toBe("/blocks/aa09");
  });

  it("filters, and says so in the address", async () => {
    const asked = serve({ "/api/blocks": { body: { items: [], next: null } } });
    open();
    await screen.findByText("NO_BLOCKS_YET");
    fireEvent.change(screen.getByLabelText("status"), { target: { value: "void" } });
    await screen.findByText("NO_MATCH");
    fireEvent.change(screen.getByLabelText("colour"), { target: { value: "unknown" } });
    fireEvent.change(screen.getByRole("searchbox"), { target: { value: " kaspa:qq " } });
    await waitFor(() => expect(asked.at(-1)).toBe("/api/blocks?status=void&color=unknown&account=kaspa%3Aqq&limit=50"));
    expect(window.location.search).toBe("?status=void&color=unknown&account=kaspa%3Aqq");
    fireEvent.click(screen.getByRole("button", { name: "CLEAR" }));
    await waitFor(() => expect(asked.at(-1)).toBe("/api/blocks?limit=50"));
    expect(filterOf("?status=odd&color=red&account=a")).toEqual({ status: "", color: "red", account: "a" });
  });

  it("puts in front only what fits and is new", () => {
    const live = new Map([
      ["n1", makeBlock("n1")],
      ["n2", makeBlock("n2", { ours: false })],
      ["n3", makeBlock("n3", { color: "red", account: "bob" })],
      ["o1", old("o1", { found_at: "2026-11-21T11:00:00Z" })],
    ]);
    const names = (filter: object) => merged([old("k1")], live, { ...none, ...filter }).map((block) => block.hash);
    expect(names({})).toEqual(["n3", "n1", "k1"]);
    expect(names({ color: "red" })).toEqual(["n3", "k1"]);
    expect(names({ status: "void" })).toEqual(["k1"]);
    expect(names({ account: "bob" })).toEqual(["n3", "k1"]);
    expect(merged([], null, none)).toEqual([]);
  });

  it("says what is wrong: no answer, no address, the database away and back", async () => {
    let status = 503;
    let body: object = {};
    serve({ "/api/blocks": () => ({ status, body }) });
    const say = open();
    await screen.findByText("NO_ANSWER");
    say("stats", { stats: makeStats({ stale: true }) });
    expect(screen.getByText("DATABASE_AWAY")).toBeTruthy();
    status = 200;
    body = { items: [old("aa11")], next: "7", stale: true, stale_at: "2026-11-22T11:30:00Z" };
    fireEvent.click(screen.getByRole("button", { name: "ASK AGAIN" }));
    await screen.findByText(/this is the list of/);
    status = 503;
    fireEvent.click(screen.getByRole("button", { name: "OLDER" }));
    await screen.findByText("The pool did not tell older blocks.");
    status = 200;
    body = { items: [old("aa11")], next: null };
    say("stats", { stats: makeStats() });
    await waitFor(() => expect(screen.queryByText(/this is the list of/)).toBeNull());
    status = 400;
    fireEvent.change(screen.getByRole("searchbox"), { target: { value: "a.b" } });
    await screen.findByText("NO_ADDRESS");
  });
});

const details = (change: object = {}) => ({
  ...makeBlock(hash, { parents: ["cd".repeat(32)] }),
  network_work: "187000000000",
  merging_block: "ef".repeat(32),
  reason: null,
  steps: [
    { at: "2026-11-22T12:00:00Z", status: "candidate", color: "unknown", reason: null },
    { at: "2026-11-22T12:00:01Z", status: "accepted", color: "blue", reason: null },
    { at: "2026-11-22T12:00:02Z", status: "accepted", color: "red", reason: null },
    { at: "2026-11-22T12:00:03Z", status: "void", color: "red", reason: "red when it matured" },
  ],
  ...change,
});

const makeStatement = (items: object[], next: string | null) => ({
  block: hash,
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
  total_work: "1500",
  reward: null,
  red_merge_income: null,
  fee: { reward: null, red_merge_income: null },
  root,
  accounts: 2,
  items,
  next,
});
const lineOf = (index: number, account: string) => ({ index, account, work: "1500", amount: null });
const proofOf = (work: string) => ({
  format: "dagpool-proof-1",
  block: hash,
  root,
  account: "alice",
  work,
  proof: { index: 0, count: 1, branch: [] },
  total_work: "1500",
  fee_basis_points: 100,
  reward: null,
  red_merge_income: null,
});

describe("BLOCK", () => {
  function open(replies: Record<string, Reply>) {
    const asked = serve(replies);
    const { say, session } = makeSession();
    render(<BlockPage hash={hash} session={session} nav={null} />);
    return { say, asked };
  }
  const [own, paid] = [`/api/blocks/${hash}`, `/api/blocks/${hash}/statement`];

  it("tells its life, what it paid, and checks a line in the browser", async () => {
    let work = "1500";
    const { say, asked } = open({
      [own]: { body: details() },
      [paid]: { body: makeStatement([lineOf(0, "alice")], "1") },
      [`${paid}?limit=25&cursor=1`]: { body: makeStatement([lineOf(1, "bob")], null) },
      [`/api/blocks/${hash}/proof`]: () => ({ body: proofOf(work) }),
    });
    await screen.findByText("ITS_LIFE");
    expect(screen.getByText("turned red")).toBeTruthy();
    expect(screen.getByText("it was blue")).toBeTruthy();
    expect(screen.getByText("red when it matured")).toBeTruthy();
    expect(screen.getByText("187.0 GH")).toBeTruthy();
    await screen.findByRole("button", { name: "Verify the line of alice" });
    fireEvent.click(screen.getByRole("button", { name: /MORE \(1 left\)/ }));
    await screen.findByRole("button", { name: "Verify the line of bob" });
    expect(screen.queryByRole("button", { name: /MORE/ })).toBeNull();
    fireEvent.click(screen.getByRole("button", { name: "Verify the line of alice" }));
    await screen.findByText("✓ checked");
    work = "1501";
    fireEvent.click(screen.getByRole("button", { name: "Verify the line of bob" }));
    await screen.findByText(/^✕/);
    const before = asked.filter((path) => path === own).length;
    say("block", { ...makeBlock(hash, { color: "red", status: "void" }) });
    await waitFor(() => expect(asked.filter((path) => path === own).length).toBe(before + 1));
    expect(screen.getByText("red", { selector: "dd" })).toBeTruthy();
  });

  it("says when a proof can't be had, or more of the statement", async () => {
    let status = 200;
    open({
      [own]: { body: details({ steps: [], reason: "refused", merging_block: null, account: null, parents: [] }) },
      [paid]: () => ({ status, body: makeStatement([lineOf(0, "alice")], "1") }),
      [`/api/blocks/${hash}/proof`]: { status: 503 },
    });
    await screen.findByText("NO_STEPS");
    fireEvent.click(await screen.findByRole("button", { name: "Verify the line of alice" }));
    await screen.findByText(/did not tell the proof/);
    status = 503;
    fireEvent.click(screen.getByRole("button", { name: /MORE/ }));
    await screen.findByText("The pool did not tell more of it.");
  });

  it("knows blocks of others from the DAG, and says of which it knows nothing", async () => {
    const { say } = open({});
    await screen.findByText("NOT_OURS");
    say("block", makeBlock(hash, { ours: false, status: null, account: null }));
    expect(screen.getByText(/No miner of this pool found it/)).toBeTruthy();
  });

  it("says what the pool says of a name that no block can have", async () => {
    const message = "the request is invalid: hash: 2 characters, a hash has 64 hexadecimal digits";
    const asked = serve({ "/api/blocks/zz%2F": { status: 400, body: { error: { message } } } });
    render(<BlockPage hash="zz/" session={makeSession().session} nav={null} />);
    await screen.findByText("NOT_A_HASH");
    expect(screen.getByText(/a hash has 64 hexadecimal digits/)).toBeTruthy();
    expect(screen.queryByText("NO_ANSWER")).toBeNull();
    expect(screen.queryByRole("button", { name: "ASK AGAIN" })).toBeNull();
    expect(asked).toEqual(["/api/blocks/zz%2F"]);
  });

  it("asks again when the pool does not answer", async () => {
    let status = 503;
    const { say } = open({ [own]: () => ({ status, body: details() }), [paid]: () => ({ status: 404 }) });
    await screen.findByText("NO_ANSWER");
    say("stats", { stats: makeStats({ stale: true }) });
    await screen.findByText("DATABASE_AWAY");
    status = 200;
    fireEvent.click(screen.getByRole("button", { name: "ASK AGAIN" }));
    await screen.findByText("ITS_LIFE");
    await screen.findByText("NO_STATEMENT");
  });

  it("asks for the statement again when that alone failed", async () => {
    let status = 503;
    open({ [own]: { body: details() }, [paid]: () => ({ status, body: makeStatement([], null) }) });
    await screen.findByText(/did not tell the statement/);
    status = 200;
    fireEvent.click(screen.getByRole("button", { name: "ASK AGAIN" }));
    await screen.findByText("PPLNS × 2");
    expect(shareOf("1", "0")).toBe("0.00%");
  });
});
