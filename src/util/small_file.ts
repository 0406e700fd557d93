import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { systemCode } from "./errors.ts";

export type SmallFile =
  | { readonly bytes: Buffer; readonly mode: number }
  | { readonly trouble: string; readonly isMissing: boolean };

/**
 * The bytes of a plain file, or why it is not read. The opened file itself is looked at, so nothing can take its place
 * in between. No link is followed, and no pipe is waited for.
 */
export function readSmallFile(file: string, most: number): SmallFile {
  const refuse = (trouble: string, isMissing = false) => ({ trouble, isMissing });
  try {
    const opened = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stat = fstatSync(opened);
      if (!stat.isFile()) return refuse("this is not a plain file");
      if (stat.size > most) return refuse(`the file is longer than ${most / 1024} KB`);
      return { bytes: readFileSync(opened), mode: stat.mode & 0o777 };
    } finally {
      closeSync(opened);
    }
  } catch (error) {
    const code = systemCode(error);
    if (code === undefined) throw error;
    if (code === "ELOOP") return refuse("this is not a plain file");
    return refuse(`the file cannot be read (${code})`, code === "ENOENT");
  }
}
