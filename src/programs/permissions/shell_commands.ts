import { opaque, shellTokens } from "./shell_words.ts";
import type { Opaque, Token, Word } from "./shell_words.ts";

/** A simple command as it is written: what its words are, and which files its redirections open. */
export interface SimpleCommand {
  readonly argv: readonly string[];
  /** Which of `argv` are patterns of file names: each may become any number of words. */
  readonly globs: readonly number[];
  readonly assignments: readonly (readonly [name: string, value: string])[];
  readonly writes: readonly string[];
  readonly reads: readonly string[];
}

type Draft = { [Part in keyof SimpleCommand]: SimpleCommand[Part][number][] };

/**
 * The simple commands of a line, in the order they are written, or why they cannot be known. Where brackets do not
 * match, or an operator has no command, no shell runs more than these.
 */
export function simpleCommands(line: string): readonly SimpleCommand[] | Opaque {
  const tokens = shellTokens(line);
  if ("type" in tokens) return tokens;
  const commands: SimpleCommand[] = [];
  let draft: Draft | undefined;
  let isAmbiguous = false;
  const finish = () => {
    if (draft !== undefined) commands.push(draft);
    [draft, isAmbiguous] = [undefined, false];
  };
  for (let at = 0; at < tokens.length; at += 1) {
    const token = tokens[at] as Token;
    let why: string | undefined;
    if (token.type === "word") {
      if (draft === undefined && /^[{}!]$/.test(token.raw)) continue;
      if (isAmbiguous) return opaque("shells do not agree on what stands behind its redirection");
      why = addWord((draft ??= empty()), token);
    } else if (/[<>]/.test(token.text)) {
      const target = tokens[(at += 1)];
      if (target?.type !== "word") return opaque("a redirection names no file");
      if (target.glob) return opaque("a redirection names a pattern of files");
      why = redirect((draft ??= empty()), token.text, target);
      // bash and sh read "&>" differently.
      isAmbiguous ||= token.text.startsWith("&");
    } else if (token.text === "(") {
      if (draft !== undefined) why = "a word runs into a bracket: a function, a list or a pattern";
    } else finish();
    if (why !== undefined) return opaque(why);
  }
  finish();
  return commands;
}

function empty(): Draft {
  return { argv: [], globs: [], assignments: [], writes: [], reads: [] };
}

function addWord(draft: Draft, word: Word): string | undefined {
  if (draft.argv.length === 0) {
    if (keywords.has(word.raw)) return `it holds the keyword ${word.raw}`;
    const assigned = /^([A-Za-z_]\w*)\+?=/.exec(word.raw);
    if (assigned) {
      const [whole, name = ""] = assigned;
      draft.assignments.push([name, word.text.slice(whole.length)]);
      return undefined;
    }
    if (word.glob) return "a pattern of file names stands for the program";
    if (word.text === "") return "the name of the program is empty";
  }
  if (word.glob) draft.globs.push(draft.argv.length);
  draft.argv.push(word.text);
  return undefined;
}

const keywords = new Set(
  (
    "if then else elif fi for while until do done case esac select function coproc in [[ ]] { } " +
    "repeat foreach end always"
  ).split(" "),
);

function redirect(draft: Draft, text: string, { text: target, raw }: Word): string | undefined {
  if (text === ">&" || text === "<&") {
    return /^(?:\d-?|-)$/.test(raw) ? undefined : "shells do not agree on what its redirection names";
  }
  if (text.includes(">")) draft.writes.push(target);
  if (text.startsWith("<")) draft.reads.push(target);
  return undefined;
}
