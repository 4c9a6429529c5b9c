import { newsOf } from "../algorithms/rollout";
import type { Deployment } from "../algorithms/schema";
import type { Decoded, Message, Snapshot, StatsTick } from "../feed/decode";
import type { Link } from "../feed/live";
import type { RestAnswer } from "../feed/rest";
import type { Block, Currency, Job, Miner, NodeHealth, Point, Stats } from "../feed/schema";
import { parseTime, span } from "../format/time";
import { describeBlockChange, type PoolEvent, withEvent } from "./events";

/** Bounds on what a page that stays open for weeks may keep. */
export const limits = { blocks: 120, points: 1800, problems: 999 } as const;

/** One sample of the charts; `null` values break the line where nothing was measured. */
export interface Sample {
  /** Milliseconds since the epoch, by the pool's clock. */
  at: number;
  hashrate: number | null;
  sharesPerSecond: number | null;
}

/** What the feed told of a deployment. */
export interface DeploymentNews {
  seq: number;
  text: string;
  severity: "info" | "warning" | "error";
  deployment: Deployment;
}

export interface PoolState {
  link: Link;
  /** Newest sequence number seen; where a reconnect resumes. */
  seq: number | null;
  /** Pool's clock minus viewer's clock in milliseconds, so that ages are right on a viewer whose clock is not. */
  skewMs: number;
  stats: Stats | null;
  /** When `stats` arrived, by the viewer's clock. */
  statsAt: number | null;
  /** Null until something was heard of it; a pool without a job says so with `none`. */
  job: Job | "none" | null;
  node: NodeHealth | "none" | null;
  /** When job and node arrived, by the viewer's clock (REST does not carry them). */
  nodeAt: number | null;
  currency: Currency | null;
  miners: readonly Miner[] | null;
  /** Oldest first, by hash: in a DAG the height identifies nothing. */
  blocks: ReadonlyMap<string, Block> | null;
  samples: readonly Sample[];
  events: readonly PoolEvent[];
  /** The newest step of a deployment. */
  deployment: DeploymentNews | null;
  /** Messages or parts of them that did not fit their shape. */
  problems: { count: number; last: string | null /** Viewer's clock. */; at: number };
  /** Whether the last REST attempt got anything; null before the first. */
  restOk: boolean | null;
}

export const initialState: PoolState = {
  link: { phase: "connecting" },
  seq: null,
  skewMs: 0,
  stats: null,
  statsAt: null,
  job: null,
  node: null,
  nodeAt: null,
  currency: null,
  miners: null,
  blocks: null,
  samples: [],
  events: [],
  deployment: null,
  problems: { count: 0, last: null, at: 0 },
  restOk: null,
};

export type Action =
  | { type: "link"; link: Link }
  /** `now` is the viewer's clock on arrival. */
  | { type: "frame"; decoded: Decoded; now: number }
  | { type: "rest"; answer: RestAnswer; now: number };

/** The next state; pure, so that every path can be tested without a network or a clock. */
export function reduce(state: PoolState, action: Action): PoolState {
  switch (action.type) {
    case "link":
      return { ...state, link: action.link };
    case "rest":
      return applyRest(state, action.answer, action.now);
    case "frame": {
      const noted = noteProblems(state, action.decoded.problems, action.now);
      return action.decoded.message ? applyMessage(noted, action.decoded.message, action.now) : noted;
    }
  }
}

function noteProblems(state: PoolState, found: readonly string[], now: number): PoolState {
  if (found.length === 0) return state;
  const count = Math.min(limits.problems, state.problems.count + found.length);
  return { ...state, problems: { count, last: found[0] ?? null, at: now } };
}

function applyMessage(state: PoolState, message: Message, now: number): PoolState {
  if (message.type === "snapshot") return applySnapshot(state, message, now);
  // A resumed feed may repeat what was already seen.
  if (state.seq !== null && message.seq <= state.seq) return state;
  const next: PoolState = { ...state, seq: message.seq, skewMs: message.at - now };
  switch (message.type) {
    case "stats":
      return applyStats(next, message, now);
    case "block":
      return applyBlock(next, message.block, message.at);
    case "miner_connected":
    case "miner_disconnected": {
      const joined = message.type === "miner_connected";
      const who =
        [message.peer.account, message.peer.worker].filter(Boolean).join(".") || message.peer.peer || "a miner";
      const text = `${who} ${joined ? "connected" : "disconnected"}`;
      return withEvent(next, { at: message.at, kind: "miner", tone: joined ? "good" : "quiet", text });
    }
    case "notice": {
      const tone = message.severity === "info" ? "plain" : "bad";
      return withEvent(next, { at: message.at, kind: "notice", tone, text: message.message });
    }
    case "deployment": {
      const { text, severity } = newsOf(message.deployment);
      const tone = severity === "info" ? "plain" : "bad";
      // A step may be told again with newer figures; that is no event.
      const told = state.deployment?.text === text;
      const noted = told ? next : withEvent(next, { at: message.at, kind: "notice", tone, text });
      return { ...noted, deployment: { seq: message.seq, text, severity, deployment: message.deployment } };
    }
    case "other":
      return next;
  }
}

function applySnapshot(state: PoolState, message: Snapshot, now: number): PoolState {
  const samples = message.history.map(toSample).filter((sample) => sample !== null);
  return {
    ...state,
    seq: message.seq,
    skewMs: message.at - now,
    stats: message.stats ?? state.stats,
    statsAt: message.stats ? now : state.statsAt,
    job: message.job ?? "none",
    node: message.node ?? "none",
    nodeAt: now,
    currency: message.currency ?? message.stats?.pool.currency ?? state.currency,
    miners: message.miners,
    blocks: toMap(message.blocks),
    samples: samples.length > 0 ? bridgeGaps(samples) : state.samples,
  };
}

function applyStats(state: PoolState, message: StatsTick, now: number): PoolState {
  const sample = message.point && toSample(message.point);
  const next: PoolState = {
    ...state,
    stats: message.stats ?? state.stats,
    statsAt: message.stats ? now : state.statsAt,
    currency: message.stats?.pool.currency ?? state.currency,
    miners: message.miners ?? state.miners,
    samples: sample ? append(state.samples, sample) : state.samples,
  };
  if (message.job !== undefined) next.job = message.job ?? "none";
  if (message.node !== undefined) {
    next.node = message.node ?? "none";
    next.nodeAt = now;
  }
  return noteReturns(state, noteReadiness(state, next, message.at), message.at);
}

/** When something went away is an alert of the pool's own; that it is back, only the figures tell. */
function noteReturns(before: PoolState, after: PoolState, at: number): PoolState {
  const away = new Set(after.stats?.degraded.map(({ component }) => component));
  const back = (before.stats?.degraded ?? []).filter(({ component }) => !away.has(component));
  return back.reduce((noted, { component, since }) => {
    const began = parseTime(since);
    const lasted = began === null ? "" : `, after ${span(at - began)}`;
    const text = `${partNames[component] ?? component} is back${lasted}`;
    return withEvent(noted, { at, kind: "notice", tone: "good", text });
  }, after);
}

const partNames: Record<string, string> = { store: "The database", cache: "The cache", journal: "The journal" };

function noteReadiness(before: PoolState, after: PoolState, at: number): PoolState {
  const was = readiness(before);
  const is = readiness(after);
  if (was === null || is === null || was === is) return after;
  const text = is ? "Node is ready, work goes on" : "Node is not ready, work is paused";
  return withEvent(after, { at, kind: "node", tone: is ? "good" : "bad", text });
}

/** Whether the node takes blocks; null while nothing was heard. */
export function readiness(state: PoolState): boolean | null {
  if (state.node !== null && state.node !== "none") return state.node.ready;
  return state.stats?.network.ready ?? null;
}

function applyBlock(state: PoolState, block: Block, at: number): PoolState {
  const before = state.blocks?.get(block.hash);
  const blocks = new Map(state.blocks ?? []);
  blocks.set(block.hash, block);
  prune(blocks);
  const event = describeBlockChange(before, block, at);
  const next = { ...state, blocks };
  return event ? withEvent(next, event) : next;
}

function applyRest(state: PoolState, answer: RestAnswer, now: number): PoolState {
  const restOk = answer.stats !== null || answer.blocks !== null || answer.miners !== null;
  // The feed is newer than any answer that was still on its way.
  if (state.link.phase === "live" && state.statsAt !== null && now - state.statsAt < 3000) return { ...state, restOk };
  // REST lists our own blocks only: they must not push the context out that the feed delivered.
  const blocks = answer.blocks && new Map([...(state.blocks ?? []), ...toMap(answer.blocks)]);
  if (blocks) prune(blocks);
  return {
    ...state,
    restOk,
    stats: answer.stats ?? state.stats,
    statsAt: answer.stats ? now : state.statsAt,
    currency: answer.stats?.pool.currency ?? state.currency,
    miners: answer.miners ?? state.miners,
    blocks: blocks ?? state.blocks,
  };
}

function toMap(blocks: readonly Block[]): Map<string, Block> {
  // A block without a height is a candidate of a moment ago: the newest.
  const heightOf = (block: Block) => block.height ?? Number.MAX_SAFE_INTEGER;
  const ordered = [...blocks].sort(
    (a, b) =>
      heightOf(a) - heightOf(b) || (a.found_at ?? "").localeCompare(b.found_at ?? "") || a.hash.localeCompare(b.hash),
  );
  const map = new Map(ordered.map((block) => [block.hash, block]));
  prune(map);
  return map;
}

function prune(blocks: Map<string, Block>): void {
  for (const hash of blocks.keys()) {
    if (blocks.size <= limits.blocks) return;
    blocks.delete(hash);
  }
}

function toSample(point: Point): Sample | null {
  const at = Date.parse(point.at);
  if (Number.isNaN(at)) return null;
  return { at, hashrate: point.hashrate, sharesPerSecond: point.shares_per_second };
}

/** Longer than this without a sample is a gap in the line, not a slope. */
const gapMs = 4000;

function append(samples: readonly Sample[], sample: Sample): readonly Sample[] {
  const last = samples.at(-1);
  if (last && sample.at <= last.at) return samples;
  const next = samples.slice(-(limits.points - 2));
  if (last && sample.at - last.at > gapMs) next.push({ at: last.at + 1000, hashrate: null, sharesPerSecond: null });
  next.push(sample);
  return next;
}

function bridgeGaps(samples: readonly Sample[]): readonly Sample[] {
  return samples.reduce<readonly Sample[]>((done, sample) => append(done, sample), []);
}
