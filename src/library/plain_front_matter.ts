import type { FrontMatter } from "./front_matter.ts";

/**
 * Reads front matter that is as plain as nearly all is: words, lists of words, inputs on a line each. It says
 * undefined wherever YAML could mean anything else, or the text has to be refused; that is then for the real parser.
 * What it does read it reads as YAML, ten times as fast and without loading a parser.
 */
export function plainFrontMatter(text: string): FrontMatter | undefined {
  if (!text.startsWith("---\n")) return undefined;
  const close = text.indexOf("\n---", 3);
  const end = close + "\n---\n".length;
  if (close < 4 || (text[end - 1] ?? "\n") !== "\n") return undefined;
  const block = text.slice(4, close);
  // A character takes at most three bytes.
  if (block.length > 5_000 || text.length - end > 80_000 || !isUsual(block)) return undefined;
  const lines = block.split("\n");
  const data: Record<string, unknown> = {};
  const at = new Map<string, number>();
  for (let line = 0; line < lines.length;) {
    const first = lines[line++]!;
    if (first === "" || first.startsWith("#")) continue;
    const [, key, rest = ""] = /^([a-z][a-z0-9_]*):(?: +(.*))?$/.exec(first) ?? [];
    if (key === undefined || scalar(key) === undefined || at.has(key)) return undefined;
    at.set(key, line + 1);
    const below: string[] = [];
    while (lines[line]?.startsWith(" ")) below.push(lines[line++]!);
    const value = below.length === 0 ? inline(rest.trimEnd()) : rest === "" ? nested(below) : undefined;
    if (value === undefined) return undefined;
    data[key] = value;
  }
  const body = text.slice(end);
  return { data, body, bodyLine: lines.length + 3, lineOf: (key) => at.get(key) ?? 1 };
}

/** No tabs, no line ends of other systems, nothing that cannot be seen. */
function isUsual(text: string): boolean {
  return /^[\n -~]*$/.test(text) || !/[^\n\P{C}]|[\p{Zl}\p{Zp}]/u.test(text);
}

function nested(lines: readonly string[]): unknown {
  const indent = /^ +/.exec(lines[0]!)![0];
  const inner = lines.map((line) =>
    line.startsWith(indent) && line[indent.length] !== " " ? line.slice(indent.length) : "",
  );
  if (inner.every((line) => line.startsWith("- "))) return all(inner.map((line) => scalar(line.slice(2).trim())));
  const entries = inner.map((line) => /^([a-z][a-z0-9_]*): +(\{.*\}) *$/.exec(line));
  if (!entries.every((entry) => entry !== null)) return undefined;
  if (entries.some(([, key]) => scalar(key!) === undefined)) return undefined;
  if (new Set(entries.map(([, key]) => key)).size < entries.length) return undefined;
  const values = all(entries.map(([, , map]) => inline(map!)));
  return values && Object.fromEntries(entries.map(([, key], index) => [key!, values[index]]));
}

function inline(text: string): unknown {
  if (text.startsWith("[")) {
    const inside = /^\[ *(.*?) *\]$/.exec(text)?.[1];
    if (inside === undefined) return undefined;
    return inside === "" ? [] : all(inside.split(/ *, */).map(flowWord));
  }
  if (!text.startsWith("{")) return scalar(text);
  const found: Record<string, unknown> = {};
  let rest = text.slice(1).trimStart();
  for (;;) {
    const [whole, key, quoted, word, end] =
      /^([a-z][a-z0-9_]*): +(?:"([^"\\]*)"|([^"',[\]{}]*?)) *([,}])/.exec(rest) ?? [];
    if (whole === undefined || scalar(key!) === undefined || Object.hasOwn(found, key!)) return undefined;
    const value = quoted ?? (word === "true" ? true : word === "false" ? false : flowWord(word!));
    if (value === undefined) return undefined;
    found[key!] = value;
    rest = rest.slice(whole.length).trimStart();
    if (end === "}") return rest === "" ? found : undefined;
  }
}

function flowWord(text: string): string | undefined {
  return /[,[\]{}:]/.test(text) ? undefined : scalar(text);
}

/** A text that cannot be a number, a truth, nothing, or the beginning of something else. */
function scalar(text: string): string | undefined {
  const [, quoted] = /^"([^"\\]*)"$/.exec(text) ?? [];
  if (quoted !== undefined) return quoted;
  if (!/^[a-z(]/i.test(text) && !/^\p{L}/u.test(text)) return undefined;
  if (/: |:$| #/.test(text)) return undefined;
  return /^(?:true|false|null|yes|no|on|off|y|n)$/i.test(text) ? undefined : text;
}

function all<Value>(values: readonly (Value | undefined)[]): Value[] | undefined {
  return values.includes(undefined) ? undefined : (values as Value[]);
}
