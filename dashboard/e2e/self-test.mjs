/**
 * The page against the stand-in pool, through good and bad times. Needs `npm run build` and Chromium.
 *
 *   npm run e2e:self [WORDS]       (screenshots in e2e/shots/; WORDS: only the scenes with these words in their name)
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { sizes } from "./browser.mjs";
import { accessible, dagDraws, fits, keyboardWorks, numbersChange, shots } from "./checks.mjs";
import { folder, scene, waitMs } from "./scene.mjs";

await scene("a busy pool: live, drawn, walked by keyboard, accessible at every size", async ({ page, shot }) => {
  await numbersChange(page);
  assert.ok((await dagDraws(page)) > 20);
  await keyboardWorks(page);
  await accessible(page, "desktop");
  await shots(page, folder);
  await page.locator(".row-open").first().click();
  await page.locator(".workers").waitFor({ timeout: waitMs });
  await accessible(page, "an opened miner");
  await page.locator(".miner-details").scrollIntoViewIfNeeded();
  await shot("miner");
  await page.getByRole("button", { name: "LIST" }).click();
  await page.setViewportSize(sizes.small);
  await fits(page, "list at 360 px");
  await accessible(page, "list at 360 px");
  await page.locator(".miner-details").scrollIntoViewIfNeeded();
  await shot("miner-small");
});

await scene("the node is not ready: work is paused and the page says why", async ({ page, act, alert, gone, shot }) => {
  await act("not-ready");
  await alert("node");
  await page.getByText("Not ready: syncing headers (83%)").waitFor();
  await accessible(page, "not ready");
  await shot("not-ready");
  await act("ready");
  await gone("node");
});

await scene(
  "the feed goes away: offline is said, figures turn stale, all comes back",
  async ({ page, act, alert, gone, word, shot }) => {
    await act("down");
    await word("OFFLINE");
    await alert("feed");
    await page.locator('.card[data-freshness="stale"]').first().waitFor({ timeout: waitMs });
    await accessible(page, "offline");
    await shot("offline");
    await act("up");
    // It may have come back by itself meanwhile.
    await Promise.any([page.getByRole("button", { name: "RETRY NOW" }).click({ timeout: waitMs }), gone("feed")]);
    await word("CONNECTED");
    await gone("feed");
    await numbersChange(page);
  },
);

await scene("the feed falls silent, then speaks again", async ({ act, word }) => {
  await act("silent");
  await word("SILENT");
  await act("speak");
  await word("CONNECTED");
});

await scene("a dropped connection resumes by itself", async ({ page, act, word }) => {
  await act("drop");
  const again = async () => (await (await fetch("/fixture/connections")).json()) >= 2;
  await page.waitForFunction(again, undefined, { timeout: waitMs, polling: 200 });
  await word("CONNECTED");
  await numbersChange(page);
});

await scene("rubbish in the feed costs nothing but a notice", async ({ page, act, alert }) => {
  await act("garbage");
  await alert("problems");
  await numbersChange(page);
});

await scene("a ledger that is off by one is the first thing seen", async ({ page, act, alert, shot }) => {
  await act("imbalance");
  await alert("imbalance");
  await alert("audit");
  await accessible(page, "imbalance");
  await shot("imbalance");
});

await scene(
  "a pool where nothing has happened yet, on a phone, without motion",
  async ({ page, shot }) => {
    await page.getByText("NO_MINERS").waitFor();
    await page.getByText("NO_JOB").waitFor();
    await accessible(page, "empty");
    await fits(page, "empty");
    await shot("empty-phone");
    await page.setViewportSize(sizes.desktop);
    await page.screenshot({ path: join(folder, "empty.png"), fullPage: true });
    const moving = await page.evaluate(
      () => document.getAnimations().filter((one) => one.playState === "running").length,
    );
    assert.equal(moving, 0, "nothing moves for those who asked for that");
  },
  { fixture: { empty: true }, browser: { viewport: sizes.phone, reducedMotion: "reduce" } },
);

await import("./dag-scenes.mjs");
await import("./blocks-scenes.mjs");
await import("./miners-scenes.mjs");
await import("./miner-scenes.mjs");
await import("./algorithms-scenes.mjs");
await import("./operate-scenes.mjs");
await import("./people-scenes.mjs");
await import("./state-scenes.mjs");
await import("./busy-scenes.mjs");
await import("./keys-scenes.mjs");
await import("./api-scenes.mjs");
await import("./personal-scenes.mjs");
