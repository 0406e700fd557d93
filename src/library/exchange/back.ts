import { lstatSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { UserError } from "../../util/errors.ts";
import { decode, listFolder, readPlain, refuse } from "./folder.ts";
import { type Format, isListed } from "./format.ts";
import { restore, translate } from "./foreign.ts";
import { keysMark, originalText, type Ours, readOurs, recordOf } from "./original.ts";
import type { Exported, Skipped } from "./outcome.ts";

/** What one prompt of ours becomes elsewhere. */
export interface Back extends Pick<Exported, "file" | "format" | "how" | "edited"> {
  readonly files: readonly Written[];
}

interface Written {
  readonly path: string;
  readonly bytes: Buffer;
  readonly mode: number;
}

export interface PromptFile {
  readonly file: string;
  /** Below the folder that was named, or its bare name. */
  readonly path: string;
}

/** The prompts in what was named, by the rules of the library. */
export async function promptFiles(named: readonly string[]): Promise<{ found: PromptFile[]; skipped: Skipped[] }> {
  const found = new Map<string, PromptFile>();
  const skipped: Skipped[] = [];
  for (const name of named) {
    const stat = statSync(name, { throwIfNoEntry: false });
    if (!stat) throw new UserError("exchange_missing", `There is no ${name}.`, "Name prompts, or a folder of them.");
    const real = realpathSync(name);
    if (!stat.isDirectory()) {
      found.set(real, { file: name, path: basename(real) });
      continue;
    }
    const listed = await listFolder(real);
    skipped.push(...listed.skipped.map(({ file, why }) => ({ file: join(name, file), why })));
    for (const { path, file } of listed.found) {
      if (/\.files\/.*\.kept$/s.test(path)) continue;
      if (path.endsWith(".md") && isListed(path)) found.set(file, { file: join(name, path), path });
      else skipped.push({ file: join(name, path), why: "the library does not list it" });
    }
  }
  return { found: [...found.values()], skipped };
}

export async function backOf({ file, path }: PromptFile, wanted: Format | "original"): Promise<Back> {
  const { bytes, mode } = await readPlain(file, 300 * 1024);
  const text = decode(bytes);
  const ours = readOurs(text, file);
  const origin = recordOf(ours);
  if (wanted === "original" && !origin) throw refuse("it was never imported", "Name the format to export it in.");
  const format = wanted === "original" ? origin!.format : wanted;
  const kept = await keptBeside(file);
  const moved = (folder: string, ending = "") =>
    kept.map((it) => ({ ...it, path: `${folder === "." ? "" : `${folder}/`}${it.path}${ending}` }));
  if (origin?.format === format) {
    const original = { path: origin.path, bytes: Buffer.from(originalText(origin, ours.body)), mode };
    const beside = format === "ours" ? moved(keptFolder(origin.path), ".kept") : moved(dirname(origin.path));
    const edited = origin.keys !== undefined && origin.keys !== keysMark(ours.data);
    return { file, files: [original, ...beside], format, how: "given back", edited };
  }
  if (format === "ours") {
    const files = [{ path, bytes, mode }, ...moved(keptFolder(path), ".kept")];
    return { file, files, format, how: "copied", edited: false };
  }
  const foreign = safelyTranslated(ours, text, format);
  if (kept.length > 0 && format !== "claude-skills" && format !== "fabric") {
    throw refuse(`it has files beside it, and ${format} has no place for them`, "Export it as claude-skills.");
  }
  const folder = dirname(foreign.path);
  const entry = { path: foreign.path, bytes: Buffer.from(foreign.text), mode };
  const { beside } = foreign;
  const added = beside ? [{ path: `${folder}/${beside.name}`, bytes: Buffer.from(beside.text), mode: 0o644 }] : [];
  return { file, files: [entry, ...added, ...moved(folder)], format, how: "translated", edited: false };
}

function keptFolder(path: string): string {
  return path.replace(/\.md$/i, ".files");
}

async function keptBeside(file: string): Promise<Written[]> {
  const folder = keptFolder(file);
  if (!lstatSync(folder, { throwIfNoEntry: false })?.isDirectory()) return [];
  const { found } = await listFolder(folder);
  const kept = found.filter(({ path }) => path.endsWith(".kept"));
  const read = async ({ path, file }: (typeof kept)[number]) => {
    return { path: path.slice(0, -".kept".length), ...(await readPlain(file, 64 * 1024 * 1024)) };
  };
  return Promise.all(kept.map(read));
}

/** The translation, once it is sure that importing it gives the prompt back. */
function safelyTranslated(ours: Ours, text: string, format: Exclude<Format, "ours">) {
  const foreign = translate(ours, format);
  const again = restore(format, foreign.path, foreign.text, foreign.beside?.text);
  if (again?.text !== text) throw refuse(`as ${format} it could not be read back as it is`);
  return foreign;
}
