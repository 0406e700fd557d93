/** Subcommands of git that change a repository, its settings or its working tree, whatever else they are given. */
export const gitWrites = new Set(
  (
    "add am checkout cherry-pick clean clone commit commit-tree commit-graph fast-import fetch filter-branch " +
    "filter-repo gc init init-db maintenance merge mv pack-objects pack-refs prune pull push read-tree rebase repack " +
    "replace reset restore revert rm sparse-checkout stage svn switch unpack-objects update-index update-ref " +
    "update-server-info write-tree mktree mktag send-pack receive-pack http-push checkout-index"
  ).split(" "),
);

/** Which subcommand of git changes the repository, given the words after `git`. Undefined: it only reads, or is not known. */
export function gitWriteOf(words: readonly string[]): string | undefined {
  let at = 0;
  while (words[at]?.startsWith("-")) at += takesValue.test(words[at] ?? "") ? 2 : 1;
  const [subcommand = "", ...rest] = words.slice(at);
  if (gitWrites.has(subcommand)) return subcommand;
  const reads = readingForms.get(subcommand);
  return reads === undefined || reads.test(rest.map((word) => word.replaceAll(/\s/g, "_")).join(" "))
    ? undefined
    : subcommand;
}

const takesValue = /^(?:-[cC]|--(?:git-dir|work-tree|namespace|config-env|super-prefix|attr-source))$/;

/** Whether a subcommand is one of git's own that can read; any other may be an alias, or a program of its own. */
export function isKnownGit(subcommand: string): boolean {
  return gitReads.has(subcommand) || readingForms.has(subcommand);
}

const gitReads = new Set(
  (
    "status log show diff blame annotate grep ls-files ls-tree cat-file rev-parse rev-list describe shortlog check-ignore " +
    "check-attr check-mailmap check-ref-format count-objects diff-tree diff-index diff-files for-each-ref version name-rev fsck " +
    "merge-base show-ref show-branch show-index var verify-commit verify-tag verify-pack whatchanged cherry range-diff " +
    "stripspace get-tar-commit-id patch-id"
  ).split(" "),
);

const showsBranches = "(?:-[avr]+|--(?:list|all|remotes|show-current|verbose|no-color|(?:sort|format)=\\S*))";

/** What follows a subcommand where it only reads: its words with blanks between them. */
const readingForms = new Map<string, RegExp>([
  [
    "branch",
    new RegExp(
      `^(?:${showsBranches}(?: |$))*$|^(?:-l|--(?:list|contains|merged|no-merged|points-at))(?: (?:(?!-)\\S*|${showsBranches}))*$`,
    ),
  ],
  ["tag", /^(?:(?:-l|--list)(?: (?!-)\S*)*)?$/],
  ["remote", /^(?:(?:-v|--verbose)(?: |$))*$|^get-url(?: |$)/],
  ["config", /^(?:--get|--get-all|--get-regexp|--list|-l|get|list)(?: |$)|^(?!-)\S+$/],
  ["stash", /^(?:list|show)(?: |$)/],
  ["worktree", /^list(?: |$)/],
  ["submodule", /^(?:status|summary)(?: |$)/],
  ["notes", /^(?:list|show)(?: |$)/],
  ["bisect", /^(?:log|view)(?: |$)/],
  ["reflog", /^(?:(?:show|exists)(?: .*)?)?$/],
  ["symbolic-ref", /^(?!-)\S+$/],
  ["hash-object", /^(?:(?!-)\S*(?: |$))*$/],
  ["bundle", /^(?:verify|list-heads)(?: |$)/],
]);
