import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Inspected } from "../chain/inspect.ts";
import { exitCodes, messageOf, UserError } from "../util/errors.ts";
import { count } from "../util/count.ts";
import { asJson } from "../util/json.ts";
import { chainIds, chainPaths, contextFiles, paddedId } from "../store/chains.ts";
import { chainCost } from "../costs/report.ts";
import { addUp, sumOf } from "../costs/spending.ts";
import type { ChainStore, NotOwn } from "../chain/ownership.ts";
import type { Session } from "../session/session.ts";
import type { Context } from "../chain/context.ts";
import type { Body, ChainLine } from "../chain/events.ts";
import { durations, timesAndCosts } from "../chain/view.ts";
import { openFindings, testRunsOf } from "./chain_answer.ts";
import { text } from "../session/options.ts";
import { chainId } from "./flags.ts";
import { operation } from "./operation.ts";
import type { statusResult } from "./results.ts";
import type { Foreign } from "../session/own.ts";
import { denialOf } from "./trouble.ts";

export const statusOperation = operation({
  name: "status",
  summary: "Where a chain stands; without a number the newest, with `all` every one",
  permission: "read",
  positional: ["chain"],
  result: async () => (await import("./results.ts")).statusResult,
  options: ["home"],
  input: () =>
    z.object({
      chain: z
        .string()
        .regex(/^(\d+|all)$/, "is a chain's number or `all`")
        .optional()
        .describe("A chain's number, or all"),
    }),
  async run(input, session) {
    const { store } = session;
    const foreign = await session.foreign();
    const ids = chainIds(store.contexts);
    const wanted =
      input.chain === "all"
        ? ids
        : [input.chain === undefined ? ids.at(-1) : paddedId(input.chain)].filter((id) => id !== undefined);
    if (input.chain !== "all" && wanted.some((id) => !ids.includes(id))) {
      const next = { operation: "status", input: { chain: "all" }, why: "List chains with" };
      throw new UserError("no_chain", `No chain ${input.chain}.`, next);
    }
    const read = input.chain === "all" ? await summaries(wanted, foreign, session) : new Map<string, Summary>();
    const chains: Summary[] = [];
    // Whoever holds a chain keeps a file of this name. A process that was killed leaves it behind, so the lock decides.
    const journals = join(store.contexts, "journal");
    const open = new Set(existsSync(journals) ? readdirSync(journals) : []);
    for (const id of wanted) {
      const known = read.get(id) ?? (await summary(id, store, foreign(id)));
      const why = foreign(id);
      const chain = open.has(`${id}.spare`) && !why ? await withProcess(known, session) : known;
      // A foreign chain says itself how far it came. What to do next is for us to say.
      if (why === undefined) chains.push(chain);
      else if (!("status" in chain)) chains.push({ ...chain, foreign: why.why });
      else chains.push({ ...chain, foreign: why.why, status: { ...chain.status, next: why.next } });
    }
    return { exit: exitCodes.done, data: { all: input.chain === "all", chains } };
  },
});

type Summary = z.infer<typeof statusResult>["chains"][number];

/**
 * Those of which nothing changed since they were last read, by way of the index. A chain that has a problem, or whose
 * context file is older than its journal, is read anew.
 */
async function summaries(ids: readonly string[], foreign: Foreign, session: Session): Promise<Map<string, Summary>> {
  const { store } = session;
  const { contexts } = store;
  const index = await session.index();
  const contextOf = contextFiles(contexts);
  const journalOf = (id: string) => chainPaths(contexts, id).journal;
  const files = ids.map((id) => (existsSync(journalOf(id)) || !contextOf.has(id) ? journalOf(id) : contextOf.get(id)!));
  const values = await index.sync("chain:9", files, async (at) => {
    return { value: asJson(await summary(ids[at]!, store, foreign(ids[at]!))) };
  });
  return new Map(
    values.flatMap((value, at) => {
      const id = ids[at]!;
      // The index gives back what was put in under this name, or nothing.
      const known = value as unknown as Summary;
      const file = contextOf.get(id) ?? null;
      const isCurrent = known.problem === null && known.context_file === file && !isOlder(file, journalOf(id));
      return isCurrent ? [[id, known] as const] : [];
    }),
  );
}

function isOlder(file: string | null, than: string): boolean {
  const changed = (path: string) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return file !== null && changed(file) < changed(than);
}

/** One chain that cannot be read must not hide the others. */
async function summary(id: string, store: ChainStore, foreign: NotOwn | undefined): Promise<Summary> {
  const context_file = contextFiles(store.contexts).get(id) ?? null;
  try {
    const found = await lookAtChain(store, id, foreign);
    const shown = await known(found);
    // A visit of another tool's file says its time in words only.
    const times = durations(shown as Pick<Context, "phase_history">, found.lines);
    const findings = openFindings(found.context);
    const last = found.lines.at(-1);
    const stopped = last?.type === "event" && last.event === "interrupted" ? { waiting_for: `${last.why}.` } : {};
    return {
      chain_id: id,
      ...shown,
      status: { ...shown.status, ...stopped },
      findings,
      ...(found.isFromFile ? {} : { needed: neededOf(found.context) }),
      durations: times,
      foreign: null,
      context_file,
      ...problemData(found.problem),
    };
  } catch (error) {
    const next = error instanceof UserError ? error.next : [];
    return { chain_id: id, foreign: null, context_file, problem: messageOf(error), next };
  }
}

function neededOf({ confidence_scores: scores, engine: { gates } }: Context): Record<string, number> {
  const own: Record<string, number> = { overall: gates.overall, requirements: gates.requirements };
  return Object.fromEntries(Object.keys(scores).map((area) => [area, own[area] ?? gates.area]));
}

/** A chain that has more to do is running only while a process holds its lock: a dead process holds none. */
async function withProcess(chain: Summary, { store: { contexts, seal }, world }: Session): Promise<Summary> {
  if (!("status" in chain) || chain.status.state !== "stopped") return chain;
  const { journal, lock } = chainPaths(contexts, chain.chain_id);
  const { isLocked } = await import("../store/lock.ts");
  const { readJournal } = await import("../store/journal.ts");
  const { lines } = readJournal<Body>(journal, seal);
  if (!isLocked(lock)) {
    const { replay } = await import("../chain/apply.ts");
    const waiting_for = chain.status.waiting_for ?? (await howItDied(replay(lines)));
    return { ...chain, status: { ...chain.status, waiting_for } };
  }
  const last = lines.findLast((line) => line.type === "intent");
  const since = lines.find((line) => line.type === "intent" && line.key === last?.key)?.at ?? chain.started ?? "";
  const what = last?.effect === "model" ? last.prompt.name : (last?.key.split("/").at(-1) ?? chain.current_phase);
  const next = [{ operation: "status", input: { chain: chain.chain_id }, why: "Watch it" }];
  const status = { state: "running", waiting_for: null, next } as const;
  const now = { at: new Date(world.now()).toISOString(), by: { kind: "engine" } };
  const times = durations(chain as Pick<Context, "phase_history">, [...lines, now]);
  return { ...chain, durations: times, running: { what, since }, status };
}

/** What is known of a process that ended without a word, and of the calls whose replies it did not wait for. */
async function howItDied({ engine }: Context): Promise<string> {
  const { diedBefore } = await import("../chain/run.ts");
  const lost = Object.values(engine.open).flatMap((call) =>
    call.effect === "model" ? [call.reserved.usd ?? NaN] : [],
  );
  if (lost.length === 0) return `${diedBefore}.`;
  const most = lost.reduce((sum, usd) => sum + usd, 0);
  const cost = Number.isNaN(most) ? "at a price that is not known" : `for $${most.toFixed(2)} at most`;
  return `${diedBefore}.\nLost with it: ${count(lost.length, "model call")}, ${cost}. What was lost is asked again.`;
}

/** What a context file knows, where it knows more than the journal and has the form that we write. */
async function known({ context, status, view, isFromFile }: Inspected) {
  const { goal, started, size, current_phase, confidence_scores, uncertainties, questions } = context;
  const { phase_history, cost_tracking } = timesAndCosts(context);
  const evidence = { runs: testRunsOf(context.evidence) };
  const where = { goal, started, size, current_phase, phase_history, confidence_scores, cost_tracking, status };
  const own = { ...where, uncertainties, questions, evidence };
  if (!isFromFile) return own;
  const { chainKnown } = await import("./results.ts");
  const read = chainKnown.safeParse(view);
  return read.success ? read.data : own;
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

export const logOperation = operation({
  name: "log",
  summary: "The history of a chain with every report in full; of one prompt or one step, if you name it",
  permission: "read",
  positional: ["chain"],
  result: async () => (await import("./results.ts")).logResult,
  options: ["home"],
  input: () =>
    z.object({
      chain: chainId,
      prompt: text.optional().describe("Only what this prompt did"),
      step: text.optional().describe("Only this step, as the log names it, or this phase"),
    }),
  async run({ chain, prompt, step }, session) {
    const id = paddedId(chain);
    const foreign = (await session.foreign())(id);
    const { context, lines, problem } = await lookAtChain(session.store, id, foreign);
    const isMeant = (line: ChainLine) => {
      const key = "key" in line ? line.key : "";
      const isOfStep = step === undefined || key === step || key.startsWith(`${step}/`);
      return (
        isOfStep && (prompt === undefined || key.endsWith(`-${prompt}`) || ("prompt" in line && line.prompt === prompt))
      );
    };
    const shown = lines.filter(isMeant);
    if (shown.length === 0 && lines.length > 0) {
      const next = { operation: "log", input: { chain: id }, why: "See all of it" };
      const what = [step && `step ${step}`, prompt && `prompt ${prompt}`].filter(Boolean).join(" with ");
      throw new UserError("unknown_step", `Chain ${id} has no ${what}.`, next, exitCodes.usage);
    }
    const about = { chain_id: id, goal: context.goal, foreign: foreign?.why ?? null, ...problemData(problem) };
    return { exit: exitCodes.done, data: { ...about, lines: shown.map((line) => ({ ...line })) } };
  },
});

export function problemData(problem: UserError | undefined) {
  return { problem: problem?.message ?? null, next: problem?.next ?? [] };
}

export const costOperation = operation({
  name: "chain-cost",
  summary: "Show what a chain cost, or enter what its lost calls cost",
  permission: "change",
  positional: ["chain"],
  result: async () => (await import("./results.ts")).costResult,
  options: ["home"],
  input: () =>
    z.object({
      chain: chainId,
      lost: z.string().optional().describe("What all its lost calls really cost together, in dollars"),
    }),
  async run(input, session, caller) {
    const id = paddedId(input.chain);
    if (input.lost !== undefined) {
      const { enterLostCost } = await import("./lost_cost.ts");
      const delivered = (await enterLostCost(input.chain, input.lost, session, caller)) === "delivered";
      if (delivered) return { exit: exitCodes.done, data: { chain_id: id, delivered } };
    }
    const { store } = session;
    const foreign = (await session.foreign())(id);
    const { context, lines, problem, isFromFile } = await lookAtChain(store, id, foreign);
    const isWhole = problem === undefined && foreign === undefined && !isFromFile;
    const report = chainCost(context.cost_tracking);
    const { total, waiting } = durations(context, lines);
    return {
      exit: exitCodes.done,
      data: {
        chain_id: id,
        goal: context.goal,
        foreign: foreign?.why ?? null,
        ...problemData(problem),
        duration_ms: total,
        waiting_ms: waiting,
        prompts_executed: context.prompts_executed.length,
        ...report,
        ...(await spentBy(isWhole ? lines : [], session)),
      },
    };
  },
});

async function spentBy(lines: readonly ChainLine[], session: Session) {
  const { spendingOf } = await import("../chain/spending.ts");
  const { rows } = spendingOf(lines, (await session.library()).config.prices);
  return { total: lines.length === 0 ? null : sumOf(rows), by_model: addUp(rows, ({ model }) => model) };
}
