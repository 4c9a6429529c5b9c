import { createHash, getRandomValues } from "node:crypto";
import { describe, expect, it } from "vitest";
import { hexOf, rootOf, verify } from "./proof";
import { proof } from "./schema";
import { sha256 } from "./sha256";

const bytes = (text: string) => new TextEncoder().encode(text);

describe("sha256", () => {
  it("gives the standard's vectors", () => {
    // FIPS 180-4 examples; the empty message; a million times "a".
    expect(hexOf(sha256(bytes("")))).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect(hexOf(sha256(bytes("abc")))).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect(hexOf(sha256(bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")))).toBe(
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    );
    expect(hexOf(sha256(bytes("a".repeat(1_000_000))))).toBe(
      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
    );
  });

  it("agrees with another implementation at every length around a block's end", () => {
    for (let length = 0; length < 200; length += 1) {
      const message = getRandomValues(new Uint8Array(length));
      expect(hexOf(sha256(message))).toBe(createHash("sha256").update(message).digest("hex"));
    }
  });
});

// Five accounts account000 to account004 with work 1 to 5: the same numbers are in pool-domain's tests.
const root = "eb1a9bb79e81bd7961f80377c3107f5d99bff12cd78e73f6de866efc80fb5542";
const last = {
  index: 4,
  count: 5,
  branch: ["9fc7827dd50a942e8b125ab5b90cd3848f69b4388a21c5b0acbb8348f1dd08b9"],
};
const second = {
  index: 1,
  count: 5,
  branch: [
    "a616bb1726457fb9322467d8720d5b35e4b456b775be9ed62fb9472d4d6c2d2c",
    "588c4a42f9bbc21726177600b345997b0cca7de5f37379a37e1a8f4870ee9297",
    "4eaefee6812f40b906143dbd4893062f76d281e86af01885af1398c56a002b65",
  ],
};

const document = proof.parse({
  format: "dagpool-proof-1",
  block: "07".repeat(32),
  algorithm: "blake2s",
  scheme: "pplns",
  root,
  account: "account001",
  work: "2",
  proof: second,
  total_work: "15",
  fee_basis_points: 100,
  reward: "1001",
  red_merge_income: null,
  reward_part: "132",
  red_merge_part: null,
});

describe("a proof", () => {
  it("leads to the root that the pool's own code computes", () => {
    expect(rootOf("account001", 2n, second)).toBe(root);
    expect(rootOf("account004", 5n, last)).toBe(root);
    expect(verify(document)).toEqual({ valid: true });
    expect(verify(document, root)).toEqual({ valid: true });
    expect(verify({ ...document, reward_part: "133" })).toEqual({ valid: true });
    expect(verify({ ...document, reward: null, reward_part: null })).toEqual({ valid: true });
  });

  it("is refused when anything in it was changed", () => {
    const reason = (change: object, known: string | null = null) => {
      const verdict = verify({ ...document, ...change }, known);
      return verdict.valid ? "valid" : verdict.reason;
    };
    expect(reason({}, "ab".repeat(32))).toContain("expected abab");
    expect(reason({ work: "3" })).toContain("not below the root");
    expect(reason({ account: "account002" })).toContain("not below the root");
    expect(reason({ proof: { ...second, index: 2 } })).toContain("not below the root");
    expect(reason({ proof: { ...second, index: 5 } })).toContain("not below the root");
    expect(reason({ proof: { ...second, branch: second.branch.slice(1) } })).toContain("not below the root");
    expect(reason({ proof: { ...second, branch: [...second.branch, root] } })).toContain("not below the root");
    expect(reason({ total_work: "1" })).toContain("more than all work");
    expect(reason({ reward_part: "134" })).toContain("must be 132 or one unit more");
    expect(reason({ reward_part: null })).toContain("missing");
    expect(reason({ red_merge_income: "5" })).toContain("merged reds");
  });
});
