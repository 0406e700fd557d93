import matter from "gray-matter";
import { type Document, isAlias, isMap, isNode, isScalar, LineCounter, parseDocument } from "yaml";
import { type ParsedNode, visit } from "yaml";
import { UserError } from "../util/errors.ts";

export interface FrontMatter {
  readonly data: Record<string, unknown>;
  readonly body: string;
  /** The line of the file on which the body begins. */
  readonly bodyLine: number;
  /** On which line each top-level key stands. */
  readonly keyLines: ReadonlyMap<string, number>;
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
  let read: Pick<FrontMatter, "data" | "keyLines"> = { data: {}, keyLines: new Map() };
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

function readYaml(block: string, refuse: Refuse): Pick<FrontMatter, "data" | "keyLines"> {
  const lineCounter = new LineCounter();
  const at = (offset = 0, what: string) => refuse(lineCounter.linePos(offset).line || 1, what);
  // uniqueKeys compares each key with all others; checkNodes does it in one pass.
  const options = { schema: "core", uniqueKeys: false, prettyErrors: false, lineCounter } as const;
  const document = parseDocument(block, options);
  const [trouble] = [...document.errors, ...document.warnings];
  if (trouble) throw at(trouble.pos[0], trouble.message);
  checkNodes(document, at);
  const { contents } = document;
  if (contents === null) return { data: {}, keyLines: new Map() };
  if (!isMap(contents)) throw at(contents.range[0], "the front matter is not made of `key: value`");
  const lineOf = (key: ParsedNode) => lineCounter.linePos(key.range[0]).line;
  const keyLines = new Map(contents.items.map(({ key }) => [String(key), lineOf(key)]));
  try {
    return { data: document.toJS({ maxAliasCount: 50 }) as Record<string, unknown>, keyLines };
  } catch (error) {
    // An alias bomb, or an alias whose anchor is not there.
    if (error instanceof ReferenceError) throw refuse(1, error.message);
    throw error;
  }
}

type RefuseAt = (offset: number | undefined, what: string) => UserError;

function checkNodes(document: Document.Parsed, at: RefuseAt): void {
  visit(document, (_, node, path) => {
    const start = isNode(node) ? node.range?.[0] : 0;
    if (isNode(node) && path.length > 100) throw at(start, "the nesting is too deep");
    if (isAlias(node) && path.some((above) => "anchor" in above && above.anchor === node.source)) {
      throw at(start, `*${node.source} stands inside what it repeats`);
    }
    const seen = new Set<string>();
    for (const { key } of isMap(node) ? node.items : []) {
      if (!isScalar(key)) throw at(start, "a key is not a plain word");
      const name = String(key.value);
      if (name === "__proto__") throw at(key.range?.[0], "the key __proto__ is not allowed");
      if (seen.has(name)) throw at(key.range?.[0], `the key ${name} is there twice`);
      seen.add(name);
    }
  });
}
