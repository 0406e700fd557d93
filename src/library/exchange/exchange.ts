import { realpathSync, statSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { UserError } from "../../util/errors.ts";
import { type Back, backOf, promptFiles } from "./back.ts";
import { type Draft, draftOf } from "./draft.ts";
import { listFolder, lookBelow, refuse, whyNot, writeBelow } from "./folder.ts";
import { type Format, groupFiles } from "./format.ts";
import type { Exported, Imported, Skipped } from "./outcome.ts";
import { place, put, readShelf } from "./shelf.ts";

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
 * one of the two lists; whatever is imported, `exportPrompts` gives back to the byte. Nothing in a file is run or
 * followed, and none gets more than the right to read.
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
      drafts.push(await draftOf(claim, { root, given: options.format, isAlone, count: options.count }));
    } catch (error) {
      skip(claim.entry, claim.siblings, error);
    }
  }
  const shelf = await readShelf(to, options.taken ?? []);
  // Those that must keep their names choose first.
  for (const draft of drafts.sort((a, b) => Number(b.at !== undefined) - Number(a.at !== undefined))) {
    const { entry, format, rule, asked_for, siblings } = draft;
    const sources = siblings.map(({ source }) => source);
    try {
      const at = place(draft, shelf);
      const unchanged = await put(draft, at, { root, to, options });
      const name = basename(at, ".md").replaceAll("-", "_");
      imported.push({ file: entry, siblings: sources, name, to: at, format, rule, asked_for, unchanged });
    } catch (error) {
      skip(entry, sources, error);
    }
  }
  return { imported: imported.sort(byFile), skipped: skipped.sort(byFile) };
}

/**
 * The way back. A prompt that came in the wanted format becomes the file it was, with what its text says now; any
 * other is translated and keeps our keys in `claude-exec`, so that importing it restores it to the byte. "original"
 * gives each back in the format it came in. Nothing is written outside of `to` or through a link below it.
 */
export async function exportPrompts(
  prompts: readonly string[],
  to: string,
  format: Format | "original",
  options: { readonly dryRun?: boolean; readonly replace?: boolean } = {},
): Promise<{ exported: Exported[]; skipped: Skipped[] }> {
  const { found, skipped } = await promptFiles(prompts);
  const backs: Back[] = [];
  for (const prompt of found) {
    try {
      backs.push(await backOf(prompt, format));
    } catch (error) {
      skipped.push({ file: prompt.file, why: whyNot(error) });
    }
  }
  const claims = Map.groupBy(
    backs.flatMap(({ file, files }) => files.map(({ path }) => ({ file, path }))),
    ({ path }) => path,
  );
  const exported: Exported[] = [];
  for (const { file, files, ...back } of backs) {
    try {
      const twice = files.find(({ path }) => claims.get(path)!.length > 1);
      if (twice) {
        const claimants = claims.get(twice.path)!.map((claim) => claim.file);
        throw refuse(`${twice.path} is claimed twice: ${claimants.join(", ")}`);
      }
      const missing = files.filter(({ path, bytes }) => {
        const there = lookBelow(to, path);
        const differs = there !== undefined && !there.equals(bytes);
        if (differs && !options.replace) throw refuse(`${path} is there already and differs`);
        return there === undefined || differs;
      });
      for (const { path, bytes, mode } of options.dryRun ? [] : missing) writeBelow(to, path, bytes, mode);
      exported.push({ file, files: files.map(({ path }) => path), ...back, unchanged: missing.length === 0 });
    } catch (error) {
      skipped.push({ file, why: whyNot(error) });
    }
  }
  return { exported: exported.sort(byFile), skipped: skipped.sort(byFile) };
}

function byFile(a: { file: string }, b: { file: string }): number {
  return a.file < b.file ? -1 : 1;
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
  const { found, skipped } = await listFolder(root, target);
  const own = groupFiles(
    found.map(({ path }) => path),
    undefined,
  ).claims.find(({ entry }) => entry === name);
  return { root, found: [name, ...(own?.siblings ?? [])], skipped, isAlone: true };
}
