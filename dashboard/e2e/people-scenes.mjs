/** Alerts, users and what is not there, against the stand-in: who may only look, who may act, many people. */
import assert from "node:assert/strict";
import { look } from "./checks.mjs";
import { folder, scene, waitMs } from "./scene.mjs";

const wait = { timeout: waitMs };
const ago = (s) => new Date(Date.now() - s * 1000).toISOString();

/** Signs somebody in with a role, and answers the routes from here. */
async function signIn(page, role, routes) {
  const pair = { token: "good", refresh_token: "good", expires_in: 900, mfa_required: false };
  const me = { username: "ann", role, email: null, mfa: true, backup_codes_left: 8, created_at: ago(9e6) };
  for (const [path, body] of Object.entries({ "/api/auth/refresh": pair, "/api/auth/me": me, ...routes }))
    await page.route(
      (url) => url.pathname === path,
      (route) => (typeof body === "function" ? body(route) : route.fulfill({ json: body })),
    );
  await page.evaluate(() => sessionStorage.setItem("dagpool.session", "good"));
}

const alert = (id, rule, subject, severity, message, change = {}) => ({
  id,
  rule,
  subject,
  severity,
  state: "firing",
  message,
  documentation_link: "/docs/errors/PAYOUT_STUCK",
  value: 1,
  fired_at: ago(600),
  resolved_at: null,
  acknowledged: null,
  inhibited_by: null,
  silenced: false,
  ...change,
});

const alerts = {
  firing: [
    alert("4", "payout_stuck", "4711", "critical", "Payout 4711 has not been seen by the network for 30 minutes."),
    alert("3", "payout_stuck", "4702", "critical", "Payout 4702 has not been seen by the network for 2 hours.", {
      acknowledged: { by: "bob", at: ago(60), note: "the node is being looked at" },
    }),
    alert("2", "slow_disk", "", "warning", "Writing to the journal takes 140 ms, more than 100 ms.", {
      silenced: true,
    }),
  ],
  items: [alert("1", "many_bans", "", "warning", "40 addresses were banned in a minute.", { resolved_at: ago(500) })],
  silences: [
    { id: "1", rule: "slow_disk", subject: "", by: "bob", reason: "a new disk comes", at: ago(60), until: ago(-7_200) },
    { id: "2", rule: "payout_stuck", subject: "4690", by: "ann", reason: "known", at: ago(60), until: ago(-900) },
  ],
  next: null,
};
const rules = ["payout_stuck", "slow_disk", "many_bans", "node_not_ready"].map((name) => ({
  name,
  severity: "warning",
  condition: `dagpool_${name} > 1`,
  for_s: 30,
  value: 1.5,
}));
const channels = [
  { name: "chat", kind: "slack", delivered: 31, given_up: 0, waiting: 0, delivered_at: ago(600), trouble: null },
];
const alertRoutes = {
  "/api/alerts": alerts,
  "/api/alerts/rules": { items: rules, next: null },
  "/api/alerts/channels": { items: channels, next: null },
};

await scene("alerts: a viewer looks, an operator silences one of two alike", async ({ page, url }) => {
  const main = page.locator("main");
  await signIn(page, "viewer", alertRoutes);
  await page.goto(new URL("/alerts", url).href);
  await main.getByText("the node is being looked at").waitFor(wait);
  await main.getByText("chat").waitFor(wait);
  assert.deepEqual(await main.getByRole("button").allTextContents(), [], "nothing that the pool would refuse");
  await look(page, folder, "alerts-viewer");

  const silenced = [];
  await signIn(page, "operator", {
    ...alertRoutes,
    "/api/alerts/silences": (route) => {
      silenced.push(route.request().postDataJSON());
      return route.fulfill({ status: 201, json: {} });
    },
  });
  await page.reload();
  await main.getByRole("button", { name: "I TAKE IT… payout_stuck · 4711" }).waitFor(wait);
  await look(page, folder, "alerts-operator");
  await main.getByRole("button", { name: "SILENCE… payout_stuck · 4711" }).click();
  await page.getByLabel("Why").fill("looked at");
  await look(page, folder, "alerts-silence");
  await page.getByRole("button", { name: "SILENCE IT" }).click();
  await page.getByText("payout_stuck · 4711 is silenced").waitFor(wait);
  assert.deepEqual(silenced, [{ rule: "payout_stuck", subject: "4711", for_s: 3600, reason: "looked at" }]);
});

const people = Array.from({ length: 1_203 }, (_, index) => ({
  id: String(index),
  username: `${["anna", "bela", "cleo", "dora", "emil"][index % 5]}-${String(index).padStart(4, "0")}`,
  email: index % 3 === 0 ? `someone.${index}@mining.example` : null,
  role: index === 2 ? "admin" : index % 97 === 0 ? "operator" : "miner",
  mfa: index % 4 === 0,
  disabled_at: index % 11 === 0 ? ago(9e5) : null,
  created_at: ago(9e6 - index * 500),
})).sort((a, b) => (a.username < b.username ? -1 : 1));

/** Pages of people as the pool gives them: by name, the cursor is the last one. */
function peoplePage(route) {
  const query = new URL(route.request().url()).searchParams;
  const limit = Number(query.get("limit"));
  const after = people.filter(({ username }) => username > (query.get("cursor") ?? ""));
  const items = after.slice(0, limit);
  return route.fulfill({ json: { items, next: after.length > limit ? items.at(-1).username : null } });
}

await scene("users: twelve hundred, one of them found and given another password", async ({ page, url }) => {
  const decided = [];
  const refusal = {
    id: "1",
    code: "BAD_REQUEST",
    message: "password: it has 5 characters, fewer than 12",
    details: null,
    suggested_actions: [],
    documentation_link: "/docs/errors/BAD_REQUEST",
    severity: "warning",
  };
  await signIn(page, "admin", {
    "/api/admin/users": peoplePage,
    "/api/admin/sessions": { items: [], next: null },
    "/api/admin/users/emil-1199": (route) => {
      decided.push(route.request().postDataJSON());
      return decided.length === 1
        ? route.fulfill({ status: 400, json: { error: refusal } })
        : route.fulfill({ json: people.at(-1) });
    },
  });
  await page.goto(new URL("/users", url).href);
  await page.locator(".person").nth(49).waitFor(wait);
  await page.getByText("500 or more").waitFor(wait);
  await look(page, folder, "users");
  await page.getByLabel("Find").fill("emil-119");
  await page.locator(".person").filter({ hasText: "emil-1199" }).waitFor(wait);
  assert.equal(await page.locator(".person").count(), 2);
  await look(page, folder, "users-found");
  await page.getByRole("button", { name: "NEW PASSWORD… for emil-1199" }).click();
  await page.getByLabel("New password").fill("short");
  await page.getByRole("button", { name: "SET IT" }).click();
  await page.getByText("fewer than 12").waitFor(wait);
  await look(page, folder, "users-password");
  await page.getByLabel("New password").fill("tuna fence orbit");
  await page.getByRole("button", { name: "SET IT" }).click();
  await page.getByText("emil-1199: done.").waitFor(wait);
  assert.deepEqual(decided, [{ password: "short" }, { password: "tuna fence orbit" }]);
  await page.getByLabel("Find").fill("nobody");
  await page.getByText("NOBODY_LIKE_THAT").waitFor(wait);
  await look(page, folder, "users-nobody");
});

await scene(
  "pages: an address without one says so; the focus goes to the page that was opened",
  async ({ page, url }) => {
    const focus = () => page.evaluate(() => document.activeElement?.tagName);
    await page.goto(new URL("/no/such/page", url).href);
    await page.getByText("NO_SUCH_PAGE").waitFor(wait);
    assert.equal(await focus(), "BODY", "the first page takes no focus");
    await look(page, folder, "no-such-page");
    // By the keyboard, to a page whose part of the program is not there yet, and back.
    await page.getByRole("link", { name: "MINERS" }).focus();
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.title.startsWith("Miners"), null, wait);
    await page.waitForFunction(() => document.activeElement?.tagName === "MAIN", null, wait);
    await page.keyboard.press("Tab");
    assert.ok(await page.evaluate(() => document.querySelector("main")?.contains(document.activeElement)));
    await page.goBack();
    await page.getByText("NO_SUCH_PAGE").waitFor(wait);
    await page.waitForFunction(() => document.activeElement?.tagName === "MAIN", null, wait);
    await page.getByRole("link", { name: "GO TO THE OVERVIEW" }).click();
    await page.getByTestId("hashrate").waitFor(wait);
    await page.waitForFunction(() => document.activeElement?.tagName === "MAIN", null, wait);
  },
);

await scene("overview: alerts that fire come first, the worst of them on top", async ({ page, url }) => {
  const firing = [
    alert(
      "1",
      "share_reject_rate",
      "",
      "warning",
      "4.1% of the shares of the last 10 minutes were rejected (limit 2%)",
    ),
    alert("2", "ledger_imbalance", "", "critical", "the ledger is off by 1: nothing is paid until it is looked at"),
    alert("3", "payout_stuck", "payout 812", "error", "payout 812 has waited for its confirmation for 3 h 12 min"),
    alert("4", "disk_low", "/var/lib/dagpool", "warning", "8% of the disk is free"),
    alert("5", "node_behind", "kaspad-2", "warning", "the node's newest template is 41 s old"),
    alert("6", "mailbox_slow", "session-hub-0", "warning", "a message waited 640 ms", { silenced: true }),
  ];
  const answer = { firing, items: [], silences: [], next: null };
  await signIn(page, "operator", { "/api/alerts": (route) => route.fulfill({ json: answer }) });
  await page.goto(url);
  const shown = page.getByTestId("firing");
  await shown.getByText("CRITICAL ledger_imbalance").waitFor(wait);
  const lines = await shown.locator(".firing-line").allTextContents();
  assert.ok(lines[0].includes("ledger_imbalance") && lines[1].includes("payout_stuck"), "the worst on top");
  await shown.getByText("1 more. 1 alert taken, silenced or explained.").waitFor(wait);
  await look(page, folder, "overview-firing");
  answer.firing = [];
  await page.reload();
  await shown.getByText("No alert fires.").waitFor(wait);
  await look(page, folder, "overview-calm");
});

await scene("an operator token that the pool does not know opens nothing, and is not kept", async ({ page, url }) => {
  await page.evaluate(() => sessionStorage.setItem("dagpool.token", "ended"));
  const link = page.getByRole("link", { name: "LOGS", exact: true });
  // The stand-in has no alerts: the pool refuses whoever it does not know.
  const error = { code: "UNAUTHORIZED", message: "needs a token", details: null };
  await page.route("**/api/alerts*", (route) => route.fulfill({ status: 401, json: { error } }));
  await page.goto(url);
  await page.waitForFunction(() => sessionStorage.getItem("dagpool.token") === null, undefined, wait);
  await link.waitFor({ state: "detached", ...wait });
  await page.goto(new URL("/logs", url).href);
  await page.getByText("NOT_SIGNED_IN").waitFor(wait);
});
