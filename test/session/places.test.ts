import { existsSync, readdirSync, readFileSync, realpathSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  findHome,
  liesApart,
  makeHome,
  ownFolders,
  packageFolder,
  packageVersion,
  userFolders,
} from "../../src/session/places.ts";
import { placeWith } from "../support/cli.ts";
import { folderWith, wholeWay } from "../support/script.ts";
import { quickApp, quickTests, task } from "../support/ways.ts";

const ours = JSON.stringify({ $schema: "./claude-exec.schema.json" });
const nobody = { HOME: "/nowhere" };

function folder(files: Record<string, string>): string {
  return realpathSync(folderWith(files));
}

test("a home is found from any folder below its workspace", () => {
  const root = folder({ ".claude-exec/config.json": "{}", "src/deep/a.js": "" });
  const home = { path: join(root, ".claude-exec"), workspace: root, exists: true };
  expect(findHome(root, undefined, nobody)).toEqual(home);
  expect(findHome(join(root, "src", "deep"), undefined, nobody)).toEqual(home);
});

test("a folder whose config.json names our schema is a home itself", () => {
  const root = folder({ "config.json": ours, "src/a.js": "" });
  expect(findHome(join(root, "src"), undefined, nobody)).toEqual({ path: root, workspace: root, exists: true });
});

test.each([
  ["of another program", JSON.stringify({ $schema: "https://example.org/other.json" })],
  ["without a schema", "{}"],
  ["that is torn", '{"$schema": "./claude-exec.sch'],
])("a config.json %s makes no home", (_, config) => {
  const root = folder({ "config.json": config });
  expect(findHome(root, undefined, nobody)).toEqual({
    path: join(root, ".claude-exec"),
    workspace: root,
    exists: false,
  });
});

test("the search stops at the root of a git checkout, and a new home would stand there", () => {
  const above = folder({ ".claude-exec/config.json": "{}", "checkout/.git/HEAD": "", "checkout/src/a.js": "" });
  const checkout = join(above, "checkout");
  const home = { path: join(checkout, ".claude-exec"), workspace: checkout, exists: false };
  expect(findHome(checkout, undefined, nobody)).toEqual(home);
  expect(findHome(join(checkout, "src"), undefined, nobody)).toEqual(home);
});

test("the .git of a worktree, which is a file, counts as the root of a checkout", () => {
  const above = folder({ ".claude-exec/config.json": "{}", "tree/.git": "gitdir: elsewhere", "tree/src/a.js": "" });
  expect(findHome(join(above, "tree", "src"), undefined, nobody).workspace).toBe(join(above, "tree"));
});

test("the search stops below the user's own home folder, also where that is reached by a link", () => {
  const user = folder({ ".claude-exec/config.json": "{}", "project/src/a.js": "" });
  const link = join(folder({}), "user");
  symlinkSync(user, link);
  const project = join(user, "project");
  const home = { path: join(project, ".claude-exec"), workspace: project, exists: false };
  expect(findHome(project, undefined, { HOME: user })).toEqual(home);
  expect(findHome(project, undefined, { HOME: link })).toEqual(home);
  expect(findHome(join(link, "project"), undefined, { HOME: link })).toEqual(home);
  expect(findHome(project, undefined, nobody).path).toBe(join(user, ".claude-exec"));
});

test("without a home and without git, one would be made where the user stands", () => {
  const root = folder({ "a/b/c.js": "" });
  const here = join(root, "a", "b");
  expect(findHome(here, undefined, nobody)).toEqual({
    path: join(here, ".claude-exec"),
    workspace: here,
    exists: false,
  });
});

test("--home goes before CLAUDE_EXEC_HOME, and that before the search", () => {
  const root = folder({
    ".claude-exec/x": "",
    "one/.claude-exec/x": "",
    "two/.claude-exec/x": "",
    "own/config.json": ours,
  });
  const env = { ...nobody, CLAUDE_EXEC_HOME: join(root, "one", ".claude-exec") };
  const at = (name: string) => ({ path: join(root, name, ".claude-exec"), workspace: join(root, name), exists: true });
  expect(findHome(root, undefined, env)).toEqual(at("one"));
  expect(findHome(root, "two/.claude-exec", env)).toEqual(at("two"));
  expect(findHome(root, "own", env)).toEqual({ path: join(root, "own"), workspace: join(root, "own"), exists: true });
});

test("a home that lies in no project serves the project its user stands in", () => {
  const root = folder({ "project/.git/HEAD": "", "project/src/a.js": "", "elsewhere/a": "" });
  const home = findHome(join(root, "project", "src"), join(root, "elsewhere", "chains"), nobody);
  expect(home).toEqual({ path: join(root, "elsewhere", "chains"), workspace: join(root, "project"), exists: false });
  expect(liesApart(home)).toBe(true);
  expect(liesApart(findHome(join(root, "project"), undefined, nobody))).toBe(false);
});

test("a home that could not even be made is refused in words", () => {
  expect(() => findHome("/", "/nowhere/at/all", nobody)).toThrow(
    expect.objectContaining({
      code: "no_folder",
      message: "The home /nowhere/at/all cannot be: there is no folder /nowhere/at.",
      next: [{ input: { home: "<folder>" }, why: "Name a folder in one that exists" }],
      exitCode: 64,
    }),
  );
});

test("a home that is made is the user's alone, and keeps its chains and keys out of git", () => {
  const home = findHome(folder({}), undefined, nobody);
  makeHome(home);
  const rules = readFileSync(join(home.path, ".gitignore"), "utf8").split("\n");
  expect(rules.filter((line) => line !== "" && !line.startsWith("#"))).toEqual([
    "/contexts/",
    "/cache/",
    "/prompts/trial/",
    ".env*",
    "/.gitignore",
  ]);
  expect(readFileSync(join(home.path, "contexts", ".gitignore"), "utf8")).toBe("*\n");
  expect(statSync(home.path).mode & 0o777).toBe(0o700);
  expect(statSync(join(home.path, "contexts")).mode & 0o777).toBe(0o700);
});

test("a home that is there is left as it is, but for its chains, which git never takes", () => {
  const root = folder({ ".claude-exec/config.json": "{}", ".claude-exec/.gitignore": "*\n" });
  makeHome(findHome(root, undefined, nobody));
  expect(readdirSync(join(root, ".claude-exec")).sort()).toEqual([".gitignore", "config.json", "contexts"]);
  expect(readFileSync(join(root, ".claude-exec", ".gitignore"), "utf8")).toBe("*\n");
  expect(readdirSync(join(root, ".claude-exec", "contexts"))).toEqual([".gitignore"]);
});

test("a home that cannot be made is refused in words", () => {
  const root = folder({ file: "" });
  expect(() => makeHome({ path: join(root, "file", "home"), workspace: root, exists: false })).toThrow(
    expect.objectContaining({ code: "home_unwritable", exitCode: 78 }),
  );
});

test("nothing is made before a model is known and the folder is trusted", async () => {
  const place = placeWith(quickApp);
  const untouched = () => {
    expect(existsSync(place.home)).toBe(false);
    expect(readdirSync(place.env["XDG_STATE_HOME"]!)).toEqual([]);
  };
  const noModel = await place.run([task, "--trust"]);
  expect([noModel.code, noModel.stderr.split("\n")[0]]).toEqual([
    78,
    "There is no model to think with. Nothing was begun.",
  ]);
  untouched();
  expect(readdirSync(join(place.env["XDG_CONFIG_HOME"]!, "claude-exec"))).toEqual(["config.json"]);
  expect((await place.run([task, place.replay(wholeWay)])).code).toBe(10);
  untouched();
  expect(readdirSync(join(place.env["XDG_CONFIG_HOME"]!, "claude-exec"))).toEqual(["config.json"]);
  expect((await place.run([task, "--trust", "--replay=none.json"])).stderr).toBe(
    "There is no recording none.json.\nName one that exists.\n",
  );
  untouched();
  expect((await place.run([task, "--trust", place.replay(wholeWay)])).code).toBe(10);
  expect(readdirSync(place.home).sort()).toEqual([".gitignore", "contexts"]);
});

test("what is ours in a workspace is kept from its tools", () => {
  expect(ownFolders({ path: "/a/.claude-exec", workspace: "/a", exists: true })).toEqual(["/a/.claude-exec"]);
  expect(ownFolders({ path: "/a", workspace: "/a", exists: true })).toEqual([
    "/a/contexts",
    "/a/patterns",
    "/a/memory",
    "/a/config.json",
  ]);
});

test("a user's own files lie in the XDG folders, or below the home folder", () => {
  const xdg = { HOME: "/u", XDG_CONFIG_HOME: "/c", XDG_STATE_HOME: "/s", XDG_CACHE_HOME: "/k" };
  expect(userFolders(xdg)).toEqual({ config: "/c/claude-exec", state: "/s/claude-exec", cache: "/k/claude-exec" });
  expect(userFolders({ HOME: "/u", XDG_CONFIG_HOME: "" })).toEqual({
    config: "/u/.config/claude-exec",
    state: "/u/.local/state/claude-exec",
    cache: "/u/.cache/claude-exec",
  });
});

test("the program knows the folder it is installed in, and its version", () => {
  expect(packageFolder).toBe(realpathSync(repository()));
  const { version } = JSON.parse(readFileSync(join(packageFolder, "package.json"), "utf8")) as { version: string };
  expect(packageVersion()).toBe(version);
});

function repository(): string {
  return join(import.meta.dirname, "..", "..");
}

test("a chain in a home that lies apart goes on in its own project, wherever its user stands", async () => {
  const place = placeWith(quickApp);
  const apart = ["--home", join(place.beside, "chains"), "--trust", place.replay(wholeWay)];
  const elsewhere = folder({});
  expect((await place.run([task, quickTests, ...apart])).code).toBe(10);
  const flags = [...apart, `--answers=${place.answers}`, "--approve-policy=auto", "--json"];
  const ended = await place.run(["resume", "1", ...flags], { cwd: elsewhere });
  expect(JSON.parse(ended.stdout)).toMatchObject({ ending: { type: "completed" } });
  expect(existsSync(join(place.workspace, "src", "product.js"))).toBe(true);
  expect(readdirSync(elsewhere)).toEqual([]);
});
