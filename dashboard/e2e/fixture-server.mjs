/**
 * A stand-in for the pool's public API, to develop and test the page without one: REST, `/api/live` and the built page.
 *
 *   node e2e/fixture-server.mjs [port]       (8080; `npm run dev` proxies to it)
 *
 * `POST /fixture/ACTION` changes what it plays: drop, garbage, not-ready, ready, silent, speak, down, up, imbalance, and what
 * `fixture-algorithms.mjs` lists.
 */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { WebSocketServer } from "ws";
import { Algorithms } from "./fixture-algorithms.mjs";
import { Dag, hashOf, randomFrom } from "./fixture-dag.mjs";
import { Money } from "./fixture-money.mjs";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};
/** The policy that the pool serves the page with: the self-test must run under the same one. */
const policy =
  "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/** That of the worker which runs packages' code: it may compile wasm and reach nothing. */
const workerPolicy = "default-src 'none'; script-src 'wasm-unsafe-eval'";

class Fixture {
  constructor({ empty = false, miners = 14, steps = 26, feedMiners = Infinity, busy = false } = {}) {
    /** Everything is large, and everything is wrong. */
    this.busy = busy;
    /** The feed has the fastest only. */
    this.feedMiners = feedMiners;
    this.random = randomFrom(7);
    this.seq = 1000;
    this.ready = true;
    this.silent = false;
    this.empty = empty;
    this.down = false;
    this.imbalance = "0";
    this.findings = [];
    this.listeners = new Set();
    this.told = new Map();
    /** How many feeds were ever opened. */
    this.connections = 0;
    this.algorithms = new Algorithms((type, data) => this.send(this.message(type, data)));
    this.miners = empty ? [] : this.#makeMiners(miners);
    this.money = new Money(this.miners);
    this.dag = new Dag(this.random, this.miners.length > 0 ? this.miners : [{ account: "nobody" }]);
    this.counts = {
      candidate: 0,
      submitted: 0,
      accepted: 0,
      rejected: 0,
      matured: 0,
      paid: 0,
      void: 0,
      blue: 0,
      red: 0,
    };
    this.shares = { accepted: 0, rejected: 0, stale: 0, duplicate: 0, low_difficulty: 0, invalid: 0 };
    this.rate = 18;
    this.history = [];
    this.templateAt = Date.now();
    this.job = 0x5a10;
    if (!empty) {
      if (busy) this.rate = 41_234;
      this.counts = {
        candidate: 1284,
        submitted: 1284,
        accepted: 1271,
        rejected: 13,
        matured: 1226,
        paid: 1190,
        void: 27,
        blue: 1240,
        red: 31,
      };
      this.shares = {
        accepted: 1_482_337,
        rejected: 2914,
        stale: 2210,
        duplicate: 12,
        low_difficulty: 640,
        invalid: 52,
      };
      const start = Date.now() - steps * 1700;
      for (let step = 0; step < steps; step += 1) this.#count(this.dag.step(start + step * 1700));
      for (let second = 600; second > 0; second -= 1) this.#measure(Date.now() - second * 1000);
    }
  }

  #makeMiners(howMany) {
    return Array.from({ length: howMany }, (_, index) => ({
      account: `kaspa:qz${hashOf(this.random, 0).slice(0, 58)}`,
      workers: 1 + Math.floor(this.random() * 5),
      hashrate: (this.busy ? 9e5 : 1) * (4.1e11 * 1.6 ** -(index % 40) + this.random() * 1e10),
      shares: { accepted: Math.floor(this.random() * 200_000), rejected: Math.floor(this.random() * 300) },
      connected_since: new Date(Date.now() - this.random() * 2e8).toISOString(),
      difficulty: 2 ** (4 + Math.floor(this.random() * 9)),
      last_share_at: new Date().toISOString(),
    }));
  }

  #measure(at) {
    this.rate += (this.random() - 0.5) * 1.6 + (18 - this.rate) * 0.03;
    const wave = 1 + 0.08 * Math.sin(at / 90_000) + 0.015 * (this.random() - 0.5);
    const total = this.miners.reduce((sum, miner) => sum + miner.hashrate, 0);
    const paused = !this.ready;
    const point = {
      at: new Date(at).toISOString(),
      hashrate: paused ? total * 0.1 : total * wave,
      shares_per_second: paused || this.miners.length === 0 ? 0 : Math.max(0, this.rate),
    };
    this.history = [...this.history.slice(-599), point];
    return point;
  }

  #count(blocks) {
    const stages = { accepted: "accepted", rejected: "rejected", matured: "matured", paid: "paid", void: "void" };
    for (const block of blocks.filter((one) => one.ours)) {
      const seen = this.told.get(block.hash) ?? {};
      if (!seen.status) {
        this.counts.candidate += 1;
        this.counts.submitted += 1;
      }
      if (seen.status !== block.status && stages[block.status]) this.counts[stages[block.status]] += 1;
      if (seen.color !== block.color && block.color !== "unknown") this.counts[block.color] += 1;
      this.told.set(block.hash, block);
    }
  }

  get stats() {
    const plain = this.#plainStats();
    return this.busy ? tooMuch(plain) : plain;
  }

  #plainStats() {
    const last = this.history.at(-1);
    return {
      pool: {
        hashrate: last?.hashrate ?? 0,
        miners: this.miners.length,
        workers: this.miners.reduce((sum, miner) => sum + miner.workers, 0),
        shares: this.shares,
        shares_per_second: last?.shares_per_second ?? 0,
        effort_basis_points: this.empty ? null : 6_340,
        luck: {
          found: this.counts.candidate,
          expected_millionths: this.empty ? 400 : 1_222_000_000,
          basis_points: this.empty ? null : 10_507,
        },
        currency: { symbol: "SDAG", decimals: 8 },
      },
      network: {
        algorithm: "kheavyhash",
        difficulty: 91_824_553.5,
        hashrate: 3.94e12,
        block_rate: 1 / 1.7,
        ready: this.ready,
        reason: this.ready ? null : "syncing headers (83%)",
      },
      blocks: this.counts,
      ledger: {
        pending: this.empty ? "0" : "1540000000000",
        confirmed: this.empty ? "0" : "52361284417733",
        paid: this.empty ? "0" : "987654321012345678",
        imbalance: this.imbalance,
        findings: this.findings,
      },
    };
  }

  get live() {
    return {
      stats: this.stats,
      miners: this.miners.slice(0, this.feedMiners),
      job:
        this.ready && !this.empty
          ? {
              id: this.job.toString(16),
              algorithm: "kheavyhash",
              height: this.dag.height,
              parents: this.dag.tips,
              age_ms: Date.now() - this.templateAt,
              network_difficulty: 91_824_553.5,
              template_time: new Date(this.templateAt).toISOString(),
            }
          : null,
      node: {
        name: "kaspad-1",
        ready: this.ready,
        reason: this.ready ? null : "syncing headers (83%)",
        endpoint_count: 2,
        last_template_at: new Date(this.templateAt).toISOString(),
        latency_ms: 3.2,
      },
    };
  }

  details(miner) {
    const minutes = (back) => new Date(Date.now() - back * 60_000).toISOString();
    const workers = Array.from({ length: miner.workers }, (_, index) => ({
      name: `rig${index + 1}`,
      hashrate: miner.hashrate / miner.workers,
      difficulty: miner.difficulty,
      last_share_at: miner.last_share_at,
      connected_since: minutes(90 + index),
      shares: {
        accepted: Math.floor(miner.shares.accepted / miner.workers),
        rejected: index === 0 ? miner.shares.rejected : 0,
        stale: index === 0 ? miner.shares.rejected - 1 : 0,
        duplicate: 0,
        low_difficulty: index === 0 ? 1 : 0,
        invalid: 0,
      },
      difficulties: [16, 4, 2, 0.5, 1].map((factor, step) => ({
        at: minutes(80 - step * (14 + index)),
        difficulty: String(miner.difficulty * factor),
      })),
    }));
    workers.push({
      ...workers[0],
      name: "old-rig",
      hashrate: 0,
      difficulty: null,
      connected_since: null,
      last_share_at: minutes(3_000),
      difficulties: [],
    });
    const balance = { pending: "4400000000", confirmed: "128840000017", paid: "9912000000000" };
    const { accepted, rejected } = miner.shares;
    const shares = { accepted, rejected, stale: rejected - 1, duplicate: 0, low_difficulty: 1, invalid: 0 };
    return { account: miner.account, hashrate: miner.hashrate, workers, shares, work: "1", balance };
  }

  hours(miner, back) {
    const newest = Math.floor(Date.now() / 3_600_000) * 3_600_000;
    const items = Array.from({ length: back }, (_, hour) => ({
      at: new Date(newest - (back - 1 - hour) * 3_600_000).toISOString(),
      algorithm: "kheavyhash",
      hashrate: miner.hashrate * (0.8 + 0.3 * Math.abs(Math.sin(hour / 7))),
      accepted: 900 + ((hour * 37) % 120),
      work: "1",
    }));
    // The rig was off for a while.
    return { interval_s: 3600, items: items.filter((_, hour) => hour % 24 < 9 || hour % 24 > 11) };
  }

  snapshot() {
    return {
      ...this.live,
      blocks: [...this.dag.blocks.values()].reverse().slice(0, 60),
      history: this.history,
      currency: { symbol: "SDAG", decimals: 8 },
    };
  }

  message(type, data) {
    this.seq += 1;
    return JSON.stringify({ type, seq: this.seq, at: new Date().toISOString(), data });
  }

  send(text) {
    if (this.silent) return;
    for (const listener of this.listeners) listener.send(text);
  }

  second() {
    this.algorithms.second();
    const point = this.#measure(Date.now());
    this.shares = { ...this.shares, accepted: this.shares.accepted + Math.round(point.shares_per_second) };
    for (const miner of this.miners.slice(0, this.feedMiners)) {
      if (this.ready && this.random() < 0.7) miner.last_share_at = new Date().toISOString();
      miner.hashrate *= 1 + (this.random() - 0.5) * 0.02;
    }
    this.send(this.message("stats", { ...this.live, point }));
    if (this.random() < 0.06) {
      const type = this.random() < 0.6 ? "miner_connected" : "miner_disconnected";
      const peer = {
        session: `${this.seq}`,
        account: "kaspa:qzl4t2",
        worker: "rig7",
        peer: "203.0.113.9:41022",
        at: new Date().toISOString(),
      };
      this.send(this.message(type, peer));
    }
  }

  block() {
    if (!this.ready || this.empty) return;
    this.templateAt = Date.now();
    this.job += 1;
    const changed = this.dag.step(Date.now());
    this.#count(changed);
    for (const block of changed) this.send(this.message("block", block));
  }

  act(action) {
    const actions = {
      drop: () => this.#hangUp(),
      garbage: () => {
        this.send("{ not json");
        this.send(this.message("block", { hash: 7 }));
        this.send(this.message("stats", { stats: "none" }));
      },
      "not-ready": () => {
        this.ready = false;
      },
      ready: () => {
        this.ready = true;
      },
      silent: () => {
        this.silent = true;
      },
      speak: () => {
        this.silent = false;
      },
      down: () => {
        this.down = true;
        this.#hangUp();
      },
      up: () => {
        this.down = false;
      },
      imbalance: () => {
        this.imbalance = "-1";
        this.findings = [{ check: "balances_match_entries", rows: 1 }];
      },
    };
    const act = actions[action] ?? this.algorithms.actions[action] ?? this.money.actions[action];
    act?.();
    return act !== undefined;
  }

  #hangUp() {
    for (const listener of this.listeners) listener.terminate();
  }
}

/** What a large pool says in its worst hour. */
function tooMuch(stats) {
  const since = new Date(Date.now() - 4_980_000).toISOString();
  const away = (component, code, message) => ({ component, code, message, since, figures_at: since });
  return {
    ...stats,
    pool: {
      ...stats.pool,
      miners: 128_406,
      workers: 1_204_311,
      shares: {
        accepted: 98_765_432_109,
        rejected: 12_345_678_901,
        stale: 9_876_543_210,
        duplicate: 1_234_567,
        low_difficulty: 2_345_678_901,
        invalid: 122_222_223,
      },
      effort_basis_points: 91_234,
      luck: { found: 1_284_331, expected_millionths: 2_222_222_000_000, basis_points: 5_780 },
    },
    network: { ...stats.network, difficulty: 9.87654321e17, hashrate: 3.94e19, block_rate: 10 },
    blocks: {
      candidate: 1_284_331,
      submitted: 1_284_330,
      accepted: 1_101_010,
      rejected: 183_320,
      matured: 901_777,
      paid: 402_315,
      void: 199_208,
      blue: 990_001,
      red: 110_998,
    },
    ledger: {
      pending: "987654321012345678",
      confirmed: "1987654321012345678",
      paid: "98765432101234567890",
      imbalance: "-12345678901234",
      findings: [
        { check: "balances_match_entries", rows: 41 },
        { check: "entries_sum_to_zero", rows: 1 },
        { check: "payouts_match_chain", rows: 1_203 },
      ],
    },
    degraded: [
      { ...away("store", "STORE_UNAVAILABLE", "connection refused"), waiting_shares: 12_345_678 },
      away("cache", "CACHE_UNAVAILABLE", "connection refused"),
      away("journal", "JOURNAL_UNAVAILABLE", "journal shard 1: no space is left on the device; shares wait in memory"),
    ],
    stale: true,
  };
}

/** Newest first, by the place in the list. */
function blockPage(fixture, query, ours) {
  const wanted = ["status", "color", "account"].filter((key) => query.get(key));
  const all = [...fixture.dag.archive, ...fixture.dag.blocks.values()].filter(
    (block) => (!ours || block.ours) && wanted.every((key) => block[key] === query.get(key)),
  );
  const end = query.get("cursor") ? Number(query.get("cursor")) : all.length;
  const first = Math.max(0, end - Number(query.get("limit") ?? 50));
  return { items: all.slice(first, end).reverse(), next: first > 0 ? String(first) : null };
}

/** What happened to a block until it was what it is. */
function lifeOf({ status, color, found_at }) {
  const stages = ["candidate", "submitted", "accepted", "matured", "paid"];
  const lost = status === "rejected" || status === "void";
  const until = status === "rejected" ? 2 : status === "void" ? 3 : stages.indexOf(status) + 1;
  const reason = status === "rejected" ? "node: block is not valid any more" : "red when it matured";
  const names = [...stages.slice(0, until), ...(lost ? [status] : [])];
  const steps = names.map((name, index) => ({
    at: new Date(Date.parse(found_at) + index * 2_400).toISOString(),
    status: name,
    color: index < 2 ? "unknown" : color,
    reason: name === status && lost ? reason : null,
  }));
  return { steps, reason: lost ? reason : null };
}

const sorts = {
  account: ({ account }) => account,
  hashrate: ({ hashrate }) => hashrate,
  workers: ({ workers }) => workers,
  accepted: ({ shares }) => shares.accepted,
  rejected: ({ shares }) => shares.rejected,
  difficulty: ({ difficulty }) => difficulty,
  last_share: ({ last_share_at }) => last_share_at,
  connected: ({ connected_since }) => connected_since,
};

function minerPage(fixture, query) {
  const limit = Number(query.get("limit") ?? 50);
  const by = sorts[query.get("sort") ?? "account"];
  const search = (query.get("search") ?? "").toLowerCase();
  const direction = (query.get("order") ?? (query.get("sort") === "account" ? "asc" : "desc")) === "asc" ? 1 : -1;
  const found = fixture.miners.filter(({ account }) => account.includes(search));
  if (query.has("sort")) found.sort((a, b) => (by(a) < by(b) ? -1 : by(a) > by(b) ? 1 : 0) * direction);
  const first = Number((query.get("cursor") ?? "0:").split(":")[0]);
  const items = found.slice(first, first + limit);
  const next = first + limit < found.length ? `${first + limit}:${items.at(-1).account}` : null;
  return { items, next, total: found.length, at: new Date().toISOString() };
}

async function page(path) {
  const wanted = normalize(path).replace(/^(\.\.[/\\])+/, "");
  // Views of the page have no dot in them.
  const name = extname(wanted) === "" && !wanted.startsWith("/api") ? "index.html" : wanted;
  try {
    const body = await readFile(join(dist, name));
    const brotli = await readFile(join(dist, `${name}.br`)).catch(() => null);
    return { body, brotli, type: types[extname(name)] ?? "application/octet-stream" };
  } catch {
    return null;
  }
}

/** Starts the stand-in on loopback; port 0 picks a free one. Resolves to its address and a way to end it. */
export async function startFixture(port = 0, options = {}) {
  const fixture = new Fixture(options);
  const rest = {
    "/api/stats": () => fixture.stats,
    "/api/blocks": (query) => blockPage(fixture, query, true),
    "/api/blocks/dag": (query) => blockPage(fixture, query, false),
    "/fixture/connections": () => fixture.connections,
    "/fixture/configs": () => fixture.algorithms.configs,
    "/api/miners": (query) => minerPage(fixture, query),
  };
  const hours = (pathname) => {
    const account = decodeURIComponent(pathname.match(/^\/api\/miners\/([^/]+)\/hashrate$/)?.[1] ?? "");
    const miner = fixture.miners.find((known) => known.account === account);
    return miner && ((query) => fixture.hours(miner, Number(query.get("hours") ?? 24)));
  };
  const one = (pathname) => {
    const account = decodeURIComponent(pathname.match(/^\/api\/miners\/([^/]+)$/)?.[1] ?? "");
    const miner = fixture.miners.find((known) => known.account === account);
    return miner && (() => fixture.details(miner));
  };
  const block = (pathname) => {
    const hash = pathname.match(/^\/api\/blocks\/([0-9a-f]{64})$/)?.[1];
    const found = fixture.dag.blocks.get(hash) ?? fixture.dag.archive.find((known) => known.hash === hash);
    return found?.ours && (() => ({ ...found, network_work: "187000000000", merging_block: null, ...lifeOf(found) }));
  };
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://fixture");
    if (request.method === "POST" && pathname.startsWith("/fixture/")) {
      response.writeHead(fixture.act(pathname.slice(9)) ? 204 : 404).end();
      return;
    }
    if (fixture.down && pathname.startsWith("/api")) {
      response.writeHead(503).end();
      return;
    }
    if (await fixture.algorithms.serve(request, response, pathname)) return;
    if (pathname === "/api/openapi.json") {
      const description = await readFile(new URL("../openapi.json", import.meta.url));
      response.writeHead(200, { "content-type": "application/json" }).end(description);
      return;
    }
    const money = fixture.money.answer(pathname, searchParams);
    const answer = rest[pathname] ?? one(pathname) ?? hours(pathname) ?? block(pathname) ?? (money && (() => money));
    if (answer) {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer(searchParams)));
      return;
    }
    const file = await page(pathname === "/api/docs" ? "/api-docs.html" : pathname);
    if (!file) response.writeHead(404).end();
    else {
      // As the pool does it, so that sizes are those of the pool.
      const packed = (request.headers["accept-encoding"] ?? "").includes("br") && file.brotli !== null;
      response
        .writeHead(200, {
          "content-type": file.type,
          "content-security-policy": pathname.startsWith("/assets/bench-worker-") ? workerPolicy : policy,
          ...(packed ? { "content-encoding": "br" } : {}),
        })
        .end(packed ? file.brotli : file.body);
    }
  });
  const sockets = new WebSocketServer({ noServer: true });
  server.on("upgrade", (request, socket, head) => {
    if (fixture.down) {
      socket.destroy();
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) => {
      fixture.connections += 1;
      fixture.listeners.add(client);
      client.on("close", () => fixture.listeners.delete(client));
      client.send(fixture.message("snapshot", fixture.snapshot()));
    });
  });
  const timers = [
    setInterval(() => fixture.second(), 1000),
    setInterval(() => fixture.block(), options.blockMs ?? 1700),
  ];
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    stop: () => {
      for (const timer of timers) clearInterval(timer);
      fixture.act("down");
      server.closeAllConnections();
      server.close();
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await startFixture(Number(process.argv[2] ?? 8080));
  console.log(`fixture pool at ${url}`);
}
