import fs from "node:fs";
import { basename, join } from "node:path";
import { systemCode } from "../util/errors.ts";
import { closedBecause, entriesInside, statsOf } from "./place.ts";

/** What a command may not get at, as absolute paths. */
export interface ClosedPaths {
  readonly unreadable: readonly string[];
  readonly unwritable: readonly string[];
  /** Repositories named by a link: nothing can be mounted on a link, so nothing keeps it from being replaced. */
  readonly links: readonly string[];
}

/** Finds what is closed below `root`, again and again: a folder is read again only after its entries changed. */
export function closedFinder(root: string): () => ClosedPaths {
  const folderAt = reader(readFolder);
  const settingsIn = reader(settingsOfPackages);
  return () => {
    const found = { unreadable: [] as string[], unwritable: [] as string[], links: [] as string[] };
    const files: string[] = [];
    const waiting = [root];
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
      const folder = folderAt(path);
      if (folder === undefined) continue;
      found.unreadable.push(...folder.unreadable, ...folder.packages.flatMap((one) => settingsIn(one) ?? []));
      found.unwritable.push(...folder.unwritable);
      found.links.push(...folder.links);
      files.push(...folder.files);
      waiting.push(...folder.below);
    }
    // A hard link is another name of a closed file. They are looked for only where a closed file has one.
    const closed = new Set(found.unreadable.map(fileWithNames).filter((file) => file !== undefined));
    if (closed.size > 0) found.unreadable.push(...files.filter((path) => closed.has(fileWithNames(path) ?? "")));
    return found;
  };
}

interface Folder extends ClosedPaths {
  readonly below: readonly string[];
  readonly files: readonly string[];
  /** Folders named node_modules. */
  readonly packages: readonly string[];
}

/** Reads a folder as `read` does, and again only after its entries changed. Undefined: there is no such folder. */
export function reader<Found>(read: (folder: string) => Found): (folder: string) => Found | undefined {
  const known = new Map<string, { stamp: string; found: Found }>();
  return (folder) => {
    const stats = statsOf(folder);
    if (!stats?.isDirectory()) return undefined;
    const stamp = [stats.mtimeMs, stats.ctimeMs, stats.ino].join(" ");
    const before = known.get(folder);
    if (before?.stamp === stamp) return before.found;
    const found = read(folder);
    // Within one tick of the clock a folder can change twice and look the same.
    if (Date.now() - stats.ctimeMs > 20) known.set(folder, { stamp, found });
    return found;
  };
}

function readFolder(path: string): Folder {
  const found = {
    unreadable: [] as string[],
    unwritable: [] as string[],
    links: [] as string[],
    below: [] as string[],
    files: [] as string[],
    packages: [] as string[],
  };
  for (const entry of entriesOf(path, found.unreadable)) {
    const full = join(path, entry.name);
    if (closedBecause(entry.name, [], "read") !== undefined) found.unreadable.push(full);
    if (closedBecause(entry.name, [], "write") !== undefined) {
      found.unwritable.push(full);
      if (entry.isSymbolicLink() && entry.name.toLowerCase() === ".git") found.links.push(full);
    } else if (entry.isFile()) found.files.push(full);
    else if (entry.isDirectory()) found[entry.name === "node_modules" ? "packages" : "below"].push(full);
  }
  return found;
}

/** A folder that we may not list could be opened by a command of the same user, so it is closed as a whole. */
function entriesOf(path: string, unreadable: string[]): fs.Dirent[] {
  try {
    return fs.readdirSync(path, { withFileTypes: true });
  } catch (error) {
    const code = systemCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    if (code !== "EACCES" && code !== "EPERM") throw error;
    unreadable.push(path);
    return [];
  }
}

/**
 * The `.env*` files of packages, e.g. node_modules/@scope/package/.env. What lies deeper in a package is not looked at:
 * that would take seconds. Keys in packages are published and needed by their tests.
 */
function settingsOfPackages(folder: string): string[] {
  return entriesInside(folder).flatMap((entry) => {
    const full = join(folder, entry.name);
    if (isSettings(entry.name)) return [full];
    if (!entry.isDirectory()) return [];
    if (entry.name.startsWith("@")) return settingsOfPackages(full);
    const inside = entriesInside(full).map(({ name }) => join(full, name));
    // pnpm keeps the files of a package in node_modules/.pnpm/package@1.0.0/node_modules/package.
    const further = entry.name === ".pnpm" ? inside.map((one) => join(one, "node_modules")) : inside.filter(isPackages);
    return [...inside.filter((path) => isSettings(basename(path))), ...further.flatMap(settingsOfPackages)];
  });
}

const isSettings = (name: string) => /^\.env/i.test(name) && closedBecause(name, [], "read") !== undefined;
const isPackages = (path: string) => basename(path) === "node_modules";

/** The identity of a file that has more names than one. */
function fileWithNames(path: string): string | undefined {
  const stats = statsOf(path);
  return stats?.isFile() && stats.nlink > 1 ? `${stats.dev} ${stats.ino}` : undefined;
}
