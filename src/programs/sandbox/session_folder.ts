import fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { exitCodes, systemCode, unlessRefused, UserError } from "../../util/errors.ts";

/** A private folder for as long as this process runs commands. What a killed process left is cleared away. */
export interface SessionFolder {
  /** What keeps the sandbox up; commands may never write it. */
  readonly own: string;
  /** For commands to write. */
  readonly temporary: string;
  /** A control group that bounds processes; null where none can be made. Only root can and needs to. */
  readonly group: string | null;
  close(): void;
}

const prefix = "claude-exec-sandbox-";

export function openSessionFolder(processLimit: number): SessionFolder {
  const parent = temporaryFolder();
  for (const stale of staleIn(parent)) clearStale(stale);
  const path = fs.mkdtempSync(join(parent, `${prefix}${process.pid}-`));
  fs.chmodSync(path, 0o700);
  const [own, temporary] = [join(path, "own"), join(path, "tmp")];
  for (const folder of [own, temporary]) fs.mkdirSync(folder);
  const group = makeGroup(path, processLimit);
  return {
    own,
    temporary,
    group,
    close() {
      if (group !== null) removeGroup(group);
      removeFolder(path);
    },
  };
}

/** The folder for temporary files, or an error in words where nothing can be written there. */
export function temporaryFolder(): string {
  try {
    fs.accessSync(`${tmpdir()}/.`, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK);
    return fs.realpathSync(tmpdir());
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    const message = `TMPDIR is "${tmpdir()}", which is no folder that can be written. Nothing was begun.`;
    const hint = "Set TMPDIR to a folder of yours, or unset it.";
    throw new UserError("no_temporary_folder", message, hint, exitCodes.notConfigured);
  }
}

/** Only what is ours alone is removed: other users can give a folder this name as well. */
function clearStale(path: string): void {
  const stats = fs.lstatSync(path, { throwIfNoEntry: false });
  if (!stats?.isDirectory() || stats.uid !== process.getuid?.() || (stats.mode & 0o077) !== 0) return;
  removeFolder(path);
}

/** What processes that run no more have left in a folder. */
function staleIn(folder: string): string[] {
  const stale = fs.readdirSync(folder).filter((name) => {
    const [, pid] = /^claude-exec-sandbox-(\d+)-/.exec(name) ?? [];
    return pid !== undefined && !runs(Number(pid));
  });
  return stale.map((name) => join(folder, name));
}

/** A process that was killed and not yet collected by its parent (a zombie) runs no more, but can still be signalled. */
function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return systemCode(error) !== "ESRCH";
  }
  const status = `/proc/${pid}/status`;
  return !fs.existsSync(status) || !/^State:\s+[ZX]/m.test(fs.readFileSync(status, "utf8"));
}

/** A command may have closed its own folders. */
export function removeFolder(path: string): void {
  try {
    fs.rmSync(path, { recursive: true, force: true });
  } catch (error) {
    if (systemCode(error) !== "EACCES" && systemCode(error) !== "ENOTEMPTY") throw error;
    openFolders(path);
    fs.rmSync(path, { recursive: true, force: true });
  }
}

function openFolders(path: string): void {
  fs.chmodSync(path, 0o700);
  for (const entry of fs.readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) openFolders(join(path, entry.name));
  }
}

const groups = ["/sys/fs/cgroup/cgroup.controllers", "/sys/fs/cgroup/pids/cgroup.procs"];

/** The kernel holds root to no `ulimit` on processes. Ordinary users may make no group, and need none. */
function makeGroup(session: string, processLimit: number): string | null {
  const known = groups.find((file) => fs.existsSync(file));
  if (process.getuid?.() !== 0 || known === undefined) return null;
  const group = join(known, "..", session.slice(session.lastIndexOf(prefix)));
  for (const stale of staleIn(dirname(group))) removeGroup(stale);
  try {
    fs.mkdirSync(group);
    fs.writeFileSync(join(group, "pids.max"), String(processLimit));
    return group;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    removeGroup(group);
    return null;
  }
}

/** Those whose last process had not quite ended. */
const leftGroups = new Set<string>();

function removeGroup(group: string): void {
  leftGroups.add(group);
  for (const left of leftGroups) {
    if (fs.existsSync(left)) unlessRefused(() => fs.rmdirSync(left), "EBUSY");
    if (!fs.existsSync(left)) leftGroups.delete(left);
  }
}
