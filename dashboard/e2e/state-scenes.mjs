/**
 * Every page in the states that nobody likes to think of: while it waits, when the pool has nothing yet, when it does not answer, and when
 * nobody is there any more. What is usual, and what is too much, has scenes of its own.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { withBrowser } from "./browser.mjs";
import { fits, look } from "./checks.mjs";
import { startFixture } from "./fixture-server.mjs";
import { folder, waitMs } from "./scene.mjs";

const now = new Date().toISOString();
const none = { items: [], next: null };
const hash = "ab".repeat(32);

/** What a pool says in which nothing has happened yet. */
const empties = {
  "/api/alerts/rules": none,
  "/api/alerts/channels": none,
  "/api/alerts": { firing: [], silences: [], ...none },
  "/api/admin/system": { actors: [], at: now },
  "/api/admin/bans": none,
  "/api/admin/connections": { ...none, total: 0 },
  "/api/blocks": none,
  "/api/blocks/dag": none,
  "/api/miners": { ...none, total: 0 },
  "/api/deployments": none,
  "/api/admin/config": { file: null, read_at: null, sections: [], waiting: [] },
  "/api/admin/logs": { ...none, seen: 0, missed: 0, categories: [] },
  "/api/admin/users": none,
  "/api/admin/audit": none,
  "/api/admin/sessions": none,
  "/api/auth/sessions": none,
  "/api/auth/tokens": none,
  "/api/auth/accounts": none,
  "/api/algorithms": { slots: [], can_stage: true },
  "/api/algorithms/status": { active_algorithm: null, staged_algorithm: null, migration_state: null },
  "/api/admin/payouts": {
    enabled: true,
    dispatching: true,
    held: null,
    standing_by: null,
    trouble: null,
    troubles: [],
    stuck: { round: false, plan: false, payouts: [] },
    open: 0,
    waiting: [],
    terms: [],
  },
  "/api/payouts": none,
  "/api/admin/payouts/audit": none,
};

const pages = {
  "/": "anybody",
  "/dag": "anybody",
  "/blocks": "anybody",
  [`/blocks/${hash}`]: "anybody",
  "/miners": "anybody",
  "/miners/kaspa:qz0nobody": "anybody",
  "/payouts": "operator",
  "/algorithms": "operator",
  "/deployments": "operator",
  "/deployments/7": "operator",
  "/alerts": "operator",
  "/system": "operator",
  "/bans": "operator",
  "/config": "operator",
  "/logs": "operator",
  "/users": "admin",
  "/audit": "admin",
  "/account": "admin",
  "/sign-in": "stranger",
  "/forgot": "stranger",
  "/reset": "stranger",
  "/verify": "stranger",
};

const nameOf = (path) => (path === "/" ? "overview" : path.slice(1).replace(/\/.+/, "-one"));

const trouble = {
  error: {
    id: "9f3c",
    code: "STORE_UNAVAILABLE",
    message: "the database does not answer (connection refused)",
    details: null,
    suggested_actions: [
      {
        action: "Start the database; shares are kept in the journal meanwhile",
        command: "dagpool check",
        priority: "high",
      },
    ],
    documentation_link: "/docs/errors/STORE_UNAVAILABLE",
    severity: "error",
  },
};

const me = {
  username: "ada",
  role: "admin",
  email: null,
  email_verified: false,
  mfa: true,
  backup_codes_left: 8,
  mfa_setup_required: false,
  created_at: now,
};
const pair = { token: "access", refresh_token: "refresh", expires_in: 900, mfa_setup_required: false };

/** What is asked for and not answered yet, without what never will be. */
class Asked {
  #open = new Set();

  constructor(page) {
    page.on("request", (request) => this.#open.add(request));
    for (const end of ["requestfinished", "requestfailed"]) page.on(end, (request) => this.forget(request));
  }

  forget(request) {
    this.#open.delete(request);
  }

  /** Everything has come and is drawn: several frames in a row in which nothing was on its way, nor asked for because of it. */
  async settled(page) {
    const deadline = Date.now() + waitMs;
    for (let quiet = 0; quiet < 5; quiet = this.#open.size === 0 ? quiet + 1 : 0) {
      assert.ok(Date.now() < deadline, `still on its way: ${[...this.#open].map((request) => request.url())}`);
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    }
  }
}

/** Answers as a pool in this state does; who is signed in is known in each. */
async function play(page, state, asked) {
  await page.route("**/api/**", async (route) => {
    const { pathname } = new URL(route.request().url());
    if (pathname === "/api/auth/refresh") return route.fulfill({ json: pair });
    if (pathname === "/api/auth/me") return route.fulfill({ json: me });
    if (state === "waiting") return asked.forget(route.request());
    if (state === "trouble") return route.fulfill({ status: 503, json: trouble });
    if (pathname === "/api/stats") return route.fallback();
    const known = empties[pathname];
    if (known) return route.fulfill({ json: known });
    return route.fulfill({
      status: 404,
      json: { error: { ...trouble.error, code: "NOT_FOUND", message: "there is none", suggested_actions: [] } },
    });
  });
}

const states = process.env.STATES?.split(",") ?? ["waiting", "empty", "trouble"];
const quick = process.env.QUICK !== undefined;

async function photograph(page, name) {
  if (!quick) return look(page, folder, name);
  for (const [size, viewport] of [
    ["desktop", { width: 1440, height: 900 }],
    ["phone", { width: 390, height: 844 }],
  ]) {
    await page.setViewportSize(viewport);
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    await fits(page, `${name}, ${size}`);
    await page.screenshot({ path: join(folder, `${name}-${size}.png`), fullPage: true });
  }
}

async function statesOf(state, wanted) {
  const pool = await startFixture(0, { empty: state !== "ordinary", steps: 60 });
  try {
    await withBrowser(
      async (context) => {
        for (const [path, needs] of Object.entries(pages)) {
          if (wanted && !path.includes(wanted)) continue;
          const page = await context.newPage();
          const faults = [];
          page.on("pageerror", (error) => faults.push(error.message));
          await page.addInitScript((who) => {
            if (who === "operator") sessionStorage.setItem("dagpool.token", "operator-token");
            if (who === "admin") sessionStorage.setItem("dagpool.session", "refresh");
          }, needs);
          const asked = new Asked(page);
          await play(page, state, asked);
          // The feed says the same as the other routes: nothing, while one waits.
          if (state !== "empty") await page.routeWebSocket("**/api/live", () => undefined);
          await page.goto(`${pool.url}${path}`);
          await page.locator(".dashboard:not(.boot) h1").first().waitFor({ timeout: waitMs });
          await asked.settled(page);
          await photograph(page, `state-${state}-${nameOf(path)}`);
          assert.deepEqual(faults, [], `${path} ${state}`);
          await page.close();
        }
      },
      { reducedMotion: "reduce" },
    );
  } finally {
    pool.stop();
  }
}

for (const state of states) {
  const name = `states: every page, ${state}`;
  const wanted = process.argv[2];
  if (wanted && !name.includes(wanted)) continue;
  await statesOf(state, process.env.PAGE);
  console.log(`ok  ${name}`);
}
