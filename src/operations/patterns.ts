import { existsSync, lstatSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { PatternRow } from "../library/similar.ts";
import type { Session } from "../session/session.ts";
import { manifestKind } from "../tools/manifests.ts";
import { exitCodes, UserError } from "../util/errors.ts";
import { writeAtomic } from "../util/files.ts";
import type { Workspace } from "../workspace/workspace.ts";
import { chainId } from "./flags.ts";
import { fitting } from "./newest_chain.ts";
import { operation } from "./operation.ts";

export const savePatternOperation = operation({
  name: "save-pattern",
  summary: "Keep the way of a finished chain as a pattern for later tasks like it",
  permission: "change",
  positional: ["chain"],
  newest: fitting.finished,
  result: async () => (await import("./results.ts")).savedPatternResult,
  options: ["home"],
  input: () =>
    z.object({
      chain: chainId,
      name: z.string().trim().min(1, "is empty").max(100, "is too long").optional().describe("What it will be called"),
      replace: z.boolean().optional().describe("Replace another pattern of that name"),
      yes: z.boolean().optional().describe("Save it; left out, it is only shown, and asked about at a terminal"),
    }),
  async run(input, session) {
    const { readChain } = await import("../chain/inspect.ts");
    const { patternOf } = await import("../chain/pattern.ts");
    const { patternFile, patternText, readPattern } = await import("../library/pattern.ts");
    const { slugOf } = await import("../chain/open.ts");
    const { id, workspace } = await session.ownChain(input.chain);
    const { context, lines } = readChain(session.store, id);
    if (!fitting.finished.fits(context)) {
      const next = { operation: "status", input: { chain: id }, why: "See where it stands" };
      const message = `Chain ${id} has not finished a change, so there is no way to keep yet. Nothing was saved.`;
      throw new UserError("not_finished", message, next, exitCodes.usage);
    }
    const { applied } = context.engine;
    const title = input.name ?? applied?.pattern.title ?? context.solution?.solution.title ?? context.goal;
    const found = patternOf(lines, title, await stackOf(await session.filesOf(workspace, null)));
    const name = applied && input.name === undefined ? applied.name : slugOf(found.title);
    const folder = join(session.home.path, "patterns");
    const file = patternFile(folder, name);
    if (existsSync(folder) && !lstatSync(folder).isDirectory()) {
      const message = `${folder} is not a folder of its own, so nothing is written there.`;
      throw new UserError("no_folder", message, "Move it away, then ask for the same again.", exitCodes.conflict);
    }
    const before = existsSync(file) ? readPattern(file) : undefined;
    // Another chain of the same kind adds what it took; the words of a person stay.
    const isSame =
      typeof before === "object" && (applied?.name === name || before.took.some(({ chain }) => chain === id));
    if (before !== undefined && !isSame && !input.replace) {
      const again = { chain: id, ...(input.yes ? { yes: true } : {}) };
      throw new UserError(
        "name_taken",
        `There is a pattern ${name} already: ${file}. Nothing was saved.`,
        [
          { operation: "save-pattern", input: { ...again, name: "…" }, why: "Give this one another name" },
          { operation: "save-pattern", input: { ...again, name: title, replace: true }, why: "Or replace it" },
        ],
        exitCodes.conflict,
      );
    }
    const earlier = isSame ? before.took.filter(({ chain }) => chain !== id) : [];
    const pattern = { ...found, took: [...earlier, ...found.took].slice(-20), notes: isSame ? before.notes : "" };
    const preview = input.yes !== true;
    if (!preview) writeAtomic(file, await patternText(pattern), { mode: 0o644 });
    const named = { chain: id, name: title, ...(input.replace ? { replace: true } : {}), yes: true };
    const next = preview
      ? [{ operation: "save-pattern", input: named, why: "Save it" }]
      : [{ operation: "patterns show", input: { name }, why: "See it" }];
    return {
      exit: preview ? exitCodes.waiting : exitCodes.done,
      data: { chain_id: id, name, file, preview, pattern, next },
    };
  },
});

export const patternsOperation = operation({
  name: "patterns",
  summary: "List the patterns that later tasks are compared with",
  permission: "read",
  positional: [],
  result: async () => (await import("./results.ts")).patternsResult,
  options: ["home"],
  input: () => z.object({}),
  async run(_, session) {
    const { folder, rows, problems } = await patternsOf(session);
    const patterns = rows.map(({ name, title, stack, estimate }) => ({ name, title, stack, estimate }));
    return { exit: exitCodes.done, data: { folder, patterns, problems } };
  },
});

export const patternsShowOperation = operation({
  name: "patterns show",
  summary: "Show all of a pattern",
  permission: "read",
  positional: ["name"],
  result: async () => (await import("./results.ts")).patternResult,
  options: ["home"],
  input: () => z.object({ name: z.string().describe("Its title, or the name of its file") }),
  async run({ name }, session) {
    const { namedPattern, patternFile, readPattern } = await import("../library/pattern.ts");
    const { folder, rows } = await patternsOf(session);
    const row = namedPattern(name, rows);
    const file = patternFile(folder, row.name);
    const pattern = readPattern(file);
    if (typeof pattern === "string") throw noPattern(file, pattern);
    return { exit: exitCodes.done, data: { name: row.name, file, pattern } };
  },
});

export function noPattern(file: string, why: string): UserError {
  return new UserError("no_pattern", `${file} is no pattern: ${why}.`, "Edit it, or delete it.");
}

/** The patterns of a home, and why other files of its folder are none. Those of a folder that is not trusted do not count. */
export async function patternsOf(session: Session) {
  const folder = join(session.home.path, "patterns");
  const { patternFiles, patternName, readPattern } = await import("../library/pattern.ts");
  const { rowOf } = await import("../library/similar.ts");
  const files = session.isTrusted() ? patternFiles(folder) : [];
  if (files.length === 0) return { folder, rows: [], problems: [] };
  const index = await session.index();
  const values = await index.sync("pattern:1", files, async (at) => {
    const read = readPattern(files[at]!);
    return { value: typeof read === "string" ? { why: read } : rowOf(patternName(files[at]!), read) };
  });
  // The index gives back what was put in under this name, or nothing.
  const kept = values as (PatternRow | { why: string })[];
  return {
    folder,
    rows: kept.flatMap((row) => ("why" in row ? [] : [row])),
    problems: kept.flatMap((row, at) => ("why" in row ? [{ file: files[at]!, why: row.why }] : [])),
  };
}

/** What a workspace is made of, by its manifests and the endings of its files: "node", "express", ".js". */
export async function stackOf(workspace: Workspace): Promise<string[]> {
  const files = await workspace.list();
  const near = files.filter((path) => manifestKind(path) && path.split("/").length <= 2).slice(0, 5);
  const wanted = near.flatMap((path) => {
    const kind = manifestKind(path)!;
    const found = workspace.read(path);
    const groups = (found.type === "text" ? kind.read(found.text)?.groups : undefined) ?? [];
    return [kind.kind, ...groups.flatMap((group) => group.wanted.map(({ name }) => name))];
  });
  const endings = Map.groupBy(files, (path) => /[^/](\.[a-z]{1,6})$/.exec(path)?.[1] ?? "");
  const code = [...endings].filter(([ending]) => ending && !/\.(?:md|json|ya?ml|txt|lock|toml)$/.test(ending));
  const most = code.sort(([, a], [, b]) => b.length - a.length).slice(0, 2);
  return [...new Set([...wanted, ...most.map(([ending]) => ending)])].slice(0, 40);
}
