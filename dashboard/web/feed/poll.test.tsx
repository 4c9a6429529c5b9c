// @vitest-environment jsdom
import { act, renderHook } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { noAnswer } from "../algorithms/failure";
import type { Outcome } from "./client";
import { usePolled, useSettled } from "./poll";

const refused = noAnswer();

/** A route whose answers come when the test says so. */
function route() {
  const open: ((outcome: Outcome<string>) => void)[] = [];
  const ask = () => new Promise<Outcome<string>>((done) => open.push(done));
  const answer = (index: number, value: string) => act(async () => open[index]?.({ ok: true, value }));
  const refuse = (index: number) => act(async () => open[index]?.({ ok: false, failure: refused }));
  return { ask, answer, refuse, asked: () => open.length };
}

const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));

describe("what is asked for again and again", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is not asked again while an answer is under way, so that a slow pool's answers are taken", async () => {
    const { ask, answer, asked } = route();
    const { result } = renderHook(() => usePolled(ask, 1_000));
    await pass(5_500);
    expect(asked()).toBe(1);
    await answer(0, "slow");
    expect(result.current.value).toBe("slow");
    await pass(1_000);
    expect(asked()).toBe(2);
  });

  it("is asked at once after an act, and what was asked before it is not taken any more", async () => {
    const { ask, answer, asked } = route();
    const { result } = renderHook(() => usePolled(ask, 1_000));
    await answer(0, "old");
    await pass(1_000);
    let done: unknown = "pending";
    act(() => void result.current.act(Promise.resolve({ ok: true, value: null })).then((failure) => (done = failure)));
    await pass(0);
    expect(asked()).toBe(3);
    await answer(2, "new");
    await answer(1, "between");
    expect(result.current.value).toBe("new");
    expect(done).toBeNull();
  });

  it("keeps what is known while the pool fails, and shows why an act was refused", async () => {
    const { ask, answer, refuse, asked } = route();
    const { result } = renderHook(() => usePolled(ask));
    await answer(0, "known");
    await act(async () => void (await result.current.act(Promise.resolve({ ok: false, failure: refused }))));
    expect(result.current).toMatchObject({ value: "known", failure: refused });
    act(() => void result.current.load());
    await refuse(1);
    expect(result.current).toMatchObject({ value: "known", failure: refused });
    act(() => void result.current.load());
    await answer(2, "again");
    expect(result.current).toMatchObject({ value: "again", failure: null });
    await pass(60_000);
    expect(asked()).toBe(3);
  });

  it("takes no answer to another question", async () => {
    const [first, second] = [route(), route()];
    const { result, rerender } = renderHook(({ ask }) => usePolled(ask, 0), { initialProps: { ask: first.ask } });
    rerender({ ask: second.ask });
    await second.answer(0, "second");
    await first.answer(0, "first");
    expect(result.current.value).toBe("second");
  });

  it("waits until nobody types", async () => {
    const { result, rerender } = renderHook(({ text }) => useSettled(text), { initialProps: { text: "" } });
    rerender({ text: "a" });
    await pass(200);
    rerender({ text: "ab" });
    await pass(200);
    expect(result.current).toBe("");
    await pass(50);
    expect(result.current).toBe("ab");
  });
});
