import { type Document, isAlias, isMap, isNode, isScalar, isSeq, Lexer, parseDocument, Parser } from "yaml";

export type Path = readonly PropertyKey[];

/** What a YAML text holds, and on which line a part of it stands; or on which line something is wrong, and what. */
export type YamlResult =
  | { readonly data: unknown; readonly lineOf: (path: Path) => number }
  | { readonly line: number; readonly what: string };

/** Reads YAML of strangers: nothing in it nests without end, repeats itself, says a key twice or reaches a prototype. */
export function readYaml(text: string): YamlResult {
  const lineAt = (offset: number) => text.slice(0, offset).split("\n").length;
  const wrong = ({ offset, what }: Trouble) => ({ line: lineAt(offset), what: what.split("\n")[0]! });
  if (Buffer.byteLength(text) > 256 * 1024) return wrong({ offset: 0, what: "the file is longer than 256 KB" });
  const deep = depthBeyond(text, 100);
  if (deep !== undefined) return wrong({ offset: deep, what: tooDeep });
  // uniqueKeys compares each key with all others; wrongNode does it in one pass.
  const document = parseDocument(text, { schema: "core", merge: true, uniqueKeys: false, prettyErrors: false });
  const [first] = [...document.errors, ...document.warnings];
  if (first) return wrong({ offset: first.pos[0], what: first.message });
  const bad = wrongNode(document.contents, [], 0);
  if (bad) return wrong(bad);
  try {
    const data: unknown = document.toJS({ maxAliasCount: 50 });
    return { data, lineOf: (path) => lineAt(offsetOf(document, path)) };
  } catch (error) {
    // An alias bomb, an alias without its anchor, or a merge of what is no map.
    const isKnown =
      error instanceof ReferenceError || (error instanceof Error && error.message.startsWith("Merge sources"));
    if (isKnown) return wrong({ offset: 0, what: error.message });
    throw error;
  }
}

interface Trouble {
  readonly offset: number;
  readonly what: string;
}

const tooDeep = "the nesting is too deep";

/** The first node that is not allowed. `anchors`: the names of the nodes above this one. */
function wrongNode(node: unknown, anchors: readonly string[], depth: number): Trouble | undefined {
  if (!isNode(node) || isScalar(node)) return undefined;
  const offset = node.range?.[0] ?? 0;
  if (depth > 50) return { offset, what: tooDeep };
  if (isAlias(node)) {
    const isRing = anchors.includes(node.source);
    return isRing ? { offset, what: `*${node.source} stands inside what it repeats` } : undefined;
  }
  const above = node.anchor === undefined ? anchors : [...anchors, node.anchor];
  const within = (inner: unknown) => wrongNode(inner, above, depth + 1);
  if (isSeq(node)) return firstOf(node.items, within);
  if (!isMap(node)) return undefined;
  const seen = new Set<string>();
  return firstOf(node.items, ({ key, value }) => {
    if (!isScalar(key)) return { offset, what: "a key is not a plain word" };
    const name = String(key.value);
    const at = key.range?.[0] ?? offset;
    if (name === "__proto__") return { offset: at, what: "the key __proto__ is not allowed" };
    if (seen.has(name)) return { offset: at, what: `the key ${name} is there twice` };
    seen.add(name);
    return within(value);
  });
}

function firstOf<Item, Result>(items: readonly Item[], find: (item: Item) => Result | undefined): Result | undefined {
  for (const item of items) {
    const found = find(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Where the text nests deeper than that. Its parser would run out of stack, or out of time. */
function depthBeyond(text: string, depth: number): number | undefined {
  // Each level takes one of these, and most texts have too few to be looked at twice.
  if ((text.match(/[[{]|[-?:](?=\s)/g) ?? []).length <= depth) return undefined;
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(text)) {
    for (const _ of parser.next(lexeme)) continue;
    if (parser.stack.length > depth) return parser.offset;
  }
  return undefined;
}

/** Of a key: itself; of an item: where it begins; of what is not there: what it would stand in. */
function offsetOf(document: Document.Parsed, path: Path): number {
  let node: unknown = document.contents;
  let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      if (!pair) return offset;
      offset = (isNode(pair.key) && pair.key.range?.[0]) || offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(step)];
      if (isNode(node)) offset = node.range?.[0] ?? offset;
    }
  }
  return offset;
}
