import { lstatSync, realpathSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { unlessUserError, UserError } from "../../util/errors.ts";
import { parseFrontMatter } from "../front_matter.ts";
import { promptName } from "../names.ts";
import { promptOf } from "../read_prompt.ts";
import { checkPath, listFolder, type OutFile, readFile, refuse, textOf, whyNot, writeFiles } from "./folder.ts";
import { fromForeign, json, splitText, type Translation } from "./foreign.ts";
import { type Claim, type Detected, detectFormat, type Format, groupFiles, isListed, isMarkdown } from "./format.ts";
import { keptFolder, originOf } from "./origin.ts";
import { costOf } from "./our_keys.ts";
import type { Imported, Skipped } from "./outcome.ts";
import { numbered } from "./variables.ts";

export interface ImportOptions {
  /** Without it, each file's format is told from the file. */
  readonly format?: Format;
  readonly dryRun?: boolean;
  readonly replace?: boolean;
  /** Names that belong to prompts elsewhere. */
  readonly taken?: readonly string[];
  /** How many tokens a text has. */
  readonly count: (text: string) => Promise<number>;
}

/**
 * Writes prompts of ours for the prompts of other tools in a folder, or in one file. Every file of the folder is in
 * one of the two lists. The original is kept next to each prompt, and `exportPrompts` gives it back. Nothing in a file
 * is run or followed, and none gets more than the right to read.
 */
export async function importPrompts(
  from: string,
  to: string,
  options: ImportOptions,
): Promise<{ imported: Imported[]; skipped: Skipped[] }> {
  const { root, found, skipped, isAlone } = await openSource(from, to);
  const imported: Imported[] = [];
  const { claims, orphans } = groupFiles(found, options.format);
  for (const file of orphans) skipped.push({ file, why: "it is no prompt and belongs to none" });
  const skip = (entry: string, siblings: readonly string[], error: unknown) => {
    skipped.push({ file: entry, why: whyNot(error) });
    for (const file of siblings) skipped.push({ file, why: `it belongs to ${entry}, which is skipped` });
  };
  const drafts: Draft[] = [];
  for (const claim of claims) {
    try {
      drafts.push(await draftOf(claim, root, isAlone, options));
    } catch (error) {
      skip(claim.entry, claim.siblings, error);
    }
  }
  const target = await lookAtTarget(to, options.taken ?? []);
  // Those that must keep their names choose first.
  for (const draft of drafts.sort((a, b) => Number(b.at !== undefined) - Number(a.at !== undefined))) {
    const { entry, format, rule, asked_for, siblings } = draft;
    try {
      const at = placeFor(draft, target);
      const unchanged = await put(draft, at, root, to, options);
      const name = basename(at, ".md").replaceAll("-", "_");
      imported.push({ file: entry, siblings: [...siblings], name, to: at, format, rule, asked_for, unchanged });
    } catch (error) {
      skip(entry, siblings, error);
    }
  }
  const byFile = (a: { file: string }, b: { file: string }) => (a.file < b.file ? -1 : 1);
  return { imported: imported.sort(byFile), skipped: skipped.sort(byFile) };
}

/** A file that is read and understood, and has no place yet. */
interface Draft extends Claim, Detected, Pick<Translation, "name" | "asked_for"> {
  readonly mode: number;
  /** Where it must lie: a prompt of ours is named by its file. */
  readonly at?: string;
  /** Our file for it. */
  readonly text: string;
  /** What it was, to be kept next to our file; undefined where our file is the same. */
  readonly original?: Buffer;
}

async function draftOf(claim: Claim, root: string, isAlone: boolean, options: ImportOptions): Promise<Draft> {
  const { entry } = claim;
  checkPath(entry);
  const { bytes, mode } = readFile(`${root}/${entry}`, 256 * 1024);
  const original = textOf(bytes);
  const detected = options.format ? { format: options.format, rule: "it was given" } : detect(entry, original, root);
  const { format } = detected;
  if (/^readme\.md$/i.test(basename(entry)) && detected.rule === "no other format fits" && !isAlone) {
    throw refuse("a README tells of a folder and is no prompt", "Give its format to import it all the same.");
  }
  const found = fromForeign(format, original, entry, basename(dirname(`${root}/${entry}`)));
  const { name, asked_for } = found;
  const draft = { ...claim, ...detected, mode, name, asked_for };
  if (format === "ours" && !isListed(entry)) {
    throw refuse("the library would not list it there", "Import from its own folder.");
  }
  const origin = format === "ours" ? originOf(found.keys) : undefined;
  const hasOriginal = !origin || claim.siblings.includes(`${keptFolder(entry)}/${basename(origin.path)}.kept`);
  if (format === "ours" && asked_for.length === 0 && hasOriginal) return { ...draft, at: entry, text: original };
  const { purpose, ...keys } = found.keys;
  const cost = { cost_estimate: costOf(await options.count(found.body)) };
  const all = Object.entries({ purpose, ...cost, ...keys, imported: { format, path: entry } });
  const head = all.map(([key, value]) => `${/^[a-z][\w-]*$/i.test(key) ? key : json(key)}: ${json(value)}\n`);
  const text = `---\n${head.join("")}---\n${found.body}`;
  const file = format === "ours" ? entry : `${name}.md`;
  const front = parseFrontMatter(text, file);
  promptOf(front, text, { file, folder: "", scope: "custom" });
  if (front.body !== found.body) throw refuse("its text could not be read back as it is");
  return { ...draft, text, original: bytes, ...(format === "ours" && { at: entry }) };
}

function detect(entry: string, text: string, root: string): Detected {
  const path = `${basename(root)}/${entry}`;
  const { body, data } = splitText(text, basename(entry) === "system.md" ? "fabric" : undefined);
  return detectFormat({ path, data, body, isOurs: isOurs(text, entry) });
}

function isOurs(text: string, file: string): boolean {
  const where = { file, folder: "", scope: "custom" } as const;
  return Boolean(unlessUserError(() => promptOf(parseFrontMatter(text, file), text, where).name));
}

/** Which file has a name where the prompts go, and which came from where. */
interface Target {
  readonly owners: Map<string, string>;
  readonly origins: Map<string, string>;
}

async function lookAtTarget(to: string, taken: readonly string[]): Promise<Target> {
  const owners = new Map(taken.map((name) => [name, "a prompt elsewhere"]));
  const origins = new Map<string, string>();
  const isThere = statSync(to, { throwIfNoEntry: false })?.isDirectory();
  for (const { path, file } of isThere ? (await listFolder(to)).found.filter(({ path }) => isMarkdown(path)) : []) {
    owners.set(basename(path, ".md").replaceAll("-", "_"), path);
    try {
      const origin = originOf(parseFrontMatter(textOf(readFile(file, 300 * 1024).bytes), file).data);
      if (origin) origins.set(`${origin.format} ${origin.path}`, path);
    } catch (error) {
      // A file that cannot be read, or is broken, came from nowhere we know; its name stays its own.
      whyNot(error);
    }
  }
  return { owners, origins };
}

/** The file a draft gets: the one it had, the one it must have, or one with a free name. */
function placeFor({ entry, format, at, name: wanted }: Draft, { owners, origins }: Target): string {
  const known = at ?? origins.get(`${format} ${entry}`);
  const name = promptName(basename(known ?? "", ".md")) ?? numbered(wanted, (name) => !owners.has(name));
  const path = known ?? `${name}.md`;
  const owner = owners.get(name);
  if (owner !== undefined && owner !== path) throw refuse(`the name ${name} is taken by ${owner}`);
  owners.set(name, path);
  return path;
}

/** Whether all of it was there already. The prompt itself comes last: what is listed is complete. */
async function put(draft: Draft, at: string, root: string, to: string, options: ImportOptions): Promise<boolean> {
  const { entry, format, siblings, original, mode } = draft;
  const folder = keptFolder(at);
  // A sibling of ours lies in `<name>.files/` with an ending that keeps it out of the library.
  const start = format === "ours" ? `${keptFolder(entry)}/` : dirname(entry) === "." ? "" : `${dirname(entry)}/`;
  const files = siblings.map((file): OutFile => {
    const path = `${folder}/${file.slice(start.length)}${format === "ours" ? "" : ".kept"}`;
    return { path, ...readFile(join(root, file), 64 * 1024 * 1024) };
  });
  if (original) files.push({ path: `${folder}/${basename(entry)}.kept`, bytes: original, mode });
  const there = lstatSync(join(to, folder), { throwIfNoEntry: false })?.isDirectory();
  const stale = (there ? (await listFolder(join(to, folder))).found : [])
    .map(({ path }) => `${folder}/${path}`)
    .filter((path) => path.endsWith(".kept") && !files.some((file) => file.path === path));
  if (stale[0] !== undefined && !options.replace) throw refuse(`${stale[0]} is not in what is imported any more`);
  const unchanged = writeFiles(to, [...files, { path: at, bytes: Buffer.from(draft.text), mode }], options);
  if (!options.dryRun) for (const path of stale) rmSync(join(to, path));
  return unchanged && stale.length === 0;
}

/** One file of a skill or a pattern stands for its whole folder. */
async function openSource(from: string, to: string) {
  const stat = statSync(from, { throwIfNoEntry: false });
  if (!stat) throw new UserError("exchange_missing", `There is no ${from}.`, "Name a folder of prompts, or one file.");
  const real = realpathSync(from);
  const target = statSync(to, { throwIfNoEntry: false }) ? realpathSync(to) : resolve(to);
  if (stat.isDirectory()) {
    if (real === target) throw new UserError("exchange_same", `${from} is both ends.`, "Import into another folder.");
    const { found, skipped } = await listFolder(real, target);
    return { root: real, found: found.map(({ path }) => path), skipped, isAlone: false };
  }
  const root = dirname(real);
  const name = basename(real);
  if (name !== "SKILL.md" && name !== "system.md") return { root, found: [name], skipped: [], isAlone: true };
  const paths = (await listFolder(root, target)).found.map(({ path }) => path);
  const own = groupFiles(paths, undefined).claims.find(({ entry }) => entry === name);
  return { root, found: [name, ...(own?.siblings ?? [])], skipped: [], isAlone: true };
}
