/**
 * How fast the pages are on a phone, measured against a real pool; and what Lighthouse says of them.
 *
 *   DAGPOOL_BIN=../target/debug/dagpool npm run figures        starts `dagpool demo` on free ports, and ends it
 *   DAGPOOL_URL=http://127.0.0.1:8080 npm run figures          a pool that runs already
 *   npm run figures                                            the stand-in, for comparing one build of the page with another
 *   PAGES=dist DAGPOOL_BIN=... npm run figures                 that pool, with the pages of this folder instead of its own
 *   npm run figures / blocks                                   the overview, and pages with "blocks" in their path
 *
 * The phone: a processor four times slower, 1.6 Mbit/s, 150 ms there and back, nothing cached. A page is interactive when what it
 * is for is shown and the first second without a long task (50 ms) begins.
 *
 * Lighthouse is no dependency of this package (200 packages, 186 MB): where it is installed, LIGHTHOUSE names the folder:
 *
 *   npm install --prefix /tmp/lighthouse lighthouse && LIGHTHOUSE=/tmp/lighthouse npm run figures
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { sizes, withBrowser } from "./browser.mjs";
import { startFixture } from "./fixture-server.mjs";
import { startFront } from "./front.mjs";
import { freePort, startProgram } from "./servers.mjs";

const runs = Number(process.env.RUNS ?? 3);
const patienceMs = 60_000;
const wantedMs = 1_500;
const wantedScore = 95;

/** Pages with what is there once they show what they are for. */
async function pagesOf(url) {
  const first = async (path) => (await (await fetch(`${url}${path}`)).json()).items?.[0];
  const found = async (path) => {
    const deadline = Date.now() + patienceMs;
    for (;;) {
      const item = await first(path);
      if (item) return item;
      assert.ok(Date.now() < deadline, `${path}: nothing comes`);
      await new Promise((done) => setTimeout(done, 500));
    }
  };
  const block = await found("/api/blocks?limit=1");
  const miner = await found("/api/miners?active=true&limit=1");
  return {
    "/": '.card[data-freshness="fresh"]',
    "/dag": '[data-testid="dag-canvas"]',
    "/blocks": ".blocks-table tbody tr",
    [`/blocks/${block.hash}`]: ".life-step",
    "/miners": ".rows-body .rows-line",
    [`/miners/${encodeURIComponent(miner.account)}`]: '[data-testid="balance-pending"]',
    "/sign-in": "form",
  };
}

/** Runs in the page before anything else. */
function watch(selector) {
  window.seen = { tasks: [], shown: null, paint: null };
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) window.seen.tasks.push([startTime, startTime + duration]);
  }).observe({ type: "longtask", buffered: true });
  const look = () => {
    if (document.querySelector(selector)) window.seen.shown = performance.now();
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

async function open(url, path, selector) {
  return withBrowser(
    async (context) => {
      const page = await context.newPage();
      const cdp = await context.newCDPSession(page);
      await cdp.send("Network.enable");
      await cdp.send("Network.setCacheDisabled", { cacheDisabled: true });
      const speed = { offline: false, latency: 150, downloadThroughput: 1.6e6 / 8, uploadThroughput: 7.5e5 / 8 };
      await cdp.send("Network.emulateNetworkConditions", speed);
      await cdp.send("Emulation.setCPUThrottlingRate", { rate: 4 });
      let bytes = 0;
      cdp.on("Network.loadingFinished", ({ encodedDataLength }) => {
        bytes += encodedDataLength;
      });
      await page.addInitScript(watch, selector);
      await page.goto(`${url}${path}`, { waitUntil: "commit", timeout: patienceMs });
      await page.waitForFunction(() => window.seen?.shown !== null, undefined, { timeout: patienceMs });
      await page.waitForTimeout(2_500);
      const { tasks, shown, paint } = await page.evaluate(() => ({
        ...window.seen,
        paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null,
      }));
      let interactive = Math.max(shown, paint ?? 0);
      for (const [start, end] of tasks.sort((a, b) => a[0] - b[0])) {
        if (end > interactive && start < interactive + 1000) interactive = end;
      }
      return { paint, shown, interactive, bytes };
    },
    { viewport: sizes.phone, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
  );
}

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

async function measureSpeed(url, pages) {
  const slow = [];
  for (const [path, selector] of Object.entries(pages)) {
    const seen = [];
    for (let run = 0; run < runs; run += 1) seen.push(await open(url, path, selector));
    const of = (key) => Math.round(median(seen.map((one) => one[key])));
    const [paint, shown, interactive] = [of("paint"), of("shown"), of("interactive")];
    console.log(
      `${path.slice(0, 30).padEnd(30)} first paint ${paint} ms, content ${shown} ms, interactive ${interactive} ms, ${Math.round(of("bytes") / 1000)} kB`,
    );
    if (interactive > wantedMs) slow.push(path);
  }
  return slow;
}

/** Scores of Lighthouse's mobile profile. */
async function askLighthouse(folder, url, pages) {
  const entry = pathToFileURL(join(folder, "node_modules/lighthouse/core/index.js"));
  const { default: lighthouse } = await import(entry.href);
  const port = await freePort();
  const low = [];
  const use = async () => {
    for (const path of Object.keys(pages)) {
      const onlyCategories = ["performance", "accessibility", "best-practices"];
      const { lhr } = await lighthouse(`${url}${path}`, { port, logLevel: "error", onlyCategories });
      const scores = Object.values(lhr.categories).map(({ title, score }) => [title, Math.round((score ?? 0) * 100)]);
      console.log(`${path.slice(0, 30).padEnd(30)} ${scores.map((pair) => pair.join(" ")).join(", ")}`);
      const failed = Object.values(lhr.categories).flatMap(({ auditRefs }) =>
        auditRefs
          .filter(({ id, weight }) => weight > 0 && (lhr.audits[id]?.score ?? 1) < 0.9)
          .map(({ id }) => `${id} (${lhr.audits[id].displayValue ?? lhr.audits[id].score})`),
      );
      if (failed.length > 0) console.log(`${"".padEnd(30)} below 90: ${failed.join(", ")}`);
      for (const [title, score] of scores) if (score < wantedScore) low.push(`${path}: ${title} ${score}`);
    }
  };
  const args = [`--remote-debugging-port=${port}`, "--headless", "--no-sandbox", "--disable-gpu"];
  await withBrowser(use, { args });
  return low;
}

async function figures(url) {
  const pages = await pagesOf(url);
  const only = process.argv.slice(2);
  const isWanted = (path) =>
    only.length === 0 || only.some((part) => (part === "/" ? path === part : path.includes(part)));
  const wanted = Object.fromEntries(Object.entries(pages).filter(([path]) => isWanted(path)));
  const slow = process.env.SPEED === "off" ? [] : await measureSpeed(url, wanted);
  const low = process.env.LIGHTHOUSE ? await askLighthouse(process.env.LIGHTHOUSE, url, wanted) : [];
  if (slow.length > 0) console.log(`later than ${wantedMs} ms: ${slow.join(", ")}`);
  if (low.length > 0) console.log(`below ${wantedScore}: ${low.join(", ")}`);
  process.exitCode = slow.length + low.length > 0 ? 1 : 0;
}

/** The pool's own pages, or those of a folder. */
async function figuresOf(pool) {
  const front = process.env.PAGES ? await startFront(pool, resolve(process.env.PAGES)) : null;
  try {
    await figures(front?.url ?? pool);
  } finally {
    front?.stop();
  }
}

if (process.env.DAGPOOL_BIN) {
  const data = await mkdtemp(join(tmpdir(), "dagpool-figures-"));
  const args = ["demo", "--http", "127.0.0.1:0", "--stratum", "127.0.0.1:0", "--block-time", "2", "--data-dir", data];
  const demo = await startProgram(process.env.DAGPOOL_BIN, args, { url: /^dashboard\s+(http:\/\/\S+?)\/?$/ });
  try {
    await figuresOf(demo.url);
  } finally {
    await demo.stop();
    await rm(data, { recursive: true, force: true });
  }
} else if (process.env.DAGPOOL_URL) await figuresOf(process.env.DAGPOOL_URL);
else {
  const pool = await startFixture(0, { steps: 200 });
  try {
    await figuresOf(pool.url);
  } finally {
    pool.stop();
  }
}
