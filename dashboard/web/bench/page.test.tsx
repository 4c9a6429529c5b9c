// @vitest-environment jsdom
import { act, fireEvent, render, screen } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { Session } from "../state/session";
import { Store } from "../state/store";
import BenchPage from "./BenchPage";
import type { Runner } from "./bench";
import type { BenchNews } from "./run";

class FakeRunner implements Runner {
  onmessage: Runner["onmessage"] = null;
  onerror: Runner["onerror"] = null;
  ended = false;
  postMessage() {}
  terminate() {
    this.ended = true;
  }
}

async function open() {
  const runners: FakeRunner[] = [];
  const session = new Session({ url: "ws://x", store: new Store((flush) => flush()) });
  const make = () => {
    const runner = new FakeRunner();
    runners.push(runner);
    return runner;
  };
  const view = render(<BenchPage session={session} nav={null} open={make} />);
  const choose = async () => {
    const file = new File([new Uint8Array(4)], "a.zip");
    fireEvent.change(view.container.querySelector("input") as HTMLInputElement, { target: { files: [file] } });
    await act(() => new Promise((done) => setTimeout(done, 20)));
  };
  const say = (...news: BenchNews[]) =>
    act(() => {
      for (const data of news) runners.at(-1)?.onmessage?.({ data } as MessageEvent<BenchNews>);
    });
  return { ...view, runners, choose, say };
}

const opened: BenchNews = {
  step: "opened",
  manifest: { name: "blake3", version: "1.1.0", description: "fast", author: null, license: "MIT", algorithm: null },
  entries: [{ name: "algorithm.wasm", size: 71_914 }],
  signed: false,
  digest: "ab".repeat(32),
};

describe("PACKAGE_BENCH", () => {
  it("shows each step, then the speed", async () => {
    const { choose, say, unmount, runners } = await open();
    expect(screen.getByText("NOTHING_RUN")).toBeTruthy();
    await choose();
    expect(screen.getByText("reading")).toBeTruthy();
    say(
      opened,
      { step: "loaded", name: "blake3", version: "1.1.0" },
      { step: "vectors", done: 24, total: 24, wrong: [] },
    );
    expect(screen.getByText("24 of 24 run, none wrong")).toBeTruthy();
    expect(screen.getByText("MISSING")).toBeTruthy();
    say({ step: "determinism", inputs: 24, differing: null }, { step: "measuring", seconds: 2 });
    expect(screen.getByText("measuring…")).toBeTruthy();
    say({ step: "measured", result: { hashes: 2_000, seconds: 2, hashrate: 5.2e6, expected: 7e6, batch: 64 } });
    expect(screen.getByText("5.20 MH/s")).toBeTruthy();
    await choose();
    expect(runners).toHaveLength(2);
    unmount();
    expect(runners[1]?.ended).toBe(true);
  });

  it("shows what is wrong, with the proof", async () => {
    const { choose, say } = await open();
    await choose();
    const wrong = { index: 2, comment: "from the paper", input: "00ff", expected: "aa", got: "bb" };
    say(
      { ...opened, signed: true, digest: null },
      { step: "vectors", done: 3, total: 24, wrong: [wrong] },
      { step: "determinism", inputs: 24, differing: "c0de" },
    );
    expect(screen.getByText(/Vector 3 \(from the paper\)/)).toBeTruthy();
    expect(screen.getByText("c0de")).toBeTruthy();
    say({ step: "failed", code: "WASM_TRAP", message: "unreachable" });
    expect(screen.getByText("WASM_TRAP")).toBeTruthy();
    expect(screen.getByText("dagpool algorithm inspect PACKAGE")).toBeTruthy();
  });
});
