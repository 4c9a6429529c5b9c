import { type Deployment, deployment } from "../algorithms/schema";
import { plural } from "../format/number";
import {
  type Block,
  block,
  type Currency,
  currency,
  envelope,
  type Job,
  job,
  type Miner,
  miner,
  type NodeHealth,
  node,
  notice,
  type Peer,
  type Point,
  payoutStep,
  peer,
  point,
  type Stats,
  stats,
} from "./schema";
import type { z } from "./z";

interface Stamp {
  seq: number;
  /** Milliseconds since the epoch, by the pool's clock. */
  at: number;
}

export interface Snapshot extends Stamp {
  type: "snapshot";
  stats: Stats | null;
  blocks: Block[];
  miners: Miner[];
  job: Job | null;
  node: NodeHealth | null;
  history: Point[];
  currency: Currency | null;
}

export interface StatsTick extends Stamp {
  type: "stats";
  stats: Stats | null;
  /** Undefined where the message does not say; null where it says that there is none. */
  job: Job | null | undefined;
  node: NodeHealth | null | undefined;
  point: Point | null;
  miners: Miner[] | null;
}

export type Message =
  | Snapshot
  | StatsTick
  | (Stamp & { type: "block"; block: Block })
  | (Stamp & { type: "miner_connected" | "miner_disconnected"; peer: Peer })
  | (Stamp & {
      type: "notice";
      topic: string;
      message: string;
      severity: string;
    })
  | (Stamp & { type: "deployment"; deployment: Deployment })
  | (Stamp & { type: "other"; topic: string });

export interface Decoded {
  /** Null when nothing of the message could be used. */
  message: Message | null;
  /** What did not fit its shape, first few only; empty when all did. */
  problems: string[];
}

/** Collects what did not fit, so that one bad part costs itself and not the whole message. */
class Reader {
  readonly problems: string[] = [];

  read<T>(name: string, schema: z.Shape<T>, value: unknown): T | null {
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    const issue = result.error.issues[0];
    const where = [name, ...(issue?.path ?? [])].join(".");
    this.problems.push(`${where}: ${issue?.message ?? "does not fit"}`);
    return null;
  }

  optional<T>(name: string, schema: z.Shape<T>, value: unknown): T | null {
    return value === null || value === undefined ? null : this.read(name, schema, value);
  }

  list<T>(name: string, schema: z.Shape<T>, value: unknown): T[] {
    if (value === null || value === undefined) return [];
    if (!Array.isArray(value)) {
      this.problems.push(`${name}: expected a list`);
      return [];
    }
    return value.map((item, index) => this.read(`${name}.${index}`, schema, item)).filter((item) => item !== null);
  }
}

/** Decodes one text frame of `/api/live`. Never throws: what cannot be read is reported in `problems`. */
export function decode(frame: string): Decoded {
  const reader = new Reader();
  let raw: unknown;
  try {
    raw = JSON.parse(frame);
  } catch {
    return { message: null, problems: ["frame: not JSON"] };
  }
  const head = reader.read("message", envelope, raw);
  if (!head) return { message: null, problems: reader.problems };
  const at = Date.parse(head.at);
  if (Number.isNaN(at)) return { message: null, problems: [`${head.type}.at: not a time`] };
  const message = body(reader, head.type, { seq: head.seq, at }, head.data);
  return { message, problems: reader.problems };
}

function body(reader: Reader, type: string, stamp: Stamp, data: unknown): Message | null {
  const fields: Record<string, unknown> = isRecord(data) ? data : {};
  switch (type) {
    case "snapshot":
      return { type, ...stamp, ...snapshotBody(reader, fields) };
    case "stats":
      return { type, ...stamp, ...statsBody(reader, fields) };
    case "block": {
      const found = reader.read("block", block, data);
      return found && { type, ...stamp, block: found };
    }
    case "miner_connected":
    case "miner_disconnected": {
      const who = reader.read(type, peer, data);
      return who && { type, ...stamp, peer: who };
    }
    case "deployment": {
      // Checks of a package that is being staged travel under the same topic; the upload's answer has them all.
      if ("staging" in fields) return { type: "other", ...stamp, topic: "staging" };
      const step = reader.read(type, deployment, data);
      return step && { type, ...stamp, deployment: step };
    }
    case "payout": {
      const said = payoutStep.safeParse(data);
      return {
        type: "notice",
        ...stamp,
        topic: type,
        message: payoutSaid(said.success ? said.data : null),
        severity: "info",
      };
    }
    case "alert": {
      const said = notice.catch({ message: null, severity: null, code: null }).parse(data);
      const message = said.message ?? said.code ?? type;
      return { type: "notice", ...stamp, topic: type, message, severity: said.severity ?? "info" };
    }
    default:
      // Newer pools may send topics that this build does not know; that is no fault.
      return { type: "other", ...stamp, topic: type };
  }
}

function payoutSaid(step: z.infer<typeof payoutStep> | null): string {
  if (step === null) return "payout";
  const { id, state, reason, payouts, recipients } = step;
  const to = recipients === null ? "" : ` to ${plural(recipients, "account")}`;
  if (id !== null && state !== null) return [`payout ${id}${to} is ${state}`, reason].filter(Boolean).join(": ");
  return payouts === null ? "payout" : `${plural(payouts, "payout")}${to} set aside`;
}

function snapshotBody(reader: Reader, data: Record<string, unknown>) {
  return {
    stats: reader.read("stats", stats, data.stats),
    blocks: reader.list("blocks", block, data.blocks),
    miners: reader.list("miners", miner, data.miners),
    job: reader.optional("job", job, data.job),
    node: reader.optional("node", node, data.node),
    history: reader.list("history", point, data.history),
    currency: reader.optional("currency", currency, data.currency),
  };
}

function statsBody(reader: Reader, data: Record<string, unknown>) {
  return {
    stats: reader.read("stats", stats, data.stats),
    job: data.job === undefined ? undefined : reader.optional("job", job, data.job),
    node: data.node === undefined ? undefined : reader.optional("node", node, data.node),
    point: reader.optional("point", point, data.point),
    miners: data.miners === undefined ? null : reader.list("miners", miner, data.miners),
  };
}

/** Items of a REST list: a bare array or `{items, next}`. */
export function decodeList<T>(schema: z.Shape<T>, value: unknown): T[] {
  const items = isRecord(value) && !Array.isArray(value) ? value.items : value;
  return new Reader().list("items", schema, items);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
