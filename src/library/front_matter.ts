import matter from "gray-matter";
import { isAlias, isMap, isNode, isScalar, isSeq, parseDocument } from "yaml";
import { depthBeyond } from "./yaml_depth.ts";
import { UserError } from "../util/errors.ts";

export interface FrontMatter {
  readonly data: Record<string, unknown>;
  readonly body: string;
  /** The line of the file on which the body begins. */
  readonly bodyLine: number;
  /** On which line a top-level key stands; 1 for one that is not there. */
  lineOf(key: string): number;
}

type Refuse = (line: number, what: string, hint?: string) => UserError;

/** Reads YAML and nothing else: whatever language a text claims, nothing in it is ever run. */
export function parseFrontMatter(source: string, file: string): FrontMatter {
  const refuse: Refuse = (line, what, hint = "Mend the YAML between the two lines of ---.") =>
    new UserError("prompt_unreadable", `${file}:${line}: ${what}`, hint);
  const text = source.replace(/^\uFEFF/, "");
  const end = endOfFrontMatter(text, refuse);
  const body = text.slice(end);
  const bodyLine = text.slice(0, end).split("\n").length;
  if (Buffer.byteLength(body) > 256 * 1024) {
    throw refuse(bodyLine, "the text is longer than 256 KB", "Shorten it: a prompt has 150 to 600 words.");
  }
  let read: Pick<FrontMatter, "data" | "lineOf"> = { data: {}, lineOf: () => 1 };
  // The data goes around gray-matter, which would look inside; given options, it leaves its cache alone. It cuts
  // a last line "n: 1\r\n" to "n: 1\r", and that is no number.
  const yaml = (block: string) => {
    read = readYaml(`${block}\n`, refuse);
    return {};
  };
  const never = () => {
    throw new Error(`${file}: front matter reached an engine other than YAML`);
  };
  matter(text.slice(0, end), { language: "yaml", engines: { yaml, javascript: never, json: never } });
  return { ...read, body, bodyLine };
}

/** Stricter than gray-matter, which runs `---js`, ends at `---extra`, and without an end takes all for front matter. */
function endOfFrontMatter(text: string, refuse: Refuse): number {
  if (!text.startsWith("---") || text[3] === "-") return 0;
  const language = text.slice(3, endOfLine(text, 3)).trim();
  if (!["", "yaml", "yml"].includes(language)) {
    const said = JSON.stringify(language.slice(0, 40));
    throw refuse(1, `${said} is not read, only YAML`, "Make the first line ---.");
  }
  const close = text.indexOf("\n---", 3) + 1;
  if (close === 0) throw refuse(1, "the front matter has no end", "Put a line with only --- below it.");
  if (Buffer.byteLength(text.slice(0, close)) > 16 * 1024) {
    throw refuse(1, "the front matter is longer than 16 KB", "Move what is long into the text below it.");
  }
  const end = endOfLine(text, close);
  if (text.slice(close, end).trim() !== "---") {
    const hint = "Keep only --- on the line that ends it; indent or quote any other.";
    throw refuse(text.slice(0, close).split("\n").length, "this line would end the front matter", hint);
  }
  return end;
}

function endOfLine(text: string, from: number): number {
  const newline = text.indexOf("\n", from);
  return newline === -1 ? text.length : newline + 1;
}

function readYaml(block: string, refuse: Refuse): Pick<FrontMatter, "data" | "lineOf"> {
  const lineAt = (offset: number) => block.slice(0, offset).split("\n").length;
  const at: RefuseAt = (offset, what) => refuse(lineAt(offset ?? 0), what);
  const deep = depthBeyond(block, 100);
  if (deep !== undefined) throw at(deep, "the nesting is too deep");
  // uniqueKeys compares each key with all others; checkNodes does it in one pass.
  const document = parseDocument(block, { schema: "core", uniqueKeys: false, prettyErrors: false });
  const [trouble] = [...document.errors, ...document.warnings];
  if (trouble) throw at(trouble.pos[0], trouble.message);
  const { contents } = document;
  checkNodes(contents, at, [], 0);
  if (contents === null) return { data: {}, lineOf: () => 1 };
  if (!isMap(contents)) throw at(contents.range[0], "the front matter is not made of `key: value`");
  const lineOf = (wanted: string) => {
    const found = contents.items.find(({ key }) => String(key) === wanted);
    return found ? lineAt(found.key.range[0]) : 1;
  };
  try {
    return { data: document.toJS({ maxAliasCount: 50 }) as Record<string, unknown>, lineOf };
  } catch (error) {
    // An alias bomb, or an alias whose anchor is not there.
    if (error instanceof ReferenceError) throw refuse(1, error.message);
    throw error;
  }
}

type RefuseAt = (offset: number | undefined, what: string) => UserError;

/** `anchors`: what names the nodes above this one. */
function checkNodes(node: unknown, at: RefuseAt, anchors: readonly string[], depth: number): void {
  if (!isNode(node)) return;
  const start = node.range?.[0];
  if (depth > 50) throw at(start, "the nesting is too deep");
  if (isAlias(node)) {
    if (anchors.includes(node.source)) throw at(start, `*${node.source} stands inside what it repeats`);
    return;
  }
  if (isScalar(node)) return;
  const above = node.anchor === undefined ? anchors : [...anchors, node.anchor];
  if (!isMap(node)) {
    for (const item of isSeq(node) ? node.items : []) checkNodes(item, at, above, depth + 1);
    return;
  }
  const seen = new Set<string>();
  for (const { key, value } of node.items) {
    if (!isScalar(key)) throw at(start, "a key is not a plain word");
    const name = String(key.value);
    if (name === "__proto__") throw at(key.range?.[0], "the key __proto__ is not allowed");
    if (seen.has(name)) throw at(key.range?.[0], `the key ${name} is there twice`);
    seen.add(name);
    checkNodes(value, at, above, depth + 1);
  }
}
