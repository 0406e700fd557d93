import { z } from "zod";
import { exitCodes, messageOf, UserError } from "../util/errors.ts";
import { readTextIfThere } from "../util/files.ts";
import { asJson, isRecord, parseJson, type Json } from "../util/json.ts";
import { paddedId, chainIds, contextFiles } from "../store/chains.ts";
import { chainCost } from "../costs/report.ts";
import type { Shelf } from "../chain/ownership.ts";
import { contextsOf, locateHome, shelfOf, type Caller } from "./app.ts";
import { openIndex } from "./library.ts";
import type { Home } from "./places.ts";
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
    const home = locateHome(caller, input);
    const contexts = contextsOf(home);
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
    const shelf = shelfOf(home, caller.world.env);
    const foreign = await foreignTo(home, shelf);
    for (const id of wanted) {
      const why = foreign(id);
      const chain = read.get(id) ?? (await summary(id, files.get(id), shelf));
      chains.push(
        withFlags(
          why === undefined ? chain : { ...(chain as object), foreign: why, status: adoptable(chain, id) },
          same,
        ),
      );
    }
    return { exit: exitCodes.done, data: { schema_version: 1, all: input.chain === "all", chains, again: same } };
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
async function summary(id: string, file: string | undefined, shelf: Shelf): Promise<Json> {
  const known = file === undefined ? undefined : parseJson(readTextIfThere(file) ?? "");
  if (isRecord(known)) return brief(id, known as Record<string, Json>, file ?? null);
  const { readChain } = await import("../chain/open.ts");
  const { view } = await import("../chain/view.ts");
  try {
    const { context, lines } = readChain(shelf, id);
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
    foreign: null,
    context_file: contextFile,
  };
}

/** Says why a chain is foreign, from the first line of its journal alone; undefined: it is the user's own. */
async function foreignTo(home: Home, shelf: Shelf): Promise<(id: string) => string | undefined> {
  const { trackedByGit, whyForeign } = await import("./own.ts");
  const { ownershipIn } = await import("../chain/open.ts");
  const tracked = await trackedByGit(home);
  return (id) => {
    const ownership = ownershipIn(shelf, id);
    return ownership && whyForeign(ownership, id, tracked);
  };
}

/** Where a foreign chain stands is what it says of itself; what to do next is ours to say. */
function adoptable(chain: Json, id: string): Json {
  const status = isRecord(chain) && isRecord(chain["status"]) ? chain["status"] : {};
  return { ...(status as Record<string, Json>), hint: `claude-exec resume ${id} --adopt` };
}

export const costOperation = operation({
  name: "chain-cost",
  summary: "What a chain cost; with --lost: enter what its lost calls cost",
  permission: "change",
  positional: ["chain"],
  input: z.object({
    chain: z.string().regex(/^\d+$/, "is a chain's number, such as 001").describe("The chain's number"),
    lost: z.string().optional().describe("What all its lost calls really cost together, in dollars"),
    home,
  }),
  async run(input, caller) {
    const id = paddedId(input.chain);
    if (input.lost !== undefined) {
      const { enterLostCost } = await import("./turns.ts");
      const delivered = (await enterLostCost(input, caller, input.lost)) === "delivered";
      if (delivered) return { exit: exitCodes.done, data: { schema_version: 1, chain_id: id, delivered } };
    }
    const { readChain } = await import("../chain/open.ts");
    const { trackedByGit, whyForeign } = await import("./own.ts");
    const located = locateHome(caller, input);
    const { context, lines, ownership } = readChain(shelfOf(located, caller.world.env), id);
    const duration = Date.parse(lines.at(-1)?.at ?? "") - Date.parse(context.started);
    const report = asJson(chainCost(context.cost_tracking));
    return {
      exit: exitCodes.done,
      data: {
        schema_version: 1,
        chain_id: id,
        goal: context.goal,
        foreign: whyForeign(ownership, id, await trackedByGit(located)) ?? null,
        duration_ms: duration,
        prompts_executed: context.prompts_executed.length,
        ...report,
        again: flagsAgain({ home: input.home }),
      },
    };
  },
});
