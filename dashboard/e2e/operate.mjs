/**
 * A pool with a configuration file, as operators run it: the file is changed, looked at, taken over, broken and mended, by the
 * page and by SIGHUP; and its log is read by the command.
 *
 *   DAGPOOL_BIN=../target/debug/dagpool node e2e/operate.mjs          (screenshots in e2e/shots/)
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { withBrowser } from "./browser.mjs";
import { connected, look as lookAt, openPage } from "./checks.mjs";
import { operatePool, scrollLog } from "./operate-demo.mjs";
import { startProgram } from "./servers.mjs";

const folder = process.env.SHOTS ?? new URL("./shots/", import.meta.url).pathname;
const wait = { timeout: 60_000 };
const token = "operate-0123456789abcdef0123456789abcdef";
const look = (page, name) => lookAt(page, folder, `operate-${name}`, { touched: false });
await mkdir(folder, { recursive: true });

async function reload(context, url, write) {
  const { page, faults } = await openPage(context, new URL("/config", url).href);
  await page.evaluate((kept) => sessionStorage.setItem("dagpool.token", kept), token);
  await page.reload();
  await connected(page);
  const press = (name) => page.getByRole("button", { name, exact: true }).click(wait);
  const dialog = page.getByRole("dialog");
  const value = (key) => page.getByTestId(`key-${key}`).locator(".config-value").textContent(wait);
  assert.equal(await value("vardiff.target_interval_ms"), "5000");
  await press("DRY RUN");
  await page.getByText("NO_DIFFERENCE").waitFor(wait);
  await write('[vardiff]\ntarget_interval_ms = 9000\n[log]\nlevel = "debug"\n[payout]\nfee_basis_points = 50\n');
  await press("DRY RUN");
  await page.getByTestId("diff").getByText("vardiff.target_interval_ms").waitFor(wait);
  assert.equal(await value("vardiff.target_interval_ms"), "5000", "a dry run changes nothing");
  await look(page, "config-dry-run");
  await press("RELOAD…");
  await dialog.waitFor(wait);
  await look(page, "config-reload-question");
  await dialog.getByRole("button", { name: "RELOAD", exact: true }).click(wait);
  await page.getByText("2 keys changed; 1 key waits for a restart").waitFor(wait);
  await page.getByText("In the file, and waiting for a restart").waitFor(wait);
  assert.equal(await value("vardiff.target_interval_ms"), "9000");
  await look(page, "config-reloaded");
  await write("[vardiff]\ntarget_interval_mss = 1\n");
  await press("RELOAD…");
  await page.getByTestId("config-refused").getByText("CONFIG_NOT_RELOADED", { exact: true }).waitFor(wait);
  await page.getByTestId("config-refused").getByText("did you mean `target_interval_ms`?").waitFor(wait);
  await look(page, "config-refused");
  await write("");
  assert.deepEqual(faults, [], "no errors in the page of the configuration");
  await page.close();
  console.log("ok  a file is looked at, taken over, and refused when it is wrong");
}

/** A simulated node, the pool with its file, and miners. */
export async function operate(binary) {
  const data = await mkdtemp(join(tmpdir(), "dashboard-operate-"));
  const running = [];
  const start = async (...program) => {
    const started = await startProgram(binary, ...program);
    running.unshift(started);
    return started;
  };
  try {
    const node = await start(["sim", "node", "--rpc", "127.0.0.1:0", "--block-time", "1"], { rpc: /^rpc\s+(\S+)/ });
    const request = { jsonrpc: "2.0", id: 1, method: "getNewAddress", params: ["pool"] };
    const asked = await fetch(node.rpc, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(request),
    });
    const config = join(data, "pool.toml");
    const lines = [
      `[pool]\nname = "Pool under test"\ndata_dir = "${join(data, "data")}"`,
      `[chain]\nprofile = "simulated"\nnodes = ["${node.rpc}"]\npayout_address = "${(await asked.json()).result}"`,
      `[auth]\nadmin_token = "${token}"`,
      `[http]\naddress = "127.0.0.1:0"\nrate_limit_exempt_loopback = true\n[banning]\nenabled = false`,
      `[[stratum.listener]]\naddress = "127.0.0.1:0"\ndifficulty = "0.000001"`,
    ];
    const write = (more) => writeFile(config, `${lines.join("\n")}\n${more}`);
    await write("");
    const said = { url: /^dashboard\s+(http:\/\/\S+)/, stratum: /^stratum\s+stratum\+tcp:\/\/(\S+)/ };
    const pool = await start(["run", "--config", config], said);
    const miners = ["sim", "miners", "--pool", pool.stratum, "--count", "4", "--hashrate", "20000"];
    await start(miners, {});
    try {
      await withBrowser(async (context) => {
        await operatePool(context, pool.url, token, folder);
        console.log("ok  system, bans, connections, deployments, configuration, log");
        await reload(context, pool.url, write);
        const { median, p95, drawn } = await scrollLog(context, pool.url, token);
        console.log(
          `ok  10,000 lines: ${drawn} drawn, a frame of scrolling takes ${median.toFixed(1)} ms, 95% below ${p95.toFixed(1)} ms`,
        );
        assert.ok(drawn < 120, `${drawn} lines are drawn`);
      });
      const args = ["logs", "--category", "audit", "--last", "1h", "--url", pool.url, "--token", token];
      const { stdout } = await promisify(execFile)(binary, args);
      assert.match(stdout, /POST \/api\/admin\/config\/reload/);
      assert.ok(!stdout.includes(token), stdout);
      console.log(`ok  dagpool logs: ${stdout.trim().split("\n").at(-1).slice(0, 140)}`);
    } catch (error) {
      console.error(error);
      console.error(`--- the last of the pool's log ---\n${pool.log.join("\n")}`);
      throw error;
    }
  } finally {
    for (const program of running) await program.stop();
    await rm(data, { recursive: true, force: true });
  }
}

if (process.env.DAGPOOL_BIN) await operate(process.env.DAGPOOL_BIN);
else throw new Error("DAGPOOL_BIN names the pool's program");
