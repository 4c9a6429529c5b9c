import type { BenchNews, Measured, WrongVector } from "./run";

/** What is known of a run so far. */
export interface Bench {
  file: string;
  opened: Extract<BenchNews, { step: "opened" }> | null;
  loaded: { name: string; version: string } | null;
  vectors: { done: number; total: number; wrong: readonly WrongVector[] } | null;
  determinism: { inputs: number; differing: string | null } | null;
  measuring: boolean;
  measured: Measured | null;
  failed: { code: string; message: string } | null;
}

export function begin(file: string): Bench {
  const nothing = { opened: null, loaded: null, vectors: null, determinism: null, measured: null, failed: null };
  return { file, ...nothing, measuring: false };
}

export function apply(bench: Bench, news: BenchNews): Bench {
  switch (news.step) {
    case "opened":
      return { ...bench, opened: news };
    case "loaded":
    case "vectors":
    case "determinism":
      return { ...bench, [news.step]: news };
    case "measuring":
      return { ...bench, measuring: true };
    case "measured":
      return { ...bench, measuring: false, measured: news.result };
    case "failed":
      return { ...bench, measuring: false, failed: news };
  }
}

export function isOver(bench: Bench): boolean {
  return bench.measured !== null || bench.failed !== null;
}

/** The part of a worker that a run needs. */
export interface Runner {
  onmessage: ((event: MessageEvent<BenchNews>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  postMessage(message: ArrayBuffer, transfer: Transferable[]): void;
  terminate(): void;
}

/** More wrong answers than these say nothing new. */
export const wrongMax = 5;

/** Silence that only an endless loop explains. */
export const hangMs = 20_000;

/** Runs a package in a worker; returns how to end it. After the last news the worker is gone. */
export function start(file: ArrayBuffer, open: () => Runner, tell: (news: BenchNews) => void): () => void {
  const runner = open();
  let watch: ReturnType<typeof setTimeout>;
  const end = () => {
    clearTimeout(watch);
    runner.terminate();
  };
  const fail = (code: string, message: string) => {
    end();
    tell({ step: "failed", code, message });
  };
  const wait = () => {
    clearTimeout(watch);
    watch = setTimeout(
      () => fail("WASM_HANGS", `The module did not return for ${hangMs / 1000} s and was ended.`),
      hangMs,
    );
  };
  runner.onmessage = ({ data }) => {
    if (data.step === "measured" || data.step === "failed") end();
    else wait();
    tell(data);
  };
  runner.onerror = (event) => fail("WORKER_FAILED", event.message || "The browser did not start the worker.");
  wait();
  runner.postMessage(file, [file]);
  return end;
}
