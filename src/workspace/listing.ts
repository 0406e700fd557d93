import { join, matchesGlob } from "node:path";
import glob from "fast-glob";
import { UserError } from "../util/errors.ts";
import { gitNames } from "../programs/git_names.ts";
import { entriesInside } from "./place.ts";
import type { LookedAt } from "../programs/program.ts";
import { ripgrep } from "../programs/ripgrep.ts";
import { withinMs } from "../util/within.ts";

/** Plain files below a folder, sorted: as git sees them, or all of them where there is no git work tree. */
export async function listNames(at: LookedAt, hides: (path: string) => boolean): Promise<string[]> {
  const names = (await gitFiles(at)) ?? (await walkedFiles(at)) ?? (await globFiles(at.root));
  const isPlain = plainFilesBelow(at.root);
  const sorted = names.filter((path) => !leftOut.test(path) && !hides(path) && isPlain(path)).sort();
  return sorted.filter((path, at) => path !== sorted[at - 1]);
}

// A name with a line break could pass for two in a listing; U+FFFD stands where a name is not UTF-8.
const leftOut = /(?:^|\/)(?:\.git|node_modules)(?:\/|$)|[\n\uFFFD]/;

/** Undefined outside a git work tree, without git, and in a folder that an outer repository ignores. */
async function gitFiles(at: LookedAt): Promise<string[] | undefined> {
  const names = await gitNames(at, ["-co", "--exclude-standard"]);
  return names?.length === 0 ? undefined : names;
}

/** Tells plain files from links, folders, what is gone, and what a link led to meanwhile; each folder is read once. */
function plainFilesBelow(root: string): (path: string) => boolean {
  const folders = new Map<string, ReadonlySet<string>>();
  return (path) => {
    const end = path.lastIndexOf("/");
    const folder = path.slice(0, Math.max(end, 0));
    let files = folders.get(folder);
    if (files === undefined) {
      files = plainFilesIn(join(root, folder));
      folders.set(folder, files);
    }
    return files.has(path.slice(end + 1));
  };
}

function plainFilesIn(folder: string): ReadonlySet<string> {
  return new Set(entriesInside(folder).flatMap((entry) => (entry.isFile() ? [entry.name] : [])));
}

/** Undefined without ripgrep. */
async function walkedFiles(at: LookedAt): Promise<string[] | undefined> {
  const result = await ripgrep(at, ["--files", "--no-ignore"]);
  return result?.split("\0").slice(0, -1);
}

async function globFiles(root: string): Promise<string[]> {
  const ignore = ["**/node_modules/**", "**/.git/**"];
  return glob("**", { cwd: root, dot: true, followSymbolicLinks: false, ignore, suppressErrors: true });
}

/** A glob without a slash is matched at any depth, and a star also takes names that begin with a dot. */
export function matching(paths: string[], globs: readonly string[]): string[] {
  const dotless = (text: string) => text.replace(/(?<=^|[/{,])\./g, "\u00b7");
  const wanted = globs.map((one) => dotless(one.includes("/") ? one.replace(/^\.?\//, "") : `**/${one}`));
  const found = withinMs(300, () => paths.filter((path) => wanted.some((one) => matchesGlob(dotless(path), one))));
  if (found) return found.value;
  throw new UserError("glob_too_slow", `The pattern ${globs.join(" ")} takes too long.`, "Use fewer stars.");
}
