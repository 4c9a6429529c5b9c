import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { withBrowser } from "./browser.mjs";
import { connected, openPage } from "./checks.mjs";
import { startFixture } from "./fixture-server.mjs";

export const folder = process.env.SHOTS ?? new URL("./shots/", import.meta.url).pathname;
export const waitMs = 20_000;
await mkdir(folder, { recursive: true });

/** A page on a pool of its own; no fault may have shown in it at the end. */
export async function scene(name, play, options = {}) {
  const wanted = process.argv[2];
  if (wanted && !name.includes(wanted)) return;
  const pool = await startFixture(0, options.fixture);
  try {
    await withBrowser(async (context) => {
      const { page, faults } = await openPage(context, `${pool.url}${options.path ?? "/"}`);
      const act = async (action) =>
        assert.ok((await fetch(`${pool.url}/fixture/${action}`, { method: "POST" })).ok, action);
      const alert = (id) => page.getByTestId(`alert-${id}`).waitFor({ timeout: waitMs });
      const gone = (id) => page.getByTestId(`alert-${id}`).waitFor({ state: "detached", timeout: waitMs });
      const word = (text) =>
        page.getByTestId("connection").getByText(text, { exact: true }).waitFor({ timeout: waitMs });
      const shot = (file) => page.screenshot({ path: join(folder, `${file}.png`) });
      await connected(page);
      await play({ page, url: pool.url, act, alert, gone, word, shot });
      assert.deepEqual(faults, [], `${name}: no errors in the page`);
    }, options.browser);
  } finally {
    pool.stop();
  }
  console.log(`ok  ${name}`);
}
