/** The scripts of the first load, and those of all pages together, stay below 250 kB gzipped. */
import { readdir, readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

const limit = 250_000;
const folder = new URL("../dist/assets/", import.meta.url);
const index = await readFile(new URL("../dist/index.html", import.meta.url), "utf8");
const scripts = (await readdir(folder)).filter((name) => name.endsWith(".js"));
const sizes = await Promise.all(scripts.map(async (name) => gzipSync(await readFile(new URL(name, folder))).length));
const sum = (wanted) => sizes.reduce((total, size, at) => (wanted(scripts[at]) ? total + size : total), 0);
const [first, total] = [sum((name) => index.includes(name)), sum(() => true)];
console.log(`scripts, gzipped: first load ${first} bytes, all pages ${total} bytes, of ${limit}`);
if (first === 0 || total > limit) process.exit(1);
