import fs from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { differencesOf, isTestFile, readTestSetup } from "../../src/tools/test_setup.ts";
import { openWorkspace } from "../../src/workspace/workspace.ts";
import { sha256 } from "../../src/util/hash.ts";
import { cleanUp, folderWith } from "../support/folders.ts";

afterEach(cleanUp);

const started = process.cwd();
afterEach(() => process.chdir(started));

async function setupAt(root: string, argv: string[], roles: Record<string, string> = {}) {
  const { states, ...snapshot } = await openWorkspace(root, { env: process.env, hide: [] }).snapshot(async (bytes) =>
    sha256(bytes),
  );
  return readTestSetup(root, { states, ...snapshot }, argv, new Map(Object.entries(roles)));
}

const files = {
  "package.json": JSON.stringify({
    scripts: { test: "npm run unit", unit: "runner --config own.cfg", posttest: "sh after.sh", lint: "lint" },
    dependencies: { a: "1" },
  }),
  ".npmrc": "",
  "vitest.config.ts": "",
  "own.cfg": "",
  "after.sh": "node tools/count.js src/code.js",
  "tools/count.js": "",
  "src/code.js": "",
  "src/other.js": "",
  "README.md": "",
  "test/a.test.js": "",
  "test/fixtures/data.json": "",
  "src/b_test.go": "",
  "node_modules/runner/main.js": "",
  "node_modules/runner/node_modules/inner/index.js": "",
};

function project(): string {
  const root = fs.realpathSync(folderWith(files));
  fs.mkdirSync(join(root, "node_modules/.bin"));
  fs.symlinkSync("../runner/main.js", join(root, "node_modules/.bin/runner"));
  return root;
}

test("a run is measured with its tests, and with all that its command can reach", async () => {
  const root = project();
  const { tests, runner } = await setupAt(root, ["npm", "test"], { "src/code.js": "code" });
  expect(Object.keys(tests).sort()).toEqual(["src/b_test.go", "test/a.test.js", "test/fixtures/data.json"]);
  const reached = [
    ".npmrc",
    "after.sh",
    "node_modules/.bin/runner",
    "own.cfg",
    "package.json",
    "the package runner",
    "the test command",
    "tools/count.js",
    "vitest.config.ts",
  ];
  expect(Object.keys(runner).sort()).toEqual(reached);
});

test("what cannot change how tests end is no difference, and everything else is named", async () => {
  const root = project();
  const roles = { "src/code.js": "code" };
  const before = await setupAt(root, ["npm", "test"], roles);
  const differsWith = async (path: string, text: string) => {
    const was = fs.readFileSync(join(root, path), "utf8");
    fs.writeFileSync(join(root, path), text);
    const differs = differencesOf(before, await setupAt(root, ["npm", "test"], roles));
    fs.writeFileSync(join(root, path), was);
    return differs;
  };
  const manifest = (change: object) => JSON.stringify({ ...JSON.parse(files["package.json"]), ...change });
  expect(await differsWith("package.json", manifest({ dependencies: { b: "2" }, version: "2" }))).toEqual([]);
  expect(await differsWith("package.json", manifest({ scripts: { test: "true" } }))).toContain("package.json");
  expect(await differsWith("package.json", manifest({ jest: { bail: 1 } }))).toEqual(["package.json"]);
  expect(await differsWith("src/code.js", "new")).toEqual([]);
  expect(await differsWith("src/other.js", "new")).toEqual([]);
  expect(await differsWith("tools/count.js", "new")).toEqual(["tools/count.js"]);
  expect(await differsWith("node_modules/runner/main.js", "new")).toEqual([
    "node_modules/.bin/runner",
    "the package runner",
  ]);
  expect(await differsWith("test/fixtures/data.json", "new")).toEqual(["test/fixtures/data.json"]);
});

test("a file is found by its name from the workspace, wherever this process stands, and nothing outside is", async () => {
  const root = project();
  process.chdir(root);
  const { runner } = await setupAt(root, ["node", "./tools/count.js", join(root, "own.cfg"), "../../etc/passwd"]);
  expect(Object.keys(runner)).toEqual(expect.arrayContaining(["tools/count.js", "own.cfg"]));
  expect(Object.keys(runner).filter((name) => name.includes(".."))).toEqual([]);
});

test("tests are known by their name or their folder, and code about tests is none", () => {
  const tests = [
    "src/a.spec.ts",
    "tests/x.py",
    "test_x.py",
    "a/conftest.py",
    "src/__snapshots__/a.snap",
    "SumTest.php",
  ];
  const others = [
    "src/library/lint/tests.ts",
    "src/test-runner/index.ts",
    "src/latest.ts",
    "contest.py",
    "docs/spec.md",
  ];
  expect([tests.filter(isTestFile), others.filter(isTestFile)]).toEqual([tests, []]);
});
