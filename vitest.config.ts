import { configDefaults, defineConfig } from "vitest/config";

/**
 * Slow suites have a second ending in their name and a command of their own: `*.long.test.ts` is run by
 * `npm run test:long`, `*.kills.test.ts` by `npm run test:kills`. Both set this variable.
 */
const suite = process.env["TEST_SUITE"];
const slow = ["test/**/*.long.test.ts", "test/**/*.kills.test.ts"];

export default defineConfig({
  test: {
    include: [suite === undefined ? "test/**/*.test.ts" : `test/**/*.${suite}.test.ts`],
    exclude: [...configDefaults.exclude, ...(suite === undefined ? slow : [])],
    testTimeout: suite === undefined ? 120_000 : 900_000,
    hookTimeout: suite === undefined ? 120_000 : 900_000,
    pool: "forks",
    globalSetup: ["test/support/built.ts"],
  },
});
