/** `[BLOCKS]` and `[BLOCK]` against the stand-in: the list with its filters, one block's life, statement and proofs. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { sizes } from "./browser.mjs";
import { accessible, fits } from "./checks.mjs";
import { folder, scene, waitMs } from "./scene.mjs";

const rows = (page) => page.locator(".blocks-table tbody tr");

async function shoot(page, name) {
  await page.evaluate(() => window.scrollTo(0, 0));
  await page.screenshot({ path: join(folder, `blocks-${name}.png`), fullPage: true });
}

await scene(
  "blocks: listed, filtered, one is opened, and a line of its statement is checked",
  async ({ page }) => {
    await rows(page).first().waitFor({ timeout: waitMs });
    assert.ok((await rows(page).count()) >= 50);
    await accessible(page, "blocks");
    await fits(page, "blocks on a desktop");
    await shoot(page, "desktop");
    await page.getByRole("button", { name: "OLDER" }).click();
    await page.waitForFunction(() => document.querySelectorAll(".blocks-table tbody tr").length >= 100);
    await page.getByLabel("status").selectOption("void");
    await page.waitForFunction(() =>
      [...document.querySelectorAll(".blocks-table tbody td:nth-child(2)")].every(
        (cell) => cell.textContent === "void",
      ),
    );
    await rows(page).first().waitFor({ timeout: waitMs });
    await page.getByLabel("status").selectOption("paid");
    await page.waitForFunction(() =>
      [...document.querySelectorAll(".blocks-table tbody td:nth-child(2)")].every(
        (cell) => cell.textContent === "paid",
      ),
    );
    await page.setViewportSize(sizes.phone);
    await fits(page, "blocks on a phone");
    await accessible(page, "blocks on a phone");
    await shoot(page, "phone");
    await page.setViewportSize(sizes.desktop);
    await rows(page).first().getByRole("link").first().click();
    await page.getByRole("heading", { name: "ITS_LIFE" }).waitFor({ timeout: waitMs });
    await page.getByText("all its credits are owed or sent").waitFor({ timeout: waitMs });
    await page
      .getByRole("button", { name: /^Verify/ })
      .first()
      .click();
    await page.getByText("✓ checked").waitFor({ timeout: waitMs });
    await accessible(page, "block");
    await fits(page, "block on a desktop");
    await shoot(page, "one");
    await page.getByRole("button", { name: /MORE/ }).click();
    await page.waitForFunction(() => document.querySelectorAll(".statement-whole tbody tr").length === 40);
    await page.setViewportSize(sizes.phone);
    await fits(page, "block on a phone");
    await accessible(page, "block on a phone");
    await shoot(page, "one-phone");
  },
  { path: "/blocks", fixture: { steps: 400, miners: 40 } },
);

await scene(
  "blocks: a block of nobody here, and a forged line",
  async ({ page, act, url }) => {
    await page.getByText("NOT_OURS").waitFor({ timeout: waitMs });
    await accessible(page, "not ours");
    await act("forge-proofs");
    await page.goto(`${url}/blocks`);
    await rows(page).first().getByRole("link").first().click();
    await page
      .getByRole("button", { name: /^Verify/ })
      .first()
      .click();
    await page.locator(".proof-bad").waitFor({ timeout: waitMs });
    await shoot(page, "forged");
  },
  { path: `/blocks/${"ab".repeat(32)}` },
);

await scene(
  "blocks: none yet, on a phone; and a pool that does not answer",
  async ({ page, act, alert, url }) => {
    await page.getByText("NO_BLOCKS_YET").waitFor({ timeout: waitMs });
    await accessible(page, "no blocks");
    await shoot(page, "empty");
    await act("down");
    await page.getByLabel("status").selectOption("paid");
    await page.getByText("NO_ANSWER").waitFor({ timeout: waitMs });
    await alert("feed");
    await accessible(page, "blocks offline");
    await shoot(page, "offline");
    await act("up");
    await page.getByRole("button", { name: "ASK AGAIN" }).click();
    await page.getByText("NO_MATCH").waitFor({ timeout: waitMs });
    assert.equal(new URL(page.url()).search, "?status=paid", url);
  },
  { path: "/blocks", fixture: { empty: true }, browser: { viewport: sizes.phone } },
);
