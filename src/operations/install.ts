import { lstatSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { z } from "zod";
import { packageFolder } from "../session/places.ts";
import { exitCodes, UserError } from "../util/errors.ts";
import { makeFolder, readTextIfThere, writeAtomic } from "../util/files.ts";
import { sha256 } from "../util/hash.ts";
import { isRecord, parseJson } from "../util/json.ts";
import { operation } from "./operation.ts";

const plugin = join(packageFolder, "integrations", "claude-code", "plugin");
const recordName = "claude-exec.json";
const recordSchema = z.object({ files: z.record(z.string(), z.string()) });

export const installOperation = operation({
  name: "install",
  summary: "Put slash commands into this project for Claude Code, or take them out",
  permission: "change",
  positional: ["into"],
  result: async () => (await import("./results.ts")).installResult,
  options: [],
  input: () =>
    z.object({
      into: z.enum(["claude"], "can only be claude").describe("claude: Claude Code"),
      undo: z.boolean().default(false).describe("Take out what was put in; what you changed stays"),
    }),
  run({ undo }, session) {
    const folder = join(session.home.workspace, ".claude");
    refuseLinks(folder);
    const record = join(folder, recordName);
    const known = recordSchema.safeParse(parseJson(readTextIfThere(record) ?? "")).data?.files ?? {};
    const wanted = undo ? {} : shippedSkills();
    const done = { written: [] as string[], removed: [] as string[], kept: [] as string[] };
    for (const path of new Set([...Object.keys(known), ...Object.keys(wanted)])) {
      const [file, text] = [join(folder, path), wanted[path]];
      const found = readTextIfThere(file);
      // Only what is as it was put there is ours to change.
      if (found !== undefined && found !== text && sha256(found) !== known[path]) done.kept.push(path);
      else if (text === undefined) removeFile(file, folder, found !== undefined, done.removed, path);
      else if (found !== text) {
        makeFolder(dirname(file), 0o777);
        writeAtomic(file, text);
        done.written.push(path);
      }
    }
    const hook = setHook(join(folder, "settings.json"), !undo);
    const files = Object.entries(wanted).filter(([path]) => !done.kept.includes(path));
    if (undo) rmSync(record, { force: true });
    else
      writeAtomic(
        record,
        `${JSON.stringify({ files: Object.fromEntries(files.map(([path, text]) => [path, sha256(text)])) }, null, 2)}\n`,
      );
    return Promise.resolve({ exit: exitCodes.done, data: { folder, ...done, hook } });
  },
});

function shippedSkills(): Record<string, string> {
  const names = readdirSync(join(plugin, "skills"));
  const paths = names.map((name) => join("skills", name, "SKILL.md"));
  return Object.fromEntries(paths.map((path) => [path, readFileSync(join(plugin, path), "utf8")]));
}

function removeFile(file: string, top: string, isThere: boolean, removed: string[], path: string): void {
  if (isThere) {
    rmSync(file);
    removed.push(path);
  }
  for (let folder = dirname(file); relative(top, folder) !== "" && isEmpty(folder); folder = dirname(folder)) {
    rmdirSync(folder);
  }
}

function isEmpty(folder: string): boolean {
  try {
    return readdirSync(folder).length === 0;
  } catch {
    return false;
  }
}

/** The hook among the user's own settings, which stay as they are. "unreadable": their file is not touched. */
function setHook(file: string, wanted: boolean): "set" | "removed" | "unchanged" | "unreadable" {
  const text = readTextIfThere(file);
  const settings = parseJson(text ?? "{}");
  const hooks = isRecord(settings) ? (settings["hooks"] ?? {}) : undefined;
  const starts = isRecord(hooks) ? (hooks["SessionStart"] ?? []) : undefined;
  if (!isRecord(settings) || !isRecord(hooks) || !Array.isArray(starts)) return "unreadable";
  const [ours] = shippedHooks();
  const others = starts.filter((one) => JSON.stringify(one) !== JSON.stringify(ours));
  if (wanted === others.length < starts.length) return "unchanged";
  const { SessionStart: _, ...otherHooks } = hooks;
  const left = wanted ? [...others, ours] : others;
  const all = { ...otherHooks, ...(left.length > 0 ? { SessionStart: left } : {}) };
  const { hooks: _old, ...rest } = settings;
  const next = { ...rest, ...(Object.keys(all).length > 0 ? { hooks: all } : {}) };
  if (Object.keys(next).length === 0) rmSync(file);
  else writeAtomic(file, `${JSON.stringify(next, null, 2)}\n`);
  return wanted ? "set" : "removed";
}

function shippedHooks(): readonly unknown[] {
  const { hooks } = JSON.parse(readFileSync(join(plugin, "hooks", "hooks.json"), "utf8")) as {
    hooks: { SessionStart: unknown[] };
  };
  return hooks.SessionStart;
}

/** A repository could lead us elsewhere. */
function refuseLinks(folder: string): void {
  const paths = [folder, join(folder, "skills"), join(folder, "settings.json"), join(folder, recordName)];
  const names = readdirSync(join(plugin, "skills")).map((name) => join(folder, "skills", name));
  const link = [...paths, ...names, ...names.map((name) => join(name, "SKILL.md"))].find((path) =>
    lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink(),
  );
  if (link === undefined) return;
  const message = `${link} is a link, so what is written there may land elsewhere. Nothing was written.`;
  throw new UserError("is_a_link", message, "Put a real folder or file in its place, or copy the plugin by hand.");
}
