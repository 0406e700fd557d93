/** Subcommands of git that change a repository, its settings or its working tree, whatever else they are given. */
export const gitWrites = new Set(
  (
    "add am checkout cherry-pick clean clone commit commit-tree commit-graph fast-import fetch filter-branch " +
    "filter-repo gc init init-db maintenance merge mv pack-objects pack-refs prune pull push read-tree rebase repack " +
    "replace reset restore revert rm sparse-checkout stage svn switch unpack-objects update-index update-ref " +
    "update-server-info write-tree mktree mktag send-pack receive-pack http-push checkout-index"
  ).split(" "),
);

/** What of a git command changes the repository; undefined: it only reads, or is not known. */
export function writesGit(words: readonly string[]): string | undefined {
  const [subcommand = "", ...rest] = words;
  if (gitWrites.has(subcommand)) return subcommand;
  const reads = reading.get(subcommand);
  return reads === undefined || reads(rest) ? undefined : subcommand;
}

/** Whether a subcommand only reads; any other may be an alias, or a program of its own. */
export function isKnownGit(subcommand: string): boolean {
  return gitReads.has(subcommand) || reading.has(subcommand);
}

const gitReads = new Set(
  (
    "status log show diff blame annotate grep ls-files ls-tree cat-file rev-parse rev-list describe shortlog check-ignore " +
    "check-attr check-mailmap check-ref-format count-objects diff-tree diff-index diff-files for-each-ref version name-rev fsck " +
    "merge-base show-ref show-branch show-index var verify-commit verify-tag verify-pack whatchanged cherry range-diff " +
    "stripspace get-tar-commit-id patch-id"
  ).split(" "),
);

/** Subcommands that read in some of their forms: which these are. */
const reading = new Map<string, (words: readonly string[]) => boolean>([
  ["branch", readsBranches],
  ["tag", (words) => words.length === 0 || (begins(words, "-l --list") && words.slice(1).every(isNoOption))],
  ["remote", (words) => words.every((word) => /^-v$|^--verbose$/.test(word)) || begins(words, "get-url")],
  ["config", readsConfig],
  ["stash", (words) => begins(words, "list show")],
  ["worktree", (words) => begins(words, "list")],
  ["submodule", (words) => begins(words, "status summary")],
  ["notes", (words) => begins(words, "list show")],
  ["bisect", (words) => begins(words, "log view")],
  ["reflog", (words) => words.length === 0 || begins(words, "show exists")],
  ["symbolic-ref", (words) => words.length === 1 && words.every(isNoOption)],
  ["hash-object", (words) => words.every(isNoOption)],
  ["bundle", (words) => begins(words, "verify list-heads")],
]);

function begins(words: readonly string[], names: string): boolean {
  return names.split(" ").includes(words[0] ?? "");
}

function isNoOption(word: string): boolean {
  return !word.startsWith("-");
}

function readsBranches(words: readonly string[]): boolean {
  const shows = /^-[avr]+$|^--(?:list|all|remotes|show-current|verbose|no-color|(?:sort|format)=.*)$/;
  if (words.every((word) => shows.test(word))) return true;
  const lists = begins(words, "-l --list --contains --merged --no-merged --points-at");
  return lists && words.slice(1).every((word) => isNoOption(word) || shows.test(word));
}

function readsConfig(words: readonly string[]): boolean {
  if (begins(words, "--get --get-all --get-regexp --list -l get list")) return true;
  return words.length === 1 && words.every(isNoOption);
}
