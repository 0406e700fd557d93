import { existsSync, lstatSync, readFileSync, realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { chainFolders, refuseLinkedFolders } from "../store/chains.ts";
import { exitCodes, UserError } from "../util/errors.ts";
import { isFolder, makeFolder, readTextIfThere, writeAtomic } from "../util/files.ts";
import { isRecord, parseJson } from "../util/json.ts";
import { userOfSystem, type World } from "../util/world.ts";

/** Where a project's chains live, and the project they work on. */
export interface Home {
  readonly path: string;
  readonly workspace: string;
  /** False while it has yet to be made. */
  readonly exists: boolean;
}

/**
 * The home that serves a folder: the nearest one upwards, but not past the root of a git checkout and not at or
 * above the user's own home folder. Where there is none, the place where one would be made.
 */
export function findHome(cwd: string, given: string | undefined, env: World["env"]): Home {
  const named = given ?? env["CLAUDE_EXEC_HOME"];
  return named ? homeAt(resolve(cwd, named), cwd, env) : searchHome(cwd, env);
}

function searchHome(cwd: string, env: World["env"]): Home {
  const userHome = realHome(env);
  const start = realpathSync(cwd);
  let root = start;
  for (let folder = start; ; folder = dirname(folder)) {
    if (isHome(folder)) return { path: folder, workspace: folder, exists: true };
    const inside = join(folder, ".claude-exec");
    if (existsAsFolder(inside)) return { path: inside, workspace: folder, exists: true };
    if (existsSync(join(folder, ".git"))) root = folder;
    const above = dirname(folder);
    if (root === folder && existsSync(join(folder, ".git"))) break;
    if (above === folder || above === userHome || folder === userHome) break;
  }
  return { path: join(root, ".claude-exec"), workspace: root, exists: false };
}

/** A home named by its path. One that lies in no project works on the project its user stands in. */
function homeAt(path: string, cwd: string, env: World["env"]): Home {
  const above = dirname(path);
  if (!isFolder(above)) {
    throw new UserError(
      "no_folder",
      `The home ${path} cannot be: there is no folder ${above}.`,
      { input: { home: "<folder>" }, why: "Name a folder in one that exists" },
      exitCodes.usage,
    );
  }
  const exists = existsAsFolder(path);
  if (exists && isHome(path)) return { path, workspace: path, exists };
  if (basename(path) === ".claude-exec") return { path, workspace: above, exists };
  return { path, workspace: searchHome(cwd, env).workspace, exists };
}

/** Whether a home is there. Anything else in its place is refused before something tries to read from it. */
function existsAsFolder(path: string): boolean {
  if (isFolder(path)) return true;
  if (!lstatSync(path, { throwIfNoEntry: false })) return false;
  const next = { input: { home: "<folder>" }, why: "Move it away, or name another folder" };
  throw new UserError("no_folder", `The home ${path} is not a folder. Nothing was changed.`, next, exitCodes.usage);
}

/** Whether a home lies apart from the project it serves: then each chain knows its own. */
export function liesApart({ path, workspace }: Home): boolean {
  return path !== workspace && dirname(path) !== workspace;
}

/**
 * The path by which a home is known. In a project it follows no link below the project: a link that came with the
 * project would make it another project's home.
 */
export function homePath(home: Home): string {
  const { path, workspace } = home;
  if (path === workspace || liesApart(home)) return existsSync(path) ? realpathSync(path) : path;
  return join(realpathSync(workspace), basename(path));
}

function realHome(env: World["env"]): string {
  const home = userHome(env);
  return existsSync(home) ? realpathSync(home) : home;
}

/** By its config.json: it names our schema, or it has the keys of the first design, which named none. */
function isHome(folder: string): boolean {
  const config = parseJson(readTextIfThere(join(folder, "config.json")) ?? "");
  if (!isRecord(config)) return false;
  const { $schema, models, limits, prompts } = config;
  if (typeof $schema === "string") return $schema.endsWith(schemaName);
  return isRecord(models) && isRecord(limits) && isRecord(prompts) && prompts["system_dir"] === "./prompts/system";
}

/** What a home's config.json names as its schema. */
export const schemaName = "claude-exec.schema.json";

/** A project may commit its settings, rules, patterns and prompts; chains and keys stay on this machine. */
const ignored = `# Chains, caches, prompts on trial and keys are not for git; settings, rules, patterns and prompts may be.
# This file is made again in each checkout, so git need not take it either.
/contexts/
/cache/
/prompts/trial/
.env*
/.gitignore
`;

/**
 * Refuses a home with a link in place of a folder of chains, or one that is itself a link to another project's home. Such
 * links can come with a project.
 */
export function refuseLinks({ path, exists }: Home): void {
  if (!exists) return;
  const contexts = join(path, "contexts");
  const isOthers = basename(realpathSync(path)) === ".claude-exec";
  refuseLinkedFolders([
    ...(isOthers ? [path] : []),
    ...chainFolders(contexts),
    ...chainFolders(join(contexts, "runs")),
  ]);
}

/** Makes a project's home, and sees to it that git never takes its chains, whatever the project's own files say. */
export function makeHome(home: Home): void {
  const { path, workspace, exists } = home;
  refuseLinks(home);
  try {
    makeFolder(join(path, "contexts"));
    const rules = join(path, ".gitignore");
    if (path !== workspace && !existsSync(rules)) writeAtomic(rules, ignored, { mode: 0o644 });
    const chains = join(path, "contexts", ".gitignore");
    if (readTextIfThere(chains) !== "*\n") writeAtomic(chains, "*\n", { mode: 0o644 });
  } catch (error) {
    // A home that is there can be repaired, and how is said where every operation ends.
    if (exists) throw error;
    throw new UserError(
      "home_unwritable",
      `The home ${path} could not be made: ${String(error)}`,
      { input: { home: "<folder>" }, why: "Name a folder that can be written" },
      exitCodes.notConfigured,
    );
  }
}

export const rulesName = "project_rules.md";

/** Where a project's rules lie: in its home, and at its own root. */
export function rulesFiles({ path, workspace }: Home): string[] {
  return [...new Set([path, workspace])].map((folder) => join(folder, rulesName));
}

/** What of a workspace is ours: neither listed, nor searched, nor written by tools. */
export function ownFolders({ path, workspace }: Home): string[] {
  return path === workspace
    ? ["contexts", "patterns", "memory", "config.json"].map((name) => join(path, name))
    : [path];
}

/** A relative path would mean the folder one happens to stand in: a stranger's repository, perhaps. */
export function userFolders(env: World["env"]) {
  const home = userHome(env);
  const absolute = (name: string) => (isAbsolute(env[name] ?? "") ? env[name] : undefined);
  return {
    config: join(absolute("XDG_CONFIG_HOME") ?? join(home, ".config"), "claude-exec"),
    state: join(absolute("XDG_STATE_HOME") ?? join(home, ".local", "state"), "claude-exec"),
    cache: join(absolute("XDG_CACHE_HOME") ?? join(home, ".cache"), "claude-exec"),
  };
}

function userHome(env: World["env"]): string {
  const home = [env["HOME"], userOfSystem()?.homedir].find((path) => path !== undefined && isAbsolute(path));
  if (home !== undefined) return home;
  const message = "It is not known where your home folder is, and so not where your own settings lie.";
  throw new UserError("no_user_home", message, "Set HOME to a folder of yours.", exitCodes.notConfigured);
}

/** The folder this program was installed in. */
export const packageFolder = findPackage();

function findPackage(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  return folder;
}

export function packageVersion(): string {
  const manifest = parseJson(readFileSync(join(packageFolder, "package.json"), "utf8"));
  return isRecord(manifest) ? String(manifest["version"]) : "unknown";
}
