import type fs from "node:fs";
import { join, matchesGlob } from "node:path";
import glob from "fast-glob";
import { UserError } from "../util/errors.ts";
import { statsOf } from "./place.ts";
import { withinMs } from "./within.ts";

export interface ListedFile {
  readonly path: string;
  readonly stats: fs.Stats;
}

/** Plain files below `root`, sorted: as git sees them, or all of them where there is no git work tree. */
export async function listFiles(root: string, hides: (path: string) => boolean): Promise<ListedFile[]> {
  const names = (await gitFiles(root)) ?? (await globFiles(root));
  return [...new Set(names)]
    .filter((path) => !leftOut.test(path) && !hides(path))
    .sort()
    .flatMap((path) => {
      const stats = statsOf(join(root, path));
      return stats?.isFile() ? [{ path, stats }] : [];
    });
}

// A name with a line break could pass for two in a listing.
const leftOut = /(?:^|\/)(?:\.git|node_modules)(?:\/|$)|\n/;

/** Undefined outside a git work tree, without git, and in a folder that an outer repository ignores. */
async function gitFiles(root: string): Promise<string[] | undefined> {
  const settings = ["core.fsmonitor=false", "core.hooksPath=/dev/null", "safe.directory=*"];
  const argv = [...settings.flatMap((one) => ["-c", one]), "ls-files", "-co", "--exclude-standard", "-z"];
  const { PATH = "", HOME = "" } = process.env;
  const env = { PATH, HOME, LC_ALL: "C", GIT_OPTIONAL_LOCKS: "0", GIT_TERMINAL_PROMPT: "0" };
  const options = {
    cwd: root,
    env,
    extendEnv: false,
    stdin: "ignore",
    reject: false,
    stripFinalNewline: false,
  } as const;
  const { execa } = await import("execa");
  const result = await execa("git", argv, options);
  if (result.exitCode === 0) return result.stdout === "" ? undefined : result.stdout.split("\0").slice(0, -1);
  if (result.code === "ENOENT" || /not a git repository|must be run in a work tree/.test(result.stderr))
    return undefined;
  const hint = "Run `git status` there: what git needs has to be mended first.";
  throw new UserError("git_failed", `git could not list the files of ${root}: ${result.shortMessage}`, hint);
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
