import { posix } from "node:path";
import { closedBecause, relativePath } from "../../workspace/place.ts";
import { forbiddenBecause, forbiddenWithin, wordsWithin, writtenBy } from "./forbidden.ts";
import { programOf } from "./opaque_commands.ts";
import { isSpelledOut, matchesPath, mayMatch, readRule, surelyMatches } from "./rules.ts";
import type { Rule } from "./rules.ts";
import { commandsWithin, parseShell, withStarted } from "./shell.ts";
import type { ShellCommand } from "./shell.ts";
import { shorten } from "../../util/shorten.ts";

/** What may be done without asking: nothing but looking, what a rule allows, changes of files too, all. */
export const modes = ["read", "ask", "edits", "full"] as const;
export type Mode = (typeof modes)[number];

export interface Judgement {
  readonly verdict: "allow" | "ask" | "deny";
  /** A sentence. */
  readonly why: string;
  /** It asks because a rule says so, and not only because none allows it. */
  readonly ruled?: true;
}

export interface Rules extends Readonly<Record<RuleKind, readonly Rule[]>> {
  /** Folders of the workspace that are ours, and closed to writing. */
  readonly hidden: readonly string[];
}

type RuleKind = "allow" | "ask" | "deny";
export type RuleTexts = Readonly<Record<RuleKind, readonly string[]>>;

/** The texts have been checked where they came in. */
export function compile(texts: RuleTexts, hidden: readonly string[] = [".claude-exec"]): Rules {
  const read = (text: string) => {
    const rule = readRule(text);
    if ("problem" in rule) throw new Error(`${JSON.stringify(text)} is no rule: ${rule.problem}.`);
    return rule;
  };
  return { allow: texts.allow.map(read), ask: texts.ask.map(read), deny: texts.deny.map(read), hidden };
}

/**
 * Judges a line of shell by all it would run: deny beats ask, ask beats allow, and where no rule speaks it asks. A line
 * is opaque if it cannot be read, or if one of its commands is: then each of its words may be a program.
 * It judges what is written; what an allowed program does is held by the sandbox.
 */
export function judgeCommand(line: string, rules: Rules): Judgement {
  const shell = parseShell(line);
  const commands = shell.type === "opaque" ? [] : shell.commands.flatMap(withStarted);
  const isOpaque = shell.type === "opaque" || commands.some((command) => command.isOpaque);
  const words = commands.map(({ argv }) => argv.slice(1).join(" ")).join("\n");
  const text = shell.type === "opaque" ? line : isOpaque ? words : "";
  const possible = [...commands, ...commands.flatMap(commandsWithin)];
  const denied =
    forbiddenBecause(possible, rules.hidden) ??
    firstOf(possible, (each) => deniedBecause(each, rules)) ??
    forbiddenWithin(text) ??
    namedWithin(text, rules.deny, "denies");
  if (denied !== undefined) return deny(denied);
  const ruled = firstOf(commands, (each) => ruledBecause(each, rules)) ?? namedWithin(text, rules.ask, "asks for");
  if (ruled !== undefined) return { ...ask(ruled), ruled: true };
  if (shell.type === "opaque") return ask(`What it runs cannot be known before it runs: ${shell.why}.`);
  if (commands.length === 0) return ask("It runs nothing.");
  const doubt = movedBecause(commands) ?? firstOf(commands, (each) => doubtOf(each, rules));
  if (doubt !== undefined) return ask(doubt);
  const open = shell.commands.find((command) => !isAllowed(command, rules));
  return open === undefined ? allow("Rules allow all that it runs.") : ask(askedBecause(open, rules));
}

/**
 * Judges a path by its letters; whoever follows links judges where they lead as well. Where no rule speaks, reading
 * is allowed and writing asks.
 */
export function judgePath(path: string, purpose: "read" | "write", rules: Rules): Judgement {
  const plain = relativePath(path);
  if (typeof plain !== "string") return ask(plain.text);
  const closed = closedBecause(plain, rules.hidden, purpose);
  if (closed !== undefined) return deny(`${JSON.stringify(plain)} ${closed}.`);
  const ruled = byRule(plain, purpose, rules);
  if (ruled !== undefined) return ruled;
  return purpose === "read" ? allow("Reading is allowed.") : ask(`No rule allows to write ${JSON.stringify(plain)}.`);
}

function byRule(path: string, purpose: "read" | "write", rules: Rules): Judgement | undefined {
  const rule = (list: readonly Rule[]) => list.find((rule) => rule.type === purpose && matchesPath(rule.glob, path));
  const [denies, asks, allows] = [rule(rules.deny), rule(rules.ask), rule(rules.allow)];
  if (denies) return deny(`The rule "${denies.text}" denies it.`);
  if (asks) return { ...ask(`The rule "${asks.text}" asks.`), ruled: true };
  return allows && allow(`The rule "${allows.text}" allows it.`);
}

function allow(why: string): Judgement {
  return { verdict: "allow", why };
}

function ask(why: string): Judgement {
  return { verdict: "ask", why };
}

function deny(why: string): Judgement {
  return { verdict: "deny", why };
}

function firstOf(commands: readonly ShellCommand[], because: (command: ShellCommand) => string | undefined) {
  for (const command of commands) {
    const why = because(command);
    if (why !== undefined) return why;
  }
  return undefined;
}

function deniedBecause(command: ShellCommand, rules: Rules): string | undefined {
  const rule = rules.deny.find((rule) => rule.type === "run" && mayMatch(rule, command));
  if (rule !== undefined) return `The rule "${rule.text}" denies ${shown(command)}.`;
  return judgedPaths(command, rules).find(({ verdict }) => verdict === "deny")?.why;
}

/** The files that its redirections open, and those of its words for which there is a rule. */
function judgedPaths(command: ShellCommand, rules: Rules): Judgement[] {
  return [...judgedFiles(command, rules), ...judgedWords(command, rules)];
}

/** The files its redirections open. */
function judgedFiles({ writes, reads }: ShellCommand, rules: Rules): Judgement[] {
  return [
    ...writes.map((path) => judgeRedirection(path, "write", rules)),
    ...reads.map((path) => judgeRedirection(path, "read", rules)),
  ];
}

/** The words that name a file for which there is a rule, though what the program does with it is not known. */
function judgedWords({ argv }: ShellCommand, rules: Rules): Judgement[] {
  const judged = (path: string, purpose: "read" | "write") => {
    const plain = relativePath(path);
    return typeof plain === "string" ? byRule(plain, purpose, rules) : undefined;
  };
  const found = [
    ...namedBy(argv).map((path) => judged(path, "read")),
    ...writtenBy(argv).map((path) => judged(path, "write")),
  ];
  return found.filter((judgement) => judgement !== undefined);
}

function namedBy(argv: readonly string[]): string[] {
  return argv.slice(1).flatMap((word) => word.split(/[=:@,]/));
}

function namedWithin(text: string, list: readonly Rule[], does: "denies" | "asks for"): string | undefined {
  const words = new Set(wordsWithin(text));
  const rule = list.find((rule) => rule.type === "run" && words.has(programOf([rule.words[0] ?? ""])));
  return rule && `The rule "${rule.text}" ${does} a program whose name occurs in it.`;
}

/** A rule that asks, for the command or for a file that it names. */
function ruledBecause(command: ShellCommand, rules: Rules): string | undefined {
  const rule = rules.ask.find((rule) => rule.type === "run" && mayMatch(rule, command));
  if (rule !== undefined) return `The rule "${rule.text}" asks for ${shown(command)}.`;
  return judgedPaths(command, rules).find(({ ruled }) => ruled)?.why;
}

function doubtOf(command: ShellCommand, rules: Rules): string | undefined {
  const [assigned] = command.assignments;
  if (assigned !== undefined) return `It sets ${assigned[0]}, by which programs may do something else.`;
  const path = judgedFiles(command, rules).find(({ verdict }) => verdict !== "allow");
  const word = judgedWords(command, rules).find(({ verdict }) => verdict === "ask");
  if (path ?? word) return (path ?? word)?.why;
  const closed = namedBy(command.argv).find((word) => isClosed(word, rules));
  return closed === undefined ? undefined : `It names ${JSON.stringify(closed)}, which is closed.`;
}

function isClosed(word: string, { hidden }: Rules): boolean {
  const isExample = word.endsWith(".env.example");
  return closedBecause(posix.normalize(word), hidden, isExample ? "read" : "write") !== undefined;
}

function judgeRedirection(path: string, purpose: "read" | "write", rules: Rules): Judgement {
  if (/^\/dev\/(?:null|stdin|stdout|stderr)$/.test(path)) return allow("It is no file.");
  if (/^\/+dev\/(?!fd|shm|tty|pts|tcp|udp)/.test(path) && purpose === "write")
    return deny(`${JSON.stringify(path)} is a device.`);
  const closed = closedBecause(path, rules.hidden, purpose);
  return closed === undefined ? judgePath(path, purpose, rules) : deny(`${JSON.stringify(path)} ${closed}.`);
}

/** A file that is named from another folder is another file than the rules mean. */
function movedBecause(commands: readonly ShellCommand[]): string | undefined {
  const moves = commands.some(({ argv }) => changesFolder(argv));
  return moves && commands.some(({ writes, reads }) => writes.length + reads.length > 0)
    ? "It changes the folder, and redirects to a file from there."
    : undefined;
}

function changesFolder(argv: readonly string[]): boolean {
  return /^(?:cd|pushd|popd|chdir)$/.test(programOf(argv));
}

function askedBecause(command: ShellCommand, rules: Rules): string {
  const inner = command.starts.find((each) => !isAllowed(each, rules));
  if (inner !== undefined) return askedBecause(inner, rules);
  const isNamed = rules.allow.some((rule) => rule.type === "run" && mayMatch(rule, command));
  return `${isNamed ? "Only a rule that spells out all its words" : "No rule"} allows ${shown(command)}.`;
}

/** What only starts other commands is allowed with these. */
function isAllowed(command: ShellCommand, rules: Rules): boolean {
  const { argv, globs, starts, isOpaque } = command;
  // Redirections of a group; they are judged by their files.
  if (argv.length === 0) return true;
  const run = rules.allow.filter((rule) => rule.type === "run");
  if (globs.length === 0 && run.some((rule) => isSpelledOut(rule, argv))) return true;
  if (starts.length > 0) return starts.every((each) => isAllowed(each, rules));
  return !isOpaque && !changesFolder(argv) && run.some((rule) => surelyMatches(rule, command));
}

function shown({ argv }: ShellCommand): string {
  return JSON.stringify(shorten(argv.join(" "), 80));
}
