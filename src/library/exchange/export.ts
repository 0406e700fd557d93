import { lstatSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { UserError } from "../../util/errors.ts";
import { parseFrontMatter } from "../front_matter.ts";
import type { Prompt } from "../prompt.ts";
import { promptOf } from "../read_prompt.ts";
import { checkPath, listFolder, type OutFile, readFile, refuse, textOf, whyNot, writeFiles } from "./folder.ts";
import { fromForeign, toForeign } from "./foreign.ts";
import { fitsFormat, type Format, isListed } from "./format.ts";
import { keptFolder, type Origin, originOf } from "./origin.ts";
import type { Exported, Skipped } from "./outcome.ts";

/**
 * Writes prompts of ours as other tools read them. `original`: as each was imported. A prompt that was not edited is
 * given back as its original; of an edited one, the body is replaced, and the keys that could not be kept are named.
 */
export async function exportPrompts(
  prompts: readonly string[],
  to: string,
  format: Format | "original",
  options: { readonly dryRun?: boolean; readonly replace?: boolean } = {},
): Promise<{ exported: Exported[]; skipped: Skipped[] }> {
  const { found, skipped } = await promptFiles(prompts);
  const outgoing: Outgoing[] = [];
  for (const prompt of found) {
    try {
      outgoing.push(await outgoingOf(prompt, format));
    } catch (error) {
      skipped.push({ file: prompt.file, why: whyNot(error) });
    }
  }
  const claims = Map.groupBy(
    outgoing.flatMap(({ file, files }) => files.map(({ path }) => ({ file, path }))),
    ({ path }) => path,
  );
  const exported: Exported[] = [];
  for (const { file, files, ...rest } of outgoing) {
    try {
      const twice = files.find(({ path }) => claims.get(path)!.length > 1);
      if (twice) {
        const claimants = claims.get(twice.path)!.map((claim) => claim.file);
        throw refuse(`${twice.path} is claimed twice: ${claimants.join(", ")}`);
      }
      const unchanged = writeFiles(to, files, options);
      exported.push({ file, files: files.map(({ path }) => path), ...rest, unchanged });
    } catch (error) {
      skipped.push({ file, why: whyNot(error) });
    }
  }
  const byFile = (a: { file: string }, b: { file: string }) => (a.file < b.file ? -1 : 1);
  return { exported: exported.sort(byFile), skipped: skipped.sort(byFile) };
}

interface PromptFile {
  readonly file: string;
  /** Below the folder that was named, or its bare name. */
  readonly path: string;
}

/** The prompts in what was named, by the rules of the library. */
async function promptFiles(named: readonly string[]): Promise<{ found: PromptFile[]; skipped: Skipped[] }> {
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

/** What one prompt of ours becomes elsewhere. */
interface Outgoing extends Pick<Exported, "file" | "format" | "how" | "lost"> {
  readonly files: readonly OutFile[];
}

async function outgoingOf({ file, path }: PromptFile, wanted: Format | "original"): Promise<Outgoing> {
  const { bytes, mode } = readFile(file, 300 * 1024);
  const text = textOf(bytes);
  const { data, ...front } = parseFrontMatter(text, file);
  const prompt = promptOf({ data, ...front }, text, { file, folder: "", scope: "custom" });
  const origin = originOf(data);
  if (wanted === "original" && !origin) throw refuse("it was never imported", "Name the format to export it in.");
  const format = wanted === "original" ? origin!.format : wanted;
  const kept = await keptFiles(file);
  if (origin?.format === format) return { file, format, how: "given back", ...givenBack(prompt, data, origin, kept) };
  const beside = (folder: string, ending: string) =>
    kept.map((it) => ({ ...it, path: join(folder, `${it.path}${ending}`) }));
  if (format === "ours") {
    const files = [{ path, bytes, mode }, ...beside(keptFolder(path), ".kept")];
    return { file, files, format, how: "copied", lost: [] };
  }
  const foreign = toForeign(prompt, Object.keys(data), format);
  const siblings = kept.filter(({ path }) => !origin || path !== basename(origin.path));
  if (siblings.length > 0 && !hasFolder(format)) {
    throw refuse(`it has files beside it, and ${format} has no place for them`, "Export it as claude-skills.");
  }
  const entry = { path: foreign.path, bytes: Buffer.from(foreign.text), mode };
  const folder = dirname(foreign.path);
  const files = [entry, ...siblings.map((it) => ({ ...it, path: join(folder, it.path) }))];
  return { file, files, format, how: "translated", lost: foreign.lost };
}

function hasFolder(format: Format): boolean {
  return format === "claude-skills" || format === "fabric";
}

function givenBack(prompt: Prompt, data: object, { format, path }: Origin, kept: readonly OutFile[]) {
  // The path is what somebody wrote into a file: it must be one that the format has.
  checkPath(path);
  if (!fitsFormat(path, format)) throw refuse(`the path ${JSON.stringify(path.slice(0, 80))} is none for ${format}`);
  const original = kept.find((it) => it.path === basename(path));
  if (!original) throw refuse("its original is no longer next to it", "Name another format to export it in.");
  const was = fromForeign(format, textOf(original.bytes), path, prompt.name);
  const bytes = was.body === prompt.body ? original.bytes : Buffer.from(was.withBody(prompt.body));
  const others = kept.filter((it) => it !== original);
  // Files that came with it go back to where they lay; others were put there since.
  const added = others.filter((it) => !it.path.startsWith(`${basename(keptFolder(path))}/`));
  if (added.length > 0 && !hasFolder(format) && format !== "ours") {
    throw refuse(`it has files beside it, and ${format} has no place for them`, "Export it as claude-skills.");
  }
  const siblings = others.map((it) => {
    return { ...it, path: format === "ours" ? `${keptFolder(path)}/${it.path}.kept` : join(dirname(path), it.path) };
  });
  const [now, before] = [data, was.keys].map((keys) => new Map(Object.entries(keys)));
  const lost = [...new Set([...now!.keys(), ...before!.keys()])].filter(
    (key) =>
      key !== "imported" &&
      key !== "cost_estimate" &&
      JSON.stringify(now!.get(key)) !== JSON.stringify(before!.get(key)),
  );
  return { files: [{ ...original, path, bytes }, ...siblings], lost };
}

async function keptFiles(file: string): Promise<OutFile[]> {
  const folder = keptFolder(file);
  if (!lstatSync(folder, { throwIfNoEntry: false })?.isDirectory()) return [];
  const { found } = await listFolder(folder);
  return found
    .filter(({ path }) => path.endsWith(".kept"))
    .map(({ path, file }) => ({ path: path.slice(0, -".kept".length), ...readFile(file, 64 * 1024 * 1024) }));
}
