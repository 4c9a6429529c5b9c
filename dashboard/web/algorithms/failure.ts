import { z } from "../feed/z";
import { type Check, check, type Severity, severities } from "./schema";

/** Why an answer is not what was asked for, with the pool's own advice where it gave some. */
export interface Failure {
  /**
   * unserved: the pool has no such route. locked: no token or a wrong one. forbidden: the token may not. offline: no answer.
   * refused: the pool said no. unreadable: the answer has another shape.
   */
  kind: "unserved" | "locked" | "forbidden" | "offline" | "refused" | "unreadable" | "cancelled";
  status: number | null;
  /** The pool's id of this error, also in its log. */
  id: string | null;
  code: string;
  message: string;
  details: readonly (readonly [name: string, value: string])[];
  /** Of a package that was refused: the checks as far as they went. */
  checks: readonly Check[];
  actions: readonly Action[];
  documentation: string | null;
  severity: Severity;
}

export interface Action {
  action: string;
  command: string | null;
  priority: "low" | "medium" | "high" | "critical";
}

const action = z.object({
  action: z.string(),
  command: z.string().nullish().default(null),
  priority: z.enum(["low", "medium", "high", "critical"]).catch("medium"),
});

const envelope = z.object({
  error: z.object({
    id: z.string().nullish().default(null),
    code: z.string(),
    message: z.string(),
    details: z.unknown(),
    suggested_actions: z.array(action).catch([]).default([]),
    documentation_link: z.string().nullish().default(null),
    severity: z.enum(severities).catch("error").default("error"),
  }),
});

const advice = (words: string, command: string | null = null, priority: Action["priority"] = "high"): Action => ({
  action: words,
  command,
  priority,
});

/** A failure that this page found itself. */
export function failure(
  kind: Failure["kind"],
  code: string,
  message: string,
  actions: readonly Action[] = [],
  status: number | null = null,
): Failure {
  const severity = kind === "offline" || kind === "unserved" || kind === "cancelled" ? "warning" : "error";
  return { kind, status, id: null, code, message, details: [], checks: [], actions, documentation: null, severity };
}

export const noAnswer = (): Failure =>
  failure("offline", "NO_ANSWER", "The pool did not answer. Mining does not depend on this page.", [
    advice("Look whether the pool runs and is reachable", "dagpool check"),
    advice("Try again", null, "medium"),
  ]);

export const unreadable = (path: string, where: string): Failure =>
  failure(
    "unreadable",
    "ANSWER_UNREADABLE",
    `The answer of ${path} has another shape than this page knows (${where}).`,
    [advice("Reload the page: the pool may have been upgraded since it was opened", null, "medium")],
  );

export const cancelled = (): Failure =>
  failure("cancelled", "UPLOAD_CANCELLED", "The upload was cancelled; nothing was staged.");

const kinds: Record<number, Failure["kind"]> = { 401: "locked", 403: "forbidden", 404: "unserved" };

/** Only pages of http(s): a link from an answer must not run anything. */
export function safeLink(link: string | null): string | null {
  if (link === null) return null;
  if (/^\/(?!\/)/.test(link)) return link;
  return /^https?:\/\//i.test(link) ? link : null;
}

const checked = z.union([
  z.object({ validation_results: z.array(check) }).transform((details) => details.validation_results),
  z.object({ checks: z.array(check) }).transform((details) => details.checks),
]);

/** Parts of the details that have a place of their own. */
const placed = new Set(["checks", "validation_results"]);

function checksOf(details: unknown): readonly Check[] {
  const read = checked.safeParse(details);
  return read.success ? read.data : [];
}

/** Names and values of whatever the pool put into `details`. */
export function detailsOf(details: unknown): Failure["details"] {
  if (details === null || details === undefined || details === "") return [];
  if (typeof details !== "object") return [["details", String(details)]];
  return Object.entries(details)
    .filter(([name]) => !placed.has(name))
    .filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => [name, typeof value === "object" ? JSON.stringify(value) : String(value)] as const);
}

function distinct(actions: readonly Action[]): readonly Action[] {
  return [...new Map(actions.map((one) => [`${one.action} ${one.command}`, one])).values()];
}

/** What an answer beyond 2xx says; a body without the error envelope (a proxy's) still gives its status. */
export function refusal(status: number, body: unknown, path: string): Failure {
  const kind = kinds[status] ?? "refused";
  const read = envelope.safeParse(body);
  if (!read.success) {
    const text = status === 404 ? `This pool has no ${path}.` : `${path} answered ${status} without a reason.`;
    return failure(kind, `HTTP_${status}`, text, [], status);
  }
  const { id, code, message, details, suggested_actions, documentation_link, severity } = read.data.error;
  // The pool's own 404 about a thing (nothing staged, no such deployment) has a code of its own.
  const about = kind === "unserved" && code !== "NOT_FOUND" ? "refused" : kind;
  return {
    kind: about,
    status,
    id,
    code,
    message,
    details: detailsOf(details),
    checks: checksOf(details),
    actions: distinct(suggested_actions),
    documentation: safeLink(documentation_link),
    severity,
  };
}
