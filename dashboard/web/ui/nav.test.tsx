// @vitest-environment jsdom
import { act, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Alert } from "../alerts/schema";
import { noAnswer, refusal } from "../algorithms/failure";
import { makeError } from "../algorithms/fixtures";
import type { Outcome } from "../feed/client";
import { pageOf, pages } from "../pages";
import { Firing } from "../state/firing";
import { Nav } from "./Nav";
import { mayOpen, type Needs, type Viewer } from "./roles";
import { navigate } from "./router";

type Answer = Outcome<{ firing: Alert[]; items: Alert[]; silences: []; next: null }>;
const alert = (id: string, severity: Alert["severity"]) => ({ id, severity }) as Alert;
const say = (...firing: Alert[]): Answer => ({ ok: true, value: { firing, items: [], silences: [], next: null } });

const as = (role: string): Viewer => ({ me: { username: "ann", role }, token: true });
const stranger: Viewer = { me: null, token: false };
const holder: Viewer = { me: null, token: true };

const titles = () => screen.getAllByRole("link").map((link) => link.textContent);
const quiet = () => new Firing({ firing: async () => say() });

beforeEach(() => window.history.pushState(null, "", "/"));

describe("the table of pages", () => {
  it("finds a page by its path, with the name in it", () => {
    expect(pageOf("/algorithms/bench").page.link?.title).toBe("BENCH");
    expect(pageOf("/miners/a%2Fb")).toMatchObject({ page: { path: "/miners/{name}" }, name: "a/b" });
    expect(pageOf("/miners/%").name).toBe("%");
  });

  it("has no page for an address that nobody knows", () => {
    for (const path of ["/no/such/page", "/miners/a/b", "/Alerts", "/blocks/", "/{name}"])
      expect(pages).not.toContain(pageOf(path).page);
  });

  it("has each path once, and each is found by itself", () => {
    expect(new Set(pages.map(({ path }) => path)).size).toBe(pages.length);
    for (const page of pages) expect(pageOf(page.path.replace("{name}", "x")).page).toBe(page);
  });

  it("offers what a role may open, and no more", () => {
    const table: [Needs, ...boolean[]][] = [
      // stranger, token, miner, viewer, operator, admin
      ["anybody", true, true, true, true, true, true],
      ["stranger", true, true, false, false, false, false],
      ["known", false, false, true, true, true, true],
      ["viewer", false, true, false, true, true, true],
      ["operator", false, true, false, false, true, true],
      ["admin", false, false, false, false, false, true],
    ];
    const viewers = [stranger, holder, as("miner"), as("viewer"), as("operator"), as("admin")];
    for (const [needs, ...may] of table)
      expect([needs, ...viewers.map((one) => mayOpen(needs, one))]).toEqual([needs, ...may]);
  });
});

describe("Nav", () => {
  it("shows strangers what is public, and where to sign in", () => {
    render(<Nav algorithms={true} viewer={stranger} firing={quiet()} />);
    expect(titles()).toEqual(expect.arrayContaining(["OVERVIEW", "ALGORITHMS", "BENCH", "SIGN_IN"]));
    for (const hidden of ["PAYOUTS", "ALERTS", "USERS", "AUDIT"]) expect(titles()).not.toContain(hidden);
    expect(screen.queryByText("MONEY")).toBeNull();
    expect(screen.getByRole("link", { name: "OVERVIEW" }).getAttribute("aria-current")).toBe("page");
    expect(screen.getByRole("link", { name: "SIGN_IN" }).getAttribute("aria-current")).toBeNull();
  });

  it("does not offer what the pool does not serve", () => {
    render(<Nav algorithms={false} viewer={as("admin")} firing={quiet()} />);
    expect(titles()).not.toContain("ALGORITHMS");
    expect(titles()).toEqual(expect.arrayContaining(["PAYOUTS", "ALERTS", "USERS", "AUDIT", "ann"]));
    expect(titles()).not.toContain("SIGN_IN");
  });

  it("counts what fires, in a colour and in words", async () => {
    const firing = new Firing({ firing: async () => say(alert("1", "warning"), alert("2", "critical")) });
    render(<Nav algorithms={true} viewer={as("viewer")} firing={firing} />);
    act(() => firing.start());
    const link = await screen.findByRole("link", { name: /^ALERTS ?2 firing$/ });
    expect(link.querySelector(".nav-count-bad")).not.toBeNull();
    act(() => firing.stop());
    expect(screen.getByRole("link", { name: "ALERTS" })).toBeTruthy();
  });

  it("is a menu that a choice, the button and Escape close", () => {
    window.history.pushState(null, "", "/algorithms");
    render(<Nav algorithms={true} viewer={as("viewer")} firing={quiet()} />);
    const button = screen.getByRole("button", { name: /MENU/ });
    expect(button.textContent).toContain("ALGORITHMS");
    const open = () => button.getAttribute("aria-expanded");
    fireEvent.keyDown(button, { key: "Escape" });
    fireEvent.click(button);
    expect(open()).toBe("true");
    fireEvent.keyDown(screen.getByRole("link", { name: "PAYOUTS" }), { key: "Escape" });
    expect(open()).toBe("false");
    expect(document.activeElement).toBe(button);
    fireEvent.click(button);
    act(() => navigate("/payouts"));
    expect(open()).toBe("false");
    fireEvent.click(button);
    fireEvent.click(button);
    expect(open()).toBe("false");
  });
});

describe("Firing", () => {
  it("keeps what it knows while the pool is silent, and forgets it when it may not see it any more", async () => {
    vi.useFakeTimers();
    const locked: Answer = { ok: false, failure: refusal(401, makeError("UNAUTHORIZED"), "/api/alerts") };
    const answers: Answer[] = [say(alert("1", "warning")), { ok: false, failure: noAnswer() }, locked];
    const firing = new Firing({ firing: async () => answers.shift() ?? say() });
    const seen: (number | null)[] = [];
    firing.subscribe(() => seen.push(firing.shown()?.length ?? null));
    firing.start();
    await vi.advanceTimersByTimeAsync(9_999);
    expect(seen).toEqual([1]);
    await vi.advanceTimersByTimeAsync(1);
    expect(firing.shown()).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(firing.shown()).toBeNull();
    firing.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(answers).toHaveLength(0);
    vi.useRealTimers();
  });

  it("takes no answer that comes after its end", async () => {
    let answer: (value: Answer) => void = () => {};
    const firing = new Firing({
      firing: () =>
        new Promise((done) => {
          answer = done;
        }),
    });
    firing.start();
    firing.stop();
    answer(say(alert("1", "warning")));
    await waitFor(() => expect(firing.shown()).toBeNull());
  });
});
