import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import { findLines } from "../../src/tools/search.ts";
import { openWorkspace } from "../../src/workspace/workspace.ts";
import { cleanUp, folderWith } from "../support/folders.ts";

afterEach(() => {
  vi.unstubAllEnvs();
  cleanUp();
});

const has = (program: string) => spawnSync(program, ["--version"]).status === 0;
const hasBoth = has("rg") && has("git");
const { signal } = new AbortController();

interface Asked {
  readonly pattern: string;
  readonly path?: string;
  readonly glob?: string | undefined;
  readonly limit?: number;
}

/** Places as "path:line", and how many files there were; with ripgrep on the PATH or without. */
async function places(folder: string, asked: Asked, ...programs: string[]): Promise<{ files: number; at: string[] }> {
  const bin = folderWith({});
  for (const program of programs) {
    const real = spawnSync("sh", ["-c", `command -v ${program}`])
      .stdout.toString()
      .trim();
    fs.symlinkSync(real, join(bin, program));
  }
  vi.stubEnv("PATH", bin);
  const { pattern, path = ".", glob, limit = 1000 } = asked;
  const workspace = openWorkspace(folder, { env: process.env, hide: ["home"] });
  const found = await findLines(workspace, { path, glob }, pattern, limit, signal);
  vi.unstubAllEnvs();
  if (found.type === "refused") throw new Error(found.text);
  const at = found.inFiles.flatMap(({ path: file, hits }) => hits.map((line) => `${file}:${line}`));
  return { files: found.files, at };
}

async function both(folder: string, asked: Asked): Promise<{ files: number; at: string[] }> {
  const ours = await places(folder, asked, "git");
  expect(await places(folder, asked, "git", "rg")).toEqual(ours);
  return ours;
}

function repository(files: Record<string, string | Uint8Array>): string {
  const folder = folderWith(files);
  spawnSync("git", ["init", "-q"], { cwd: folder });
  return folder;
}

const needsBoth = "(needs rg and git on the PATH)";

test.skipIf(!hasBoth)(`with ripgrep and without, the same lines are found in any tree ${needsBoth}`, async () => {
  const segment = fc.constantFrom("a", "b", "c.ts", ".dot", "node_modules", "home", ".env", "ü", "-e", "x.pem", "*");
  const path = fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));
  const content = fc.constantFrom(
    "needle\n",
    "one\r\nneedle two\r\n",
    "no\n",
    "größe needle\n",
    "\uFEFFneedle",
    "needle\0",
    "x\0\nneedle\n",
    Buffer.from([0xff, ...Buffer.from("needle\n")]),
    Buffer.from("\uFEFFneedle\n", "utf16le"),
  );
  const ignores = fc.constantFrom("", "a\n", "*.ts\n", "/b/\n!b/c.ts\n", ".dot\n*\n!*/\n!c.ts\n");
  const asked = fc.record({
    pattern: fc.constantFrom(
      "needle",
      "^needle$",
      "n(e+)dle two$",
      "(?i)NEEDLE",
      "no|two",
      "[^\\w]two",
      "^",
      "n[a-e]{2}d?le",
      "\\bneedle\\b",
      "(?:one|n.*e)$",
      "needle(?! two)",
      "größe",
    ),
    path: fc.constantFrom(".", ".", "a", "a/b", "c.ts", "node_modules", "gone", ".env"),
    glob: fc.constantFrom(undefined, undefined, "*.ts", "a/**", "{c.ts,b}"),
    limit: fc.constantFrom(1, 3, 1000),
  });
  const files = fc.array(fc.tuple(path, content, fc.boolean()), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(files, ignores, asked, fc.boolean(), async (tree, ignored, what, inGit) => {
      const folder = folderWith({ ".gitignore": ignored });
      if (inGit) spawnSync("git", ["init", "-q"], { cwd: folder });
      for (const [name, text, tracked] of tree) {
        try {
          fs.mkdirSync(join(folder, name, ".."), { recursive: true });
          fs.writeFileSync(join(folder, name), text, { flag: "wx" });
        } catch (error) {
          if (!/EEXIST|ENOTDIR|EISDIR/.test(String((error as NodeJS.ErrnoException).code))) throw error;
        }
        if (inGit && tracked) spawnSync("git", ["add", "-f", "--", `./${name}`], { cwd: folder });
      }
      const ours = await places(folder, what, "git");
      expect(await places(folder, what, "git", "rg")).toEqual(ours);
    }),
    { numRuns: 60 },
  );
});

test.skipIf(!hasBoth)(`what ripgrep passes by and git does not is found all the same ${needsBoth}`, async () => {
  const files = { ".ignore": "a\n", ".rgignore": "b\n", ".gitignore": "ignored\n", a: "needle", b: "needle" };
  const folder = repository({ ...files, ignored: "needle", "sub/tracked.log": "needle", "sub/.gitignore": "*.log\n" });
  spawnSync("git", ["add", "-f", "sub/tracked.log"], { cwd: folder });
  for (const pattern of ["needle", "^need.e$"]) {
    expect((await both(folder, { pattern })).at).toEqual(["a:1", "b:1", "sub/tracked.log:1"]);
  }
});

test.skipIf(!hasBoth)(`what git does not list and ripgrep walks through is not found ${needsBoth}`, async () => {
  const folder = repository({
    "inner/x": "needle",
    "home/x": "needle",
    "a.pem": "needle",
    kept: "needle",
    "l\nf": "needle",
  });
  spawnSync("git", ["init", "-q"], { cwd: join(folder, "inner") });
  const outer = folderWith({ secret: "needle" });
  fs.symlinkSync(outer, join(folder, "out"));
  fs.symlinkSync(join(outer, "secret"), join(folder, "file"));
  for (const pattern of ["needle", "^need.e$"]) {
    expect(await both(folder, { pattern })).toEqual({ files: 2, at: ["kept:1"] });
    expect(await both(folder, { pattern, path: "out" })).toEqual({ files: 0, at: [] });
    expect(await both(folder, { pattern, path: "file" })).toEqual({ files: 0, at: [] });
  }
});

test.skipIf(!hasBoth)(`a pipe that took the place of a tracked file holds up no search ${needsBoth}`, async () => {
  const folder = repository({ pipe: "needle", kept: "needle", "large.txt": "needle\n".repeat(300_000) });
  spawnSync("git", ["add", "-A"], { cwd: folder });
  fs.rmSync(join(folder, "pipe"));
  spawnSync("mkfifo", [join(folder, "pipe")]);
  for (const pattern of ["needle", "^need.e$"]) expect((await both(folder, { pattern })).at).toEqual(["kept:1"]);
});

test.skipIf(!hasBoth)(`among many files that match, the first in order are told ${needsBoth}`, async () => {
  const names = Array.from({ length: 2000 }, (_, at) => `folder-with-a-long-name/file-${String(at).padStart(4, "0")}`);
  const folder = repository(Object.fromEntries(names.map((name, at) => [name, at % 2 ? "needle\nneedle\n" : "no\n"])));
  const first = names.filter((_, at) => at % 2).flatMap((name) => [`${name}:1`, `${name}:2`]);
  for (const pattern of ["needle", "^need.e$"]) {
    expect(await both(folder, { pattern, limit: 101 })).toEqual({ files: 2000, at: first.slice(0, 101) });
    expect((await both(folder, { pattern, limit: 5000 })).at).toEqual(first);
  }
});

test.skipIf(!hasBoth)(`what only ripgrep understands, or only we, is found by whoever does ${needsBoth}`, async () => {
  const folder = repository({ a: "needle word\n", größe: "größe\ngrosse\n" });
  expect((await places(folder, { pattern: "^gr\\w+e$" }, "git", "rg")).at).toEqual(["größe:1", "größe:2"]);
  expect((await both(folder, { pattern: "^(?:o+|n?)+eedle (?=w)" })).at).toEqual(["a:1"]);
  expect((await places(folder, { pattern: "[[:alpha:]]+ word" }, "git", "rg")).at).toEqual(["a:1"]);
  expect((await both(folder, { pattern: "(?<first>n)eedle \\k<first>?" })).at).toEqual(["a:1"]);
  expect((await both(folder, { pattern: "needle(?= word)" })).at).toEqual(["a:1"]);
});
