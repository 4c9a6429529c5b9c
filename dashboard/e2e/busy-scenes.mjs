/**
 * Every page when there is too much of everything and all of it is red: a large pool in its worst hour, long names, large numbers.
 *
 *   PAGE=payouts node e2e/busy-scenes.mjs       (only pages with that in their path)
 *
 * Where a page is busy in another way in a scene of its own, this is the worse one: `docs/screens.md` has both.
 */
import { look } from "./checks.mjs";
import { folder, scene, waitMs } from "./scene.mjs";

const wait = { timeout: waitMs };
const ago = (s) => new Date(Date.now() - s * 1000).toISOString();
const list = (length, make) => Array.from({ length }, (_, index) => make(index));
const hex = (index, length = 64) => (index * 2_654_435_761 + 97).toString(16).repeat(16).slice(0, length);
const account = (index) => `kaspa:qz${hex(index, 58)}x`;
const longName = "rack-17-shelf-4.position-12_the-one-with-the-loud-fan.eu-north";
const agent =
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_6_1) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Safari/605.1.15";

const rules = [
  [
    "ledger_imbalance",
    "critical",
    "",
    "the ledger is off by −123,456.78901234 SDAG: nothing is paid until it is looked at",
  ],
  [
    "store_unavailable",
    "critical",
    "postgres://pool@db-primary.internal.example:5432/money",
    "the database does not answer (connection refused)",
  ],
  [
    "node_not_ready",
    "critical",
    "kaspad-primary-eu-north-1.internal.example:16110",
    "the node is syncing headers (83%)",
  ],
  ["payout_stuck", "error", "payout 4711", "payout 4711 has waited for its confirmation for 3 h 12 min"],
  ["share_reject_rate", "warning", "", "11.1% of the shares of the last 10 minutes were rejected (limit 2%)"],
  [
    "worker_unusual",
    "warning",
    account(3),
    "the hash rate of this account jumped to 41 times of what it was for a week",
  ],
];
const firing = list(42, (index) => {
  const [rule, severity, subject, message] = rules[index % rules.length];
  return {
    id: String(900 - index),
    rule: index < rules.length ? rule : `${rule}_${index}`,
    subject,
    severity,
    state: "firing",
    message,
    documentation_link: `/docs/errors/${rule.toUpperCase()}`,
    value: 1,
    fired_at: ago(60 + index * 977),
    resolved_at: null,
    acknowledged:
      index % 7 === 3 ? { by: "ann", at: ago(50), note: "the node is being looked at, see ticket 812" } : null,
    inhibited_by: index % 11 === 5 ? "store_unavailable" : null,
    silenced: index % 13 === 6,
  };
});
const past = list(50, (index) => ({
  ...firing[index % 42],
  id: String(index),
  state: "resolved",
  resolved_at: ago(index * 61),
}));

const alerts = {
  "/api/alerts": {
    firing,
    items: past,
    silences: list(9, (index) => ({
      id: String(index),
      rule: rules[index % 6][0],
      subject: rules[index % 6][2],
      by: "bob",
      reason: "a new disk comes on Thursday, nobody needs to be woken for it before",
      at: ago(600),
      until: ago(-7_200 * (index + 1)),
    })),
    next: "50",
  },
  "/api/alerts/rules": {
    items: list(31, (index) => ({
      name: index < 6 ? rules[index][0] : `${rules[index % 6][0]}_${index}`,
      severity: rules[index % 6][1],
      condition: `rate(dagpool_shares_total{result="rejected"}[10m]) / rate(dagpool_shares_total[10m]) > 0.0${index}`,
      for_s: 30 * index,
      value: index % 4 === 0 ? null : 1234.5678 * index ** 4,
    })),
    next: null,
  },
  "/api/alerts/channels": {
    items: ["email", "sms", "discord", "telegram", "slack", "pagerduty", "webhook"].map((kind, index) => ({
      name: `${kind}-of-those-on-call-at-night`,
      kind,
      delivered: 31_204 * index,
      given_up: index % 2 === 0 ? 0 : 1_203,
      waiting: index * 17,
      delivered_at: ago(600 * index),
      trouble: index % 2 === 0 ? null : "it answered 403 Forbidden: the bot was removed from the chat by its owner",
    })),
    next: null,
  },
};

const amounts = ["123456789012345678", "1", "99999999999", "250000000000"];
const recipients = (count) => list(count, (index) => ({ account: account(index), amount: amounts[index % 4] }));
const payout = (index) => {
  const state = ["reserved", "signed", "broadcast", "confirming", "settled", "returned"][index % 6];
  return {
    id: String(1_284_331 - index),
    state,
    amount: amounts[index % 4],
    recipients: recipients(index % 3 === 0 ? 100 : 1),
    txid: ["reserved", "signed"].includes(state) ? null : hex(index),
    fee: state === "reserved" ? null : "123456789",
    held: index % 4 === 0 ? "the wallet is being moved to another machine, see ticket 812" : null,
    recipient_held: index % 5 === 0,
    created_at: ago(9_000 + index * 600),
    updated_at: ago(8_000 + index * 600),
    confirmed_at: state === "settled" ? ago(7_000) : null,
    reason:
      state === "returned"
        ? "the node refused the transaction: orphan transaction is not allowed in the mempool"
        : null,
  };
};
const payouts = {
  "/api/admin/payouts": {
    enabled: true,
    dispatching: true,
    held: "the wallet is being moved to another machine, see ticket 812; ann and bob know",
    standing_by: null,
    trouble: "the wallet's daemon does not answer: connection refused (http://wallet.internal.example:8082)",
    troubles: [
      {
        payout: null,
        what: "the wallet's daemon does not answer: connection refused (http://wallet.internal.example:8082)",
      },
      ...list(8, (index) => ({
        payout: String(1_203 - index),
        what: "the node does not take it now: mempool is full",
      })),
    ],
    stuck: { round: true, plan: true, payouts: list(8, (index) => String(1_203 - index)) },
    open: 1_203,
    looked_at: ago(5_400),
    planned_at: ago(5_400),
    waiting: list(60, (index) => ({
      account: account(index),
      amount: amounts[index % 4],
      reason: ["above_limit", "held", "checksum", "below_threshold"][index % 4],
    })),
    terms: list(24, (index) => ({
      account: account(index),
      threshold: index % 3 === 0 ? null : amounts[index % 4],
      held: index % 3 === 1 ? null : "asked for by its owner, who lost the key",
      set_aside: index % 6 === 0 ? "the address is of another network" : null,
    })),
    rules: {
      threshold: "1000000",
      limit_per_hour: "123456789012345678",
      limit_per_day: "987654321012345678",
      recipients_max: 100,
      interval_s: 600,
      confirmations: 1_000,
    },
    spent: { hour: "123456789012345677", day: "987654321012345678" },
  },
  "/api/payouts": { items: list(20, payout), next: "20" },
  "/api/admin/payouts/audit": {
    items: list(25, (index) => ({
      at: ago(index * 900),
      actor: index % 3 === 0 ? "the dispatcher" : "ann-of-the-night-shift",
      action: ["hold", "release", "set threshold", "pay now"][index % 4],
      subject: index % 2 === 0 ? account(index) : "all payouts",
      detail: index % 2 === 0 ? "the wallet is being moved to another machine, see ticket 812" : null,
    })),
    next: null,
  },
};

const people = {
  "/api/admin/audit": {
    items: list(60, (index) => ({
      id: String(index),
      at: ago(index * 71),
      node: "node-eu-north-1.internal.example",
      actor: index % 5 === 0 ? "somebody-with-a-very-long-user-name-of-64-characters-x" : "ann",
      address: index % 3 === 0 ? "2001:db8:1234:5678:9abc:def0:1234:5678" : "192.0.2.1",
      action: ["auth.login", "PATCH /api/admin/users/{username}", "POST /api/admin/payouts/hold", "auth.refresh"][
        index % 4
      ],
      subject: index % 4 === 2 ? account(index) : "bob",
      outcome: ["refused", "done", "failed", "refused"][index % 4],
      before:
        index % 4 === 1 ? { role: "miner", disabled: false, email: "someone.with.a.long.name@mining.example" } : null,
      after: index % 4 === 1 ? { role: "operator", disabled: true, email: null } : null,
    })),
    next: "60",
  },
  "/api/admin/users": {
    items: list(80, (index) => ({
      id: String(index),
      username: index % 4 === 0 ? `somebody-with-a-very-long-user-name-of-many-letters-${index}` : `ann-${index}`,
      email: index % 3 === 0 ? `someone.with.a.rather.long.name.${index}@mail.mining.example` : null,
      role: ["admin", "operator", "viewer", "miner"][index % 4],
      mfa: index % 4 === 1,
      disabled_at: index % 5 === 0 ? ago(9e5) : null,
      created_at: ago(9e7 - index * 5e5),
    })),
    next: null,
  },
  "/api/admin/sessions": { items: list(30, (index) => signedIn(index, `ann-${index}`)), next: null },
};

function signedIn(index, username) {
  return {
    id: `s${index}`,
    username,
    role: "operator",
    address: index % 3 === 0 ? "2001:db8:1234:5678:9abc:def0:1234:5678" : "192.0.2.1",
    agent: index % 2 === 0 ? agent : "curl/8.5.0",
    created_at: ago(9e5 + index * 9_000),
    seen_at: ago(index * 700),
    current: index === 0,
  };
}

const own = {
  "/api/auth/sessions": { items: list(18, (index) => signedIn(index, "ann")), next: null },
  "/api/auth/accounts": {
    items: list(12, (index) => ({
      account: account(index),
      by: index % 2 === 0 ? "signature" : "password",
      claimed_at: ago(9e5),
    })),
    next: null,
  },
  "/api/auth/tokens": {
    items: list(14, (index) => ({
      id: String(index),
      name: index % 3 === 0 ? "the-script-that-moves-the-figures-to-the-warehouse-every-night" : `ci-${index}`,
      scopes: ["read", "algorithms", "payouts", "ledger", "operate", "admin"].slice(0, 1 + (index % 6)),
      created_at: ago(9e6),
      expires_at: ago(index % 4 === 0 ? 9_000 : -9e5),
      revoked_at: index % 5 === 0 ? ago(400) : null,
    })),
    next: null,
  },
};

const operation = {
  "/api/admin/system": {
    actors: list(64, (index) => ({
      name: `journal-shard-${index}-of-the-second-store`,
      kind: ["JournalShard", "SessionHub", "DeploymentSupervisor", "AlertKeeper"][index % 4],
      life: ["failed", "restarting", "running", "stopped"][index % 4],
      restarts: index * 317,
      last_death:
        index % 4 < 2 ? "panicked: called `Result::unwrap()` on an `Err` value: no space is left on the device" : null,
      state: { forming: 3 * index, in_flight: true, last: 182_004_111_222 },
      mailbox_delay_us: index % 3 === 0 ? null : index * 640_000,
    })),
    at: ago(0),
  },
  "/api/admin/bans": {
    items: list(80, (index) => ({
      address: index % 2 === 0 ? `203.0.113.${index}` : `2001:db8:17:${index}:aaaa:bbbb:cccc:dddd`,
      reason: ["operator", "malformed", "invalid_shares", "flood"][index % 4],
      words: index % 4 === 0 ? "it floods the pool from a rented network; its owner was told, see ticket 812" : null,
      at: ago(index * 60),
      until: ago(-600 - index * 9_000),
    })),
    next: "80",
  },
  "/api/admin/connections": {
    items: list(80, (index) => ({
      session: 1_204_311_000 + index,
      account: account(index),
      worker: index % 2 === 0 ? longName : `rig-${index}`,
      peer: index % 3 === 0 ? "[2001:db8:1234:5678:9abc:def0:1234:5678]:65535" : `192.0.2.${index}:4000`,
      agent: index % 2 === 0 ? "a-miner-with-a-long-name/v21.5.2-beta.17 (linux; amd64; cuda 12.6)" : "lolMiner 1.88",
      difficulty: String(1_234_567_890 * (index + 1)),
      connected_at: ago(index * 90_000),
      last_share_at: index % 7 === 0 ? null : ago(index * 31),
    })),
    next: "80",
    total: 128_406,
  },
  "/api/deployments": {
    items: list(50, (index) => ({
      deployment_id: String(1_284 - index),
      kind: "migration",
      strategy: ["gradual", "immediate", "scheduled"][index % 3],
      algorithm: { name: "kheavyhash-with-a-long-name", version: "12.34.567-rc.8" },
      replaces: { name: "blake3", version: "1.1.0" },
      phase: "25%",
      progress: 48,
      traffic_split: 25,
      phases: [],
      created_at: ago(4_000 + index * 90_000),
      updated_at: ago(30 + index * 90_000),
      by: index % 2 === 0 ? "somebody-with-a-very-long-user-name" : "ann",
      status: ["running", "rolled_back", "failed", "completed", "paused"][index % 5],
      rollback:
        index % 5 === 1
          ? { cause: "hash_differs", detail: `the 41,207th of 48,112 compared shares came out as ${hex(3)}` }
          : null,
    })),
    next: "50",
  },
  "/api/admin/logs": (route) =>
    route.fulfill({
      json: {
        items: route.request().url().includes("after=")
          ? []
          : list(400, (index) => ({
              seq: index + 1,
              at: ago(400 - index),
              level: ["error", "warn", "error", "info"][index % 4],
              category: ["store", "node", "journal", "stratum"][index % 4],
              target: "pool_actors::store::postgres::connection",
              message:
                "the database does not answer; shares wait in the journal, and the pool tries again by itself in 3 s",
              fields: { account: account(index), worker: longName, peer: "[2001:db8::1]:65535", wait_s: "3" },
            })),
        next: null,
        seen: 128_406_111,
        missed: 12_345,
        categories: ["journal", "node", "store", "stratum"],
      },
    }),
  "/metrics": (route) =>
    route.fulfill({
      contentType: "text/plain",
      body: `process_resident_memory_bytes 987654321098\nprocess_open_fds 65530\nprocess_max_fds 65536\nprocess_start_time_seconds ${Date.now() / 1000 - 9e7}\nprocess_cpu_seconds_total ${(Date.now() % 1e8) / 130}\n`,
    }),
};

const config = {
  "/api/admin/config": {
    file: "/etc/dagpool/regions/eu-north-1/pool-with-a-long-name.toml",
    read_at: ago(7_200_000),
    waiting: list(6, (index) => ({
      key: `payout.limit_number_${index}`,
      from: '"12345678901234567890"',
      to: `"${hex(index)}"`,
      live: false,
    })),
    sections: list(8, (index) => ({
      name: ["pool", "chain", "stratum", "vardiff", "payout", "store", "alerts", "log"][index],
      keys: list(9, (key) => ({
        name:
          ["url", "listener", "threshold", "a_key_with_a_rather_long_name_in_it"][key % 4] + (key > 3 ? `_${key}` : ""),
        value:
          key % 3 === 0
            ? list(4, (node) => `wss://node-${node}.internal.example:18110/with/a/long/path`)
            : hex(key, 44),
        default: key % 2 === 0 ? hex(key, 44) : null,
        source: ["file", "environment", "default", "command"][key % 4],
        variable: key % 4 === 1 ? "DAGPOOL__STRATUM__LISTENER__A_KEY_WITH_A_RATHER_LONG_NAME_IN_IT" : null,
        live: key % 2 === 0,
        doc: "What it means, in a sentence or two, as the example file says it; and what happens when it is wrong, and what to do about that.",
      })),
    })),
  },
};

/** Who looks, what is answered, and what is there when all of it is. */
const pages = [
  { path: "/", name: "overview", seen: (page) => page.getByTestId("firing").locator(".firing-line").first() },
  { path: "/dag", name: "dag", seen: (page) => page.getByTestId("dag-canvas") },
  { path: "/blocks", name: "blocks", seen: (page) => page.locator(".blocks-table tbody tr").nth(40) },
  { path: "/miners", name: "miners", seen: (page) => page.locator(".rows-body .rows-line").first() },
  { path: "/miners/{one}", name: "miner", routes: {}, seen: (page) => page.locator(".credit").first() },
  { path: "/payouts", name: "payouts", routes: payouts, seen: (page) => page.locator(".payout").nth(19) },
  {
    path: "/algorithms",
    name: "algorithms",
    acts: ["limited-by-author", "irreversible", "stage-now", "deploy-now", "degrade"],
    seen: (page) => page.getByText("DEGRADED").first(),
  },
  {
    path: "/deployments",
    name: "deployments",
    routes: operation,
    seen: (page) => page.getByTestId("deployments").locator("a").nth(30),
  },
  { path: "/alerts", name: "alerts", seen: (page) => page.locator("main").getByText("kaspad-primary").first() },
  { path: "/system", name: "system", routes: operation, seen: (page) => page.getByTestId("UPTIME") },
  {
    path: "/bans",
    name: "bans",
    routes: operation,
    seen: (page) => page.getByTestId("connections").locator("li").nth(40),
  },
  { path: "/config", name: "config", routes: config, seen: (page) => page.getByTestId("key-chain.url") },
  { path: "/logs", name: "logs", routes: operation, seen: (page) => page.locator(".log-line").first() },
  { path: "/users", name: "users", routes: people, seen: (page) => page.locator(".person").nth(40) },
  { path: "/audit", name: "audit", routes: people, seen: (page) => page.getByTestId("audit").locator("li").nth(40) },
  { path: "/account", name: "account", routes: own, seen: (page) => page.getByText("the-script-that-moves").first() },
];

async function answer(page, routes) {
  for (const [path, body] of Object.entries(routes))
    await page.route(
      (url) => url.pathname === path,
      (route) => (typeof body === "function" ? body(route) : route.fulfill({ json: body })),
    );
}

const pair = { token: "operator-token", refresh_token: "again", expires_in: 900, mfa_required: false };
const me = {
  username: "somebody-with-a-very-long-user-name",
  role: "admin",
  email: "someone.with.a.rather.long.name@mail.mining.example",
  email_verified: false,
  mfa: true,
  backup_codes_left: 1,
  created_at: ago(9e6),
};

for (const { path, name, routes = {}, acts = [], seen } of pages) {
  if (process.env.PAGE && !path.includes(process.env.PAGE)) continue;
  await scene(
    `busy: ${name}`,
    async ({ page, url, act }) => {
      await answer(page, { "/api/auth/refresh": pair, "/api/auth/me": me, ...alerts, ...routes });
      await page.evaluate(() => sessionStorage.setItem("dagpool.session", "good"));
      for (const action of ["not-ready", ...acts]) await act(action);
      const first = async () =>
        (await (await fetch(`${url}/api/miners?sort=hashrate&limit=1`)).json()).items[0].account;
      const where = path.includes("{one}") ? path.replace("{one}", encodeURIComponent(await first())) : path;
      await page.goto(new URL(where, url).href);
      await seen(page).waitFor(wait);
      await page.evaluate(() => document.fonts.ready);
      await look(page, folder, `busy-${name}`);
    },
    { fixture: { busy: true, miners: 1_200, feedMiners: 60, steps: 400 }, browser: { reducedMotion: "reduce" } },
  );
}
