/** `[BLOCK_DAG]` against the stand-in: follow, pan, zoom, walk, look into a block, go back for thousands of blocks. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { sizes } from "./browser.mjs";
import { accessible, fits } from "./checks.mjs";
import { folder, scene, waitMs } from "./scene.mjs";

const canvas = (page) => page.getByTestId("dag-canvas");
const known = async (page) =>
  Number((await page.getByTestId("dag-known").textContent()).match(/[\d,]+/)[0].replace(",", ""));
const picture = (page) => page.evaluate(() => document.querySelector(".dag-box canvas").toDataURL());
const pressed = (page) => page.getByRole("button", { name: /FOLLOW/ }).getAttribute("aria-pressed");

async function shoot(page, name) {
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  await page.screenshot({ path: join(folder, `dag-${name}.png`), fullPage: true });
}

await scene(
  "dag: follows the newest, is panned and zoomed, tells a block, and goes back for thousands",
  async ({ page }) => {
    await canvas(page).waitFor({ timeout: waitMs });
    assert.equal(await pressed(page), "true", "it follows from the start");
    await accessible(page, "dag");
    await fits(page, "dag on a desktop");
    await shoot(page, "desktop");
    const { x, y, width, height } = await canvas(page).boundingBox();
    await page.mouse.move(x + width / 2, y + height / 2);
    await page.mouse.down();
    await page.mouse.move(x + width / 2 + 300, y + height / 2, { steps: 5 });
    await page.mouse.up();
    assert.equal(await pressed(page), "false", "who pans does not follow any more");
    const still = await picture(page);
    await canvas(page).focus();
    await page.keyboard.press("ArrowLeft");
    await page.waitForFunction((before) => document.querySelector(".dag-box canvas").toDataURL() !== before, still);
    await page.keyboard.press("Shift+ArrowLeft");
    await page.keyboard.press("Shift+ArrowLeft");
    await page.getByTestId("block-details").waitFor({ timeout: waitMs });
    await accessible(page, "a block is chosen");
    await shoot(page, "block");
    await page.keyboard.press("Enter");
    const focused = await page.evaluate(() => document.activeElement?.closest(".details") !== null);
    assert.ok(focused, "enter leads to the details");
    await canvas(page).focus();
    await page.keyboard.press("Escape");
    await page.getByTestId("block-details").waitFor({ state: "detached", timeout: waitMs });
    for (let step = 0; step < 16; step += 1) await page.keyboard.press("-");
    await page.waitForFunction(
      () =>
        Number(
          document
            .querySelector("[data-testid=dag-known]")
            .textContent.match(/[\d,]+/)[0]
            .replace(",", ""),
        ) > 500,
      undefined,
      { timeout: waitMs },
    );
    await shoot(page, "far");
    for (let step = 0; step < 60 && !(await page.getByText("This is all").count()); step += 1)
      await page.keyboard.press("Home");
    await page.getByText("This is all").waitFor({ timeout: waitMs });
    console.log(`    ${await known(page)} blocks are known`);
    const frames = await page.evaluate(async () => {
      const box = document.querySelector(".dag-box");
      const times = [];
      let last = performance.now();
      for (let frame = 0; frame < 120; frame += 1) {
        box.dispatchEvent(new WheelEvent("wheel", { deltaX: frame < 60 ? -90 : 90, bubbles: true, cancelable: true }));
        await new Promise((done) => requestAnimationFrame(done));
        times.push(performance.now() - last);
        last = performance.now();
      }
      return times.slice(5).sort((a, b) => a - b);
    });
    const part = (share) => frames[Math.floor(frames.length * share)].toFixed(1);
    console.log(
      `    panning through them: frame times median ${part(0.5)} ms, 95% ${part(0.95)} ms, worst ${part(0.999)} ms`,
    );
    await page.keyboard.press("f");
    assert.equal(await pressed(page), "true");
    await page.getByRole("button", { name: "LIST" }).click();
    await page.locator(".dag-list tbody tr").first().waitFor({ timeout: waitMs });
    await accessible(page, "dag as a list");
    await shoot(page, "list");
    await page.setViewportSize(sizes.phone);
    await fits(page, "dag list on a phone");
    await page.getByRole("button", { name: "DAG", exact: true }).click();
    await shoot(page, "phone");
    await fits(page, "dag on a phone");
    await accessible(page, "dag on a phone");
  },
  { path: "/dag", fixture: { steps: 2200 } },
);

await scene(
  "dag: older blocks that do not come are asked for again; offline is said",
  async ({ page, act, word, alert }) => {
    await canvas(page).waitFor({ timeout: waitMs });
    await page.route("**/api/blocks/dag*", (route) => route.fulfill({ status: 503 }));
    await canvas(page).focus();
    await page.keyboard.press("Home");
    await page.getByText("The pool did not tell older blocks.").waitFor({ timeout: waitMs });
    await page.unroute("**/api/blocks/dag*");
    await page.getByRole("button", { name: "ASK AGAIN" }).click();
    await page.getByText("The pool did not tell older blocks.").waitFor({ state: "detached", timeout: waitMs });
    await act("down");
    await word("OFFLINE");
    await alert("feed");
    await page.locator('.panel[data-freshness="stale"]').waitFor({ timeout: waitMs });
    await accessible(page, "dag offline");
    await shoot(page, "offline");
  },
  { path: "/dag", fixture: { steps: 900 } },
);

await scene(
  "dag: a pool without blocks, on a phone, without motion",
  async ({ page }) => {
    await page.getByText("NO_BLOCKS_YET").waitFor({ timeout: waitMs });
    await accessible(page, "dag empty");
    await shoot(page, "empty");
  },
  { path: "/dag", fixture: { empty: true }, browser: { viewport: sizes.phone, reducedMotion: "reduce" } },
);
