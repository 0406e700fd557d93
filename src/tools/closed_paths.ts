import fs from "node:fs";
import { join } from "node:path";
import { systemCode } from "../util/errors.ts";
import { closedBecause, statsOf } from "./place.ts";

/** What a command may not get at, as absolute paths. */
export interface ClosedPaths {
  readonly unreadable: readonly string[];
  readonly unwritable: readonly string[];
  /** Repositories named by a link: nothing can be mounted on a link, so nothing keeps it from being replaced. */
  readonly links: readonly string[];
}

/** Finds what is closed below `root`, again and again: a folder is read again only after its entries changed. */
export function closedFinder(root: string): () => ClosedPaths {
  const known = new Map<string, Folder>();
  return () => {
    const found = { unreadable: [] as string[], unwritable: [] as string[], links: [] as string[] };
    const waiting = [root];
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
      const folder = folderAt(path, known);
      found.unreadable.push(...folder.unreadable);
      found.unwritable.push(...folder.unwritable);
      found.links.push(...folder.links);
      waiting.push(...folder.below);
    }
    return found;
  };
}

interface Folder extends ClosedPaths {
  readonly stamp: string;
  readonly below: readonly string[];
}

function folderAt(path: string, known: Map<string, Folder>): Folder {
  const stats = statsOf(path);
  if (!stats?.isDirectory()) return nothing;
  const stamp = [stats.mtimeMs, stats.ctimeMs, stats.ino].join(" ");
  const before = known.get(path);
  if (before?.stamp === stamp) return before;
  const folder = { ...readFolder(path), stamp };
  // Within one tick of the clock a folder can change twice and look the same.
  if (Date.now() - stats.ctimeMs > 20) known.set(path, folder);
  return folder;
}

const nothing: Folder = { unreadable: [], unwritable: [], links: [], stamp: "", below: [] };

function readFolder(path: string): Omit<Folder, "stamp"> {
  const found = {
    unreadable: [] as string[],
    unwritable: [] as string[],
    links: [] as string[],
    below: [] as string[],
  };
  for (const entry of entriesOf(path, found.unreadable)) {
    const full = join(path, entry.name);
    if (closedBecause(entry.name, [], "read") !== undefined) found.unreadable.push(full);
    if (closedBecause(entry.name, [], "write") !== undefined) {
      found.unwritable.push(full);
      if (entry.isSymbolicLink() && entry.name.toLowerCase() === ".git") found.links.push(full);
    } else if (entry.isDirectory() && entry.name !== "node_modules") found.below.push(full);
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

/** Where people keep keys, passwords and what was typed. */
export function userSecrets(home: string): string[] {
  return [...inHome.map((name) => join(home, name)), "/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-"];
}

const inHome = [
  ".ssh",
  ".aws",
  ".azure",
  ".gnupg",
  ".docker",
  ".kube",
  ".claude",
  ".claude.json",
  ".netrc",
  ".npmrc",
  ".yarnrc.yml",
  ".pypirc",
  ".pgpass",
  ".my.cnf",
  ".git-credentials",
  ".vault-token",
  ".terraform.d",
  ".password-store",
  ".bash_history",
  ".zsh_history",
  ".node_repl_history",
  ".python_history",
  ".psql_history",
  ".cargo/credentials",
  ".cargo/credentials.toml",
  ".gem/credentials",
  ".m2/settings.xml",
  ".gradle/gradle.properties",
  ".composer/auth.json",
  ".config/claude-exec",
  ".config/anthropic",
  ".config/gcloud",
  ".config/gh",
  ".config/git/credentials",
  ".config/composer/auth.json",
  ".config/op",
  ".config/sops",
  ".config/google-chrome",
  ".config/chromium",
  ".mozilla",
  ".local/share/keyrings",
  ".local/share/claude-exec",
  ".local/state/claude-exec/claude-exec.log",
  ".local/state/claude-exec/looked-at",
];
