import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { z } from "zod";
import { costEstimates, phases, promptName, scopes } from "../library/names.ts";
import type { Listed } from "../library/prompt.ts";
import { exitCodes, UserError } from "../util/errors.ts";
import { running, wholeNumber } from "./flags.ts";
import { operation, thinkingOptions } from "./operation.ts";
import { packageFolder } from "../session/places.ts";
import { readValues, varFlag } from "../session/values.ts";

const name = z.string().describe("Its exact name");
const oneOf = <const Names extends readonly string[]>(names: Names) =>
  z.enum(names, `is none of ${names.join(", ")}`).optional();
const filters = {
  folder: z.string().optional().describe("Only this folder, such as discovery"),
  phase: oneOf(phases).describe("Only prompts made for this phase"),
  tag: z.string().optional().describe("Only prompts with this tag"),
  cost: oneOf(costEstimates).describe("Only this cost class"),
  scope: oneOf(scopes).describe("Only prompts of this scope"),
};

export const promptsListOperation = operation({
  name: "prompts list",
  summary: "The prompts of the library",
  permission: "read",
  positional: [],
  result: async () => (await import("./results.ts")).promptsListResult,
  options: ["home"],
  input: () => z.object(filters),
  async run(input, session) {
    const { library, trusted } = await session.library();
    const { prompts, problems } = await library.all();
    const chosen = prompts.filter(passes(input));
    const data = {
      prompts: chosen.map(brief),
      problems,
      untrusted: session.home.exists && !trusted ? session.home.workspace : null,
    };
    return { exit: exitCodes.done, data };
  },
});

export const promptsSearchOperation = operation({
  name: "prompts search",
  summary: "The prompts that fit some words best, each with the line that does",
  permission: "read",
  positional: ["words"],
  result: async () => (await import("./results.ts")).promptsSearchResult,
  options: ["home"],
  input: () =>
    z.object({
      words: z.array(z.string()).min(1, "is missing").describe("What it should be good for"),
      limit: wholeNumber
        .refine((limit) => limit <= 100, "is above 100")
        .default(10)
        .describe("How many at most"),
      ...filters,
    }),
  async run(input, session) {
    const { library } = await session.library();
    // Listed first, so that what was changed in place a moment ago is found too.
    await library.all();
    const query = input.words.join(" ");
    let most = input.limit;
    let found = await library.search(query, most);
    const fitting = () => found.hits.filter(({ prompt }) => passes(input)(prompt)).slice(0, input.limit);
    while (fitting().length < input.limit && found.hits.length === most) {
      most *= 8;
      found = await library.search(query, most);
    }
    const hits = fitting();
    return {
      exit: exitCodes.done,
      data: {
        query,
        taken_for: found.taken_for,
        hits: hits.map(({ prompt, line, text }) => ({ ...brief(prompt), file: prompt.file, line, text })),
      },
    };
  },
});

type Filters = { [Name in keyof typeof filters]?: string | undefined };

function passes({ folder, phase, tag, cost, scope }: Filters) {
  return (prompt: Listed) =>
    (folder === undefined || prompt.folder === folder) &&
    (phase === undefined || prompt.phases.some((known) => known === phase)) &&
    (tag === undefined || prompt.tags.includes(tag)) &&
    (cost === undefined || prompt.cost_estimate === cost) &&
    (scope === undefined || prompt.scope === scope);
}

function brief({ name, folder, scope, purpose, cost_estimate, tools, model, tags, phases }: Listed) {
  return { name, folder, scope, purpose, cost_estimate, tools, model, tags, phases };
}

export const promptsShowOperation = operation({
  name: "prompts show",
  summary: "One prompt as it is, where it comes from and what it hides",
  permission: "read",
  positional: ["name"],
  result: async () => (await import("./results.ts")).promptsShowResult,
  options: ["home"],
  input: () => z.object({ name }),
  async run(input, session) {
    const { library } = await session.library();
    const prompt = await library.find(input.name);
    const [, ...hidden] = await library.places(prompt.name);
    const { countOffline } = await import("../costs/estimate.ts");
    const { bodyLine: _, ...shown } = prompt;
    return {
      exit: exitCodes.done,
      data: {
        ...shown,
        hides: hidden.map(({ scope, file }) => ({ scope, file })),
        tokens: await countOffline(prompt.body),
      },
    };
  },
});

export const promptsRenderOperation = operation({
  name: "prompts render",
  summary: "A prompt with its inputs filled in, exactly as a model gets it, and its tokens",
  permission: "read",
  positional: ["name"],
  result: async () => (await import("./results.ts")).promptsRenderResult,
  options: ["home"],
  input: () => z.object({ name, ...varFlag }),
  async run(input, session) {
    const { library } = await session.library();
    const prompt = await library.find(input.name);
    const { renderPrompt } = await import("../library/render.ts");
    const { countOffline } = await import("../costs/estimate.ts");
    const text = renderPrompt(prompt, readValues(input.var, session.cwd)).trim();
    const tokens = await countOffline(text);
    return { exit: exitCodes.done, data: { name: prompt.name, text, tokens } };
  },
});

export const promptsLintOperation = operation({
  name: "prompts lint",
  summary: "What is wrong or weak in prompt files, why, and how to mend it",
  permission: "read",
  positional: ["paths"],
  result: async () => (await import("./results.ts")).promptsLintResult,
  options: ["home"],
  input: () =>
    z.object({
      paths: z
        .array(z.string())
        .optional()
        .describe("Files, folders or names of prompts; without any, the prompts of this home and yours"),
      strict: z.boolean().optional().describe("Warnings count as errors"),
    }),
  async run(input, session) {
    const { library, home, folders } = await session.library();
    const { lintPrompts } = await import("../library/lint/lint.ts");
    const { lintPlaces } = await import("../library/lint/places.ts");
    const { prompts, problems } = await library.all();
    const own = () => folders.filter(({ scope }) => scope !== "builtin" || packageFolder === home?.path);
    const meant = async (path: string) => {
      const [named] = existsSync(resolve(session.cwd, path)) ? [] : await library.places(path);
      return named?.file ?? resolve(session.cwd, path);
    };
    const given = input.paths && (await Promise.all(input.paths.map(meant)));
    const files = given ? lintPlaces(given) : await ownFiles(own(), [...prompts, ...problems]);
    const { withCounter } = await import("../costs/estimate.ts");
    const known = new Set(prompts.map((prompt) => prompt.name));
    const found = await withCounter((count) => lintPrompts(files, known, count, prompts));
    const short = (text: string) => text.replaceAll(`${session.cwd}/`, "");
    const findings = found.map((one) => ({ ...one, file: short(one.file), what: short(one.what) }));
    const errors = findings.filter(({ severity }) => severity === "error" || input.strict).length;
    return {
      exit: errors > 0 ? exitCodes.failed : exitCodes.done,
      data: { files: files.length, errors, warnings: findings.length - errors, findings },
    };
  },
});

async function ownFiles(folders: readonly { path: string }[], known: readonly { file: string }[]) {
  const { lintPlaces } = await import("../library/lint/places.ts");
  const there = folders.map(({ path }) => path).filter((path) => known.some(({ file }) => file.startsWith(`${path}/`)));
  if (there.length > 0) return lintPlaces(there);
  throw new UserError(
    "nothing_to_lint",
    "There are no prompts of your own here.",
    { operation: "prompts lint", input: { paths: ["<path>"] }, why: "Name files or folders" },
    exitCodes.usage,
  );
}

export const promptsRunOperation = operation({
  name: "prompts run",
  summary: "One prompt on its own against this workspace, without a chain",
  permission: "run",
  positional: ["name"],
  result: async () => (await import("./results.ts")).promptsRunResult,
  options: [...thinkingOptions, "permission"],
  input: () =>
    z.object({
      name,
      ...varFlag,
      chain: z
        .string()
        .regex(/^(\d+(,\d+)*|all)$/, "is a chain's number, several with commas, or `all`")
        .optional()
        .describe("Fills the inputs chain, history and costs from this chain, or from all"),
      budget_usd: running.budget_usd,
      budget_tokens: running.budget_tokens,
    }),
  async run(input, session, caller) {
    const { runPrompt } = await import("./run_prompt.ts");
    const values = readValues(input.var, session.cwd);
    const { report, name, cost, file } = await runPrompt({ ...input, values }, session, caller);
    const data = { prompt: name, report, cost, record: file };
    return { exit: exitCodes.done, data };
  },
});

export const promptsStatsOperation = operation({
  name: "prompts stats",
  summary: "How the prompts did here: runs, uncertainty taken away, tokens, time, money, ratings",
  permission: "read",
  positional: ["name"],
  result: async () => (await import("./results.ts")).promptsStatsResult,
  options: ["home"],
  input: () => z.object({ name: z.string().optional().describe("Only this prompt") }),
  async run(input, session) {
    const { promptFigures, promptMetrics } = await import("../costs/prompt_figures.ts");
    const { generatedIn } = await import("./promote.ts");
    const { figures, unread } = await session.figures();
    const written = await generatedIn(session);
    const name = input.name === undefined ? null : (promptName(input.name) ?? input.name);
    const prompts = promptFigures(figures).filter((row) => name === null || row.prompt === name);
    const chains = figures.chains.filter(({ about }) => about !== null && typeof about === "object").length;
    return {
      exit: exitCodes.done,
      data: { chains, name, prompts, prompt_metrics: promptMetrics(prompts, written), unread: [...unread] },
    };
  },
});
