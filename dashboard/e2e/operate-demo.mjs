/** Pages of operators on a real pool: its parts, who is connected and banned, what was deployed, what is configured, its log. */
import assert from "node:assert/strict";
import { accessible, connected, fits, look as lookAt, openPage } from "./checks.mjs";

const wait = { timeout: 60_000 };

const look = (page, folder, name) => lookAt(page, folder, `operate-${name}`, { touched: false });

/** Opens a page with the operator token, as another page of this tab would have kept it. */
async function openAs(context, url, token, path) {
  const opened = await openPage(context, new URL(path, url).href);
  await opened.page.evaluate((kept) => sessionStorage.setItem("dagpool.token", kept), token);
  await opened.page.reload();
  await connected(opened.page);
  return opened;
}

/** Against the pool at `url`, which has miners; `deployed`: something was rolled out there before. */
export async function operatePool(context, url, token, folder, { deployed = false } = {}) {
  const headers = { authorization: `Bearer ${token}` };
  const ask = async (path) => (await fetch(new URL(path, url), { headers })).json();

  const stranger = await openPage(context, new URL("/logs", url).href);
  await stranger.page.getByText("NOT_SIGNED_IN").waitFor(wait);
  assert.equal(await stranger.page.getByRole("link", { name: "LOGS", exact: true }).count(), 0);
  await stranger.page.close();

  const { page, faults } = await openAs(context, url, token, "/system");
  const dialog = page.getByRole("dialog");
  const answer = (name) => dialog.getByRole("button", { name, exact: true }).click(wait);
  const follow = (name) => page.getByRole("link", { name, exact: true }).first().click(wait);
  await page.getByTestId("actor-alert-keeper").waitFor(wait);
  await page.getByTestId("actor-alert-keeper").getByRole("button").click();
  await page.locator("pre.actor-state").waitFor(wait);
  await look(page, folder, "system");
  await page.getByRole("button", { name: "WITH TROUBLE" }).click();
  await look(page, folder, "system-quiet");

  await follow("BANS");
  await page.getByTestId("connections").locator("li").first().waitFor(wait);
  await page.getByText("NOBODY_IS_BANNED").waitFor(wait);
  await look(page, folder, "connections");
  // A demonstration's miners all come from one address, and come back by themselves.
  await page
    .getByRole("button", { name: /^CLOSE…/ })
    .first()
    .click();
  await look(page, folder, "close-question");
  await answer("CLOSE IT");
  await page.getByText("The connection was closed").waitFor(wait);
  await page.getByRole("button", { name: "BAN AN ADDRESS…" }).click();
  await dialog.getByLabel("Address").fill("not an address");
  await dialog.getByLabel("Why").fill("it floods");
  await answer("BAN IT");
  await dialog.getByText("BAD_REQUEST", { exact: true }).waitFor(wait);
  await look(page, folder, "ban-refused");
  await dialog.getByLabel("Address").fill("203.0.113.7");
  await answer("BAN IT");
  await page.getByTestId("bans").getByText("it floods").waitFor(wait);
  const { items } = await ask("/api/admin/bans");
  assert.deepEqual([items[0].address, items[0].reason, items[0].words], ["203.0.113.7", "operator", "it floods"]);
  await look(page, folder, "banned");
  await page.getByRole("button", { name: /^LIFT…/ }).click();
  await answer("LIFT IT");
  await page.getByText("NOBODY_IS_BANNED").waitFor(wait);
  assert.equal((await ask("/api/admin/bans")).items.length, 0);

  await follow("DEPLOYMENTS");
  if (deployed) {
    await page.getByTestId("deployments").locator("a").first().waitFor(wait);
    await look(page, folder, "deployments");
    await page.getByTestId("deployments").locator("a").first().click();
    await page.getByTestId("deployment-status").waitFor(wait);
    await page.locator(".step").first().waitFor(wait);
    await look(page, folder, "deployment");
  } else {
    await page.getByText("NO_DEPLOYMENTS").waitFor(wait);
    await look(page, folder, "deployments-none");
  }

  await follow("CONFIG");
  await page.getByTestId("key-vardiff.target_interval_ms").waitFor(wait);
  await look(page, folder, "config");
  await page.getByLabel("Find a key").fill("threshold");
  await page.getByTestId("key-payout.threshold").locator("summary").click();
  await look(page, folder, "config-key");

  await follow("LOGS");
  await page.locator(".log-line").first().waitFor(wait);
  await look(page, folder, "logs");
  // What this operator did is in it, and follows by itself; nothing lets anybody in.
  await page.getByLabel("About").selectOption("audit");
  await page.getByLabel("With the text").fill("203.0.113.7");
  const filtered = () => {
    const lines = [...document.querySelectorAll(".log-line")];
    return lines.length > 0 && lines.every(({ textContent }) => textContent?.includes("203.0.113.7"));
  };
  await page.waitForFunction(filtered, undefined, wait);
  const before = Number((await page.getByTestId("log-count").textContent()).replace(/\D/g, ""));
  await fetch(new URL("/api/admin/bans/203.0.113.7", url), { method: "DELETE", headers });
  await page.waitForFunction(
    (known) => Number(document.querySelector('[data-testid="log-count"]')?.textContent.replace(/\D/g, "")) > known,
    before,
    wait,
  );
  await page.locator(".log-line").last().click();
  await page.getByTestId("log-details").waitFor(wait);
  await look(page, folder, "log-line");
  await page.getByRole("button", { name: "PAUSE" }).click();
  const all = JSON.stringify(await ask("/api/admin/logs?limit=2000"));
  assert.ok(!all.includes(token), "the log tells no token");
  await fits(page, "the log");
  await accessible(page, "the log, paused");
  assert.deepEqual(faults, [], "no errors in the pages of operators");
  await page.close();
}

/** Ten thousand lines in the page of a real pool's log: how long frames take while they are scrolled. */
export async function scrollLog(context, url, token) {
  const { page } = await openPage(context, new URL("/", url).href);
  await page.evaluate((kept) => sessionStorage.setItem("dagpool.token", kept), token);
  const isLog = (asked) => asked.pathname === "/api/admin/logs";
  await page.route(isLog, (route) => {
    const first = !route.request().url().includes("after=");
    const line = (seq) => ({
      seq,
      at: new Date(1_700_000_000_000 + seq * 10).toISOString(),
      level: ["info", "warn", "error", "debug"][seq % 4],
      category: "stratum",
      target: "pool_actors::stratum",
      message: `line ${seq} of many, with some words to draw`,
      fields: { session: String(seq), peer: "192.0.2.1:4000" },
    });
    const items = first ? Array.from({ length: 10_000 }, (_, index) => line(index + 1)) : [];
    const body = { items, next: null, seen: 10_000, missed: 0, categories: ["stratum"] };
    return route.fulfill({ json: body });
  });
  await page.goto(new URL("/logs", url).href);
  await page.locator(".log-line").first().waitFor(wait);
  const frames = await page.evaluate(async () => {
    const box = document.querySelector(".log");
    const times = [];
    let last = performance.now();
    for (let step = 0; step < 120; step += 1) {
      box.scrollTop = (box.scrollHeight * step) / 120;
      await new Promise((done) => requestAnimationFrame(done));
      const now = performance.now();
      times.push(now - last);
      last = now;
    }
    return times.sort((a, b) => a - b);
  });
  const drawn = await page.locator(".log-line").count();
  await page.close();
  return { median: frames[60], p95: frames[114], drawn };
}
