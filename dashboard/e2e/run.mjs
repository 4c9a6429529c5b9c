/**
 * Opens a running pool's dashboard and looks whether it works.
 *
 *   DAGPOOL_URL=http://127.0.0.1:8080 npm run e2e          (screenshots in e2e/shots/)
 *   DAGPOOL_BIN=../target/debug/dagpool npm run e2e        starts `dagpool demo` on free ports, and ends it
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { signPeopleIn } from "./account-demo.mjs";
import { manageAlgorithms, trustTestKey } from "./algorithms-demo.mjs";
import { withBrowser } from "./browser.mjs";
import { accessible, connected, dagDraws, keyboardWorks, numbersChange, offline, openPage, shots } from "./checks.mjs";
import { operatePool } from "./operate-demo.mjs";
import { steerPayouts } from "./payouts-demo.mjs";

const folder = process.env.SHOTS ?? new URL("./shots/", import.meta.url).pathname;

async function check(url, kill, token, admin) {
  await withBrowser(async (context) => {
    const { page, faults } = await openPage(context, url);
    await connected(page);
    console.log("ok  feed is connected");
    await numbersChange(page);
    console.log("ok  numbers change");
    console.log(`ok  DAG draws ${await dagDraws(page)} blocks`);
    await keyboardWorks(page);
    console.log("ok  keyboard reaches and walks the DAG");
    assert.equal(await page.getByTestId("alert-problems").count(), 0, "every message of the feed has its shape");
    console.log("ok  every message of the feed has its shape");
    console.log(`ok  no serious accessibility violation (${await accessible(page, "desktop")} lesser ones)`);
    await page.getByRole("button", { name: "NEWEST" }).first().click();
    await shots(page, folder);
    console.log(`ok  fits from 360 to 1440 px; screenshots in ${folder}`);
    if (token) {
      await manageAlgorithms(context, url, token, folder);
      console.log("ok  a package is uploaded, deployed under load, and another deployment is rolled back");
    }
    if (token) {
      await steerPayouts(context, url, token, folder);
      console.log("ok  payouts are seen, held, released and made; a miner finds its own, and checks a proof");
    }
    if (token) {
      await operatePool(context, url, token, folder, { deployed: true });
      console.log("ok  system, bans, connections, deployments, configuration, log");
    }
    if (admin) {
      await signPeopleIn(context, url, admin, folder);
      console.log("ok  people sign in, with a second factor; users, tokens and the trail");
    }
    if (kill) {
      await kill();
      await offline(page);
      await page.screenshot({ path: join(folder, "offline.png") });
      console.log("ok  a killed pool is said to be offline, its last figures are marked stale");
    }
    assert.deepEqual(faults, [], "no errors in the page and no request to elsewhere");
    console.log("ok  no errors in the page, nothing loaded from elsewhere");
  });
}

/** The demonstration with everything in one process, on ports that the system picks. */
async function withDemo(binary, use) {
  const data = await mkdtemp(join(tmpdir(), "dagpool-e2e-"));
  await trustTestKey(data);
  const args = ["demo", "--http", "127.0.0.1:0", "--stratum", "127.0.0.1:0", "--block-time", "1", "--data-dir", data];
  const demo = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(demo, "exit");
  // Its log, for when something goes wrong; and a full pipe must not stop the pool.
  const log = [];
  createInterface({ input: demo.stderr }).on("line", (line) => log.push(line) > 60 && log.shift());
  try {
    let url = null;
    let token = null;
    let admin = null;
    for await (const line of createInterface({ input: demo.stdout })) {
      url = line.match(/^dashboard\s+(http:\/\/\S+)/)?.[1] ?? url;
      token = line.match(/^admin\s+Authorization: Bearer (\S+)/)?.[1] ?? token;
      const [, name, password] = line.match(/^sign in\s+(\S+)\s+(\S+)/) ?? [];
      if (name) admin = { name, password };
      if (url && token && admin) break;
    }
    assert.ok(url && token && admin, "the demonstration says where its dashboard is, its token, and who may sign in");
    demo.stdout.resume();
    const kill = async () => {
      demo.kill("SIGKILL");
      await ended;
    };
    await use(url, kill, token, admin);
  } catch (error) {
    console.error(`--- the last of the demonstration's log ---\n${log.join("\n")}`);
    throw error;
  } finally {
    demo.kill("SIGTERM");
    await ended;
    await rm(data, { recursive: true, force: true });
  }
}

if (process.env.DAGPOOL_BIN) await withDemo(process.env.DAGPOOL_BIN, check);
else await check(process.env.DAGPOOL_URL ?? "http://127.0.0.1:8080", null);
