import { posix } from "node:path";
import { isKnownGit } from "./git_commands.ts";

/** The name by which a program is denied or asked for: without its folder, in small letters as some disks have it. */
export function programOf(argv: readonly string[]): string {
  return posix
    .basename((argv[0] ?? "").replaceAll("\\", "/"))
    .toLowerCase()
    .replace(/\.exe$/, "");
}

/** Whether what a command does cannot be told from its words: it starts other programs, or it is given code. */
export function isOpaqueCommand(argv: readonly string[]): boolean {
  const program = programOf(argv);
  const [first = "", ...further] = argv.slice(1);
  // The options of tar may come without their dash.
  const words =
    argv.length < 2 ? [] : [/^(?:bsd)?tar$/.test(program) ? first.replace(/^(?!-)/, "-") : first, ...further];
  if (startsOthers.has(program)) return true;
  if (wrappers.has(program)) return words.length > 0 && !(program === "command" && /^-\w*[vV]/.test(first));
  if (/^(?:deno|bun)$/.test(program)) return !/^(?:test|run|install|check|lint|fmt|--version)$/.test(first);
  const harmless = interpreters.find(([programs]) => programs.test(program))?.[1];
  if (harmless !== undefined) return isGivenCode(words, harmless);
  if (/^[gmn]?awk$/.test(program)) return !isPlainAwk(words);
  if (/^g?sed$/.test(program)) return !isPlainSed(words);
  if (program === "git" && words.length > 0 && !/^(?:--version|--help|-v|-h)$/.test(first) && !isKnownGit(first)) {
    return true;
  }
  const end = words.indexOf("--");
  const options = end < 0 ? words : words.slice(0, end + 1);
  return givesCode.some(([programs, word]) => programs.test(program) && options.some((each) => word.test(each)));
}

/** Whether a shell or an interpreter runs what comes in by its standard input. */
export function runsItsInput(argv: readonly string[]): boolean {
  const program = programOf(argv);
  const words = argv.slice(1);
  if (!interpreters.some(([programs]) => programs.test(program))) return false;
  return words.every((word) => word.startsWith("-")) || words.some((word) => /^-s?$/.test(word) || isDevice(word));
}

/** They run what their other words say, here, elsewhere or later, each in a way of its own. */
const startsOthers = new Set(
  (
    "ssh scp sftp rsync parallel entr script strace ltrace gdb lldb perf valgrind expect unbuffer screen tmux at batch " +
    "crontab systemd-run chroot unshare nsenter flock runuser pkexec setpriv capsh faketime fakeroot proot firejail " +
    "bwrap docker podman kubectl sudo doas su ionice chrt taskset caffeinate arch start-stop-daemon run-parts socat nc " +
    "ncat vi vim nvim view ex ed emacs nano less more csh tcsh fish nu sshpass xvfb-run dbus-run-session setsid watch " +
    "busybox toybox - noglob nocorrect"
  ).split(" "),
);

/** They only start another program. Where their own words are not understood, that program is not known. */
const wrappers = new Set("nohup nice time timeout stdbuf env command builtin exec".split(" "));

/** They are given code, unless a script comes first; and the options that may stand before the script. */
const interpreters: readonly (readonly [programs: RegExp, harmless: RegExp])[] = [
  [/^(?:ba|rba|da|z|a|k|mk)?sh$/, /^[-+][euxvnfl]+$/],
  [/^(?:python|pypy)[\d.]*$/, /^-(?:[uBqIsSEO]+|m)$/],
  [/^node(?:js)?$/, /^--(?:test|test-only|test-name-pattern=.*|check|no-warnings|enable-source-maps)$/],
  [
    /^(?:perl|ruby|php|lua|luajit|rscript|tclsh|wish|osascript|pwsh|powershell|cmd|irb|jshell|groovy|scala|elixir|erl|julia|guile|sbcl|m4|bc|dc)[\d.]*$/,
    /^$/,
  ],
];

function isGivenCode(words: readonly string[], harmless: RegExp): boolean {
  const script = words.find((word) => !harmless.test(word));
  if (script === undefined) return !words.includes("--test");
  return isDevice(script) || (script.startsWith("-") && !/^(?:-[vV]|--version|--help)$/.test(script));
}

/** A file that is whatever comes in. */
function isDevice(path: string): boolean {
  return /^\/(?:dev|proc)\//.test(posix.normalize(path));
}

/**
 * Words by which a program starts another one, writes a file of its own, or reads settings that may name a program.
 * Most programs take the beginning of an option for the whole. What follows "--" are no options, except where "--" is
 * listed itself.
 */
const givesCode: readonly (readonly [programs: RegExp, word: RegExp])[] = [
  [/^find$/, /^-(?:exec|execdir|ok|okdir|delete|fprint0?|fprintf|fls|-)$/],
  [/^fd(?:find)?$/, /^-(?!-).*[xX]|^--exec/],
  [/^xargs$/, /^(?!-.|\d+$)|^--$/],
  // Their subscripts are evaluated, with the substitutions in them.
  [/^(?:printf|test|\[|wait)$/, /^-[vpR-]$|\[.*[$`]/s],
  [/^git$/, /^-(?!-).*O|^--(?:ou|op|ext|exe|textc|up|show-sig)/],
  [/^p?npm$|^yarn$/, /^-(?!-).*[cC]|^--?(?:scr|she|nod|prefi|userc|globalc|init-m|ed|vi|git(?:=|$)|cal|dir|cw)/],
  [/^g?make$/, /=|^--$|^-(?!-).*[CEfI]|^--(?:ev|di|f|mak|in)/],
  [/^(?:bsd)?tar$/, /^-(?!-).*[IF]|^--(?:checkpoint-|to-c|us|rs|rm|inf|new-|ind)/],
  [/^sort$/, /^-(?!-).*o|^--(?:co|o)/],
  [/^split$/, /^--f/],
  [/^man$/, /^-(?!-).*[PH]|^--(?:pag|ht)/],
  [/^zip$/, /^-(?!-).*T|^--un/],
  [/^date$/, /^-(?!-).*s|^--s/],
  [/^rg$/, /^--(?:pre|hostname-bin)(?:=|$)/],
  [/^go$/, /^--?(?:exec|toolexec|vettool|overlay|modfile|ldflags|gcflags|o|C)(?:=|$)/],
  [/^cargo$/, /^-(?!-).*[CZ]|^--config(?:=|$)/],
  [/^pytest$/, /^-(?!-).*[pco]|^--(?:rootdir|confcutdir|override-ini)(?:=|$)/],
  [/^tree$/, /^-(?!-).*o/],
  [/^xxd$/, /^-(?!-).*r/],
  [/^yq$/, /^-(?!-).*i|^--inplace/],
];

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
