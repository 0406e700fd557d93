import { posix } from "node:path";
import { z } from "zod";
import { lockFiles } from "./locks.ts";
import type { Lock } from "./locks.ts";
import { manifestKind } from "./manifests.ts";
import type { Group, Manifest, Wanted } from "./manifest.ts";
import { tool } from "./tool.ts";
import type { Plan } from "./types.ts";
import { withinMs } from "../util/within.ts";
import type { Workspace } from "../workspace/workspace.ts";

const limits = { manifests: 30, inGroup: 200, scripts: 40, bytes: 24_000, characters: 120, ms: 300 };

export const readDependenciesTool = tool({
  name: "read_dependencies",
  description:
    "Show what the workspace depends on, from the manifests and lock files of node, php and python: wanted and locked versions, which are for development, demanded platforms, and scripts.",
  needs: "read",
  input: z.strictObject({}),
  async plan(_, { workspace }) {
    const all = (await workspace.list()).filter((path) => manifestKind(path) !== undefined && !isForeign(path));
    if (all.length === 0) return { type: "refused", text: `There is no ${known}; search_files may find others.` };
    const near = all.toSorted((a, b) => depthOf(a) - depthOf(b)).slice(0, limits.manifests);
    const locks = lockReader(workspace);
    const parts: string[] = [];
    let size = 0;
    for (const path of near) {
      const part = told(workspace, path, locks);
      size += Buffer.byteLength(part) + 1;
      if (size > limits.bytes) break;
      parts.push(part);
    }
    const left = all.filter((path) => !near.slice(0, parts.length).includes(path));
    const some = left.slice(0, 20).join(", ");
    const cut =
      left.length === 0 ? "" : ` Cut here, read_file shows the others: ${some}${left.length > 20 ? " …" : ""}.`;
    const title = `${parts.length} of ${all.length} manifests.${cut}`;
    return {
      type: "look",
      text: [title, ...parts].join("\n"),
      seen: [{ kind: "list", ref: "read_dependencies" }],
    } satisfies Plan;
  },
});

const known = "package.json, composer.json, pyproject.toml, Pipfile, setup.cfg or requirements.txt";

/** What others wrote and the project only keeps. */
function isForeign(path: string): boolean {
  return /(?:^|\/)(?:vendor|site-packages|bower_components)\//.test(path);
}

function depthOf(path: string): number {
  return path.split("/").length;
}

function told(workspace: Workspace, path: string, locks: ReturnType<typeof lockReader>): string {
  const kind = manifestKind(path);
  const found = workspace.read(path);
  if (kind === undefined || found.type !== "text") return `${path}: ${found.type === "text" ? "" : found.text}`;
  const read = withinMs(limits.ms, () => kind.read(found.text));
  if (read?.value === undefined) return `${path}: it cannot be understood.`;
  const manifest = read.value;
  const lock = locks(path, kind.kind);
  const about = manifest.about.length > 0 ? `: ${manifest.about.map(tidy).join(", ")}` : "";
  return [
    `${path}${about}${lock.note}`,
    ...manifest.groups.filter(({ wanted }) => wanted.length > 0).map((group) => groupText(group, lock.version)),
    ...scriptTexts(manifest.scripts),
  ].join("\n");
}

function groupText({ name, wanted }: Group, versionOf: (wanted: Wanted) => string | undefined): string {
  const shown = wanted.slice(0, limits.inGroup).map((one) => {
    const version = versionOf(one);
    const range = one.range === "" ? "" : ` ${tidy(one.range)}`;
    return `${tidy(one.name)}${range}${version === undefined ? "" : ` (${tidy(version)})`}`;
  });
  const more = wanted.length > shown.length ? `, and ${wanted.length - shown.length} more` : "";
  return `  ${tidy(name)}: ${shown.join(", ")}${more}`;
}

function scriptTexts(scripts: Manifest["scripts"]): string[] {
  const shown = scripts.slice(0, limits.scripts).map(([name, text]) => `    ${tidy(name)}: ${tidy(text)}`);
  if (scripts.length > shown.length) shown.push(`    (${scripts.length - shown.length} more)`);
  return shown.length > 0 ? ["  scripts:", ...shown] : [];
}

/** Finds the lock file for a manifest: beside it, or in a folder above; each is read once. */
function lockReader(workspace: Workspace) {
  const files = new Map<string, Lock | string | undefined>();
  const readOnce = (path: string, read: (text: string) => Lock) => {
    if (!files.has(path)) {
      const found = workspace.read(path);
      const lock = found.type === "text" ? withinMs(limits.ms, () => read(found.text)) : undefined;
      const unread = found.type === "text" ? `${path} takes too long to read.` : found.text;
      files.set(path, found.type === "absent" ? undefined : (lock?.value ?? unread));
    }
    return files.get(path);
  };
  const unknown = { note: "", version: (): string | undefined => undefined };
  return (manifest: string, kind: string) => {
    const folder = posix.dirname(manifest);
    for (let above = folder; ; above = posix.dirname(above)) {
      for (const [name, read] of lockFiles[kind] ?? []) {
        const path = posix.join(above, name);
        const lock = readOnce(path, read);
        if (typeof lock === "string") return { ...unknown, note: ` (locked versions are not known: ${lock})` };
        const from = posix.relative(above, folder);
        if (!lock?.covers(from)) continue;
        return { note: ` (in brackets: locked in ${path})`, version: (wanted: Wanted) => lock.version(wanted, from) };
      }
      if (above === ".") return unknown;
    }
  };
}

/** On one line, and no longer than needed. */
function tidy(text: string): string {
  const plain = text.replaceAll(/\p{Cc}+/gu, " ");
  return plain.length > limits.characters ? `${plain.slice(0, limits.characters).toWellFormed()}…` : plain;
}
