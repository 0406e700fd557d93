import { lstatSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { openWorkspace } from "../../src/workspace/workspace.ts";
import { cleanUp, folderWith } from "../support/folders.ts";

afterEach(cleanUp);

test("what lies under a closed name is moved out of the workspace as it is, and never over what was moved before", () => {
  const folder = folderWith({ ".env.local": "a", "sub/.git/hooks/x": "b", "sub/kept": "" });
  symlinkSync("kept", join(folder, "sub", "a.key"));
  const aside = join(folderWith({}), "aside");
  const workspace = openWorkspace(folder, { env: process.env, hide: [] });
  expect([...workspace.closed()].sort()).toEqual([".env.local", "sub/.git", "sub/a.key"]);
  const moved = workspace.closed().map((path) => workspace.setAside(path, aside) ?? "");
  expect(moved.map((path) => path.slice(aside.length + 1)).sort()).toEqual(["a.key-1", "env.local-1", "git-1"]);
  expect(readFileSync(join(aside, "git-1", "hooks", "x"), "utf8")).toBe("b");
  expect(lstatSync(join(aside, "a.key-1")).isSymbolicLink()).toBe(true);
  expect([workspace.closed(), readdirSync(join(folder, "sub"))]).toEqual([[], ["kept"]]);
});

test("what lies behind a link is never moved, and what is gone already is no fault", () => {
  const folder = folderWith({});
  const outside = folderWith({ ".env": "theirs" });
  symlinkSync(outside, join(folder, "out"));
  const workspace = openWorkspace(folder, { env: process.env, hide: [] });
  expect([".env", "gone/.env"].map((path) => workspace.setAside(path, folder))).toEqual([undefined, undefined]);
  expect(() => workspace.setAside("out/.env", folder)).toThrow("out/.env lies behind a link.");
});
