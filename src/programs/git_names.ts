import { UserError } from "../util/errors.ts";
import type { LookedAt } from "./program.ts";
import { runGit } from "./run_git.ts";

/** What `git ls-files` names with these flags; undefined outside a git work tree and without git. */
export async function gitNames(at: LookedAt, which: readonly string[]): Promise<string[] | undefined> {
  const limits = { userSettings: true, bytes: 500_000_000 };
  const { end, code, stdout, stderr } = await runGit(at, ["ls-files", "-z", ...which], limits);
  if (end === "exited" && code === 0) return stdout.split("\0").slice(0, -1);
  if (end === "missing" || /not a git repository|must be run in a work tree/.test(stderr)) return undefined;
  const reason = end === "exited" ? stderr.trim() : `it was stopped (${end})`;
  const hint = "Run `git status` there: what git needs has to be repaired first.";
  throw new UserError("git_failed", `git could not list the files of ${at.root}: ${reason}`, hint);
}
