import { defineConfig } from "vitest/config";
import { firstLoad } from "./first-load";

/** Where `npm run dev` finds a pool; the fixture server and `dagpool demo` both listen here by default. */
const pool = process.env.DAGPOOL_URL ?? "http://127.0.0.1:8080";

/** What is written for React is run by Preact (decision 47). */
const alias = [
  { find: /^react\/jsx-(dev-)?runtime$/, replacement: "preact/jsx-runtime" },
  { find: /^react-dom\/client$/, replacement: "preact/compat/client" },
  { find: /^react-dom\/test-utils$/, replacement: "preact/test-utils" },
  { find: /^react(-dom)?$/, replacement: "preact/compat" },
];

export default defineConfig({
  root: "web",
  plugins: [firstLoad()],
  resolve: { alias },
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    target: "es2022",
    // The content security policy forbids data: scripts and fonts; every file keeps a name of its own.
    assetsInlineLimit: 0,
    // Every browser that runs the page knows it.
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
    rollupOptions: {
      // The dashboard, and the page about the API (`/api/docs`).
      input: ["web/index.html", "web/api-docs.html"],
      output: {
        codeSplitting: {
          // Few files: a browser asks for six at a time, and what the page itself needs must not wait for these. What all pages need is
          // one beside what the page about the API needs, too.
          groups: [
            { name: "base", test: /node_modules\/preact\/|\/web\/styles\/fonts/, priority: 3 },
            {
              name: "common",
              test: /\/web\/(feed|state|format|ui|panels|algorithms\/(failure|access|schema)|dag\/(?!DagPage|paint|book|older|viewport|DagCanvas))/,
              minShareCount: 2,
            },
          ],
        },
      },
    },
  },
  server: {
    proxy: { "/api": { target: pool, ws: true }, "/health": pool },
  },
  test: {
    setupFiles: ["./test-setup.ts"],
    include: ["**/*.test.{ts,tsx}"],
    restoreMocks: true,
    // They must meet the same Preact as the page; what is made for `require` would ask for React itself.
    alias: [
      { find: /^@testing-library\/react$/, replacement: "@testing-library/react/dist/@testing-library/react.esm.js" },
    ],
    server: { deps: { inline: ["@testing-library/react", "@tanstack/react-virtual"] } },
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
        "styles/fonts.ts",
        "apidocs/main.tsx",
        "api/types.ts",
        "api/contract.ts",
        "bench/bench-worker.ts",
        "**/*.d.ts",
      ],
      reportsDirectory: "../coverage",
      reporter: ["text-summary", "text", "lcov"],
      thresholds: { lines: 90, functions: 90, branches: 90, statements: 90 },
    },
  },
});
