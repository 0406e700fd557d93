import { statsOf } from "./place.ts";
import { readBytes } from "./file.ts";
import { redact } from "./redact.ts";

/**
 * Takes out what `redact` knows by its form, and the very values that stand in `closed` files of the workspace: a
 * command can print what lies in a commit, or was copied before.
 */
export function redactor(closed: () => readonly string[]): (text: string) => string {
  return (text) => {
    let clean = redact(text);
    for (const value of closed().slice(0, most.files).flatMap(valuesAt)) {
      clean = clean.replaceAll(value, "[redacted secret]");
    }
    return clean;
  };
}

const most = { files: 200, bytes: 100_000, values: 200 };

function valuesAt(path: string): readonly string[] {
  if (!statsOf(path)?.isFile()) return [];
  const bytes = readBytes(path, path, most.bytes);
  const text = bytes instanceof Uint8Array ? new TextDecoder().decode(bytes) : "";
  // The longest first, as one may be part of another.
  return valuesIn(text).toSorted((one, other) => other.length - one.length);
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
