/** Pages of operators in states that a real pool is seldom in: trouble, emptiness, much of everything. */
import { look } from "./checks.mjs";
import { scrollLog } from "./operate-demo.mjs";
import { folder, scene, waitMs } from "./scene.mjs";

const wait = { timeout: waitMs };
const now = Date.now();
const ago = (s) => new Date(now - s * 1000).toISOString();

const actors = [
  ["alert-keeper", "AlertKeeper", "running", 0, null, { firing: 2, looks: 1240, rules: 31 }, 84],
  ["block-submitter", "BlockSubmitter", "running", 1, "panicked: the node's answer has no verdict", { open: [] }, 120],
  ["cache-keeper", "CacheKeeper", "restarting", 7, "panicked: index out of bounds", null, null],
  ["journal-shard-0", "JournalShard", "running", 0, null, { forming: 3, in_flight: true, last: 182_004 }, 1_250],
  ["journal-shard-1", "JournalShard", "failed", 5, "the disk is full", null, null],
  ["session-hub-0", "SessionHub", "running", 0, null, { connections: 4_012, newest_job: 88_120 }, 640_000],
].map(([name, kind, life, restarts, last_death, state, mailbox_delay_us]) => ({
  name,
  kind,
  life,
  restarts,
  last_death,
  state,
  mailbox_delay_us,
}));

const bans = [
  {
    address: "203.0.113.7",
    reason: "operator",
    words: "it floods the pool, see ticket 812",
    at: ago(300),
    until: ago(-86_000),
  },
  { address: "198.51.100.23", reason: "malformed", words: null, at: ago(60), until: ago(-540) },
  { address: "2001:db8:17:4::", reason: "invalid_shares", words: null, at: ago(20), until: ago(-580) },
];

const connections = Array.from({ length: 40 }, (_, index) => ({
  session: 100 + index,
  account: `kaspa:qzl4t2k8${index}x0v5r7m3n9d2f6h8j1l4p7s0u3w6y9z2b5e8g1k4m7q0t3v6x9`,
  worker: `rig-${index}`,
  peer: index % 5 === 0 ? `[2001:db8::${index}]:4021` : `192.0.2.${index}:${4000 + index}`,
  agent: index % 3 === 0 ? "bzminer/v21.5.2" : "lolMiner 1.88",
  difficulty: `${(index + 1) * 1024}`,
  connected_at: ago(index * 900),
  last_share_at: index % 7 === 0 ? null : ago(index),
}));

const algorithm = (version) => ({ name: "blake3", version, algorithm_id: `blake3_${version}` });
const figures = (slow) => ({
  shares: 48_210,
  accepted: 48_190,
  low_difficulty: 20,
  hashes: 48_212,
  compared: 480,
  errors: 0,
  traps: 0,
  blocks: 3,
  median_ns: 820 * slow,
  p99_ns: 4_100 * slow,
});
const deployment = (id, change) => ({
  deployment_id: id,
  kind: "upgrade",
  strategy: "gradual",
  algorithm: algorithm("1.2.0"),
  replaces: algorithm("1.1.0"),
  phase: "25%",
  progress: 48,
  traffic_split: 25,
  phases: ["shadow", "5%", "10%", "25%", "50%", "100%"].map((name, index) => ({
    name,
    status: index < 3 ? "completed" : index === 3 ? "active" : "pending",
    duration: 600,
  })),
  created_at: ago(4_000),
  updated_at: ago(30),
  by: "ann",
  ...change,
});
const deployments = [
  deployment("12", { status: "running" }),
  deployment("11", {
    status: "rolled_back",
    rollback: { cause: "unhealthy", detail: "p99 was 8.1 ms, the control group's 4.1 ms" },
  }),
  deployment("10", { status: "completed", progress: 100, created_at: ago(90_000), updated_at: ago(84_000) }),
];
const one = {
  ...deployments[0],
  health: { status: "healthy", reason: null, control: figures(1), candidate: figures(1.1) },
  trail: [
    { at: ago(4_000), action: "began", stage: "shadow", traffic_split: 0, by: "ann", detail: null },
    { at: ago(3_400), action: "advanced", stage: "canary", traffic_split: 5, by: null, detail: "healthy for 600 s" },
    { at: ago(2_800), action: "paused", stage: "canary", traffic_split: 10, by: "bob", detail: "lunch" },
  ],
};

const key = (name, value, change = {}) => ({
  name,
  value,
  default: value,
  source: "default",
  variable: null,
  live: false,
  doc: `What ${name} means, in a sentence or two, as the example file says it.`,
  ...change,
});
const config = {
  file: "/etc/dagpool/pool.toml",
  read_at: ago(7_200),
  waiting: [{ key: "payout.fee_basis_points", from: "100", to: "50", live: false }],
  sections: [
    {
      name: "pool",
      keys: [
        key("name", "North Pool", { default: "BlockDAG Pool", source: "file" }),
        key("data_dir", "data"),
        key("arbiters", 0),
      ],
    },
    {
      name: "chain",
      keys: [
        key("nodes", ["ws://10.0.0.5:18110", "ws://10.0.0.6:18110"], {
          source: "file",
          default: ["http://127.0.0.1:18131"],
        }),
        key("rpc_password", "***", { default: null, source: "environment", variable: "DAGPOOL__CHAIN__RPC_PASSWORD" }),
      ],
    },
    {
      name: "vardiff",
      keys: [key("target_interval_ms", 5_000, { live: true }), key("deadband_basis_points", 3_000, { live: true })],
    },
    {
      name: "payout",
      keys: [key("threshold", "0.5", { default: "0.01", source: "file", live: true }), key("limit_per_day", "")],
    },
    {
      name: "alerts",
      keys: [
        key("rule", [{ name: "own", metric: "dagpool_node_ready", above: 0.5 }], {
          default: [],
          source: "file",
          live: true,
        }),
      ],
    },
    { name: "log", keys: [key("level", "info", { live: true }), key("kept_lines", 20_000)] },
  ],
};
const changes = [
  { key: "log.level", from: '"info"', to: '"info,pool_actors::stratum=debug"', live: true },
  { key: "store.url", from: '"sqlite:pool.db"', to: '"postgres://pool:***@db/money"', live: false },
];

const line = (seq, level, category, message, fields = {}) => ({
  seq,
  at: ago(400 - seq),
  level,
  category,
  target: `pool_actors::${category}`,
  message,
  fields,
});
const lines = Array.from({ length: 300 }, (_, index) =>
  index % 17 === 0
    ? line(index + 1, "warn", "node", "the node is slow to answer", { method: "getBlockTemplate", ms: "812" })
    : index % 41 === 0
      ? line(index + 1, "error", "store", "the database does not answer", { host: "db", wait_s: "3" })
      : line(index + 1, "info", "stratum", "a miner connected", {
          account: "kaspa:qzl4t2",
          worker: `rig${index}`,
          peer: "192.0.2.1:4000",
        }),
);

/** Answers the routes of operators from here. */
async function answer(page, routes) {
  for (const [path, body] of Object.entries(routes))
    await page.route(
      (url) => url.pathname === path,
      (route) => (typeof body === "function" ? body(route) : route.fulfill({ json: body })),
    );
  await page.evaluate(() => sessionStorage.setItem("dagpool.token", "good"));
}

const metrics = (route) =>
  route.fulfill({
    contentType: "text/plain",
    body: `process_resident_memory_bytes 314572800\nprocess_open_fds 4210\nprocess_max_fds 65536\nprocess_start_time_seconds ${now / 1000 - 90_000}\nprocess_cpu_seconds_total ${(Date.now() - now) / 2000}\n`,
  });

const refused = (route) =>
  route.fulfill({
    status: 422,
    json: {
      error: {
        id: "1",
        code: "CONFIG_NOT_RELOADED",
        message: "the configuration was not reloaded: pool.toml: unknown key vardiff.target_interval_mss",
        details: { code: "CONFIG_INVALID", advice: "did you mean `target_interval_ms`?" },
        suggested_actions: [
          { action: "Correct what the message names, and reload again", command: "dagpool check", priority: "high" },
        ],
        documentation_link: "/docs/errors/CONFIG_NOT_RELOADED",
        severity: "warning",
      },
    },
  });

await scene("operate: a system in trouble, bans and many connections", async ({ page, url }) => {
  await answer(page, {
    "/api/admin/system": { actors, at: ago(0) },
    "/metrics": metrics,
    "/api/admin/bans": { items: bans, next: null },
    "/api/admin/connections": { items: connections, next: null, total: 4_012 },
  });
  await page.goto(new URL("/system", url).href);
  await page.getByTestId("actor-journal-shard-0").getByRole("button").click(wait);
  await page.getByTestId("UPTIME").waitFor(wait);
  await look(page, folder, "operate-busy-system");
  await page.goto(new URL("/bans", url).href);
  await page.getByTestId("bans").getByText("ticket 812").waitFor(wait);
  await page.getByTestId("connections").locator("li").first().waitFor(wait);
  await look(page, folder, "operate-busy-bans");
  await page.getByRole("button", { name: "BAN AN ADDRESS…" }).click();
  await look(page, folder, "operate-busy-ban-question");
});

await scene("operate: deployments, one of them under way", async ({ page, url }) => {
  await answer(page, {
    "/api/deployments": { items: deployments, next: "10" },
    "/api/deployments/12": one,
  });
  await page.goto(new URL("/deployments", url).href);
  await page.getByTestId("deployments").getByText("RUNNING 48%").waitFor(wait);
  await look(page, folder, "operate-busy-deployments");
  await page.getByTestId("deployments").locator("a").first().click();
  await page.getByText("lunch").waitFor(wait);
  await look(page, folder, "operate-busy-deployment");
});

await scene("operate: a configuration with a difference, and one that is refused", async ({ page, url }) => {
  let good = true;
  await answer(page, {
    "/api/admin/config": config,
    "/api/admin/config/reload": (route) =>
      good ? route.fulfill({ json: { dry_run: true, changes } }) : refused(route),
  });
  await page.goto(new URL("/config", url).href);
  await page.getByTestId("key-payout.threshold").locator("summary").click(wait);
  await page.getByRole("button", { name: "DRY RUN" }).click();
  await page.getByText("If the file were read now").waitFor(wait);
  await look(page, folder, "operate-busy-config");
  await page.getByRole("button", { name: "RELOAD…" }).click();
  await page.getByRole("dialog").waitFor(wait);
  await look(page, folder, "operate-busy-reload");
  await page.getByRole("dialog").getByRole("button", { name: "CANCEL" }).click();
  good = false;
  await page.getByRole("button", { name: "DRY RUN" }).click();
  await page.getByTestId("config-refused").waitFor(wait);
  await look(page, folder, "operate-busy-refused");
});

await scene("operate: the log, and ten thousand lines of it", async ({ page, url }) => {
  await answer(page, {
    "/api/admin/logs": (route) => {
      const first = !route.request().url().includes("after=");
      const items = first ? lines : [];
      return route.fulfill({
        json: { items, next: first ? "1" : null, seen: 300, missed: 0, categories: ["node", "store", "stratum"] },
      });
    },
  });
  await page.goto(new URL("/logs", url).href);
  await page.locator(".log-line").last().click(wait);
  await page.getByTestId("log-details").waitFor(wait);
  await look(page, folder, "operate-busy-logs");
  const { median, p95, drawn } = await scrollLog(page.context(), url, "good");
  console.log(
    `    10,000 lines: ${drawn} drawn; a frame of scrolling ${median.toFixed(1)} ms, 95% below ${p95.toFixed(1)} ms`,
  );
});

await scene("operate: the log goes back on a full page, and forward again without a hole", async ({ page, url }) => {
  const newest = 12_000;
  await answer(page, {
    "/api/admin/logs": (route) => {
      const query = new URL(route.request().url()).searchParams;
      const limit = Number(query.get("limit"));
      const after = query.get("after");
      const end = after ? Math.min(Number(after) + limit, newest) : Number(query.get("cursor") ?? newest + 1) - 1;
      const begin = after ? Number(after) + 1 : Math.max(1, end - limit + 1);
      const items = Array.from({ length: Math.max(0, end - begin + 1) }, (_, index) =>
        line(begin + index, "info", "stratum", `line ${begin + index}`),
      );
      return route.fulfill({
        json: {
          items,
          next: after || begin === 1 ? null : String(begin),
          seen: end,
          missed: 0,
          categories: ["stratum"],
        },
      });
    },
  });
  await page.goto(new URL("/logs", url).href);
  const count = page.getByTestId("log-count");
  for (const kept of ["1,000", "2,000", "3,000", "4,000", "5,000", "6,000", "7,000", "8,000", "9,000", "10,000"]) {
    await count.getByText(`${kept} lines`, { exact: true }).waitFor(wait);
    await page.getByRole("button", { name: "OLDER" }).click();
  }
  await page.getByText("the newest lines made room").waitFor(wait);
  await page.locator(".log-line").filter({ hasText: "line 11000" }).waitFor(wait);
  await look(page, folder, "operate-log-older");
  await page.getByRole("button", { name: "RESUME" }).click();
  await page.locator(".log-line").filter({ hasText: "line 12000" }).waitFor(wait);
});
