/** A table's keys with their strings; of inline tables those that say what is wanted, of arrays the strings. */
export type TomlTable = Map<string, string | readonly string[]>;

/**
 * Reads as much of a TOML file as tells dependencies: tables by their full name (each entry of an array of tables
 * is told apart by its number: `package.0`), plain and quoted keys, strings, arrays of strings, and of an inline table
 * its `version`, `git`, `path` or `url`. All else is passed by.
 */
export function readToml(text: string): Map<string, TomlTable> {
  const tables = new Map<string, TomlTable>();
  const counts = new Map<string, number>();
  let table: TomlTable = new Map();
  tables.set("", table);
  const lines = text.split(/\r?\n/);
  for (let at = 0; at < lines.length; at += 1) {
    const line = (lines[at] ?? "").trim();
    const head = /^(\[{1,2})([^\]]+)\]/.exec(line);
    if (head && !line.includes("=")) {
      const name = keysOf(head[2] ?? "");
      const index = counts.get(name) ?? 0;
      if (head[1] === "[[") counts.set(name, index + 1);
      const full = head[1] === "[[" ? `${name}.${index}` : name;
      table = tables.get(full) ?? new Map();
      tables.set(full, table);
      continue;
    }
    const [, key, first = ""] = /^("[^"]*"|'[^']*'|[\w.-]+)\s*=\s*(.*)$/.exec(line) ?? [];
    if (key === undefined) continue;
    const closing = first.startsWith("[") ? "]" : first.startsWith("{") ? "}" : undefined;
    const parts = [first];
    if (closing !== undefined) {
      while (!isClosed(parts.at(-1) ?? "", closing) && at + 1 < lines.length) {
        at += 1;
        parts.push((lines[at] ?? "").trim());
      }
    }
    const value = valueOf(parts);
    if (value !== undefined) table.set(keysOf(key), value);
  }
  return tables;
}

function isClosed(line: string, closing: string): boolean {
  return withoutStrings(line).includes(closing);
}

/** Without its strings and its comment, so that only what has a meaning is left. */
function withoutStrings(line: string): string {
  return line.replaceAll(stringsAndComments, "");
}

const stringsAndComments = /"(?:[^"\\]|\\.)*"|'[^']*'|#.*/g;

function keysOf(key: string): string {
  return key.replaceAll(/["'\s]/g, "");
}

function valueOf(lines: readonly string[]): string | readonly string[] | undefined {
  const first = lines[0] ?? "";
  if (first.startsWith("[")) return lines.flatMap(stringsIn);
  if (!first.startsWith("{")) {
    const quoted = /^(?:"(?:[^"\\]|\\.)*"|'[^']*')/.exec(first);
    return quoted ? unquoted(quoted) : undefined;
  }
  const inline = lines.map(withoutComment).join(" ");
  const said = /[{,]\s*(version|git|path|url)\s*=\s*("(?:[^"\\]|\\.)*"|'[^']*')/.exec(inline);
  if (said === null) return "";
  const [, what, value = ""] = said;
  return what === "version" ? value.slice(1, -1) : `${what} ${value.slice(1, -1)}`;
}

function stringsIn(line: string): string[] {
  return [...line.matchAll(stringsAndComments)].filter(([text]) => !text.startsWith("#")).map(unquoted);
}

function withoutComment(line: string): string {
  return line.replaceAll(stringsAndComments, (text) => (text.startsWith("#") ? "" : text));
}

function unquoted([text]: RegExpMatchArray): string {
  return text.slice(1, -1).replaceAll(/\\(["\\])/g, "$1");
}
