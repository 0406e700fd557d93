import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { z } from "zod";
import type { Pattern } from "../library/pattern.ts";
import type { PatternRow } from "../library/similar.ts";
import type { Session } from "../session/session.ts";
import { exitCodes, UserError } from "../util/errors.ts";
import type { Workspace } from "../workspace/workspace.ts";
import { chainId } from "./flags.ts";
import { keep, keptFiles, readKept } from "./kept.ts";
import { fitting } from "./newest_chain.ts";
import { operation } from "./operation.ts";

export const savePatternOperation = operation({
  name: "save-pattern",
  summary: "Save how a finished chain was done, as a pattern for later tasks like it",
  permission: "change",
  positional: ["chain"],
  newest: fitting.finished,
  result: async () => (await import("./results.ts")).savedPatternResult,
  options: ["home"],
  input: () =>
    z.object({
      chain: chainId,
      name: z.string().trim().min(1, "is empty").max(100, "is too long").optional().describe("What it will be called"),
      yes: z.boolean().optional().describe("Save it; left out, it is only shown, and asked about at a terminal"),
    }),
  async run(input, session) {
    const { readChain } = await import("../chain/inspect.ts");
    const { patternOf } = await import("../chain/pattern.ts");
    const { mostEntries, patternText } = await import("../library/pattern.ts");
    const { slugOf } = await import("../chain/open.ts");
    const { id, workspace } = await session.ownChain(input.chain);
    const { context, lines } = readChain(session.store, id);
    if (!fitting.finished.fits(context)) {
      const next = { operation: "status", input: { chain: id }, why: "See where it stands" };
      const message = `Chain ${id} has not finished a change, so there is no pattern in it yet. Nothing was saved.`;
      throw new UserError("not_finished", message, next, exitCodes.usage);
    }
    const { applied } = context.engine;
    const title = input.name ?? applied?.pattern.title ?? context.solution?.solution.title ?? context.goal;
    const found = patternOf(lines, title, await stackOf(await session.filesOf(workspace, null)));
    const name = applied && input.name === undefined ? applied.name : slugOf(found.title);
    const file = join(session.home.path, "patterns", name + ending);
    const before = existsSync(file) ? await readPattern(file) : found;
    // Another chain of the same kind adds what it took, and nothing else; what a person wrote stays.
    const { took, notes } = "took" in before ? before : { took: [], notes: "" };
    const isOfThisKind = took.some(({ chain }) => chain === id || applied?.name === name);
    if (!isOfThisKind) {
      const next = { operation: "save-pattern", input: { chain: id, name: "…", yes: true }, why: "Name it otherwise" };
      const message = `There is another pattern ${name} already: ${file}. Nothing was saved.`;
      throw new UserError("name_taken", message, next, exitCodes.conflict);
    }
    const all = [...took.filter(({ chain }) => chain !== id), ...found.took].slice(-mostEntries);
    const isOther = "took" in before && took.some(({ chain }) => chain !== id);
    const pattern = { ...(isOther ? before : found), took: all, notes };
    const text = await patternText(pattern);
    const data = { chain_id: id, name, title: pattern.title, file, text };
    if (!input.yes) {
      const next = [{ operation: "save-pattern", input: { chain: id, name: title, yes: true }, why: "Save it" }];
      return { exit: exitCodes.waiting, data: { ...data, preview: true, next } };
    }
    keep(session, "patterns", name + ending, writtenBy + text);
    const next = [{ operation: "patterns show", input: { name }, why: "See it" }];
    return { exit: exitCodes.done, data: { ...data, preview: false, next } };
  },
});

const ending = ".yaml";
const writtenBy =
  "# Written by claude-exec. Edit it as you like: a model is shown it as data, never as an instruction.\n";

export const patternsOperation = operation({
  name: "patterns",
  summary: "List the patterns that later tasks are compared with",
  permission: "read",
  positional: [],
  result: async () => (await import("./results.ts")).patternsResult,
  options: ["home"],
  input: () => z.object({}),
  async run(_, session) {
    const { rows, problems } = await patternsOf(session);
    const folder = join(session.home.path, "patterns");
    const patterns = rows.map(({ name, title, stack, took }) => ({ name, title, stack, took }));
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
  async run({ name: wanted }, session) {
    const { patternText } = await import("../library/pattern.ts");
    const { file, pattern, row } = await patternNamed(wanted, (await patternsOf(session)).rows, session);
    return {
      exit: exitCodes.done,
      data: { name: row.name, title: pattern.title, file, text: await patternText(pattern) },
    };
  },
});

/** The pattern with this title or file name. */
export async function patternNamed(wanted: string, rows: readonly PatternRow[], session: Session) {
  const same = (text: string) => text.toLowerCase() === wanted.trim().toLowerCase();
  const row = rows.find(({ name }) => same(name)) ?? rows.find(({ title }) => same(title));
  const file = join(session.home.path, "patterns", `${row?.name}${ending}`);
  const pattern = row ? await readPattern(file) : { why: "" };
  if (row && !("why" in pattern)) return { row, file, pattern };
  const next = { operation: "patterns", why: "List them with" };
  const message = `There is no pattern "${wanted}" here. ${"why" in pattern ? pattern.why : ""}`;
  throw new UserError("no_pattern", message.trim(), next);
}

async function readPattern(file: string): Promise<Pattern | { why: string }> {
  const { parsePattern } = await import("../library/pattern.ts");
  const read = readKept(file);
  return "why" in read ? read : parsePattern(read.text);
}

/** The patterns of a home, and why other files of its folder are none. */
export async function patternsOf(session: Session) {
  const files = keptFiles(session, "patterns", ending);
  if (files.length === 0) return { rows: [], problems: [] };
  const { rowOf } = await import("../library/similar.ts");
  const index = await session.index();
  const values = await index.sync("pattern:2", files, async (at) => {
    const read = await readPattern(files[at]!);
    return { value: "why" in read ? read : rowOf(basename(files[at]!, ending), read) };
  });
  // The index gives back what was put in under this name, or nothing.
  const kept = values as (PatternRow | { why: string })[];
  return {
    rows: kept.flatMap((row) => ("why" in row ? [] : [row])),
    problems: kept.flatMap((row, at) => ("why" in row ? [{ file: files[at]!, why: row.why }] : [])),
  };
}

/** What a workspace is made of, by the manifests near its root and the endings of its files: "node", "express", ".js". */
export async function stackOf(workspace: Workspace): Promise<string[]> {
  const { formatOf, readManifest } = await import("../tools/manifests.ts");
  const files = await workspace.list();
  const wanted = files.flatMap((path) => {
    const format = path.split("/").length <= 2 ? formatOf(path) : undefined;
    const found = format && workspace.read(path);
    const groups = found?.type === "text" ? (readManifest(format!, found.text)?.packages ?? []) : [];
    return format ? [format.kind, ...groups.flatMap(({ entries }) => entries.map(({ name }) => name))] : [];
  });
  const endings = Map.groupBy(files, (path) => /[^/](\.(?!md|json|ya?ml|txt|lock|toml)[a-z]{1,6})$/.exec(path)?.[1]);
  const most = [...endings].sort(([, a], [, b]) => b.length - a.length).flatMap(([ending]) => ending ?? []);
  return [...new Set([...most.slice(0, 2), ...wanted])].slice(0, 40);
}
