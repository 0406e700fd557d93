import { isUtf8 } from "node:buffer";
import { lstat, readFile } from "node:fs/promises";
import { systemCode } from "../../util/errors.ts";

/** `exact` is false where bytes were no UTF-8 and stand as � in the text. */
export type Read =
  | { readonly type: "text"; readonly text: string; readonly exact: boolean }
  | { readonly type: "trouble"; readonly what: string }
  | { readonly type: "missing" };

/** The text of a plain file; asked what it is before it is opened, as a pipe would never answer. */
export async function readText(file: string, atMost: number): Promise<Read> {
  try {
    const found = await lstat(file);
    if (!found.isFile()) return { type: "trouble", what: "this is not a plain file" };
    if (found.size > atMost) return { type: "trouble", what: `the file is longer than ${atMost / 1024} KB` };
    const bytes = await readFile(file);
    return { type: "text", text: new TextDecoder().decode(bytes), exact: isUtf8(bytes) };
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    return code === "ENOENT" ? { type: "missing" } : { type: "trouble", what: `the file cannot be read (${code})` };
  }
}
