import matter from "gray-matter";
import { readYaml } from "./guarded_yaml.ts";
import { UserError } from "../util/errors.ts";
import { isRecord } from "../util/json.ts";

export interface FrontMatter {
  readonly data: Record<string, unknown>;
  /** All before the body, as it stands in the file: both lines of ---, and a mark of byte order. */
  readonly head: string;
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
  let lineOf: FrontMatter["lineOf"] = () => 1;
  const yaml = (block: string) => {
    // gray-matter cuts a last line "n: 1\r\n" to "n: 1\r", which would be no number.
    const read = readYaml(`${block}\n`);
    if ("what" in read) throw refuse(read.line, read.what);
    const data = read.data ?? {};
    if (!isRecord(data)) throw refuse(read.lineOf([]), "the front matter is not made of `key: value`");
    lineOf = (key) => (Object.hasOwn(data, key) ? read.lineOf([key]) : 1);
    return data;
  };
  const never = () => {
    throw new Error(`${file}: front matter reached an engine other than YAML`);
  };
  const engines = { yaml, javascript: never, json: never };
  // Otherwise gray-matter would act upon a key excerpt_separator.
  const excerpt = () => "";
  const { data } = matter(text.slice(0, end), { language: "yaml", engines, excerpt });
  return { data, head: source.slice(0, source.length - body.length), body, bodyLine, lineOf };
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
