import { z } from "zod";
import { exitCodes, messageOf, UserError } from "../util/errors.ts";
import { readTextIfThere } from "../util/files.ts";
import { asJson, isRecord, parseJson, type Json } from "../util/json.ts";
import { paddedId, chainIds, contextFiles } from "../store/chains.ts";
import { chainCost } from "../costs/report.ts";
import { contextsOf, locateHome, type Caller } from "./app.ts";
import { openIndex } from "./library.ts";
import { operation } from "./operation.ts";
import { flagsAgain } from "./trouble.ts";

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
    const same = flagsAgain({ home: input.home });
    const read = input.chain === "all" ? await summaries(files, contexts, caller, input) : new Map<string, Json>();
    const chains: Json[] = [];
    for (const id of wanted) {
      chains.push(withFlags(read.get(id) ?? (await summary(id, files.get(id), contexts)), same));
    }
    return { exit: exitCodes.done, data: { schema_version: 1, all: input.chain === "all", chains } };
  },
});

/** Those with a context file that can be read, by way of the index: only what changed since is read. */
async function summaries(
  files: ReadonlyMap<string, string>,
  contexts: string,
  caller: Caller,
  input: { home?: string | undefined },
): Promise<Map<string, Json>> {
  const index = await openIndex(locateHome(caller, input), caller.world.env);
  const chains = [...files];
  const sources = { files: chains.map(([, file]) => file), folders: [contexts] };
  const values = await index.sync("chain:1", sources, (at) => {
    const [id, file] = chains[at]!;
    const known = parseJson(readTextIfThere(file) ?? "");
    if (!isRecord(known)) return Promise.resolve({ value: null, texts: ["", "", "", ""] });
    const text = (key: string) => (typeof known[key] === "string" ? known[key] : JSON.stringify(known[key] ?? ""));
    const texts = [text("goal"), text("last_response"), text("discovered"), ""] as const;
    return Promise.resolve({ value: brief(id, known as Record<string, Json>, file), texts });
  });
  index.close();
  return new Map(chains.flatMap(([id], at) => (values[at] === null ? [] : [[id, values[at]!] as const])));
}

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
    const report = asJson(chainCost(context.cost_tracking));
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
