import { describe, expect, it } from "vitest";
import { checkForm, type DeployForm, initialForm, irreversibleName, localInput, parsePhases } from "./config";
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
    expect(checkForm(form(), atMs, "x").problems.confirmed).toBeTruthy();
    expect(checkForm(form({ confirmed: true }), atMs, "x").config?.confirm).toBe("x");
  });
});

describe("isolation and override", () => {
  const read = (change: object) => plan.parse(makePlan(change));

  it("sends a level only where it is another one than the pool would choose", () => {
    const process = read({ isolation: "process" });
    expect(initialForm(process, atMs).isolation).toBe("process");
    expect(initialForm(read({ isolation: "odd" }), atMs).isolation).toBe("wasm");
    expect(checkForm(initialForm(process, atMs), atMs, null, process).config).not.toHaveProperty("isolation");
    const chosen = { ...initialForm(process, atMs), isolation: "wasm" as const };
    expect(checkForm(chosen, atMs, null, process).config?.isolation).toBe("wasm");
  });

  it("wants what the author did not mean to be confirmed", () => {
    const limited = read({ needs_override: "blake2s" });
    const asked = initialForm(limited, atMs);
    const refused = checkForm(asked, atMs, null, limited);
    expect([refused.config, refused.problems.overridden]).toEqual([null, expect.stringContaining("Confirm")]);
    const done = checkForm({ ...asked, overridden: true }, atMs, null, limited);
    expect(done.config?.override_migration_from).toBe(true);
    expect(checkForm({ ...asked, overridden: true }, atMs, null, read({})).config).not.toHaveProperty(
      "override_migration_from",
    );
  });
});

describe("phases", () => {
  it("rise to everyone", () => {
    expect(parsePhases("5 25% 99.5, 100")).toEqual([5, 25, 99.5, 100]);
    for (const wrong of ["", "5, 50", "0, 100", "50, 50, 100", "5, 100, 101", "a, 100"])
      expect(parsePhases(wrong)).toBeNull();
  });
});

describe("irreversibleName", () => {
  it("believes plan and manifest", () => {
    const staged = (change: object) => {
      const read = status.parse(makeStatus({ staged_algorithm: makeStaged(change) })).staged_algorithm;
      if (!read) throw new Error("nothing staged");
      return read;
    };
    expect(irreversibleName(null, staged({}))).toBeNull();
    expect(irreversibleName(null, staged({ rollback_supported: false }))).toBe("blake3");
    expect(irreversibleName(plan.parse(makePlan({ needs_confirmation: true })), staged({}))).toBe("blake3");
  });
});
