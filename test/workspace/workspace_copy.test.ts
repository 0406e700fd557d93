import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { basename, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { sha256 } from "../../src/util/hash.ts";
import { openBlobs } from "../../src/store/blobs.ts";
import { openWorkspace } from "../../src/workspace/workspace.ts";
import { cleanUp, folderWith } from "../support/folders.ts";

afterEach(cleanUp);

type Instead = Parameters<ReturnType<typeof openWorkspace>["copyTo"]>[2];

async function copyOf(root: string, instead: Instead = new Map(), ...kept: Uint8Array[]) {
  const workspace = openWorkspace(root, { env: process.env, hide: [join(root, ".claude-exec")] });
  const blobs = openBlobs(join(folderWith({}), "blobs"));
  for (const bytes of kept) await blobs.putBytes(bytes);
  return workspace.copyTo(folderWith({}), await workspace.snapshot(blobs.putBytes), instead, blobs.getBytes);
}

test("a copy holds what tests need, and neither keys nor what is ours", async () => {
  const root = folderWith({
    ".gitignore": "node_modules\nprivate\n.venv\nbuild\n.env\n",
    "src/a.js": "today\n",
    "run.sh": "true\n",
    ".env": "KEY=1\n",
    "private/.env": "KEY=2\n",
    "private/settings.json": "{}\n",
    ".venv/pyvenv.cfg": "home = /usr\n",
    ".claude-exec/config.json": "{}\n",
    "big/x": "",
  });
  fs.chmodSync(join(root, "run.sh"), 0o755);
  fs.symlinkSync("a.js", join(root, "src/link.js"));
  spawnSync("git", ["init", "--quiet"], { cwd: root });
  const copy = await copyOf(root, new Map([["big/x", null]]));
  const names = fs.readdirSync(copy, { recursive: true, encoding: "utf8" }).sort();
  expect(names).toEqual([
    ".gitignore",
    ".venv",
    ".venv/pyvenv.cfg",
    "private",
    "private/settings.json",
    "run.sh",
    "src",
    "src/a.js",
    "src/link.js",
  ]);
  expect(fs.readlinkSync(join(copy, "src/link.js"))).toBe("a.js");
  expect(fs.statSync(join(copy, "run.sh")).mode & 0o777).toBe(0o755);
  fs.writeFileSync(join(copy, ".venv/pyvenv.cfg"), "changed");
  expect(fs.readFileSync(join(root, ".venv/pyvenv.cfg"), "utf8")).toBe("home = /usr\n");
});

test("a copy keeps the times of files, and leaves out what was built since the code changed", async () => {
  const root = folderWith({
    ".gitignore": "dist\nprivate\n*.tsbuildinfo\n",
    "src/old.js": "old\n",
    "src/code.js": "new\n",
    "dist/old.js": "old\n",
    "dist/code.js": "new\n",
    "private/data": "data\n",
    "x.tsbuildinfo": "{}",
  });
  spawnSync("git", ["init", "--quiet"], { cwd: root });
  const [before, changed, since] = [1_000_000, 2_000_000, 3_000_000];
  const times = { "src/old.js": before, "dist/old.js": before, "src/code.js": changed, "dist/code.js": since };
  for (const [path, time] of Object.entries({ ...times, "private/data": since }))
    fs.utimesSync(join(root, path), time, time);
  const bytes = Buffer.from("before\n");
  const state = { type: "file", sha256: sha256(bytes), mode: 0o644, size: bytes.length } as const;
  const copy = await copyOf(root, new Map([["src/code.js", state]]), bytes);
  const files = fs.readdirSync(copy, { recursive: true, encoding: "utf8" }).filter((name) => name.includes("/"));
  expect(files.sort()).toEqual(["dist/old.js", "private/data", "src/code.js", "src/old.js"]);
  expect(fs.existsSync(join(copy, "x.tsbuildinfo"))).toBe(false);
  const timeOf = (path: string) => fs.statSync(join(copy, path)).mtimeMs / 1000;
  expect(["src/old.js", "dist/old.js", "private/data"].map(timeOf)).toEqual([before, before, since]);
  expect(timeOf("src/code.js")).toBeGreaterThan(since);
});

test("an ignored folder that is too large is linked, unless a build makes it anew", async () => {
  const root = folderWith({
    ".gitignore": "data\ntarget\n.venv\n",
    "data/x": "",
    "target/x": "",
    ".venv/x": "",
    "a.js": "",
  });
  for (const name of ["data/huge", "target/huge", ".venv/huge"]) {
    fs.writeFileSync(join(root, name), "");
    fs.truncateSync(join(root, name), 250_000_000);
  }
  spawnSync("git", ["init", "--quiet"], { cwd: root });
  const copy = await copyOf(root);
  expect(fs.readdirSync(copy).sort()).toEqual([".gitignore", ".venv", "a.js", "data"]);
  expect(fs.readlinkSync(join(copy, "data"))).toBe(join(root, "data"));
});

test("packages lead to the installed ones, and those of the workspace to their copies", async () => {
  const root = folderWith({
    "package.json": "{}",
    "packages/own/index.js": "own\n",
    "packages/own/node_modules/nested/index.js": "nested\n",
    "node_modules/foreign/index.js": "foreign\n",
    "node_modules/@scope/x/index.js": "scoped\n",
    "node_modules/.cache/state": "left out\n",
    "node_modules/.pnpm/deep/index.js": "deep\n",
    "node_modules/.bin/x": "",
  });
  fs.symlinkSync("../../packages/own", join(root, "node_modules/@scope/own"));
  fs.symlinkSync(join(root, "packages/own"), join(root, "node_modules/own"));
  fs.symlinkSync(".pnpm/deep", join(root, "node_modules/deep"));
  const copy = await copyOf(root);
  const real = (path: string) => fs.realpathSync(join(copy, "node_modules", path));
  expect(["foreign", "@scope/x", "deep"].map(real)).toEqual(
    ["foreign", "@scope/x", ".pnpm/deep"].map((path) => join(fs.realpathSync(root), "node_modules", path)),
  );
  const own = join(fs.realpathSync(copy), "packages/own");
  expect(["@scope/own", "own"].map(real)).toEqual([own, own]);
  expect(fs.readFileSync(join(own, "node_modules/nested/index.js"), "utf8")).toBe("nested\n");
  expect(fs.existsSync(join(copy, "node_modules/.cache"))).toBe(false);
});

test("a workspace that is part of a larger one finds the packages above it", async () => {
  const above = folderWith({ "node_modules/foreign/index.js": "foreign\n", "packages/own/a.js": "own\n" });
  const copy = await copyOf(join(above, "packages/own"));
  expect([basename(copy), fs.readdirSync(copy)]).toEqual(["own", ["a.js"]]);
  expect(fs.readFileSync(join(copy, "../node_modules/foreign/index.js"), "utf8")).toBe("foreign\n");
});
