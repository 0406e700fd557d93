import { isKnownGit } from "./git_commands.ts";
import { isDevice, isShell, programOf } from "./wrappers.ts";

/**
 * Whether what a command does cannot be told from its words: an interpreter is given code, or an option names
 * a program, or a file of settings that may name one. Of options only those are known that stand here.
 */
export function isGivenCode(argv: readonly string[]): boolean {
  const program = programOf(argv);
  const words = argv.slice(1);
  if (launchers.has(program)) return true;
  if (/^(?:python|pypy)[\d.]*$/.test(program)) return isGivenPython(words);
  if (/^node(?:js)?$/.test(program)) return isGivenNode(words);
  if (/^(?:deno|bun)$/.test(program)) return !/^(?:test|run|install|check|lint|fmt|--version)$/.test(words[0] ?? "");
  if (interpreters.test(program)) return takesCodeFirst(words);
  switch (program) {
    case "awk":
    case "gawk":
    case "mawk":
    case "nawk":
      return !isPlainAwk(words);
    case "sed":
    case "gsed":
      return !isPlainSed(words);
    case "printf":
    case "test":
    case "[":
    case "wait":
      // Their subscripts are evaluated, substitutions and all.
      return words.some((word) => /^-[vpR]$/.test(word) || /\[.*[$`]/s.test(word));
    case "git":
      return !(words[0] ?? "-").startsWith("-") && (!isKnownGit(words[0] ?? "") || startsOther(program, words));
    case "make":
    case "gmake":
      return words.some((word) => word.includes("=")) || startsOther(program, words);
    case "tar":
    case "bsdtar":
      return /^[a-zA-Z]*[IF]/.test(words[0] ?? "") || startsOther(program, words);
    default:
      return startsOther(program, words);
  }
}

/** Whether a shell or an interpreter runs what comes in by its standard input. */
export function runsItsInput(argv: readonly string[]): boolean {
  const program = programOf(argv);
  const words = argv.slice(1);
  if (!isShell(program) && !interpreters.test(program) && !/^(?:python|pypy|node)/.test(program)) return false;
  return words.every((word) => word.startsWith("-")) || words.some((word) => /^-s?$/.test(word) || isDevice(word));
}

/** They run what their other words say, here, elsewhere or later, each in a way of its own. */
const launchers = new Set(
  (
    "ssh scp sftp rsync parallel entr script strace ltrace gdb lldb perf valgrind expect unbuffer screen tmux at batch " +
    "crontab systemd-run chroot unshare nsenter flock runuser pkexec setpriv capsh faketime fakeroot proot firejail " +
    "bwrap docker podman kubectl sudo doas su ionice chrt taskset caffeinate arch start-stop-daemon run-parts socat nc " +
    "ncat vi vim nvim view ex ed emacs nano less more csh tcsh fish nu sshpass xvfb-run dbus-run-session"
  ).split(" "),
);

const interpreters =
  /^(?:perl|ruby|php|lua|luajit|rscript|tclsh|wish|osascript|pwsh|powershell|cmd|irb|jshell|groovy|scala|elixir|erl|julia|guile|sbcl|m4|bc|dc)[\d.]*$/;

function takesCodeFirst(words: readonly string[]): boolean {
  const [first] = words;
  if (first === undefined || isDevice(first)) return true;
  return first.startsWith("-") && !/^(?:-v|--version|--help)$/.test(first);
}

/** A module it is told to run lies in a file as a script does. */
function isGivenPython(words: readonly string[]): boolean {
  const at = words.findIndex((word) => !/^-[uBqIsSEO]+$/.test(word));
  const word = words[at];
  if (word === "-m") return words[at + 1] === undefined;
  return word === undefined || takesCodeFirst([word.replace(/^-V$/, "--version")]);
}

function isGivenNode(words: readonly string[]): boolean {
  const plain = /^--(?:test|test-only|test-name-pattern=.*|check|no-warnings|enable-source-maps)$/;
  const at = words.findIndex((word) => !plain.test(word));
  if (at < 0) return !words.includes("--test");
  return takesCodeFirst(words.slice(at));
}

function isPlainAwk(words: readonly string[]): boolean {
  let at = 0;
  while (/^-[Fv]/.test(words[at] ?? "")) at += (words[at] ?? "").length === 2 ? 2 : 1;
  const program = words[at];
  return program !== undefined && !program.startsWith("-") && !/system|getline|[|>@]/.test(program);
}

/** Prints lines, or replaces within them. */
function isPlainSed(words: readonly string[]): boolean {
  const at = words.findIndex((word) => !/^-[nErsuz]+$/.test(word));
  const script = words[at] ?? "";
  if (words.slice(at + 1).some((word) => word.startsWith("-"))) return false;
  return /^[\d,$]+[pdq]$/.test(script) || /^s([/|#,])(?:(?!\1)[^\n])*\1(?:(?!\1)[^\n])*\1[gpIi0-9]*$/.test(script);
}

/** Options that start other programs: their long names, and their letters. */
interface Starting {
  readonly names: string;
  readonly letters: string;
  /** The beginning of a long name is enough. */
  readonly abbreviates: boolean;
}

const npm =
  "script-shell shell node-options prefix userconfig globalconfig init-module editor viewer git call dir cwd scripts-prepend-node-path";
const git =
  "output ext-diff textconv open-files-in-pager upload-pack receive-pack exec exec-path extcmd paginate show-signature config-env git-dir work-tree";
const make = "eval directory file makefile include-dir";
const tar =
  "checkpoint-action to-command use-compress-program rsh-command rmt-command info-script new-volume-script index-file";

const abbreviating: readonly (readonly [programs: string, names: string, letters: string])[] = [
  ["git", git, "O"],
  ["npm pnpm yarn", npm, "cC"],
  ["make gmake", make, "CEfI"],
  ["tar", tar, "IF"],
  ["bsdtar", "use-compress-program", ""],
  ["sort", "compress-program output", "o"],
  ["split", "filter", ""],
  ["man", "pager html", "PH"],
  ["zip", "unzip-command", "T"],
  ["date", "set", "s"],
];
const exact: typeof abbreviating = [
  ["rg", "pre hostname-bin", ""],
  ["go", "exec toolexec vettool overlay modfile ldflags gcflags o C", ""],
  ["cargo", "config", "CZ"],
  ["pytest", "rootdir confcutdir override-ini", "pco"],
  ["tree", "", "o"],
  ["xxd", "", "r"],
  ["yq", "inplace", "i"],
];

const starting = new Map(
  [abbreviating, exact].flatMap((table) =>
    table.flatMap(([programs, names, letters]) => {
      const options: Starting = { names, letters, abbreviates: table === abbreviating };
      return programs.split(" ").map((program) => [program, options] as const);
    }),
  ),
);

function startsOther(program: string, words: readonly string[]): boolean {
  const risk = starting.get(program);
  if (risk === undefined) return false;
  const end = words.indexOf("--");
  const names = risk.names.split(" ");
  return words.slice(0, end < 0 ? words.length : end).some((word) => {
    if (!/^-./.test(word)) return false;
    const name = word.replace(/^-+/, "").replace(/=.*/s, "").toLowerCase();
    const isNamed = names.some((known) => known === name || (risk.abbreviates && isBeginning(word, name, known)));
    return isNamed || (/^-[^-]/.test(word) && Array.from(risk.letters).some((letter) => word.includes(letter)));
  });
}

/** npm takes one dash for two. */
function isBeginning(word: string, name: string, known: string): boolean {
  return known.startsWith(name) && (word.startsWith("--") || name.length > 3);
}
