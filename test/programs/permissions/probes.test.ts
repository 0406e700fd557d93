import { expect, test } from "vitest";
import { isProbe } from "../../../src/programs/permissions/probes.ts";

test.each([
  "node --version",
  "./node_modules/.bin/tsc --version",
  "npm pack --dry-run",
  "npx eslint src test",
  "eslint . --max-warnings=0",
  "npx tsc --noEmit",
  "prettier --check src",
  "ruff check .",
  "npm run lint",
])("%s only looks", (line) => {
  expect(isProbe(line)).toBe(true);
});

test.each([
  "npm pack",
  "npx eslint --fix src",
  "prettier --write src",
  "node --version; rm -rf src",
  "node --version > out.txt",
  "echo $(touch x) --version",
  "npm run lint -- --fix",
  "A=1 node --version",
  "rm -rf src",
])("%s may do more", (line) => {
  expect(isProbe(line)).toBe(false);
});
