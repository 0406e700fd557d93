import { basename, dirname } from "node:path/posix";

export const formats = ["claude-commands", "claude-skills", "claude-agents", "fabric", "markdown", "ours"] as const;
export type Format = (typeof formats)[number];

/** The tools of Claude Code that only read. */
export const readTools = ["Read", "Grep", "Glob"];

export interface Detected {
  readonly format: Format;
  /** What decided it, as half a sentence. */
  readonly rule: string;
}

export interface Seen {
  /** From the root of the collection down, the root's own name in front. */
  readonly path: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly body: string;
  readonly isOurs: boolean;
}

export function detectFormat({ path, data, body, isOurs }: Seen): Detected {
  const folders = dirname(path).split("/");
  const has = (key: string) => Object.hasOwn(data, key);
  const commandKey = ["argument-hint", "allowed-tools", "disable-model-invocation"].find(has);
  const agentKey = ["tools", "model", "color"].find(has);
  if (basename(path) === "SKILL.md") return { format: "claude-skills", rule: "it is called SKILL.md" };
  if (basename(path) === "system.md") return { format: "fabric", rule: "it is called system.md" };
  if (isOurs) return { format: "ours", rule: "its front matter is one of ours" };
  if (folders.includes("commands")) return { format: "claude-commands", rule: "it lies in a folder called commands" };
  if (folders.includes("agents")) return { format: "claude-agents", rule: "it lies in a folder called agents" };
  if (commandKey) return { format: "claude-commands", rule: `its front matter has ${commandKey}` };
  if (has("name") && has("description") && agentKey) {
    return { format: "claude-agents", rule: `its front matter has name, description and ${agentKey}` };
  }
  if (argumentsMark.test(body)) return { format: "claude-commands", rule: "its text speaks of $ARGUMENTS" };
  return { format: "markdown", rule: "no other format fits" };
}

/** Neither escaped, nor part of a longer word, nor one argument out of several. */
export const argumentsMark = /(?<![\\\w$])\$ARGUMENTS(?![\w[])/;

export interface Claim {
  readonly entry: string;
  /** What belongs to the entry and is no prompt itself. */
  readonly siblings: readonly string[];
}

/** Which files are prompts, which belong to one, and which to none. A nearer owner wins. */
export function groupFiles(
  paths: readonly string[],
  format: Format | undefined,
): { claims: Claim[]; orphans: readonly string[] } {
  const known = new Set(paths);
  const may = (wanted: Format) => format === undefined || format === wanted;
  const above = (path: string, file: string) =>
    foldersAbove(path)
      .map((folder) => (folder === "" ? file : `${folder}/${file}`))
      .find((candidate) => known.has(candidate));
  const ownerOf = (path: string): string | undefined => {
    const skill = may("claude-skills") ? above(path, "SKILL.md") : undefined;
    if (skill) return skill;
    const pattern = may("fabric") ? above(path, "system.md") : undefined;
    const beside = pattern && dirname(pattern) === dirname(path) && /^(user|README)\.md$/.test(basename(path));
    if (pattern && (pattern === path || beside || !isMarkdown(path))) return pattern;
    const kept = may("ours") ? keptBeside(path) : undefined;
    if (kept && known.has(kept)) return kept;
    return isMarkdown(path) && format !== "claude-skills" && format !== "fabric" ? path : undefined;
  };
  const owned = Map.groupBy(paths, ownerOf);
  const orphans = owned.get(undefined) ?? [];
  owned.delete(undefined);
  const claims = [...owned].map(([entry, files]) => ({
    entry: entry!,
    siblings: files.filter((file) => file !== entry),
  }));
  return { claims, orphans };
}

/** Whether a file of this format can be called so. */
export function fitsFormat(path: string, format: Format): boolean {
  if (format === "claude-skills") return basename(path) === "SKILL.md";
  return format === "fabric" ? basename(path) === "system.md" : isMarkdown(path);
}

export function isMarkdown(path: string): boolean {
  return /\.md$/i.test(path);
}

/** Whether the library looks for prompts there. */
export function isListed(path: string): boolean {
  const folders = path.split("/").slice(0, -1);
  return !folders.some((folder) => folder === "templates" || folder.startsWith(".")) && basename(path) !== "README.md";
}

/** Nearest first, "" for the root. */
function foldersAbove(path: string): string[] {
  const parts = path.split("/").slice(0, -1);
  return [...parts.map((_, index) => parts.slice(0, parts.length - index).join("/")), ""];
}

function keptBeside(path: string): string | undefined {
  return /^(.*?)\.files\/.*\.kept$/s.exec(path)?.[1]?.concat(".md");
}
