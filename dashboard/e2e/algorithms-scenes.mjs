/** `[ALGORITHM_MANAGEMENT]` against the stand-in: as a viewer, as an operator, and when things go wrong. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { zipSync } from "fflate";
import { sizes } from "./browser.mjs";
import { accessible, fits } from "./checks.mjs";
import { folder, scene, waitMs } from "./scene.mjs";

const path = "/algorithms";
const phone = { viewport: sizes.phone };
const zip = (name = "algorithm-package-blake3-v1.1.0.zip", size = 148_000) => ({
  name,
  mimeType: "application/zip",
  buffer: Buffer.alloc(size, 7),
});

/** Waits until a text can be read: it may stand in several places, such as a panel, the history and a toast. */
const see = (page, text, options) => page.getByText(text, options).first().waitFor({ timeout: waitMs });

async function unlock(page, token = "operator-token") {
  await page.getByPlaceholder("operator token").fill(token);
  await page.getByRole("button", { name: "UNLOCK" }).click();
  await page.getByRole("button", { name: /FORGET TOKEN|SIGN OUT/ }).waitFor({ timeout: waitMs });
}

async function full(page, name) {
  await page.evaluate(() => window.scrollTo(0, 0));
  await page.screenshot({ path: join(folder, `algorithms-${name}.png`), fullPage: true });
}

/** The same at phone width, then back. */
async function bothSizes(page, name) {
  await fits(page, `${name} on a desktop`);
  await accessible(page, `${name} on a desktop`);
  await full(page, name);
  await page.setViewportSize(sizes.phone);
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  await fits(page, `${name} on a phone`);
  await accessible(page, `${name} on a phone`);
  await full(page, `${name}-phone`);
  await page.setViewportSize(sizes.desktop);
}

await scene("algorithms: the navigation leads there and back", async ({ page }) => {
  await page.getByRole("link", { name: "ALGORITHMS", exact: true }).click();
  await page.getByRole("heading", { name: "ALGORITHM_MANAGEMENT" }).waitFor({ timeout: waitMs });
  await page.getByTestId("active").getByText("blake3 1.0.0").waitFor({ timeout: waitMs });
  await page.goBack();
  await page.getByRole("heading", { name: "DAG_POOL" }).waitFor({ timeout: waitMs });
});

await scene(
  "algorithms: a pool without the routes says so, and offers no way there",
  async ({ page, url, act }) => {
    await page.getByTestId("active").waitFor({ timeout: waitMs });
    await act("algorithms-off");
    await page.reload();
    await see(page, "THIS_POOL_SERVES_NO_ALGORITHM_ROUTES");
    assert.equal(await page.getByRole("link", { name: "ALGORITHMS", exact: true }).count(), 0);
    await bothSizes(page, "unserved");
    await page.goto(url);
    await page.getByTestId("hashrate").waitFor({ timeout: waitMs });
    assert.equal(await page.getByRole("link", { name: "BENCH", exact: true }).count(), 0);
  },
  { path },
);

await scene(
  "algorithms: a visitor sees what is public and can change nothing",
  async ({ page }) => {
    await see(page, "NOTHING_STAGED");
    assert.ok(await page.getByRole("button", { name: "DEPLOY…" }).isDisabled());
    assert.ok(await page.locator('input[type="file"]').isDisabled());
    await page.getByPlaceholder("operator token").fill("wrong");
    await page.getByRole("button", { name: "UNLOCK" }).click();
    await see(page, "UNAUTHORIZED", { exact: true });
    await bothSizes(page, "visitor");
  },
  { path },
);

await scene(
  "algorithms: a viewer reads, and is told why nothing can be pressed",
  async ({ page, act }) => {
    await act("stage-now");
    await unlock(page, "viewer-token");
    await see(page, "Deploying needs the operator role.");
    assert.ok(await page.getByRole("button", { name: "DEPLOY…" }).isDisabled());
    await bothSizes(page, "viewer");
  },
  { path },
);

await scene(
  "algorithms: upload, report, deploy, pause, advance, roll back",
  async ({ page, url, act }) => {
    await unlock(page);
    await see(page, "NOTHING_STAGED");
    await bothSizes(page, "empty");
    await page.locator('input[type="file"]').setInputFiles(zip("notes.txt"));
    await see(page, "NOT_A_PACKAGE");
    await page.locator('input[type="file"]').setInputFiles(zip(undefined, 4_000_000));
    await see(page, /The pool checks signature/);
    await full(page, "uploading");
    await see(page, "blake3_1.1.0 is staged");
    await see(page, "8 of 8 checks passed");
    await bothSizes(page, "staged");

    await page.getByRole("button", { name: "DEPLOY…" }).click();
    await page.getByRole("dialog").waitFor({ timeout: waitMs });
    await page.getByLabel("Phases, % of sessions").fill("50, 20, 100");
    await page.getByRole("button", { name: "DEPLOY NOW" }).click();
    await see(page, "Rising percentages, the last one 100, such as 5, 25, 100.");
    await accessible(page, "the dialog with a mistake");
    await page.getByLabel("Phases, % of sessions").fill("5, 10, 25, 50, 75, 100");
    await page.getByRole("group", { name: "Who is told of each step" }).getByLabel("ops-mail").check();
    await page.screenshot({ path: join(folder, "algorithms-dialog.png") });
    await page.getByText("SCHEDULED", { exact: true }).click();
    await page.getByLabel(/Begins at/).waitFor({ timeout: waitMs });
    await page.setViewportSize(sizes.phone);
    await accessible(page, "the dialog on a phone");
    await page.screenshot({ path: join(folder, "algorithms-dialog-phone.png") });
    await page.setViewportSize(sizes.desktop);
    await page.getByText("GRADUAL", { exact: true }).click();
    await act("refuse-deploy");
    await page.getByRole("button", { name: "DEPLOY NOW" }).click();
    await page.getByRole("dialog").getByText("MIGRATION_FAILED", { exact: true }).waitFor({ timeout: waitMs });
    await act("mend");
    await page.getByRole("button", { name: "DEPLOY NOW" }).click();
    await see(page, "MIGRATION_IN_PROGRESS");
    const [config] = await (await fetch(`${url}/fixture/configs`)).json();
    assert.deepEqual(config, {
      strategy: "gradual",
      rollback_on_error: true,
      shadow_duration: 300,
      phase_duration: 600,
      phases: [5, 10, 25, 50, 75, 100],
      // What was looked at, and nothing that somebody else stages meanwhile.
      digest: "9f2c41d07ab3e865b0c1d2e3f4a5968778695a4b3c2d1e0f9e8d7c6b5a493827",
      notification_channels: ["ops-mail"],
    });
    for (const phase of ["CANARY_5%", "CANARY_10%", "CANARY_25%"]) {
      await page.getByRole("button", { name: "ADVANCE" }).click();
      await page.getByRole("dialog").getByRole("button", { name: "ADVANCE" }).click();
      await page.getByTestId("migration").getByText(phase, { exact: true }).waitFor({ timeout: waitMs });
    }
    assert.ok(await page.getByRole("button", { name: "DEPLOY…" }).isDisabled(), "one deployment at a time");
    await bothSizes(page, "running");
    await page.getByRole("button", { name: "PAUSE" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "PAUSE" }).click();
    await page.locator(".migration").getByText("PAUSED", { exact: true }).waitFor({ timeout: waitMs });
    assert.ok(await page.getByRole("button", { name: "ADVANCE" }).isDisabled());
    await full(page, "paused");
    await page.getByRole("button", { name: "ROLL BACK" }).click();
    await page.screenshot({ path: join(folder, "algorithms-confirm.png") });
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached", timeout: waitMs });
    await page.getByRole("button", { name: "ROLL BACK" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "ROLL BACK" }).click();
    await see(page, "Rolled back: an operator asked for it.");
    await page.getByTestId("migration").getByText("IDLE").waitFor({ timeout: waitMs });
  },
  { path },
);

await scene(
  "algorithms: a wrong hash in shadow is told at once, with the input that proves it",
  async ({ page, act }) => {
    await act("stage-now");
    await unlock(page);
    await act("deploy-now");
    await see(page, "MIGRATION_IN_PROGRESS");
    await act("degrade");
    await see(page, "DEGRADED");
    await full(page, "degraded");
    await act("wrong-hash");
    await page.getByTestId("migration").getByText("IDLE").waitFor({ timeout: waitMs });
    await see(page, /Rolled back: old and new code gave different hashes/);
    await page.locator(".deployment-head").first().click();
    await bothSizes(page, "wrong-hash");
  },
  { path },
);

await scene(
  "algorithms: a refused package shows the pool's advice",
  async ({ page, act }) => {
    await unlock(page);
    await act("refuse-package");
    await page.locator('input[type="file"]').setInputFiles(zip());
    await page.locator(".alert-title").getByText("PACKAGE_VALIDATION_FAILED").waitFor({ timeout: waitMs });
    assert.equal(
      await page.getByRole("link", { name: "About PACKAGE_VALIDATION_FAILED" }).getAttribute("href"),
      "/docs/errors/PACKAGE_VALIDATION_FAILED",
    );
    await bothSizes(page, "refused");
  },
  { path },
);

await scene(
  "algorithms: a way of no return must be confirmed by name",
  async ({ page, act }) => {
    await act("irreversible");
    await act("stage-now");
    await unlock(page);
    await page.getByRole("button", { name: "DEPLOY…" }).click();
    await page.getByRole("button", { name: "DEPLOY NOW" }).click();
    await see(page, "Confirm that there is no way back.");
    await accessible(page, "no way back");
    await page.screenshot({ path: join(folder, "algorithms-no-way-back.png") });
    await page.getByLabel(/blake3 declares rollback_supported: false/).check();
    await page.getByRole("button", { name: "DEPLOY NOW" }).click();
    await see(page, "MIGRATION_IN_PROGRESS");
  },
  { path },
);

await scene(
  "algorithms: another isolation level, and what its author did not mean",
  async ({ page, url, act }) => {
    await act("limited-by-author");
    await act("stage-now");
    await unlock(page);
    await see(page, /lets it replace only blake2s/);
    await page.getByRole("button", { name: "DEPLOY…" }).click();
    await page.getByLabel("Isolation").selectOption("process");
    await page.getByRole("button", { name: "DEPLOY NOW" }).click();
    await see(page, "Confirm that it may replace this algorithm all the same.");
    await accessible(page, "isolation and override");
    await page.screenshot({ path: join(folder, "algorithms-override.png") });
    await page.setViewportSize(sizes.phone);
    await accessible(page, "isolation and override on a phone");
    await page.getByLabel("Isolation").scrollIntoViewIfNeeded();
    await page.screenshot({ path: join(folder, "algorithms-override-phone.png") });
    await page.setViewportSize(sizes.desktop);
    await page.getByLabel(/lets blake3 replace only blake2s/).check();
    await page.getByRole("button", { name: "DEPLOY NOW" }).click();
    await see(page, "MIGRATION_IN_PROGRESS");
    const [config] = await (await fetch(`${url}/fixture/configs`)).json();
    assert.deepEqual([config.isolation, config.override_migration_from], ["process", true]);
  },
  { path },
);

await scene(
  "algorithms: the pool goes away: said, marked as old, and back by itself",
  async ({ page, act, word }) => {
    await act("stage-now");
    await unlock(page);
    await act("down");
    await word("OFFLINE");
    await page.locator('.card[data-freshness="stale"]').first().waitFor({ timeout: waitMs });
    await bothSizes(page, "offline");
    await act("up");
    await word("CONNECTED");
    await page.locator('.card[data-freshness="fresh"]').first().waitFor({ timeout: waitMs });
  },
  { path, browser: { ...phone, viewport: sizes.desktop, reducedMotion: "reduce" } },
);

/** A package of the engine's own test module and the reference vectors. */
async function realPackage(spoil) {
  const root = new URL("../../", import.meta.url);
  const { headers } = JSON.parse(await readFile(new URL("tests/vectors/pow_vectors.json", root), "utf8"));
  const wasm = await readFile(new URL("pool-actors/engine/tests/fixtures/blake3.wasm", root));
  const { exports } = new WebAssembly.Instance(await WebAssembly.compile(wasm));
  // The call may grow the memory, which then has another buffer.
  const length = exports.dagpool_info();
  const said = Buffer.from(exports.memory.buffer, exports.dagpool_output(), length);
  const { name, version } = JSON.parse(said.toString());
  const json = (value) => Buffer.from(JSON.stringify(value));
  const vectors = headers.map(({ header, blake3 }) => ({ input: header, hash: blake3 }));
  if (spoil) vectors[3].hash = vectors[2].hash;
  const inputs = headers.slice(0, 64).map(({ header }) => header);
  const description = "BLAKE3 of an 80-byte header";
  return zipSync({
    "manifest.json": json({ name, version, description, license: "MIT", algorithm: { hash_function: name } }),
    "algorithm.wasm": wasm,
    "tests/test_vectors.json": json({ version: 1, vectors }),
    "tests/benchmark_data.json": json({
      version: 1,
      inputs,
      warmup: 10,
      iterations: 1000,
      expected_hashrate: 2_000_000,
    }),
    "signature.sig": Buffer.alloc(72, 1),
  });
}

await scene(
  "algorithms: a package runs in the browser, away from the page",
  async ({ page }) => {
    const name = "algorithm-package-blake3-v0.1.0.zip";
    const choose = async (spoil) => {
      const buffer = Buffer.from(await realPackage(spoil));
      await page.locator('input[type="file"]').setInputFiles({ name, mimeType: "application/zip", buffer });
    };
    await see(page, "NOTHING_RUN");
    await choose(false);
    await see(page, "IN_THIS_BROWSER");
    await see(page, /none wrong/);
    await bothSizes(page, "bench");
    await choose(true);
    await see(page, /Vector 4 .*came out wrong/);
    await see(page, "IN_THIS_BROWSER");
    await bothSizes(page, "bench-wrong");
    const refused = await page.evaluate(async () => {
      try {
        await WebAssembly.compile(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));
        return false;
      } catch {
        return true;
      }
    });
    assert.ok(refused, "the page itself may not compile wasm: only the worker does");
  },
  { path: "/algorithms/bench" },
);
