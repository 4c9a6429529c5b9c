/** Three pages by the keyboard alone: every stop is seen, has a name and a mark; what is opened is closed, and gives the focus back. */
import assert from "node:assert/strict";
import { scene, waitMs } from "./scene.mjs";

const wait = { timeout: waitMs };
const ago = (s) => new Date(Date.now() - s * 1000).toISOString();

/** Where the focus is: what it is called, whether it is marked, and whether it can be seen. */
const focus = (page) =>
  page.evaluate(() => {
    const element = document.activeElement;
    if (!element || element === document.body) return null;
    const { outlineStyle, outlineWidth } = getComputedStyle(element);
    // A block of the DAG has a ring instead.
    const ring = element.querySelector(":scope > .node-target");
    const { left, top, right, bottom, width } = element.getBoundingClientRect();
    const label = element.labels?.[0]?.textContent ?? element.getAttribute("aria-label") ?? "";
    return {
      tag: element.tagName,
      name: (label || element.textContent || "").trim().slice(0, 60),
      marked: ring
        ? getComputedStyle(ring).stroke !== "none"
        : outlineStyle !== "none" && Number.parseFloat(outlineWidth) >= 2,
      seen: width > 0 && bottom > 0 && right > 0 && left < window.innerWidth && top < window.innerHeight,
    };
  });

/** Tabs until what is focused is called so; every stop on the way is as it should be. */
async function tabTo(page, wanted, most = 90) {
  for (let stops = 0; stops < most; stops += 1) {
    await page.keyboard.press("Tab");
    const at = await focus(page);
    if (at === null) continue;
    assert.ok(at.name !== "", `${at.tag} has no name`);
    assert.ok(at.marked, `${at.tag} "${at.name}" is not marked`);
    assert.ok(at.seen, `${at.tag} "${at.name}" is out of sight`);
    if (wanted.test(at.name)) return at;
  }
  assert.fail(`${wanted} is not reached within ${most} stops`);
}

async function signIn(page, routes) {
  const pair = { token: "operator-token", refresh_token: "again", expires_in: 900, mfa_required: false };
  const me = { username: "ann", role: "admin", email: null, mfa: true, backup_codes_left: 8, created_at: ago(9e6) };
  for (const [path, body] of Object.entries({ "/api/auth/refresh": pair, "/api/auth/me": me, ...routes }))
    await page.route(
      (url) => url.pathname === path,
      (route) => route.fulfill({ json: body }),
    );
  await page.evaluate(() => sessionStorage.setItem("dagpool.session", "good"));
}

await scene("keyboard: an alert is silenced, and the dialog gives the focus back", async ({ page, url }) => {
  const one = {
    id: "4",
    rule: "payout_stuck",
    subject: "4711",
    severity: "critical",
    state: "firing",
    message: "waits",
  };
  const firing = [{ ...one, fired_at: ago(600), acknowledged: null, inhibited_by: null, silenced: false }];
  const asked = [];
  await signIn(page, {
    "/api/alerts": { firing, items: [], silences: [], next: null },
    "/api/alerts/rules": { items: [], next: null },
    "/api/alerts/channels": { items: [], next: null },
  });
  await page.route("**/api/alerts/silences", (route) => {
    asked.push(route.request().postDataJSON());
    return route.fulfill({ status: 201, json: {} });
  });
  await page.goto(new URL("/alerts", url).href);
  await page.getByTestId("firing-payout_stuck").waitFor(wait);
  await tabTo(page, /^SILENCE… payout_stuck/);
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor(wait);
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ ...wait, state: "detached" });
  assert.match((await focus(page))?.name ?? "", /^SILENCE…/, "the focus is where it was");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor(wait);
  await tabTo(page, /^Why/);
  await page.keyboard.type("known");
  await tabTo(page, /^SILENCE IT/);
  await page.keyboard.press("Enter");
  await page.getByText("payout_stuck · 4711 is silenced").waitFor(wait);
  assert.equal(asked[0].reason, "known");
});

await scene(
  "keyboard: a block is found in the list, and a line of its statement is checked",
  async ({ page, url }) => {
    await page.goto(new URL("/blocks?status=paid", url).href);
    await page.locator(".blocks-table tbody tr").first().waitFor(wait);
    await tabTo(page, /^status/);
    await tabTo(page, /, blue$/);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "STATEMENT" }).waitFor(wait);
    await page
      .getByRole("button", { name: /^Verify/ })
      .first()
      .waitFor(wait);
    await tabTo(page, /^Verify the line/);
    await page.keyboard.press("Enter");
    await page.getByText("✓ checked").waitFor(wait);
  },
  { fixture: { steps: 120 } },
);

await scene("keyboard: the overview, from the top to the last block and a miner's workers", async ({ page }) => {
  await page.locator(".dag-scroll .node").first().waitFor(wait);
  const first = await tabTo(page, /./);
  assert.match(first.name, /^Skip/, "the first stop leaves out the navigation");
  await tabTo(page, /block/i);
  await page.keyboard.press("ArrowLeft");
  assert.ok((await focus(page))?.marked, "the block is marked");
  await tabTo(page, /kaspa:/);
  await page.keyboard.press("Enter");
  await page.locator(".workers").first().waitFor(wait);
});
