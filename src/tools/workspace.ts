import fs from "node:fs";
import { join, relative, resolve } from "node:path";
import { messageOf, UserError } from "../util/errors.ts";
import { sha256 } from "../util/hash.ts";
import { applyAt, readBytes, readText, temporaryEnd } from "./file.ts";
import type { Applied, Fingerprint, Found } from "./file.ts";
import { listFiles, matching } from "./listing.ts";
import { follow, isHidden, isInside, locate, slashes } from "./place.ts";
import type { Purpose } from "./place.ts";
import type { FileChange } from "./types.ts";

/** The only door to the user's files. Paths are relative, with forward slashes; what leads out is refused. */
export interface Workspace {
  readonly root: string;
  /** The whole text of a file of at most 2 MB; `write` also asks whether it may be written. */
  read(path: string, purpose?: Purpose): Found;
  /** Undefined where there is no file; what cannot be read is a UserError. */
  fingerprint(path: string): Fingerprint | undefined;
  /** Replaces the file as a whole, or leaves it as it was; the same change may be applied again. */
  apply(change: FileChange): Applied;
  /** Plain files, sorted; without what git ignores, node_modules, what is hidden, and names with a line break. */
  list(globs?: readonly string[]): Promise<string[]>;
  /** One hash over names and contents of all that `list` names. */
  treeHash(): Promise<string>;
}

const hashedFileLimit = 5_000_000;

/** `hide` are folders below `folder` (our own home) that are neither listed nor searched nor written. */
export function openWorkspace(folder: string, { hide }: { hide: readonly string[] }): Workspace {
  const root = realFolder(folder);
  const hidden = hide.flatMap((name) => hiddenFolder(root, name));
  const hashes = new Map<string, { stamp: string; hash: string }>();

  const read = (path: string, purpose: Purpose = "read"): Found => {
    const place = locate(root, path, hidden, purpose);
    return place.type === "refused" ? place : readText(path, place);
  };
  const listed = () => listFiles(root, (path) => isHidden(path, hidden) || path.endsWith(temporaryEnd));
  return {
    root,
    read,
    fingerprint(path) {
      const found = read(path);
      if (found.type === "absent") return undefined;
      if (found.type === "refused") {
        throw new UserError("file_refused", found.text, "Name a plain text file inside the workspace.");
      }
      return { sha256: found.sha256, text: found.text, mode: found.mode };
    },
    apply(change) {
      const place = locate(root, change.path, hidden, "write");
      return place.type === "refused" ? place : applyAt(place, change);
    },
    async list(globs) {
      const paths = (await listed()).map((file) => file.path);
      return globs === undefined ? paths : matching(paths, globs);
    },
    async treeHash() {
      const lines = (await listed()).map(({ path, stats }) => {
        const stamp = [stats.size, stats.mtimeMs, stats.ctimeMs, stats.ino].join(" ");
        const known = hashes.get(path);
        if (known?.stamp === stamp) return `${path}\0${known.hash}\n`;
        const bytes = stats.size > hashedFileLimit ? undefined : readBytes(path, join(root, path), hashedFileLimit);
        const hash = bytes instanceof Uint8Array ? sha256(bytes) : `${stats.size} ${stats.mtimeMs}`;
        // Within one tick of the clock a file can change twice and look the same.
        if (Date.now() - stats.ctimeMs > 20) hashes.set(path, { stamp, hash });
        return `${path}\0${hash}\n`;
      });
      return sha256(...lines);
    },
  };
}

function realFolder(folder: string): string {
  const hint = "Name a folder that exists.";
  try {
    const root = fs.realpathSync.native(folder);
    if (fs.lstatSync(root).isDirectory()) return root;
  } catch (error) {
    throw new UserError("no_workspace", `The workspace cannot be opened: ${messageOf(error)}.`, hint);
  }
  throw new UserError("no_workspace", `The workspace "${folder}" is not a folder.`, hint);
}

function hiddenFolder(root: string, name: string): string[] {
  const found = follow(resolve(root, name));
  if (typeof found === "string") throw new Error(`${name} cannot be hidden: it ${found}.`);
  const full = join(found.real, ...found.missing);
  if (full === root) throw new Error(`Hiding ${full} would hide the whole workspace.`);
  return isInside(root, full) ? [slashes(relative(root, full))] : [];
}
