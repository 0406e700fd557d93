import { printedBy, type Bounds, type LookedAt, type Ran } from "./program.ts";

/** Nothing that a repository names is run. */
const settings =
  "core.fsmonitor=false core.hooksPath=/dev/null core.pager=cat safe.directory=* submodule.recurse=false".split(" ");

/** Nothing that is missing in the repository is fetched, which would run programs that it names; and nobody is asked. */
const closedEnvironment = {
  LC_ALL: "C",
  GIT_ALLOW_PROTOCOL: "none",
  GIT_NO_LAZY_FETCH: "1",
  GIT_OPTIONAL_LOCKS: "0",
  GIT_TERMINAL_PROMPT: "0",
};

const noUserSettings = { GIT_CONFIG_NOSYSTEM: "1", GIT_CONFIG_GLOBAL: "/dev/null", GIT_ATTR_NOSYSTEM: "1" };

/** With `userSettings` those of the user and the machine count too, such as what they ignore everywhere. */
export function runGit(
  { root, env: { PATH = "", HOME = "", XDG_CONFIG_HOME } }: LookedAt,
  argv: readonly string[],
  { userSettings = false, env, ...bounds }: Partial<Bounds> & { readonly userSettings?: boolean } = {},
): Promise<Ran> {
  const user = XDG_CONFIG_HOME === undefined ? { HOME } : { HOME, XDG_CONFIG_HOME };
  const all = { PATH, ...(userSettings ? user : noUserSettings), ...closedEnvironment, ...env };
  const given = [...settings.flatMap((setting) => ["-c", setting]), ...argv];
  return printedBy("git", given, { cwd: root, bytes: 1_000_000, ms: 20_000, ...bounds, env: all });
}
