import { createTwoFilesPatch } from "diff/lib/patch/create.js";

/**
 * What changed from one text to another, in the form that `git apply` and `patch` read; null stands for no file.
 * Texts too different to be compared line by line in a reasonable time are shown as one taken away and one added.
 */
export function unifiedDiff(before: string | null, after: string | null, path: string): string {
  const [from, to] = [before === null ? "/dev/null" : `a/${path}`, after === null ? "/dev/null" : `b/${path}`];
  const options = {
    context: 3,
    maxEditLength: 4000,
    timeout: 2000,
    headerOptions: { includeIndex: false, includeUnderline: false, includeFileHeaders: true },
  };
  const patch = createTwoFilesPatch(from, to, before ?? "", after ?? "", undefined, undefined, options);
  return patch ?? replaced(before ?? "", after ?? "", from, to);
}

function replaced(before: string, after: string, from: string, to: string): string {
  const lines = (text: string, mark: string) => {
    const all = text.split("\n");
    const ends = all.at(-1) === "";
    if (ends) all.pop();
    return [
      ...all.map((line) => `${mark}${line}`),
      ...(ends || all.length === 0 ? [] : ["\\ No newline at end of file"]),
    ];
  };
  const range = (text: string) => (text === "" ? "0,0" : `1,${text.replace(/\n$/, "").split("\n").length}`);
  const head = [`--- ${from}`, `+++ ${to}`, `@@ -${range(before)} +${range(after)} @@`];
  const body = [...(before === "" ? [] : lines(before, "-")), ...(after === "" ? [] : lines(after, "+"))];
  return `${[...head, ...body].join("\n")}\n`;
}

/** How many lines a diff adds and takes away. */
export function diffSize(diff: string): { added: number; removed: number } {
  return { added: countLines(diff, /^\+/gm), removed: countLines(diff, /^-/gm) };
}

/** A reviewer's pace. */
export const linesAMinute = 25;

/** A line and what replaces it are read together. A line without letters and digits takes no time. */
export function minutesToRead(diff: string): number {
  const [added, removed] = [/^\+.*[\p{L}\p{N}]/gmu, /^-.*[\p{L}\p{N}]/gmu].map((mark) => countLines(diff, mark));
  return Math.max(added!, removed!) / linesAMinute;
}

function countLines(diff: string, mark: RegExp): number {
  const at = diff.indexOf("\n@@");
  return at < 0 ? 0 : (diff.slice(at).match(mark)?.length ?? 0);
}
