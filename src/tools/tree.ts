import { join } from "node:path";
import { UserError } from "../util/errors.ts";
import { entriesInside } from "./place.ts";

/** Names below a folder, in no order: of plain files, of links, and of whatever else may lie there. */
export interface Tree {
  readonly names: readonly string[];
  /** What git ignores and does not track; a folder ends in a slash and stands for all that is in it. */
  readonly ignored: readonly string[];
}

/** As git sees it, or all of it where there is no git work tree. Nothing of the project's is run. */
export async function treeOf(root: string): Promise<Tree> {
  const [names, ignored] = await Promise.all([
    gitNames(root, ["-co", "--exclude-standard"]),
    gitNames(root, ["-oi", "--exclude-standard", "--directory"]),
  ]);
  return names === undefined || names.length === 0
    ? { names: namesBelow(root), ignored: [] }
    : { names, ignored: ignored ?? [] };
}

/** As `treeOf`, and with what git ignores. */
export async function wholeTreeOf(root: string): Promise<readonly string[]> {
  return (await gitNames(root, ["-co"])) ?? namesBelow(root);
}

/** Undefined outside a git work tree and without git. */
async function gitNames(root: string, which: readonly string[]): Promise<string[] | undefined> {
  const settings = ["core.fsmonitor=false", "core.hooksPath=/dev/null", "safe.directory=*"];
  const argv = [...settings.flatMap((one) => ["-c", one]), "ls-files", "-z", ...which];
  const { PATH = "", HOME = "" } = process.env;
  // Nothing that is missing in the repository is fetched, which would run programs that it names.
  const closed = {
    GIT_ALLOW_PROTOCOL: "none",
    GIT_NO_LAZY_FETCH: "1",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_TERMINAL_PROMPT: "0",
  };
  const env = { PATH, HOME, LC_ALL: "C", ...closed };
  const { execa } = await import("execa");
  const options = {
    cwd: root,
    env,
    extendEnv: false,
    stdin: "ignore",
    reject: false,
    stripFinalNewline: false,
  } as const;
  const result = await execa("git", argv, options);
  if (result.exitCode === 0) return result.stdout.split("\0").slice(0, -1);
  if (result.code === "ENOENT" || /not a git repository|must be run in a work tree/.test(result.stderr))
    return undefined;
  const hint = "Run `git status` there: what git needs has to be mended first.";
  throw new UserError("git_failed", `git could not list the files of ${root}: ${result.shortMessage}`, hint);
}

/** What went away meanwhile, may not be read, or lies too deep to be opened is left out: none of it can be read. */
function namesBelow(root: string): string[] {
  const names: string[] = [];
  const waiting = [""];
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    for (const entry of entriesInside(join(root, folder))) {
      if (entry.name === ".git" || entry.name === "node_modules") continue;
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) waiting.push(path);
      else names.push(path);
    }
  }
  return names;
}
