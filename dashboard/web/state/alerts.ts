import type { Absence } from "../feed/schema";
import { money, unitOf } from "../format/money";
import { plural, shorten } from "../format/number";
import { localTimeOfDay, parseTime, span } from "../format/time";
import { type PoolState, readiness } from "./model";

export interface Alert {
  id: string;
  severity: "critical" | "warning" | "info";
  title: string;
  text: string;
  /** Offers to reconnect at once. */
  retry?: boolean;
  /** What to type in a shell. */
  command?: string;
  /** Where it is explained. */
  link?: string;
}

const ledgerAudit = "dagpool ledger audit --config pool.toml";
/** Figures older than this are marked as stale. */
export const staleMs = 6_000;
/** How long a part of the feed that did not fit is worth a notice. */
const problemNewsMs = 60_000;

/** What an operator must know before looking at any figure, worst first. `now` is the viewer's clock. */
export function alertsOf(state: PoolState, now: number): Alert[] {
  return [
    ...imbalance(state),
    ...audits(state),
    ...offline(state, now),
    ...notReady(state),
    ...degradedAlerts(state, now),
    ...unreadable(state, now),
  ];
}

/** What the pool goes on without, in plain words: for every page. */
export function degradedAlerts(state: PoolState, now: number): Alert[] {
  return (state.stats?.degraded ?? []).map((absence) => {
    const link = `/docs/errors/${absence.code}`;
    const command = "dagpool check --config pool.toml";
    switch (absence.component) {
      case "store":
        return { id: "store", severity: "critical", ...databaseAway(absence, now + state.skewMs), command, link };
      case "cache": {
        const text = `No answer from the cache (Redis)${lasting(absence, now + state.skewMs)}. Miners notice nothing, and no money is touched. Bans, request limits and events are not shared with other pools until it is back; the pool reconnects by itself.`;
        return { id: "cache", severity: "warning", title: "CACHE_AWAY", text, command, link };
      }
      case "journal":
        return { id: "journal", severity: "critical", title: "JOURNAL_IN_TROUBLE", text: absence.message };
      default:
        return { id: absence.component, severity: "warning", title: absence.code, text: absence.message };
    }
  });
}

function lasting({ since }: Absence, poolNow: number): string {
  const at = parseTime(since);
  return at === null ? "" : ` for ${span(poolNow - at)}`;
}

function databaseAway(absence: Absence, poolNow: number): Pick<Alert, "title" | "text"> {
  const figures = parseTime(absence.figures_at);
  const of = figures === null ? "not known yet" : `those of ${localTimeOfDay(figures)}`;
  const waiting = absence.waiting_shares ?? 0;
  const safe =
    waiting > 0 ? `${plural(waiting, "share")} wait${waiting === 1 ? "s" : ""} to be credited` : "none is lost";
  const text = `No answer from the database${lasting(absence, poolNow)}. Miners notice nothing: shares are accepted and kept in the journal (${safe}), blocks are submitted. Balances and blocks are ${of} and stand still, and nothing is paid out. The pool catches up by itself when the database is back.`;
  return { title: "DATABASE_AWAY", text };
}

function imbalance(state: PoolState): Alert[] {
  const off = state.stats?.ledger.imbalance ?? "0";
  if (BigInt(off) === 0n) return [];
  return [
    {
      id: "imbalance",
      severity: "critical",
      title: "LEDGER_IMBALANCE",
      text: `The ledger is off by ${money(off, state.currency)} ${unitOf(state.currency)}: hold the payouts, and let the audit say where.`,
      command: ledgerAudit,
    },
  ];
}

function audits(state: PoolState): Alert[] {
  const found = state.stats?.ledger.findings ?? [];
  if (found.length === 0) return [];
  const names = found.map(({ check, rows }) => `${check.replaceAll("_", " ")} (${plural(rows, "row")})`).join(", ");
  const text = `The database's audits do not hold: ${names}. Hold the payouts, and let the audit say which.`;
  return [{ id: "audit", severity: "critical", title: "LEDGER_AUDIT", text, command: ledgerAudit }];
}

function offline(state: PoolState, now: number): Alert[] {
  const { link } = state;
  if (link.phase === "silent") {
    const text = `Connected, but nothing came for ${span(now - link.since)}. Figures below may be old.`;
    return [{ id: "feed", severity: "warning", title: "FEED_SILENT", text }];
  }
  if (link.phase !== "waiting") return [];
  const seconds = Math.max(0, Math.ceil((link.retryAt - now) / 1000));
  const next = seconds === 0 ? "Trying again now." : `Trying again in ${seconds} s.`;
  const polled = state.restOk === true;
  if (polled) {
    const text = `Live updates are away; main figures come every 5 s instead. ${next}`;
    return [{ id: "feed", severity: "warning", title: "FEED_OFFLINE", text, retry: true }];
  }
  const text = `The pool does not answer this page. Mining may well go on: it does not depend on the dashboard. ${next}`;
  return [{ id: "feed", severity: "critical", title: "FEED_OFFLINE", text, retry: true }];
}

function notReady(state: PoolState): Alert[] {
  if (readiness(state) !== false) return [];
  const node = state.node === "none" ? null : state.node;
  const reason = node?.reason ?? state.stats?.network.reason ?? "no reason given";
  const name = node?.name ? ` ${shorten(node.name, 24, 8)}` : "";
  const text = `Node${name} is not ready to take blocks: ${reason}. Miners stay connected; work goes on by itself when the node is ready.`;
  return [{ id: "node", severity: "critical", title: "WORK_PAUSED", text }];
}

function unreadable(state: PoolState, now: number): Alert[] {
  const { count, last, at } = state.problems;
  // One bad message long ago is no news; a pool that keeps sending them is.
  if (count === 0 || now - at > problemNewsMs) return [];
  const text = `${count} part${count === 1 ? "" : "s"} of the feed did not fit (last: ${last}). Everything else is shown; reload the page if the pool was upgraded.`;
  return [{ id: "problems", severity: "info", title: "FEED_PARTLY_UNREADABLE", text }];
}
