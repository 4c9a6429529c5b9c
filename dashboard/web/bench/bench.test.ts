import { readFile } from "node:fs/promises";
import { zipSync } from "fflate";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { apply, type Bench, begin, hangMs, isOver, type Runner, start } from "./bench";
import { fromHex, toHex } from "./package";
import { type BenchNews, hashedInput, meets, runPackage } from "./run";

// The engine's own modules and the reference vectors: what a real package holds.
const root = new URL("../../../", import.meta.url);
const file = (path: string) => readFile(new URL(path, root));
const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

let wasm: Uint8Array;
let vectors: { input: string; hash: string }[];
let name = { name: "", version: "" };

beforeAll(async () => {
  wasm = new Uint8Array(await file("pool-actors/engine/tests/fixtures/blake3.wasm"));
  const known: { headers: { header: string; blake3: string }[] } = JSON.parse(
    String(await file("tests/vectors/pow_vectors.json")),
  );
  vectors = known.headers.map(({ header, blake3 }) => ({ input: header, hash: blake3 }));
  const { WasmAlgorithm } = await import("./abi");
  const { description } = new WasmAlgorithm(await WebAssembly.compile(new Uint8Array(wasm)));
  name = { name: description.name, version: description.version };
});

interface Parts {
  manifest?: object;
  wasm?: Uint8Array;
  vectors?: unknown[];
  benchmark?: object | null;
  more?: Record<string, Uint8Array>;
  leaveOut?: string;
}

function pack(parts: Parts = {}): Uint8Array {
  const benchmark = parts.benchmark ?? {
    version: 1,
    inputs: vectors.slice(0, 4).map(({ input }) => input),
    warmup: 2,
    iterations: 10,
    expected_hashrate: 1_000_000,
  };
  const entries: Record<string, Uint8Array> = {
    "manifest.json": json({ ...name, license: "MIT", ...parts.manifest }),
    "algorithm.wasm": parts.wasm ?? wasm,
    "tests/test_vectors.json": json({ version: 1, vectors: parts.vectors ?? vectors }),
    ...(parts.benchmark === null ? {} : { "tests/benchmark_data.json": json(benchmark) }),
    ...parts.more,
  };
  if (parts.leaveOut) delete entries[parts.leaveOut];
  return zipSync(entries);
}

/** Runs it with a clock that makes each batch last a second. */
async function run(zip: Uint8Array): Promise<BenchNews[]> {
  const told: BenchNews[] = [];
  let now = 0;
  const clock = () => {
    now += 1000;
    return now;
  };
  await runPackage(zip, { tell: (news) => told.push(news), clock, measureMs: 2_000 });
  return told;
}

const last = async (parts: Parts) => (await run(pack(parts))).at(-1);

describe("a package in the browser", () => {
  it("gives its known answers, the same everywhere, and a speed", async () => {
    const news = await run(pack({ more: { "signature.sig": new Uint8Array(72) } }));
    expect(news.map(({ step }) => step)).toEqual([
      "opened",
      "loaded",
      "vectors",
      "determinism",
      "measuring",
      "measured",
    ]);
    expect(news[0]).toMatchObject({ signed: true, digest: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(news[2]).toMatchObject({ done: vectors.length, total: vectors.length, wrong: [] });
    expect(news[3]).toMatchObject({ differing: null });
    expect(news[5]).toMatchObject({ result: { hashes: 8, seconds: 2, hashrate: 4, expected: 1_000_000, batch: 4 } });
  });

  it("measures headers of the vectors, or an empty one, where there is no benchmark", async () => {
    expect(await last({ benchmark: null })).toMatchObject({ step: "measured", result: { expected: null } });
    const short = { input: "", hash: "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262" };
    const news = await run(pack({ benchmark: null, vectors: [short] }));
    expect(news).toContainEqual(expect.objectContaining({ step: "vectors", done: 1, wrong: [] }));
    expect(news.at(-1)).toMatchObject({ result: { batch: 1 } });
  });

  it("shows wrong answers with the input that proves them, the first few", async () => {
    const wrong = Array.from({ length: 9 }, () => ({ ...vectors[0], hash: "00".repeat(32), comment: "odd" }));
    const news = await run(pack({ vectors: wrong }));
    const told = news.find(({ step }) => step === "vectors");
    expect(told).toMatchObject({
      done: 9,
      wrong: [{ index: 0, comment: "odd", input: vectors[0]?.input }, {}, {}, {}, {}],
    });
    const unmet = { ...vectors[0], target: "00".repeat(32), valid: true };
    expect(await run(pack({ vectors: [unmet] }))).toContainEqual(
      expect.objectContaining({ step: "vectors", wrong: [expect.objectContaining({ index: 0 })] }),
    );
    const rightly = { ...vectors[0], target: "00".repeat(32), valid: false };
    expect(await run(pack({ vectors: [rightly] }))).toContainEqual(
      expect.objectContaining({ step: "vectors", wrong: [] }),
    );
  });

  it("refuses what the pool would refuse", async () => {
    const readme = (letter: string) => new TextEncoder().encode(letter);
    const twice = pack({ more: { "docs/README.md": readme("a"), "docs/README.mx": readme("b") } });
    const refusals: [Promise<BenchNews | undefined>, string][] = [
      [run(new Uint8Array([1, 2, 3])).then((news) => news.at(-1)), "PACKAGE_NOT_A_ZIP"],
      [last({ more: { "../evil": new Uint8Array(1) } }), "PACKAGE_ENTRY_NAME"],
      [run(rename(twice)).then((news) => news.at(-1)), "PACKAGE_DUPLICATE_ENTRY"],
      [last({ more: { "docs/README.md": new Uint8Array(1 << 20) } }), "PACKAGE_BOMB"],
      [last({ leaveOut: "algorithm.wasm" }), "PACKAGE_INCOMPLETE"],
      [last({ more: { "manifest.json": new Uint8Array([0xff]) } }), "PACKAGE_CORRUPT"],
      [last({ vectors: [{ input: "0", hash: "" }] }), "PACKAGE_INVALID"],
      [last({ vectors: [] }), "PACKAGE_INVALID"],
      [last({ manifest: { version: "99.0.0" } }), "MANIFEST_MISMATCH"],
      [last({ vectors: [{ input: "00".repeat(13_000), hash: "00".repeat(32) }] }), "INPUT_TOO_LONG"],
      [last({ wasm: new Uint8Array([0, 97, 115, 109]) }), "WASM_INVALID"],
      [last({ wasm: empty }), "WASM_EXPORTS"],
      [last({ wasm: importing }), "WASM_IMPORTS"],
      [last({ wasm: memoryOnly }), "WASM_EXPORTS"],
    ];
    for (const [outcome, code] of refusals) expect(await outcome).toMatchObject({ step: "failed", code });
  });

  it("puts a nonce where the pool does, and reads targets from byte 0 up", () => {
    const vector = { input: new Uint8Array(4), hash: "", target: null, nonce: 0x0102, valid: null, comment: null };
    expect(toHex(hashedInput(vector, 2))).toBe("00000201");
    expect(toHex(hashedInput({ ...vector, nonce: null }, 2))).toBe("00000000");
    expect(meets(`ff${"00".repeat(31)}`, `00${"01".repeat(31)}`)).toBe(true);
    expect(meets(`${"00".repeat(31)}02`, `${"ff".repeat(31)}01`)).toBe(false);
  });
});

const header = [0, 97, 115, 109, 1, 0, 0, 0];
const empty = new Uint8Array(header);
/** `(import "a" "b" (memory 0))` */
const importing = new Uint8Array([...header, 2, 8, 1, 1, 97, 1, 98, 2, 0, 0]);
/** `(memory (export "memory") 1)` */
const memoryOnly = new Uint8Array([...header, 5, 3, 1, 0, 1, 7, 10, 1, 6, ...new TextEncoder().encode("memory"), 2, 0]);

/** Two entries of one name, which no honest tool writes. */
function rename(zip: Uint8Array): Uint8Array {
  return fromHex(
    toHex(zip).replaceAll(toHex(new TextEncoder().encode("README.mx")), toHex(new TextEncoder().encode("README.md"))),
  );
}

describe("start", () => {
  class FakeRunner implements Runner {
    onmessage: Runner["onmessage"] = null;
    onerror: Runner["onerror"] = null;
    ended = false;
    postMessage() {}
    terminate() {
      this.ended = true;
    }
    say(data: BenchNews) {
      this.onmessage?.({ data } as MessageEvent<BenchNews>);
    }
  }

  function open() {
    vi.useFakeTimers();
    const runner = new FakeRunner();
    let bench: Bench = begin("a.zip");
    const end = start(
      new ArrayBuffer(1),
      () => runner,
      (news) => {
        bench = apply(bench, news);
      },
    );
    return { runner, end, bench: () => bench };
  }

  it("ends the worker with the last news", () => {
    const { runner, bench } = open();
    runner.say({
      step: "opened",
      manifest: { name: "x", version: "1" } as never,
      entries: [],
      signed: false,
      digest: null,
    });
    runner.say({ step: "loaded", name: "x", version: "1" });
    runner.say({ step: "measuring", seconds: 2 });
    expect(bench().measuring).toBe(true);
    expect(isOver(bench())).toBe(false);
    runner.say({ step: "measured", result: { hashes: 1, seconds: 1, hashrate: 1, expected: null, batch: 1 } });
    expect(runner.ended && isOver(bench())).toBe(true);
    vi.useRealTimers();
  });

  it("ends code that does not return, and says when a worker can't start", () => {
    const hung = open();
    vi.advanceTimersByTime(hangMs + 1);
    expect(hung.runner.ended).toBe(true);
    expect(hung.bench().failed?.code).toBe("WASM_HANGS");
    const broken = open();
    broken.runner.onerror?.({ message: "" } as ErrorEvent);
    expect(broken.bench().failed?.code).toBe("WORKER_FAILED");
    const left = open();
    left.end();
    vi.advanceTimersByTime(hangMs + 1);
    expect(left.bench().failed).toBeNull();
    vi.useRealTimers();
  });
});
