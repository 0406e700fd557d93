import { appendFileSync } from "node:fs";
import { dirname } from "node:path";
import { unlessRefused } from "../../util/errors.ts";
import { makeFolder, readTextIfThere, writeAtomic } from "../../util/files.ts";
import { looksRandom } from "../../util/random_looking.ts";

const mostLines = 500;

/** What was typed in earlier sessions, the newest first. */
export function readHistory(file: string): string[] {
  const lines = (readTextIfThere(file) ?? "").split("\n").filter((line) => line !== "");
  if (lines.length > 2 * mostLines) writeAtomic(file, `${lines.slice(-mostLines).join("\n")}\n`, { durable: false });
  return [...new Set(lines.reverse())].slice(0, mostLines);
}

/** A line with a word that looks like a key or a password is left out. */
export function rememberLine(file: string, line: string): void {
  if (line.trim() === "" || line.split(/[\s=:]+/).some((word) => word.length >= 16 && looksRandom(word))) return;
  // A session goes on without a history where none can be kept.
  unlessRefused(() => {
    makeFolder(dirname(file));
    appendFileSync(file, `${line}\n`, { mode: 0o600 });
  });
}
