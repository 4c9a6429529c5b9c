/**
 * Checks a block's proof in the browser: that the account's line is below the block's root, and that the amounts are that
 * line's share of what the chain gave. The same checks as `dagpool ledger verify-proof`; the bytes are described in
 * `pool-actors/docs/proofs.md`.
 */
import type { Proof } from "./schema";
import { sha256 } from "./sha256";

export type Verdict = { valid: true } | { valid: false; reason: string };

const wrong = (reason: string): Verdict => ({ valid: false, reason });

export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function join(...parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function bigEndian(value: bigint, length: number): Uint8Array {
  return bytesOf(value.toString(16).padStart(length * 2, "0"));
}

/** H(0 | length of the account, 2 bytes | account | work, 16 bytes). */
function leafOf(account: string, work: bigint): Uint8Array {
  const name = new TextEncoder().encode(account);
  return sha256(join(Uint8Array.of(0), bigEndian(BigInt(name.length), 2), name, bigEndian(work, 16)));
}

/** H(1 | left | right). */
const nodeOf = (left: Uint8Array, right: Uint8Array) => sha256(join(Uint8Array.of(1), left, right));

/** The root that a line and its branch lead to; null when the branch is not of this tree. */
export function rootOf(account: string, work: bigint, { index, count, branch }: Proof["proof"]): string | null {
  if (index >= count) return null;
  const rest = branch.map(bytesOf);
  let hash = leafOf(account, work);
  for (let [at, width] = [index, count]; width > 1; [at, width] = [Math.floor(at / 2), Math.ceil(width / 2)]) {
    // The last node of an odd level has no sibling and moves up unchanged.
    const alone = at % 2 === 0 && at + 1 === width;
    if (alone) continue;
    const sibling = rest.shift();
    if (!sibling) return null;
    hash = at % 2 === 0 ? nodeOf(hash, sibling) : nodeOf(sibling, hash);
  }
  return rest.length === 0 ? hexOf(hash) : null;
}

/** Largest remainder gives each account its share rounded down, or one unit more. */
function partFault(name: string, whole: string | null, part: string | null, proof: Proof): string | null {
  if (whole === null || part === null) return whole === part ? null : `${name}: one of whole and part is missing`;
  const all = BigInt(whole);
  const rest = all - (all * BigInt(proof.fee_basis_points)) / 10_000n;
  const least = (rest * BigInt(proof.work)) / BigInt(proof.total_work);
  const got = BigInt(part);
  return got === least || got === least + 1n
    ? null
    : `${name} is ${got}, by the figures it must be ${least} or one unit more`;
}

/** Whether a document proves what it says; `root` is the one known from elsewhere, such as the block's statement. */
export function verify(proof: Proof, root: string | null = null): Verdict {
  if (root !== null && root !== proof.root) return wrong(`the root is ${proof.root}, expected ${root}`);
  if (rootOf(proof.account, BigInt(proof.work), proof.proof) !== proof.root)
    return wrong(`the line of ${proof.account} is not below the root`);
  if (BigInt(proof.total_work) < BigInt(proof.work) || BigInt(proof.total_work) === 0n)
    return wrong("the line's work is more than all work");
  const fault =
    partFault("the part of the reward", proof.reward, proof.reward_part, proof) ??
    partFault("the part of the income for merged reds", proof.red_merge_income, proof.red_merge_part, proof);
  return fault === null ? { valid: true } : wrong(fault);
}
