import { isOpaqueCommand, programOf } from "./opaque_commands.ts";
import { simpleCommands } from "./shell_commands.ts";
import type { SimpleCommand } from "./shell_commands.ts";
import { opaque } from "./shell_words.ts";
import type { Opaque } from "./shell_words.ts";

export interface ShellCommand extends SimpleCommand {
  /** What it does cannot be told from its words: it starts other programs, or it is given code. */
  readonly isOpaque: boolean;
  /** What it starts, where it does nothing else, e.g. "timeout 5 npm test" → "npm test". */
  readonly starts: readonly ShellCommand[];
}

export type Shell = { readonly type: "commands"; readonly commands: readonly ShellCommand[] } | Opaque;

/** Reads a line of bash or sh into the commands it would run; opaque where that cannot be known before it runs. */
export function parseShell(line: string): Shell {
  const simple = simpleCommands(line);
  if ("type" in simple) return simple;
  const commands: ShellCommand[] = [];
  for (const command of simple) {
    const read = readThrough(command);
    if ("type" in read) return read;
    commands.push(read);
  }
  return { type: "commands", commands };
}

/** A command and all that it starts. */
export function withStarted(command: ShellCommand): ShellCommand[] {
  return [command, ...command.starts.flatMap(withStarted)];
}

/** What the words of an opaque command would be as lines of a shell, e.g. "watch 'git status'" → "git status". */
export function commandsWithin({ argv, isOpaque }: ShellCommand): ShellCommand[] {
  const lines = isOpaque ? argv.slice(1).filter((word) => /\s/.test(word)) : [];
  return lines.flatMap((line) => {
    const shell = parseShell(line);
    const commands = shell.type === "opaque" ? [] : shell.commands.flatMap(withStarted);
    return [...commands, ...commands.flatMap(commandsWithin)];
  });
}

function readThrough(command: SimpleCommand): ShellCommand | Opaque {
  const { argv, globs } = command;
  const program = programOf(argv);
  if (shellChangers.has(program)) return opaque(`${program} changes the shell that runs what follows`);
  const line = lineGiven(argv);
  if (line !== undefined) {
    if (globs.length > 0) return opaque("a pattern of file names stands among the words of a shell");
    const shell = parseShell(line);
    if (shell.type === "opaque") return shell;
    if (shell.commands.length > 0) return { ...command, isOpaque: false, starts: shell.commands };
  }
  const started = startedBy(command);
  if (started === undefined) return { ...command, isOpaque: isOpaqueCommand(argv), starts: [] };
  const starts = readThrough(started);
  return "type" in starts ? starts : { ...command, isOpaque: false, starts: [starts] };
}

/** What a shell is given with -c, e.g. "bash -euo pipefail -c 'npm test'" → "npm test". */
function lineGiven([program = "", ...words]: readonly string[]): string | undefined {
  const at = words.findIndex((word) => /^-[euxvl]*c$/.test(word));
  const isKnown = /^(?:-[euxvl]+ |-[euxvl]*o pipefail )*-\w+$/.test(words.slice(0, at + 1).join(" "));
  return isKnown && /^(?:ba|da|z|k)?sh$/.test(program) ? words[at + 1] : undefined;
}

/** Undefined where it starts nothing, or where not all of its own words are understood. */
function startedBy({ argv, globs }: SimpleCommand): SimpleCommand | undefined {
  const [name = ""] = argv;
  const own = wrappers.get(name);
  if (own === undefined) return undefined;
  let at = 1;
  while (/^-./.test(argv[at] ?? "")) {
    const option = argv[at] ?? "";
    at += own.valued?.test(option) ? 2 : 1;
    if (option === "--") break;
    if (!own.valued?.test(option) && !own.flags?.test(option)) return undefined;
  }
  at += name === "timeout" ? 1 : 0;
  const assigned = at;
  if (name === "env") while (/^[^=]+=/.test(argv[at] ?? "")) at += 1;
  const program = argv[at] ?? "";
  const isUnclear = program === "" || /=|^!$/.test(program) || globs.some((index) => index <= at);
  if (isUnclear || (name === "git" && at === 1)) return undefined;
  const assignments = argv.slice(assigned, at).map((word): [string, string] => {
    const [variable = "", ...value] = word.split("=");
    return [variable, value.join("=")];
  });
  const from = name === "git" ? at - 1 : at;
  const started = name === "git" ? ["git", ...argv.slice(at)] : argv.slice(at);
  return { argv: started, globs: globs.map((index) => index - from), assignments, writes: [], reads: [] };
}

/** Programs that only start another one: the options they take alone, and those that take a value. */
const wrappers = new Map<string, { readonly flags?: RegExp; readonly valued?: RegExp }>([
  ["nohup", {}],
  ["builtin", {}],
  ["nice", { flags: /^-n?\d+$|^--adjustment=/, valued: /^(?:-n|--adjustment)$/ }],
  ["time", { flags: /^-[pv]$|^--(?:portability|verbose)$/ }],
  [
    "timeout",
    {
      flags: /^-(?:[fpv]+|[ks].+)$|^--(?:foreground|preserve-status|verbose|(?:kill-after|signal)=.*)$/,
      valued: /^(?:-[ks]|--(?:kill-after|signal))$/,
    },
  ],
  ["stdbuf", { flags: /^-[ioe].|^--(?:input|output|error)=/, valued: /^(?:-[ioe]|--(?:input|output|error))$/ }],
  ["env", { flags: /^(?:-[iv0]|--ignore-environment|-u.+|--unset=.*)$/, valued: /^(?:-u|--unset)$/ }],
  ["command", { flags: /^-p$/ }],
  ["exec", { flags: /^-[cl]+$/, valued: /^-a$/ }],
  ["git", { flags: /^(?:-P|--no-(?:pager|optional-locks|replace-objects|lazy-fetch|advice)|--literal-pathspecs)$/ }],
]);

const shellChangers = new Set(
  (
    "eval source . alias unalias trap enable hash shopt set bind complete compgen fc history mapfile readarray read " +
    "unset getopts let export declare typeset local readonly"
  ).split(" "),
);
