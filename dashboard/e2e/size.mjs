/** The first load's scripts stay below 250 kB gzipped. */
import { readdir, readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

const limit = 250_000;
const folder = new URL("../dist/assets/", import.meta.url);
const scripts = (await readdir(folder)).filter((name) => name.endsWith(".js"));
const sizes = await Promise.all(scripts.map(async (name) => gzipSync(await readFile(new URL(name, folder))).length));
const total = sizes.reduce((sum, size) => sum + size, 0);
console.log(`scripts: ${total} bytes gzipped of ${limit}`);
if (total > limit) process.exit(1);
