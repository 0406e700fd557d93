import type { ChainLine } from "../../operations/operation.ts";
import { count } from "../../util/count.ts";
import { diffSize, minutesToRead } from "../../util/diff.ts";
import { cut, type Screen } from "./terminal.ts";

export type Request = Extract<ChainLine, { event: "permission_asked" }>["request"];
type Change = Pick<Extract<Request, { kind: "change" }>, "path" | "role" | "before" | "after" | "unplanned">;

const most = 120;
/** A diff that is so little longer is shown whole at once. */
const slack = 30;
const noColour: Screen["style"] = (_, text) => text;

/** The beginning of a diff, in lines that fit the screen; `rest`: the lines that are left out or cut, each whole. */
export function diffView(diff: string, { columns, style }: Pick<Screen, "columns" | "style">) {
  const all = linesOf(diff);
  const end = all.length <= most + slack ? all.length : most;
  const shown = all.slice(0, end).map((line) => wrapped(line, columns - indent.length - 1));
  return {
    lines: shown.flatMap(({ rows, sign }) => rows.map((row) => indent + coloured(row, style, sign))),
    hidden: all.length - shown.length,
    shortened: shown.filter(({ isCut }) => isCut).length,
    rest: all.filter((_, at) => at >= end || shown[at]?.isCut).map((line) => indent + coloured(line, style)),
  };
}

/** All of a diff, and every line whole. */
export function wholeDiff(diff: string, style: Screen["style"] = noColour): string[] {
  return linesOf(diff).map((line) => indent + coloured(line, style));
}

/** `~ src/product.js (code)  +12 −3, about 1 min to read`; of a test file also the names of its new tests. */
export function changeText({ path, role, before, after, unplanned }: Change, diff: string, style = noColour): string {
  const mark = after === null ? style("red", "-") : before === null ? style("green", "+") : style("yellow", "~");
  const note = unplanned ? `\n    ${style("yellow", "This is not part of the approved solution.")}` : "";
  const head = `  ${mark} ${style("bold", visible(path))} (${role})  ${sizeText(diff)}${note}`;
  const names = role === "test" ? scenarios(diff) : [];
  return names.length === 0
    ? head
    : [head, "    It tests:", ...names.map((name) => `    - ${visible(name)}`)].join("\n");
}

/** The names of the tests that a diff adds, in the languages whose tests have names in their source. */
function scenarios(diff: string): string[] {
  const added = diff.split("\n").filter((line) => line.startsWith("+") && !line.startsWith("+++"));
  return added.flatMap((line) => {
    const called = /\b(?:test|it)(?:\.\w+)*\s*(?:\([^"'`]*\)\s*)?\(\s*(["'`])(.+?)\1\s*[,)]/.exec(line)?.[2];
    const name = called ?? /\b(?:def|func|function|fn)\s+(test\w+)/i.exec(line)?.[1];
    return name === undefined ? [] : [name];
  });
}

function sizeText(diff: string): string {
  if (linesOf(diff).length === 0) return "no lines";
  const minutes = Math.round(minutesToRead(diff));
  return `${countsText(diffSize(diff))}, ${minutes === 0 ? "under a minute" : `about ${minutes} min`} to read`;
}

/** `+12 −3` */
export function countsText({ added, removed }: { readonly added: number; readonly removed: number }): string {
  return [...(added > 0 ? [`+${added}`] : []), ...(removed > 0 ? [`−${removed}`] : [])].join(" ");
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
      : `\n    Your yes holds while ${names.length === 1 ? "this file stays as it is" : "these files stay as they are"}: ${names.slice(0, 10).join(", ")}${names.length > 10 ? `, and ${names.length - 10} more` : ""}`;
  return `  $ ${line.split("\n").map(visible).join("\n    ")}${bound}`;
}

/** `python3 - <<'EOF' (+12 lines)` */
export function inOneLine(command: string): string {
  const [first = "", ...more] = command.trim().split("\n");
  return visible(first) + (more.length > 0 ? ` (+${count(more.length, "line")})` : "");
}

export function lostTestsText(lost: readonly string[]): string[] {
  return ["  These tests were there and no longer run:", ...lost.map((name) => `  - ${lossText(name)}`)];
}

/** A permission is bound to the state of the tests; its hash tells a person nothing. */
export function lossText(name: string): string {
  return visible(name.replace(/ \(state \w+\)$/, ""));
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

/** A long line goes on in rows of its own, which begin with an arrow, so that none looks like another line. */
function wrapped(line: string, columns: number) {
  const rows: string[] = [];
  let rest = line;
  while (rest !== "" && rows.length < mostRows) {
    const mark = rows.length === 0 ? "" : "  ↳ ";
    const row = fitting(rest, columns - mark.length);
    rows.push(mark + row);
    rest = rest.slice(row.length);
  }
  if (rest !== "") rows.push(`${rows.pop()!.slice(0, -1)}…`);
  return { rows: line === "" ? [""] : rows, sign: line[0] ?? "", isCut: rest !== "" };
}

const mostRows = 12;

/** As much of the beginning as fits, and one letter at least. Measuring takes its time, so a long text is cut roughly first. */
function fitting(text: string, columns: number): string {
  const near = text.slice(0, columns * 4);
  if (cut(near, columns) === near) return near;
  const row = Array.from(cut(near, columns + 1))
    .slice(0, -1)
    .join("");
  return row === "" ? Array.from(text)[0]! : row;
}

function coloured(line: string, style: Screen["style"], sign = line[0]): string {
  switch (sign) {
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
