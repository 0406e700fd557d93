import fs from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { unlessRefused } from "../../util/errors.ts";
import { readBytes } from "../../workspace/file.ts";
import { isInside, statsOf } from "../../workspace/place.ts";
import type { Refused } from "../../workspace/place.ts";
import type { LookedAt, Ran } from "../program.ts";
import { runGit } from "../run_git.ts";

/** A repository that can be looked at. */
export interface Repository {
  /** The top folder of the work tree. */
  readonly top: string;
  git(argv: readonly string[], bytes: number): Promise<Ran>;
}

/**
 * Lets `work` look at the repository that holds `root`. Git is shown a folder of ours that leads to its objects and
 * names, with settings of ours: what the project's own settings, attributes or hooks would run is not there.
 */
export async function withRepository<Result>(
  at: LookedAt,
  signal: AbortSignal,
  work: (repository: Repository) => Promise<Result>,
): Promise<Result | Refused> {
  const found = findRepository(at.root);
  if (found.type === "refused") return found;
  const settings = await settingsOf(found.common, at, signal);
  if (typeof settings !== "string") return settings;
  const stand = fs.mkdtempSync(join(tmpdir(), "claude-exec-git-"));
  try {
    const why = furnish(stand, found, settings);
    if (why !== undefined) return no(why);
    const env = { GIT_DIR: stand, GIT_WORK_TREE: found.top, GIT_OBJECT_DIRECTORY: found.objects };
    const git = (argv: readonly string[], bytes: number) =>
      runGit(at, ["--no-pager", "--literal-pathspecs", ...argv], { env, bytes, signal });
    return await work({ top: found.top, git });
  } finally {
    fs.rmSync(stand, { recursive: true, force: true });
  }
}

/**
 * The folder that stands for `root` in the worktree at `path`, if it is a worktree of the same repository and lies
 * directly in `parent`.
 */
export function ownWorktree(root: string, path: string, parent: string): string | Refused {
  const real = realPath(path);
  if (real === undefined) return no("It is not there any more.");
  if (dirname(real) !== realPath(parent)) return no("It was not made by claude-exec.");
  const [main, tree] = [findRepository(realPath(root) ?? root), findRepository(real)];
  if (main.type === "refused") return main;
  if (tree.type === "refused") return tree;
  if (tree.top !== real || tree.own === tree.common || tree.common !== realPath(main.common))
    return no("It belongs to another repository.");
  return join(real, relative(main.top, realPath(root) ?? root));
}

interface Found {
  readonly type: "found";
  readonly top: string;
  /** Of this work tree: its HEAD and index. */
  readonly own: string;
  /** Of the repository: its names and settings. */
  readonly common: string;
  readonly objects: string;
}

function findRepository(root: string): Found | Refused {
  for (let top = root; ; top = dirname(top)) {
    const stats = statsOf(join(top, ".git"));
    if (stats?.isDirectory()) return repositoryAt(top, join(top, ".git"), join(top, ".git"));
    if (stats?.isFile()) return linkedRepository(top);
    if (stats !== undefined) return no(`${join(top, ".git")} is no folder of git's.`);
    if (dirname(top) === top) return no("There is no git repository here.");
  }
}

/** A file that names another folder is believed only where that folder belongs to this work tree. */
function linkedRepository(top: string): Found | Refused {
  const link = join(top, ".git");
  const named = /^gitdir: (.+)$/.exec(shortText(link) ?? "")?.[1];
  const own = named === undefined ? undefined : realPath(resolve(top, named));
  if (own === undefined) return no(`${link} names no folder that is there.`);
  const owner = own.split(`${sep}.git${sep}modules${sep}`)[0] ?? own;
  if (owner !== own && isInside(owner, top)) return repositoryAt(top, own, own);
  const common = realPath(resolve(own, shortText(join(own, "commondir")) ?? "."));
  const back = realPath(shortText(join(own, "gitdir")) ?? "");
  if (common !== undefined && back === link && dirname(own) === join(common, "worktrees"))
    return repositoryAt(top, own, common);
  return no(`${link} names a folder elsewhere that does not belong to this one.`);
}

function repositoryAt(top: string, own: string, common: string): Found | Refused {
  const objects = within(common, "objects");
  return objects === undefined
    ? no(`${common} holds no objects of its own.`)
    : { type: "found", top, own, common, objects };
}

/** Those settings of the project that only say how its files are kept, as text for ours. */
async function settingsOf(common: string, at: LookedAt, signal: AbortSignal): Promise<string | Refused> {
  const argv = ["config", "--file", join(common, "config"), "--no-includes", "--list", "-z"];
  // No folder of its own: git would look into the project's before it reads the one file that it was told to.
  const env = { GIT_DIR: "/dev/null" };
  const { end, code, stdout, stderr } = await runGit(at, argv, { env, ms: 5000, signal });
  if (end === "missing") return no("Git is not installed.");
  if (end !== "exited" || code !== 0) return no(`The settings of git cannot be read: ${firstLine(stderr, end)}`);
  const kept = stdout.split("\0").flatMap((entry) => {
    const [key = "", value = ""] = entry.split("\n");
    const [section, name] = key.split(".");
    return harmless.has(key) && /^[\w-]+$/.test(value) ? [`[${section}]\n${name} = ${value}\n`] : [];
  });
  return kept.join("");
}

const harmless = new Set([
  "core.autocrlf",
  "core.eol",
  "core.filemode",
  "core.ignorecase",
  "core.precomposeunicode",
  "core.repositoryformatversion",
  "core.symlinks",
  "extensions.objectformat",
  "extensions.refstorage",
]);

const ourSettings = `[core]
bare = false
quotePath = false
attributesFile = /dev/null
excludesFile = /dev/null
`;

/** Says why where it cannot be done. */
function furnish(stand: string, { own, common }: Found, settings: string): string | undefined {
  const head = shortText(join(own, "HEAD"));
  if (head === undefined || !/^(?:ref: refs\/[^\0\n]+|[0-9a-f]{40,64})$/.test(head))
    return "The HEAD of git says nothing.";
  fs.writeFileSync(join(stand, "HEAD"), `${head}\n`);
  fs.writeFileSync(join(stand, "config"), settings + ourSettings);
  for (const name of ["refs", "packed-refs", "reftable", "shallow"]) {
    if (statsOf(join(common, name)) === undefined) continue;
    const real = within(common, name);
    if (real === undefined) return `${join(common, name)} leads elsewhere.`;
    fs.symlinkSync(real, join(stand, name));
  }
  // A copy: git writes back what it learned of the files.
  const shared = fs.readdirSync(own).filter((name) => name.startsWith("sharedindex."));
  for (const name of ["index", ...shared]) {
    const stats = statsOf(join(own, name));
    if (stats === undefined) continue;
    const bytes = readBytes(name, join(own, name), indexLimit);
    if (!(bytes instanceof Uint8Array)) return bytes.text;
    fs.writeFileSync(join(stand, name), bytes);
    // By the index's own time git tells which files may have changed after it was written and look the same.
    const written = Math.floor(stats.mtimeMs / 1000);
    fs.utimesSync(join(stand, name), written, written);
  }
  return undefined;
}

const indexLimit = 200_000_000;

/** The real path of what is called so in `folder`, unless a link leads elsewhere. */
function within(folder: string, name: string): string | undefined {
  const real = realPath(join(folder, name));
  return real !== undefined && basename(real) === name && dirname(real) === realPath(folder) ? real : undefined;
}

function realPath(path: string): string | undefined {
  return unlessRefused(() => fs.realpathSync.native(path));
}

function shortText(path: string): string | undefined {
  const real = realPath(path);
  const bytes = real === undefined ? undefined : readBytes(path, real, 4096);
  return bytes instanceof Uint8Array ? Buffer.from(bytes).toString().trimEnd() : undefined;
}

/** What git says first, or how it ended where it says nothing. */
export function firstLine(stderr: string, end: Ran["end"]): string {
  const line = stderr.trim().split("\n")[0] ?? "";
  if (end === "late") return "it takes too long.";
  return line === "" ? `it ended without a word (${end}).` : line.replace(/^(?:fatal|error): /, "");
}

/** Git is not asked, or has nothing to say: why. */
export function no(text: string): Refused {
  return { type: "refused", text };
}
