import { statsOf } from "./place.ts";
import { readBytes } from "./file.ts";
import { redact } from "./redact.ts";

/**
 * Takes out what `redact` knows by its form, and the very values that stand in `closed` files of the workspace: a
 * command can print what lies in a commit, or was copied before.
 */
export function redactor(closed: () => readonly string[]): (text: string) => string {
  const known = new Map<string, { stamp: string; values: readonly string[] }>();
  return (text) => {
    let clean = redact(text);
    for (const path of closed().slice(0, most.files)) {
      for (const value of valuesAt(path, known)) clean = clean.replaceAll(value, "[redacted secret]");
    }
    return clean;
  };
}

const most = { files: 200, bytes: 100_000, values: 200 };

function valuesAt(path: string, known: Map<string, { stamp: string; values: readonly string[] }>): readonly string[] {
  const stats = statsOf(path);
  if (!stats?.isFile() || stats.size > most.bytes) return [];
  const stamp = [stats.size, stats.mtimeMs, stats.ctimeMs, stats.ino].join(" ");
  const before = known.get(path);
  if (before?.stamp === stamp) return before.values;
  const bytes = readBytes(path, path, most.bytes);
  const text = bytes instanceof Uint8Array ? new TextDecoder().decode(bytes) : "";
  // The longest first, as one may be part of another.
  const values = valuesIn(text).toSorted((one, other) => other.length - one.length);
  known.set(path, { stamp, values });
  return values;
}

/** What stands behind the names of settings, and the lines of keys. Short and common words would hide too much. */
function valuesIn(text: string): string[] {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const values = lines.flatMap((line) => {
    const [, quote = "", value = ""] = /^(?:export\s+)?[\w.-]+\s*[=:]\s*(["'`]?)(.*)\1\s*$/.exec(line) ?? [];
    const plain = quote === "" ? value.replace(/\s+#.*$/, "").trim() : value;
    if (plain.length >= 8 && !common.test(plain)) return [plain];
    return /^[\w+/=-]{24,}$/.test(line) ? [line] : [];
  });
  return [...new Set(values)].slice(0, most.values);
}

const common =
  /^(?:development|production|localhost(?::\d+)?|(?:\d{1,3}\.){3}\d{1,3}|[\d.,: -]+|[a-z]+:\/\/[^@]*|[./~][\w./-]*)$/i;
