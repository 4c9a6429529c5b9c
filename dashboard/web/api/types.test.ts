import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { generate, type OpenApi, typed } from "./generate";

const at = (path: string): string => `${import.meta.dirname}/${path}`;
const document = JSON.parse(readFileSync(at("../../openapi.json"), "utf8")) as OpenApi;

describe("types of the API", () => {
  it("are those of openapi.json: `npm run api-types` makes them anew", () => {
    const made = generate(document);
    if (process.env.DAGPOOL_WRITE_OPENAPI !== undefined) writeFileSync(at("types.ts"), made);
    expect(existsSync(at("types.ts")) ? readFileSync(at("types.ts"), "utf8") : "").toBe(made);
  });

  it("follow each kind of schema", () => {
    for (const [schema, type] of [
      [{}, "unknown"],
      [{ $ref: "#/components/schemas/Stats" }, "Stats"],
      [{ const: 7 }, "7"],
      [{ type: "string", enum: ["a", "b"] }, '"a" | "b"'],
      [{ type: ["integer", "null"] }, "number | null"],
      [{ type: "strange" }, "unknown"],
      [{ type: "array" }, "unknown[]"],
      [{ type: "array", items: { type: "string" } }, "string[]"],
      [{ type: "array", items: { anyOf: [{ type: "string" }, { type: "null" }] } }, "(string | null)[]"],
      [{ oneOf: [{ type: "boolean" }, { $ref: "x/Y" }] }, "boolean | Y"],
      [{ allOf: [{ $ref: "x/Y" }, { $ref: "x/Z" }] }, "Y & Z"],
      [{ type: "object" }, "Record<string, unknown>"],
      [{ type: "object", additionalProperties: { type: "number" } }, "Record<string, number>"],
      [{ properties: { a: {} } }, "{\n  a?: unknown;\n}"],
      [
        { type: "object", required: ["a"], properties: { a: { type: "string", description: "what\n*/ it is" } } },
        "{\n  /** what * / it is */\n  a: string;\n}",
      ],
    ] as const) {
      expect(typed(structuredClone(schema) as Parameters<typeof typed>[0])).toBe(type);
    }
  });
});
