/** An account's earnings, statements and proofs, as the pool serves them: with a real tree, so that VERIFY has something to check. */
import { createHash } from "node:crypto";

const hash = (...parts) => {
  const digest = createHash("sha256");
  for (const part of parts) digest.update(part);
  return digest.digest();
};

const bytes = (value, length) =>
  Buffer.from(
    BigInt(value)
      .toString(16)
      .padStart(length * 2, "0"),
    "hex",
  );
const leaf = ({ account, work }) => hash(Buffer.of(0), bytes(account.length, 2), Buffer.from(account), bytes(work, 16));
const node = (left, right) => hash(Buffer.of(1), left, right);

/** Root and branch of one leaf, by RFC 6962's definition. */
function tree(leaves, index) {
  if (leaves.length === 1) return { root: leaves[0], branch: [] };
  let half = 1;
  while (half * 2 < leaves.length) half *= 2;
  const [left, right] = [leaves.slice(0, half), leaves.slice(half)];
  const [own, other] = index < half ? [tree(left, index), tree(right, 0)] : [tree(right, index - half), tree(left, 0)];
  const root = index < half ? node(own.root, other.root) : node(other.root, own.root);
  return { root, branch: [...own.branch, other.root.toString("hex")] };
}

const reward = 44_000_000_000n;
const feeBasisPoints = 100n;

export class Money {
  constructor(miners) {
    this.accounts = miners.map(({ account }) => account).sort();
    this.forged = false;
    this.payouts = true;
  }

  #lines(block) {
    const seed = Number.parseInt(block.slice(0, 6), 16);
    return this.accounts.map((account, index) => ({
      account,
      work: String(1_000_000 + ((seed >> (index % 9)) % 9_999)),
    }));
  }

  statement(block, first = 0, limit = 25) {
    const lines = this.#lines(block);
    const total = lines.reduce((sum, { work }) => sum + BigInt(work), 0n);
    return {
      block,
      height: 4711,
      algorithm: "kheavyhash",
      account: this.accounts[0],
      found_at: new Date().toISOString(),
      scheme: "pplns",
      factor_basis_points: 20_000,
      fee_basis_points: Number(feeBasisPoints),
      network_work: String(total / 2n),
      window_work: String(total),
      shares: { first: 1_481_022, first_counted: "512", last: 1_482_337 },
      total_work: String(total),
      reward: String(reward),
      red_merge_income: null,
      fee: { reward: String((reward * feeBasisPoints) / 10_000n), red_merge_income: null },
      root: tree(lines.map(leaf), 0).root.toString("hex"),
      accounts: lines.length,
      items: lines.slice(first, first + limit).map(({ account, work }, index) => ({
        index: first + index,
        account,
        work,
        reward: null,
        red_merge_income: null,
        amount: String(((reward - (reward * feeBasisPoints) / 10_000n) * BigInt(work)) / total),
      })),
      next: first + limit < lines.length ? String(first + limit) : null,
    };
  }

  proof(block, account) {
    const lines = this.#lines(block);
    const index = lines.findIndex((line) => line.account === account);
    if (index < 0) return null;
    const { root, total_work } = this.statement(block);
    const { branch } = tree(lines.map(leaf), index);
    const { work } = lines[index];
    const rest = reward - (reward * feeBasisPoints) / 10_000n;
    const part = (rest * BigInt(work)) / BigInt(total_work);
    return {
      format: "dagpool-proof-1",
      block,
      algorithm: "kheavyhash",
      scheme: "pplns",
      root,
      account,
      work: this.forged ? String(BigInt(work) + 1n) : work,
      proof: { index, count: lines.length, branch },
      total_work,
      fee_basis_points: Number(feeBasisPoints),
      reward: String(reward),
      red_merge_income: null,
      reward_part: String(part),
      red_merge_part: null,
    };
  }

  earnings(account, cursor) {
    if (!this.accounts.includes(account)) return { items: [], next: null };
    const states = ["pending", "pending", "confirmed", "voided", "confirmed", "confirmed"];
    const page = cursor === null ? 0 : 1;
    const items = states.map((state, index) => ({
      id: String(900 - page * 10 - index),
      block: hash(`block ${page} ${index}`).toString("hex"),
      height: 4711 - index,
      status: state === "pending" ? "accepted" : state === "voided" ? "void" : "paid",
      color: state === "voided" ? "red" : "blue",
      income: index === 4 ? "red_merge" : "block",
      revision: 1,
      amount: index === 4 ? "17" : "3111428571",
      state,
      credited_at: new Date(Date.now() - (page * 6 + index) * 61_000).toISOString(),
      ended_at: null,
    }));
    return { items, next: page === 0 ? "895" : null };
  }

  paid() {
    const at = new Date(Date.now() - 86_400_000).toISOString();
    const txid = hash("payout").toString("hex");
    return {
      items: [
        { id: 12, amount: "250000000000", state: "broadcast", txid, created_at: at, confirmed_at: null, reason: null },
        { id: 7, amount: "9912000000000", state: "confirmed", txid, created_at: at, confirmed_at: at, reason: null },
      ],
      next: null,
    };
  }

  /** The answer to a path; null for those of others. */
  answer(pathname, query) {
    const miner = pathname.match(/^\/api\/miners\/([^/]+)\/(earnings|payouts)$/);
    if (miner?.[2] === "earnings") return this.earnings(decodeURIComponent(miner[1]), query.get("cursor"));
    if (miner && this.payouts) return this.paid();
    const block = pathname.match(/^\/api\/blocks\/([0-9a-f]{64})\/(statement|proof)$/);
    if (block?.[2] === "statement") {
      return this.statement(block[1], Number(query.get("cursor") ?? 0), Number(query.get("limit") ?? 25));
    }
    if (block) return this.proof(block[1], query.get("account"));
    return null;
  }

  actions = {
    "forge-proofs": () => {
      this.forged = true;
    },
    "no-payouts": () => {
      this.payouts = false;
    },
  };
}
