import { money, unitOf } from "../format/money";
import { shorten } from "../format/number";
import { span } from "../format/time";
import { type PoolState, readiness } from "./model";

export interface Alert {
  id: string;
  severity: "critical" | "warning" | "info";
  title: string;
  text: string;
  /** Offers to reconnect at once. */
  retry?: boolean;
}

/** Figures older than this are marked as stale. */
export const staleMs = 6_000;
/** How long a part of the feed that did not fit is worth a notice. */
const problemNewsMs = 60_000;

/** What an operator must know before looking at any figure, worst first. `now` is the viewer's clock. */
export function alertsOf(state: PoolState, now: number): Alert[] {
  return [...imbalance(state), ...audits(state), ...offline(state, now), ...notReady(state), ...unreadable(state, now)];
}

function imbalance(state: PoolState): Alert[] {
  const off = state.stats?.ledger.imbalance ?? "0";
  if (BigInt(off) === 0n) return [];
  return [
    {
      id: "imbalance",
      severity: "critical",
      title: "LEDGER_IMBALANCE",
      text: `The ledger is off by ${money(off, state.currency)} ${unitOf(state.currency)}. Stop payouts and run: dagpool ledger audit`,
    },
  ];
}

function audits(state: PoolState): Alert[] {
  const found = state.stats?.ledger.findings ?? [];
  if (found.length === 0) return [];
  const names = found.map(({ check, rows }) => `${check.replaceAll("_", " ")} (${rows})`).join(", ");
  const text = `The database's audits found something: ${names}. Stop payouts and run: dagpool ledger audit`;
  return [{ id: "audit", severity: "critical", title: "LEDGER_AUDIT", text }];
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
