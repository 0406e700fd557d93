import { posix } from "node:path";

/** What a command starts besides itself, as far as its words tell it. */
export interface Inside {
  /** Commands it starts, as words. */
  readonly runs: readonly (readonly string[])[];
  /** Lines it gives to a shell. */
  readonly lines: readonly string[];
  readonly assignments: readonly (readonly [name: string, value: string])[];
  /** What it starts gets further words, which are not known yet. */
  readonly open: boolean;
  /** It does nothing but start what it names. */
  readonly plain: boolean;
  /** Why only a rule that spells out all its words may allow it. */
  readonly runsCode: boolean;
}

const nothing: Inside = { runs: [], lines: [], assignments: [], open: false, plain: false, runsCode: false };
const code: Inside = { ...nothing, runsCode: true };

/** The name of a program, by which it is denied or asked for: without its folder, in small letters as some disks have it. */
export function programOf(argv: readonly string[]): string {
  return posix
    .basename((argv[0] ?? "").replaceAll("\\", "/"))
    .toLowerCase()
    .replace(/\.exe$/, "");
}

export function inside(argv: readonly string[]): Inside {
  const program = programOf(argv);
  const words = argv.slice(1);
  const wrapper = wrappers.get(program);
  if (wrapper !== undefined) return throughWrapper(wrapper, words);
  if (isShell(program)) return throughShell(words);
  switch (program) {
    case "command":
      if (/^-\w*[vV]/.test(words[0] ?? "")) return nothing;
      return throughWrapper({ options: "p", plain: true }, words);
    case "find":
      return throughFind(words);
    case "fd":
    case "fdfind":
      return throughFd(words);
    case "watch":
      return throughWatch(words);
    case "git":
      return throughGit(words);
    case "export":
    case "declare":
    case "typeset":
    case "local":
    case "readonly":
      return { ...nothing, assignments: words.filter((word) => !word.startsWith("-")).map(assignment) };
    default:
      return nothing;
  }
}

/** Takes the command line that it is given with -c. */
export function isShell(program: string): boolean {
  return /^(?:ba|rba|da|z|a|k|mk)?sh$/.test(program);
}

interface Wrapper {
  /** The options known, by letter or long name; a colon stands behind those that take a value. */
  readonly options?: string;
  /** How many words of its own stand before the program. */
  readonly operands?: number;
  readonly takesAssignments?: boolean;
  readonly open?: boolean;
  readonly plain?: boolean;
}

const xargsOptions =
  "0 r t x p null no-run-if-empty verbose exit interactive n: L: P: s: I: d: E: a: max-args: max-lines: max-procs: " +
  "max-chars: replace: delimiter: eof: arg-file: process-slot-var:";
const timeoutOptions = "f p v foreground preserve-status verbose k: s: kill-after: signal:";
const envOptions = "i 0 v ignore-environment null debug u: unset:";

const wrappers = new Map<string, Wrapper>([
  ["nohup", { plain: true }],
  ["nice", { options: "0 1 2 3 4 5 6 7 8 9 n: adjustment:", plain: true }],
  ["time", { options: "p v portability verbose", takesAssignments: true, plain: true }],
  ["timeout", { options: timeoutOptions, operands: 1, plain: true }],
  ["stdbuf", { options: "i: o: e: input: output: error:", plain: true }],
  ["setsid", { options: "c f w ctty fork wait" }],
  ["env", { options: envOptions, takesAssignments: true }],
  ["builtin", {}],
  ["exec", { options: "c l a:" }],
  ["busybox", {}],
  ["toybox", {}],
  ["-", {}],
  ["noglob", {}],
  ["nocorrect", {}],
  ["xargs", { options: xargsOptions, open: true }],
]);

function throughWrapper(wrapper: Wrapper, words: readonly string[]): Inside {
  const start = afterOptions(wrapper.options ?? "", words);
  if (start === undefined) return { ...code, runs: suffixes(words) };
  let rest = words.slice(start + (wrapper.operands ?? 0));
  // `time` is a keyword too, and takes what a line may begin with.
  if (rest[0] === "!") rest = rest.slice(1);
  const named = wrapper.takesAssignments ? rest.findIndex((word) => !isAssignment(word)) : 0;
  const assigned = named < 0 ? rest : rest.slice(0, named);
  rest = rest.slice(assigned.length);
  return {
    ...nothing,
    runs: rest.length > 0 ? [rest] : [],
    assignments: assigned.map(assignment),
    open: wrapper.open === true,
    plain: wrapper.plain === true,
  };
}

/** Where an option is not known, the program may be any word behind it. */
function suffixes(words: readonly string[]): string[][] {
  return words.slice(0, 20).map((_, at) => words.slice(at));
}

function isAssignment(word: string): boolean {
  return /^[^=]+=/.test(word);
}

function assignment(word: string): [string, string] {
  const [name = "", ...value] = word.split("=");
  return [name, value.join("=")];
}

/** Where the first word stands that is no option; undefined where an option is not known. */
function afterOptions(options: string, words: readonly string[]): number | undefined {
  const known = new Set(options.split(" "));
  let at = 0;
  for (; at < words.length; at += 1) {
    const word = words[at] ?? "";
    if (word === "--") return at + 1;
    if (!/^-./.test(word)) return at;
    if (word.startsWith("--")) {
      const [name = "", value] = word.slice(2).split("=", 2);
      if (name.length < 2) return undefined;
      if (known.has(`${name}:`)) at += value === undefined ? 1 : 0;
      else if (value !== undefined || !known.has(name)) return undefined;
      continue;
    }
    const letters = word.slice(1);
    const last = Array.from(letters).findIndex((letter) => !known.has(letter));
    if (last < 0) continue;
    if (!known.has(`${letters[last]}:`)) return undefined;
    if (last === letters.length - 1) at += 1;
  }
  return at;
}

function throughShell(words: readonly string[]): Inside {
  let [takesLine, isPlain, at] = [false, true, 0];
  for (; at < words.length; at += 1) {
    const word = words[at] ?? "";
    if (word === "--" || word === "-") {
      at += 1;
      break;
    }
    if (!/^[-+]/.test(word)) break;
    if (word !== "-c") isPlain = false;
    if (/^--(?:norc|noprofile|posix|login|verbose)$/.test(word)) continue;
    if (!/^[-+][ceuxvnflo]+$/.test(word)) return { ...code, lines: words.slice(at + 1, at + 3) };
    takesLine ||= word.startsWith("-") && word.includes("c");
    if (!word.includes("o")) continue;
    at += 1;
    if (!/^(?:pipefail|errexit|nounset|xtrace)$/.test(words[at] ?? "")) return code;
  }
  const operand = words[at];
  if (takesLine) return operand === undefined ? code : { ...nothing, lines: [operand], plain: isPlain };
  return operand === undefined || isDevice(operand) ? code : nothing;
}

/** A file that is whatever comes in. */
export function isDevice(path: string): boolean {
  return /^\/(?:dev|proc)\//.test(posix.normalize(path));
}

/** What find deletes counts as deleted by rm; where it deletes whatever it finds, with all that lies in it. */
function throughFind(words: readonly string[]): Inside {
  const runs = words.flatMap((word, at) => {
    if (!/^-(?:exec|execdir|ok|okdir)$/.test(word)) return [];
    const rest = words.slice(at + 1);
    const end = rest.findIndex((word) => word === ";" || word === "+");
    return [end < 0 ? rest : rest.slice(0, end)];
  });
  const first = words.findIndex((word) => /^[-(!]/.test(word));
  const folders = first < 0 ? [...words] : words.slice(0, first);
  if (words.includes("-delete")) {
    const isFiltered = words
      .slice(first)
      .some((word) => word.startsWith("-") && !/^-(?:delete|depth|type)$/.test(word));
    const from = folders.length > 0 ? folders : ["."];
    runs.push(isFiltered ? ["rm", "--", "{}"] : ["rm", "-r", "--", ...from]);
  }
  const writesFile = words.some((word) => /^-(?:fprint|fprint0|fprintf|fls)$/.test(word));
  return { ...nothing, runs, open: true, runsCode: writesFile };
}

function throughFd(words: readonly string[]): Inside {
  const at = words.findIndex((word) => /^(?:-[a-zA-Z]*[xX]|--exec(?:-batch)?)(?:=|$)/.test(word));
  return at < 0 ? nothing : { ...code, runs: suffixes(words.slice(at)), open: true };
}

/** Joins its words to a line for a shell. */
function throughWatch(words: readonly string[]): Inside {
  const start = afterOptions("b c d e g t x n: q: interval:", words);
  if (start === undefined) return { ...code, runs: suffixes(words) };
  return { ...nothing, lines: [words.slice(start).join(" ")] };
}

/** Options before the subcommand can name programs, or a folder whose settings do. */
function throughGit(words: readonly string[]): Inside {
  const harmless = "P no-pager no-optional-locks literal-pathspecs no-replace-objects no-lazy-fetch no-advice";
  const risky =
    "p c: C: paginate bare glob-pathspecs noglob-pathspecs icase-pathspecs git-dir: work-tree: namespace: config-env: " +
    "super-prefix: attr-source: exec-path:";
  if (!words[0]?.startsWith("-")) return nothing;
  if (/^(?:--version|--help|-v|-h)$/.test(words[0])) return nothing;
  const isHarmless = afterOptions(harmless, words);
  const start = isHarmless ?? afterOptions(`${harmless} ${risky}`, words);
  const rest = start === undefined ? suffixes(words) : [words.slice(start)];
  const runs = rest.filter((words) => words.length > 0).map((words) => ["git", ...words]);
  return { ...nothing, runs, plain: isHarmless !== undefined, runsCode: isHarmless === undefined };
}
