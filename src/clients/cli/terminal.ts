import { stripVTControlCharacters, styleText } from "node:util";

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** Where progress is shown: text that stays, and below it, on a terminal only, a few lines that are redrawn. */
export interface Screen {
  readonly columns: number;
  style(style: Style, text: string): string;
  print(text: string): void;
  /** What is going on now; an empty list takes it away. */
  live(lines: readonly string[]): void;
  close(): void;
}

/** What is typed below the screen: how many rows it has above the cursor, and how it is shown again. */
export interface TypedLine {
  rows(): number;
  show(): void;
}

export function openScreen(
  stream: NodeJS.WriteStream,
  { plain, quiet, typed }: { plain: boolean; quiet: boolean; typed?: TypedLine },
): Screen {
  const isAlive = stream.isTTY && !plain && !quiet;
  let shown: readonly string[] = [];
  let now: readonly string[] = [];
  // A log collector wants whole lines.
  const columns = () => stream.columns || (stream.isTTY ? 100 : Infinity);
  const rowsOf = (text: string) => rowsIn(text, columns());

  /** Text that stays goes above what is drawn; lines that only change are drawn over, so that nothing flickers. */
  const draw = (text: string) => {
    const rows = now.map((line) => cutWords(line.replaceAll("\n", " "), columns() - 1));
    const up = shown.reduce((sum, row) => sum + rowsOf(row), typed?.rows() ?? 0);
    const isInPlace = text === "" && rows.length === shown.length && shown.every((row) => rowsOf(row) === 1);
    if (isInPlace && rows.length === 0) return;
    const below = rows.map((row) => `${row}${isInPlace ? "\x1b[K" : ""}\n`).join("");
    shown = rows;
    if (isAlive) stream.write("\x1b[?2026h");
    const top = `${up > 0 ? `\x1b[${up}A` : ""}${up > 0 || typed ? "\r" : ""}`;
    if (isInPlace) stream.write(`\x1b7${top}${below}\x1b8`);
    else stream.write(`${top}${top ? "\x1b[J" : ""}${text}${below}`);
    if (!isInPlace) typed?.show();
    if (isAlive) stream.write("\x1b[?2026l");
  };
  return {
    get columns() {
      return columns();
    },
    style: (style, text) => (plain ? text : styleText(style, text, { stream })),
    print(text) {
      if (quiet) return;
      if (isAlive || typed) draw(`${text}\n`);
      else stream.write(`${text}\n`);
    },
    live(lines) {
      if (!isAlive) return;
      now = lines.slice(0, 6);
      draw("");
    },
    close() {
      now = [];
      if (isAlive) draw("");
    },
  };
}

/** How many rows a text of one line takes, with the cursor behind it. */
export function rowsIn(text: string, columns: number): number {
  return Math.floor(displayWidth(stripVTControlCharacters(text)) / columns) + 1;
}

/** Text of models and files may hold control sequences: nothing but the text itself reaches the terminal. */
export function harmless(text: string): string {
  return stripVTControlCharacters(text).replace(unseen, "");
}

/** The same for JSON, where nothing is lost: what a terminal would act on is written as an escape. */
export function harmlessJson(data: object, indent?: number): string {
  const escape = (letter: string) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(data, null, indent).replace(unseen, escape);
}

// oxlint-disable-next-line no-control-regex
const unseen = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

export function wrap(text: string, width: number, indent: string): string {
  return text
    .split("\n")
    .flatMap((line) => wrapLine(line, Math.max(20, width - indent.length)))
    .map((line) => `${indent}${line}`.trimEnd())
    .join("\n");
}

function wrapLine(line: string, width: number): string[] {
  const hang = " ".repeat(/^\s*(?:[-*+−]|\d+\.|A\d+ )?\s*/.exec(line)?.[0].length ?? 0);
  const lines: string[] = [];
  let current = "";
  for (const word of line.split(/(?<=\s)/)) {
    if (displayWidth(current + word.trimEnd()) > width && current.trim()) {
      lines.push(current.trimEnd());
      current = hang;
    }
    current += word;
  }
  return [...lines, current.trimEnd()];
}

export function cut(text: string, width: number): string {
  if (displayWidth(stripVTControlCharacters(text)) <= width) return text;
  let kept = "";
  // oxlint-disable-next-line no-control-regex
  for (const part of text.split(/(\x1b\[[0-9;]*m)/)) {
    if (part.startsWith("\x1b")) kept += part;
    else
      for (const letter of part)
        if (displayWidth(stripVTControlCharacters(kept)) + displayWidth(letter) < width) kept += letter;
  }
  return `${kept}…`;
}

/** As `cut`, but no word is cut in two, unless it is very long. */
export function cutWords(text: string, width: number): string {
  const short = cut(text, width);
  // oxlint-disable-next-line no-control-regex
  return short === text ? text : short.replace(/\s+[^\s\x1b]{0,40}((?:\x1b\[[0-9;]*m)*…)$/, "$1");
}

/** Columns a text takes: wide letters take two, marks that combine none. */
function displayWidth(text: string): number {
  let width = 0;
  for (const letter of text) width += /\p{M}/u.test(letter) ? 0 : wide.test(letter) ? 2 : 1;
  return width;
}

const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Extended_Pictographic}/u;
