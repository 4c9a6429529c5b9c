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
  // Nobody reads a colour half way to another one: nothing moves while axe looks, a message that comes meanwhile included.
  const calm = await page.evaluate(() => window.matchMedia("(prefers-reduced-motion: reduce)").matches);
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.evaluate(axeSource);
  const found = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
    return violations.map(({ id, impact, nodes }) => ({
      id,
      impact,
      nodes: nodes.slice(0, 5).map((node) => node.html.slice(0, 160)),
    }));
  });
  if (!calm) {
    await page.emulateMedia({ reducedMotion: null });
    // What came in with a motion comes in again: it is looked at, and photographed, when it is there.
    await page.evaluate(async () => {
      const ends = ({ effect }) => Number.isFinite(effect?.getComputedTiming().endTime);
      await Promise.allSettled(
        document
          .getAnimations()
          .filter(ends)
          .map(({ finished }) => finished),
      );
    });
  }
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

/** Of a table that is longer than the window the header stays in sight, and no column sticks out of its frame. */
export async function headsStay(page, where) {
  const lost = await page.evaluate(() => {
    const lost = [];
    for (const box of document.querySelectorAll(".table-long")) {
      const [table, head] = [box.querySelector("table"), box.querySelector("thead th")];
      if (table.scrollWidth > box.clientWidth + 1) lost.push(`${table.scrollWidth} px wide in ${box.clientWidth}`);
      const { top, height } = table.getBoundingClientRect();
      if (height < 2 * window.innerHeight) continue;
      window.scrollTo(0, window.scrollY + top + height / 2);
      const at = head.getBoundingClientRect().top;
      if (Math.abs(at) > 1) lost.push(`the header is at ${at} px`);
    }
    window.scrollTo(0, 0);
    return lost;
  });
  assert.deepEqual(lost, [], `${where}: headers stay in sight`);
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

/**
 * On a phone: what is touched is felt over 44 px in both directions, and no text is cut off. What ends in "…", and links within a
 * sentence, are meant so.
 */
export async function comfortable(page, where) {
  const found = await page.evaluate(() => {
    const wanted = 43;
    // A dialog is all that can be touched.
    const whole = document.querySelector("dialog[open]") ?? document;
    const shown = (element) => {
      const { width, height } = element.getBoundingClientRect();
      return width > 0 && height > 0 && !element.closest(".visually-hidden, .skip");
    };
    const named = (element) => {
      const text = element.getAttribute("aria-label") ?? element.textContent ?? "";
      return `${element.tagName.toLowerCase()}.${element.getAttribute("class") ?? ""} "${text.trim().slice(0, 40)}"`;
    };
    const inSentence = (element) =>
      element.matches("a:not(.button)") &&
      [...element.parentElement.childNodes].some(
        ({ nodeType, textContent }) => nodeType === 3 && textContent.trim() !== "",
      );
    /** How far the finger may be off the middle, to both sides together. */
    const reach = (element, x, y) => {
      const { left, top, width, height } = element.getBoundingClientRect();
      const label = element.closest("label");
      let length = 0;
      for (const side of [-1, 1])
        for (let off = 0; off < wanted; off += 1) {
          const at = document.elementFromPoint(left + width / 2 + side * off * x, top + height / 2 + side * off * y);
          if (at === null || !(element.contains(at) || label?.contains(at))) break;
          length += 1;
        }
      return length;
    };
    const small = [];
    for (const element of whole.querySelectorAll("button, a[href], input, select, summary, [role=button]")) {
      if (!shown(element) || element.disabled || element.type === "file" || inSentence(element)) continue;
      element.scrollIntoView({ block: "center", behavior: "instant" });
      const [wide, high] = [reach(element, 1, 0), reach(element, 0, 1)];
      if (Math.min(wide, high) < wanted) small.push(`${wide} x ${high} px: ${named(element)}`);
    }
    const cut = [];
    for (const element of whole.querySelectorAll("main *, header *, .dialog-content *")) {
      const speaks = [...element.childNodes].some(
        ({ nodeType, textContent }) => nodeType === 3 && textContent.trim() !== "",
      );
      if (!speaks || !shown(element)) continue;
      const own = element.getBoundingClientRect();
      for (let box = element; box && box !== document.body; box = box.parentElement) {
        const { overflowX, textOverflow } = getComputedStyle(box);
        if (textOverflow === "ellipsis" || overflowX === "auto" || overflowX === "scroll") break;
        const { left, right } = box.getBoundingClientRect();
        if ((overflowX === "hidden" || overflowX === "clip") && (own.left < left - 1 || own.right > right + 1)) {
          cut.push(`${named(element)} in ${named(box)}`);
          break;
        }
      }
    }
    window.scrollTo(0, 0);
    return { small: small.slice(0, 12), cut: cut.slice(0, 12) };
  });
  assert.deepEqual(found, { small: [], cut: [] }, `${where}: large enough to be touched, and whole`);
}

/**
 * A page as it stands, at desktop and phone width: nothing sticks out, it is accessible, comfortable on a phone unless told otherwise,
 * and it is photographed.
 */
export async function look(page, folder, name, { touched = true } = {}) {
  for (const size of ["desktop", "phone"]) {
    await page.setViewportSize(sizes[size]);
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    await fits(page, `${name}, ${size}`);
    await headsStay(page, `${name}, ${size}`);
    await accessible(page, `${name}, ${size}`);
    if (size === "phone" && touched) await comfortable(page, `${name}, ${size}`);
    await page.evaluate(() => window.scrollTo(0, 0));
    // A dialog covers the window, not the page.
    const fullPage = (await page.getByRole("dialog").count()) === 0;
    await page.screenshot({ path: join(folder, `${name}-${size}.png`), fullPage });
  }
  await page.setViewportSize(sizes.desktop);
}
