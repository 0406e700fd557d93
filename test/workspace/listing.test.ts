import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import { listNames } from "../../src/workspace/listing.ts";
import { cleanUp, folderWith } from "../support/folders.ts";

afterEach(() => {
  vi.unstubAllEnvs();
  cleanUp();
});

const has = (program: string) => spawnSync(program, ["--version"]).status === 0;
const nothing = () => false;

/** Looked up once: a busy machine may refuse to start one more program. */
const places = new Map(
  ["git", "rg"].map((program) => [
    program,
    execFileSync("sh", ["-c", `command -v ${program} || true`], { encoding: "utf8" }).trim(),
  ]),
);

/** Only these programs are there to be found. */
function withOnly(...programs: string[]): void {
  const folder = folderWith({});
  for (const program of programs) fs.symlinkSync(places.get(program)!, join(folder, program));
  vi.stubEnv("PATH", folder);
}

async function namesWith(folder: string, ...programs: string[]): Promise<string[]> {
  withOnly(...programs);
  const names = await listNames({ root: folder, env: process.env }, nothing);
  vi.unstubAllEnvs();
  return names;
}

const segment = fc.constantFrom("a", "b", "c.ts", ".dot", ".gitignore", ".git", "node_modules", "ü ö", "-x", "*", "B");
const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
const kind = fc.constantFrom("file", "file", "file", "link", "folder-link", "pipe");
const trees = fc.array(fc.tuple(path, kind, fc.constantFrom("", "a\n", "*.ts\n!c.ts\n", "/b/\n", "b\n.dot\n")), {
  maxLength: 25,
});

/** What cannot be made, as a file where a folder is already, is left out. */
function make(folder: string, tree: readonly (readonly [string, string, string])[]): void {
  for (const [name, what, content] of tree) {
    const full = join(folder, name);
    if (name.startsWith(".git/") || name === ".git") continue;
    try {
      fs.mkdirSync(join(full, ".."), { recursive: true });
      if (what === "file") fs.writeFileSync(full, content, { flag: "wx" });
      if (what === "link") fs.symlinkSync("a", full);
      if (what === "folder-link") fs.symlinkSync(".", full);
      // A pipe where the rules for ignoring are looked for would hold up git for ever.
      if (what === "pipe" && !name.endsWith(".gitignore")) spawnSync("mkfifo", [full]);
    } catch (error) {
      if (!/EEXIST|ENOTDIR|ELOOP|EISDIR|ENOENT/.test(String((error as NodeJS.ErrnoException).code))) throw error;
    }
  }
}

function plainFilesOf(folder: string, below = ""): string[] {
  return fs.readdirSync(join(folder, below), { withFileTypes: true }).flatMap((entry) => {
    const name = join(below, entry.name);
    return entry.isDirectory() ? plainFilesOf(folder, name) : entry.isFile() ? [name] : [];
  });
}

test.skipIf(!has("rg"))("with ripgrep and without, all plain files are listed (needs rg on the PATH)", async () => {
  await fc.assert(
    fc.asyncProperty(trees, async (tree) => {
      const folder = folderWith({});
      make(folder, tree);
      const expected = plainFilesOf(folder).filter((name) => !/(?:^|\/)(?:\.git|node_modules)(?:\/|$)/.test(name));
      expect(await namesWith(folder)).toEqual(expected.sort());
      expect(await namesWith(folder, "rg")).toEqual(expected);
    }),
    { numRuns: 40 },
  );
});

test.skipIf(!has("git"))("in a work tree just what git sees and is a plain file is listed (needs git)", async () => {
  await fc.assert(
    fc.asyncProperty(trees, trees, async (committed, later) => {
      const folder = folderWith({ kept: "" });
      make(folder, committed);
      spawnSync("git", ["init", "-q"], { cwd: folder });
      spawnSync("git", ["add", "-A", "-f"], { cwd: folder });
      make(folder, later);
      const seen = spawnSync("git", ["ls-files", "-co", "--exclude-standard", "-z"], { cwd: folder }).stdout.toString();
      const plain = seen.split("\0").filter((name) => fs.lstatSync(join(folder, name)).isFile());
      const expected = plain.filter((name) => !/(?:^|\/)(?:\.git|node_modules)(?:\/|$)/.test(name)).sort();
      expect(await namesWith(folder, "git")).toEqual([...new Set(expected)]);
    }),
    { numRuns: 30 },
  );
});

test.skipIf(!has("git"))(
  "what took the place of a tracked file since is not listed as a file (needs git)",
  async () => {
    const folder = folderWith({ "a/link": "", "a/pipe": "", "a/gone": "", "a/folder": "", "a/kept": "", "b/x": "" });
    spawnSync("git", ["init", "-q"], { cwd: folder });
    spawnSync("git", ["add", "-A"], { cwd: folder });
    for (const name of ["link", "pipe", "gone", "folder"]) fs.rmSync(join(folder, "a", name));
    fs.symlinkSync("/etc/passwd", join(folder, "a/link"));
    spawnSync("mkfifo", [join(folder, "a/pipe")]);
    fs.mkdirSync(join(folder, "a/folder"));
    fs.rmSync(join(folder, "b"), { recursive: true });
    expect(await listNames({ root: folder, env: process.env }, nothing)).toEqual(["a/kept"]);
  },
);

test.skipIf(!has("git"))(
  "files in conflict are named once, and those of a repository inside not at all (needs git)",
  async () => {
    const folder = folderWith({ "a.txt": "x", "inner/b.txt": "" });
    const blob = "ce013625030ba8dba906f756967f9e9ca394464a";
    spawnSync("git", ["init", "-q"], { cwd: folder });
    spawnSync("git", ["init", "-q"], { cwd: join(folder, "inner") });
    const input = [1, 2, 3].map((stage) => `100644 ${blob} ${stage}\ta.txt\n`).join("");
    spawnSync("git", ["update-index", "--index-info"], { cwd: folder, input });
    expect(await listNames({ root: folder, env: process.env }, nothing)).toEqual(["a.txt"]);
  },
);

test.skipIf(!has("rg") || !has("git"))(
  "odd names are not listed: with a line break, or no UTF-8 (needs rg and git)",
  async () => {
    const folder = folderWith({ "a\nb": "", fine: "" });
    fs.writeFileSync(Buffer.from([...Buffer.from(`${folder}/odd`), 0xff]), "");
    expect(await namesWith(folder)).toEqual(["fine"]);
    expect(await namesWith(folder, "rg")).toEqual(["fine"]);
    spawnSync("git", ["init", "-q"], { cwd: folder });
    expect(await namesWith(folder, "git")).toEqual(["fine"]);
  },
);

test.skipIf(!has("git"))("what lies behind a link is not listed, though git tracks it (needs git)", async () => {
  const outer = folderWith({ "ws/dir/a": "", "ws/b": "", "out/a": "" });
  const folder = join(outer, "ws");
  spawnSync("sh", ["-c", "git init -q && git add ."], { cwd: folder });
  fs.rmSync(join(folder, "dir"), { recursive: true });
  fs.symlinkSync("../out", join(folder, "dir"));
  expect(await namesWith(folder, "git")).toEqual(["b"]);
});

test("what is hidden is not listed", async () => {
  const folder = folderWith({ "a/x": "", "b/x": "" });
  expect(await listNames({ root: folder, env: process.env }, (name) => name.startsWith("a/"))).toEqual(["b/x"]);
});
