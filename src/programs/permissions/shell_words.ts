export interface Opaque {
  readonly type: "opaque";
  /** What it is that cannot be known before it runs. */
  readonly why: string;
}

/** A word as the program gets it; `raw` is how it was written, by which keywords and assignments are told. */
export interface Word {
  readonly type: "word";
  readonly text: string;
  readonly raw: string;
  /** Holds an unquoted pattern of file names. */
  readonly glob: boolean;
  /** Where it ends in the line. */
  readonly end: number;
}

export type Token = Word | { readonly type: "operator"; readonly text: string };

/** Splits a line as bash and sh do, where both do alike; opaque when a word depends on what only the shell knows. */
export function shellTokens(line: string): readonly Token[] | Opaque {
  const unreadable = unreadableBecause(line);
  if (unreadable !== undefined) return opaque(unreadable);
  const tokens: Token[] = [];
  for (let at = 0; at < line.length;) {
    const blank = matchAt(blanks, line, at);
    if (blank !== undefined) {
      at += blank.length;
      continue;
    }
    let operator = matchAt(operators, line, at);
    if (operator === undefined) {
      const word = wordAt(line, at);
      if (word.type === "opaque") return word;
      at = word.end;
      if (!/^\d+$/.test(word.raw) || !/[<>]/.test(line[at] ?? "")) {
        tokens.push(word);
        continue;
      }
      // The number of what is redirected, as in 2>.
      if (word.raw.length > 1) return opaque("shells do not agree on a number before a redirection");
      operator = matchAt(operators, line, at) ?? "";
    }
    const why = strange.get(operator);
    if (why !== undefined) return opaque(why);
    tokens.push({ type: "operator", text: operator });
    at += operator.length;
  }
  return tokens;
}

export function opaque(why: string): Opaque {
  return { type: "opaque", why };
}

function unreadableBecause(line: string): string | undefined {
  if (line.length > 20_000) return "it is longer than 20,000 characters";
  if (line.includes("\0")) return "it holds a NUL character";
  if (line.includes("\r")) return "it holds a carriage return";
  if (!line.isWellFormed()) return "it is no valid text";
  if (/(?![\t\n])\p{Cc}/u.test(line)) return "it holds a control character";
  return /(?! )[\p{Z}\p{Cf}\u2800\u3164\u115f\u1160\uffa0]/u.test(line)
    ? "it holds a blank or an invisible character that is no plain space"
    : undefined;
}

/** Blanks, a line that goes on in the next, a comment. */
const blanks = /[ \t]+|\\\n|#[^\n]*/y;

/** The longest first. */
const operators = /&>>|&>|&&|\|\||\|&|;;&|;;|;&|<<<|<<-|<<|<>|<&|<\(|>>|>\||>&|>\(|\(\(|[;&|<>()\n]/y;

const strange = new Map([
  ["<<<", "a here-string feeds it"],
  ["<<-", "a here-document feeds it"],
  ["<<", "a here-document feeds it"],
  ["<(", "it holds a process substitution"],
  [">(", "it holds a process substitution"],
  ["((", "it holds arithmetic"],
  [";;", "it holds a case"],
  [";&", "it holds a case"],
  [";;&", "it holds a case"],
]);

function matchAt(pattern: RegExp, line: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(line)?.[0];
}

/** What stands in double quotes, up to their end or to what only the shell knows. */
const quoted = /"(?:[^"\\$`!]|\\[^]|\$(?=[\s"|)])|!(?=[\s"=(.,]))*/y;
const plainPiece = new RegExp(`'[^']*'|${quoted.source}"|\\\\[^]`, "y");

function wordAt(line: string, from: number): Word | Opaque {
  let [text, raw, glob, at] = ["", "", false, from];
  while (at < line.length && !/[ \t\n;&|<>()]/.test(line[at] ?? "")) {
    const piece = matchAt(plainPiece, line, at);
    const char = line[at] ?? "";
    if (piece === undefined) {
      const why = expandsBecause(line, at, raw);
      if (why !== undefined) return opaque(why);
      if (/[*?[]/.test(char) && !(char === "[" && raw === "" && /[ \t\n]/.test(line[at + 1] ?? " "))) glob = true;
    }
    text += piece === undefined ? char : unquoted(piece);
    raw += piece === "\\\n" ? "" : (piece ?? char);
    at += piece?.length ?? 1;
  }
  if (line[at] === "(" && raw !== "") return opaque("a word runs into a bracket: a function, a list or a pattern");
  return { type: "word", text, raw, glob, end: at };
}

function unquoted(piece: string): string {
  if (piece.startsWith("\\")) return piece.slice(1).replace("\n", "");
  const inner = piece.slice(1, -1);
  return piece.startsWith("'") ? inner : inner.replace(/\\([$`"\\\n])/g, (_, char: string) => char.replace("\n", ""));
}

/** Why a character stands for something that only the shell knows, or a quote does not end. */
function expandsBecause(line: string, at: number, raw: string): string | undefined {
  const next = line[at + 1] ?? "";
  const ends = next === "" || /[ \t\n;&|<>()]/.test(next);
  switch (line[at]) {
    case "$":
      return next === "" || /\s/.test(next) ? undefined : dollar(next);
    case "`":
      return "it holds a command substitution";
    case "'":
      return "a quote is not closed";
    case "\\":
      return "it ends in a backslash";
    case '"': {
      const end = at + (matchAt(quoted, line, at) ?? "").length;
      if (line[end] === "$") return dollar(line[end + 1] ?? "");
      if (line[end] === "!") return "it may refer to the history of the shell (!)";
      return line[end] === "`" ? "it holds a command substitution" : "a quote is not closed";
    }
    case "~":
      return raw === "" || /[=:]$/.test(raw) ? "~ stands for a folder that only the shell knows" : undefined;
    case "=":
      return raw === "" ? "a word begins with = and may stand for a program" : undefined;
    case "{":
      if (raw === "" && (ends || (next === "}" && !/[^\s;&|<>()]/.test(line[at + 2] ?? " ")))) return undefined;
      return "braces may stand for several words";
    case "!":
      return ends || next === "=" ? undefined : "it may refer to the history of the shell (!)";
    default:
      return undefined;
  }
}

function dollar(next: string): string {
  if (next === "(") return "it holds a command substitution";
  return next === "'" || next === '"' ? `it holds a $${next} quote` : "it holds a variable";
}
