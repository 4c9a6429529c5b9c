/**
 * The scripts of the first load stay well below the 250 kB gzipped that are promised, whichever page is opened first; all pages together
 * have a bound, too, so that nothing slips in unseen. Fonts come once a page is of use, styles and figures are small.
 */
import { readdir, readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

/** The overview, the page with most to load, and all. */
const [overviewMax, worstMax, allMax] = [55_000, 90_000, 200_000];
const folder = new URL("../dist/assets/", import.meta.url);
const index = await readFile(new URL("../dist/index.html", import.meta.url), "utf8");
const scripts = (await readdir(folder)).filter((name) => name.endsWith(".js"));
const sizeOf = Object.fromEntries(
  await Promise.all(scripts.map(async (name) => [name, gzipSync(await readFile(new URL(name, folder))).length])),
);
const sum = (names) => [...names].reduce((total, name) => total + sizeOf[name], 0);
const common = scripts.filter((name) => index.includes(name));
const start = scripts.find((name) => name.startsWith("start-"));
if (!start || !common.includes(start)) throw new Error("the page has no start.js");
// "/path":{files:[`/assets/a.js`,...],asks:[...]}
const plans = (await readFile(new URL(start, folder), "utf8")).matchAll(/"?(\/[^"]*)"?:\{files:\[([^\]]*)\]/g);
const pages = [...plans].map(([, path, files]) => {
  const own = scripts.filter((name) => files.includes(`/assets/${name}`));
  return { path, size: sum(new Set([...common, ...own])) };
});
const overview = pages.find(({ path }) => path === "/")?.size ?? 0;
const worst = pages.sort((a, b) => b.size - a.size)[0];
if (overview === 0 || pages.length < 20) throw new Error(`start.js is about ${pages.length} pages`);
const all = sum(scripts);
console.log(
  `scripts, gzipped: overview ${overview} of ${overviewMax} bytes, ${worst.path} ${worst.size} of ${worstMax}, all pages ${all} of ${allMax}`,
);
if (overview > overviewMax || worst.size > worstMax || all > allMax) process.exit(1);
