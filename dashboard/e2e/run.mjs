/**
 * Opens a running pool's dashboard and looks whether it works.
 *
 *   DAGPOOL_URL=http://127.0.0.1:8080 npm run e2e          (screenshots in e2e/shots/)
 */
import assert from "node:assert/strict";
import { withBrowser } from "./browser.mjs";
import { accessible, connected, dagDraws, keyboardWorks, numbersChange, openPage, shots } from "./checks.mjs";

const url = process.env.DAGPOOL_URL ?? "http://127.0.0.1:8080";
const folder = process.env.SHOTS ?? new URL("./shots/", import.meta.url).pathname;

await withBrowser(async (context) => {
  const { page, faults } = await openPage(context, url);
  await connected(page);
  console.log("ok  feed is connected");
  await numbersChange(page);
  console.log("ok  numbers change");
  console.log(`ok  DAG draws ${await dagDraws(page)} blocks`);
  await keyboardWorks(page);
  console.log("ok  keyboard reaches and walks the DAG");
  console.log(`ok  no serious accessibility violation (${await accessible(page, "desktop")} lesser ones)`);
  await shots(page, folder);
  console.log(`ok  fits from 360 to 1440 px; screenshots in ${folder}`);
  assert.deepEqual(faults, [], "no errors in the page and no request to elsewhere");
  console.log("ok  no errors in the page, nothing loaded from elsewhere");
});
