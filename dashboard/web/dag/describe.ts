import type { Block } from "../feed/schema";

const colors = { blue: "blue", red: "red", unknown: "colour pending" } as const;

/** The letter inside a block's glyph. */
export const letters = { blue: "B", red: "R", unknown: "?" } as const;

/** The part of a hash that is written below its glyph: the start is zeros, the end tells blocks apart. */
export function tail(hash: string): string {
  return hash.slice(-6);
}

/** A block in one sentence, for those who hear the page. Starts with what is written on it (WCAG 2.5.3). */
export function describeBlock(block: Block): string {
  const written = [letters[block.color], tail(block.hash), block.ours ? block.status : null].filter(Boolean).join(" ");
  const parts = [
    written,
    block.ours ? "our block" : "block of others",
    colors[block.color],
    `height ${block.height ?? "unknown"}`,
  ];
  parts.push(`${block.parents.length} ${block.parents.length === 1 ? "parent" : "parents"}`);
  return parts.join(", ");
}
