/** `/api/docs` against the stand-in: found, opened, tried out, on every size of screen. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { sizes, withBrowser } from "./browser.mjs";
import { accessible, fits, openPage } from "./checks.mjs";
import { startFixture } from "./fixture-server.mjs";
import { folder, waitMs } from "./scene.mjs";

const name = "the page about the API: found, opened, tried out, accessible at every size";
if (!process.argv[2] || name.includes(process.argv[2])) {
  const pool = await startFixture(0);
  try {
    await withBrowser(async (context) => {
      const { page, faults } = await openPage(context, `${pool.url}/api/docs`);
      const full = (file) => page.screenshot({ path: join(folder, `api-${file}.png`) });
      await page.getByText("Live figures of pool, network and ledger.").waitFor({ timeout: waitMs });
      assert.ok((await page.locator(".operation").count()) > 60);
      await accessible(page, "the API's page");
      await full("desktop");
      await page.getByText("Live figures of pool, network and ledger.").click();
      await page.getByRole("button", { name: "ledger" }).click();
      await page.getByRole("button", { name: "SEND GET" }).click();
      await page.locator(".answer").waitFor({ timeout: waitMs });
      await accessible(page, "an opened route");
      await page.locator("#getStats").scrollIntoViewIfNeeded();
      await full("opened");
      await page.setViewportSize(sizes.phone);
      await fits(page, "the API's page on a phone");
      await accessible(page, "the API's page on a phone");
      await full("phone-opened");
      await page.getByRole("searchbox").fill("silence");
      await page.getByText("Keeps a rule quiet for a while.").click();
      await page.locator("#postAlertsSilences").scrollIntoViewIfNeeded();
      await full("phone");
      await page.setViewportSize(sizes.small);
      await fits(page, "the API's page at 360 px");
      assert.deepEqual(faults, [], "no errors in the page, nothing loaded from elsewhere");
    });
  } finally {
    pool.stop();
  }
  console.log(`ok  ${name}`);
}
