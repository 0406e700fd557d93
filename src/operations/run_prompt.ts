import { event } from "../chain/events.ts";
import { historyText } from "../chain/history.ts";
import { listChains, readChain } from "../chain/inspect.ts";
import { createChain, engineActor, withLedger } from "../chain/open.ts";
import { notOwn } from "../chain/ownership.ts";
import type { Report } from "../chain/reply.ts";
import { runTurn, type Ending } from "../chain/run.ts";
import { view } from "../chain/view.ts";
import { promptFigures } from "../costs/prompt_figures.ts";
import { chainCost } from "../costs/report.ts";
import { chainIds, paddedId } from "../store/chains.ts";
import { exitCodeOfStop, exitCodes, UserError } from "../util/errors.ts";
import type { Input } from "../util/next.ts";
import { runsOf } from "../session/home.ts";
import type { Caller } from "../session/caller.ts";
import type { Session } from "../session/session.ts";
import { limitsOf, settingsOf } from "./limits.ts";

interface Run {
  readonly name: string;
  readonly values: Readonly<Record<string, string>>;
  readonly chain?: string | undefined;
  readonly budget_usd?: string | undefined;
  readonly budget_tokens?: string | undefined;
}

/**
 * It is recorded as a chain of one prompt, apart from the chains: paid for once, and kept whatever happens. A run that
 * ends without a report is a UserError that says why.
 */
export async function runPrompt(input: Run, session: Session, caller: Caller) {
  const { deps, config } = await session.engine(caller);
  const prompt = await deps.library.find(input.name);
  const { renderPrompt } = await import("../library/render.ts");
  const wanted = (name: string) => Object.hasOwn(prompt.inputs, name) && !Object.hasOwn(input.values, name);
  const inputs = { ...(await known(input, session, wanted)), ...input.values };
  // Said before anything is paid for.
  renderPrompt(prompt, inputs);

  let report: Report | undefined;
  const listening: Caller = {
    ...caller,
    listen(line, context) {
      if (line.type === "event" && line.event === "report_recorded") report = line.report;
      caller.listen(line, context);
    },
  };
  const settings = await settingsOf(deps, config, { approve_policy: "ask", ...input });
  const goal = input.values["focus"] ?? input.values["question"] ?? input.values["gap"] ?? prompt.purpose;
  const begun = session.beginning(listening);
  const chain = await createChain(
    { ...begun, ...runsOf(begun) },
    {
      goal,
      size: "normal",
      mode: "tdd",
      ...settings,
      limits: { ...settings.limits, ...limitsOf({ approve_policy: "ask", ...input }) },
    },
  );
  try {
    const key = `run/1/1-${prompt.name}`;
    const queued = event("prompts_queued", {
      why: "A person runs it on its own.",
      prompts: [{ key, name: prompt.name, inputs }],
    });
    await chain.append(withLedger(engineActor, [queued]));
    const ending = await runTurn(
      chain,
      deps,
      { answers: {}, approve: "ask" },
      caller.signal,
      () => report !== undefined,
    );
    const { estimated_cost: usd, tokens_used: tokens } = chain.context.cost_tracking;
    if (!report) throw unfinished(ending, prompt.name, chain.viewPath, caller);
    return { name: prompt.name, report, cost: { usd, tokens }, file: chain.viewPath };
  } finally {
    await chain.close();
  }
}

/** A run begins anew each time, so what an ending says of going on with a chain is not for it. */
function unfinished(ending: Ending, name: string, file: string, { signal }: Caller): UserError {
  const again = (input: Input) => ({ input, why: `What it did is kept in ${file}. To try again` });
  if (ending.type === "parked") {
    const { budget_usd, budget_tokens } = ending.next[0]?.input ?? {};
    const more = budget_usd ? { budget_usd } : budget_tokens ? { budget_tokens } : {};
    return new UserError(ending.code, ending.message, again(more), ending.exit);
  }
  return new UserError("interrupted", `${name} was interrupted.`, again({}), exitCodeOfStop(signal));
}

/** What the engine itself knows for a prompt's inputs of these names. */
async function known(input: Run, session: Session, wanted: (name: string) => boolean): Promise<Record<string, string>> {
  const values: Record<string, string> = {};
  if (wanted("stats")) values["stats"] = JSON.stringify(promptFigures((await session.figures()).figures));
  if (input.chain === undefined) return values;
  if (!["chain", "history", "costs"].some(wanted)) {
    const message = `${input.name} has no open input that a chain fills: chain, history or costs.`;
    const next = { input: { chain: null }, why: "Run it without a chain" };
    throw new UserError("chain_unused", message, next, exitCodes.usage);
  }
  const { store } = session;
  const all = chainIds(store.contexts);
  const ids = input.chain === "all" ? all : input.chain.split(",").map(paddedId);
  const missing = ids.find((id) => !all.includes(id));
  if (missing !== undefined || ids.length === 0) {
    const message = missing === undefined ? "There is no chain yet." : `No chain ${missing}.`;
    throw new UserError("no_chain", message, listChains);
  }
  const foreign = await session.foreign();
  const read = ids.slice(-20).map((id) => {
    const notOurs = foreign(id);
    if (notOurs) throw notOwn(id, notOurs);
    return readChain(store, id);
  });
  const views = read.map(({ context, lines }) => {
    const { engine: _engine, ...seen } = view(context, { n: lines.length, hash: lines.at(-1)?.hash ?? "" });
    return seen;
  });
  if (wanted("chain")) values["chain"] = JSON.stringify(views.length === 1 ? views[0] : views);
  if (wanted("history")) values["history"] = read.map(({ lines }) => historyText(lines)).join("\n\n");
  if (wanted("costs")) {
    const costs = read.map(({ context }) => ({ chain: context.chain_id, ...chainCost(context.cost_tracking) }));
    values["costs"] = JSON.stringify(costs.length === 1 ? costs[0] : costs);
  }
  return values;
}
