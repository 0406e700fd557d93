import fs from "node:fs";
import { join, relative, resolve } from "node:path";
import type { LookedAt } from "../programs/program.ts";
import { messageOf, UserError } from "../util/errors.ts";
import { applyAt, readText, isTemporary } from "./file.ts";
import type { Applied, Found } from "./file.ts";
import { listNames, matching } from "./listing.ts";
import { closedFinder } from "./closed_paths.ts";
import { isTaken } from "./git_name.ts";
import { envOutside } from "./path_outside.ts";
import { closedBecause, follow, isHidden, isInside, locate, refused, relativePath, slashes } from "./place.ts";
import type { Place, Purpose, Refused } from "./place.ts";
import { planOf, restore } from "./restore.ts";
import type { Restored } from "./restore.ts";
import { redactor } from "./secret_values.ts";
import { setAside } from "./set_aside.ts";
import { stateAt, takeSnapshot } from "./snapshot.ts";
import type { Keep, Snapshot } from "./snapshot.ts";
import type { FileChange, FileState, Fingerprint, Touched } from "./file_states.ts";
import { copyWorkspace, type CopyOptions } from "./workspace_copy.ts";

/** The only door to the user's files. Paths are relative, with forward slashes; what leads out is refused. */
export interface Workspace extends LookedAt {
  /** The whole text of a file of at most 2 MB; `write` also asks whether it may be written. */
  read(path: string, purpose?: Purpose): Found;
  /** Undefined where there is no file; what cannot be read is a UserError. */
  fingerprint(path: string): Fingerprint | undefined;
  /** Where a path leads, as a path without links. */
  plainPath(path: string): string | Refused;
  /** Replaces or deletes the file as a whole, or leaves it as it was; the same change may be applied again. */
  apply(change: FileChange): Applied;
  /** Plain files, sorted; without what git ignores, node_modules, what is hidden, and names with a line break. */
  list(globs?: readonly string[]): Promise<string[]>;
  /**
   * All files and links, with names of any kind; without what git ignores, node_modules, what is hidden, and what
   * is closed to writing. What `earlier` holds, or the last one of this
   * workspace, was kept and is not kept again.
   */
  snapshot(keep: Keep, earlier?: Snapshot): Promise<Snapshot>;
  /** Makes a copy below an empty folder, with some files in another state (null: not there), and says where it is. */
  copyTo(base: string, snapshot: Snapshot, instead: CopyOptions["instead"], bytesOf: CopyOptions["bytesOf"]): string;
  /** What a snapshot would say of this path now; null where there is no file, and for a folder. */
  stateOf(path: string): FileState | null | Refused;
  /**
   * Takes back what happened, in this order, to these paths; may be repeated. Whatever is not as it was left is a
   * conflict, and then nothing is touched.
   */
  restore(touched: readonly Touched[], bytesOf: (sha256: string) => Uint8Array): Restored;
  /** What no command may make, as it lies there now: `.git`, `.env*`, keys, what is ours, what other programs obey. */
  closed(): readonly string[];
  /** Moves such a path out of the workspace, into `folder`, as it is, and says where it lies now. Undefined: it is gone. */
  setAside(path: string, folder: string): string | undefined;
  /** Takes secrets out of a text that a model or the journal is to see. */
  redact(text: string): string;
}

export interface Boundaries {
  /** Folders below the workspace (our own home) that are neither listed nor searched nor written. */
  readonly hide: readonly string[];
  /** What is seen and never written. */
  readonly protect?: readonly string[];
  /** What its user has closed to reading is as if it were not there. */
  readonly denies?: (path: string) => boolean;
  /** Where git and ripgrep are found; what lies in the workspace itself is never taken for one of them. */
  readonly env: LookedAt["env"];
}

export function openWorkspace(folder: string, options: Boundaries): Workspace {
  const { hide, protect = [], denies = () => false } = options;
  const root = realFolder(folder);
  const lookedAt = { root, env: envOutside(root, options.env) };
  const hidden = hide.flatMap((name) => hiddenFolder(root, name));
  const closed = [...hidden, ...protect.flatMap((name) => hiddenFolder(root, name))];
  const findClosed = closedFinder(root);
  let last: Snapshot | undefined;

  const within = (path: string, purpose: Purpose): Place | Refused => {
    const place = locate(root, path, closed, purpose);
    if (place.type === "refused") return place;
    const real = slashes(relative(root, join(place.folder, ...place.missing, place.name)));
    return denies(path) || denies(real) ? refused(path, "is closed to reading by a rule of its user") : place;
  };
  const read = (path: string, purpose: Purpose = "read"): Found => {
    const place = within(path, purpose);
    return place.type === "refused" ? place : readText(path, place);
  };
  const hides = (path: string) => isHidden(path, hidden) || isTemporary(path) || denies(path);
  const isClosed = (path: string) => isTemporary(path) || closedBecause(path, closed, "write") !== undefined;
  return {
    ...lookedAt,
    read,
    fingerprint(path) {
      const found = read(path);
      if (found.type === "absent") return undefined;
      if (found.type === "refused") {
        throw new UserError("file_refused", found.text, "Name a plain text file inside the workspace.");
      }
      return { sha256: found.sha256, text: found.text, mode: found.mode };
    },
    plainPath(path) {
      const place = within(path, "read");
      return place.type === "refused"
        ? place
        : slashes(relative(root, join(place.folder, ...place.missing, place.name)));
    },
    apply(change) {
      const place = within(change.path, "write");
      return place.type === "refused" ? place : applyAt(place, change);
    },
    async list(globs) {
      const paths = await listNames(lookedAt, hides);
      return globs === undefined ? paths : matching(paths, globs);
    },
    async snapshot(keep, earlier = last) {
      last = await takeSnapshot(lookedAt, isClosed, keep, earlier);
      return last;
    },
    copyTo: (base, snapshot, instead, bytesOf) => copyWorkspace(base, { root, snapshot, instead, bytesOf, isClosed }),
    stateOf(path) {
      const plain = relativePath(path);
      if (typeof plain !== "string") return plain;
      const why = closedBecause(plain, closed, "write");
      if (why !== undefined) return refused(path, why);
      const state = stateAt(root, plain);
      return state?.type === "other" ? refused(path, `is ${state.kind}, not a file`) : state;
    },
    closed: () => {
      const kept = [...closed, ...obeyedAtRoot.split(" ")].map((path) => join(root, path));
      const names = new Set([...findClosed().unwritable, ...kept]);
      return [...names].filter(isTaken).map((path) => slashes(relative(root, path)));
    },
    setAside: (path, aside) => setAside(root, path, aside),
    redact: redactor(() => findClosed().unreadable),
    restore(touched, bytesOf) {
      return restore(root, closed, planOf(touched), bytesOf);
    },
  };
}

/** What editors, shells and Claude Code obey by themselves where somebody opens the folder. */
const obeyedAtRoot =
  ".vscode .idea .claude .mcp.json .gitmodules .gitconfig .ripgreprc .bashrc .bash_profile .profile .zshrc .zprofile";

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
