import fs from "node:fs";
import { dirname, join, resolve } from "node:path";
import { unlessRefused } from "../../util/errors.ts";
import { sha256 } from "../../util/hash.ts";
import { entriesInside, statsOf } from "../../workspace/place.ts";
import { redact } from "../../workspace/redact.ts";

/** A file of settings that holds passwords, and its copy without them. */
export interface CleanCopy {
  readonly of: string;
  readonly copy: string;
}

/**
 * Makes copies, in `folder`, of the git settings that hold passwords: of these repositories (paths of a `.git`), of
 * those around `root`, and of the user. Settings without passwords are left as they are.
 */
export function cleanCopies(root: string, repositories: readonly string[], home: string, folder: string): CleanCopy[] {
  const around = ancestorsOf(root).map((above) => join(above, ".git"));
  const gits = [...repositories, ...around].flatMap(gitFoldersOf);
  const files = gits.flatMap((git) => [join(git, "config"), join(git, "config.worktree")]);
  const users = [".gitconfig", ".config/git/config"].map((name) => join(home, name));
  return [...new Set([...files, ...users])].filter(isReadable).flatMap((path) => {
    const text = fs.readFileSync(path, "utf8");
    const clean = withoutPasswords(text);
    if (clean === text) return [];
    const copy = join(folder, `settings-${sha256(clean).slice(0, 16)}`);
    fs.writeFileSync(copy, clean);
    return [{ of: fs.realpathSync(path), copy }];
  });
}

/**
 * `url = https://name:password@host/x` loses what stands before the host; a setting that speaks of a header, a token or
 * a password loses its value.
 */
export function withoutPasswords(settings: string): string {
  const lines = settings.split(/(?<!\\)\n/).map((line) => {
    const open = line.replace(/:\/\/[^\s/"@]*@/g, "://");
    return /header|passw|token|secret|oauth/i.test(open) ? open.replace(/((?:^|\])[^\]="]*=).*$/s, "$1") : open;
  });
  return redact(lines.join("\n"));
}

/** The folders that a `.git` stands for: itself or what it names, the repository of a worktree, and its submodules. */
function gitFoldersOf(git: string): string[] {
  const folder = statsOf(git)?.isFile() ? named(git, /^gitdir: (.*)$/m, dirname(git)) : git;
  const common = join(folder, "commondir");
  const owner = statsOf(common)?.isFile() ? named(common, /^(.*)$/m, folder) : folder;
  return [folder, owner, ...submodulesIn(join(owner, "modules"))];
}

function named(file: string, pattern: RegExp, from: string): string {
  const [, path = "."] = (isReadable(file) && pattern.exec(fs.readFileSync(file, "utf8"))) || [];
  return resolve(from, path.trim());
}

function submodulesIn(folder: string): string[] {
  const entries = entriesInside(folder);
  if (entries.some(({ name }) => name === "HEAD")) return [folder, ...submodulesIn(join(folder, "modules"))];
  return entries.flatMap((entry) => (entry.isDirectory() ? submodulesIn(join(folder, entry.name)) : []));
}

function ancestorsOf(folder: string): string[] {
  return dirname(folder) === folder ? [folder] : [folder, ...ancestorsOf(dirname(folder))];
}

/** What we cannot read, no command of the same user can. */
function isReadable(path: string): boolean {
  const isFile = unlessRefused(() => {
    fs.accessSync(path, fs.constants.R_OK);
    return fs.statSync(path).isFile();
  });
  return isFile === true;
}
