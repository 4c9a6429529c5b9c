import { describe, expect, it } from "vitest";
import { makeStats } from "../test-data";
import { alertsOf, degradedAlerts } from "./alerts";
import { initialState, type PoolState } from "./model";

const now = 1_000_000;
const currency = { symbol: "SDAG", decimals: 8 };
const healthy: PoolState = { ...initialState, currency, link: { phase: "live" }, stats: makeStats() };
const node = {
  name: "node-1",
  ready: false,
  reason: "syncing",
  endpoint_count: 1,
  last_template_at: null,
  latency_ms: 1,
};

describe("alertsOf", () => {
  it("is silent when all is well", () => {
    expect(alertsOf(healthy, now)).toEqual([]);
    expect(alertsOf(initialState, now)).toEqual([]);
  });

  it("says why work is paused, whoever knows the reason", () => {
    expect(alertsOf({ ...healthy, node }, now)[0]).toMatchObject({
      title: "WORK_PAUSED",
      text: expect.stringContaining("node-1"),
    });
    const stats = makeStats({ network: { ready: false, reason: "no peers" } });
    expect(alertsOf({ ...healthy, stats }, now)[0]?.text).toContain("no peers");
    expect(alertsOf({ ...healthy, node: { ...node, name: null, reason: null } }, now)[0]?.text).toContain(
      "no reason given",
    );
  });

  it("tells a silent feed from a closed one, and what still works", () => {
    expect(alertsOf({ ...healthy, link: { phase: "silent", since: now - 7000 } }, now)[0]?.text).toContain("7\u00a0s");
    const waiting: PoolState = { ...healthy, link: { phase: "waiting", attempt: 2, retryAt: now + 2500 } };
    expect(alertsOf({ ...waiting, restOk: true }, now)[0]).toMatchObject({ severity: "warning", retry: true });
    const dead = alertsOf({ ...waiting, restOk: false }, now)[0];
    expect(dead).toMatchObject({ severity: "critical", retry: true });
    expect(dead?.text).toContain("in 3 s");
    expect(alertsOf({ ...waiting, link: { phase: "waiting", attempt: 2, retryAt: now - 5 } }, now)[0]?.text).toContain(
      "again now",
    );
  });

  it("puts an imbalance of the ledger above all else", () => {
    const stats = makeStats({ ledger: { imbalance: "-1" } });
    const found = alertsOf({ ...healthy, stats, node, problems: { count: 1, last: "x: odd", at: now } }, now);
    expect(found.map((alert) => alert.id)).toEqual(["imbalance", "node", "problems"]);
    expect(found[0]?.text).toContain("−0.00000001");
  });

  it("says what the audits of the database found", () => {
    const findings = [{ check: "balances_match_entries", rows: 2 }];
    const stats = makeStats({ ledger: { findings } });
    const [alert] = alertsOf({ ...healthy, stats, node }, now);
    expect(alert).toMatchObject({ id: "audit", severity: "critical", title: "LEDGER_AUDIT" });
    expect(alert?.text).toContain("balances match entries (2 rows)");
    expect(alert?.command).toContain("dagpool ledger audit");
  });

  it("says in plain words what the pool goes on without, since when, and of when the figures are", () => {
    const poolNow = now + 5_000;
    const ago = (ms: number) => new Date(poolNow - ms).toISOString();
    const away = (change: object) => ({
      component: "store",
      code: "STORE_UNAVAILABLE",
      message: "gone",
      since: ago(125_000),
      figures_at: ago(126_000),
      waiting_shares: 1234,
      ...change,
    });
    const cache = away({ component: "cache", code: "CACHE_UNAVAILABLE", since: ago(3_000), waiting_shares: null });
    const journal = away({ component: "journal", code: "JOURNAL_TROUBLE", message: "80% full" });
    const other = away({ component: "moon", code: "MOON_AWAY", message: "it set" });
    const stats = makeStats({ stale: true, degraded: [away({}), cache, journal, other] });
    const state: PoolState = { ...healthy, skewMs: 5_000, stats, node };
    const alerts = alertsOf(state, now);
    expect(alerts.map(({ id }) => id)).toEqual(["node", "store", "cache", "journal", "moon"]);
    expect(alerts[1]).toMatchObject({
      severity: "critical",
      title: "DATABASE_AWAY",
      command: "dagpool check --config pool.toml",
      link: "/docs/errors/STORE_UNAVAILABLE",
    });
    expect(alerts[1]?.text).toContain("for 2\u00a0m\u00a05\u00a0s");
    expect(alerts[1]?.text).toContain("1,234 shares wait to be credited");
    expect(alerts[1]?.text).toMatch(/those of \d\d:\d\d:\d\d/);
    expect(alerts[2]).toMatchObject({ severity: "warning", title: "CACHE_AWAY" });
    expect(alerts[2]?.text).toContain("for 3\u00a0s");
    expect(alerts[3]).toMatchObject({ severity: "critical", text: "80% full" });
    expect(alerts[4]).toMatchObject({ severity: "warning", title: "MOON_AWAY", text: "it set" });
    const bare = away({ since: null, figures_at: null, waiting_shares: 1 });
    const text = (absence: object) =>
      degradedAlerts({ ...state, stats: makeStats({ degraded: [{ ...bare, ...absence }] }) }, now)[0]?.text;
    expect(text({})).toContain("1 share waits to be credited");
    expect(text({})).toContain("not known yet");
    expect(text({ waiting_shares: null })).toContain("none is lost");
    expect(degradedAlerts(initialState, now)).toEqual([]);
  });

  it("counts what it could not read", () => {
    const problems = { count: 2, last: "x: odd", at: now };
    expect(alertsOf({ ...healthy, problems }, now)[0]?.text).toContain("2 parts");
    expect(alertsOf({ ...healthy, problems }, now + 61_000)).toEqual([]);
  });
});
