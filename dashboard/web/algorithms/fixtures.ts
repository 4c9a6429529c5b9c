/** Answers of a pool, for tests. */
export const at = "2026-11-22T12:00:00Z";
export const atMs = Date.parse(at);

export function makeNamed(name = "blake3", version = "1.0.0") {
  return {
    algorithm_id: `${name}_${version}`,
    name,
    version,
    hash_function: name,
    source: "package",
    digest: "9f".repeat(32),
  };
}

export function makeFigures(change: object = {}) {
  return {
    shares: 1_000,
    accepted: 998,
    low_difficulty: 2,
    hashes: 1_000,
    compared: 1_000,
    errors: 0,
    traps: 0,
    blocks: 0,
    median_ns: 176,
    p99_ns: 2_000,
    ...change,
  };
}

export function makeDeployment(change: object = {}) {
  const phase = (name: string, status: string, duration: number) => ({ name, status, duration });
  return {
    deployment_id: "42",
    algorithm: makeNamed("blake3", "1.1.0"),
    replaces: makeNamed(),
    kind: "upgrade",
    strategy: "gradual",
    status: "running",
    phase: "25%",
    progress: 44.4,
    traffic_split: 25,
    phases: [
      phase("warm", "completed", 0),
      phase("shadow", "completed", 300),
      phase("25%", "active", 600),
      phase("100%", "pending", 600),
      phase("draining", "pending", 0),
    ],
    health: { status: "healthy", reason: null, candidate: makeFigures(), control: makeFigures() },
    rollback: null,
    rollback_on_error: true,
    at: null,
    created_at: at,
    updated_at: at,
    by: "operator",
    ...change,
  };
}

export const report = {
  validation_results: [
    { check: "container", ok: true, severity: "info", message: "9 entries" },
    { check: "benchmark", ok: true, severity: "warning", code: "PERFORMANCE_WARNING", message: "slow" },
    { check: "limits", ok: false, severity: "odd", message: "too much" },
  ],
  benchmark_results: { hashrate: 5e6, expected: 8e6, performance_score: 0.625 },
  warnings: ["slower than it says"],
  next_steps: ["Deploy when ready"],
};

export function makeStaged(change: object = {}) {
  return {
    ...makeNamed("blake3", "1.1.0"),
    ...report,
    migration_from: ["blake3"],
    rollback_supported: true,
    ...change,
  };
}

export function makeStatus(change: object = {}) {
  return {
    active_algorithm: makeNamed(),
    staged_algorithm: null,
    migration_state: null,
    deployment: null,
    health: "healthy",
    performance_metrics: { slots: makeSlots() },
    ...change,
  };
}

export function makeSlots() {
  const slot = { slot: 0, generation: 3, life: "serving", traffic_split: 100, in_flight: 2 };
  return [{ ...slot, algorithm: makeNamed(), figures: makeFigures() }];
}

export function makePlan(change: object = {}) {
  return {
    from: makeNamed(),
    to: makeNamed("blake3", "1.1.0"),
    kind: "upgrade",
    strategy: "gradual",
    phases: [
      { name: "warm", duration: 0, traffic_split: 0 },
      { name: "shadow", duration: 120, traffic_split: 0 },
      { name: "50%", duration: 240, traffic_split: 50 },
      { name: "100%", duration: 240, traffic_split: 100 },
      { name: "draining", duration: 0, traffic_split: 100 },
    ],
    shadow_percentage: 1,
    rollback_on_error: true,
    channels: ["ops-mail", "pager"],
    estimated_duration: 630,
    needs_confirmation: false,
    needs_override: null,
    isolation: "wasm",
    obstacles: [],
    warnings: ["slower than it says"],
    ...change,
  };
}

export function makeError(code: string, change: object = {}) {
  return {
    error: {
      id: "e-1",
      code,
      message: `${code} happened`,
      details: null,
      suggested_actions: [{ action: "Do this", command: "dagpool check", priority: "high" }],
      documentation_link: `/docs/errors/${code}`,
      severity: "error",
      timestamp: at,
      ...change,
    },
  };
}
