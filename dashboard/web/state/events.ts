import type { Block } from "../feed/schema";
import { shorten } from "../format/number";
import type { PoolState } from "./model";

export interface PoolEvent {
  /** Unique within a page's life; a key for lists. */
  id: number;
  /** Milliseconds since the epoch, by the pool's clock. */
  at: number;
  kind: "block" | "miner" | "node" | "notice";
  tone: "good" | "bad" | "quiet" | "plain";
  text: string;
}

const keep = 40;

export function withEvent(state: PoolState, event: Omit<PoolEvent, "id">): PoolState {
  const id = (state.events[0]?.id ?? 0) + 1;
  return { ...state, events: [{ ...event, id }, ...state.events.slice(0, keep - 1)] };
}

const milestones: Record<string, { text: string; tone: PoolEvent["tone"] }> = {
  candidate: { text: "found", tone: "good" },
  submitted: { text: "sent to the node", tone: "plain" },
  accepted: { text: "accepted", tone: "good" },
  rejected: { text: "rejected by the node", tone: "bad" },
  matured: { text: "matured", tone: "good" },
  paid: { text: "paid", tone: "good" },
  void: { text: "void: no reward", tone: "bad" },
};

/** What is worth telling about one of our blocks, or null (blocks of others, or nothing but a new confirmation). */
export function describeBlockChange(before: Block | undefined, after: Block, at: number): Omit<PoolEvent, "id"> | null {
  if (!after.ours) return null;
  const name = `Block ${shorten(after.hash, 4, 6)}`;
  if (before && before.color !== after.color && after.color !== "unknown") {
    const turned = before.color === "unknown" ? "is" : "turned";
    const tone = after.color === "red" ? "bad" : "good";
    return { at, kind: "block", tone, text: `${name} ${turned} ${after.color}` };
  }
  if (after.status === null || before?.status === after.status) return null;
  const step = milestones[after.status];
  return step ? { at, kind: "block", tone: step.tone, text: `${name} ${step.text}` } : null;
}
