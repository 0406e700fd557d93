import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import { formats } from "../exchange/format.ts";
import { promptName, type Scope } from "../library/prompt.ts";
import { exitCodes, UserError } from "../util/errors.ts";
import { writeAtomic } from "../util/files.ts";
import type { Json } from "../util/json.ts";
import type { Caller } from "./app.ts";
import { common } from "./flags.ts";
import { libraryOf } from "./library.ts";
import { operation } from "./operation.ts";
import { packageFolder } from "./places.ts";

const scope = z
  .enum(["workspace", "user"], "is neither workspace nor user")
  .optional()
  .describe("workspace: for this project; user: for all of yours (workspace where there is a trusted home)");

type Looked = Awaited<ReturnType<typeof libraryOf>>;

/** Where new prompts of a scope go. */
function folderOf({ home, folders }: Looked, wanted: "workspace" | "user" | undefined): { scope: Scope; path: string } {
  const scope = wanted ?? (home ? "workspace" : "user");
  const found = folders.find((folder) => folder.scope === scope);
  if (found) return found;
  const message = "This folder has no home of its own for prompts, or it is not trusted.";
  throw new UserError("no_scope", message, "Trust it: claude-exec trust. Or keep it for yourself: --scope user");
}

export const promptsNewOperation = operation({
  name: "prompts new",
  summary: "Begin a prompt of your own, from the template or, with --from, written by a model",
  permission: "change",
  positional: ["name"],
  input: z.object({
    name: z.string().describe("What it will be called"),
    folder: z
      .string()
      .regex(/^[a-z0-9_]+$/, "is no folder's name")
      .optional()
      .describe("Folder within the scope"),
    from: z.string().min(1).optional().describe("What is missing, in a sentence: prompt_generator writes the prompt"),
    scope,
    ...common,
  }),
  async run(input, caller) {
    const name = named(input.name);
    const looked = await libraryOf(caller, input);
    const [taken] = await looked.library.places(name);
    if (taken) {
      const hint =
        taken.scope === "builtin"
          ? `Take another name, or change a copy: claude-exec prompts edit ${name}`
          : `Open it: claude-exec prompts edit ${name}`;
      throw new UserError("name_taken", `There is a prompt ${name} already: ${taken.file}.`, hint, exitCodes.conflict);
    }
    if (input.from !== undefined) return generated({ ...input, name, from: input.from }, caller);
    const { path, scope } = folderOf(looked, input.scope);
    const file = join(path, input.folder ?? "", `${name}.md`);
    writeAtomic(file, fromTemplate(name), { mode: 0o644 });
    return { exit: exitCodes.done, data: { schema_version: 1, name, scope, file, open: file } };
  },
});

function named(wanted: string): string {
  const name = promptName(wanted);
  if (name) return name;
  const hint = "Use 3 to 50 of a–z, 0–9 and _, such as trace_payment_flow.";
  throw new UserError("wrong_name", `"${wanted}" is no name for a prompt.`, hint, exitCodes.usage);
}

function fromTemplate(name: string): string {
  const title = `${name[0]!.toUpperCase()}${name.slice(1).replaceAll("_", " ")}`;
  return readFileSync(join(packageFolder, "prompts", "templates", "basic.md"), "utf8")
    .replace(/^name: *basic\b/m, `name: ${name}`)
    .replace(/^title: *\w+/m, `title: ${title}`)
    .replace(/^# .*$/m, `# ${title}`);
}

/** A draft that a model wrote: kept where generated prompts lie, with no right but to read, for a person to judge. */
async function generated(input: { name: string; from: string; home?: string | undefined }, caller: Caller) {
  const { runPrompt } = await import("./run_prompt.ts");
  const looked = await libraryOf(caller, input);
  const near = (await looked.library.search(input.from, 2)).hits;
  const similar = near.map(({ prompt }) => readFileSync(prompt.file, "utf8")).join("\n\n");
  const values = { gap: input.from, name: input.name, similar };
  const ran = await runPrompt({ ...input, name: "prompt_generator", values }, caller);
  const artifacts = ran.report?.artifacts ?? [];
  const written = artifacts.find(({ kind }) => kind === "prompt");
  if (!written) {
    const hint = `Say more in --from, or write it yourself: claude-exec prompts new ${input.name}`;
    throw new UserError(
      "nothing_generated",
      "The model wrote no prompt. What it did say is kept in the run's record.",
      hint,
    );
  }
  const folder = looked.folders.find(({ scope }) => scope === "custom")!.path;
  const file = join(folder, `${input.name}.md`);
  const text = written.content
    .replace(/^name:.*$/m, `name: ${input.name}`)
    .replace(/^tools: *(edit|run) *$/m, "tools: read");
  writeAtomic(file, text.endsWith("\n") ? text : `${text}\n`, { mode: 0o644 });
  const tests = artifacts.find(({ kind }) => kind === "tests");
  if (tests) writeAtomic(join(folder, `${input.name}.tests.yaml`), tests.content, { mode: 0o644 });
  const data = {
    name: input.name,
    scope: "custom",
    file,
    open: file,
    generated: true,
    summary: ran.report?.summary ?? "",
  };
  return { exit: exitCodes.done, data: { schema_version: 1 as const, ...data, cost: ran.cost } };
}

export const promptsEditOperation = operation({
  name: "prompts edit",
  summary: "Open a prompt; of a shipped one a copy of your own",
  permission: "change",
  positional: ["name"],
  input: z.object({ name: z.string().describe("Its exact name"), scope, home: common.home }),
  async run(input, caller) {
    const looked = await libraryOf(caller, input);
    const prompt = await looked.library.find(input.name);
    const done = (file: string, copied: boolean) => {
      const data = {
        name: prompt.name,
        scope: prompt.scope,
        file,
        open: file,
        copied_from: copied ? prompt.file : null,
      };
      return { exit: exitCodes.done, data: { schema_version: 1 as const, ...data } };
    };
    if (prompt.scope !== "builtin" || packageFolder === looked.home?.path) return done(prompt.file, false);
    if (prompt.folder === "system" && !looked.config.prompts.may_replace.includes(prompt.name)) {
      const message = `${prompt.name} is a system prompt; nothing may stand in for it unless you allow it by name.`;
      const hint = `In your own config.json: "prompts": {"may_replace": ["${prompt.name}"]}`;
      throw new UserError("system_prompt", message, hint, exitCodes.conflict);
    }
    const { path } = folderOf(looked, input.scope);
    const file = join(path, prompt.folder, `${prompt.name}.md`);
    writeAtomic(file, readFileSync(prompt.file), { mode: 0o644 });
    const tests = prompt.file.replace(/\.md$/, ".tests.yaml");
    if (existsSync(tests)) writeAtomic(file.replace(/\.md$/, ".tests.yaml"), readFileSync(tests), { mode: 0o644 });
    return done(file, true);
  },
});

const replace = z.boolean().optional().describe("Overwrite files that are there and differ");
const dry_run = z.boolean().optional().describe("Only say what would be done");

export const promptsImportOperation = operation({
  name: "prompts import",
  summary: "Take over prompts of other tools: Claude Code commands, skills and agents, fabric patterns, plain markdown",
  permission: "change",
  positional: ["from"],
  input: z.object({
    from: z.string().describe("A folder, or one file"),
    format: z.enum(formats, "is no format").optional().describe("Their format, where it is not to be guessed"),
    into: z
      .string()
      .regex(/^[a-z0-9_]+$/, "is no folder's name")
      .default("imported")
      .describe("Folder within the scope"),
    scope,
    dry_run,
    replace,
    home: common.home,
  }),
  async run(input, caller) {
    const looked = await libraryOf(caller, input);
    const { path, scope } = folderOf(looked, input.scope);
    const to = join(path, input.into);
    const { importPrompts } = await import("../exchange/exchange.ts");
    const { countOffline } = await import("../costs/estimate.ts");
    const { prompts } = await looked.library.all();
    const { imported, skipped } = await importPrompts(resolve(caller.cwd, input.from), to, {
      ...(input.format && { format: input.format }),
      dryRun: input.dry_run ?? false,
      replace: input.replace ?? false,
      taken: prompts.filter(({ file }) => !file.startsWith(`${to}/`)).map(({ name }) => name),
      count: countOffline,
    });
    const data = { scope, to, dry_run: input.dry_run ?? false, imported, skipped };
    return {
      exit: imported.length === 0 ? exitCodes.failed : exitCodes.done,
      data: { schema_version: 1, ...(JSON.parse(JSON.stringify(data)) as Record<string, Json>) },
    };
  },
});

export const promptsExportOperation = operation({
  name: "prompts export",
  summary: "Write prompts as other tools read them; what was imported comes back to the byte",
  permission: "change",
  positional: ["to", "names"],
  input: z.object({
    to: z.string().describe("The folder to write into"),
    names: z.array(z.string()).optional().describe("Which prompts; all of yours if left out"),
    format: z
      .enum([...formats, "original"], "is no format")
      .default("original")
      .describe("original: as each was imported"),
    dry_run,
    replace,
    home: common.home,
  }),
  async run(input, caller) {
    const { library } = await libraryOf(caller, input);
    const { prompts } = await library.all();
    const chosen = input.names
      ? await Promise.all(input.names.map((name) => library.find(name)))
      : prompts.filter((prompt) => prompt.scope !== "builtin");
    const { exportPrompts } = await import("../exchange/exchange.ts");
    const files = chosen.map(({ file }) => file);
    const to = resolve(caller.cwd, input.to);
    const options = { dryRun: input.dry_run ?? false, replace: input.replace ?? false };
    const { exported, skipped } = await exportPrompts(files, to, input.format, options);
    const data = { to, dry_run: options.dryRun, exported, skipped };
    return {
      exit: exported.length === 0 ? exitCodes.failed : exitCodes.done,
      data: { schema_version: 1, ...(JSON.parse(JSON.stringify(data)) as Record<string, Json>) },
    };
  },
});
