/** `[MINER]` against the stand-in: money, earnings, and a proof that is checked in the browser. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { sizes } from "./browser.mjs";
import { accessible, fits } from "./checks.mjs";
import { folder, scene, waitMs } from "./scene.mjs";

async function full(page, name) {
  await page.evaluate(() => window.scrollTo(0, 0));
  await page.screenshot({ path: join(folder, `miner-page-${name}.png`), fullPage: true });
}

async function toAccount(page) {
  await page.locator(".row-open").first().click({ timeout: waitMs });
  await page.getByRole("link", { name: "earnings and proofs" }).click({ timeout: waitMs });
  await page.getByRole("heading", { name: "MINER" }).waitFor({ timeout: waitMs });
  await page.locator(".credit").first().waitFor({ timeout: waitMs });
}

await scene("miner: from the list to an account, whose proof is checked in the browser", async ({ page }) => {
  await toAccount(page);
  await page.getByTestId("balance-confirmed").waitFor({ timeout: waitMs });
  await page.getByRole("heading", { name: "PAYOUTS" }).waitFor({ timeout: waitMs });
  await page.locator(".hours-path").waitFor({ timeout: waitMs });
  await page.getByRole("button", { name: "7 D" }).click();
  await page.getByRole("figure", { name: /last 168 hours/ }).waitFor({ timeout: waitMs });
  await page.locator(".rig-steps").first().waitFor({ timeout: waitMs });
  await page.locator("button.credit-head").first().click();
  await page.getByRole("button", { name: "VERIFY" }).click({ timeout: waitMs });
  await page.locator(".verdict-good").waitFor({ timeout: waitMs });
  await fits(page, "miner on a desktop");
  await accessible(page, "miner on a desktop");
  await full(page, "desktop");
  await page.setViewportSize(sizes.phone);
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  await fits(page, "miner on a phone");
  await accessible(page, "miner on a phone");
  await full(page, "phone");
  await page.setViewportSize(sizes.small);
  await fits(page, "miner at 360 px");
  await page.getByRole("button", { name: "OLDER" }).click();
  await page.waitForFunction(() => document.querySelectorAll("button.credit-head").length === 12, undefined, {
    timeout: waitMs,
  });
});

await scene("miner: a forged proof is refused, and a pool without payouts shows none", async ({ page, act }) => {
  await act("forge-proofs");
  await act("no-payouts");
  await toAccount(page);
  await page.locator("button.credit-head").first().click();
  await page.getByRole("button", { name: "VERIFY" }).click({ timeout: waitMs });
  await page.locator(".verdict-bad").waitFor({ timeout: waitMs });
  assert.equal(await page.getByRole("heading", { name: "PAYOUTS" }).count(), 0);
  await accessible(page, "a forged proof");
  await full(page, "forged");
});
