import type { ChainLine } from "../app/operation.ts";
import { diffSize } from "../util/diff.ts";
import { cut, type Screen } from "./terminal.ts";

export type Request = Extract<ChainLine, { event: "permission_asked" }>["request"];
type Change = Pick<Extract<Request, { kind: "change" }>, "path" | "role" | "before" | "after">;

export interface DiffView {
  readonly lines: readonly string[];
  /** Lines that are left out. */
  readonly hidden: number;
  /** Lines of which the end is left out. */
  readonly shortened: number;
}

const most = 120;
/** A reviewer's pace. */
const linesAMinute = 20;
const noColour: Screen["style"] = (_, text) => text;

/** The beginning of a diff, in lines that fit the screen. */
export function diffView(diff: string, { columns, style }: Pick<Screen, "columns" | "style">): DiffView {
  const all = linesOf(diff);
  const shown = all.slice(0, most).map((line) => ({ line, short: shorten(line, columns - indent.length - 1) }));
  return {
    lines: shown.map(({ short }) => indent + coloured(short, style)),
    hidden: all.length - shown.length,
    shortened: shown.filter(({ line, short }) => line !== short).length,
  };
}

/** All of a diff, and every line whole. */
export function wholeDiff(diff: string, style: Screen["style"] = noColour): string[] {
  return linesOf(diff).map((line) => indent + coloured(line, style));
}

/** `~ src/product.js (code)  +12 −3, about 1 min to read` */
export function changeText({ path, role, before, after }: Change, diff: string, style = noColour): string {
  const mark = after === null ? style("red", "-") : before === null ? style("green", "+") : style("yellow", "~");
  return `  ${mark} ${style("bold", visible(path))} (${role})  ${sizeText(diff)}`;
}

function sizeText(diff: string): string {
  if (linesOf(diff).length === 0) return "no lines";
  const { added, removed } = diffSize(diff);
  const counts = [...(added > 0 ? [`+${added}`] : []), ...(removed > 0 ? [`−${removed}`] : [])];
  const minutes = Math.round((added + removed) / linesAMinute);
  return `${counts.join(" ")}, ${minutes === 0 ? "under a minute" : `about ${minutes} min`} to read`;
}

/** As it is, line by line and never cut, and the files to whose content its permission is bound. */
export function commandText({
  line,
  files = {},
}: Pick<Extract<Request, { kind: "command" }>, "line" | "files">): string {
  const names = Object.keys(files).map(visible);
  const bound =
    names.length === 0
      ? ""
      : `\n    Allowed only as these are now: ${names.slice(0, 10).join(", ")}${names.length > 10 ? `, and ${names.length - 10} more` : ""}`;
  return `  $ ${line.split("\n").map(visible).join("\n    ")}${bound}`;
}

export function lostTestsText(lost: readonly string[]): string[] {
  return ["  These tests were there and no longer run:", ...lost.map((name) => `  - ${visible(name)}`)];
}

/** On one line, with all that would not be seen written as its number: also what only looks like other text. */
export function visible(text: string): string {
  return text.replace(unseen, (letter) => `<U+${letter.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0")}>`);
}

const indent = "  ";
/** What chooses a colourful form of the letter before it is seen well enough. */
const unseen = /(?!\ufe0f)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** Without the names of the file, which stand above it. */
function linesOf(diff: string): string[] {
  const lines = diff.replace(/\n$/, "").split("\n");
  const start = lines.findIndex((line) => line.startsWith("@@"));
  const head = start < 0 ? lines : lines.slice(0, start);
  const told = head.filter((line) => line !== "" && !/^(---|\+\+\+) /.test(line)).map(visible);
  return start < 0 ? told : [...told, ...lines.slice(start).map(plain)];
}

/** What is changed may differ in nothing but spaces: there they can be told apart. */
function plain(line: string): string {
  const sign = line.slice(0, 1);
  const changed = sign === "+" || sign === "-";
  const text = changed ? line.slice(1).replace(/ +(?=\r?$)/, (spaces) => "·".repeat(spaces.length)) : line.slice(1);
  const parts = text.replace(/\r$/, "␍").split("\t").map(visible);
  return sign + parts.reduce((before, part) => before + (changed ? "→" : " ").padEnd(4 - (before.length % 4)) + part);
}

/** A very long line is cut roughly first, as measuring takes its time. */
function shorten(line: string, columns: number): string {
  const near = line.slice(0, columns * 4);
  const short = cut(near, columns);
  return short === near && near !== line ? `${short}…` : short;
}

function coloured(line: string, style: Screen["style"]): string {
  switch (line[0]) {
    case "+":
      return style("green", line);
    case "-":
      return style("red", line);
    case "@":
    case "\\":
      return style("dim", line);
    default:
      return line;
  }
}
