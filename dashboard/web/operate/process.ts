import { noAnswer } from "../algorithms/failure";
import type { Outcome } from "../feed/client";

/** What the pool tells of its process in `/metrics`; null where it does not. */
export interface Process {
  memoryBytes: number | null;
  /** Cores in use, since the last look. */
  cpu: number | null;
  files: number | null;
  filesMax: number | null;
  startedAt: number | null;
}

interface Look {
  at: number;
  cpuS: number;
}
let last: Look | null = null;

/** The gauges of the process, with or without the pool's prefix. */
export function figuresOf(text: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const [, name, value] of text.matchAll(/^(?:dagpool_)?process_(\w+)(?:\{\})? ([\d.eE+-]+)$/gm))
    if (name !== undefined) found.set(name, Number(value));
  return found;
}

/** Asks with what somebody is signed in with: an operator may have closed `/metrics` to strangers. */
export function withToken(token: () => string | null): (path: string) => Promise<Response> {
  return (path) => {
    const shown = token();
    return fetch(path, shown === null ? {} : { headers: { authorization: `Bearer ${shown}` } });
  };
}

/** Asks `/metrics`; where it is closed nothing is shown. */
export async function processOf(
  fetcher: (path: string) => Promise<Response>,
  now = Date.now(),
): Promise<Outcome<Process>> {
  try {
    const response = await fetcher("/metrics");
    if (!response.ok) return { ok: false, failure: noAnswer() };
    const figures = figuresOf(await response.text());
    const figure = (name: string) => figures.get(name) ?? null;
    const cpuS = figure("cpu_seconds_total");
    const before = last;
    last = cpuS === null ? null : { at: now, cpuS };
    const passed = before === null ? 0 : (now - before.at) / 1000;
    const cpu = cpuS === null || before === null || passed <= 0 ? null : Math.max(0, (cpuS - before.cpuS) / passed);
    const started = figure("start_time_seconds");
    return {
      ok: true,
      value: {
        memoryBytes: figure("resident_memory_bytes"),
        cpu,
        files: figure("open_fds"),
        filesMax: figure("max_fds"),
        startedAt: started === null ? null : started * 1000,
      },
    };
  } catch {
    return { ok: false, failure: noAnswer() };
  }
}
