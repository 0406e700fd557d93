import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";
import { lintPlaces } from "../../../src/library/lint/places.ts";
import { UserError } from "../../../src/util/errors.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const root = temporaryFolder("lint-places-");

for (const path of [
  "a.md",
  "README.md",
  "x.txt",
  "one/b.md",
  "one/two/c.md",
  "one/README.md",
  "templates/t.md",
  "d.md/e.md",
]) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), "");
}
symlinkSync(root, join(root, "one", "loop"));
symlinkSync(join(root, "a.md"), join(root, "one", "link.md"));

const at = (...paths: string[]) => paths.map((path) => join(root, path));
const found = (...paths: string[]) =>
  lintPlaces(at(...paths)).map(({ file, folder, scope }) => [relative(root, file), folder, scope]);

test("a folder stands for the .md files below it, but for README.md and templates; links are not followed", () => {
  expect(found(".")).toEqual([
    ["a.md", "", "custom"],
    ["d.md", "", "custom"],
    ["d.md/e.md", "d.md", "custom"],
    ["one/b.md", "one", "custom"],
    ["one/link.md", "one", "custom"],
    ["one/two/c.md", "one", "custom"],
  ]);
});

test("what is named itself is taken: a README.md, templates, any file, a link to a folder", () => {
  expect(found("README.md", "templates", "x.txt")).toEqual([
    ["README.md", "", "custom"],
    ["templates/t.md", "", "custom"],
    ["x.txt", "", "custom"],
  ]);
  expect(found("one/loop").map(([file]) => file)).toContain("one/loop/a.md");
});

test("a file named twice is taken once", () => {
  const places = lintPlaces(at("one/two", "one", "a.md"));
  expect(places).toEqual([
    { file: join(root, "a.md"), folder: "", scope: "custom" },
    { file: join(root, "one/b.md"), folder: "", scope: "custom" },
    { file: join(root, "one/link.md"), folder: "", scope: "custom" },
    { file: join(root, "one/two/c.md"), folder: "", scope: "custom" },
  ]);
});

test.each([
  ["gone", "is not there"],
  ["a.md/x", "cannot be looked at (ENOTDIR)"],
])("the path %s is refused", (path, what) => {
  expect(() => lintPlaces(at(path))).toThrow(
    new UserError("no_such_path", `${join(root, path)}: ${what}`, "Name a prompt file, or a folder of prompts."),
  );
});
