import { isGivenCode } from "./code_given.ts";
import { simpleCommands } from "./shell_commands.ts";
import type { SimpleCommand } from "./shell_commands.ts";
import { opaque } from "./shell_words.ts";
import type { Opaque } from "./shell_words.ts";
import { inside, programOf } from "./wrappers.ts";

/** A command with all that it starts in its turn (by `env`, `xargs`, `sh -c`, `find -exec` …), as its words tell. */
export interface ShellCommand extends SimpleCommand {
  /** Its words become more when it runs, as those do that xargs starts. */
  readonly open: boolean;
  /** It is given code, or options that start other programs: what it does cannot be told from its words. */
  readonly runsCode: boolean;
  /** It does nothing of its own: to allow what it starts is to allow it. */
  readonly plain: boolean;
  readonly starts: readonly ShellCommand[];
}

export type Shell = { readonly type: "commands"; readonly commands: readonly ShellCommand[] } | Opaque;

/** Reads a line of bash or sh into the commands it would run; opaque where that cannot be known before it runs. */
export function parseShell(line: string): Shell {
  const commands = commandsOf(line, { left: mostCommands }, 0);
  return isOpaque(commands) ? commands : { type: "commands", commands };
}

/** A command and all that it starts. */
export function withStarted(command: ShellCommand): ShellCommand[] {
  return [command, ...command.starts.flatMap(withStarted)];
}

const mostCommands = 200;
const deepest = 8;

type Read<T extends object> = T | Opaque;

/** How many commands may still come. */
interface Room {
  left: number;
}

function commandsOf(line: string, room: Room, depth: number): Read<readonly ShellCommand[]> {
  const simple = simpleCommands(line);
  if (isOpaque(simple)) return simple;
  return allOf(simple.map((command) => () => withStarts(command, false, room, depth)));
}

function withStarts(command: SimpleCommand, open: boolean, room: Room, depth: number): Read<readonly ShellCommand[]> {
  const { argv } = command;
  const program = programOf(argv);
  room.left -= 1;
  if (room.left < 0) return opaque(`it holds more than ${mostCommands} commands`);
  if (depth > deepest) return opaque(`its commands start one another more than ${deepest} times`);
  if (shellChangers.has(program)) return opaque(`${program} changes the shell that runs what follows`);
  const found = inside(argv);
  if (found.lines.length > 0 && command.globs.length > 0) {
    return opaque("a pattern of file names stands among the words of a shell");
  }
  const starts = allOf([
    ...found.lines.map((line) => () => commandsOf(line, room, depth + 1)),
    ...found.runs.map((run) => () => {
      const started = tailOf(command, run);
      return isOpaque(started) ? started : withStarts(started, open || found.open, room, depth + 1);
    }),
  ]);
  if (isOpaque(starts)) return starts;
  const assignments = [...command.assignments, ...found.assignments];
  const runsCode = found.runsCode || isGivenCode(argv);
  return [{ ...command, assignments, open, runsCode, plain: found.plain, starts }];
}

/** What stands behind the words of its own; where the tail is not the end, as with find, its words are open anyway. */
function tailOf({ argv, globs }: SimpleCommand, run: readonly string[]): Read<SimpleCommand> {
  const before = argv.length - run.length;
  if (globs.some((index) => index <= before)) return opaque("a pattern of file names may stand for the program");
  const nothing = { assignments: [], writes: [], reads: [] };
  return { ...nothing, argv: run, globs: globs.map((index) => index - before) };
}

function allOf(parts: readonly (() => Read<readonly ShellCommand[]>)[]): Read<readonly ShellCommand[]> {
  const all: ShellCommand[] = [];
  for (const part of parts) {
    const read = part();
    if (isOpaque(read)) return read;
    all.push(...read);
  }
  return all;
}

function isOpaque(read: object): read is Opaque {
  return "type" in read && read.type === "opaque";
}

const shellChangers = new Set(
  (
    "eval source . alias unalias trap enable hash shopt set bind complete compgen fc history mapfile readarray read " +
    "unset getopts let"
  ).split(" "),
);
