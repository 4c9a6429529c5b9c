/** `[MINERS]` against the stand-in: ten thousand accounts stay smooth, are sorted and searched. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { sizes } from "./browser.mjs";
import { accessible, fits } from "./checks.mjs";
import { folder, scene, waitMs } from "./scene.mjs";

const firstRow = (page) => page.locator(".rows-body .rows-line").first();
const shoot = (page, name) => page.screenshot({ path: join(folder, `miners-${name}.png`), fullPage: true });

/** Scrolls through all rows by a bit in each frame; says how long frames took. */
async function scrollThrough(page) {
  return page.evaluate(async () => {
    const box = document.querySelector(".rows-scroll");
    const times = [];
    let last = performance.now();
    let rest = 0;
    const total = Number(document.querySelector("[role=table]").getAttribute("aria-rowcount")) - 1;
    while (times.length < 3000) {
      const before = box.scrollTop;
      box.scrollTop += 1260;
      await new Promise((done) => requestAnimationFrame(done));
      times.push(performance.now() - last);
      last = performance.now();
      rest = box.scrollTop === before ? rest + 1 : 0;
      if (box.scrollHeight >= total * 44 && box.scrollTop + box.clientHeight >= box.scrollHeight - 1) break;
      if (rest > 300) break;
    }
    const sorted = times.slice(3).sort((a, b) => a - b);
    const at = (part) => Number(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))].toFixed(1));
    return {
      frames: sorted.length,
      median: at(0.5),
      p95: at(0.95),
      worst: at(1),
      rows: Math.round(box.scrollHeight / 44),
    };
  });
}

await scene(
  "miners: ten thousand are scrolled through, sorted and searched",
  async ({ page }) => {
    await firstRow(page).waitFor({ timeout: waitMs });
    assert.match(await page.getByTestId("miners-total").textContent(), /10,000 accounts/);
    const drawn = await page.locator(".rows-body .rows-line").count();
    assert.ok(drawn < 80, `${drawn} rows are drawn`);
    await accessible(page, "miners");
    await fits(page, "miners on a desktop");
    await shoot(page, "desktop");
    const { rows, ...times } = await scrollThrough(page);
    assert.ok(rows >= 9_990, `${rows} rows are reached`);
    console.log(`    scrolled through ${rows} rows, ${JSON.stringify(times)} ms`);
    await page.getByRole("button", { name: "account" }).click();
    await page.waitForFunction(
      () => document.querySelector("[role=columnheader]").getAttribute("aria-sort") === "ascending",
    );
    const found = await page.evaluate(async () => (await fetch("/api/miners?sort=account&limit=1")).json());
    await page.locator(`a[href="/miners/${encodeURIComponent(found.items[0].account)}"]`).waitFor({ timeout: waitMs });
    await page.getByRole("searchbox").fill(found.items[0].account.slice(6, 40));
    await page.getByText("1 found").waitFor({ timeout: waitMs });
    await page.getByRole("searchbox").fill("nobody-has-this");
    await page.getByText("NO_MATCH").waitFor({ timeout: waitMs });
    await accessible(page, "no match");
    await shoot(page, "no-match");
    await page.setViewportSize(sizes.phone);
    await page.getByRole("searchbox").fill("");
    await firstRow(page).waitFor({ timeout: waitMs });
    await fits(page, "miners on a phone");
    await accessible(page, "miners on a phone");
    await shoot(page, "phone");
    await firstRow(page).locator("a").click();
    await page.getByRole("heading", { name: "MINER" }).waitFor({ timeout: waitMs });
  },
  { path: "/miners", fixture: { miners: 10_000, feedMiners: 50 } },
);

await scene(
  "miners: a pool that does not answer is said, what is known stays",
  async ({ page, act, alert, shot }) => {
    await firstRow(page).waitFor({ timeout: waitMs });
    await act("down");
    await page.getByText("these are older figures").waitFor({ timeout: waitMs });
    await alert("feed");
    assert.ok((await page.locator(".rows-body .rows-line").count()) > 0);
    await accessible(page, "miners offline");
    await shot("miners-offline");
    await act("up");
    await page.getByRole("button", { name: "ASK AGAIN" }).click();
    await page.getByText("these are older figures").waitFor({ state: "detached", timeout: waitMs });
  },
  { path: "/miners" },
);

await scene(
  "miners: nobody mines",
  async ({ page, shot }) => {
    await page.getByText("NO_MINERS").waitFor({ timeout: waitMs });
    await accessible(page, "no miners");
    await shot("miners-empty");
  },
  { path: "/miners", fixture: { empty: true }, browser: { viewport: sizes.phone } },
);
