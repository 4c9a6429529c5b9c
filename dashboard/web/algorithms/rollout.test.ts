import { describe, expect, it } from "vitest";
import { makeDeployment, makeFigures } from "./fixtures";
import * as rollout from "./rollout";
import { deployment, status } from "./schema";

describe("rolloutOf", () => {
  it("takes the deployment where there is one, else migration_state, else nothing", () => {
    const full = status.parse({ deployment: makeDeployment() });
    expect(rollout.rolloutOf(full)).toMatchObject({ id: "42", from: "blake3 1.0.0", to: "blake3 1.1.0", traffic: 25 });
    const state = { phase: "shadow", progress: 12.5, traffic_split: 0, phases: [], health: "healthy" };
    const bare = status.parse({ migration_state: state });
    expect(rollout.rolloutOf(bare)).toMatchObject({ id: null, status: "running", phase: "shadow", kind: null });
    expect(rollout.underWay(bare)?.phase).toBe("shadow");
    expect(rollout.rolloutOf(status.parse({}))).toBeNull();
  });

  it("knows which are over", () => {
    for (const [word, open] of [
      ["running", true],
      ["paused", true],
      ["scheduled", true],
      ["completed", false],
      ["rolled_back", false],
    ] as const) {
      expect(rollout.underWay(status.parse({ deployment: makeDeployment({ status: word }) })) !== null).toBe(open);
    }
  });

  it("reads a pool that tells less or otherwise", () => {
    const read = deployment.parse({ deployment_id: 7, status: "running", traffic_split: "much", health: "fine" });
    expect(read).toMatchObject({ deployment_id: "7", traffic_split: 0, health: null, trail: null });
    expect(rollout.rolloutOf(status.parse({ deployment: read }))).toMatchObject({ health: "unknown", to: null });
  });
});

describe("news", () => {
  it("says in a line what happened", () => {
    const said = (change: object) => rollout.newsOf(deployment.parse(makeDeployment(change)));
    expect(said({})).toEqual({ text: "Deployment 42 of blake3 1.1.0: 25%", severity: "info" });
    expect(said({ status: "paused" }).text).toContain("paused");
    expect(said({ status: "completed" }).text).toContain("is complete");
    expect(said({ status: "rolled_back", rollback: { cause: "hash_differs" } })).toMatchObject({ severity: "error" });
    expect(said({ status: "rolled_back", rollback: { cause: "requested" } })).toMatchObject({ severity: "warning" });
    expect(said({ status: "rolled_back", rollback: { cause: "moon" } }).text).toMatch(/: moon$/);
    expect(said({ status: "rolled_back", algorithm: null }).text).toBe("Deployment 42 was rolled back");
    expect(said({ health: { status: "degraded", reason: "slow" } })).toMatchObject({ severity: "warning" });
    expect(said({ health: { status: "unhealthy" } }).text).toContain("unhealthy: 25%");
  });
});

describe("points", () => {
  const point = (at: number) => ({ at, control: null, candidate: null });

  it("come from both groups, at most two a second, and are bounded", () => {
    const parsed = status.parse({ deployment: makeDeployment() });
    expect(rollout.pointOf(rollout.rolloutOf(parsed), 5)?.candidate?.p99_ns).toBe(2_000);
    expect(rollout.pointOf(null, 5)).toBeNull();
    const bare = status.parse({ deployment: makeDeployment({ health: null }) });
    expect(rollout.pointOf(rollout.rolloutOf(bare), 5)).toBeNull();
    expect(rollout.extend([point(1000)], point(1200))).toHaveLength(1);
    let points: readonly rollout.ComparePoint[] = [];
    for (let at = 0; at < 2_000; at += 1) points = rollout.extend(points, point(at * 1000));
    expect(points).toHaveLength(1_800);
  });

  it("have rates, unless there is nothing to rate", () => {
    const parsed = deployment.parse(makeDeployment());
    expect(parsed.health?.control).toMatchObject({ error_rate: 0, reject_rate: 0.002 });
    const none = deployment.parse(
      makeDeployment({ health: { status: "unknown", candidate: makeFigures({ shares: 0, hashes: 0 }) } }),
    );
    expect(none.health?.candidate).toMatchObject({ error_rate: null, reject_rate: null });
  });
});

describe("words", () => {
  it("for phases, times and rates", () => {
    expect(["rolled back", "12.5%"].map(rollout.phaseName)).toEqual(["ROLLED_BACK", "CANARY_12.5%"]);
    expect([0, 59, 600, 3_905, null].map(rollout.seconds)).toEqual(["0 s", "59 s", "10 m", "1 h 5 m 5 s", "—"]);
    expect([170, 2_450, 45_600, 3_100_000, null].map(rollout.nanoseconds)).toEqual([
      "170 ns",
      "2.45 µs",
      "45.6 µs",
      "3.1 ms",
      "—",
    ]);
    expect([0, 0.0004, 0.0234, 0.5, null].map(rollout.rate)).toEqual(["0%", "0.040%", "2.34%", "50.0%", "—"]);
    expect(rollout.titleOf({ name: "blake3", version: null })).toBe("blake3");
  });
});
