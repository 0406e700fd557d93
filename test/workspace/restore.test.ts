import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { dirname, join } from "node:path";
import { Worker } from "node:worker_threads";
import * as fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { openBlobs } from "../../src/store/blobs.ts";
import { planOf } from "../../src/workspace/restore.ts";
import { compare } from "../../src/workspace/snapshot.ts";
import type { FileState, Touched } from "../../src/workspace/file_states.ts";
import { openWorkspace } from "../../src/workspace/workspace.ts";
import { sha256 } from "../../src/util/hash.ts";
import { child, ended, smallDisk, wholeOutput } from "../store/children.ts";
import { cleanUp, folderWith } from "../support/folders.ts";

afterEach(cleanUp);

const isRoot = process.geteuid?.() === 0;

/** A workspace, what happened to it since, and the way back. */
function rewinding(folder: string) {
  const workspace = openWorkspace(folder, { env: process.env, hide: [] });
  const blobsFolder = join(folderWith({}), "blobs");
  const blobs = openBlobs(blobsFolder);
  const touched: Touched[] = [];
  return {
    workspace,
    blobs,
    blobsFolder,
    touched,
    /** Notes what `work` does to the files. */
    async during(work: () => void) {
      const before = await workspace.snapshot(blobs.putBytes);
      work();
      touched.push(...compare(before, await workspace.snapshot(blobs.putBytes, before)));
    },
    back: () => workspace.restore(touched, blobs.getBytes),
  };
}

function shell(folder: string, script: string): void {
  const ran = spawnSync("sh", ["-c", script], { cwd: folder, encoding: "utf8" });
  if (ran.status !== 0) throw new Error(ran.stderr);
}

/** Everything in a folder to the last byte, mode bit and link; git's own folder too where it is asked for. */
function treeOf(folder: string, withGit = false, below = ""): Record<string, string> {
  const found = fs.readdirSync(join(folder, below), { withFileTypes: true }).flatMap((entry) => {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    const full = join(folder, path);
    if (entry.name === ".git" && !withGit) return [];
    if (entry.isDirectory()) return Object.entries(treeOf(folder, withGit, path));
    if (entry.isSymbolicLink()) return [[path, `-> ${fs.readlinkSync(full)}`] as const];
    const mode = (fs.lstatSync(full).mode & 0o7777).toString(8);
    return [[path, entry.isFile() ? `${mode} ${fs.readFileSync(full).toString("base64")}` : "special"] as const];
  });
  return Object.fromEntries(found);
}

const segment = fc.constantFrom("a", "ü 日本", "new\nline", "-dash", `it's "$(x)"`, "\\back");
const anyPath = fc.array(segment, { minLength: 1, maxLength: 2 }).map((names) => names.join("/"));
const anyMode = fc.constantFrom(0o644, 0o755, 0o600, 0o444);
const content = fc.oneof(fc.constant(new Uint8Array()), fc.uint8Array({ maxLength: 40 }), fc.string().map(Buffer.from));
const change = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant("write" as const), path: anyPath, bytes: content, mode: anyMode }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("delete" as const), path: anyPath }) },
  fc.record({ type: fc.constant("mode" as const), path: anyPath, mode: anyMode }),
  fc.record({
    type: fc.constant("link" as const),
    path: anyPath,
    target: fc.constantFrom("a", "..", "/nowhere", "a/-dash"),
  }),
  fc.record({ type: fc.constant("move" as const), path: anyPath, to: anyPath }),
);
type Change = typeof change extends fc.Arbitrary<infer One> ? One : never;
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** One line for a shell; what cannot be done (a file in a file) is left undone. */
function lineOf(one: Change): string {
  const path = quoted(`./${one.path}`);
  const way = quoted(`./${dirname(one.path)}`);
  const place = `mkdir -p ${way} && [ "$(realpath ${way})" = "$(realpath .)"/${quoted(dirname(one.path)).replace("'.'", ".")} ]`;
  const inside = dirname(one.path) === "." ? "true" : place;
  switch (one.type) {
    case "write": {
      const octal = Array.from(one.bytes, (byte) => `\\0${byte.toString(8).padStart(3, "0")}`).join("");
      return `${inside} && rm -rf ${path} && printf '%b' '${octal}' > ${path} && chmod ${one.mode.toString(8)} ${path}`;
    }
    case "delete":
      return `${inside} && rm -rf ${path}`;
    case "mode":
      return `${inside} && [ -f ${path} ] && [ ! -L ${path} ] && chmod ${one.mode.toString(8)} ${path}`;
    case "link":
      return `${inside} && rm -rf ${path} && ln -s ${quoted(one.target)} ${path}`;
    case "move":
      return `${inside} && mv -T ${path} ${quoted(`./${one.to}`)}`;
  }
}

function applyAll(folder: string, changes: readonly Change[]): void {
  const script = changes.map((one) => `{ ${lineOf(one)}; } 2>/dev/null`).join("\n");
  shell(folder, `${script}\ntrue`);
}

test("whatever happened to whatever tree, in steps, restoring brings back every byte, mode bit and link, and git sees nothing", async () => {
  const changes = fc.array(change, { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 15 }), changes, changes, async (start, first, second) => {
      const folder = folderWith({});
      applyAll(folder, start);
      shell(folder, "git init -q . && git add -A && git -c user.name=x -c user.email=x@x commit -qm x --allow-empty");
      applyAll(folder, start.slice(0, 3).toReversed());
      const git = () => spawnSync("git", ["--no-optional-locks", "status", "--porcelain", "-z"], { cwd: folder });
      const [before, status] = [treeOf(folder, true), git().stdout.toString()];
      const rewind = rewinding(folder);
      await rewind.during(() => applyAll(folder, first));
      await rewind.during(() => applyAll(folder, second));
      expect(rewind.back()).toMatchObject({ type: "restored", not_kept: [] });
      expect(treeOf(folder, true)).toEqual(before);
      expect(git().stdout.toString()).toBe(status);
      expect(rewind.back()).toEqual({ type: "restored", paths: [], not_kept: [] });
    }),
    { numRuns: 12 },
  );
});

test("where the user changed one of the files meanwhile, that one is named and nothing at all is touched", async () => {
  const changes = fc.array(change, { minLength: 2, maxLength: 8 });
  let conflicts = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 10 }), changes, fc.nat(), async (start, done, which) => {
      const folder = folderWith({});
      applyAll(folder, start);
      const rewind = rewinding(folder);
      await rewind.during(() => applyAll(folder, done));
      const { path } = rewind.touched[which % Math.max(1, rewind.touched.length)] ?? { path: undefined };
      if (path === undefined) return;
      applyAll(folder, [{ type: "write", path, bytes: Buffer.from("the user's"), mode: 0o644 }]);
      if (rewind.workspace.stateOf(path)?.type !== "file") return;
      conflicts += 1;
      const before = treeOf(folder);
      const restored = rewind.back();
      expect(restored).toMatchObject({ type: "conflict", done: [] });
      expect(restored.type === "conflict" && restored.paths).toContain(path);
      expect(treeOf(folder)).toEqual(before);
    }),
    { numRuns: 15 },
  );
  expect(conflicts).toBeGreaterThan(4);
});

test("a conflict says of each path what it is about", async () => {
  const folder = folderWith({ edited: "1", gone: "1", moded: "1", "into/folder": "1", behind: "1", "deep/file": "1" });
  const rewind = rewinding(folder);
  await rewind.during(() =>
    shell(folder, "for f in edited gone moded; do echo 2 >> $f; done; rm -r into behind deep; echo n > new"),
  );
  shell(
    folder,
    "echo 3 >> edited; rm gone; chmod 600 moded; echo 3 > into; mkdir behind; echo 3 > behind/mine; mkfifo new2; rm new; mkfifo new; ln -s behind deep",
  );
  const before = treeOf(folder);
  expect(rewind.back()).toEqual({
    type: "conflict",
    paths: ["behind", "deep/file", "edited", "gone", "into/folder", "moded", "new"],
    text:
      '"behind" is a folder now, with "behind/mine" in it, "deep/file" lies in "deep", no folder now, ' +
      '"edited" was changed meanwhile, "gone" is gone, "into/folder" lies in "into", no folder now, ' +
      '"moded" was changed meanwhile, "new" is a named pipe now. Nothing was touched.',
    done: [],
  });
  expect(treeOf(folder)).toEqual(before);
});

test.each([
  ["a file that became a folder", { a: "file" }, "rm a; mkdir -p a/b; echo x > a/b/c"],
  ["a folder that became a file", { "a/b/c": "file", "a/d": "file" }, "rm -r a; echo x > a"],
  ["a folder that became a link", { "a/b": "file", "c/b": "file" }, "rm -r a; ln -s c a"],
  ["a file that became a link, and a link that became a file", { a: "file", b: "file" }, "ln -sf b a"],
  ["a file with only empty folders in its place", { a: "file" }, "rm a; mkdir -p a/b/c"],
])("%s is one again", async (_, files, script) => {
  const folder = folderWith(files);
  const before = treeOf(folder);
  const rewind = rewinding(folder);
  await rewind.during(() => shell(folder, script));
  const after = treeOf(folder);
  expect(after).not.toEqual(before);
  expect(rewind.back().type).toBe("restored");
  expect(treeOf(folder)).toEqual(before);
  const forth = rewind.touched.map(({ path, before: was, after: is }) => ({ path, before: is, after: was }));
  expect(rewind.workspace.restore(forth, rewind.blobs.getBytes).type).toBe("restored");
  expect(treeOf(folder)).toEqual(after);
});

test("folders that only held what was new go, and no others", async () => {
  const folder = folderWith({ "kept/a": "a" });
  fs.mkdirSync(join(folder, "mine"));
  const rewind = rewinding(folder);
  await rewind.during(() =>
    shell(folder, "mkdir -p x/y/z kept/new; echo 1 > x/y/z/f; echo 1 > x/g; echo 1 > kept/new/f"),
  );
  fs.mkdirSync(join(folder, "x/mine"));
  expect(rewind.back()).toEqual({ type: "restored", paths: ["kept/new/f", "x/g", "x/y/z/f"], not_kept: [] });
  expect(fs.readdirSync(folder, { recursive: true, encoding: "utf8" }).sort()).toEqual([
    "kept",
    "kept/a",
    "mine",
    "x",
    "x/mine",
  ]);
});

test("a restoring that was killed in the middle is finished by the same again", async () => {
  const names = ["a", "b", "c", "d", "sub/e", "sub/f"];
  const sizes: number[] = [];
  // Each of the six contents is asked for twice: when all is checked, and when it is written.
  for (const killedAt of [1, 8, 10, 12]) {
    const folder = folderWith(Object.fromEntries(names.map((name) => [name, `content of ${name}`])));
    const before = treeOf(folder);
    const rewind = rewinding(folder);
    await rewind.during(() =>
      shell(folder, "rm -r sub b; echo x >> a; ln -sf a c; chmod 777 d; echo x >> d; mkdir b; echo n > b/new"),
    );
    const code = `
      const calls = { left: ${killedAt} };
      const { touched, root, blobs } = ${JSON.stringify({ touched: rewind.touched, root: folder, blobs: rewind.blobsFolder })};
      const kept = ours.openBlobs(blobs);
      ours.openWorkspace(root, { env: process.env, hide: [] }).restore(touched, (hash) => {
        if (--calls.left === 0) process.kill(process.pid, "SIGKILL");
        return kept.getBytes(hash);
      });`;
    await ended(child(["workspace/workspace.ts", "store/blobs.ts"], code));
    sizes.push(Object.entries(treeOf(folder)).filter(([path, what]) => before[path] === what).length);
    expect(rewind.back().type).toBe("restored");
    expect(treeOf(folder)).toEqual(before);
  }
  // It was killed before anything, at places in between, and not at all.
  expect([sizes[0], new Set(sizes).size > 2]).toEqual([0, true]);
});

test("a full disk leaves the file at hand whole, says what is done, and lets the rest be tried again", async (context) => {
  const disk = smallDisk(256 * 1024);
  if (!disk) return context.skip("Only root may mount a disk to fill.");
  try {
    const folder = fs.realpathSync(disk.path);
    for (const name of ["a", "b", "c"]) fs.writeFileSync(join(folder, name), name.repeat(60_000));
    const before = treeOf(folder);
    const rewind = rewinding(folder);
    await rewind.during(() => shell(folder, "for f in a b c; do echo small > $f; done"));
    fs.writeFileSync(join(folder, ".git"), "x".repeat(150_000));
    const failed = rewind.back();
    expect(failed).toEqual({ type: "failed", code: "ENOSPC", text: '"b" was not restored (ENOSPC).', done: ["a"] });
    expect(fs.readFileSync(join(folder, "b"), "utf8")).toBe("small\n");
    expect(fs.readdirSync(folder).sort()).toEqual([".git", "a", "b", "c"]);
    fs.rmSync(join(folder, ".git"));
    expect(rewind.back()).toEqual({ type: "restored", paths: ["b", "c"], not_kept: [] });
    expect(treeOf(folder)).toEqual(before);
  } finally {
    disk.remove();
  }
});

test("what was not kept is not brought back, and that is said", async () => {
  const folder = folderWith({ "big.bin": "", a: "a" });
  fs.truncateSync(join(folder, "big.bin"), 50_000_001);
  const rewind = rewinding(folder);
  await rewind.during(() => shell(folder, "echo small > big.bin; echo b > a"));
  expect(rewind.back()).toEqual({ type: "restored", paths: ["a"], not_kept: ["big.bin"] });
  expect(fs.readFileSync(join(folder, "big.bin"), "utf8")).toBe("small\n");
});

test("a content that is missing among the kept is found out before anything is touched", async () => {
  const folder = folderWith({ a: "one", b: "two" });
  const rewind = rewinding(folder);
  await rewind.during(() => shell(folder, "echo 1 > a; echo 2 > b"));
  fs.rmSync(join(rewind.blobsFolder, sha256("two")));
  const before = treeOf(folder);
  expect(rewind.back).toThrow("A file that this chain kept is missing");
  expect(treeOf(folder)).toEqual(before);
});

test("git, secrets, our own folders and what lies outside are never restored to", () => {
  const folder = folderWith({ "ws/a": "a", "ws/home/x": "ours", out: "outside" });
  const workspace = openWorkspace(join(folder, "ws"), { env: process.env, hide: ["home"] });
  const told = [".git/hooks/x", "sub/.GIT/config", ".env", "a.pem", "home/x", "../out", "/etc/x", "."].map((path) =>
    workspace.restore([{ path, before: { type: "link", target: "/etc/passwd" }, after: null }], () => Buffer.from("")),
  );
  expect(told.map((one) => (one.type === "refused" ? one.text : one.type))).toEqual([
    '".git/hooks/x" belongs to git and is closed to writing.',
    '"sub/.GIT/config" belongs to git and is closed to writing.',
    '".env" may hold secrets and is closed to writing.',
    '"a.pem" may hold secrets and is closed to writing.',
    '"home/x" belongs to claude-exec and is closed to writing.',
    '"../out" leads out of the workspace.',
    '"/etc/x" is absolute: paths are relative to the workspace.',
    '"." is the workspace itself.',
  ]);
  expect(treeOf(folder)).toEqual({
    "ws/a": treeOf(join(folder, "ws"))["a"],
    "ws/home/x": expect.any(String),
    out: expect.any(String),
  });
});

test("links swapped in while files are restored and deleted never lead out", async () => {
  const outer = folderWith({
    "ws/dir/sub/a": "inside",
    "out/a": "outside",
    "out/sub/a": "outside",
    "out/sub/b": "outside",
  });
  const ws = join(outer, "ws");
  fs.symlinkSync("../out", join(ws, "dir-link"));
  fs.mkdirSync(join(outer, "out/empty"));
  const stop = new Int32Array(new SharedArrayBuffer(8));
  const swapper = new Worker(
    `const fs = require("node:fs"); const { stop, ws } = require("node:worker_threads").workerData;
     const at = (name) => ws + "/" + name;
     let made = 0;
     const aside = () => { try { fs.renameSync(at("dir"), at("made" + (made += 1))); } catch {} };
     const back = () => { for (;;) try { return fs.renameSync(at("dir.kept"), at("dir")); } catch { aside(); } };
     while (Atomics.load(stop, 0) === 0) {
       try { fs.renameSync(at("dir"), at("dir.kept")); } catch { continue; }
       try { fs.renameSync(at("dir-link"), at("dir")); fs.renameSync(at("dir"), at("dir-link")); } catch {}
       back();
       Atomics.add(stop, 1, 1);
       for (const until = performance.now() + Math.random() / 3; performance.now() < until; );
     }`,
    { eval: true, workerData: { stop, ws } },
  );
  const failed = new Promise((_, reject) => swapper.once("error", reject));
  failed.catch(() => undefined);
  while (Atomics.load(stop, 1) === 0) await new Promise((resolve) => setImmediate(resolve));
  const workspace = openWorkspace(ws, { env: process.env, hide: [] });
  const inside: FileState = { type: "file", sha256: sha256("inside"), mode: 0o644, size: 6 };
  const seen: Record<string, number> = {};
  const enough = () => Number(seen["delete restored"]) >= 120 && Number(seen["write restored"]) >= 120;
  for (let round = 0; round < 60_000 && !enough(); round += 1) {
    const path = ["dir/sub/a", "dir/sub/b", "dir/a", "dir/empty/x"][round % 4] ?? "";
    const was = workspace.stateOf(path);
    if (was?.type === "refused") continue;
    const { type } = workspace.restore([{ path, before: was ? null : inside, after: was }], () =>
      Buffer.from("inside"),
    );
    const what = `${was ? "delete" : "write"} ${type}`;
    seen[what] = (seen[what] ?? 0) + 1;
  }
  Atomics.store(stop, 0, 1);
  await Promise.race([new Promise((resolve) => swapper.once("exit", resolve)), failed]);
  expect(enough()).toBe(true);
  const outside = `644 ${Buffer.from("outside").toString("base64")}`;
  expect(treeOf(join(outer, "out"))).toEqual({ a: outside, "sub/a": outside, "sub/b": outside });
  expect(fs.readdirSync(join(outer, "out")).sort()).toEqual(["a", "empty", "sub"]);
});

test("the way back of several steps leads from the last to the first, and leaves out what came to nothing", () => {
  const link = (target: string): FileState => ({ type: "link", target });
  const step = (path: string, before: FileState | null, after: FileState | null): Touched => ({ path, before, after });
  expect(
    planOf([
      step("a", link("1"), link("2")),
      step("b", null, link("1")),
      step("a", link("user"), null),
      step("b", link("1"), null),
      step("c", null, link("1")),
    ]),
  ).toEqual([
    { path: "a", to: link("1"), expected: [null] },
    { path: "c", to: null, expected: [link("1")] },
  ]);
});

test("an ordinary user gets everything back too, and what may not be written is told by its code", async (context) => {
  const outer = folderWith({ "ws/a": "a", "ws/sub/b": "b", "ws/shut/c": "c" });
  const beside = folderWith({});
  for (const folder of [outer, beside]) fs.chmodSync(folder, 0o755);
  if (isRoot) for (const folder of [outer, beside]) shell(folder, "chown -R 65534:65534 .");
  const code = `
    const { root, kept } = ${JSON.stringify({ root: join(outer, "ws"), kept: join(beside, "blobs") })};
    const fs = await import("node:fs"); const { execFileSync } = await import("node:child_process");
    const workspace = ours.openWorkspace(root, { env: process.env, hide: [] }); const blobs = ours.openBlobs(kept);
    const before = await workspace.snapshot(blobs.putBytes);
    execFileSync("sh", ["-c", "echo x >> a; chmod 000 a; rm sub/b; echo n > sub/new; ln -s a link; echo x > shut/c; chmod 555 shut"], { cwd: root });
    const touched = ours.compare(before, await workspace.snapshot(blobs.putBytes, before));
    const first = workspace.restore(touched, blobs.getBytes);
    fs.chmodSync(root + "/shut", 0o755);
    console.log(JSON.stringify([process.geteuid(), first, workspace.restore(touched, blobs.getBytes)]));`;
  const who = isRoot ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
  if (isRoot && spawnSync("setpriv", [...who.slice(1), process.execPath, "src/util/hash.ts"]).status !== 0)
    return context.skip("Nobody may read this checkout, or there is no setpriv.");
  const before = treeOf(join(outer, "ws"));
  const files = ["workspace/workspace.ts", "workspace/snapshot.ts", "store/blobs.ts"];
  const told = JSON.parse(await wholeOutput(child(files, code, ...who))) as unknown[];
  expect(told).toEqual([
    isRoot ? 65_534 : process.geteuid?.(),
    {
      type: "failed",
      code: "EACCES",
      text: '"shut/c" was not restored (EACCES).',
      done: ["link", "sub/new", "a"],
    },
    { type: "restored", paths: ["shut/c", "sub/b"], not_kept: [] },
  ]);
  expect(treeOf(join(outer, "ws"))).toEqual(before);
});
