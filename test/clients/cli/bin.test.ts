import { spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { followed, userEnv, type Ran } from "../../support/cli.ts";
import { oldNode, oldVersion } from "../../support/old_node.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const folders: string[] = [];
afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function temporary(): string {
  const folder = temporaryFolder("claude-exec-bin-");
  folders.push(folder);
  return folder;
}

/** A copy of what is shipped to start with, and nothing else of this repository. */
function copy(files: Record<string, string> = {}): string {
  const folder = temporary();
  for (const name of ["bin", "package.json"]) cpSync(join(root, name), join(folder, name), { recursive: true });
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

function start(folder: string, argv: readonly string[], node = process.execPath, cwd = folder) {
  const user = temporaryFolder("claude-exec-user-");
  folders.push(user);
  const child = spawn(node, [join(folder, "bin", "claude-exec.js"), ...argv], {
    cwd,
    env: userEnv(user),
    stdio: ["ignore", "pipe", "pipe"],
  });
  return { child, ...followed(child, String) };
}

function run(...given: Parameters<typeof start>): Promise<Ran> {
  return start(...given).ended;
}

const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
const echo = "console.log(process.version, ...process.argv.slice(2)); process.exitCode = 10;\n";

const tooOld = `claude-exec needs Node 24.15 or later; this is ${oldVersion}. Install a newer Node, or type where claude-exec is installed: npm install node@24\n`;

test("--version prints the version, and needs nothing but package.json", async () => {
  const folder = copy({
    "dist/cli.js": "throw new Error('loaded');",
    "src/clients/cli/main.ts": "throw new Error('loaded');",
  });
  for (const flag of ["--version", "-v", "-V"]) {
    expect(await run(folder, [flag])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  }
});

test.skipIf(!oldNode)("an old Node too prints the version", async () => {
  expect(await run(copy(), ["--version"], oldNode)).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
});

test.skipIf(!oldNode)("an old Node says in one line what is needed", async () => {
  const folder = copy({ "dist/cli.js": echo });
  expect(await run(folder, ["status"], oldNode)).toEqual({ code: 78, stdout: "", stderr: tooOld });
});

/** Where a newer Node may be installed together with the program, which is always the first folder. */
const installations = {
  "below the program": ["claude-exec", "claude-exec/node_modules"],
  "beside the program": ["lib/node_modules/claude-exec", "lib/node_modules"],
  "above the store of a package manager": ["p/node_modules/.store/c/node_modules/claude-exec", "p/node_modules"],
} as const;

test.skipIf(!oldNode).for(Object.entries(installations))(
  "an old Node goes on with the newer Node that is installed %s, also through a link",
  async ([, [program, modules]]) => {
    const folder = temporary();
    cpSync(copy({ "dist/cli.js": echo }), join(folder, program), { recursive: true });
    installNode(join(folder, modules), process.execPath);
    symlinkSync(join(folder, program, "bin", "claude-exec.js"), join(folder, "linked.js"));
    const expected = { code: 10, stdout: `${process.version} status a b\n`, stderr: "" };
    expect(await run(join(folder, program), ["status", "a b"], oldNode)).toEqual(expected);
    const linked = spawnSync(oldNode ?? "", [join(folder, "linked.js"), "status", "a b"], { encoding: "utf8" });
    expect(linked).toMatchObject({ status: 10, stdout: expected.stdout, stderr: "" });
  },
);

test.skipIf(!oldNode)("a Node in the current folder, or above the program, is never started", async () => {
  const folder = copy({ "dist/cli.js": echo });
  const project = temporary();
  installNode(join(project, "node_modules"), process.execPath);
  expect(await run(folder, ["status"], oldNode, project)).toEqual({ code: 78, stdout: "", stderr: tooOld });
  cpSync(folder, join(project, "tools", "claude-exec"), { recursive: true });
  const below = join(project, "tools", "claude-exec");
  expect(await run(below, ["status"], oldNode, project)).toEqual({ code: 78, stdout: "", stderr: tooOld });
});

test.skipIf(!oldNode)("an installed Node that is old as well ends it, not in circles", async () => {
  const folder = copy({ "dist/cli.js": echo });
  installNode(join(folder, "node_modules"), oldNode ?? "");
  expect(await run(folder, ["status"], oldNode)).toEqual({ code: 78, stdout: "", stderr: tooOld });
});

test.skipIf(!oldNode)("an installed Node that cannot be started is named", async () => {
  const folder = copy({ "dist/cli.js": echo });
  installNode(join(folder, "node_modules"), join(folder, "package.json"));
  const node = join(folder, "node_modules", "node", "bin", "node");
  const stderr = `claude-exec could not start ${node}: spawn ${node} EACCES\n`;
  expect(await run(folder, ["status"], oldNode)).toEqual({ code: 78, stdout: "", stderr });
});

test("a build that is as new as its sources is run, and so is one that was shipped without sources", async () => {
  const built = { code: 10, stdout: `${process.version} status\n`, stderr: "" };
  expect(await run(copy({ "dist/cli.js": echo }), ["status"])).toEqual(built);
  const folder = copy({ "dist/cli.js": echo, "src/clients/cli/main.ts": "console.log('sources');\n" });
  touch(folder, "src/clients/cli/main.ts", -60);
  expect(await run(folder, ["status"])).toEqual(built);
});

test("a build older than any of its sources is not run, and that is said", async () => {
  const folder = copy({
    "dist/cli.js": echo,
    "src/clients/cli/main.ts": "console.log('sources' as string);\n",
    "src/util/deep.ts": "",
  });
  touch(folder, "src/clients/cli/main.ts", -60);
  touch(folder, "src/util/deep.ts", 60);
  expect(await run(folder, ["status"])).toEqual({
    code: 0,
    stdout: "sources\n",
    stderr: "claude-exec: the build is older than its sources; running the sources. Build with: npm run prepare\n",
  });
});

test("without a build the sources themselves run, and that is said", async () => {
  const folder = copy();
  for (const name of ["src", "prompts"]) cpSync(join(root, name), join(folder, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  const ran = await run(folder, ["prompts", "list", "--json"]);
  expect(ran).toMatchObject({
    code: 0,
    stderr: "claude-exec: nothing is built yet; running the sources. Build with: npm run prepare\n",
  });
  expect(JSON.parse(ran.stdout)).toMatchObject({ schema_version: 2, problems: [] });
});

function installNode(modules: string, node: string): void {
  mkdirSync(join(modules, "node", "bin"), { recursive: true });
  symlinkSync(node, join(modules, "node", "bin", "node"));
  mkdirSync(join(modules, ".bin"), { recursive: true });
  symlinkSync(node, join(modules, ".bin", "node"));
}

function touch(folder: string, path: string, seconds: number): void {
  const time = Date.now() / 1000 + seconds;
  utimesSync(join(folder, path), time, time);
}

test.each([
  ["an empty HOME", { HOME: "" }],
  ["a relative HOME", { HOME: "somewhere" }],
  ["a relative cache folder", { HOME: "", XDG_CACHE_HOME: "somewhere" }],
])("with %s nothing is cached, or run from a cache, where one happens to stand", (_, env) => {
  const folder = copy({ "dist/cli.js": 'console.log("started");\n' });
  const cwd = temporaryFolder("claude-exec-cwd-");
  folders.push(cwd);
  const ran = spawnSync(process.execPath, [join(folder, "bin", "claude-exec.js"), "--help"], {
    cwd,
    env: { PATH: process.env["PATH"], ...env },
    encoding: "utf8",
  });
  expect(ran).toMatchObject({ status: 0, stdout: "started\n" });
  expect(readdirSync(cwd)).toEqual([]);
});
