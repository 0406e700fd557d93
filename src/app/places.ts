import { existsSync, mkdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { exitCodes, UserError } from "../util/errors.ts";
import { readTextIfThere, writeAtomic } from "../util/files.ts";
import { isRecord, parseJson } from "../util/json.ts";
import type { World } from "../util/world.ts";
import { schemaName } from "./config.ts";

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
  if (named) return homeAt(resolve(cwd, named));
  const userHome = homedir();
  const start = realpathSync(cwd);
  let root = start;
  for (let folder = start; ; folder = dirname(folder)) {
    if (isHome(folder)) return { path: folder, workspace: folder, exists: true };
    const inside = join(folder, ".claude-exec");
    if (existsSync(inside)) return { path: inside, workspace: folder, exists: true };
    if (existsSync(join(folder, ".git"))) root = folder;
    const above = dirname(folder);
    if (root === folder && existsSync(join(folder, ".git"))) break;
    if (above === folder || above === userHome || folder === userHome) break;
  }
  return { path: join(root, ".claude-exec"), workspace: root, exists: false };
}

function homeAt(path: string): Home {
  const exists = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  if (exists && isHome(path)) return { path, workspace: path, exists };
  return { path, workspace: dirname(path), exists };
}

function isHome(folder: string): boolean {
  const config = parseJson(readTextIfThere(join(folder, "config.json")) ?? "");
  return isRecord(config) && typeof config["$schema"] === "string" && config["$schema"].endsWith(schemaName);
}

/** Makes a project's home: nothing in it is ever committed by accident. */
export function makeHome({ path, exists }: Home): void {
  if (exists) return;
  try {
    mkdirSync(join(path, "contexts"), { recursive: true, mode: 0o700 });
    writeAtomic(join(path, ".gitignore"), "*\n", { mode: 0o644 });
  } catch (error) {
    throw new UserError(
      "home_unwritable",
      `The home ${path} could not be made: ${String(error)}`,
      "Name a folder that can be written: --home <folder>",
      exitCodes.notConfigured,
    );
  }
}

/** What of a workspace is ours: neither listed, nor searched, nor written by tools. */
export function ownFolders({ path, workspace }: Home): string[] {
  return path === workspace
    ? ["contexts", "patterns", "memory", "config.json"].map((name) => join(path, name))
    : [path];
}

export function userFolders(env: World["env"]) {
  const home = env["HOME"] ?? homedir();
  return {
    config: join(env["XDG_CONFIG_HOME"] || join(home, ".config"), "claude-exec"),
    state: join(env["XDG_STATE_HOME"] || join(home, ".local", "state"), "claude-exec"),
    cache: join(env["XDG_CACHE_HOME"] || join(home, ".cache"), "claude-exec"),
  };
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
