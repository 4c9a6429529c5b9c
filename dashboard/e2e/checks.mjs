import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { sizes } from "./browser.mjs";

const axeSource = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const waitMs = 20_000;

/** Opens the page and collects what went wrong in it: thrown errors, and requests that left the pool's origin. */
export async function openPage(context, url) {
  const page = await context.newPage();
  const faults = [];
  page.on("pageerror", (error) => faults.push(`page error: ${error.message}`));
  page.on("console", (message) => {
    const ours =
      !message.text().includes("WebSocket connection") && !message.text().includes("Failed to load resource");
    if (message.type() === "error" && ours) faults.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    const from = new URL(request.url());
    if (!from.protocol.startsWith("data") && from.origin !== new URL(url).origin)
      faults.push(`foreign request: ${from}`);
  });
  await page.goto(url);
  return { page, faults };
}

export async function connected(page) {
  await page.getByTestId("connection").getByText("CONNECTED", { exact: true }).waitFor({ timeout: waitMs });
}

/** Nobody is there any more: the page says so, and that its figures are old. */
export async function offline(page) {
  await page.getByTestId("connection").getByText("OFFLINE", { exact: true }).waitFor({ timeout: waitMs });
  await page.getByTestId("alert-feed").waitFor({ timeout: waitMs });
  await page.locator('.card[data-freshness="stale"]').first().waitFor({ timeout: waitMs });
}

/** The page is alive: some figure that moves every second does. */
export async function numbersChange(page) {
  const read = () => page.locator(".cards").textContent();
  const before = await read();
  await page.waitForFunction((old) => document.querySelector(".cards")?.textContent !== old, before, {
    timeout: waitMs,
  });
}

export async function dagDraws(page) {
  const node = page.locator(".dag-scroll .node");
  await node.first().waitFor({ timeout: waitMs });
  return node.count();
}

/** From the top of the page: tab reaches the DAG, arrows move within it, the details follow. */
export async function keyboardWorks(page) {
  await page.evaluate(() => document.activeElement instanceof HTMLElement && document.activeElement.blur());
  let stops = 0;
  const inDag = () => page.evaluate(() => document.activeElement?.classList.contains("node") ?? false);
  while (!(await inDag())) {
    await page.keyboard.press("Tab");
    stops += 1;
    assert.ok(stops < 40, "the DAG is reached by the tab key");
  }
  await page.keyboard.press("End");
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute("data-hash"));
  const start = await focused();
  await page.keyboard.press("ArrowLeft");
  const moved = await focused();
  assert.ok(moved && moved !== start, "the left arrow leads to another block");
  assert.ok((await page.getByTestId("block-details").textContent()).includes(moved), "details show the focused block");
  const shown = await page.locator(`[data-hash="${moved}"]`).getAttribute("aria-pressed");
  assert.equal(shown, "true", "the focused block is marked as chosen");
}

/** No violation that axe calls serious or critical, contrast included. */
export async function accessible(page, where) {
  // Nobody reads a colour half way to another one, and the pointer may have come to lie on a button.
  await page.evaluate(() => {
    const ending = document.getAnimations().filter((it) => it.effect?.getComputedTiming().endTime !== Infinity);
    return Promise.all(ending.map((it) => it.finished.catch(() => undefined)));
  });
  await page.evaluate(axeSource);
  const found = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
    return violations.map(({ id, impact, nodes }) => ({
      id,
      impact,
      nodes: nodes.slice(0, 5).map((node) => node.html.slice(0, 160)),
    }));
  });
  const serious = found.filter(({ impact }) => impact === "serious" || impact === "critical");
  assert.deepEqual(serious, [], `${where}: no serious accessibility violation`);
  return found.length;
}

/** Nothing sticks out sideways. */
export async function fits(page, where) {
  const { wide, inner } = await page.evaluate(() => ({
    wide: document.documentElement.scrollWidth,
    inner: window.innerWidth,
  }));
  assert.ok(wide <= inner, `${where}: page is ${wide} px wide in a window of ${inner}`);
}

export async function shots(page, folder, names = Object.keys(sizes)) {
  await mkdir(folder, { recursive: true });
  for (const name of names) {
    await page.setViewportSize(sizes[name]);
    // Two frames: one for the new size to be laid out, one for the charts to follow it.
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    await fits(page, name);
    await page.evaluate(() => window.scrollTo(0, 0));
    await page.screenshot({ path: join(folder, `${name}.png`) });
    await page.screenshot({ path: join(folder, `${name}-full.png`), fullPage: true });
  }
  await page.setViewportSize(sizes.desktop);
}
