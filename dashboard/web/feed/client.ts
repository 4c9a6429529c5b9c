import { type Failure, noAnswer, refusal, unreadable } from "../algorithms/failure";
import { decodeList } from "./decode";
import type { z } from "./z";

export type Outcome<T> = { ok: true; value: T } | { ok: false; failure: Failure };

export type Fetch = (path: string, init: RequestInit) => Promise<Response>;

const timeoutMs = 10_000;
const defaultFetch: Fetch = (path, init) => fetch(path, init);

/** Makes a token that was refused good again; false when that can't be. */
type Renewal = (refused: string) => Promise<boolean>;
let renewal: Renewal | null = null;

/** Who is asked when the pool does not take the token any more. */
export function renewBy(renew: Renewal | null): void {
  renewal = renew;
}

/** Asks the pool's routes with the viewer's token. No method throws: what went wrong is in the outcome. */
export class Client {
  readonly #fetch: Fetch;
  protected readonly token: () => string | null;

  constructor(token: () => string | null, fetcher: Fetch = defaultFetch) {
    this.token = token;
    this.#fetch = fetcher;
  }

  protected async ask<T>(path: string, schema: z.Shape<T>, body?: unknown): Promise<Outcome<T>> {
    const answer = await this.send(path, body);
    return answer.ok ? read(path, schema, answer.value) : answer;
  }

  protected async list<T>(path: string, schema: z.Shape<T>): Promise<Outcome<T[]>> {
    const answer = await this.send(path);
    return answer.ok ? { ok: true, value: decodeList(schema, answer.value) } : answer;
  }

  protected async send(path: string, body?: unknown, method?: "PATCH" | "DELETE"): Promise<Outcome<unknown>> {
    const before = this.token();
    const answer = await this.#once(path, body, method);
    // An access token lasts a quarter of an hour: a request that comes just after it is sent once more with the next one.
    const ran = !answer.ok && answer.failure.kind === "locked" && answer.failure.code === "UNAUTHORIZED";
    if (!ran || before === null || renewal === null || !(await renewal(before))) return answer;
    return this.token() === before ? answer : this.#once(path, body, method);
  }

  async #once(path: string, body: unknown, method: string | undefined): Promise<Outcome<unknown>> {
    const headers: Record<string, string> = {};
    const token = this.token();
    if (token !== null) headers.authorization = `Bearer ${token}`;
    const init: RequestInit = { headers, signal: AbortSignal.timeout(timeoutMs) };
    if (method !== undefined) init.method = method;
    if (body !== undefined) {
      headers["content-type"] = "application/json";
      init.method = method ?? "POST";
      init.body = JSON.stringify(body);
    }
    try {
      const response = await this.#fetch(path, init);
      const value = parse(await response.text());
      if (!response.ok) return { ok: false, failure: refusal(response.status, value, path) };
      return { ok: true, value };
    } catch {
      return { ok: false, failure: noAnswer() };
    }
  }
}

export function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export function read<T>(path: string, schema: z.Shape<T>, body: unknown): Outcome<T> {
  const result = schema.safeParse(body);
  if (result.success) return { ok: true, value: result.data };
  const issue = result.error.issues[0];
  return { ok: false, failure: unreadable(path, issue?.path.join(".") || (issue?.message ?? "whole")) };
}
