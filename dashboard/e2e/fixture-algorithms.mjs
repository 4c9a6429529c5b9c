/**
 * The stand-in's algorithms: staging, a roll-out that moves by itself, and everything that goes wrong on request.
 *
 * Shapes are those of the pool's routes below `/api/algorithms` and `/api/deployments`.
 */

const tokens = { "operator-token": "operator", "viewer-token": "viewer" };
const checks = [
  ["container", "9 entries, 148 KiB, no duplicates, no links"],
  ["manifest", "blake3 1.1.0; name, version and output size agree with the code"],
  ["signature", "Ed25519, key 9f2c41d07ab3e865 (trusted for wasm and native)"],
  ["compatibility", "engine 0.1.0 is new enough; sse4.1 and avx2 are there; 64 MiB of 15.6 GiB"],
  ["test_vectors", "24 of 24 right"],
  ["determinism", "1,000 inputs twice, over 3 instances: the same hashes"],
  ["benchmark", "5.71 MH/s of 7.50 MH/s expected"],
  ["resource_limits", "2 memory pages, 0.2 µs per hash, no growth"],
];
const percents = [5, 10, 25, 50, 75, 100];
const provingInput =
  "01000000a4f3c1d29be00d7788123c5b6f90ad3e41b2c7d8e9f00112233445566778899aabbccddeeff00f1e2d3c4b5a69788796a5b4c3d2e1f0a1b2c3d4e5f60718293a4b5c6d7e8f9010203040";

const errorOf = (code, message, more = {}) => ({
  error: {
    id: "err-7f3a91c2",
    code,
    message,
    details: null,
    suggested_actions: [],
    documentation_link: `/docs/errors/${code}`,
    severity: "error",
    timestamp: new Date().toISOString(),
    ...more,
  },
});

const ago = (seconds) => new Date(Date.now() - seconds * 1000).toISOString();
const order = ["warm", "shadow", ...percents.map((part) => `${part}%`), "draining"];
const durations = { warm: 0, shadow: 300, draining: 0 };

function named(name, version) {
  const digest = "9f2c41d07ab3e865b0c1d2e3f4a5968778695a4b3c2d1e0f9e8d7c6b5a493827";
  return { algorithm_id: `${name}_${version}`, name, version, hash_function: name, source: "package", digest };
}

const proof = {
  cause: "hash_differs",
  detail: provingInput,
  input: provingInput,
  got: "3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046deb",
  expected: "3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea",
};

export class Algorithms {
  constructor(tell) {
    this.tell = tell;
    this.served = true;
    this.broken = null;
    this.irreversible = false;
    this.limited = false;
    this.canStage = true;
    this.staged = null;
    this.current = null;
    this.active = named("blake3", "1.0.0");
    this.wave = 0;
    this.number = 41;
    this.past = this.#past();
    this.uploads = 0;
    this.configs = [];
  }

  #past() {
    const done = (id, from, to, began, took, more) => ({
      deployment_id: String(id),
      algorithm_id: to.algorithm_id,
      algorithm: to,
      replaces: from,
      kind: "upgrade",
      strategy: "gradual",
      phase: "retired",
      progress: 100,
      traffic_split: 100,
      phases: order.map((name) => ({ name, status: "completed", duration: durations[name] ?? 600 })),
      health: { status: "healthy", reason: null, candidate: null, control: null },
      rollback: null,
      rollback_on_error: true,
      at: null,
      created_at: ago(began),
      updated_at: ago(began - took),
      by: "operator",
      status: "completed",
      trail: [],
      ...more,
    });
    const line = (seconds, stage, action, by, detail = null, traffic = 0) => ({
      at: ago(seconds),
      action,
      stage,
      traffic_split: traffic,
      by,
      detail,
    });
    return [
      done(41, named("blake3", "1.0.0"), named("blake3", "1.0.1"), 9_000, 140, {
        status: "rolled_back",
        rollback: proof,
        trail: [
          line(9_000, "staged", "deploy", "operator", "gradual, 300 s shadow, 600 s per phase"),
          line(8_999, "warm", "passed", "supervisor", "24 of 24 vectors right"),
          line(8_860, "rolled_back", "failed", "supervisor", "hash differs after 41,207 of 48,112 compared shares"),
        ],
      }),
      done(40, named("blake3", "0.9.4"), named("blake3", "1.0.0"), 14_000, 3_940, {
        trail: order.map((stage, index) =>
          line(14_000 - index * 440, stage, index === 0 ? "deploy" : "passed", index === 0 ? "operator" : "supervisor"),
        ),
      }),
      done(39, named("blake3", "0.9.4"), named("blake3", "0.9.5"), 90_000, 1_000, {
        status: "rolled_back",
        rollback: { cause: "requested", detail: "wrong build", input: null, got: null, expected: null },
      }),
    ];
  }

  get status() {
    const { current } = this;
    return {
      active_algorithm: this.active,
      staged_algorithm: this.staged,
      migration_state: current && {
        deployment_id: current.deployment_id,
        status: current.status,
        phase: current.phase,
        progress: current.progress,
        traffic_split: current.traffic_split,
        phases: current.phases,
        health: current.health.status,
        health_reason: current.health.reason,
      },
      deployment: current && this.#bare(current),
      health: current && this.#open() ? current.health.status : "healthy",
      health_reason: (this.#open() && current.health.reason) || null,
      performance_metrics: { slots: this.slots() },
    };
  }

  #bare({ trail, ...deployment }) {
    return deployment;
  }

  #open() {
    return this.current !== null && ["running", "paused", "scheduled", "pending"].includes(this.current.status);
  }

  slots() {
    const candidate = this.#open() ? this.current.traffic_split : 0;
    const slot = (number, generation, algorithm, life, traffic, group) => ({
      slot: number,
      generation,
      algorithm,
      life,
      traffic_split: traffic,
      in_flight: traffic > 0 ? 3 : 0,
      figures: this.#figures(group),
    });
    const first = slot(0, 3, this.active, "serving", 100 - candidate, "control");
    if (!this.#open()) return [first];
    return [first, slot(1, 4, named("blake3", "1.1.0"), candidate > 0 ? "serving" : "shadow", candidate, "candidate")];
  }

  #figures(group) {
    const candidate = group === "candidate";
    const slow = candidate && this.current?.health.status === "degraded";
    const sway = 1 + 0.08 * Math.sin(this.wave / 9 + (candidate ? 1 : 0)) + 0.03 * Math.sin(this.wave / 1.7);
    const shares = Math.round((candidate ? 190 : 1_800) * (20 + this.wave));
    return {
      shares,
      accepted: Math.round(shares * 0.998),
      low_difficulty: Math.round(shares * 0.0019 * sway),
      hashes: shares,
      compared: candidate ? shares : 0,
      errors: slow ? Math.ceil(shares * 0.0004) : 0,
      traps: 0,
      blocks: 0,
      median_ns: Math.round((candidate ? 181 : 176) * sway),
      p99_ns: Math.round((candidate ? 2_230 : 2_450) * sway * (slow ? 1.9 : 1)),
    };
  }

  /** One second: the groups' figures go on. */
  second() {
    if (!this.#open()) return;
    this.wave += 1;
    this.#measure();
  }

  #measure() {
    this.current.health = {
      ...this.current.health,
      candidate: this.#figures("candidate"),
      control: this.#figures("control"),
    };
  }

  report() {
    return {
      validation_results: checks.map(([check, message]) => {
        const slow = check === "benchmark";
        const more = slow ? { severity: "warning", code: "PERFORMANCE_WARNING" } : { severity: "info" };
        return { check, ok: true, ...more, message };
      }),
      benchmark_results: { hashrate: 5_710_000, expected: 7_500_000, performance_score: 0.761 },
      warnings: ["slower than its manifest says: 0.76 of the expected hash rate on this machine"],
      next_steps: ["Review validation and benchmark results", "Configure deployment strategy", "Deploy when ready"],
    };
  }

  stage() {
    this.staged = {
      ...named("blake3", "1.1.0"),
      ...this.report(),
      migration_from: ["blake2s", "blake3"],
      rollback_supported: !this.irreversible,
    };
    return { algorithm_id: "blake3_1.1.0", status: "staged", ...this.report() };
  }

  get plan() {
    return {
      from: this.active,
      to: named("blake3", "1.1.0"),
      kind: "upgrade",
      strategy: "gradual",
      phases: order.map((name) => ({
        name,
        duration: durations[name] ?? 600,
        traffic_split: Number.parseInt(name, 10) || (name === "draining" ? 100 : 0),
      })),
      shadow_percentage: 1,
      rollback_on_error: true,
      notification_channels: [],
      channels: ["ops-mail", "pager"],
      at: null,
      estimated_duration: 3_930,
      isolation: "wasm",
      needs_confirmation: this.irreversible,
      needs_override: this.limited ? "blake2s" : null,
      obstacles: this.#open() ? ["another deployment is under way"] : [],
      warnings: this.report().warnings,
    };
  }

  deploy(config) {
    this.configs.push(config);
    this.number += 1;
    const now = new Date().toISOString();
    const scheduled = config.strategy === "scheduled";
    this.current = {
      ...this.past[0],
      deployment_id: String(this.number),
      algorithm_id: "blake3_1.1.0",
      algorithm: named("blake3", "1.1.0"),
      replaces: this.active,
      strategy: config.strategy,
      status: scheduled ? "scheduled" : "running",
      rollback: null,
      at: config.at ?? null,
      created_at: now,
      updated_at: now,
      health: { status: "healthy", reason: null, candidate: null, control: null },
      trail: [],
    };
    this.wave = 0;
    this.#measure();
    this.#move(scheduled ? "staged" : "shadow", "operator", "deploy");
    return {
      deployment_id: this.current.deployment_id,
      status: this.current.status,
      estimated_duration: 3_930,
      monitoring_url: `/api/deployments/${this.current.deployment_id}`,
    };
  }

  #news() {
    this.tell("deployment", this.#bare(this.current));
  }

  #note(stage, by, action, detail = null) {
    const at = new Date().toISOString();
    this.current.updated_at = at;
    this.current.trail.push({ at, action, stage, traffic_split: this.current.traffic_split, by, detail });
  }

  #move(phase, by = "supervisor", action = "passed") {
    const { current } = this;
    const at = order.indexOf(phase);
    const status = (index) => (index < at ? "completed" : index > at ? "pending" : "active");
    current.phase = phase;
    current.progress = Math.max(0, Math.round((at / order.length) * 10_000) / 100);
    current.traffic_split = Number.parseInt(phase, 10) || (phase === "draining" ? 100 : 0);
    current.phases = order.map((name, index) => ({ name, status: status(index), duration: durations[name] ?? 600 }));
    this.#note(phase, by, action);
    this.#news();
  }

  #end(status, rollback) {
    const { current } = this;
    Object.assign(current, { status, rollback, traffic_split: status === "completed" ? 100 : 0 });
    for (const phase of current.phases) if (phase.status === "active") phase.status = "failed";
    this.#note(status, rollback?.cause === "requested" ? "operator" : "supervisor", "failed");
    this.#news();
    this.past.unshift(current);
  }

  steer(id, action) {
    const { current } = this;
    if (!this.#open() || current.deployment_id !== id)
      return errorOf("DEPLOYMENT_NOT_UNDER_WAY", `deployment ${id} is not under way`);
    if (action === "pause" || action === "resume") {
      current.status = action === "pause" ? "paused" : "running";
      this.#note(current.phase, "operator", action);
      this.#news();
    } else if (action === "advance") this.advance();
    else
      this.#end("rolled_back", {
        ...proof,
        cause: "requested",
        detail: "an operator asked for it",
        input: null,
        got: null,
        expected: null,
      });
    return null;
  }

  advance() {
    this.#move(order[order.indexOf(this.current.phase) + 1], "operator", "advance");
  }

  /** What `POST /fixture/ACTION` plays. */
  get actions() {
    return {
      "algorithms-off": () => {
        this.served = false;
      },
      "stage-now": () => this.stage(),
      "deploy-now": () => this.deploy({ strategy: "gradual", rollback_on_error: true }),
      "next-phase": () => this.advance(),
      degrade: () => {
        this.current.health.status = "degraded";
        this.current.health.reason = "its 99th percentile is 4,237 ns per hash, the control group's 2,450 ns";
        this.#news();
      },
      "wrong-hash": () => this.#end("rolled_back", proof),
      "no-shelf": () => {
        this.canStage = false;
      },
      irreversible: () => {
        this.irreversible = true;
      },
      "limited-by-author": () => {
        this.limited = true;
      },
      "refuse-package": () => {
        this.broken = "package";
      },
      "refuse-deploy": () => {
        this.broken = "deploy";
      },
      mend: () => {
        this.broken = null;
      },
    };
  }

  /** Takes a request below `/api/algorithms` or `/api/deployments`; false if it is none. */
  async serve(request, response, pathname) {
    if (!/^\/api\/(algorithms|deployments|auth\/me)/.test(pathname)) return false;
    const say = (status, body) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    if (pathname === "/api/algorithms/status") {
      if (this.served) say(200, this.status);
      else say(404, errorOf("NOT_FOUND", "there is no /api/algorithms/status"));
      return true;
    }
    const role = tokens[request.headers.authorization?.replace(/^Bearer /, "") ?? ""];
    if (!role) {
      request.resume();
      say(
        401,
        errorOf("UNAUTHORIZED", `${pathname} needs the admin token`, {
          severity: "warning",
          suggested_actions: [
            {
              action: "Send the admin token that the pool printed at its start",
              command: "curl -H 'Authorization: Bearer TOKEN' URL",
              priority: "high",
            },
          ],
        }),
      );
      return true;
    }
    if (!this.served) say(404, errorOf("NOT_FOUND", `there is no ${pathname}`));
    else if (request.method === "GET") this.#read(pathname, role, say);
    else await this.#change(request, pathname, role, say);
    return true;
  }

  #read(pathname, role, say) {
    const id = pathname.match(/^\/api\/deployments\/([^/]+)$/)?.[1];
    const all = [...(this.#open() ? [this.current] : []), ...this.past];
    const one = all.find((known) => known.deployment_id === id);
    if (pathname === "/api/auth/me") say(200, { username: role === "viewer" ? "vera" : "olga", role });
    else if (pathname === "/api/algorithms/plan")
      say(this.staged ? 200 : 409, this.staged ? this.plan : errorOf("NO_STAGED_ALGORITHM", "nothing is staged"));
    else if (pathname === "/api/algorithms")
      say(200, { active: this.active, staged: this.staged, slots: this.slots(), can_stage: this.canStage });
    else if (pathname === "/api/deployments") say(200, { items: all.map((each) => this.#bare(each)), next: null });
    else if (one) say(200, one);
    else say(404, errorOf("NOT_FOUND", `there is no deployment ${id}`));
  }

  async #change(request, pathname, role, say) {
    let size = 0;
    const chunks = [];
    for await (const chunk of request) {
      size += chunk.length;
      if (size < 20_000) chunks.push(chunk);
    }
    if (role === "viewer") return say(403, errorOf("FORBIDDEN", "this needs the operator role"));
    if (pathname === "/api/algorithms/stage") {
      this.uploads += 1;
      // The pool's checks take a while.
      await new Promise((done) => setTimeout(done, 900));
      if (this.broken === "package") return say(422, this.badSignature());
      return say(200, this.stage());
    }
    if (pathname === "/api/algorithms/deploy") {
      const { config } = JSON.parse(Buffer.concat(chunks).toString());
      if (!this.staged) return say(409, errorOf("NO_STAGED_ALGORITHM", "nothing is staged"));
      if (this.broken === "deploy") return say(503, this.nodeNotReady());
      return say(202, this.deploy(config));
    }
    const [, id, action] = pathname.match(/^\/api\/deployments\/([^/]+)\/(pause|resume|advance|rollback)$/) ?? [];
    if (!id) return say(404, errorOf("NOT_FOUND", `there is no ${pathname}`));
    const refused = this.steer(id, action);
    return refused ? say(409, refused) : say(200, { deployment_id: id, status: "ok" });
  }

  badSignature() {
    const passed = (at) => ({ check: checks[at][0], ok: true, severity: "info", message: checks[at][1] });
    const failed = { check: "signature", ok: false, severity: "critical", code: "SIGNATURE_INVALID" };
    return errorOf("PACKAGE_VALIDATION_FAILED", "algorithm.wasm is not what was signed", {
      details: {
        package_code: "SIGNATURE_INVALID",
        validation_results: [passed(0), passed(1), { ...failed, message: "something was changed after signing" }],
      },
      suggested_actions: [
        {
          action: "Get the package again from its author, over a way that you trust",
          command: "dagpool algorithm verify PACKAGE --public-key author.pub",
          priority: "critical",
        },
      ],
    });
  }

  nodeNotReady() {
    return errorOf("MIGRATION_FAILED", "the node does not take blocks of blake3 yet", {
      suggested_actions: [
        {
          action: "Wait until the node's window for both algorithms has begun",
          command: "dagpool check",
          priority: "high",
        },
      ],
    });
  }
}
