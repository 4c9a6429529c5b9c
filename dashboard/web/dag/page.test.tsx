// @vitest-environment jsdom
import { act, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { decode } from "../feed/decode";
import { Session } from "../state/session";
import { Store } from "../state/store";
import { frame, makeBlock, makeSnapshot } from "../test-data";
import DagPage from "./DagPage";
import { Older } from "./older";

/** A pen that writes down what it was told; a canvas of 1000 by 400. */
const written: string[] = [];
const pen = new Proxy({} as Record<string, unknown>, {
  get: (target, key) =>
    key in target
      ? target[key as string]
      : (...args: unknown[]) => {
          written.push(key === "fillText" ? String(args[0]) : String(key));
        },
  set: (target, key, value) => {
    target[key as string] = value;
    return true;
  },
});

beforeEach(() => {
  written.length = 0;
  vi.stubGlobal(
    "Path2D",
    class {
      moveTo() {}
      lineTo() {}
      arc() {}
      closePath() {}
      bezierCurveTo() {}
    },
  );
  vi.stubGlobal("requestAnimationFrame", (draw: (at: number) => void) => setTimeout(() => draw(0), 0));
  vi.stubGlobal("cancelAnimationFrame", (id: number) => clearTimeout(id));
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue(pen as never);
  vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(1000);
  vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(400);
});

const json = (body: unknown, status = 200) => Promise.resolve(new Response(JSON.stringify(body), { status }));
const blocks = [
  makeBlock("cc03", { height: 12, parents: ["bb02", "aa01"], color: "unknown", status: "candidate" }),
  makeBlock("bb02", { height: 11, parents: ["aa01"], color: "red", status: "void" }),
  makeBlock("aa01", { height: 10, parents: ["9901"], ours: false, status: null }),
];

function open(answer: () => Promise<Response> = () => json({ items: [], next: null }), snapshot: object = { blocks }) {
  const store = new Store((flush) => flush());
  const session = new Session({ url: "ws://pool/api/live", open: () => ({}) as never, store });
  const older = new Older(answer);
  const view = render(<DagPage session={session} nav={null} older={older} />);
  const say = (type: string, seq: number, data: unknown) =>
    act(() => store.dispatch({ type: "frame", decoded: decode(frame(type, seq, data)), now: Date.now() }));
  return { ...view, say, start: () => say("snapshot", 1, makeSnapshot(snapshot)) };
}

const box = () => screen.getByTestId("dag-canvas");
const following = () => screen.getByRole("button", { name: /FOLLOW/ }).getAttribute("aria-pressed");

describe("BLOCK_DAG", () => {
  it("waits, is empty, and draws what comes", async () => {
    const { start, say } = open(undefined, { blocks: [] });
    expect(screen.getByText("Loading blocks")).toBeTruthy();
    start();
    expect(screen.getByText("NO_BLOCKS_YET")).toBeTruthy();
    say("block", 2, blocks[2]);
    await waitFor(() => expect(written).toContain("aa01"));
    say("block", 3, blocks[1]);
    await waitFor(() => expect(written).toContain("void"));
    expect(screen.getByTestId("dag-known").textContent).toContain("2 blocks");
    expect(document.title).toContain("Block DAG");
  });

  it("follows until one pans, by hand, wheel or key", async () => {
    const { start } = open();
    start();
    await waitFor(() => expect(written).toContain("cc03"));
    expect(following()).toBe("true");
    fireEvent.pointerDown(box(), { pointerId: 1, clientX: 500, clientY: 200 });
    fireEvent.pointerMove(box(), { pointerId: 1, clientX: 502, clientY: 200 });
    expect(following()).toBe("true");
    fireEvent.pointerMove(box(), { pointerId: 1, clientX: 560, clientY: 210 });
    fireEvent.pointerUp(box(), { pointerId: 1, clientX: 560, clientY: 210 });
    expect(following()).toBe("false");
    fireEvent.keyDown(box(), { key: "f" });
    expect(following()).toBe("true");
    fireEvent.keyDown(box(), { key: "ArrowUp" });
    expect(following()).toBe("true");
    fireEvent.keyDown(box(), { key: "ArrowLeft" });
    expect(following()).toBe("false");
    fireEvent.click(screen.getByRole("button", { name: /FOLLOW/ }));
    expect(following()).toBe("true");
    fireEvent.wheel(box(), { deltaX: 40, deltaY: 0 });
    expect(following()).toBe("false");
    fireEvent.keyDown(box(), { key: "End" });
    fireEvent.wheel(box(), { deltaY: 40, shiftKey: true });
    expect(following()).toBe("false");
    fireEvent.keyDown(box(), { key: "Home" });
    fireEvent.keyDown(box(), { key: "q" });
  });

  it("is zoomed by wheel, keys, buttons and two fingers", async () => {
    const { start } = open();
    start();
    const zoom = () => screen.getByRole("button", { name: /^Zoom \d+ percent/ }).textContent;
    fireEvent.wheel(box(), { deltaY: -100 });
    expect(zoom()).toBe("117%");
    fireEvent.wheel(box(), { deltaY: 3, deltaMode: 1 });
    expect(zoom()).toBe("109%");
    fireEvent.keyDown(box(), { key: "0" });
    fireEvent.keyDown(box(), { key: "+" });
    expect(zoom()).toBe("125%");
    fireEvent.keyDown(box(), { key: "-" });
    expect(zoom()).toBe("100%");
    fireEvent.keyDown(box(), { key: "+", ctrlKey: true });
    expect(zoom()).toBe("100%");
    fireEvent.click(screen.getByRole("button", { name: "Zoom out" }));
    expect(zoom()).toBe("80%");
    fireEvent.click(screen.getByRole("button", { name: "Zoom in" }));
    fireEvent.click(screen.getByRole("button", { name: "Zoom in" }));
    fireEvent.click(screen.getByRole("button", { name: /percent/ }));
    expect(zoom()).toBe("100%");
    fireEvent.pointerDown(box(), { pointerId: 1, clientX: 400, clientY: 200 });
    fireEvent.pointerDown(box(), { pointerId: 2, clientX: 500, clientY: 200 });
    fireEvent.pointerMove(box(), { pointerId: 2, clientX: 600, clientY: 200 });
    expect(zoom()).toBe("200%");
    fireEvent.pointerUp(box(), { pointerId: 2, clientX: 600, clientY: 200 });
    fireEvent.pointerCancel(box(), { pointerId: 1, clientX: 400, clientY: 200 });
    expect(screen.queryByTestId("block-details")).toBeNull();
  });

  it("tells a block that is clicked, and leads to its page", async () => {
    const { start } = open();
    start();
    await waitFor(() => expect(written).toContain("cc03"));
    // The newest is 64 px from the right end; the axis takes 30 px of the height.
    fireEvent.pointerMove(box(), { pointerId: 1, clientX: 936, clientY: 185 });
    fireEvent.pointerDown(box(), { pointerId: 1, clientX: 936, clientY: 185 });
    fireEvent.pointerUp(box(), { pointerId: 1, clientX: 936, clientY: 185 });
    const details = screen.getByTestId("block-details");
    expect(details.textContent).toContain("cc03");
    expect(screen.getByRole("link", { name: /statement/ }).getAttribute("href")).toBe("/blocks/cc03");
    fireEvent.click(screen.getByRole("button", { name: /CLOSE/ }));
    expect(screen.queryByTestId("block-details")).toBeNull();
  });

  it("is walked from block to block by keys, and says where one is", async () => {
    const { start } = open();
    start();
    await waitFor(() => expect(written).toContain("cc03"));
    fireEvent.keyDown(box(), { key: "Enter" });
    expect(screen.getByText(/cc03.*our block/)).toBeTruthy();
    fireEvent.keyDown(box(), { key: "ArrowLeft", shiftKey: true });
    expect(screen.getByText(/bb02.*our block/)).toBeTruthy();
    fireEvent.keyDown(box(), { key: "ArrowLeft", shiftKey: true });
    fireEvent.keyDown(box(), { key: "ArrowLeft", shiftKey: true });
    expect(screen.getByText(/aa01.*block of others/)).toBeTruthy();
    fireEvent.keyDown(box(), { key: "Enter" });
    expect(document.activeElement?.closest(".details")).toBeTruthy();
    fireEvent.keyDown(box(), { key: "Escape" });
    expect(screen.queryByTestId("block-details")).toBeNull();
  });

  it("asks for older blocks, once more when that failed, and says when there are none", async () => {
    let status = 503;
    const asked = vi.fn(() =>
      json({ items: [makeBlock("9901", { height: 9, parents: [], ours: false, status: null })], next: null }, status),
    );
    const { start } = open(asked);
    start();
    await screen.findByText(/did not tell older blocks/);
    const before = asked.mock.calls.length;
    fireEvent.keyDown(box(), { key: "ArrowLeft" });
    await new Promise((done) => setTimeout(done, 5));
    expect(asked.mock.calls.length).toBe(before);
    status = 200;
    fireEvent.click(screen.getByRole("button", { name: "ASK AGAIN" }));
    await waitFor(() => expect(screen.getByTestId("dag-known").textContent).toContain("4 blocks"));
    await screen.findByText(/This is all/);
  });

  it("is a list as well, with blocks of others, in parts", async () => {
    const many = Array.from({ length: 110 }, (_, at) => makeBlock(`many${at}`, { height: at, parents: [] }));
    const { start, container } = open(undefined, {
      blocks: [...many, makeBlock("zz", { height: 999, ours: false, status: null })],
    });
    start();
    fireEvent.click(screen.getByText("LIST"));
    const rows = () => container.querySelectorAll("tbody tr");
    expect(rows()).toHaveLength(100);
    expect(rows()[0]?.textContent).toContain("others");
    fireEvent.click(screen.getByText(/SHOW 100 MORE/));
    expect(rows()).toHaveLength(111);
    fireEvent.click(screen.getByText("zz"));
    expect(screen.getByTestId("block-details").textContent).toContain("BLOCK");
    const older = screen.queryByText("OLDER BLOCKS");
    if (older) fireEvent.click(older);
    await screen.findByText(/This is all/, undefined, { timeout: 15_000 });
  });
});
