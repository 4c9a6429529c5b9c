/**
 * What an operator sees while the database, then the cache, is away: a real pool on a real PostgreSQL and Redis, which are
 * killed and come back while miners mine.
 *
 *   DAGPOOL_BIN=../target/debug/dagpool node e2e/outage.mjs          (screenshots in e2e/shots/)
 */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withBrowser } from "./browser.mjs";
import { connected, look as lookAt, numbersChange, openPage } from "./checks.mjs";
import { startPostgres, startProgram, startRedis } from "./servers.mjs";

const folder = process.env.SHOTS ?? new URL("./shots/", import.meta.url).pathname;
const waitMs = 60_000;
await mkdir(folder, { recursive: true });

const json = async (url, path) => {
  const answer = await fetch(new URL(path, url));
  return { status: answer.status, body: await answer.json() };
};

async function until(what, ask, done) {
  const deadline = Date.now() + waitMs;
  for (;;) {
    const answer = await ask();
    if (done(answer)) return answer;
    assert.ok(Date.now() < deadline, `${what}: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

const look = (page, name) => lookAt(page, folder, `outage-${name}`, { touched: false });

const token = "outage-0123456789abcdef0123456789abcdef";

/** The alert about the database: seen with the operator token (nobody can sign in now), taken on, and told by mail. */
async function takeCare(context, url, mails) {
  const { page, faults } = await openPage(context, new URL("/alerts", url).href);
  await page.getByText("NOT_SIGNED_IN").waitFor({ timeout: waitMs });
  await page.evaluate((kept) => sessionStorage.setItem("dagpool.token", kept), token);
  await page.reload();
  const firing = page.getByTestId("firing-database_away");
  await firing.waitFor({ timeout: waitMs });
  await look(page, "alerts");
  await firing.getByRole("button", { name: "I TAKE IT…" }).click();
  await page.getByLabel("What you do about it").fill("starting it again");
  await look(page, "alerts-take");
  await page.getByRole("button", { name: "I TAKE IT", exact: true }).click();
  await page.getByText("takes care of it: starting it again").waitFor({ timeout: waitMs });
  await page.getByRole("button", { name: /SEND A TEST/ }).click();
  await page.getByText("mail: the test was taken").waitFor({ timeout: waitMs });
  const told = await until(
    "two mails",
    () => readdir(mails),
    (names) => names.length === 2,
  );
  const texts = await Promise.all(told.map((name) => readFile(join(mails, name), "utf8")));
  assert.ok(
    texts.some((text) => text.includes("the database does not answer")),
    texts.join("\n"),
  );
  console.log("ok  the database's alert is told by mail, seen, and taken care of");
  return async () => {
    await firing.waitFor({ state: "detached", timeout: waitMs });
    await page.getByTestId("over").getByText("database_away").waitFor({ timeout: waitMs });
    await look(page, "alerts-over");
    assert.deepEqual(faults, [], "no errors in the page of alerts");
    await page.close();
  };
}

async function play(url, postgres, redis, account, mails) {
  const ready = () => json(url, "/health/ready");
  const stats = async () => (await json(url, "/api/stats")).body;
  await until("the pool is ready and has credited shares", stats, (now) => now.blocks.accepted > 2);
  await until("ready", ready, ({ status }) => status === 200);
  await withBrowser(async (context) => {
    const { page, faults } = await openPage(context, url);
    const alert = (id) => page.getByTestId(`alert-${id}`);
    await connected(page);
    assert.equal(await alert("store").count(), 0);
    await look(page, "before");

    await postgres.kill();
    await alert("store").waitFor({ timeout: waitMs });
    const said = await alert("store").textContent();
    for (const words of ["DATABASE_AWAY", "Miners notice nothing", "kept in the journal", "stand still"])
      assert.ok(said.includes(words), said);
    const { status, body } = await until("not ready", ready, (answer) => answer.status === 503);
    const reason = body.reasons.find(({ code }) => code === "STORE_UNAVAILABLE");
    assert.ok(status === 503 && reason.since && reason.figures_at, JSON.stringify(body));
    console.log(`/health/ready ${status} ${JSON.stringify(body)}`);
    const before = (await stats()).pool.shares.accepted;
    await until("miners mine on", stats, (now) => now.pool.shares.accepted > before + 20);
    await numbersChange(page);
    await page.locator('.panel[data-freshness="stale"]').first().waitFor({ timeout: waitMs });
    await page.getByText("The database does not answer.", { exact: false }).first().waitFor({ timeout: waitMs });
    await page.waitForFunction(
      () => /\d shares wait/.test(document.querySelector('[data-testid="alert-store"]')?.textContent ?? ""),
      undefined,
      { timeout: waitMs },
    );
    await look(page, "database");
    console.log(`ok  a killed database: ${(await alert("store").textContent()).slice(0, 160)}...`);

    const isOver = await takeCare(context, url, mails);
    await page.goto(new URL(`/miners/${account}`, url).href);
    await alert("store").waitFor({ timeout: waitMs });
    await look(page, "miner");
    await page.goto(url);
    await connected(page);

    await redis.kill();
    await alert("cache").waitFor({ timeout: waitMs });
    await look(page, "both");
    await postgres.start();
    await alert("store").waitFor({ state: "detached", timeout: waitMs });
    await page.getByText("The database is back", { exact: false }).waitFor({ timeout: waitMs });
    const still = await until("ready without a cache", ready, (answer) => answer.status === 200);
    assert.equal(still.body.degraded[0].code, "CACHE_UNAVAILABLE");
    await look(page, "cache");
    await redis.start();
    await alert("cache").waitFor({ state: "detached", timeout: waitMs });
    await page.getByText("The cache is back", { exact: false }).waitFor({ timeout: waitMs });
    await until("all is credited", stats, (now) => now.ledger.lag < 50 && now.degraded.length === 0);
    assert.equal(await page.locator('.panel[data-freshness="stale"]').count(), 0);
    await look(page, "after");
    await isOver();
    console.log("ok  database and cache are back, the page says so and nothing is stale");
    assert.deepEqual(faults, [], "no errors in the page");
  });
}

/** A simulated node, the pool on these servers, and miners. */
export async function outage(binary) {
  const data = await mkdtemp(join(tmpdir(), "dashboard-outage-"));
  const running = [];
  const start = async (...program) => {
    const started = await startProgram(binary, ...program);
    running.unshift(started);
    return started;
  };
  const [postgres, redis] = [await startPostgres(), await startRedis()];
  try {
    const node = await start(["sim", "node", "--rpc", "127.0.0.1:0", "--block-time", "1"], { rpc: /^rpc\s+(\S+)/ });
    const request = { jsonrpc: "2.0", id: 1, method: "getNewAddress", params: ["pool"] };
    const answer = await fetch(node.rpc, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(request),
    });
    const config = join(data, "pool.toml");
    const mails = join(data, "mails");
    const lines = [
      `[pool]\nname = "Pool under test"\ndata_dir = "${join(data, "data")}"`,
      `[chain]\nprofile = "simulated"\nnodes = ["${node.rpc}"]\npayout_address = "${(await answer.json()).result}"`,
      `[auth]\nadmin_token = "${token}"`,
      `[alerts]\nevery_s = 1\n[[alerts.rule]]\nname = "database_away"\nfor_s = 2`,
      `[[alerts.channel]]\nname = "mail"\nkind = "email"\nurl = "outbox:${mails}"\nfrom = "pool@example.org"\nto = ["ops@example.org"]`,
      `[store]\nurl = "${postgres.url}"\n[cache]\nurl = "${redis.url}"`,
      `[http]\naddress = "127.0.0.1:0"\nrate_limit_exempt_loopback = true\n[banning]\nenabled = false`,
      `[[stratum.listener]]\naddress = "127.0.0.1:0"\ndifficulty = "0.000001"`,
    ];
    await writeFile(config, `${lines.join("\n")}\n`);
    const said = { url: /^dashboard\s+(http:\/\/\S+)/, stratum: /^stratum\s+stratum\+tcp:\/\/(\S+)/ };
    const pool = await start(["run", "--config", config], said);
    const miners = [
      "sim",
      "miners",
      "--pool",
      pool.stratum,
      "--count",
      "4",
      "--hashrate",
      "20000",
      "--account",
      "alice",
    ];
    await start(miners, {});
    try {
      const list = await until(
        "an account",
        async () => (await json(pool.url, "/api/miners?limit=10")).body,
        ({ items }) => items.length > 0,
      );
      await play(pool.url, postgres, redis, list.items[0].account, mails);
    } catch (error) {
      console.error(`--- the last of the pool's log ---\n${pool.log.join("\n")}`);
      throw error;
    }
  } finally {
    for (const program of running) await program.stop();
    await redis.stop();
    await postgres.stop();
    await rm(data, { recursive: true, force: true });
  }
}

if (process.env.DAGPOOL_BIN) await outage(process.env.DAGPOOL_BIN);
else throw new Error("DAGPOOL_BIN names the pool's program");
