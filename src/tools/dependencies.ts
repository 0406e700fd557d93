import { posix } from "node:path";
import { z } from "zod";
import { oneLine, shorten } from "../util/shorten.ts";
import type { Workspace } from "../workspace/workspace.ts";
import { type Format, formatOf, lockedVersions, manifestNames, readManifest } from "./manifests.ts";
import { tool } from "./tool.ts";

const limits = { manifests: 30, characters: 24_000, inEntry: 120 };

export const readDependenciesTool = tool({
  name: "read_dependencies",
  description: `Show what the workspace depends on, from ${manifestNames} and their lock files: wanted and locked versions, which are for development, demanded platforms, and scripts.`,
  needs: "read",
  input: z.strictObject({}),
  async plan(_, { workspace }) {
    const all = (await workspace.list()).filter((path) => formatOf(path) !== undefined && !isForeign.test(path));
    if (all.length === 0)
      return { type: "refused", text: `There is no ${manifestNames}; search_files may find others.` };
    const near = all.toSorted((a, b) => depthOf(a) - depthOf(b));
    const left = near.splice(limits.manifests);
    const most = Math.floor(limits.characters / near.length);
    const locks = lockReader(workspace);
    const texts = near.map((path) => describe(workspace, path, locks));
    const rest = [...near.filter((_, at) => texts[at]!.length > most), ...left].join(", ");
    const cut = rest === "" ? "" : ` Cut here, read_file shows the rest: ${shorten(rest, 1_000)}.`;
    const title = `${near.length} of ${all.length} manifests.${cut}`;
    const text = [title, ...texts.map((each) => shorten(each, most))].join("\n");
    return { type: "look", text, seen: [{ kind: "list", ref: "read_dependencies" }] };
  },
});

/** What others wrote and the project only keeps. */
const isForeign = /(?:^|\/)(?:vendor|site-packages|bower_components)\//;
const depthOf = (path: string) => path.split("/").length;

function describe(workspace: Workspace, path: string, lockFor: ReturnType<typeof lockReader>): string {
  const format = formatOf(path)!;
  const found = workspace.read(path);
  if (found.type !== "text") return `${path}: ${found.text}`;
  const manifest = readManifest(format, found.text);
  if (manifest === undefined) return `${path}: it cannot be understood.`;
  const lock = lockFor(path, format);
  const lines = [...manifest.about, ...manifest.packages].flatMap(({ name, entries }) => {
    const shown = entries.map((entry) => {
      const locked = lock?.versions?.(entry.name).join(", ") ?? "";
      return tidy(entry.text) + (locked === "" ? "" : ` (${tidy(locked)})`);
    });
    return shown.length > 0 ? [`  ${tidy(name)}: ${shown.join(", ")}`] : [];
  });
  const scripts = manifest.scripts.flatMap(({ entries }) => entries.map(({ text }) => `    ${tidy(text)}`));
  if (scripts.length > 0) lines.push("  scripts:", ...scripts);
  return [lock ? `${path} (${lock.note})` : path, ...lines].join("\n");
}

/** Finds the lock file for a manifest: next to it, or in a folder above. Each is read once. */
function lockReader(workspace: Workspace) {
  const locks = new Map<string, ReturnType<typeof lockAt>>();
  const lockAt = (path: string, name: string, format: Format) => {
    const found = workspace.read(path);
    if (found.type === "absent") return undefined;
    const versions = found.type === "text" ? lockedVersions(format, name, found.text) : undefined;
    const why = found.type === "text" ? `${path} takes too long to read` : found.text;
    const note = versions ? `in brackets: locked in ${path}` : `locked versions are not known: ${why}`;
    return { text: found.text, note, versions };
  };
  return (manifest: string, format: Format) => {
    const folder = posix.dirname(manifest);
    for (const above of foldersFrom(folder)) {
      for (const name of Object.keys(format.locks ?? {})) {
        const path = posix.join(above, name);
        if (!locks.has(path)) locks.set(path, lockAt(path, name, format));
        const lock = locks.get(path);
        if (lock && (above === folder || isFor(name, lock.text, posix.relative(above, folder)))) return lock;
      }
    }
    return undefined;
  };
}

/** `a/b` → ["a/b", "a", "."] */
function foldersFrom(folder: string): string[] {
  return folder === "." ? ["."] : [folder, ...foldersFrom(posix.dirname(folder))];
}

/** Whether a lock file further up is for `folder` too. Most of them name the folders that they are for. */
function isFor(name: string, text: string, folder: string): boolean {
  return /^(?:yarn|Cargo|uv)\.lock$/.test(name) || text.includes(`"${folder}"`) || text.includes(` ${folder}:`);
}

function tidy(text: string): string {
  return shorten(oneLine(text), limits.inEntry);
}
