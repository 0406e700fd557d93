import { UserError } from "../util/errors.ts";
import { printedBy, type LookedAt } from "./program.ts";

/** Given to git as `-c`: nothing that a repository names is run. */
export const closedSettings: readonly string[] = [
  "core.fsmonitor=false",
  "core.hooksPath=/dev/null",
  "safe.directory=*",
];

/** Nothing that is missing in the repository is fetched, which would run programs that it names; and nobody is asked. */
export const closedEnvironment = {
  LC_ALL: "C",
  GIT_ALLOW_PROTOCOL: "none",
  GIT_NO_LAZY_FETCH: "1",
  GIT_OPTIONAL_LOCKS: "0",
  GIT_TERMINAL_PROMPT: "0",
} as const;

/** What the user or the machine has set for git does not count. */
export const noUserSettings = {
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_ATTR_NOSYSTEM: "1",
} as const;

/** What `git ls-files` names with these flags; undefined outside a git work tree and without git. */
export async function gitNames(at: LookedAt, which: readonly string[]): Promise<string[] | undefined> {
  const argv = [...closedSettings.flatMap((one) => ["-c", one]), "ls-files", "-z", ...which];
  const { root } = at;
  const { PATH = "", HOME = "" } = at.env;
  const bounds = { cwd: root, env: { PATH, HOME, ...closedEnvironment }, bytes: 500_000_000, ms: 20_000 };
  const { end, code, stdout, stderr } = await printedBy("git", argv, bounds);
  if (end === "exited" && code === 0) return stdout.split("\0").slice(0, -1);
  if (end === "missing" || /not a git repository|must be run in a work tree/.test(stderr)) return undefined;
  const reason = end === "exited" ? stderr.trim() : `it was stopped (${end})`;
  const hint = "Run `git status` there: what git needs has to be mended first.";
  throw new UserError("git_failed", `git could not list the files of ${root}: ${reason}`, hint);
}
