import { type Document, isAlias, isMap, isNode, isScalar, isSeq } from "yaml";
import { dataOf, parseGuarded, type Trouble } from "../guarded_yaml.ts";

export type Path = readonly PropertyKey[];

/** What a YAML text holds, and on which line what stands; or why it is not read. */
export type Yaml =
  | { readonly type: "data"; readonly data: unknown; readonly lineOf: (path: Path) => number }
  | { readonly type: "trouble"; readonly line: number; readonly what: string };

export function readYaml(text: string): Yaml {
  const lineAt = (offset: number) => text.slice(0, offset).split("\n").length;
  const trouble = ({ offset, what }: Trouble): Yaml => {
    return { type: "trouble", line: lineAt(offset), what: what.split("\n")[0]! };
  };
  if (Buffer.byteLength(text) > 256 * 1024) return trouble({ offset: 0, what: "the file is longer than 256 KB" });
  const document = parseGuarded(text, { merge: true });
  if ("what" in document) return trouble(document);
  const read = dataOf(document);
  if ("what" in read) return trouble(read);
  return { type: "data", data: read.data, lineOf: (path) => lineAt(offsetOf(document, path)) };
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
