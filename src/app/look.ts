import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Inspected } from "../chain/inspect.ts";
import { exitCodes, messageOf, UserError } from "../util/errors.ts";
import { asJson, isRecord, type Json } from "../util/json.ts";
import { chainIds, chainPaths, contextFiles, paddedId } from "../store/chains.ts";
import { chainCost } from "../costs/report.ts";
import type { ChainStore, NotOwn } from "../chain/ownership.ts";
import { locateHome, chainStoreOf, type Caller } from "./app.ts";
import { openIndex } from "./library.ts";
import { common } from "./flags.ts";
import { operation } from "./operation.ts";
import { foreignTo, type Foreign } from "./own.ts";
import type { Home } from "./places.ts";
import { denialOf, flagsAgain } from "./trouble.ts";

const { home } = common;

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
    const store = chainStoreOf(home, caller.world.env);
    const foreign = await foreignTo(home, store);
    const ids = chainIds(store.contexts);
    const wanted =
      input.chain === "all"
        ? ids
        : [input.chain === undefined ? ids.at(-1) : paddedId(input.chain)].filter((id) => id !== undefined);
    if (input.chain !== "all" && wanted.some((id) => !ids.includes(id))) {
      throw new UserError("no_chain", `No chain ${input.chain}.`, "List chains with: claude-exec status all");
    }
    const again = flagsAgain({ home: input.home });
    const read =
      input.chain === "all" ? await summaries(wanted, store, foreign, home, caller) : new Map<string, Json>();
    const chains: Json[] = [];
    for (const id of wanted) {
      const chain = read.get(id) ?? (await summary(id, store, foreign(id)));
      const why = foreign(id);
      const told =
        why === undefined ? chain : { ...(chain as object), foreign: why.why, status: withHint(chain, why.hint) };
      chains.push(withFlags(told, again));
    }
    return { exit: exitCodes.done, data: { schema_version: 1, all: input.chain === "all", chains, again } };
  },
});

/**
 * Those of which nothing changed since they were last read, by way of the index. A chain that has a problem, or whose
 * context file is older than its journal, is read anew.
 */
async function summaries(
  ids: readonly string[],
  store: ChainStore,
  foreign: Foreign,
  home: Home,
  caller: Caller,
): Promise<Map<string, Json>> {
  const { contexts } = store;
  const index = await openIndex(home, caller.world.env);
  const contextOf = contextFiles(contexts);
  const journalOf = (id: string) => chainPaths(contexts, id).journal;
  const files = ids.map((id) => (existsSync(journalOf(id)) || !contextOf.has(id) ? journalOf(id) : contextOf.get(id)!));
  const sources = { files, folders: [contexts, join(contexts, "journal")] };
  const values = await index.sync("chain:2", sources, async (at) => {
    const value = await summary(ids[at]!, store, foreign(ids[at]!));
    const text = (key: string) => (isRecord(value) ? JSON.stringify(value[key] ?? "") : "");
    return { value, texts: [text("goal"), "", "", ""] };
  });
  index.close();
  const isCurrent = (id: string, value: Json | undefined) => {
    if (!isRecord(value) || value["problem"] !== null) return false;
    const file = contextOf.get(id) ?? null;
    return value["context_file"] === file && !isOlder(file, journalOf(id));
  };
  return new Map(ids.flatMap((id, at) => (isCurrent(id, values[at]) ? [[id, values[at]!] as const] : [])));
}

function isOlder(file: string | null, than: string): boolean {
  const changed = (path: string) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return file !== null && changed(file) < changed(than);
}

/** A hint names a command; it has to find the same home. */
function withFlags(chain: Json, again: string): Json {
  if (!isRecord(chain)) return chain;
  const named = (of: Record<string, Json>) =>
    typeof of["hint"] === "string"
      ? { ...of, hint: of["hint"].replaceAll(/claude-exec [a-z-]+ \d+/g, `$&${again}`) }
      : of;
  return named({ ...chain, ...(isRecord(chain["status"]) ? { status: named(chain["status"]) } : {}) });
}

/** One chain that cannot be read must not hide the others. */
async function summary(id: string, store: ChainStore, foreign: NotOwn | undefined): Promise<Json> {
  const context_file = contextFiles(store.contexts).get(id) ?? null;
  try {
    const { view, problem } = await lookAtChain(store, id, foreign);
    return { ...brief(id, view, context_file), ...problemData(problem, "") };
  } catch (error) {
    return {
      chain_id: id,
      context_file,
      problem: messageOf(error),
      hint: error instanceof UserError ? error.hint : null,
    };
  }
}

/** Reads a chain, and brings its context file up to date where that may be done. */
export async function lookAtChain(store: ChainStore, id: string, foreign: NotOwn | undefined): Promise<Inspected> {
  const { inspectChain } = await import("../chain/inspect.ts");
  const found = inspectChain(store, id);
  if (!found.isFileOld || found.problem || foreign !== undefined) return found;
  const { refreshView } = await import("../chain/open.ts");
  try {
    refreshView(store, id);
  } catch (error) {
    // A folder that may only be read is no reason not to read it.
    if (denialOf(error) === undefined) throw error;
  }
  return found;
}

export function problemData(problem: UserError | undefined, again: string) {
  const hint = problem?.hint.replaceAll(/claude-exec [a-z-]+ \d+/g, `$&${again}`) ?? null;
  return { problem: problem?.message ?? null, hint };
}

function brief(id: string, context: Record<string, Json>, contextFile: string | null) {
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

/** A foreign chain says itself how far it came. What to do next is for us to say. */
function withHint(chain: Json, hint: string): Json {
  const status = isRecord(chain) && isRecord(chain["status"]) ? chain["status"] : {};
  return { ...(status as Record<string, Json>), hint };
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
    const located = locateHome(caller, input);
    const store = chainStoreOf(located, caller.world.env);
    const foreign = (await foreignTo(located, store))(id);
    const { context, lines, problem } = await lookAtChain(store, id, foreign);
    const last = lines.at(-1);
    const duration = last ? Date.parse(last.at) - Date.parse(context.started) : null;
    const report = asJson(chainCost(context.cost_tracking));
    return {
      exit: exitCodes.done,
      data: {
        schema_version: 1,
        chain_id: id,
        goal: context.goal,
        foreign: foreign?.why ?? null,
        ...problemData(problem, flagsAgain({ home: input.home })),
        duration_ms: duration,
        prompts_executed: context.prompts_executed.length,
        ...report,
        again: flagsAgain({ home: input.home }),
      },
    };
  },
});
