import fs from "node:fs";
import { join, resolve } from "node:path";
import { firstLine, no } from "./git_folder.ts";
import { systemCodeOrThrow } from "../../workspace/file.ts";
import type { LookedAt } from "../program.ts";
import { runGit } from "../run_git.ts";
import { isInside, statsOf } from "../../workspace/place.ts";
import type { Refused } from "../../workspace/place.ts";

export interface Worktree {
  readonly path: string;
  /** The folder in it that stands for the workspace: the same, unless the workspace is only a part of the repository. */
  readonly folder: string;
  readonly head: string;
  /** Whether the workspace has changes that are in no commit and thus not in the worktree. */
  readonly dirty: boolean;
  /** Folders of dependencies that were made to lead to those of the workspace. */
  readonly linked: readonly string[];
}

/**
 * A second work tree of the repository that is looked at, at its last commit and on no branch. Git's own notes below
 * `.git/worktrees` are all that is written in the repository, and nothing that it names is run.
 */
export async function addWorktree(at: LookedAt, path: string): Promise<Worktree | Refused> {
  const { root } = at;
  const target = resolve(path);
  if (statsOf(target) !== undefined) return no(`${target} is there already.`);
  const prefix = await git(at, ["rev-parse", "--show-prefix"]);
  if (prefix.type === "failed") return no(`There is no git repository at ${root}: ${prefix.text}`);
  const head = await git(at, ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]);
  if (head.type === "failed") return no("The repository has no commit yet.");
  const runs = await programsOf(at);
  if (runs !== undefined) return runs;
  // A home of ours is no work of the user's.
  const paths = [":(top)", ":(top,exclude,glob)**/.claude-exec", ":(top,exclude,glob)**/.claude-exec/**"];
  const asked = ["status", "--porcelain", "--untracked-files=normal", "--ignore-submodules=all", "--", ...paths];
  const status = await git(at, asked);
  if (status.type === "failed") return no(`git status failed: ${status.text}`);
  const inside = prefix.text.replace(/\/?\n$/, "");
  if (inside !== "" && (await git(at, ["cat-file", "-t", `HEAD:${inside}`])).text !== "tree\n")
    return no(`The last commit has no folder ${inside}, so a worktree would not hold it.`);
  const added = await git(at, ["worktree", "add", "--detach", "--", target, "HEAD"]);
  if (added.type === "failed") return no(`git made no worktree: ${added.text}`);
  const folder = join(target, inside);
  const linked = await dependencyFolders(at, folder);
  try {
    for (const name of linked) mirror(root, join(root, name), join(folder, name));
  } catch (error) {
    return no(
      `The worktree ${target} was made, but not all that it needs (${systemCodeOrThrow(error)}). Remove it first.`,
    );
  }
  return { path: target, folder, head: head.text.trim(), dirty: status.text !== "", linked };
}

/** Those that are there, are no part of the repository, and are missing in the worktree. */
async function dependencyFolders(at: LookedAt, folder: string): Promise<string[]> {
  const names = ["node_modules", "vendor", ".venv", "venv"].filter(
    (name) => statsOf(join(at.root, name))?.isDirectory() && statsOf(join(folder, name)) === undefined,
  );
  const ignored = await Promise.all(names.map((name) => git(at, ["check-ignore", "--quiet", name])));
  return names.filter((_, index) => ignored[index]?.type === "done");
}

const byHand = "Make a worktree with git yourself, and name it as the workspace.";

/** Checking out files runs what a repository names as filters: refused, as they would run unasked. */
async function programsOf(at: LookedAt): Promise<Refused | undefined> {
  const keys = String.raw`^(filter\..*\.(clean|smudge|process)|hook\..*\.command)$`;
  const set = await git(at, ["config", "--includes", "--name-only", "--get-regexp", keys]);
  const plainly = ["-h", "-I", "-F"];
  const attributes = await git(at, ["grep", ...plainly, "filter=lfs", "HEAD", "--", ":(top,glob)**/.gitattributes"]);
  // 1 says that nothing was found.
  for (const asked of [set, attributes])
    if (asked.type === "failed" && asked.code !== 1) return no(`What git would run here cannot be told: ${asked.text}`);
  const named = set.type === "done" ? set.text.trim().split("\n") : [];
  const usesLfs = attributes.type === "done" || named.some((key) => key.startsWith("filter.lfs."));
  if (usesLfs) {
    return no(`The repository keeps files in Git LFS, whose programs are not run here. ${byHand}`);
  }
  return named.length === 0
    ? undefined
    : no(`The repository's own configuration names programs to run on its files (${named.join(", ")}). ${byHand}`);
}

/**
 * A real folder, so that what ignores folders ignores it too, and so that new files in it stay in the worktree.
 * What is reached by a relative link (a package of the same repository) is the worktree's own.
 */
function mirror(root: string, from: string, to: string): void {
  fs.mkdirSync(to);
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const [source, copy] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isSymbolicLink()) {
      const target = fs.readlinkSync(source);
      const leads = resolve(from, target);
      fs.symlinkSync(isInside(root, leads) ? target : leads, copy);
    }
    if (entry.isFile()) fs.copyFileSync(source, copy, fs.constants.COPYFILE_EXCL);
    if (!entry.isDirectory()) continue;
    if (mirrored.test(entry.name)) mirror(root, source, copy);
    else if (!isCache(entry.name)) fs.symlinkSync(source, copy);
  }
}

// Scopes of npm, and composer's autoloader and programs, which find the project by the folder they lie in.
const mirrored = /^(?:@.+|composer|bin)$/;

function isCache(name: string): boolean {
  return name.startsWith(".") && name !== ".bin" && name !== ".pnpm";
}

type GitResult =
  | { readonly type: "done"; readonly text: string }
  | { readonly type: "failed"; readonly text: string; readonly code: number | undefined };

async function git(at: LookedAt, argv: readonly string[]): Promise<GitResult> {
  const { end, code, stdout, stderr } = await runGit(at, argv, { bytes: 100_000_000, ms: 600_000 });
  if (end === "exited" && code === 0) return { type: "done", text: stdout };
  return { type: "failed", text: stderr.trim() || firstLine(stderr, end), code: code ?? undefined };
}
