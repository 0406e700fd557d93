import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { changedFiles, namedFiles } from "../../../src/programs/permissions/named_files.ts";
import { sha256 } from "../../../src/util/hash.ts";
import { folderWith } from "../../support/folders.ts";

const scripts = { build: "node tools/build && sh after.sh", prebuild: "sh before.sh", test: "runner tests/a.js" };
const files = {
  "package.json": JSON.stringify({ name: "app", scripts }),
  "sub/package.json": JSON.stringify({ scripts: { build: "sh own.sh" } }),
  "sub/own.sh": "",
  "sub/run.sh": "",
  ".npmrc": "",
  "node_modules/.bin/runner": "",
  "tools/build.js": "",
  "tools/interpreter": "",
  "after.sh": "",
  "before.sh": "",
  "tests/a.js": "",
  "work.sh": "#!tools/interpreter -x\n",
  "with space.sh": "",
  "pkg/__main__.py": "",
  "pkg/mod.py": "",
  "settings.json": "",
  Makefile: "",
  ".env": "KEY=1",
};

test.each([
  ["sh work.sh", ["tools/interpreter", "work.sh"]],
  ["./work.sh --fast", ["tools/interpreter", "work.sh"]],
  ["cat a; timeout 5 env A=1 sh ./work.sh", ["tools/interpreter", "work.sh"]],
  ["bash -c 'sh work.sh'", ["tools/interpreter", "work.sh"]],
  ["sh < work.sh", ["tools/interpreter", "work.sh"]],
  ["eval $(cat work.sh)", ["tools/interpreter", "work.sh"]],
  ["cd sub && sh run.sh", ["sub/run.sh"]],
  ["sh 'with space.sh'", ["with space.sh"]],
  ["sh b*.sh", ["before.sh"]],
  ["node tools/build", ["tools/build.js"]],
  ["node --import=./tests/a.js -e 1", ["tests/a.js"]],
  ["python3 -m pkg.mod", ["pkg/mod.py"]],
  ["python3 pkg", ["pkg/__main__.py"]],
  ["make all", ["Makefile"]],
  ["npm test", [".npmrc", "node_modules/.bin/runner", "package.json#scripts", "tests/a.js"]],
  ["npm run build", [".npmrc", "after.sh", "before.sh", "package.json#scripts", "tools/build.js"]],
  [
    "npm --prefix sub run build",
    [
      ".npmrc",
      "after.sh",
      "before.sh",
      "package.json#scripts",
      "sub/own.sh",
      "sub/package.json#scripts",
      "tools/build.js",
    ],
  ],
  ["npx runner", [".npmrc", "node_modules/.bin/runner", "package.json#scripts"]],
  ["node tests/a.js > settings.json", ["tests/a.js"]],
  ["ls", []],
  ["cat .env ../outside /etc/hostname", []],
])("%s names %j", (line, names) => {
  expect(Object.keys(namedFiles(folderWith(files), line))).toEqual(names);
});

test("a file is known by what it holds, behind a link too, and the scripts of a manifest by themselves", () => {
  const root = folderWith({ "a.sh": "one", "package.json": '{ "scripts": { "a": "sh a.sh" }, "version": "1" }' });
  symlinkSync("a.sh", join(root, "link.sh"));
  const before = namedFiles(root, "sh link.sh && npm run a");
  expect(before["link.sh"]).toBe(sha256("one"));
  writeFileSync(join(root, "package.json"), '{ "scripts": { "a": "sh a.sh" }, "version": "2" }');
  expect(changedFiles(before, namedFiles(root, "sh link.sh && npm run a"))).toEqual([]);
  writeFileSync(join(root, "a.sh"), "two");
  writeFileSync(join(root, ".npmrc"), "script-shell=./a.sh\n");
  writeFileSync(join(root, "package.json"), '{ "scripts": { "a": "true" } }');
  expect(changedFiles(before, namedFiles(root, "sh link.sh && npm run a")).toSorted()).toEqual([
    ".npmrc",
    "a.sh",
    "link.sh",
    "package.json#scripts",
  ]);
});

test("what cannot be read, is no file, or is named in a way no file could be, does no harm", () => {
  const root = folderWith({ "a.sh": "" });
  mkdirSync(join(root, "closed"));
  writeFileSync(join(root, "closed", "b.sh"), "");
  chmodSync(join(root, "closed"), 0);
  symlinkSync("nowhere", join(root, "dangling"));
  symlinkSync("loop", join(root, "loop"));
  const line = `sh closed/b.sh dangling loop a.sh/x ${"long".repeat(2000)} nul\0l [ * ${"w ".repeat(5000)}`;
  expect(() => namedFiles(root, line)).not.toThrow();
  chmodSync(join(root, "closed"), 0o755);
});
