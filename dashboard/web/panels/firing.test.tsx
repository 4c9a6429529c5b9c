// @vitest-environment jsdom
import { act, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Alert } from "../alerts/schema";
import { Firing } from "../state/firing";
import { atMs } from "../test-data";
import { FiringNow } from "./FiringNow";

const makeAlert = (id: string, change: Partial<Alert> = {}): Alert => ({
  id,
  rule: `rule_${id}`,
  subject: "",
  severity: "warning",
  state: "firing",
  message: `what ${id} says`,
  documentation_link: null,
  fired_at: "2026-11-22T11:59:00Z",
  resolved_at: null,
  acknowledged: null,
  inhibited_by: null,
  silenced: false,
  ...change,
});

describe("FiringNow", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  async function open(alerts: Alert[]) {
    const answer = { ok: true as const, value: { firing: alerts, items: [], silences: [], next: null } };
    const firing = new Firing({ firing: async () => answer });
    const view = render(<FiringNow firing={firing} now={atMs} />);
    expect(screen.queryByTestId("firing")).toBeNull();
    await act(async () => firing.start());
    return { ...view, firing };
  }

  it("shows the worst first, and counts what is taken care of", async () => {
    const { firing } = await open([
      makeAlert("a"),
      makeAlert("b", { severity: "critical" }),
      makeAlert("c", { silenced: true }),
      makeAlert("d", { inhibited_by: "b" }),
      makeAlert("e", { acknowledged: { by: "ann", at: null, note: "" } }),
    ]);
    const text = screen.getByTestId("firing").textContent ?? "";
    expect(text.indexOf("rule_b")).toBeLessThan(text.indexOf("rule_a"));
    expect(text).toContain("1\u00a0m\u00a0ago");
    expect(text).not.toContain("rule_c");
    expect(text).toContain("3 alerts taken, silenced or explained");
    expect(text).not.toContain("more");
    act(() => firing.stop());
    expect(screen.queryByTestId("firing")).toBeNull();
  });

  it("says that nothing fires", async () => {
    const { firing } = await open([]);
    expect(screen.getByText(/No alert fires/)).toBeTruthy();
    act(() => firing.stop());
  });

  it("counts those for which there is no room", async () => {
    const { firing } = await open(["a", "b", "c", "d", "e", "f"].map((id) => makeAlert(id)));
    expect(screen.getByTestId("firing").textContent).toContain("2 more");
    expect(screen.queryByText("rule_e")).toBeNull();
    act(() => firing.stop());
  });
});
