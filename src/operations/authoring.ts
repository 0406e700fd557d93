import { existsSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { z } from "zod";
import { promptWriter } from "../chain/roles.ts";
import { formats } from "../library/exchange/format.ts";
import { promptName, type Scope, scopes } from "../library/names.ts";
import { exitCodes, UserError } from "../util/errors.ts";
import { writeAtomic } from "../util/files.ts";
import type { Caller } from "../session/caller.ts";
import type { OpenLibrary, Session } from "../session/session.ts";
import { running } from "./flags.ts";
import { operation, thinkingOptions } from "./operation.ts";
import { packageFolder, userFolders } from "../session/places.ts";
import { untrusted } from "../session/trust.ts";

export const scope = z
  .enum(scopes, "is no scope")
  .optional()
  .describe("For this project, or for all of yours; a trusted home makes it the project");

// What lies in templates/ is no prompt, and custom/ is where generated ones lie.
const folderName = z.string().regex(/^(?!(templates|custom)$)[a-z0-9_]+$/, "is no name for a folder of prompts");

/** Where new prompts of a scope go; in our own repository, those of the workspace are the shipped ones. */
export function folderOf(
  session: Session,
  { trusted, home, folders }: OpenLibrary,
  wanted: Scope | undefined,
): ScopeFolder {
  if (wanted && wanted !== "workspace" && wanted !== "user") {
    const next = [
      { input: { scope: "workspace" }, why: "For this project" },
      { input: { scope: "user" }, why: "For all of yours" },
    ];
    throw new UserError("wrong_scope", `New prompts do not go to the scope ${wanted}.`, next, exitCodes.usage);
  }
  const scope = wanted ?? (home ? "workspace" : "user");
  if (scope === "workspace" && !trusted) throw untrusted(session.home.workspace);
  const found = folders.find((folder) => folder.scope === scope);
  if (found) return found;
  const { path } = session.home;
  return { scope: path === packageFolder ? "builtin" : scope, path: join(path, "prompts") };
}

type ScopeFolder = { readonly scope: Scope; readonly path: string };

/** A home is made with the first prompt that goes there. */
function write(session: Session, { scope }: { scope: Scope }, file: string, content: string | Uint8Array): void {
  if (scope === "workspace") session.makeHome();
  writeAtomic(file, content, { mode: 0o644 });
}

export const promptsNewOperation = operation({
  name: "prompts new",
  summary: "Begin a prompt of your own, from the template or written by a model",
  permission: "change",
  positional: ["name"],
  result: async () => (await import("./results.ts")).openedResult,
  options: thinkingOptions,
  input: () =>
    z.object({
      name: z.string().describe("What it will be called"),
      folder: folderName.optional().describe("Folder within the scope"),
      from: z.string().min(1).optional().describe(`What is missing, in a sentence: ${promptWriter} writes the prompt`),
      scope,
      budget_usd: running.budget_usd,
      budget_tokens: running.budget_tokens,
    }),
  async run(input, session, caller) {
    const name = named(input.name);
    const looked = await session.library();
    await checkFree(looked, name);
    if (input.from !== undefined) return generated({ ...input, name, from: input.from }, session, caller);
    const target = folderOf(session, looked, input.scope);
    const file = join(target.path, input.folder ?? "", `${name}.md`);
    write(session, target, file, fromTemplate(name));
    return { exit: exitCodes.done, data: { name, scope: target.scope, file } };
  },
});

export async function checkFree({ library, config }: OpenLibrary, name: string): Promise<void> {
  const [taken] = await library.places(name);
  if (!taken) return;
  const edit = (why: string) => ({ operation: "prompts edit", input: { name }, why });
  const isOurs = taken.scope === "builtin";
  const isFixed = isOurs && taken.folder === "system" && !config.prompts.may_replace.includes(name);
  const next = isFixed ? "Take another name." : isOurs ? edit("Take another name, or change a copy") : edit("Open it");
  throw new UserError("name_taken", `There is a prompt ${name} already: ${taken.file}.`, next, exitCodes.conflict);
}

function named(wanted: string): string {
  const name = promptName(wanted);
  if (name) return name;
  const hint = "Use 3 to 50 of a–z, 0–9 and _, such as trace_payment_flow.";
  throw new UserError("wrong_name", `"${wanted}" is no name for a prompt.`, hint, exitCodes.usage);
}

function fromTemplate(name: string): string {
  const title = `${name[0]!.toUpperCase()}${name.slice(1).replaceAll("_", " ")}`;
  return (
    readFileSync(join(packageFolder, "prompts", "templates", "basic.md"), "utf8")
      .replace(/^# name:.*$/m, `name: ${name}`)
      .replace(/^title: *\w+/m, `title: ${title}`)
      // Without one it is no prompt yet: nobody is offered a draft.
      .replace(/^purpose:[^#\n]*(?=#)/m, 'purpose: ""   ')
      .replace(/^# .*$/m, `# ${title}`)
  );
}

interface Wish {
  readonly name: string;
  readonly from: string;
  readonly scope?: string | undefined;
  readonly folder?: string | undefined;
}

/** A draft that a model wrote: kept where generated prompts lie, with no right but to read, for a person to judge. */
async function generated(input: Wish, session: Session, caller: Caller) {
  const where = (["scope", "folder"] as const).find((flag) => input[flag] !== undefined);
  if (where) {
    const message = `A prompt that a model writes takes no ${where}: it lies in prompts/custom until a person moves it.`;
    const next = { input: { [where]: null }, why: "To let a model write it" };
    throw new UserError("wrong_usage", message, next, exitCodes.usage);
  }
  const { runPrompt } = await import("./run_prompt.ts");
  const { library } = await session.library();
  const near = (await library.search(input.from, 2)).hits;
  const similar = near.map(({ prompt }) => readFileSync(prompt.file, "utf8")).join("\n\n");
  const values = { gap: input.from, name: input.name, similar };
  const asked = { ...input, name: promptWriter, values };
  const { report, cost, file: record } = await runPrompt(asked, session, caller);
  const written = report.artifacts?.find(({ kind }) => kind === "prompt");
  const cases = report.artifacts?.find(({ kind }) => kind === "tests")?.content ?? "[]\n";
  const { deps } = await session.engine(caller);
  const wrong = written && (await deps.lintPrompt(input.name, written.content, cases)).errors[0];
  if (!written || wrong !== undefined) {
    const what = written ? "a prompt that cannot be used. " : "no prompt. It says: ";
    throw new UserError("nothing_generated", `The model wrote ${what}${wrong ?? report.summary}`, [
      { input: { from: "…" }, why: `All it said: ${record}. Say more` },
      { operation: "prompts new", input: { name: input.name }, why: "Or write it yourself" },
    ]);
  }
  // The run has made the home, and may have been told to trust it.
  const folder = (await session.library()).folders.find(({ scope }) => scope === "custom")!.path;
  const file = join(folder, `${input.name}.md`);
  writeAtomic(file, written.content, { mode: 0o644 });
  writeAtomic(join(folder, `${input.name}.tests.yaml`), cases, { mode: 0o644 });
  const written_by_model = { summary: report.summary, cost, record };
  return {
    exit: exitCodes.done,
    data: { name: input.name, scope: "custom" as const, file, generated: written_by_model },
  };
}

export const promptsEditOperation = operation({
  name: "prompts edit",
  summary: "Open a prompt; of a shipped one a copy of your own",
  permission: "change",
  positional: ["name"],
  result: async () => (await import("./results.ts")).openedResult,
  options: ["home", "trust"],
  input: () =>
    z.object({
      name: z.string().describe("Its exact name"),
      scope,
    }),
  async run(input, session) {
    const looked = await session.library();
    const { library, home, config } = looked;
    // Not read before it is opened: a broken one is there to be mended. The search throws what there is to say.
    const [prompt = await library.find(input.name)] = await library.places(input.name);
    const name = named(input.name);
    const done = (file: string, scope: Scope, copied_from: string | null) => {
      return { exit: exitCodes.done, data: { name, scope, file, copied_from } };
    };
    if (prompt.scope !== "builtin" || packageFolder === home?.path) {
      if (input.scope === undefined || input.scope === prompt.scope) return done(prompt.file, prompt.scope, null);
      const message = `${name} is a prompt of the scope ${prompt.scope} already: ${prompt.file}`;
      const next = { operation: "prompts edit", input: { name }, why: "Open it" };
      throw new UserError("other_scope", message, next, exitCodes.conflict);
    }
    if (prompt.folder === "system" && !config.prompts.may_replace.includes(name)) {
      const message = `${name} is a system prompt; nothing may stand in for it unless you allow it by name.`;
      const own = join(userFolders(session.world.env).config, "config.json");
      const hint = `In ${own}: {"prompts": {"may_replace": ["${name}"]}}`;
      throw new UserError("system_prompt", message, hint, exitCodes.conflict);
    }
    const target = folderOf(session, looked, input.scope);
    const file = join(target.path, prompt.folder, `${name}.md`);
    const tests = prompt.file.replace(/\.md$/, ".tests.yaml");
    if (existsSync(tests)) write(session, target, file.replace(/\.md$/, ".tests.yaml"), readFileSync(tests));
    write(session, target, file, readFileSync(prompt.file));
    return done(file, target.scope, prompt.file);
  },
});

const formatFlag = z.enum([...formats, "original"], "is no format");
const replace = z.boolean().optional().describe("Overwrite files that are there and differ");
const dry_run = z.boolean().optional().describe("Only say what would be done");

export const promptsImportOperation = operation({
  name: "prompts import",
  summary: "Take over commands, skills and agents of Claude Code, fabric patterns, plain markdown",
  permission: "change",
  positional: ["from"],
  result: async () => (await import("./results.ts")).importedResult,
  options: ["home", "trust"],
  input: () =>
    z.object({
      from: z.string().describe("A folder, or one file"),
      format: formatFlag.optional().describe("Their format, where it is not to be guessed"),
      into: folderName.default("imported").describe("Folder within the scope"),
      scope,
      dry_run,
      replace,
    }),
  async run(input, session) {
    const looked = await session.library();
    const target = folderOf(session, looked, input.scope);
    const to = join(target.path, input.into);
    if (target.scope === "workspace" && !input.dry_run) session.makeHome();
    const { importPrompts } = await import("../library/exchange/import.ts");
    const { withCounter } = await import("../costs/estimate.ts");
    const { prompts, problems } = await looked.library.all();
    // A broken file keeps its name too.
    const elsewhere = [...prompts, ...problems].filter(
      ({ file }) => file.endsWith(".md") && !file.startsWith(`${to}/`),
    );
    const format = input.format === "original" ? undefined : input.format;
    const options = {
      ...(format && { format }),
      dryRun: input.dry_run ?? false,
      replace: input.replace ?? false,
      taken: elsewhere.flatMap(({ file }) => promptName(basename(file, ".md")) ?? []),
    };
    const from = resolve(session.cwd, input.from);
    const { imported, skipped } = await withCounter((count) => importPrompts(from, to, { ...options, count }));
    const data = { scope: target.scope, to, dry_run: input.dry_run ?? false, imported, skipped };
    return {
      exit: imported.length === 0 ? exitCodes.failed : exitCodes.done,
      data,
    };
  },
});

export const promptsExportOperation = operation({
  name: "prompts export",
  summary: "Write prompts as other tools read them; an import that nobody edited comes back exactly",
  permission: "change",
  positional: ["to", "names"],
  result: async () => (await import("./results.ts")).exportedResult,
  options: ["home"],
  input: () =>
    z.object({
      to: z.string().describe("The folder to write into"),
      names: z.array(z.string()).optional().describe("Which prompts; all of yours if left out"),
      format: formatFlag.default("original").describe("original: as each was imported"),
      dry_run,
      replace,
    }),
  async run(input, session) {
    const { library } = await session.library();
    const { prompts, problems } = await library.all();
    const chosen = input.names
      ? await Promise.all(input.names.map((name) => library.find(name)))
      : prompts.filter((prompt) => prompt.scope !== "builtin");
    const unread = input.names ? [] : problems.map(({ file, message }) => ({ file, why: message }));
    const { exportPrompts } = await import("../library/exchange/export.ts");
    const files = chosen.map(({ file }) => file);
    const to = resolve(session.cwd, input.to);
    const options = { dryRun: input.dry_run ?? false, replace: input.replace ?? false };
    const { exported, skipped } = await exportPrompts(files, to, input.format, options);
    const data = { to, dry_run: options.dryRun, exported, skipped: [...skipped, ...unread] };
    return {
      exit: exported.length === 0 ? exitCodes.failed : exitCodes.done,
      data,
    };
  },
});
