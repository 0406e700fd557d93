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

/** The simple commands of a line, in the order they are written, or why they cannot be known. */
export function simpleCommands(line: string): readonly SimpleCommand[] | Opaque {
  const tokens = shellTokens(line);
  if ("type" in tokens) return tokens;
  const commands: SimpleCommand[] = [];
  const open: string[] = [];
  let draft: Draft | undefined;
  // `over`: a redirection came that sh and bash read differently, and so what stands behind it.
  let [closed, awaits, over] = [false, false, false];

  const finish = () => {
    if (draft !== undefined) commands.push(draft);
    [draft, closed, awaits, over] = [undefined, false, false, false];
  };
  const atStart = () => draft === undefined && !closed;

  for (let at = 0; at < tokens.length; at += 1) {
    const token = tokens[at] as Token;
    if (token.type === "word") {
      if (closed) return opaque("its brackets are not balanced");
      if (atStart() && token.raw === "{") open.push("{");
      else if (atStart() && token.raw === "!") awaits = true;
      else if (atStart() && token.raw === "}") {
        if (awaits || open.pop() !== "{") return opaque("its brackets are not balanced");
        closed = true;
      } else {
        if (over) return opaque("shells do not agree on what stands behind its redirection");
        draft ??= empty();
        const why = addWord(draft, token);
        if (why !== undefined) return opaque(why);
      }
      continue;
    }
    if (/[<>]/.test(token.text)) {
      const target = tokens[(at += 1)];
      if (target?.type !== "word") return opaque("a redirection names no file");
      if (target.glob) return opaque("a redirection names a pattern of files");
      draft ??= empty();
      const why = redirect(draft, token.text, target);
      if (why !== undefined) return opaque(why);
      over ||= token.text.startsWith("&");
      continue;
    }
    switch (token.text) {
      case "(":
        if (!atStart()) return opaque("a word runs into a bracket: a function, a list or a pattern");
        open.push("(");
        break;
      case ")":
        if (atStart() && awaits) return opaque("it is not finished");
        finish();
        if (open.pop() !== "(") return opaque("its brackets are not balanced");
        closed = true;
        break;
      case "\n":
        if (!atStart()) finish();
        break;
      default:
        if (atStart()) return opaque("a command is missing between two operators");
        finish();
        awaits = token.text !== ";" && token.text !== "&";
    }
  }
  if (atStart() && awaits) return opaque("it is not finished");
  finish();
  return open.length > 0 ? opaque("its brackets are not balanced") : commands;
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
