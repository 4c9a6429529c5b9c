/** What one hears of an address of one's own: set, confirmed by a code, tried, refused. */
import assert from "node:assert/strict";
import { look as lookAt } from "./checks.mjs";
import { folder, scene, waitMs } from "./scene.mjs";

const wait = { timeout: waitMs };
const look = (page, name) => lookAt(page, folder, `personal-${name}`);
const address = "kaspa:qzl4t2k8x0v5r7m3n9d2f6h8j1l4p7s0u3w6y9z2b5e8g1k4m7q0t3v6x9";
const at = new Date(Date.now() - 86_400_000).toISOString();

/** A pool that knows one user with one address. */
class People {
  known = {
    worker_offline_minutes: 0,
    hashrate_drop_percent: 0,
    payout: false,
    block: false,
    email: false,
    email_confirmed: true,
    channels: [],
    key: false,
    offered: true,
    telegram_offered: true,
  };
  threshold = null;

  async serve(page) {
    await page.route(
      (url) => url.pathname.startsWith("/api/auth/") || url.pathname.endsWith("/settings"),
      (route) => {
        const request = route.request();
        const path = new URL(request.url()).pathname;
        const [status, json] = this.answer(request.method(), path, request.postDataJSON?.() ?? {});
        return route.fulfill({ status, json });
      },
    );
  }

  answer(method, path, body) {
    const pair = { token: "good", refresh_token: "again", expires_in: 900, mfa_required: false };
    if (path === "/api/auth/login" || path === "/api/auth/refresh") return [200, pair];
    if (path === "/api/auth/me") {
      const email = { email: "alice@example.org", email_verified: true };
      return [200, { username: "alice", role: "miner", mfa: false, backup_codes_left: 0, created_at: at, ...email }];
    }
    if (path === "/api/auth/accounts")
      return [200, { items: [{ account: address, by: "signature", claimed_at: at }], next: null }];
    if (path.endsWith("/settings")) {
      if (method === "PATCH") this.threshold = body.threshold;
      return [200, { account: address, threshold: this.threshold, pool_threshold: "1000000" }];
    }
    if (path.endsWith("/alerts/key")) {
      this.known.key = true;
      return [201, { account: address, password: "alerts-5f2d9c0a7b1e4d3c8a6f0b21" }];
    }
    if (path.endsWith("/alerts/test"))
      return [
        200,
        {
          sent: [
            { channel: "email", ok: true, message: null },
            { channel: "telegram", ok: false, message: "it answered 403 Forbidden" },
          ],
        },
      ];
    if (path.endsWith("/alerts/confirm")) {
      if (body.code !== "12345678") return [400, this.error("BAD_REQUEST", "code: it is wrong, or not good any more")];
      for (const place of this.known.channels) place.confirmed ||= place.channel === body.channel;
      return [200, this.known];
    }
    if (path.endsWith("/alerts") && method === "POST") return this.set(body);
    if (path.endsWith("/alerts")) return [200, this.known];
    return [200, { items: [], next: null }];
  }

  set({ webhook, discord, telegram, ...wishes }) {
    if (webhook?.startsWith("http://"))
      return [400, this.error("BAD_REQUEST", "webhook: an https:// address of 500 characters at most")];
    Object.assign(this.known, wishes);
    const sent = [];
    for (const [channel, to] of Object.entries({ webhook, discord, telegram })) {
      if (to === undefined) continue;
      this.known.channels = this.known.channels.filter((place) => place.channel !== channel);
      if (to === "") continue;
      const masked = to.includes("://") ? `${new URL(to).origin}/…` : `…${to.slice(-3)}`;
      this.known.channels.push({ channel, to: masked, confirmed: false });
      const private_ = to.includes("169.254");
      sent.push({ channel, ok: !private_, message: private_ ? "it does not lead to the public Internet" : null });
    }
    return [200, { ...this.known, sent }];
  }

  error(code, message) {
    const documentation_link = `/docs/errors/${code}`;
    const details = { parameter: message.split(":")[0] };
    return {
      error: { id: "1", code, message, details, suggested_actions: [], documentation_link, severity: "warning" },
    };
  }
}

await scene(
  "personal alerts: set, confirmed by a code, tried, refused",
  async ({ page }) => {
    const people = new People();
    await people.serve(page);
    const press = (name) => page.getByRole("button", { name, exact: true }).click(wait);
    const fill = (label, text) => page.getByLabel(label, { exact: true }).fill(text, wait);
    const dialog = page.getByRole("dialog");
    await page
      .getByRole("link", { name: /^SIGN.IN$/ })
      .first()
      .click(wait);
    await fill("Username", "alice");
    await fill("Password", "tuna fence orbit");
    await press("SIGN IN");
    await page.getByRole("link", { name: "alice", exact: true }).first().click(wait);
    await page.getByRole("button", { name: "TELL ME…" }).waitFor(wait);
    await look(page, "addresses");
    await press("TELL ME…");
    await dialog.getByLabel("Webhook").waitFor(wait);
    await look(page, "empty");
    await fill("A worker is offline for, minutes", "10");
    await fill("The hash rate falls by, percent", "30");
    await dialog.getByLabel("A payout is sent").check();
    await dialog.getByLabel("By mail, to your confirmed address").check();
    await fill("Webhook", "http://127.0.0.1:8080/");
    await press("KEEP");
    await dialog.getByText("BAD_REQUEST", { exact: true }).waitFor(wait);
    await look(page, "refused");
    await fill("Webhook", "https://169.254.169.254/latest/meta-data/");
    await fill("Telegram", "123456789");
    await press("KEEP");
    await dialog.getByText("Webhook: not taken (it does not lead to the public Internet)").waitFor(wait);
    assert.ok(!(await dialog.textContent()).includes("123456789"), "what was set is shown masked");
    await look(page, "codes");
    await page.getByRole("button", { name: "Remove Webhook" }).click(wait);
    await fill("Code that was sent to Telegram", "12345678");
    await dialog.getByTestId("own-telegram").getByRole("button", { name: "CONFIRM" }).click(wait);
    await dialog.getByTestId("own-telegram").getByText("confirmed", { exact: true }).waitFor(wait);
    await press("SEND A TEST");
    await dialog.getByText("Telegram: not taken (it answered 403 Forbidden)").waitFor(wait);
    await press("PASSWORD FOR MACHINES");
    await dialog.getByTestId("own-key").waitFor(wait);
    await look(page, "confirmed");
    await press("KEEP");
    await dialog.waitFor({ ...wait, state: "detached" });
    assert.deepEqual([people.known.worker_offline_minutes, people.known.channels.length], [10, 1]);
    await press("TELL ME…");
    await dialog.getByTestId("own-telegram").waitFor(wait);
    assert.equal(await dialog.getByLabel("A worker is offline for, minutes").inputValue(), "10");
    await press("CANCEL");
    await press("PAID FROM…");
    const from = dialog.getByLabel(/^Paid from, in /);
    await from.fill("0.001", wait);
    await dialog.getByText(/^At least 0.01/).waitFor(wait);
    await look(page, "paid-from-low");
    await from.fill("12.5", wait);
    await press("KEEP");
    await dialog.waitFor({ ...wait, state: "detached" });
    assert.equal(people.threshold, "1250000000");
  },
  { path: "/account" },
);
