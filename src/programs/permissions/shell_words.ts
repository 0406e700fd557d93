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
}

export type Token = Word | { readonly type: "operator"; readonly text: string };

/** Splits a line as bash and sh do, where both do alike; opaque when a word depends on what only the shell knows. */
export function shellTokens(line: string): readonly Token[] | Opaque {
  const unreadable = unreadableBecause(line);
  if (unreadable !== undefined) return opaque(unreadable);
  const tokens: Token[] = [];
  for (let at = 0; at < line.length;) {
    blanks.lastIndex = at;
    if (blanks.test(line)) {
      at = blanks.lastIndex;
      continue;
    }
    let operator = operatorAt(line, at);
    if (operator === undefined) {
      const word = wordAt(line, at);
      if (word.type === "opaque") return word;
      at = word.end;
      if (!/^\d+$/.test(word.raw) || !/[<>]/.test(line[at] ?? "")) {
        tokens.push({ type: "word", text: word.text, raw: word.raw, glob: word.glob });
        continue;
      }
      // The number of what is redirected, as in 2>.
      if (word.raw.length > 1) return opaque("shells do not agree on a number before a redirection");
      operator = operatorAt(line, at) ?? "";
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

function operatorAt(line: string, at: number): string | undefined {
  operators.lastIndex = at;
  return operators.exec(line)?.[0];
}

function wordAt(line: string, from: number): (Word & { readonly end: number }) | Opaque {
  let [text, raw, glob, at] = ["", "", false, from];
  while (at < line.length && !/[ \t\n;&|<>()]/.test(line[at] ?? "")) {
    const char = line[at] ?? "";
    if (char === "'") {
      const end = line.indexOf("'", at + 1);
      if (end < 0) return opaque("a quote is not closed");
      text += line.slice(at + 1, end);
      raw += line.slice(at, end + 1);
      at = end + 1;
    } else if (char === '"') {
      const quoted = doubleQuoted(line, at);
      if (quoted.type === "opaque") return quoted;
      text += quoted.text;
      raw += line.slice(at, quoted.end);
      at = quoted.end;
    } else if (char === "\\") {
      const next = line[at + 1];
      if (next === undefined) return opaque("it ends in a backslash");
      if (next !== "\n") {
        text += next;
        raw += char + next;
      }
      at += 2;
    } else {
      const why = expandsBecause(line, at, raw);
      if (why !== undefined) return opaque(why);
      if (/[*?[]/.test(char) && !(char === "[" && raw === "" && /[ \t\n]/.test(line[at + 1] ?? " "))) glob = true;
      text += char;
      raw += char;
      at += 1;
    }
  }
  if (line[at] === "(" && raw !== "") return opaque("a word runs into a bracket: a function, a list or a pattern");
  return { type: "word", text, raw, glob, end: at };
}

function doubleQuoted(
  line: string,
  from: number,
): { readonly type: "quoted"; readonly text: string; readonly end: number } | Opaque {
  let text = "";
  for (let at = from + 1; at < line.length; at += 1) {
    const char = line[at] ?? "";
    const next = line[at + 1] ?? "";
    if (char === '"') return { type: "quoted", text, end: at + 1 };
    if (char === "`") return opaque("it holds a command substitution");
    if (char === "$" && !/[\s"|)]/.test(next)) return opaque(dollar(next));
    if (char === "!" && !/[\s"=(.,]/.test(next)) return opaque("it may refer to the history of the shell (!)");
    if (char !== "\\") {
      text += char;
      continue;
    }
    if (!/[$`"\\\n]/.test(next)) text += char;
    if (next !== "\n") text += next;
    at += 1;
  }
  return opaque("a quote is not closed");
}

/** Why an unquoted character stands for something that only the shell knows. */
function expandsBecause(line: string, at: number, raw: string): string | undefined {
  const next = line[at + 1] ?? "";
  const ends = next === "" || /[ \t\n;&|<>()]/.test(next);
  switch (line[at]) {
    case "$":
      return next === "" || /\s/.test(next) ? undefined : dollar(next);
    case "`":
      return "it holds a command substitution";
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
