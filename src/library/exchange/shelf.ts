import { lstatSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import type { UserError } from "../../util/errors.ts";
import type { Draft } from "./draft.ts";
import { decode, listFolder, lookBelow, readPlain, refuse, whyNot, writeBelow } from "./folder.ts";
import { isMarkdown } from "./format.ts";
import { readIfOurs, recordOf } from "./original.ts";
import { numbered } from "./text.ts";
import { promptName } from "../names.ts";

/** What lies where the prompts go. */
export interface Shelf {
  /** Which file has a name; elsewhere: one that is not below `to`. */
  readonly owners: Map<string, string>;
  /** Which file came from where. */
  readonly origins: Map<string, string>;
}

export async function readShelf(to: string, taken: readonly string[]): Promise<Shelf> {
  const owners = new Map(taken.map((name) => [name, "a prompt elsewhere"]));
  const origins = new Map<string, string>();
  const isThere = statSync(to, { throwIfNoEntry: false })?.isDirectory();
  for (const { path, file } of isThere ? (await listFolder(to)).found.filter(({ path }) => isMarkdown(path)) : []) {
    owners.set(basename(path, ".md").replaceAll("-", "_"), path);
    const origin = await originIn(file);
    if (origin !== undefined) origins.set(origin, path);
  }
  return { owners, origins };
}

/** A file that cannot be read, or is broken, came from nowhere we know; its name stays its own. */
async function originIn(file: string): Promise<string | undefined> {
  try {
    const ours = readIfOurs(decode((await readPlain(file, 300 * 1024)).bytes), file);
    const origin = ours && recordOf(ours);
    return origin && `${origin.format} ${origin.path}`;
  } catch (error) {
    whyNot(error);
    return undefined;
  }
}

/** The file a draft gets: the one it had, the one it must have, or one with a free name. */
export function place({ entry, format, at, wanted }: Draft, { owners, origins }: Shelf): string {
  const origin = `${format} ${entry}`;
  const known = at ?? origins.get(origin);
  const name = promptName(basename(known ?? "", ".md")) ?? numbered(wanted, (name) => !owners.has(name));
  const path = known ?? `${name}.md`;
  const owner = owners.get(name);
  if (owner !== undefined && owner !== path) throw refuse(`the name ${name} is taken by ${owner}`);
  owners.set(name, path);
  return path;
}

interface Target {
  readonly root: string;
  readonly to: string;
  readonly options: { readonly dryRun?: boolean; readonly replace?: boolean };
}

/** Whether all of it was there already. The prompt itself comes last: what is listed is complete. */
export async function put(draft: Draft, at: string, { root, to, options }: Target): Promise<boolean> {
  const folder = at.replace(/\.md$/i, ".files");
  const text = Buffer.from(draft.text(basename(at, ".md")));
  const kept = draft.siblings.map(({ path, source }) => ({ path: `${folder}/${path}.kept`, file: join(root, source) }));
  const files = [...kept, { path: at, bytes: text, mode: draft.mode }];
  const read = async (file: (typeof files)[number]) => ("bytes" in file ? file : await readPlain(file.file, largest));
  const stale = await staleFiles(to, folder, new Set(kept.map(({ path }) => path)));
  const missing: typeof files = [];
  for (const file of files) {
    const there = lookBelow(to, file.path);
    // Read even where nothing is there: a sibling that cannot be read must stop all before anything is written.
    const { bytes } = await read(file);
    if (there?.equals(bytes)) continue;
    if (there && !options.replace) throw taken(file.path);
    missing.push(file);
  }
  if (stale[0] !== undefined && !options.replace) throw taken(stale[0]);
  if (options.dryRun) return missing.length + stale.length === 0;
  for (const file of missing) {
    const { bytes, mode } = await read(file);
    writeBelow(to, file.path, bytes, mode);
  }
  for (const path of stale) rmSync(join(to, path));
  return missing.length + stale.length === 0;
}

const largest = 64 * 1024 * 1024;

function taken(path: string): UserError {
  return refuse(`${path} is there already and differs`, "Import with replace to write over it.");
}

async function staleFiles(to: string, folder: string, wanted: ReadonlySet<string>): Promise<string[]> {
  const isThere = lstatSync(join(to, folder), { throwIfNoEntry: false })?.isDirectory();
  const there = isThere ? (await listFolder(join(to, folder))).found : [];
  return there.map(({ path }) => `${folder}/${path}`).filter((path) => path.endsWith(".kept") && !wanted.has(path));
}
