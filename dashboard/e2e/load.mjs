/**
 * How much of a core the page takes on a fast chain with many miners: ten blocks a second, a thousand accounts.
 *
 *   node e2e/load.mjs [seconds]
 */
import { withBrowser } from "./browser.mjs";
import { connected, openPage } from "./checks.mjs";
import { startFixture } from "./fixture-server.mjs";

const seconds = Number(process.argv[2] ?? 10);
for (const [name, options] of [
  ["calm: a block every 1.7 s, 14 miners", {}],
  ["fast: 10 blocks/s, 1,000 miners", { blockMs: 100, miners: 1000 }],
]) {
  const pool = await startFixture(0, options);
  try {
    await withBrowser(async (context) => {
      const { page } = await openPage(context, pool.url);
      await connected(page);
      const cdp = await context.newCDPSession(page);
      await cdp.send("Performance.enable", { timeDomain: "threadTicks" });
      const read = async () => {
        const { metrics } = await cdp.send("Performance.getMetrics");
        return Object.fromEntries(metrics.map((metric) => [metric.name, metric.value]));
      };
      const before = await read();
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
      const after = await read();
      const part = (key) => `${(((after[key] - before[key]) / seconds) * 100).toFixed(1)}%`;
      const heap = (after.JSHeapUsedSize / 1e6).toFixed(1);
      console.log(
        `${name}: main thread ${part("TaskDuration")} of a core (scripts ${part("ScriptDuration")}, layout ${part("LayoutDuration")}), heap ${heap} MB`,
      );
    });
  } finally {
    pool.stop();
  }
}
