import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterEach, expect, test } from "vitest";
import { UserError } from "../../src/util/errors.ts";
import { sha256 } from "../../src/util/hash.ts";
import type { FileChange } from "../../src/workspace/file_states.ts";
import { openWorkspace } from "../../src/workspace/workspace.ts";
import { treeHashOf } from "../../src/workspace/snapshot.ts";
import type { Workspace } from "../../src/workspace/workspace.ts";
import { cleanUp, folderWith } from "../support/folders.ts";

afterEach(cleanUp);

const isRoot = process.geteuid?.() === 0;

function open(folder: string, hide: string[] = []): Workspace {
  return openWorkspace(folder, { env: process.env, hide });
}

function change(workspace: Workspace, path: string, text: string): FileChange {
  return { path, before: workspace.fingerprint(path), after: { sha256: sha256(text), text } };
}

function reasonFor(workspace: Workspace, path: string, purpose: "read" | "write" = "read"): string {
  const found = workspace.read(path, purpose);
  return found.type === "text" ? `text: ${found.text}` : found.text;
}

test("a file is read with its hash and its mode", () => {
  const folder = folderWith({ "src/a.ts": "\uFEFFlet a;\r\n" });
  fs.chmodSync(join(folder, "src/a.ts"), 0o750);
  const expected = { sha256: sha256("\uFEFFlet a;\r\n"), text: "\uFEFFlet a;\r\n", mode: 0o750 };
  expect(open(folder).read("./src//a.ts")).toEqual({ type: "text", ...expected });
  expect(open(folder).fingerprint("src/a.ts")).toEqual(expected);
  expect(open(folder).fingerprint("src/none.ts")).toBeUndefined();
});

test("what leads out of the workspace is refused with a sentence", () => {
  const outer = folderWith({ "ws/in.txt": "in", "ws-evil/secret.txt": "out", "secret.txt": "out" });
  const link = (to: string, at: string) => fs.symlinkSync(to, join(outer, "ws", at));
  link("../secret.txt", "file-link");
  link("..", "folder-link");
  link(join(outer, "ws-evil"), "sibling-link");
  link("/proc/self/environ", "proc-link");
  link("gone", "dangling");
  link("loop", "loop");
  const workspace = open(join(outer, "ws"));
  const out = "leads out of the workspace";
  const cases: [string, string][] = [
    ["../secret.txt", out],
    ["a/../../secret.txt", out],
    ["../ws-evil/secret.txt", out],
    [join(outer, "ws/in.txt"), "is absolute: paths are relative to the workspace"],
    ["/proc/self/environ", "is absolute: paths are relative to the workspace"],
    ["in.txt\0.png", "holds a NUL character"],
    ["file-link", out],
    ["folder-link/secret.txt", out],
    ["folder-link/new/deep.txt", out],
    ["sibling-link/secret.txt", out],
    ["proc-link", out],
    ["dangling", "is a symbolic link that leads nowhere"],
    ["dangling/new.txt", "is a symbolic link that leads nowhere"],
    ["loop", "cannot be reached (ELOOP)"],
    ["x".repeat(300), "cannot be reached (ENAMETOOLONG)"],
  ];
  for (const [path, reason] of cases) {
    const text = `${JSON.stringify(path)} ${reason}.`;
    expect(workspace.read(path)).toEqual({ type: "refused", text });
    const after = { sha256: sha256("x"), text: "x" };
    expect(workspace.apply({ path, before: undefined, after })).toEqual({ type: "refused", text });
  }
  expect(fs.readFileSync(join(outer, "secret.txt"), "utf8")).toBe("out");
  expect(fs.readdirSync(outer).sort()).toEqual(["secret.txt", "ws", "ws-evil"]);
});

test("what is no plain text file is refused with a sentence", async () => {
  const folder = folderWith({
    "big.txt": "x".repeat(2_000_001),
    "just.txt": "x".repeat(2_000_000),
    "binary.bin": "ab\0cd",
    "broken.txt": Buffer.from([0x61, 0xff, 0x62]),
    "folder/a.txt": "a",
  });
  spawnSync("mkfifo", [join(folder, "pipe")]);
  const server = createServer().listen(join(folder, "socket"));
  await new Promise((resolve) => server.once("listening", resolve));
  const workspace = open(folder);
  expect(reasonFor(workspace, "big.txt")).toBe('"big.txt" is larger than 2 MB and is not read as a whole.');
  expect(reasonFor(workspace, "just.txt")).toHaveLength(2_000_006);
  expect(reasonFor(workspace, "binary.bin")).toBe('"binary.bin" is binary, not text.');
  expect(reasonFor(workspace, "broken.txt")).toBe('"broken.txt" is not valid UTF-8.');
  expect(reasonFor(workspace, "folder")).toBe('"folder" is a folder, not a file.');
  expect(reasonFor(workspace, ".")).toBe('"." is a folder, not a file.');
  expect(reasonFor(workspace, "pipe")).toBe('"pipe" is a named pipe, not a file.');
  expect(reasonFor(workspace, "socket")).toBe('"socket" is a socket, not a file.');
  expect(reasonFor(workspace, "none.txt")).toBe('There is no file "none.txt".');
  expect(reasonFor(workspace, "folder/a.txt/b.txt")).toBe('There is no file "folder/a.txt/b.txt".');
  expect(() => workspace.fingerprint("pipe")).toThrow(UserError);
  expect(await workspace.list()).not.toContain("pipe");
  server.close();
  if (!isRoot) return;
  spawnSync("mknod", [join(folder, "null"), "c", "1", "3"]);
  expect(reasonFor(workspace, "null")).toBe('"null" is a device, not a file.');
});

test("what holds secrets or belongs to git is closed, what is ours can only be read, also through links", () => {
  const closed = [".env", ".env.local", ".envrc", "deep/.ENV", "cert.pem", "a.key", "id_rsa", "id_ed25519.pub"];
  const gits = [".git/config", "sub/.GIT/hooks/x"];
  const unwritable = [".env.example", ".claude-exec/config.json"];
  const files = [
    ...closed,
    ...gits,
    ...unwritable,
    "fine.keys",
    "environment",
    "git/a",
    ".github/x.yml",
    ".claude-executor",
  ];
  const folder = folderWith(Object.fromEntries(files.map((file) => [file, "x"])));
  fs.symlinkSync(".env", join(folder, "harmless.txt"));
  fs.symlinkSync(".git", join(folder, "folder"));
  fs.symlinkSync("environment", join(folder, "linked"));
  const workspace = open(folder, [join(folder, ".claude-exec")]);
  const states = [...files, "harmless.txt", "folder/config", "folder/hooks/new", "linked"].map((path) => {
    const mayRead = workspace.read(path).type !== "refused";
    const mayWrite = workspace.apply({ path, before: undefined, after: { sha256: sha256("y"), text: "y" } });
    return [path, mayRead, mayWrite.type !== "refused"];
  });
  expect(states).toEqual([
    ...[...closed, ...gits].map((path) => [path, false, false]),
    ...unwritable.map((path) => [path, true, false]),
    ...["fine.keys", "environment", "git/a", ".github/x.yml", ".claude-executor"].map((path) => [path, true, true]),
    ["harmless.txt", false, false],
    ["folder/config", false, false],
    ["folder/hooks/new", false, false],
    ["linked", true, true],
  ]);
  expect(reasonFor(workspace, ".env")).toBe('".env" may hold secrets and is closed.');
  expect(reasonFor(workspace, ".git/config", "write")).toBe('".git/config" belongs to git and is closed to writing.');
  expect(reasonFor(workspace, ".claude-exec/new", "write")).toBe(
    '".claude-exec/new" belongs to claude-exec and is closed to writing.',
  );
});

test("our home is hidden also when it is named through a link, and may not be the whole workspace", async () => {
  const folder = folderWith({ "ws/home/a": "a", "ws/b": "b" });
  fs.symlinkSync("ws", join(folder, "link"));
  const workspace = open(join(folder, "ws"), [join(folder, "link/home"), "later"]);
  expect(await workspace.list()).toEqual(["b"]);
  expect(workspace.read("later/x", "write").type).toBe("refused");
  expect(() => open(join(folder, "ws"), [join(folder, "link")])).toThrow("would hide the whole workspace");
});

test("a workspace that is not there, or is a file, is the user's to mend", () => {
  const folder = folderWith({ file: "x" });
  expect(() => open(join(folder, "none"))).toThrow(UserError);
  expect(() => open(join(folder, "file"))).toThrow(`The workspace "${join(folder, "file")}" is not a folder.`);
});

test("a change is written as a whole, keeps the mode, makes folders, and may be applied twice", () => {
  const folder = folderWith({ "run.sh": "old" });
  fs.chmodSync(join(folder, "run.sh"), 0o755);
  const workspace = open(folder);
  const edit = change(workspace, "run.sh", "new");
  expect(workspace.apply(edit)).toEqual({
    type: "written",
    was: { sha256: sha256("old"), text: "old", mode: 0o755 },
  });
  const now = { sha256: sha256("new"), text: "new", mode: 0o755 };
  expect(workspace.fingerprint("run.sh")).toEqual(now);
  expect(workspace.apply(edit)).toEqual({ type: "already_there", was: now });
  expect(workspace.apply(change(workspace, "a/b/c.txt", "deep"))).toEqual({
    type: "written",
    was: undefined,
  });
  expect(fs.readFileSync(join(folder, "a/b/c.txt"), "utf8")).toBe("deep");
  expect(fs.readdirSync(folder).sort()).toEqual(["a", "run.sh"]);
});

test("a file that changed meanwhile is not overwritten", () => {
  const folder = folderWith({ "a.txt": "old" });
  const workspace = open(folder);
  const edit = change(workspace, "a.txt", "ours");
  const fresh = change(workspace, "new.txt", "ours");
  fs.writeFileSync(join(folder, "a.txt"), "theirs", { mode: 0o644 });
  fs.writeFileSync(join(folder, "new.txt"), "theirs");
  const was = { sha256: sha256("theirs"), text: "theirs", mode: 0o644 };
  expect(workspace.apply(edit)).toEqual({ type: "changed_meanwhile", was });
  expect(workspace.apply(fresh)).toMatchObject({ type: "changed_meanwhile" });
  fs.rmSync(join(folder, "a.txt"));
  expect(workspace.apply(edit)).toEqual({ type: "changed_meanwhile", was: undefined });
  expect(fs.readdirSync(folder)).toEqual(["new.txt"]);
  expect(fs.readFileSync(join(folder, "new.txt"), "utf8")).toBe("theirs");
});

test("a file is deleted as it was planned, and the same may be asked again", () => {
  const folder = folderWith({ "a/b.txt": "old", "a/c.txt": "c" });
  const workspace = open(folder);
  const before = { sha256: sha256("old"), text: "old", mode: 0o644 };
  const deletion = { path: "a/b.txt", before, after: undefined };
  fs.writeFileSync(join(folder, "a/b.txt"), "theirs");
  expect(workspace.apply(deletion)).toMatchObject({ type: "changed_meanwhile", was: { text: "theirs" } });
  expect(fs.readFileSync(join(folder, "a/b.txt"), "utf8")).toBe("theirs");
  fs.writeFileSync(join(folder, "a/b.txt"), "old");
  expect(workspace.apply(deletion)).toEqual({ type: "written", was: before });
  expect(workspace.apply(deletion)).toEqual({ type: "already_there", was: undefined });
  expect(workspace.apply({ ...deletion, path: ".git/config" }).type).toBe("refused");
  expect(fs.readdirSync(join(folder, "a"))).toEqual(["c.txt"]);
});

test("what a crash left is cleared away by the same change, and never listed", async () => {
  const folder = folderWith({ "a.txt": "old" });
  const workspace = open(folder);
  const edit = change(workspace, "a.txt", "new");
  const left = join(folder, `.${edit.after?.sha256.slice(0, 16)}.claude-exec.tmp`);
  fs.writeFileSync(left, "ne");
  expect(await workspace.list()).toEqual(["a.txt"]);
  expect(workspace.apply(edit).type).toBe("written");
  expect(fs.readdirSync(folder)).toEqual(["a.txt"]);
});

test("a text that is not what was hashed is a bug and is not written", () => {
  const workspace = open(folderWith({}));
  const after = { sha256: sha256("one"), text: "other" };
  expect(() => workspace.apply({ path: "a", before: undefined, after })).toThrow("is not what was hashed");
});

test("what somebody saves while a change is being written to the disk is not overwritten", async () => {
  const folder = folderWith({ "a.txt": "before" });
  const workspace = open(folder);
  const stop = new Int32Array(new SharedArrayBuffer(4));
  // The other one saves the file as soon as writing has begun; writing so much takes a while.
  const other = new Worker(
    `const fs = require("node:fs"); const { stop, folder } = require("node:worker_threads").workerData;
     const isWriting = () => fs.readdirSync(folder).some((name) => name.endsWith(".claude-exec.tmp"));
     while (Atomics.load(stop, 0) === 0) if (isWriting()) fs.writeFileSync(folder + "/a.txt", "theirs");`,
    { eval: true, workerData: { stop, folder } },
  );
  const ended = new Promise((resolve) => other.once("exit", resolve));
  await new Promise((resolve) => other.once("online", resolve));
  let applied = "";
  for (let tried = 0; tried < 50 && applied !== "changed_meanwhile"; tried += 1) {
    fs.writeFileSync(join(folder, "a.txt"), "before");
    applied = workspace.apply(change(workspace, "a.txt", `${tried} ${"text ".repeat(1_000_000)}`)).type;
  }
  Atomics.store(stop, 0, 1);
  await ended;
  expect([applied, fs.readFileSync(join(folder, "a.txt"), "utf8")]).toEqual(["changed_meanwhile", "theirs"]);
  expect(fs.readdirSync(folder)).toEqual(["a.txt"]);
});

test("links swapped in between check and use never lead out, reading or writing", async () => {
  const outer = folderWith({
    "ws/target.txt": "inside",
    "ws/dir/file.txt": "inside",
    "out/file.txt": "outside",
    "out/target.txt": "outside",
  });
  const ws = join(outer, "ws");
  fs.symlinkSync("../out/target.txt", join(ws, "file-link"));
  fs.symlinkSync("../out", join(ws, "dir-link"));
  const stop = new Int32Array(new SharedArrayBuffer(8));
  const swapper = new Worker(
    `const fs = require("node:fs"); const { stop, ws } = require("node:worker_threads").workerData;
     const at = (name) => ws + "/" + name;
     let made = 0;
     // What was written while "dir" was away may have made it anew.
     const aside = () => { try { fs.renameSync(at("dir"), at("made" + (made += 1))); } catch {} };
     const back = () => { for (;;) try { return fs.renameSync(at("dir.kept"), at("dir")); } catch { aside(); } };
     while (Atomics.load(stop, 0) === 0) {
       fs.renameSync(at("target.txt"), at("target.kept")); fs.renameSync(at("file-link"), at("target.txt"));
       fs.renameSync(at("target.txt"), at("file-link")); fs.renameSync(at("target.kept"), at("target.txt"));
       fs.renameSync(at("dir"), at("dir.kept"));
       try { fs.renameSync(at("dir-link"), at("dir")); fs.renameSync(at("dir"), at("dir-link")); } catch {}
       back();
       Atomics.add(stop, 1, 1);
     }`,
    { eval: true, workerData: { stop, ws } },
  );
  const failed = new Promise((_, reject) => swapper.once("error", reject));
  failed.catch(() => undefined);
  while (Atomics.load(stop, 1) === 0) await new Promise((resolve) => setImmediate(resolve));
  const workspace = open(ws);
  const seen: Record<string, number> = {};
  for (let round = 0; round < 4000; round += 1) {
    const found = workspace.read(round % 2 === 0 ? "target.txt" : "dir/file.txt");
    const what = found.type === "text" ? found.text : found.type;
    seen[what] = (seen[what] ?? 0) + 1;
  }
  const written: Record<string, number> = {};
  for (let round = 0; round < 600; round += 1) {
    const text = `round ${round}`;
    const after = { sha256: sha256(text), text };
    const { type } = workspace.apply({ path: `dir/sub/${round}.txt`, before: undefined, after });
    written[type] = (written[type] ?? 0) + 1;
  }
  Atomics.store(stop, 0, 1);
  await Promise.race([new Promise((resolve) => swapper.once("exit", resolve)), failed]);
  expect(Object.keys(seen).filter((what) => !["inside", "absent", "refused"].includes(what))).toEqual([]);
  expect(seen["inside"]).toBeGreaterThan(100);
  expect(seen["refused"]).toBeGreaterThan(100);
  expect(written["written"]).toBeGreaterThan(20);
  expect(fs.readdirSync(join(outer, "out")).sort()).toEqual(["file.txt", "target.txt"]);
  expect(fs.readFileSync(join(outer, "out/file.txt"), "utf8")).toBe("outside");
});

test("files are listed sorted and matched by globs, without node_modules, git and our home", async () => {
  const files = [
    "b.ts",
    "a.ts",
    "src/c.ts",
    "src/.d.ts",
    ".github/x.yml",
    "node_modules/m/i.js",
    "home/p.md",
    ".git/x",
  ];
  const folder = folderWith(Object.fromEntries(files.map((file) => [file, ""])));
  fs.symlinkSync("a.ts", join(folder, "link.ts"));
  const workspace = open(folder, ["home"]);
  expect(await workspace.list()).toEqual([".github/x.yml", "a.ts", "b.ts", "src/.d.ts", "src/c.ts"]);
  expect(await workspace.list(["*.yml"])).toEqual([".github/x.yml"]);
  expect(await workspace.list(["/*.ts"])).toEqual(["a.ts", "b.ts"]);
  expect(await workspace.list(["src/**", "{b,x}.ts"])).toEqual(["b.ts", "src/.d.ts", "src/c.ts"]);
  const stars = open(folderWith({ ["a".repeat(200)]: "" })).list([`${"*a".repeat(60)}b`]);
  await expect(stars).rejects.toThrow("takes too long");
});

test("in a git work tree the list is what git sees, and git runs nothing of the project's", async () => {
  const folder = folderWith({
    ".gitignore": "ignored/\n",
    "ignored/a": "",
    "kept.ts": "",
    "gone.ts": "",
    "new.ts": "",
    "line\nbreak": "",
  });
  const git = (...args: string[]) => spawnSync("git", args, { cwd: folder });
  git("init", "-q");
  git("add", "kept.ts", "gone.ts");
  fs.rmSync(join(folder, "gone.ts"));
  fs.writeFileSync(join(folder, "hook.sh"), `#!/bin/sh\ntouch ${join(folder, "pwned")}\n`, { mode: 0o755 });
  git("config", "core.fsmonitor", join(folder, "hook.sh"));
  const workspace = open(folder);
  expect(await workspace.list()).toEqual([".gitignore", "hook.sh", "kept.ts", "new.ts"]);
  expect(fs.existsSync(join(folder, "pwned"))).toBe(false);
  fs.mkdirSync(join(folder, "ignored/inner"));
  fs.writeFileSync(join(folder, "ignored/inner/x"), "");
  expect(await open(join(folder, "ignored/inner")).list()).toEqual(["x"]);
  fs.writeFileSync(join(folder, ".git/config"), "[broken");
  await expect(workspace.list()).rejects.toThrow("git could not list the files");
});

const treeHash = async (workspace: Workspace) => treeHashOf(await workspace.snapshot(async (bytes) => sha256(bytes)));

test("the tree hash follows names and contents, and nothing else", async () => {
  const folder = folderWith({ "a.txt": "one", "b.txt": "two", "home/x": "x" });
  const old = new Date(1_700_000_000_000);
  for (const file of ["a.txt", "b.txt"]) fs.utimesSync(join(folder, file), old, old);
  const workspace = open(folder, ["home"]);
  const first = await treeHash(workspace);
  expect(first).toMatch(/^[0-9a-f]{64}$/);
  fs.writeFileSync(join(folder, "home/x"), "y");
  fs.utimesSync(join(folder, "a.txt"), new Date(), new Date());
  expect(await treeHash(workspace)).toBe(first);
  expect(await treeHash(open(folder, ["home"]))).toBe(first);
  fs.writeFileSync(join(folder, "a.txt"), "eno");
  fs.utimesSync(join(folder, "a.txt"), old, old);
  const second = await treeHash(workspace);
  expect(second).not.toBe(first);
  fs.renameSync(join(folder, "b.txt"), join(folder, "c.txt"));
  expect([first, second]).not.toContain(await treeHash(workspace));
});

test("a second tree hash does not read the files again", async () => {
  const folder = folderWith({ "a.txt": "one" });
  const workspace = open(folder);
  await new Promise((resolve) => setTimeout(resolve, 40));
  const first = await treeHash(workspace);
  const reads = () => Number(/rchar: (\d+)/.exec(fs.readFileSync("/proc/self/io", "utf8"))?.[1]);
  expect(reads()).toBeGreaterThan(0);
  fs.writeFileSync(join(folder, "big.txt"), "x".repeat(4_000_000));
  await new Promise((resolve) => setTimeout(resolve, 40));
  const before = reads();
  const second = await treeHash(workspace);
  const between = reads();
  expect(second).not.toBe(first);
  expect(await treeHash(workspace)).toBe(second);
  expect(between - before).toBeGreaterThan(4_000_000);
  expect(reads() - between).toBeLessThan(1_000_000);
});

test("a full disk leaves the old file whole and is told", ({ skip }) => {
  const folder = folderWith({});
  const mounted = isRoot && spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "none", folder]).status === 0;
  if (!mounted) skip("a full disk needs a tmpfs of its own, and mounting one is not allowed here");
  try {
    fs.writeFileSync(join(folder, "good.txt"), "good ".repeat(1000));
    const workspace = open(folder);
    const edit = change(workspace, "good.txt", "new ".repeat(15_000));
    expect(workspace.apply(edit)).toEqual({
      type: "failed",
      code: "ENOSPC",
      text: '"good.txt" was not written (ENOSPC).',
    });
    expect(fs.readFileSync(join(folder, "good.txt"), "utf8")).toBe("good ".repeat(1000));
    expect(fs.readdirSync(folder)).toEqual(["good.txt"]);
  } finally {
    spawnSync("umount", [folder]);
  }
});

test("a workspace that cannot be written to says so", ({ skip }) => {
  const folder = folderWith({ "a.txt": "a" });
  const mounted = isRoot && spawnSync("mount", ["-t", "tmpfs", "none", folder]).status === 0;
  if (isRoot && !mounted) skip("for root a folder is read-only only when it is mounted so, which is not allowed here");
  fs.writeFileSync(join(folder, "a.txt"), "a");
  if (isRoot) spawnSync("mount", ["-o", "remount,ro", folder]);
  else fs.chmodSync(folder, 0o555);
  try {
    const workspace = open(folder);
    const code = isRoot ? "EROFS" : "EACCES";
    const text = `"a.txt" was not written (${code}).`;
    expect(workspace.apply(change(workspace, "a.txt", "b"))).toEqual({ type: "failed", code, text });
    expect(workspace.apply(change(workspace, "new/b.txt", "b"))).toMatchObject({ type: "failed", code });
    expect(workspace.apply({ ...change(workspace, "a.txt", "b"), after: undefined })).toEqual({
      type: "failed",
      code,
      text: `"a.txt" was not deleted (${code}).`,
    });
    expect(fs.readFileSync(join(folder, "a.txt"), "utf8")).toBe("a");
  } finally {
    if (isRoot) spawnSync("umount", [folder]);
    else fs.chmodSync(folder, 0o755);
  }
});
