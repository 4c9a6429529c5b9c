import { describe, expect, it } from "vitest";
import { checkForm, type DeployForm, initialForm, irreversibleId, localInput, parsePhases } from "./config";
import { atMs, makePlan, makeStaged, makeStatus } from "./fixtures";
import { plan, status } from "./schema";

const form = (change: Partial<DeployForm> = {}): DeployForm => ({ ...initialForm(null, atMs), ...change });

describe("initialForm", () => {
  it("follows the pool's plan, or the usual values", () => {
    expect(initialForm(plan.parse(makePlan()), atMs)).toMatchObject({ shadow: "120", phase: "240", phases: "50, 100" });
    const usual = { strategy: "gradual", shadow: "300", phase: "600", phases: "5, 10, 25, 50, 75, 100" };
    expect(form()).toMatchObject(usual);
    const immediate = plan.parse(
      makePlan({ strategy: "immediate", phases: [{ name: "100%", duration: 0, traffic_split: 100 }] }),
    );
    expect(initialForm(immediate, atMs)).toMatchObject({ ...usual, strategy: "immediate" });
    expect(initialForm(plan.parse(makePlan({ strategy: "odd" })), atMs).strategy).toBe("gradual");
  });
});

describe("checkForm", () => {
  it("makes what the pool wants", () => {
    expect(checkForm(form(), atMs, null).config).toEqual({
      strategy: "gradual",
      rollback_on_error: true,
      shadow_duration: 300,
      phase_duration: 600,
      phases: [5, 10, 25, 50, 75, 100],
    });
    expect(checkForm(form({ strategy: "immediate", phases: "rubbish" }), atMs, null).config).toEqual({
      strategy: "immediate",
      rollback_on_error: true,
    });
  });

  it("sends a chosen time in UTC, and none that has passed", () => {
    const later = localInput(atMs + 7_200_000);
    expect(checkForm(form({ strategy: "scheduled", at: later }), atMs, null).config?.at).toBe(
      "2026-11-22T14:00:00.000Z",
    );
    expect(checkForm(form({ strategy: "scheduled", at: localInput(atMs - 60_000) }), atMs, null).problems.at).toContain(
      "passed",
    );
    expect(checkForm(form({ strategy: "scheduled", at: "" }), atMs, null).problems.at).toContain("Choose");
  });

  it("names each field that is wrong", () => {
    const { problems, config } = checkForm(form({ shadow: "0", phase: "ten", phases: "50, 20" }), atMs, null);
    expect(Object.keys(problems)).toEqual(["shadow", "phase", "phases"]);
    expect(config).toBeNull();
    expect(checkForm(form({ shadow: "x", phase: "x", phases: "x" }), atMs, null).timeline).toEqual([
      { name: "shadow", duration: 0, traffic: 0 },
    ]);
  });

  it("wants a way of no return to be confirmed by name", () => {
    expect(checkForm(form(), atMs, "x_2.0.0").problems.confirmed).toBeTruthy();
    expect(checkForm(form({ confirmed: true }), atMs, "x_2.0.0").config?.confirm).toBe("x_2.0.0");
  });
});

describe("phases", () => {
  it("rise to everyone", () => {
    expect(parsePhases("5 25% 99.5, 100")).toEqual([5, 25, 99.5, 100]);
    for (const wrong of ["", "5, 50", "0, 100", "50, 50, 100", "5, 100, 101", "a, 100"])
      expect(parsePhases(wrong)).toBeNull();
  });
});

describe("irreversibleId", () => {
  it("believes plan and manifest", () => {
    const staged = (change: object) => {
      const read = status.parse(makeStatus({ staged_algorithm: makeStaged(change) })).staged_algorithm;
      if (!read) throw new Error("nothing staged");
      return read;
    };
    expect(irreversibleId(null, staged({}))).toBeNull();
    expect(irreversibleId(null, staged({ rollback_supported: false }))).toBe("blake3_1.1.0");
    expect(irreversibleId(plan.parse(makePlan({ needs_confirmation: true })), staged({}))).toBe("blake3_1.1.0");
  });
});
