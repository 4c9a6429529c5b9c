/** Every schema of the page, read by our own checks and by zod: of whatever comes, both say the same. */
import { afterAll, describe, expect, it, vi } from "vitest";
import { z as oracle } from "zod";
import { z } from "./z";

const modules = {
  account: () => import("../account/schema"),
  alerts: () => import("../alerts/schema"),
  algorithms: () => import("../algorithms/schema"),
  blocks: () => import("../blocks/schema"),
  feed: () => import("./schema"),
  miner: () => import("../miner/schema"),
  operate: () => import("../operate/schema"),
  payouts: () => import("../payouts/schema"),
} as const;

type Path = readonly (string | number)[];
interface Verdict {
  success: boolean;
  data?: unknown;
  error?: { issues: readonly { path: readonly PropertyKey[]; message: string }[] };
}
interface Reader {
  safeParse(value: unknown): Verdict;
}
/** What zod tells of a schema. */
interface Def {
  type: string;
  shape?: Record<string, Zod>;
  element?: Zod;
  options?: Zod[];
  innerType?: Zod;
  in?: Zod;
  left?: Zod;
  right?: Zod;
  valueType?: Zod;
  entries?: Record<string, string>;
  values?: unknown[];
}
interface Zod extends Reader {
  def: Def;
}

async function readersOf(library: "ours" | "zod"): Promise<Map<string, Reader>> {
  vi.resetModules();
  if (library === "zod") vi.doMock("./z", () => ({ z: oracle }));
  else vi.doUnmock("./z");
  const found = new Map<string, Reader>();
  for (const [name, load] of Object.entries(modules)) {
    for (const [key, value] of Object.entries(await load())) {
      if (typeof value === "object" && value !== null && "safeParse" in value)
        found.set(`${name}.${key}`, value as Reader);
    }
  }
  return found;
}

const texts = ["7", "a".repeat(64), "2026-01-02T03:04:05Z", "x"];

/** Something that the schema takes, with nothing left out. */
function sample(schema: Zod): unknown {
  const { def } = schema;
  const inner = def.innerType ?? def.in;
  if (inner) return sample(inner);
  switch (def.type) {
    case "object":
      return Object.fromEntries(Object.entries(def.shape ?? {}).map(([key, one]) => [key, sample(one)]));
    case "array":
      return [sample(def.element as Zod)];
    case "union":
      return sample(def.options?.[0] as Zod);
    case "intersection":
      return { ...(sample(def.left as Zod) as object), ...(sample(def.right as Zod) as object) };
    case "record":
      return { some: sample(def.valueType as Zod) };
    case "enum":
      return Object.values(def.entries ?? {})[0];
    case "literal":
      return def.values?.[0];
    case "string":
      return texts.find((text) => schema.safeParse(text).success);
    case "number":
      return 7;
    case "boolean":
      return true;
    default:
      return "anything";
  }
}

/** Each place in a value. */
function places(value: unknown, path: Path = []): Path[] {
  if (typeof value !== "object" || value === null) return [path];
  return [
    path,
    ...Object.entries(value).flatMap(([key, part]) =>
      places(part, [...path, Array.isArray(value) ? Number(key) : key]),
    ),
  ];
}

const left = Symbol("left out");
const strange: readonly unknown[] = [
  left,
  null,
  "",
  "x",
  "-12",
  "7.5e3",
  "A".repeat(64),
  0,
  -1,
  1.5,
  1e300,
  2 ** 60,
  Number.NaN,
  Infinity,
  true,
  false,
  [],
  [1, "2"],
  {},
  { name: "n" },
];

function withPart(value: unknown, [key, ...rest]: Path, part: unknown): unknown {
  if (key === undefined) return part === left ? undefined : part;
  if (Array.isArray(value)) return value.map((one, index) => (index === key ? withPart(one, rest, part) : one));
  const copy = { ...(value as Record<string, unknown>) };
  if (rest.length === 0 && part === left) delete copy[key as string];
  else copy[key as string] = withPart(copy[key as string], rest, part);
  return copy;
}

/** What it made of a value, or where that does not fit; the words may differ. */
const verdict = ({ success, data, error }: Verdict) => (success ? { data } : { where: error?.issues[0]?.path });

describe("our shapes and zod", async () => {
  const theirs = await readersOf("zod");
  const ours = await readersOf("ours");
  afterAll(() => vi.doUnmock("./z"));

  it("are about the same schemas", () => {
    expect([...ours.keys()]).toEqual([...theirs.keys()]);
    expect(ours.size).toBeGreaterThan(50);
  });

  it.each([...theirs.keys()])("%s", (name) => {
    const [zod, own] = [theirs.get(name) as Zod, ours.get(name) as Reader];
    const whole = sample(zod);
    expect(own.safeParse(whole).success, "the sample fits").toBe(true);
    for (const path of places(whole)) {
      for (const part of strange) {
        const value = withPart(whole, path, part);
        expect(verdict(own.safeParse(value)), `${path.join(".")} = ${String(part)}`).toEqual(
          verdict(zod.safeParse(value)),
        );
      }
    }
  });
});

describe("a shape", () => {
  it("says where a value does not fit, and throws it if asked to", () => {
    const shape = z.object({ items: z.array(z.object({ at: z.string() })) });
    expect(() => shape.parse({ items: [{ at: "now" }, { at: 7 }] })).toThrow(
      "items.1.at: Invalid input: expected string",
    );
    expect(() => shape.parse(null)).toThrow("value: Invalid input: expected object, received null");
  });

  it.each([
    ["text, long enough", z.string().min(2), oracle.string().min(2)],
    ["text, short enough", z.string().max(2), oracle.string().max(2)],
    ["list, long enough", z.array(z.unknown()).min(1), oracle.array(oracle.unknown()).min(1)],
    ["list, short enough", z.array(z.unknown()).max(1), oracle.array(oracle.unknown()).max(1)],
    ["at most", z.number().max(3), oracle.number().max(3)],
    [
      "one that is refined",
      z.number().refine((value) => value % 2 === 0),
      oracle.number().refine((value) => value % 2 === 0),
    ],
    ["one that may be missing", z.number().optional(), oracle.number().optional()],
  ])("%s", (_, own, zod) => {
    for (const value of [undefined, "", "abc", ...strange.slice(1), [1]])
      expect(verdict(own.safeParse(value)), String(value)).toEqual(verdict(zod.safeParse(value)));
  });
});
