/**
 * Signing in on a real pool: a wrong password, the first admin, a second factor by its key, backup codes, a token for scripts,
 * users, the trail, a reload, the roles of pages, and signing out.
 */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { connected, look as lookAt, openPage } from "./checks.mjs";

const wait = { timeout: 60_000 };

const look = (page, folder, name) => lookAt(page, folder, `account-${name}`, { touched: false });

/** The code of a key at a time step (RFC 6238), as an app makes it. */
function codeOf(secret, step) {
  const bits = [...secret]
    .map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0"))
    .join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const hash = createHmac("sha1", key).update(counter).digest();
  const number = hash.readUInt32BE(hash[19] & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

const stepNow = () => Math.floor(Date.now() / 30_000);

/** Everything about people, at the pool at `url`, whose first admin has this name and password. */
export async function signPeopleIn(context, url, admin, folder) {
  const { page, faults } = await openPage(context, new URL("/payouts", url).href);
  const press = (name) => page.getByRole("button", { name, exact: true }).click(wait);
  const dialog = page.getByRole("dialog");
  const answer = (name) => dialog.getByRole("button", { name, exact: true }).click(wait);
  const follow = (name) => page.getByRole("link", { name, exact: true }).first().click(wait);
  const fill = (label, text) => page.getByLabel(label, { exact: true }).fill(text, wait);
  const at = (path) => page.waitForURL((to) => to.pathname === path, wait);
  await connected(page);

  await follow("SIGN IN");
  await at("/sign-in");
  // The address changes before the page's own part of the program is there.
  await page.getByLabel("Password", { exact: true }).waitFor(wait);
  await look(page, folder, "sign-in");
  await fill("Username", admin.name);
  await fill("Password", "not this one");
  await press("SIGN IN");
  await page.getByText("SIGN_IN_REFUSED", { exact: true }).waitFor(wait);
  await look(page, folder, "refused");
  await fill("Password", admin.password);
  await press("SIGN IN");
  await at("/payouts");
  // The session is enough for the pages of operators.
  await page.getByText("WHO_DID_WHAT").waitFor(wait);
  await page.getByText(`Signed in (${admin.name}, admin)`, { exact: false }).waitFor(wait);
  const stored = await page.evaluate(() => [{ ...sessionStorage }, { ...localStorage }, document.cookie]);
  const { "dagpool.fonts": fonts, ...local } = stored[1];
  // That the letters were loaded once; the name of their file, and nothing else.
  if (fonts !== undefined) assert.match(fonts, /^\/assets\/[\w.-]+\.woff2$/);
  assert.deepEqual([stored[0], local, stored[2]], [{}, {}, ""], "nothing that lets anybody in is kept in the browser");

  await follow(admin.name);
  await at("/account");
  await page.getByText("NO_TOKENS").waitFor(wait);
  await look(page, folder, "account");
  await fill("Password", admin.password);
  await press("SET UP");
  const secret = await page.locator("code.secret").textContent(wait);
  await page.getByAltText("QR code of the key below").waitFor(wait);
  await look(page, folder, "second-factor");
  const used = stepNow();
  await fill("Code of your app", codeOf(secret, used));
  await press("TURN ON");
  await page.getByTestId("backup-codes").waitFor(wait);
  const codes = await page.getByTestId("backup-codes").locator("li").allTextContents();
  assert.equal(codes.length, 10);
  await look(page, folder, "backup-codes");
  await press("I HAVE THEM");
  await press("NEW TOKEN…");
  await dialog.getByLabel("What is it for?").fill("nightly report");
  await look(page, folder, "token-question");
  await answer("MAKE IT");
  const token = await page.getByTestId("new-token").textContent(wait);
  const asScript = (path, init) =>
    fetch(new URL(path, url), { ...init, headers: { authorization: `Bearer ${token}` } }).then(({ status }) => status);
  assert.equal(await asScript("/api/admin/payouts"), 200, "a token may what its scope names");
  assert.equal(await asScript("/api/admin/payouts/run", { method: "POST" }), 403, "and nothing else");
  await look(page, folder, "token");
  await press("I HAVE IT");

  // A reload goes on with the session; a page that another one opened has none.
  await page.reload();
  await page.getByRole("link", { name: admin.name, exact: true }).waitFor(wait);
  const stranger = await openPage(context, new URL("/users", url).href);
  await stranger.page.getByText("NOT_SIGNED_IN").waitFor(wait);
  await look(stranger.page, folder, "not-signed-in");

  await follow("USERS");
  await page.getByText("OPEN_SESSIONS").waitFor(wait);
  await press("ADD…");
  await dialog.getByLabel("Username").fill("watcher");
  await dialog.getByLabel("First password").fill("password123");
  await answer("ADD");
  await dialog.getByText("BAD_REQUEST", { exact: true }).waitFor(wait);
  await look(page, folder, "weak-password");
  await dialog.getByLabel("First password").fill("tuna fence orbit");
  await answer("ADD");
  await page.locator(".person").filter({ hasText: "watcher" }).waitFor(wait);

  // Somebody who may only look: elsewhere, in the other tab.
  const other = stranger.page;
  await other.getByRole("link", { name: "SIGN IN", exact: true }).first().click(wait);
  await other.getByLabel("Username", { exact: true }).fill("watcher");
  await other.getByLabel("Password", { exact: true }).fill("tuna fence orbit");
  await other.getByRole("button", { name: "SIGN IN", exact: true }).click(wait);
  await other.getByText("FOR_ADMINS").waitFor(wait);
  assert.equal(await other.getByRole("link", { name: "AUDIT" }).count(), 0);
  await other.getByRole("link", { name: "ALGORITHMS", exact: true }).click(wait);
  await other.getByText("READ_ONLY", { exact: true }).waitFor(wait);
  await look(other, folder, "viewer");

  await page.reload();
  await page.locator(".part-account").filter({ hasText: "watcher (viewer)" }).waitFor(wait);
  await look(page, folder, "users");
  await page.getByRole("button", { name: "DISABLE watcher", exact: true }).click(wait);
  await look(page, folder, "disable-question");
  await answer("DO IT");
  await page.locator(".person-gone").filter({ hasText: "watcher" }).waitFor(wait);
  // By its address: the page may have noticed by itself, and then offers no link.
  await other.goto(new URL("/payouts", url).href);
  await other.getByPlaceholder("operator token").waitFor(wait);
  await other.close();

  await follow("AUDIT");
  await page.getByTestId("audit").getByText("watcher").first().waitFor(wait);
  await page.getByTestId("audit").getByText("PATCH /api/admin/users/{name}").first().waitFor(wait);
  const trail = await page.getByTestId("audit").textContent();
  for (const hidden of [admin.password, secret, token, "tuna fence orbit", ...codes])
    assert.ok(!trail.includes(hidden), "the trail tells no secret");
  await look(page, folder, "audit");
  await page.getByLabel("About").selectOption("auth.login");
  await page.getByLabel("By whom").fill("nobody");
  await page.getByText("NOTHING", { exact: true }).waitFor(wait);
  await look(page, folder, "audit-empty");

  await follow(admin.name);
  await press("SIGN OUT");
  await page.getByText("NOT_SIGNED_IN").waitFor(wait);
  await follow("SIGN_IN");
  await fill("Username", admin.name);
  await fill("Password", admin.password);
  await press("SIGN IN");
  await page.getByText("SECOND_FACTOR").waitFor(wait);
  await fill("Code of your app", codeOf(secret, used));
  await press("SIGN IN");
  await page.getByText("MFA_REFUSED", { exact: true }).waitFor(wait);
  await look(page, folder, "code-used-before");
  await press("USE A BACKUP CODE");
  await fill("Backup code", codes[0]);
  await press("SIGN IN");
  await page.getByRole("link", { name: admin.name, exact: true }).waitFor(wait);
  await follow(admin.name);
  await page.getByText("Backup codes that were not used: 9").waitFor(wait);
  await press("SIGN OUT");
  assert.deepEqual(faults, [], "no errors in the pages about people");
  await page.close();
}
