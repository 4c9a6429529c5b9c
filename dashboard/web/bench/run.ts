import { WasmAlgorithm } from "./abi";
import { wrongMax } from "./bench";
import {
  BenchError,
  type BenchManifest,
  type BenchmarkData,
  type BenchPackage,
  openPackage,
  toHex,
  type Vector,
} from "./package";

/** One known answer that came out otherwise. */
export interface WrongVector {
  index: number;
  comment: string | null;
  input: string;
  expected: string;
  got: string;
}

export interface Measured {
  hashes: number;
  seconds: number;
  hashrate: number;
  expected: number | null;
  batch: number;
}

/** What the page is told, in this order; `failed` may come at any time and ends it. */
export type BenchNews =
  | {
      step: "opened";
      manifest: BenchManifest;
      entries: BenchPackage["entries"];
      signed: boolean;
      digest: string | null;
    }
  | { step: "loaded"; name: string; version: string }
  | { step: "vectors"; done: number; total: number; wrong: readonly WrongVector[] }
  | { step: "determinism"; inputs: number; differing: string | null }
  | { step: "measuring"; seconds: number }
  | { step: "measured"; result: Measured }
  | { step: "failed"; code: string; message: string };

interface Options {
  tell: (news: BenchNews) => void;
  /** Milliseconds of some clock that only goes forward. */
  clock: () => number;
  /** How long to measure. */
  measureMs: number;
}

const tellEvery = 64;

/** Opens a package and runs its module on its own vectors and its benchmark. Never throws: `failed` is told instead. */
export async function runPackage(file: Uint8Array, options: Options): Promise<void> {
  const { tell } = options;
  try {
    const opened = await openPackage(file);
    const { manifest, entries, signed, digest } = opened;
    tell({ step: "opened", manifest, entries, signed, digest });
    const module = await WebAssembly.compile(opened.wasm);
    const algorithm = new WasmAlgorithm(module);
    const { name, version } = algorithm.description;
    tell({ step: "loaded", name, version });
    if (name !== manifest.name || version !== manifest.version)
      throw new BenchError(
        "MANIFEST_MISMATCH",
        `The code says ${name} ${version}, the manifest ${manifest.name} ${manifest.version}.`,
      );
    checkVectors(algorithm, opened.vectors, tell);
    checkDeterminism(module, opened.vectors, algorithm, tell);
    tell({ step: "measured", result: measure(algorithm, opened, options) });
  } catch (error) {
    const code =
      error instanceof BenchError
        ? error.code
        : error instanceof WebAssembly.CompileError
          ? "WASM_INVALID"
          : "WASM_TRAP";
    tell({ step: "failed", code, message: error instanceof Error ? error.message : String(error) });
  }
}

/** The input with its nonce in place, at the end of the header as the pool puts it. */
export function hashedInput({ input, nonce }: Vector, nonceSize: number): Uint8Array {
  if (nonce === null) return input;
  const filled = input.slice();
  const size = Math.min(nonceSize, 8, filled.length);
  let rest = BigInt(nonce);
  for (let at = filled.length - size; at < filled.length; at += 1) {
    filled[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return filled;
}

/** Whether a hash is at or below a target, both with byte 0 as the lowest. */
export function meets(hash: string, target: string): boolean {
  const number = (hex: string) => BigInt(`0x${(hex.match(/../g) ?? []).reverse().join("")}`);
  return number(hash) <= number(target);
}

function checkVectors(algorithm: WasmAlgorithm, vectors: readonly Vector[], tell: Options["tell"]): void {
  const wrong: WrongVector[] = [];
  for (const [index, vector] of vectors.entries()) {
    const input = hashedInput(vector, algorithm.description.nonceSize);
    const got = toHex(algorithm.hash(input));
    const { hash: expected, comment, target } = vector;
    const judged = target === null || meets(got, target) === (vector.valid ?? true);
    if ((got !== expected || !judged) && wrong.length < wrongMax)
      wrong.push({
        index,
        comment,
        input: toHex(input),
        expected: got === expected ? `${expected}, meeting its target: ${vector.valid ?? true}` : expected,
        got,
      });
    const done = index + 1;
    if (done % tellEvery === 0 || done === vectors.length)
      tell({ step: "vectors", done, total: vectors.length, wrong: [...wrong] });
  }
}

/** The same inputs in another instance, one by one and (headers) in a batch. */
function checkDeterminism(
  module: WebAssembly.Module,
  vectors: readonly Vector[],
  first: WasmAlgorithm,
  tell: Options["tell"],
): void {
  const second = new WasmAlgorithm(module);
  const inputs = vectors.slice(0, 256).map((vector) => hashedInput(vector, first.description.nonceSize));
  const differing = inputs.find((input) => toHex(first.hash(input)) !== toHex(second.hash(input)));
  const headers = inputs.filter((input) => input.length === 80).slice(0, second.batch);
  const singles = headers.map((header) => toHex(first.hash(header)));
  let odd: Uint8Array | undefined;
  if (headers.length > 0) {
    const count = second.load(headers);
    second.run(count);
    const batch = second.hashes(count).map(toHex);
    odd = headers.find((_, at) => batch[at] !== singles[at]);
  }
  const proof = differing ?? odd;
  tell({ step: "determinism", inputs: inputs.length, differing: proof ? toHex(proof) : null });
}

function measure(
  algorithm: WasmAlgorithm,
  { vectors, benchmark }: BenchPackage,
  { clock, measureMs, tell }: Options,
): Measured {
  const headers = inputsOf(vectors, benchmark);
  const count = algorithm.load(headers);
  for (let round = 0; round < Math.min(benchmark?.warmup ?? 4, 100); round += 1) algorithm.run(count);
  tell({ step: "measuring", seconds: measureMs / 1000 });
  const start = clock();
  let rounds = 0;
  let spent = 0;
  while (spent < measureMs) {
    algorithm.run(count);
    rounds += 1;
    spent = clock() - start;
  }
  const seconds = spent / 1000;
  const hashes = rounds * count;
  return { hashes, seconds, hashrate: hashes / seconds, expected: benchmark?.expected_hashrate ?? null, batch: count };
}

function inputsOf(vectors: readonly Vector[], benchmark: BenchmarkData | null): readonly Uint8Array[] {
  if (benchmark) return benchmark.inputs;
  const headers = vectors.map((vector) => vector.input).filter((input) => input.length === 80);
  return headers.length > 0 ? headers : [new Uint8Array(80)];
}
