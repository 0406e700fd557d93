import { posix } from "node:path";
import { runsItsInput } from "./code_given.ts";
import { gitWrites, writesGit } from "./git_commands.ts";
import { closedBecause } from "../../workspace/place.ts";
import { withStarted } from "./shell.ts";
import type { ShellCommand } from "./shell.ts";
import { programOf } from "./wrappers.ts";

/** Why a line is never run, whatever is configured and whatever the mode. */
export function forbiddenBecause(commands: readonly ShellCommand[], hidden: readonly string[]): string | undefined {
  const all = commands.flatMap(withStarted);
  const download = all.findIndex(({ argv }) => downloaders.has(programOf(argv)));
  if (download >= 0 && all.slice(download + 1).some(({ argv }) => runsItsInput(argv))) return downloadRun;
  for (const { argv } of all) {
    const why = forbiddenCommand(argv, hidden);
    if (why !== undefined) return why;
  }
  return undefined;
}

/** The same of a text whose commands cannot be told: by the words that occur in it, wherever they stand. */
export function forbiddenWithin(text: string): string | undefined {
  const words = wordsWithin(text);
  const named = words.find((word) => othersRights.has(word) || stopsMachine(word));
  if (named !== undefined) return forbiddenProgram(named);
  const written = gitWriteWithin(words);
  if (written !== undefined) return gitIsLeft(written);
  const loaded = words.findIndex((word) => downloaders.has(word));
  const hasShell = words.some((word, at) => at !== loaded && shellLike.test(word));
  if (loaded >= 0 && hasShell && /[|`(]/.test(text)) return downloadRun;
  const parts = text.split(/[;|&\n]/);
  return parts.some((part) => /\brm\b/.test(part) && /\s-\w*[rR]|--rec/.test(part) && namesRoot.test(part))
    ? rootDeleted
    : undefined;
}

const namesRoot = /\s["']?(?:~|\$\{?(?:HOME|PWD|OLDPWD)\b|\/(?=["'\s*]|$)|\.\.?(?=["'\s/]|$)|\*)/;

/** The words of a text as they stand, and as they would without quotes and what expands to nothing. */
export function wordsWithin(text: string): string[] {
  const bare = text.replace(/\$(?:[@*!-]|\{\w*\}|\(\))|``|\\\n|['"\\]|\p{Cf}/gu, "");
  return [text, bare].flatMap((text) => text.toLowerCase().split(/[^\w.+-]+/)).filter((word) => word !== "");
}

const downloaders = new Set(["curl", "wget", "aria2c"]);
const shellLike = /^(?:(?:ba|da|z|k)?sh|python[\d.]*|node|perl|ruby|php|eval|source)$/;
const downloadRun = "What comes from the network is never run unseen.";
const rootDeleted = "It deletes the workspace as a whole, or what lies outside of it.";
const othersRights = new Set(["sudo", "doas", "su", "pkexec", "runas"]);

function stopsMachine(program: string): boolean {
  return /^(?:shutdown|reboot|poweroff|halt|mkfs(?:\.\w+)?|wipefs|fdisk|sfdisk|parted)$/.test(program);
}

function forbiddenProgram(program: string): string {
  return othersRights.has(program)
    ? `${program} takes the rights of another user.`
    : `${program} stops the machine or overwrites its disks.`;
}

function gitIsLeft(subcommand: string): string {
  return `git ${subcommand} changes the repository, which is left to you.`;
}

/** Between git and its subcommand only options stand, and their values. */
function gitWriteWithin(words: readonly string[]): string | undefined {
  let git = -1;
  for (const [at, word] of words.entries()) {
    if (word === "git") git = at;
    else if (git >= 0 && gitWrites.has(word) && at - git <= 7 && (at === git + 1 || words[git + 1]?.startsWith("-"))) {
      return word;
    }
  }
  return undefined;
}

function forbiddenCommand(argv: readonly string[], hidden: readonly string[]): string | undefined {
  const program = programOf(argv);
  const words = argv.slice(1);
  if (othersRights.has(program) || stopsMachine(program)) return forbiddenProgram(program);
  const isGit = program === "git" || program.startsWith("git-");
  const written = isGit ? writesGit([program.slice(4), ...words].filter((word) => word !== "")) : undefined;
  if (written !== undefined) return gitIsLeft(written);
  if (program === "dd" && words.some((word) => /^of=\/+dev\/(?!null$)/.test(word))) {
    return "dd overwrites a device.";
  }
  if (publishes(program, words)) return `${program} publishes to others, which is left to you.`;
  if (deletesRoot(program, words)) return rootDeleted;
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
  const names = words.filter((word) => !word.startsWith("-"));
  const [first = "", second = ""] = names;
  if (/^(?:npm|pnpm|yarn|bun)$/.test(program)) return publishesPackage(names);
  if (program === "gh") {
    const isShared = /^(?:release|pr|repo|gist|issue)$/.test(first);
    return isShared && /^(?:create|delete|merge|edit|close|upload)$/.test(second);
  }
  return publishing.some(([programs, command, isFirst]) => {
    return programs.test(program) && (isFirst ? [first] : names).some((name) => command.test(name));
  });
}

/** Programs, their commands that publish, and whether such a command stands first. */
const publishing: readonly (readonly [programs: RegExp, command: RegExp, isFirst: boolean])[] = [
  [/^cargo$/, /^(?:publish|yank|owner)$/, false],
  [/^(?:gem|docker|podman|nuget)$/, /^push$/, false],
  [/^twine$/, /^upload$/, true],
  [/^(?:poetry|uv|hatch|flit|vsce)$/, /^publish$/, true],
  [/^mvnw?$/, /^deploy$/, false],
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
  if (!/^(?:rm|rmdir|shred|srm|chmod|chown|chgrp)$/.test(program)) return false;
  const recursive = words.some((word) => /^-[a-zA-Z]*[rR]|^--rec/.test(word));
  return recursive && words.some((word) => !word.startsWith("-") && isRoot(word));
}

/** The workspace itself, all that lies in it, a folder above it, or one of the machine's own. */
function isRoot(word: string): boolean {
  const path = posix.normalize(word.replace(/(^|\/)(?:\*+|\.\*|\.\?\*)$/, "$1.")).replace(/(.)\/+$/, "$1");
  if (path === "." || path === ".." || path.startsWith("../") || path === "~") return true;
  return /^\/(?:[^/]*|(?:home|users|usr|var|mnt|media|opt|system|library)\/[^/]+)$/i.test(path);
}
