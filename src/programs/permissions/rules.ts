import { matchesGlob } from "node:path";
import { relativePath } from "../../workspace/place.ts";
import { programOf } from "./opaque_commands.ts";
import type { SimpleCommand } from "./shell_commands.ts";
import { shellTokens } from "./shell_words.ts";

/** Words are matched whole: null stands for any one of them, `rest` for any number of further ones. */
export interface RunRule {
  readonly type: "run";
  readonly text: string;
  readonly words: readonly (string | null)[];
  readonly rest: boolean;
}

export interface PathRule {
  readonly type: "read" | "write";
  readonly text: string;
  readonly glob: string;
}

export type Rule = RunRule | PathRule;

/** Reads `run npm test`, `run git status **`, `write docs/**` or `read secrets/**`, or says what is wrong with it. */
export function readRule(text: string): Rule | { readonly problem: string } {
  const parts = /^(run|read|write) +(\S.*)$/s.exec(text.trim());
  const [, type, rest = ""] = parts ?? [];
  if (type === "run") return runRule(text, rest);
  if (type === "read" || type === "write") return pathRule(type, text, rest);
  return { problem: 'it has to be "run" and a command, or "read" or "write" and a path' };
}

function runRule(text: string, line: string): RunRule | { readonly problem: string } {
  const tokens = shellTokens(line);
  if ("type" in tokens) return { problem: tokens.why };
  const words: (string | null)[] = [];
  let rest = false;
  for (const token of tokens) {
    if (token.type === "operator") {
      return { problem: `it holds ${JSON.stringify(token.text)}, but a rule is one command; put the words in quotes` };
    }
    if (rest) return { problem: "** stands for all further words, and so has to be the last" };
    if (token.raw === "**") rest = true;
    else if (token.raw === "*") words.push(null);
    else if (token.glob) return { problem: `${token.raw} is a pattern: * stands for a whole word only` };
    else words.push(token.text);
  }
  if (typeof words[0] !== "string" || words[0] === "") return { problem: "it names no program" };
  if (/^[A-Za-z_]\w*\+?=/.test(words[0])) return { problem: "it begins with an assignment and names no program" };
  return { type: "run", text, words, rest };
}

function pathRule(type: "read" | "write", text: string, glob: string): PathRule | { readonly problem: string } {
  const plain = relativePath(glob);
  if (typeof plain !== "string") return { problem: plain.text.replace(/\.$/, "") };
  if (/[/\\]$/.test(glob)) return { problem: `a folder's files are ${glob.slice(0, -1)}/**` };
  return { type, text, glob: plain };
}

export function isSpelledOut(rule: RunRule, argv: readonly string[]): boolean {
  return !rule.rest && rule.words.length === argv.length && rule.words.every((word, at) => word === argv[at]);
}

/** To allow: every word is known, and the program is written as in the rule. */
export function surelyMatches({ words, rest }: RunRule, { argv, globs }: SimpleCommand): boolean {
  if (rest ? argv.length < words.length : argv.length !== words.length) return false;
  if (!words.every((word, at) => word === null || word === argv[at])) return false;
  // A pattern becomes any number of words.
  return globs.every((index) => rest && index >= words.length && isHarmlessPattern(argv[index] ?? ""));
}

/** Becomes no option, and no file of secrets by the beginning of its name. */
function isHarmlessPattern(word: string): boolean {
  return /^[\w./]/.test(word) && !/(?:^|\/)(?:\.|id_)[^/]*[*?[]/.test(word);
}

/** To ask and to deny: a pattern of file names may become what the rule means, and the program may lie anywhere. */
export function mayMatch({ words, rest }: RunRule, { argv, globs }: SimpleCommand): boolean {
  const [program, ...others] = words;
  if (argv.length === 0 || programOf([program ?? ""]) !== programOf(argv)) return false;
  if (!rest && globs.length === 0 && argv.length !== words.length) return false;
  return others.every((word, at) => {
    const given = argv[at + 1];
    if (given === undefined) return globs.length > 0;
    return word === null || word === given || globs.some((index) => index <= at + 1);
  });
}

/** Some disks know neither capitals nor how an accent is written; a dot is a letter like others, also in front. */
export function matchesPath(glob: string, path: string): boolean {
  const plain = (text: string) => text.normalize("NFC").toLowerCase().replaceAll(".", "\u2024");
  const matches = (glob: string) => matchesGlob(plain(path), plain(glob));
  return matches(glob) || (glob.endsWith("/**") && matches(glob.slice(0, -3)));
}
