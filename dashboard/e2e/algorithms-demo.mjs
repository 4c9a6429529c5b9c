/** `[ALGORITHM_MANAGEMENT]` on a real pool: a real package is uploaded, deployed while miners work, and taken back. */
import assert from "node:assert/strict";
import { createHash, createPrivateKey, createPublicKey } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sizes } from "./browser.mjs";
import { accessible, connected, fits, openPage } from "./checks.mjs";

/** Deployments take their time: a step waits for enough shares to be judged by. */
const patienceMs = 90_000;

/** The trust store of a pool that takes the packages of the tests; their key is no secret. */
export async function trustTestKey(dataFolder) {
  const seed = Buffer.from("the key of the tests, not secret");
  const head = Buffer.from("302e020100300506032b657004220420", "hex");
  const secret = createPrivateKey({ key: Buffer.concat([head, seed]), format: "der", type: "pkcs8" });
  const key = createPublicKey(secret).export({ format: "der", type: "spki" }).subarray(-32);
  const id = createHash("sha256").update(key).digest("hex").slice(0, 16);
  const entry = `[[key]]\nid = "${id}"\nname = "tests"\npublic_key = "${key.toString("hex")}"\npermissions = ["wasm"]\n`;
  await writeFile(join(dataFolder, "trusted-keys.toml"), entry);
}

async function look(page, folder, name) {
  for (const size of ["desktop", "phone"]) {
    await page.setViewportSize(sizes[size]);
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    await fits(page, `${name}, ${size}`);
    await accessible(page, `${name}, ${size}`);
    await page.evaluate(() => window.scrollTo(0, 0));
    await page.screenshot({ path: join(folder, `real-${name}-${size}.png`), fullPage: true });
  }
  await page.setViewportSize(sizes.desktop);
}

async function upload(page, buffer) {
  const name = "algorithm-package-blake2s-v0.1.0.zip";
  await page.locator('input[type="file"]').setInputFiles({ name, mimeType: "application/zip", buffer });
}

async function deploy(page, { shadow, phase, phases }) {
  await page.getByRole("button", { name: "DEPLOY…" }).click();
  await page.getByRole("dialog").waitFor({ timeout: patienceMs });
  await page.getByLabel("Shadow, seconds").fill(shadow);
  await page.getByLabel("Each phase, seconds").fill(phase);
  await page.getByLabel("Phases, % of sessions").fill(phases);
  await page.getByRole("button", { name: "DEPLOY NOW" }).click();
  await page.getByText("MIGRATION_IN_PROGRESS").waitFor({ timeout: patienceMs });
}

/** Everything that an operator does on the page, against the pool at `url`. */
export async function manageAlgorithms(context, url, token, folder) {
  const { page, faults } = await openPage(context, new URL("/algorithms", url).href);
  await connected(page);
  const active = page.getByTestId("active");
  await active.getByText("blake2s").first().waitFor({ timeout: patienceMs });
  await page.getByPlaceholder("operator token").fill(token);
  await page.getByRole("button", { name: "UNLOCK" }).click();
  await page.getByRole("button", { name: /FORGET TOKEN|SIGN OUT/ }).waitFor({ timeout: patienceMs });
  await page.getByText("NOTHING_STAGED").waitFor({ timeout: patienceMs });

  const file = await readFile(new URL("../../tests/fixtures/packages/algorithm-package-blake2s.zip", import.meta.url));
  await upload(page, file.subarray(0, file.length - 9));
  await page.locator(".alert-title").getByText("PACKAGE_VALIDATION_FAILED").waitFor({ timeout: patienceMs });
  await look(page, folder, "refused");
  await upload(page, file);
  await page.getByText("blake2s_0.1.0 is staged").waitFor({ timeout: patienceMs });
  await page.getByText("8 of 8 checks passed").waitFor({ timeout: patienceMs });
  await look(page, folder, "staged");

  await deploy(page, { shadow: "1", phase: "1", phases: "50, 100" });
  await look(page, folder, "running");
  await page.getByTestId("migration").getByText("IDLE").waitFor({ timeout: patienceMs });
  const status = await (await fetch(new URL("/api/algorithms/status", url))).json();
  assert.equal(status.deployment.status, "completed", JSON.stringify(status.deployment.rollback));
  assert.equal(status.active_algorithm.source, "package");
  await page.locator(".deployment-head").first().click();
  await look(page, folder, "completed");

  await upload(page, file);
  await page.getByText("blake2s_0.1.0 is staged").waitFor({ timeout: patienceMs });
  await deploy(page, { shadow: "600", phase: "600", phases: "50, 100" });
  await page.getByRole("button", { name: "ROLL BACK" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "ROLL BACK" }).click();
  await page.getByText("Rolled back: an operator asked for it.").first().waitFor({ timeout: patienceMs });
  await page.getByTestId("migration").getByText("IDLE").waitFor({ timeout: patienceMs });
  await look(page, folder, "rolled-back");
  assert.deepEqual(faults, [], "no errors in the page of algorithms");
  await page.close();
}
