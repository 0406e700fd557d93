import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Session } from "../session/session.ts";
import { exitCodes, UserError } from "../util/errors.ts";
import { writeAtomic } from "../util/files.ts";
import { readSmallFile } from "../util/small_file.ts";

/** A folder of the home whose files a person may edit and commit. */
export type KeptFolder = "patterns" | "memory";

/** Its files of one ending, if the folder is trusted. A link in place of the folder is not followed. */
export function keptFiles(session: Session, name: KeptFolder, ending: string): string[] {
  const folder = join(session.home.path, name);
  const isRead = session.isTrusted() && (lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() ?? false);
  const names = isRead ? readdirSync(folder).filter((file) => file.endsWith(ending) && !file.startsWith(".")) : [];
  return names.sort().map((file) => join(folder, file));
}

/** The text of such a file, or why it is not read. */
export function readKept(file: string): { text: string } | { why: string } {
  const read = readSmallFile(file, 64 * 1024);
  return "trouble" in read ? { why: read.trouble } : { text: read.bytes.toString() };
}

export function keep(session: Session, name: KeptFolder, file: string, text: string): void {
  session.needsTrust(session.home.workspace);
  const folder = join(session.home.path, name);
  if (lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() === false) {
    const message = `${folder} is not a folder of its own, so nothing is written there.`;
    throw new UserError("no_folder", message, "Move it away, then ask for the same again.", exitCodes.conflict);
  }
  writeAtomic(join(folder, file), text, { mode: 0o644 });
}
