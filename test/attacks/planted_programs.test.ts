import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openSandbox } from "../../src/programs/sandbox/sandbox.ts";
import { gitLogTool } from "../../src/tools/git.ts";
import { findLines } from "../../src/tools/search.ts";
import { openWorkspace } from "../../src/workspace/workspace.ts";
import { realWorld } from "../../src/util/world.ts";
import { placeWith, type Place } from "../support/cli.ts";
import { cleanUp, folderWith } from "../support/folders.ts";
import { callerAt, operate } from "../support/inside.ts";
import { quickApp, task, tinyWay } from "../support/ways.ts";

afterAll(cleanUp);

const looked = ["bwrap", "git", "rg", "which"];
const pathTo = (name: string) => spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).stdout.trim();
const missing = looked.filter((name) => pathTo(name) === "");
const needsAll = missing.length === 0 ? "" : ` (skipped: there is no ${missing.join(", no ")})`;
const { signal } = new AbortController();

interface Project {
  readonly place: Place;
  /** As in a script of npm: the project's own programs come first, and then those that this user has installed. */
  readonly env: Record<string, string>;
  /** The programs that were run of those that lie in the project, and of those that the user has installed. */
  ran(): { planted: string[]; installed: string[] };
}

/** A repository whose node_modules/.bin has programs of the names that we look up. Each one leaves a mark and does its work. */
function projectWith(files: Record<string, string>): Project {
  const place = placeWith({ ...files, ".gitignore": "node_modules\n.env\n" }, { sandbox: true });
  const planted = join(place.workspace, "node_modules/.bin");
  const installed = folderWith({});
  const marks = { planted: folderWith({}), installed: folderWith({}) };
  fs.mkdirSync(planted, { recursive: true });
  for (const [folder, mark, names] of [
    [planted, marks.planted, [...looked, "true", "sh", "stty", "node"]],
    [installed, marks.installed, looked],
  ] as const) {
    for (const name of names) {
      const script = `#!/bin/sh\n: > ${mark}/${name}\nexec ${pathTo(name)} "$@"\n`;
      fs.writeFileSync(join(folder, name), script, { mode: 0o755 });
    }
  }
  spawnSync("git", ["init", "--quiet"], { cwd: place.workspace });
  const env = { ...place.env, PATH: [planted, installed, place.env["PATH"]].join(":") };
  const ran = () => ({
    planted: fs.readdirSync(marks.planted).toSorted(),
    installed: fs.readdirSync(marks.installed).toSorted(),
  });
  return { place, env, ran };
}

/** Runs `work` in two projects at the same time, and gives what it left in each. The variables of this process stay as they are. */
async function inTwo(
  work: (project: Project) => Promise<unknown>,
  files: Record<string, string> = { "a.ts": "one\n" },
) {
  const before = { ...process.env };
  const projects = [projectWith(files), projectWith(files)];
  await Promise.all(projects.map(work));
  expect({ ...process.env }).toEqual(before);
  return projects.map(({ ran }) => ran());
}

test.skipIf(needsAll)(
  `a workspace is looked at with the programs of its own environment, never with its own programs${needsAll}`,
  async () => {
    const left = await inTwo(async ({ place, env }) => {
      const workspace = openWorkspace(place.workspace, { hide: [], env });
      expect(await workspace.list()).toEqual([".gitignore", "a.ts"]);
      await workspace.snapshot(async () => "");
      await findLines(workspace, { path: ".", glob: undefined }, "one", 10, signal);
      await gitLogTool.plan({}, { workspace, findPrompts: () => Promise.resolve("") }, signal);
    });
    const expected = { planted: [], installed: ["git", "rg"] };
    expect(left).toEqual([expected, expected]);
  },
);

test.skipIf(needsAll)(
  `a sandbox is made with the programs of its own environment, never with those of its workspace${needsAll}`,
  async () => {
    const left = await inTwo(async ({ place, env }) => {
      const sandbox = await openSandbox({ root: place.workspace, protect: [], conceal: [], world: realWorld(env) });
      sandbox.release(await sandbox.wrap(["true"]));
      await sandbox.close();
    });
    const expected = { planted: [], installed: ["bwrap", "which"] };
    expect(left).toEqual([expected, expected]);
  },
);

test.skipIf(needsAll)(`doctor runs no program of the folder${needsAll}`, async () => {
  const files = { "a.ts": "", ".claude-exec/.env": "ANTHROPIC_API_KEY=sk-secret\n" };
  const left = await inTwo(async ({ place, env }) => {
    await operate("trust", {}, callerAt(place.workspace, env));
    await operate("doctor", {}, callerAt(place.workspace, env));
  }, files);
  const expected = { planted: [], installed: ["bwrap", "git", "rg", "which"] };
  expect(left).toEqual([expected, expected]);
});

test.skipIf(needsAll)(
  `a chain runs no program of its folder, also where two are at work in one process${needsAll}`,
  async () => {
    const home = { "config.json": "{}", ".env": "ANTHROPIC_API_KEY=sk-secret\n" };
    const inHome = Object.fromEntries(Object.entries(home).map(([name, text]) => [`.claude-exec/${name}`, text]));
    const left = await inTwo(
      async ({ place, env }) => {
        const [, replay = ""] = place.replay(tinyWay).split("=");
        const input = { task, size: "tiny", trust: true, test_command: "sh check.sh", replay, approve_policy: "auto" };
        expect(await operate("new", input, callerAt(place.workspace, env))).toMatchObject({ exit: 0 });
        expect(await operate("status", {}, callerAt(place.workspace, env))).toMatchObject({ exit: 0 });
      },
      { ...quickApp, ...inHome },
    );
    const expected = { planted: [], installed: ["bwrap", "git", "which"] };
    expect(left).toEqual([expected, expected]);
  },
);
