import { type Document, isAlias, isMap, isNode, isScalar, isSeq, Lexer, parseDocument, Parser } from "yaml";

/** Where in a text something is wrong, and what. */
export interface Trouble {
  readonly offset: number;
  readonly what: string;
}

export type Parsed = Document.Parsed | Trouble;

/** Parses YAML of strangers: nothing in it nests without end, repeats itself, says a key twice or reaches a prototype. */
export function parseGuarded(text: string, { merge = false } = {}): Parsed {
  const deep = depthBeyond(text, 100);
  if (deep !== undefined) return { offset: deep, what: tooDeep };
  // uniqueKeys compares each key with all others; wrongNode does it in one pass.
  const document = parseDocument(text, { schema: "core", merge, uniqueKeys: false, prettyErrors: false });
  const [first] = [...document.errors, ...document.warnings];
  if (first) return { offset: first.pos[0], what: first.message };
  return wrongNode(document.contents, [], 0) ?? document;
}

/** What the document holds; an alias bomb, or an alias whose anchor is not there, is trouble at its beginning. */
export function dataOf(document: Document.Parsed): { readonly data: unknown } | Trouble {
  try {
    return { data: document.toJS({ maxAliasCount: 50 }) };
  } catch (error) {
    const isKnown =
      error instanceof ReferenceError || (error instanceof Error && error.message.startsWith("Merge sources"));
    if (isKnown) return { offset: 0, what: error.message };
    throw error;
  }
}

const tooDeep = "the nesting is too deep";

/** `anchors`: what names the nodes above this one. */
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

function firstOf<Item, Found>(items: readonly Item[], find: (item: Item) => Found | undefined): Found | undefined {
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
