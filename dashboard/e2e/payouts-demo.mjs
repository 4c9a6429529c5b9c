/** `[PAYOUTS]` on a real pool that pays by itself: an operator looks, holds, releases, sets a threshold, and pays now. */
import assert from "node:assert/strict";
import { connected, look as lookAt, openPage } from "./checks.mjs";

/** Rewards have to mature, and transactions to confirm. */
const patienceMs = 120_000;

const look = (page, folder, name) => lookAt(page, folder, `payouts-${name}`, { touched: false });

async function until(what, ask, done) {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const answer = await ask();
    if (done(answer)) return answer;
    assert.ok(Date.now() < deadline, `${what}: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Everything that an operator does on the page, against the pool at `url`. */
export async function steerPayouts(context, url, token, folder) {
  const headers = { authorization: `Bearer ${token}` };
  const ask = async (path) => (await fetch(new URL(path, url), { headers })).json();
  const { page, faults } = await openPage(context, new URL("/payouts", url).href);
  const wait = { timeout: patienceMs };
  const press = (name) => page.getByRole("button", { name, exact: true }).click(wait);
  const dialog = page.getByRole("dialog");
  const answer = (name) => dialog.getByRole("button", { name, exact: true }).click(wait);
  await connected(page);

  if ((await page.getByPlaceholder("operator token").count()) > 0) {
    await look(page, folder, "locked");
    await page.getByPlaceholder("operator token").fill(token);
    await press("UNLOCK");
  }
  await page.getByText("WHO_DID_WHAT").waitFor(wait);
  await page.locator(".payout").filter({ hasText: "SETTLED" }).first().waitFor(wait);
  await look(page, folder, "paying");
  await page.locator(".payout-head").filter({ hasText: "SETTLED" }).first().click(wait);
  await page.locator(".payout-body .trail").getByText("settled").first().waitFor(wait);
  await look(page, folder, "opened");

  await press("HOLD ALL…");
  await dialog.getByLabel("Reason").fill("the wallet is being moved");
  await look(page, folder, "hold-question");
  await answer("HOLD");
  await dialog.waitFor({ state: "detached", ...wait });
  await page.getByTestId("dispatcher").getByText("HELD").waitFor(wait);
  assert.equal((await ask("/api/admin/payouts")).held, "the wallet is being moved");
  await until(
    "somebody is due",
    () => ask("/api/admin/payouts/dry-run"),
    (plan) => plan.payouts.length > 0,
  );
  await press("DRY RUN");
  await page.getByTestId("outlook").getByText("Payouts are held").waitFor(wait);
  await look(page, folder, "held");

  const account = (await ask("/api/admin/payouts/dry-run")).payouts[0].recipients[0].account;
  await press("HOLD AN ACCOUNT…");
  await dialog.getByLabel("Account").fill("no such.account");
  await dialog.getByLabel("Reason").fill("a mistake");
  await answer("HOLD");
  await dialog.getByText("BAD_REQUEST", { exact: true }).waitFor(wait);
  await look(page, folder, "refused");
  await dialog.getByLabel("Account").fill(account);
  await dialog.getByLabel("Reason").fill("asked for by its owner");
  await answer("HOLD");
  await page.getByText("held: asked for by its owner").waitFor(wait);
  await press("SET A THRESHOLD…");
  await dialog.getByLabel("Account").fill(account);
  await dialog.getByLabel(/^Threshold in/).fill("2.5");
  await answer("SET");
  await page.getByText("from 2.50").first().waitFor(wait);
  const terms = (await ask("/api/admin/payouts")).terms.find((one) => one.account === account);
  assert.deepEqual([terms.threshold, terms.held], ["250000000", "asked for by its owner"]);
  await look(page, folder, "accounts");
  const miner = await openPage(context, new URL(`/miners/${account}`, url).href);
  await miner.page.getByTestId("held").getByText("asked for by its owner").waitFor(wait);
  await look(miner.page, folder, "miner-held");
  await miner.page.close();
  await press("RELEASE…");
  await answer("RELEASE");
  await page.getByText("held: asked for by its owner").waitFor({ state: "detached", ...wait });

  const newest = Number((await ask("/api/payouts?limit=1")).items[0].id);
  await press("RELEASE ALL…");
  await answer("RELEASE");
  await page.getByTestId("dispatcher").getByText("PAYING").waitFor(wait);
  await press("PAY NOW…");
  await dialog.getByTestId("outlook").waitFor(wait);
  await look(page, folder, "pay-now");
  // Its own interval may have been quicker: then nobody is due any more, and the button says so.
  if (await dialog.getByRole("button", { name: "PAY NOW", exact: true }).isEnabled()) await answer("PAY NOW");
  else await answer("CANCEL");
  await until(
    "a payout after the release",
    () => ask("/api/payouts?limit=1"),
    ({ items }) => Number(items[0].id) > newest,
  );
  const audit = (await ask("/api/admin/payouts/audit")).items.map(({ action }) => action);
  assert.ok(audit.length >= 5, JSON.stringify(audit));
  await page.locator(".trail").getByText("the wallet is being moved").first().waitFor(wait);

  await page.locator(".part-account").first().click(wait);
  await page.getByRole("heading", { name: "MINER" }).waitFor(wait);
  await page.getByRole("heading", { name: "PAYOUTS" }).waitFor(wait);
  await page.locator(".credit-plain").first().waitFor(wait);
  await page.locator("button.credit-head").first().click(wait);
  await page.getByRole("button", { name: "VERIFY" }).click(wait);
  await page.locator(".verdict-good").waitFor(wait);
  await look(page, folder, "miner");
  assert.deepEqual(faults, [], "no errors in the page of payouts");
  await page.close();
}
