import { type Document, isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, visit } from "yaml";
import { depthBeyond } from "../library/yaml_depth.ts";

export type Path = readonly PropertyKey[];

/** What a YAML text holds, and on which line what stands; or why it is not read. */
export type Yaml =
  | { readonly type: "data"; readonly data: unknown; readonly lineOf: (path: Path) => number }
  | { readonly type: "trouble"; readonly line: number; readonly what: string };

/** Reads YAML of strangers: nothing in it is run, repeated without end, or put on a prototype. */
export function readYaml(text: string): Yaml {
  const lineCounter = new LineCounter();
  const trouble = (offset: number, what: string): Yaml => {
    return { type: "trouble", line: lineCounter.linePos(offset).line || 1, what: what.split("\n")[0]! };
  };
  if (Buffer.byteLength(text) > 256 * 1024) return trouble(0, "the file is longer than 256 KB");
  const tooDeep = depthBeyond(text, 100);
  if (tooDeep !== undefined) {
    return { type: "trouble", line: text.slice(0, tooDeep).split("\n").length, what: "the nesting is too deep" };
  }
  // uniqueKeys compares each key with all others; wrongNode does it in one pass.
  const options = { schema: "core", merge: true, uniqueKeys: false, prettyErrors: false, lineCounter } as const;
  const document = parseDocument(text, options);
  const [first] = [...document.errors, ...document.warnings];
  if (first) return trouble(first.pos[0], first.message);
  const wrong = wrongNode(document);
  if (wrong) return trouble(wrong.offset, wrong.what);
  const lineOf = (path: Path) => lineCounter.linePos(offsetOf(document, path)).line || 1;
  try {
    return { type: "data", data: document.toJS({ maxAliasCount: 50 }), lineOf };
  } catch (error) {
    // An alias bomb, or an alias whose anchor is not there.
    if (error instanceof ReferenceError) return trouble(0, error.message);
    if (error instanceof Error && error.message.startsWith("Merge sources")) return trouble(0, error.message);
    throw error;
  }
}

function wrongNode(document: Document.Parsed): { offset: number; what: string } | undefined {
  let wrong: { offset: number; what: string } | undefined;
  visit(document, (_, node, path) => {
    const offset = (isNode(node) && node.range?.[0]) || 0;
    if (isAlias(node) && path.some((above) => "anchor" in above && above.anchor === node.source)) {
      wrong = { offset, what: `*${node.source} stands inside what it repeats` };
    }
    const seen = new Set<string>();
    for (const { key } of isMap(node) ? node.items : []) {
      const name = isScalar(key) ? String(key.value) : undefined;
      const at = (isNode(key) && key.range?.[0]) || offset;
      if (name === undefined) wrong = { offset: at, what: "a key is not a plain word" };
      else if (name === "__proto__") wrong = { offset: at, what: "the key __proto__ is not allowed" };
      else if (seen.has(name)) wrong = { offset: at, what: `the key ${name} is there twice` };
      if (wrong) return visit.BREAK;
      seen.add(name!);
    }
    return wrong ? visit.BREAK : undefined;
  });
  return wrong;
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
