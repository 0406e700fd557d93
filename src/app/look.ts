import { z } from "zod";
import { exitCodes, messageOf, UserError } from "../util/errors.ts";
import { readTextIfThere } from "../util/files.ts";
import { isRecord, parseJson, type Json } from "../util/json.ts";
import { paddedId, chainIds, contextFiles } from "../store/chains.ts";
import { chainCost } from "../costs/report.ts";
import { contextsOf, locateHome, openPrompts, type Caller } from "./app.ts";
import { operation } from "./operation.ts";
import { userFolders } from "./places.ts";
import { flagsAgain } from "./trouble.ts";
import { isTrusted } from "./trust.ts";

const home = z.string().optional().describe("Folder that keeps the chains");

export const statusOperation = operation({
  name: "status",
  summary: "Where a chain stands; without a number the newest, with `all` every one",
  permission: "read",
  positional: ["chain"],
  input: z.object({
    chain: z
      .string()
      .regex(/^(\d+|all)$/, "is a chain's number or `all`")
      .optional()
      .describe("A chain's number, or all"),
    home,
  }),
  async run(input, caller) {
    const contexts = contextsOf(locateHome(caller, input));
    const ids = chainIds(contexts);
    const wanted =
      input.chain === "all"
        ? ids
        : [input.chain === undefined ? ids.at(-1) : paddedId(input.chain)].filter((id) => id !== undefined);
    if (input.chain !== "all" && wanted.some((id) => !ids.includes(id))) {
      throw new UserError("no_chain", `No chain ${input.chain}.`, "List chains with: claude-exec status all");
    }
    const files = contextFiles(contexts);
    const chains: Json[] = [];
    const same = flagsAgain({ home: input.home });
    for (const id of wanted) chains.push(withFlags(await summary(id, files.get(id), contexts), same));
    return { exit: exitCodes.done, data: { schema_version: 1, all: input.chain === "all", chains } };
  },
});

/** A hint names a command; it has to find the same home. */
function withFlags(chain: Json, flags: string): Json {
  if (!isRecord(chain) || !isRecord(chain["status"]) || typeof chain["status"]["hint"] !== "string") return chain;
  const hint = chain["status"]["hint"].replaceAll(/claude-exec [a-z-]+ \d+/g, (command) => command + flags);
  return { ...chain, status: { ...chain["status"], hint } };
}

/** From the context file, which is enough; from the journal where there is none that can be read. */
async function summary(id: string, file: string | undefined, contexts: string): Promise<Json> {
  const known = file === undefined ? undefined : parseJson(readTextIfThere(file) ?? "");
  if (isRecord(known)) return brief(id, known as Record<string, Json>, file ?? null);
  const { readChain } = await import("../chain/open.ts");
  const { view } = await import("../chain/view.ts");
  try {
    const { context, lines } = readChain(contexts, id);
    return brief(id, view(context, { n: lines.length, hash: lines.at(-1)?.hash ?? "" }), null);
  } catch (error) {
    return { chain_id: id, problem: messageOf(error), hint: error instanceof UserError ? error.hint : null };
  }
}

function brief(id: string, context: Record<string, Json>, contextFile: string | null): Json {
  const pick = (...keys: string[]) => Object.fromEntries(keys.map((key) => [key, context[key] ?? null]));
  return {
    chain_id: id,
    ...pick(
      "goal",
      "started",
      "size",
      "current_phase",
      "phase_history",
      "confidence_scores",
      "cost_tracking",
      "status",
      "uncertainties",
      "questions",
    ),
    context_file: contextFile,
  };
}

export const costOperation = operation({
  name: "chain-cost",
  summary: "What a chain cost, by phase, by prompt and by kind of token",
  permission: "read",
  positional: ["chain"],
  input: z.object({
    chain: z.string().regex(/^\d+$/, "is a chain's number, such as 001").describe("The chain's number"),
    home,
  }),
  async run(input, caller) {
    const { readChain } = await import("../chain/open.ts");
    const id = paddedId(input.chain);
    const { context, lines } = readChain(contextsOf(locateHome(caller, input)), id);
    const duration = Date.parse(lines.at(-1)?.at ?? "") - Date.parse(context.started);
    const report = JSON.parse(JSON.stringify(chainCost(context.cost_tracking))) as Record<string, Json>;
    return {
      exit: exitCodes.done,
      data: {
        schema_version: 1,
        chain_id: id,
        goal: context.goal,
        duration_ms: duration,
        prompts_executed: context.prompts_executed.length,
        ...report,
      },
    };
  },
});

export const promptsListOperation = operation({
  name: "prompts list",
  summary: "The prompts of the library",
  permission: "read",
  positional: [],
  input: z.object({
    home,
    folder: z.string().optional().describe("Only this folder, such as discovery"),
    phase: z.string().optional().describe("Only prompts made for this phase"),
  }),
  async run(input, caller) {
    const { prompts, problems } = await (await library(caller, input)).all();
    const chosen = prompts.filter(
      ({ folder, phases }) =>
        (input.folder === undefined || folder === input.folder) &&
        (input.phase === undefined || phases.some((phase) => phase === input.phase)),
    );
    return {
      exit: exitCodes.done,
      data: {
        schema_version: 1,
        prompts: chosen.map(({ name, folder, scope, purpose, cost_estimate, tools, model }) => ({
          name,
          folder,
          scope,
          purpose,
          cost_estimate,
          tools,
          model,
        })),
        problems: problems.map(({ file, message, hint }) => ({ file, message, hint })),
      },
    };
  },
});

export const promptsShowOperation = operation({
  name: "prompts show",
  summary: "One prompt as it is, and where it comes from",
  permission: "read",
  positional: ["name"],
  input: z.object({ name: z.string().describe("Its exact name"), home }),
  async run(input, caller) {
    const prompt = await (await library(caller, input)).find(input.name);
    const { countOffline } = await import("../costs/estimate.ts");
    const { bodyLine: _, ...shown } = prompt;
    return {
      exit: exitCodes.done,
      data: {
        schema_version: 1,
        ...(JSON.parse(JSON.stringify(shown)) as Record<string, Json>),
        tokens: await countOffline(prompt.body),
      },
    };
  },
});

/** The shipped prompts, and a home's own where its folder is trusted. */
async function library(caller: Caller, input: { home?: string | undefined }) {
  const found = locateHome(caller, input);
  const known = isTrusted(found.workspace, caller.world.env);
  const { readConfig } = await import("./config.ts");
  return openPrompts(
    known && found.exists ? found : undefined,
    readConfig(known ? found.path : undefined, userFolders(caller.world.env).config),
  );
}
