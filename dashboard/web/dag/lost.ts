import type { Block } from "../feed/schema";

/** A block that will never pay: its glyph is struck through. */
export function lost(block: Pick<Block, "status">): boolean {
  return block.status === "rejected" || block.status === "void";
}
