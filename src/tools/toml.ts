// Simple patterns that can match a text in one way only: hostile files must not make them slow.
const text = String.raw`"(?:[^"\\\n]|\\.)*"|'[^'\n]*'`;
const list = String.raw`\[(?:${text}|#.*|[^\]"'#])*\]`;
const inline = String.raw`\{(?:${text}|#.*|[^}"'#])*\}`;
const long = String.raw`"""[^]*?"""|'''[^]*?'''`;
const statement = new RegExp(
  String.raw`^[ \t]*(?:\[+([^\]\n]+)\]|((?:${text}|[\w.-])+)[ \t]*=[ \t]*(${long}|${list}|${inline}|${text}|[^#\n]*))`,
  "gm",
);
const inlinePair = new RegExp(String.raw`[{,]\s*([\w.-]+)\s*=\s*(${text}|[^,}]+)`, "g");
const textOrComment = new RegExp(`${text}|#.*`, "g");

interface Table {
  [key: string]: string | string[] | Table;
}

/** Reads as much of TOML as manifests need: tables, texts, the texts of a list, and tables on one line. */
export function readToml(source: string): Table {
  const root = newTable();
  let table = root;
  for (const [, head, key = "", value = ""] of source.matchAll(statement)) {
    if (head === undefined) put(table, key, value);
    else table = keysOf(head).reduce(tableAt, root);
  }
  return root;
}

function put(table: Table, key: string, value: string): void {
  const keys = keysOf(key);
  keys.slice(0, -1).reduce(tableAt, table)[keys.at(-1) ?? ""] = valueOf(value);
}

function valueOf(value: string): Table[string] {
  const found = (value.match(textOrComment) ?? []).filter((each) => !each.startsWith("#"));
  const texts = found.map((each) => each.slice(1, -1).replaceAll(/\\(["\\])/g, "$1"));
  if (value.startsWith("[")) return texts;
  if (!value.startsWith("{")) return texts[0] ?? value.trim();
  const table = newTable();
  for (const [, key = "", each = ""] of value.matchAll(inlinePair)) put(table, key, each);
  return table;
}

/** `tool."a.b".c` → ["tool", "a.b", "c"] */
function keysOf(key: string): string[] {
  return (key.match(/"[^"]*"|'[^']*'|[^.\s"']+/g) ?? []).map((each) => each.replaceAll(/^["']|["']$/g, ""));
}

function tableAt(table: Table, key: string): Table {
  const found = table[key];
  return typeof found === "object" && !Array.isArray(found) ? found : (table[key] = newTable());
}

/** Without a prototype, so that a key such as __proto__ is a key like any other. */
function newTable(): Table {
  return Object.create(null) as Table;
}
