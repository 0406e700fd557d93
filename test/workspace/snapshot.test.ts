import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { dirname, join } from "node:path";
import * as fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { compare, keptFileLimit, readSnapshot, snapshotText } from "../../src/workspace/snapshot.ts";
import type { Snapshot } from "../../src/workspace/snapshot.ts";
import type { FileState } from "../../src/workspace/file_states.ts";
import { openWorkspace } from "../../src/workspace/workspace.ts";
import { UserError } from "../../src/util/errors.ts";
import { sha256 } from "../../src/util/hash.ts";
import { cleanUp, folderWith } from "../support/folders.ts";

afterEach(cleanUp);

/** Keeps contents in memory, in the order they came. */
function keeper(): { keep: (bytes: Uint8Array) => Promise<string>; kept: string[] } {
  const kept: string[] = [];
  return {
    kept,
    async keep(bytes) {
      kept.push(Buffer.from(bytes).toString());
      return sha256(bytes);
    },
  };
}

function repository(files: Record<string, string | Uint8Array>): string {
  const folder = folderWith(files);
  expect(spawnSync("git", ["init", "-q"], { cwd: folder }).status).toBe(0);
  return folder;
}

function snapshotOf(folder: string, earlier?: Snapshot): Promise<Snapshot> {
  return openWorkspace(folder, { env: process.env, hide: ["home"] }).snapshot(async (bytes) => sha256(bytes), earlier);
}

function file(text: string, mode = 0o644): FileState {
  return { type: "file", sha256: sha256(text), mode, size: Buffer.byteLength(text) };
}

/** Until the clock has ticked on since these files were written, they may change again unseen. */
async function settled(folder: string): Promise<void> {
  const last = Math.max(...fs.readdirSync(folder).map((name) => fs.lstatSync(join(folder, name)).ctimeMs));
  while (Date.now() - last <= 25) await new Promise((resolve) => setImmediate(resolve));
}

test.each(["with git", "without git"])(
  "a snapshot holds files and links of any name, and keeps contents, %s",
  async (how) => {
    const files = {
      "a.txt": "a",
      "sub/b c.bin": Buffer.from([0, 255, 10]),
      "new\nline/ü": "",
      "run.sh": "#!/bin/sh\n",
    };
    const out = { ".env": "SECRET", "key.pem": "SECRET", "home/x": "ours", "node_modules/m/i.js": "", ".git/x": "" };
    const folder = folderWith({ ...files, ...(how === "with git" ? { ...out, ".git/x": "" } : out) });
    if (how === "with git") spawnSync("git", ["init", "-q"], { cwd: folder });
    fs.chmodSync(join(folder, "run.sh"), 0o4751);
    fs.symlinkSync("sub", join(folder, "to-folder"));
    fs.symlinkSync("/nowhere", join(folder, "sub/dangling"));
    spawnSync("mkfifo", [join(folder, "pipe")]);
    const { keep, kept } = keeper();
    const { states } = await openWorkspace(folder, { env: process.env, hide: ["home"] }).snapshot(keep);
    expect(Object.fromEntries(states)).toEqual({
      "a.txt": file("a"),
      "new\nline/ü": file(""),
      "run.sh": file("#!/bin/sh\n", 0o4751),
      "sub/b c.bin": { type: "file", sha256: sha256(Buffer.from([0, 255, 10])), mode: 0o644, size: 3 },
      "sub/dangling": { type: "link", target: "/nowhere" },
      "to-folder": { type: "link", target: "sub" },
    });
    expect(kept.sort()).toEqual(["", "\0\uFFFD\n", "#!/bin/sh\n", "a"]);
  },
);

test("what has not changed is neither read nor kept again, also by whoever reads the snapshot back", async () => {
  const folder = folderWith({ "a.txt": "one", "b.txt": "two" });
  await settled(folder);
  const first = await snapshotOf(folder);
  expect([...first.stamps.keys()].sort()).toEqual(["a.txt", "b.txt"]);
  fs.writeFileSync(join(folder, "a.txt"), "eno");
  const { keep, kept } = keeper();
  const later = await openWorkspace(folder, { env: process.env, hide: [] }).snapshot(
    keep,
    readSnapshot(snapshotText(first)),
  );
  expect(kept).toEqual(["eno"]);
  expect(compare(first, later)).toEqual([{ path: "a.txt", before: file("one"), after: file("eno") }]);
});

test("a file that may change again within the same tick of the clock is read again", async () => {
  const path = join(folderWith({}), "a.txt");
  const justWritten = async () => {
    for (;;) {
      fs.writeFileSync(path, "one");
      const { stamps } = await snapshotOf(dirname(path));
      if (Date.now() - fs.lstatSync(path).ctimeMs <= 20) return stamps;
    }
  };
  expect(await justWritten()).toEqual(new Map());
});

test("what a command made, changed, moved, deleted and gave other rights is told path by path", async () => {
  const folder = repository({ "a.txt": "a", "old/b.txt": "b", "c.sh": "c", same: "same" });
  const before = await snapshotOf(folder);
  const script = "echo more >> a.txt; mv old new; chmod 700 c.sh; ln -s a.txt link; cat same > copy; cp copy same";
  expect(spawnSync("sh", ["-c", script], { cwd: folder }).status).toBe(0);
  expect(compare(before, await snapshotOf(folder, before))).toEqual([
    { path: "a.txt", before: file("a"), after: file("amore\n") },
    { path: "c.sh", before: file("c"), after: file("c", 0o700) },
    { path: "copy", before: null, after: file("same") },
    { path: "link", before: null, after: { type: "link", target: "a.txt" } },
    { path: "new/b.txt", before: null, after: file("b") },
    { path: "old/b.txt", before: file("b"), after: null },
  ]);
});

test("nothing hides behind a .gitignore that a command wrote, and nothing that was ignored passes for new", async () => {
  const folder = repository({ ".gitignore": "data/\n", "data/db": "the user's", "a.txt": "a" });
  const before = await snapshotOf(folder);
  expect(before.ignored).toEqual(["data/"]);
  fs.writeFileSync(join(folder, ".gitignore"), "a.txt\nnew/\n");
  fs.writeFileSync(join(folder, "a.txt"), "changed");
  fs.mkdirSync(join(folder, "new"));
  fs.writeFileSync(join(folder, "new/x"), "x");
  const after = await snapshotOf(folder, before);
  expect(compare(before, after)).toEqual([
    { path: ".gitignore", before: file("data/\n"), after: file("a.txt\nnew/\n") },
    { path: "a.txt", before: file("a"), after: file("changed") },
    { path: "new/x", before: null, after: file("x") },
  ]);
  fs.writeFileSync(join(folder, "data/db"), "changed by the next command");
  expect(compare(after, await snapshotOf(folder, after))).toEqual([
    { path: "data/db", before: file("the user's"), after: file("changed by the next command") },
  ]);
});

test.each([
  ["that covers itself", "echo '*' > .gitignore; echo new > x", [".gitignore", "x"]],
  [
    "that covers itself, deep in new folders",
    "mkdir -p x/a/b x/c; echo '*' | tee x/a/b/.gitignore > x/c/.gitignore; echo new | tee x/a/b/y > x/c/z",
    ["x/a/b/.gitignore", "x/a/b/y", "x/c/.gitignore", "x/c/z"],
  ],
  ["that git was told to ignore", "echo x > sub/.gitignore; echo new > sub/x", ["sub/.gitignore", "sub/x"]],
])("nothing hides behind a .gitignore %s", async (_, script, paths) => {
  const folder = repository({ "a.txt": "a", "sub/b.txt": "b" });
  spawnSync("git", ["add", "."], { cwd: folder });
  if (script.includes("sub")) fs.writeFileSync(join(folder, ".git/info/exclude"), ".gitignore\n");
  const before = await snapshotOf(folder);
  expect(spawnSync("sh", ["-c", script], { cwd: folder }).status).toBe(0);
  const after = await snapshotOf(folder, before);
  expect(compare(before, after).map(({ path }) => path)).toEqual(paths);
  expect(compare(after, await snapshotOf(folder, after))).toEqual([]);
});

test("rules in a folder that git ignores anyway are no new rules", async () => {
  const folder = repository({ ".gitignore": "made/\n", "a.txt": "a" });
  const before = await snapshotOf(folder);
  fs.mkdirSync(join(folder, "made/in"), { recursive: true });
  for (const name of ["made/.gitignore", "made/in/.gitignore"]) fs.writeFileSync(join(folder, name), "*\n");
  expect(compare(before, await snapshotOf(folder, before))).toEqual([]);
});

test("what lies behind a link is not in the workspace", async () => {
  const outer = folderWith({ "ws/dir/a": "inside", "out/a": "OUTSIDE" });
  const folder = join(outer, "ws");
  spawnSync("sh", ["-c", "git init -q && git add ."], { cwd: folder });
  const before = await snapshotOf(folder);
  fs.rmSync(join(folder, "dir"), { recursive: true });
  fs.symlinkSync("../out", join(folder, "dir"));
  const { keep, kept } = keeper();
  const after = await openWorkspace(folder, { env: process.env, hide: [] }).snapshot(keep, before);
  expect(compare(before, after)).toEqual([
    { path: "dir", before: null, after: { type: "link", target: "../out" } },
    { path: "dir/a", before: file("inside"), after: null },
  ]);
  expect(kept).toEqual([]);
});

test("a file too large to keep is told apart by its looks, and said not to be kept", async () => {
  const folder = folderWith({ "big.bin": "" });
  fs.truncateSync(join(folder, "big.bin"), keptFileLimit + 1);
  const { keep, kept } = keeper();
  const workspace = openWorkspace(folder, { env: process.env, hide: [] });
  const before = await workspace.snapshot(keep);
  expect(before.states.get("big.bin")).toMatchObject({ size: keptFileLimit + 1, kept: false });
  expect(compare(before, await workspace.snapshot(keep, before))).toEqual([]);
  fs.writeFileSync(join(folder, "big.bin"), "small now");
  const after = await workspace.snapshot(keep, before);
  expect(compare(before, after)).toEqual([
    { path: "big.bin", before: before.states.get("big.bin"), after: file("small now") },
  ]);
  expect(kept).toEqual(["small now"]);
});

test("what lies at a path now is told as a snapshot would tell it", async () => {
  const folder = folderWith({ "dir/a.txt": "a", ".env": "SECRET" });
  fs.symlinkSync("dir", join(folder, "link"));
  spawnSync("mkfifo", [join(folder, "pipe")]);
  const workspace = openWorkspace(folder, { env: process.env, hide: [] });
  const told = ["./dir//a.txt", "link", "link/a.txt", "dir", "none", ".env", "pipe", "../x"].map(workspace.stateOf);
  expect(told).toEqual([
    file("a"),
    { type: "link", target: "dir" },
    null,
    null,
    null,
    { type: "refused", text: '".env" may hold secrets and is closed to writing.' },
    { type: "refused", text: '"pipe" is a named pipe, not a file.' },
    { type: "refused", text: '"../x" leads out of the workspace.' },
  ]);
});

const hash = fc.uint8Array().map((bytes) => sha256(bytes));
const state: fc.Arbitrary<FileState> = fc.oneof(
  fc.record({
    type: fc.constant("file" as const),
    sha256: hash,
    mode: fc.integer({ min: 0, max: 0o7777 }),
    size: fc.nat(),
  }),
  fc.record({
    type: fc.constant("file" as const),
    sha256: hash,
    mode: fc.nat(0o777),
    size: fc.nat(),
    kept: fc.constant(false as const),
  }),
  fc.record({ type: fc.constant("link" as const), target: fc.string({ minLength: 1 }) }),
);
const name = fc.constantFrom("a", "b c", "ü", "new\nline", "__proto__", "constructor", "-x", "..x", '"');
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join("/"));

test("a snapshot that was written down is read back the same", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(path, state, fc.option(fc.string()))), fc.array(path), (rows, ignored) => {
      const states = new Map(rows.map(([at, one]) => [at, one]));
      const stamps = new Map(rows.flatMap(([at, , stamp]) => (stamp === null ? [] : [[at, stamp] as const])));
      const read = readSnapshot(snapshotText({ states, stamps, ignored }));
      expect(read).toEqual({ states, stamps, ignored });
    }),
  );
});

test("a snapshot that is damaged, or leads elsewhere, is refused", () => {
  const link = { type: "link", target: "x" };
  const rows = (...all: unknown[]) => JSON.stringify({ format: 1, ignored: [], rows: all });
  const damaged = [
    "",
    "{",
    "null",
    JSON.stringify({ format: 2, ignored: [], rows: [] }),
    rows(["../out", link, null]),
    rows(["/etc/passwd", link, null]),
    rows(["a/../b", link, null]),
    rows([".", link, null]),
    rows(["a", { ...link, more: 1 }, null]),
    rows(["a", { type: "file", sha256: "x", mode: 0, size: 0 }, null]),
    rows(["a", { type: "file", sha256: sha256(""), mode: 0o10000, size: 0 }, null]),
  ];
  expect(readSnapshot(rows(["a", link, null])).states.size).toBe(1);
  for (const text of damaged) expect(() => readSnapshot(text)).toThrow(UserError);
});
