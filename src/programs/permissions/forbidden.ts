import { posix } from "node:path";
import { closedBecause } from "../../workspace/place.ts";
import { gitWriteOf, gitWrites } from "./git_commands.ts";
import { programOf, runsItsInput } from "./opaque_commands.ts";
import type { ShellCommand } from "./shell.ts";

/** Why commands are never run, whatever the rules and the mode say. Any word of an opaque command may be a program. */
export function forbiddenBecause(commands: readonly ShellCommand[], hidden: readonly string[]): string | undefined {
  const download = commands.findIndex(({ argv, isOpaque }) =>
    (isOpaque ? argv : argv.slice(0, 1)).some((word) => downloaders.has(programOf([word]))),
  );
  if (download >= 0 && commands.slice(download + 1).some(({ argv }) => runsItsInput(argv))) return downloadRun;
  const judge = (argv: readonly string[]) =>
    gitIsLeft(gitWriteOf(gitWords(argv))) ?? forbiddenProgram(argv) ?? closedFile(argv, hidden);
  for (const { argv, isOpaque } of commands) {
    // find ends what it starts with ";" or "+".
    const parts = isOpaque ? argv.join("\0").split(/\0[;+](?=\0|$)/) : [];
    const why =
      judge(argv) ??
      firstTail(
        parts.map((part) => part.split("\0")),
        judge,
      );
    if (why !== undefined) return why;
  }
  return undefined;
}

/** The same of a text whose commands cannot be told: by the words that occur in it, wherever they stand. */
export function forbiddenWithin(text: string): string | undefined {
  const words = wordsWithin(text);
  const loaded = words.findIndex((word) => downloaders.has(word));
  const hasShell = words.some((word, at) => at !== loaded && shellLike.test(word));
  if (loaded >= 0 && hasShell && /[|`(]/.test(text)) return downloadRun;
  const parts = text.split(/[;|&\n]/).map((part) => readingsOf(part)[1]);
  return firstTail(parts, (tail) => gitIsLeft(gitWriteWithin(gitWords(tail))) ?? forbiddenProgram(tail));
}

/** Judges the words from each one on, as far as a command is likely to go. */
function firstTail(
  parts: readonly (readonly string[])[],
  judge: (tail: readonly string[]) => string | undefined,
): string | undefined {
  for (const words of parts) {
    for (const at of words.keys()) {
      const why = judge(words.slice(at, at + 200));
      if (why !== undefined) return why;
    }
  }
  return undefined;
}

/** Each word that occurs in a text and may name a program. What find deletes counts as deleted by rm. */
export function wordsWithin(text: string): string[] {
  const words = readingsOf(text).flatMap((words) => words.flatMap((word) => word.split(/[/~*=]+/)));
  return words.includes("-delete") ? [...words, "rm"] : words;
}

/** The words of a text as they stand, and as they are without quotes and without what expands to nothing. */
function readingsOf(text: string): [string[], string[]] {
  const known = text.replace(/\$\{?(?:HOME|PWD|OLDPWD)\b\}?/g, "~");
  const bare = known.replace(/\$(?:[@*!-]|\{\w*\}|\(\))|``|\\\n|['"\\]|\p{Cf}/gu, "");
  const split = (text: string) => text.toLowerCase().match(/[\w.+\-/~*=]+/g) ?? [];
  return [split(known), split(bare)];
}

const downloaders = new Set(["curl", "wget", "aria2c"]);
const shellLike = /^(?:(?:ba|da|z|k)?sh|python[\d.]*|node|perl|ruby|php|eval|source)$/;
const downloadRun = "What comes from the network is never run unseen.";

/** What follows `git`; nothing for another program. */
function gitWords(argv: readonly string[]): readonly string[] {
  const program = programOf(argv);
  if (program.startsWith("git-")) return [program.slice(4), ...argv.slice(1)];
  return program === "git" ? argv.slice(1) : [];
}

/** Between git and its subcommand stand only options and their values. */
function gitWriteWithin(words: readonly string[]): string | undefined {
  return words.slice(0, words[0]?.startsWith("-") ? 7 : 1).find((word) => gitWrites.has(word));
}

function gitIsLeft(subcommand: string | undefined): string | undefined {
  return subcommand && `git ${subcommand} changes the repository, which is left to you.`;
}

function forbiddenProgram(argv: readonly string[]): string | undefined {
  const program = programOf(argv);
  const words = argv.slice(1);
  if (/^(?:sudo|doas|su|pkexec|runas)$/.test(program)) return `${program} takes the rights of another user.`;
  if (/^(?:shutdown|reboot|poweroff|halt|mkfs(?:\.\w+)?|wipefs|fdisk|sfdisk|parted)$/.test(program)) {
    return `${program} stops the machine or overwrites its disks.`;
  }
  if (program === "dd" && words.some((word) => /^of=\/+dev\/(?!null$)/.test(word))) return "dd overwrites a device.";
  if (publishes(program, words)) return `${program} publishes to others, which is left to you.`;
  return deletesRoot(program, words) ? "It deletes the workspace as a whole, or what lies outside of it." : undefined;
}

function closedFile(argv: readonly string[], hidden: readonly string[]): string | undefined {
  for (const path of writtenBy(argv)) {
    const closed = closedBecause(posix.normalize(path), hidden, "write");
    if (closed !== undefined) return `${JSON.stringify(path)} ${closed}.`;
  }
  return undefined;
}

/** The files a command is given to change them, where it is one of the common ones. */
export function writtenBy(argv: readonly string[]): string[] {
  const program = programOf(argv);
  const words = argv.slice(1).filter((word) => !word.startsWith("-"));
  const files = writesLast.has(program) ? words.slice(-1) : writesAll.has(program) ? words : [];
  return files.map((word) => word.replace(/^of=/, ""));
}

const writesAll = new Set("rm rmdir unlink shred truncate tee chmod chown chgrp mv touch dd mkdir".split(" "));
const writesLast = new Set(["cp", "ln", "install", "rsync"]);

function publishes(program: string, words: readonly string[]): boolean {
  const command = publishing.find(([programs]) => programs.test(program))?.[1];
  if (command === undefined) return false;
  const names = words.filter((word) => !word.startsWith("-"));
  return command === "of npm" ? publishesPackage(names) : command.test(names.join(" "));
}

/** Programs, and the words by which they publish, options left out. */
const publishing: readonly (readonly [programs: RegExp, command: RegExp | "of npm"])[] = [
  [/^(?:p?npm|yarn|bun)$/, "of npm"],
  [/^gh$/, /^(?:release|pr|repo|gist|issue) (?:create|delete|merge|edit|close|upload)(?: |$)/],
  [/^cargo$/, /(?:^| )(?:publish|yank|owner)(?: |$)/],
  [/^(?:gem|docker|podman|nuget)$/, /(?:^| )push(?: |$)/],
  [/^twine$/, /^upload(?: |$)/],
  [/^(?:poetry|uv|hatch|flit|vsce)$/, /^publish(?: |$)/],
  [/^mvnw?$/, /(?:^| )deploy(?: |$)/],
];

/** npm knows its commands by their beginnings; a script may bear any name. */
function publishesPackage(names: readonly string[]): boolean {
  const script = names.findIndex((name) => /^(?:run|run-script|rum|urn|exec|x|test|t|dlx|start|explore)$/.test(name));
  const own = script < 0 ? names : names.slice(0, script);
  const [command = ""] = own;
  const known = "publish unpublish deprecate undeprecate dist-tag owner access token".split(" ");
  const isKnown = command.length > 3 && known.some((name) => name.startsWith(command));
  return isKnown || own.some((name) => /^(?:un)?publish$/.test(name));
}

function deletesRoot(program: string, words: readonly string[]): boolean {
  if (program === "find") {
    const isFiltered = words.some((word) => /^-(?!(?:delete|depth|type)$)/.test(word));
    const [folder = "."] = words;
    return words.includes("-delete") && !isFiltered && (folder.startsWith("-") || words.some(isRoot));
  }
  if (!/^(?:rm|rmdir|shred|srm|chmod|chown|chgrp)$/.test(program)) return false;
  const recursive = words.some((word) => /^-[a-zA-Z]*[rR]|^--rec/.test(word));
  return recursive && words.some((word) => !word.startsWith("-") && isRoot(word));
}

/** The workspace itself, all that lies in it, a folder above it, or one of the machine's own. */
function isRoot(word: string): boolean {
  const path = posix.normalize(word.replace(/(^|\/)(?:\*+|\.\*|\.\?\*)$/, "$1.")).replace(/(.)\/+$/, "$1");
  if (path === "." || path === ".." || path.startsWith("../") || path.startsWith("~")) return true;
  return /^\/(?:[^/]*|(?:home|users|usr|var|mnt|media|opt|system|library)\/[^/]+)$/i.test(path);
}
