import { configDefaults, defineConfig } from "vitest/config";

/** Slow suites are named `*.long.test.ts` and run only by `npm run test:long`, which sets this variable. */
const isLong = process.env["TEST_LONG"] === "1";

export default defineConfig({
  test: {
    include: [isLong ? "test/**/*.long.test.ts" : "test/**/*.test.ts"],
    exclude: isLong ? configDefaults.exclude : [...configDefaults.exclude, "test/**/*.long.test.ts"],
    testTimeout: isLong ? 600_000 : 120_000,
    hookTimeout: isLong ? 600_000 : 120_000,
    pool: "forks",
    globalSetup: ["test/support/built.ts"],
  },
});
