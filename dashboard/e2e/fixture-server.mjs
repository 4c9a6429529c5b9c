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
  constructor({ empty = false, miners = 14 } = {}) {
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
      const start = Date.now() - 26 * 1700;
      for (let step = 0; step < 26; step += 1) this.#count(this.dag.step(start + step * 1700));
      for (let second = 600; second > 0; second -= 1) this.#measure(Date.now() - second * 1000);
    }
  }

  #makeMiners(howMany) {
    return Array.from({ length: howMany }, (_, index) => ({
      account: `kaspa:qz${hashOf(this.random, 0).slice(0, 58)}`,
      workers: 1 + Math.floor(this.random() * 5),
      hashrate: 4.1e11 * 1.6 ** -(index % 40) + this.random() * 1e10,
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
    const last = this.history.at(-1);
    return {
      pool: {
        hashrate: last?.hashrate ?? 0,
        miners: this.miners.length,
        workers: this.miners.reduce((sum, miner) => sum + miner.workers, 0),
        shares: this.shares,
        shares_per_second: last?.shares_per_second ?? 0,
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
        pending: "1540000000000",
        confirmed: "52361284417733",
        paid: "987654321012345678",
        imbalance: this.imbalance,
        findings: this.findings,
      },
    };
  }

  get live() {
    return {
      stats: this.stats,
      miners: this.miners,
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
    const workers = Array.from({ length: miner.workers }, (_, index) => ({
      name: `rig${index + 1}`,
      hashrate: miner.hashrate / miner.workers,
      difficulty: miner.difficulty,
      last_share_at: miner.last_share_at,
      shares: { accepted: Math.floor(miner.shares.accepted / miner.workers), rejected: 0 },
    }));
    const balance = { pending: "4400000000", confirmed: "128840000017", paid: "9912000000000" };
    return { account: miner.account, workers, shares: miner.shares, work: "1", balance };
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
    for (const miner of this.miners) {
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

async function page(path) {
  const wanted = normalize(path).replace(/^(\.\.[/\\])+/, "");
  // Views of the page have no dot in them.
  const name = extname(wanted) === "" && !wanted.startsWith("/api") ? "index.html" : wanted;
  try {
    return { body: await readFile(join(dist, name)), type: types[extname(name)] ?? "application/octet-stream" };
  } catch {
    return null;
  }
}

/** Starts the stand-in on loopback; port 0 picks a free one. Resolves to its address and a way to end it. */
export async function startFixture(port = 0, options = {}) {
  const fixture = new Fixture(options);
  const rest = {
    "/api/stats": () => fixture.stats,
    "/api/blocks": () => ({
      items: [...fixture.dag.blocks.values()].filter((block) => block.ours).reverse(),
      next: null,
    }),
    "/fixture/connections": () => fixture.connections,
    "/fixture/configs": () => fixture.algorithms.configs,
    "/api/miners": () => ({ items: fixture.miners, next: null }),
  };
  const one = (pathname) => {
    const account = decodeURIComponent(pathname.match(/^\/api\/miners\/([^/]+)$/)?.[1] ?? "");
    const miner = fixture.miners.find((known) => known.account === account);
    return miner && (() => fixture.details(miner));
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
    const money = fixture.money.answer(pathname, searchParams);
    const answer = rest[pathname] ?? one(pathname) ?? (money && (() => money));
    if (answer) {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer()));
      return;
    }
    const file = await page(pathname);
    if (!file) response.writeHead(404).end();
    else
      response
        .writeHead(200, {
          "content-type": file.type,
          "content-security-policy": pathname.startsWith("/assets/bench-worker-") ? workerPolicy : policy,
        })
        .end(file.body);
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
