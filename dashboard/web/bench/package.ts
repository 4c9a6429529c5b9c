import { unzipSync } from "fflate";
import { z } from "../feed/z";

/** A package that can't be read or run, and what would help. */
export class BenchError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** Names that the format knows; the pool refuses every other. */
const names = new Set([
  "algorithm.wasm",
  "algorithm.dll",
  "algorithm.dylib",
  "algorithm.so",
  "docs/CHANGELOG.md",
  "docs/README.md",
  "manifest.json",
  "signature.sig",
  "tests/benchmark_data.json",
  "tests/test_vectors.json",
]);

/** The pool's limits. */
export const limits = { file: 64 << 20, entry: 64 << 20, total: 128 << 20, ratio: 200, vectors: 10_000 } as const;
const smallBytes = 64 << 10;

const bytes = z
  .string()
  .regex(/^([0-9a-f]{2})*$/i, "hexadecimal digits")
  .transform(fromHex);
const hash = z
  .string()
  .regex(/^[0-9a-f]{64}$/i, "64 hexadecimal digits")
  .transform((digits) => digits.toLowerCase());

const manifest = z.object({
  name: z.string(),
  version: z.string(),
  description: z.string().nullish().default(null),
  author: z.string().nullish().default(null),
  license: z.string().nullish().default(null),
  algorithm: z
    .object({ hash_function: z.string().nullish().default(null) })
    .nullish()
    .default(null),
});
export type BenchManifest = z.infer<typeof manifest>;

const vectors = z.object({
  version: z.literal(1),
  vectors: z
    .array(
      z.object({
        input: bytes,
        hash,
        /** Byte 0 first. */
        target: hash.nullish().default(null),
        nonce: z.number().int().nonnegative().nullish().default(null),
        valid: z.boolean().nullish().default(null),
        comment: z.string().nullish().default(null),
      }),
    )
    .min(1)
    .max(limits.vectors),
});
export type Vector = z.infer<typeof vectors>["vectors"][number];

const benchmark = z.object({
  version: z.literal(1),
  inputs: z
    .array(bytes.refine((input) => input.length === 80, "a header of 80 bytes"))
    .min(1)
    .max(4096),
  warmup: z.number().int().nonnegative(),
  iterations: z.number().int().positive(),
  expected_hashrate: z.number().positive(),
});
export type BenchmarkData = z.infer<typeof benchmark>;

export interface BenchPackage {
  manifest: BenchManifest;
  wasm: Uint8Array<ArrayBuffer>;
  vectors: readonly Vector[];
  benchmark: BenchmarkData | null;
  entries: readonly { name: string; size: number }[];
  signed: boolean;
  /** Canonical digest as the pool shows it; null where the browser has no SHA-256 (a page without https). */
  digest: string | null;
}

/** Reads a package in memory, within the pool's limits. The pool checks more: this only must not be harmed by it. */
export async function openPackage(file: Uint8Array): Promise<BenchPackage> {
  if (file.length > limits.file)
    throw new BenchError("PACKAGE_TOO_LARGE", "The file is larger than the 64 MiB a pool takes.");
  const entries = unpack(file);
  const read = (name: string) => {
    const content = entries.get(name);
    if (!content) throw new BenchError("PACKAGE_INCOMPLETE", `${name} is missing.`);
    return content;
  };
  const timing = entries.get("tests/benchmark_data.json");
  return {
    manifest: json("manifest.json", manifest, read("manifest.json")),
    wasm: read("algorithm.wasm"),
    vectors: json("tests/test_vectors.json", vectors, read("tests/test_vectors.json")).vectors,
    benchmark: timing ? json("tests/benchmark_data.json", benchmark, timing) : null,
    entries: [...entries].map(([name, content]) => ({ name, size: content.length })),
    signed: entries.has("signature.sig"),
    digest: await digestOf(entries),
  };
}

function unpack(file: Uint8Array): Map<string, Uint8Array<ArrayBuffer>> {
  const seen = new Set<string>();
  let total = 0;
  const wanted = ({ name, size, originalSize }: { name: string; size: number; originalSize: number }) => {
    if (!names.has(name))
      throw new BenchError("PACKAGE_ENTRY_NAME", `${JSON.stringify(name)} is no file of the format.`);
    if (seen.has(name)) throw new BenchError("PACKAGE_DUPLICATE_ENTRY", `${name} is there twice.`);
    seen.add(name);
    total += originalSize;
    const bomb = originalSize > smallBytes && originalSize > size * limits.ratio;
    if (bomb || originalSize > limits.entry || total > limits.total)
      throw new BenchError("PACKAGE_BOMB", `${name} grows beyond what a pool takes.`);
    return true;
  };
  try {
    return new Map(Object.entries(unzipSync(file, { filter: wanted })));
  } catch (error) {
    if (error instanceof BenchError) throw error;
    throw new BenchError("PACKAGE_NOT_A_ZIP", "The file is no zip archive, or a damaged one.");
  }
}

function json<T>(name: string, schema: z.Shape<T>, content: Uint8Array): T {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(content));
  } catch {
    throw new BenchError("PACKAGE_CORRUPT", `${name} is no JSON.`);
  }
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  const issue = read.error.issues[0];
  throw new BenchError(
    "PACKAGE_INVALID",
    `${name}: ${issue?.path.join(".") || "whole"}: ${issue?.message ?? "wrong"}.`,
  );
}

/** What is signed: SHA-256 over a tag and each entry but the signature, in byte order of names. */
async function digestOf(entries: ReadonlyMap<string, Uint8Array<ArrayBuffer>>): Promise<string | null> {
  const sha256 = globalThis.crypto?.subtle;
  if (!sha256) return null;
  const parts: Uint8Array[] = [new TextEncoder().encode("dagpool-package-v1\0")];
  for (const name of [...entries.keys()].filter((one) => one !== "signature.sig").sort()) {
    const content = entries.get(name) ?? new Uint8Array();
    const head = new DataView(new ArrayBuffer(4));
    head.setUint32(0, name.length, true);
    const size = new DataView(new ArrayBuffer(8));
    size.setBigUint64(0, BigInt(content.length), true);
    const inner = new Uint8Array(await sha256.digest("SHA-256", content));
    parts.push(new Uint8Array(head.buffer), new TextEncoder().encode(name), new Uint8Array(size.buffer), inner);
  }
  const whole = await sha256.digest("SHA-256", await new Blob(parts as BlobPart[]).arrayBuffer());
  return toHex(new Uint8Array(whole));
}

export function toHex(content: Uint8Array): string {
  return Array.from(content, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function fromHex(digits: string): Uint8Array<ArrayBuffer> {
  const content = new Uint8Array(digits.length / 2);
  for (let at = 0; at < content.length; at += 1) content[at] = Number.parseInt(digits.slice(at * 2, at * 2 + 2), 16);
  return content;
}
