import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

/** Where `npm run dev` finds a pool; the fixture server and `dagpool demo` both listen here by default. */
const pool = process.env.DAGPOOL_URL ?? "http://127.0.0.1:8080";

export default defineConfig({
  root: "web",
  plugins: [react()],
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    target: "es2022",
    // The content security policy forbids data: scripts and fonts; every file keeps a name of its own.
    assetsInlineLimit: 0,
    reportCompressedSize: true,
  },
  server: {
    proxy: { "/api": { target: pool, ws: true }, "/health": pool },
  },
  test: {
    setupFiles: ["./test-setup.ts"],
    include: ["**/*.test.{ts,tsx}"],
    restoreMocks: true,
    // Looking up roles in jsdom takes seconds on a machine that compiles at the same time.
    testTimeout: 20_000,
    coverage: {
      provider: "v8",
      include: ["**/*.{ts,tsx}"],
      exclude: [
        "**/*.test.{ts,tsx}",
        "test-setup.ts",
        "test-data.ts",
        "algorithms/fixtures.ts",
        "main.tsx",
        "bench/bench-worker.ts",
        "**/*.d.ts",
      ],
      reportsDirectory: "../coverage",
      reporter: ["text-summary", "text", "lcov"],
      thresholds: { lines: 90, functions: 90, branches: 90, statements: 90 },
    },
  },
});
