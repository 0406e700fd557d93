import { isUtf8 } from "node:buffer";
import { chmodSync, type Dirent, lstatSync, readFileSync, statSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join, resolve, sep } from "node:path";
import { messageOf, systemCode, UserError } from "../../util/errors.ts";
import { makeFolder, writeAtomic } from "../../util/files.ts";
import { readSmallFile } from "../../util/small_file.ts";
import type { Skipped } from "./outcome.ts";

export interface Found {
  /** Below the folder that was listed, with `/`. */
  readonly path: string;
  readonly file: string;
}

/** Every plain file below `root`, in the order of their names. A link is never followed. */
export async function listFolder(root: string, leaveOut?: string): Promise<{ found: Found[]; skipped: Skipped[] }> {
  const found: Found[] = [];
  const skipped: Skipped[] = [];
  let seen = 0;
  const pass = (path: string, error: unknown) => {
    if (error instanceof UserError) throw error;
    skipped.push({ file: path, why: whyNot(error) });
  };
  const walk = async (folder: string, under: string): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true });
    if ((seen += entries.length) > mostEntries) {
      const hint = "Name the folder in which the prompts lie.";
      throw new UserError("too_many_files", `${root} holds more than ${mostEntries} files. Nothing was read.`, hint);
    }
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = `${under}${entry.name}`;
      const file = join(folder, entry.name);
      const why = file === leaveOut ? "this is where the prompts are written to" : reasonToPass(entry);
      if (why !== undefined) skipped.push({ file: path, why });
      else if (entry.isFile()) found.push({ path, file });
      else await walk(file, `${path}/`).catch((error: unknown) => pass(path, error));
    }
  };
  await walk(root, "");
  return { found, skipped };
}

/** Nobody has as many prompts; somebody may have named the wrong folder. */
const mostEntries = 50_000;

function reasonToPass(entry: Dirent): string | undefined {
  if (entry.name.includes("\uFFFD")) return "its name is not UTF-8";
  if (isGit(entry.name)) return "it belongs to git";
  if (entry.isDirectory()) return entry.name === "node_modules" ? "it holds installed packages" : undefined;
  if (entry.isSymbolicLink()) return "it is a link, and links are not followed";
  return entry.isFile() ? undefined : "it is not a plain file";
}

/** Some file systems take other spellings for the same folder. */
function isGit(name: string): boolean {
  const plain = name
    .normalize("NFKC")
    .replaceAll(/\p{Cf}/gu, "")
    .toLowerCase();
  return /^(\.git|git~\d+)[. ]*(:.*)?$/s.test(plain);
}

/** Why one file could not be taken or written; a bug is thrown on. */
export function whyNot(error: unknown): string {
  if (error instanceof UserError) return error.message;
  const code = systemCode(error);
  if (code === undefined || ["ENOSPC", "EDQUOT", "EIO", "EROFS", "EMFILE"].includes(code)) throw error;
  return `the system refuses it (${code}): ${messageOf(error)
    .replace(/^\w+: /, "")
    .replace(/,.*$/s, "")}`;
}

export function readFile(file: string, most: number): { bytes: Buffer; mode: number } {
  const read = readSmallFile(file, most);
  if ("trouble" in read) throw refuse(read.trouble);
  return read;
}

export function textOf(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw refuse("it is not UTF-8");
  return Buffer.from(bytes).toString();
}

export function refuse(why: string, hint = "Mend the file, or leave it out."): UserError {
  return new UserError("exchange_refused", why, hint);
}

/** A path that stands in a file is data: it must stay below the folder it is joined to, and out of git's. */
export function checkPath(path: string): void {
  const said = JSON.stringify(path.slice(0, 80));
  const parts = path.split("/");
  if (path.includes("\0")) throw refuse(`the path ${said} cannot be one`);
  if (path.startsWith("/") || /^[a-z]:[\\/]/i.test(path)) throw refuse(`the path ${said} is absolute`);
  if (parts.some((part) => part === ".." || part.split("\\").includes(".."))) {
    throw refuse(`the path ${said} leads out of the folder`);
  }
  if (parts.some((part) => part === "" || part === ".")) throw refuse(`the path ${said} is not in its plain form`);
  if (parts.some((part) => part.split("\\").some(isGit))) throw refuse(`the path ${said} leads into git's own folder`);
}

/** What lies at `path` below `root` now; undefined: nothing. Refuses what could only be reached through a link. */
function lookBelow(root: string, path: string): Buffer | undefined {
  checkPath(path);
  if (resolve(root).split(sep).some(isGit)) throw refuse(`${root} belongs to git`, "Write into another folder.");
  if (statSync(root, { throwIfNoEntry: false })?.isDirectory() === false) throw refuse(`${root} is not a folder`);
  const parts = path.split("/");
  for (const [index] of parts.entries()) {
    const at = parts.slice(0, index + 1).join("/");
    const stat = lstatSync(join(root, at), { throwIfNoEntry: false });
    if (!stat) return undefined;
    const isLast = index === parts.length - 1;
    if (stat.isSymbolicLink()) throw refuse(`${at} is a link there, and nothing is written through links`);
    if (isLast ? !stat.isFile() : !stat.isDirectory()) throw refuse(`${at} is something else there`);
  }
  return readFileSync(join(root, path));
}

export interface OutFile {
  readonly path: string;
  readonly bytes: Buffer;
  readonly mode: number;
}

/** Writes all files or, where one of them may not be written, none. Whether all were there already. */
export function writeFiles(
  root: string,
  files: readonly OutFile[],
  { dryRun, replace }: { readonly dryRun?: boolean; readonly replace?: boolean },
): boolean {
  const missing = files.filter(({ path, bytes }) => {
    const there = lookBelow(root, path);
    const differs = there !== undefined && !there.equals(bytes);
    if (differs && !replace) throw refuse(`${path} is there already and differs`, "Say replace to write over it.");
    return there === undefined || differs;
  });
  for (const { path, bytes, mode } of dryRun ? [] : missing) {
    lookBelow(root, path);
    const file = join(root, path);
    makeFolder(join(file, ".."), 0o777);
    // Readable to us while it is written; what came without a mode that lets us read could not have come.
    writeAtomic(file, bytes, { mode: mode | 0o600, durable: false });
    chmodSync(file, mode);
  }
  return missing.length === 0;
}
