import { z } from "zod";
import { exitCodes, UserError } from "../util/errors.ts";
import type { Json } from "../util/json.ts";
import { chainPaths, contextFiles, dropMessage } from "../store/chains.ts";
import { event, type Limits } from "../chain/events.ts";
import { isEditable } from "../chain/edits.ts";
import { objection, type PersonMessage } from "../chain/inbox.ts";
import {
  createChain,
  openChain,
  readChain,
  recoverChain,
  withLedger,
  type Beginning,
  type Chain,
} from "../chain/open.ts";
import { runTurn, type Ending, type Policy } from "../chain/run.ts";
import { contextsOf, locateHome, wire, type Caller } from "./app.ts";
import { operation, type Answer } from "./operation.ts";
import { packageVersion } from "./places.ts";
import { readAnswers } from "./answers.ts";

const common = {
  home: z.string().optional().describe("Folder that keeps the chains"),
  model: z.string().optional().describe("Use this model for every route"),
  replay: z.string().optional().describe("Play the replies of a recorded run instead of asking a model"),
  record: z.string().optional().describe("Write the replies of this run to a file that --replay plays"),
  trust: z.boolean().optional().describe("Trust this folder from now on"),
};
const running = {
  ...common,
  answers: z.string().optional().describe("JSON file with answers to questions, by id or wording"),
  approve_policy: z.enum(["ask", "auto"]).default("ask").describe("auto approves solutions that nobody has read"),
  budget_usd: z.string().optional().describe("Pause before this much money is passed (none: no limit)"),
  budget_tokens: z.string().optional().describe("Pause before so many tokens are passed (none: no limit)"),
  turns: z.coerce.number().int().positive().optional().describe("Pause after so many calls of the model"),
};
type Running = z.infer<z.ZodObject<typeof running>>;

const chainId = z.string().regex(/^\d+$/, "is a chain's number, such as 001").describe("The chain's number");

export const newOperation = operation({
  name: "new",
  summary: "Begin a task and drive it until it is done or waits for you",
  permission: "run",
  positional: ["task"],
  input: z.object({
    task: z.string().trim().min(1, "is empty").describe("What is to be done, in a sentence"),
    ...running,
    size: z.enum(["normal", "tiny"]).default("normal").describe("tiny: clarify, approve, implement in three steps"),
    test_command: z.string().optional().describe("How the tests are run, words separated by spaces"),
  }),
  async run(input, caller) {
    const { deps, config, home } = await wire(caller, input);
    const policy = policyOf(input);
    const { findTestCommand } = await import("../tools/run.ts");
    const configured = input.test_command?.split(/\s+/) ?? config.tests.command;
    const {
      max_tokens_per_prompt: _,
      context_window: __,
      warning_threshold: ___,
      cost_alert_usd: ____,
      ...limits
    } = config.limits;
    const chain = createChain(beginning(caller, contextsOf(home)), {
      goal: input.task,
      size: input.size,
      workspace: deps.workspace.root,
      gates: config.gates,
      limits: { ...limits, ...limitsOf(input) },
      test_command: (await findTestCommand(deps.workspace, configured))?.argv ?? null,
    });
    return turn(chain, caller, () => runTurn(chain, deps, policy, caller.signal));
  },
});

export const resumeOperation = operation({
  name: "resume",
  summary: "Go on with a chain where it stopped",
  permission: "run",
  positional: ["chain"],
  input: z.object({
    chain: chainId,
    ...running,
    accept_edit: z.boolean().optional().describe("Take over what was changed in the context file by hand"),
    discard_edit: z.boolean().optional().describe("Write the context file anew, without what was changed by hand"),
  }),
  run: (input, caller) => goOn(input, caller, input),
});

export const answerOperation = operation({
  name: "answer",
  summary: "Answer questions of a chain, and let it go on",
  permission: "run",
  positional: ["chain", "answers_given"],
  input: z.object({
    chain: chainId,
    answers_given: z
      .array(z.string())
      .min(1, "are missing: <question>=<answer>")
      .describe("<question>=<answer>, one or more"),
    ...running,
  }),
  run(input, caller) {
    const pairs = input.answers_given.map((pair) => {
      const at = pair.indexOf("=");
      if (at > 0) return [pair.slice(0, at), pair.slice(at + 1)] as const;
      throw new UserError(
        "wrong_answer",
        `"${pair}" is not an answer.`,
        `Write it as: claude-exec answer ${input.chain} <question>="…"`,
        exitCodes.usage,
      );
    });
    return tell(input, caller, { type: "answer", answers: Object.fromEntries(pairs) });
  },
});

export const approveOperation = operation({
  name: "approve",
  summary: "Approve exactly the solution with this hash, and let the chain build it",
  permission: "run",
  positional: ["chain", "hash"],
  input: z.object({ chain: chainId, hash: z.string().describe("Printed with the solution"), ...running }),
  run: (input, caller) => tell(input, caller, { type: "approve", hash: input.hash }),
});

export const rejectOperation = operation({
  name: "reject",
  summary: "Reject the presented solution; the chain finds out why",
  permission: "run",
  positional: ["chain", "reason"],
  input: z.object({ chain: chainId, reason: z.string().default("").describe("Why, if you like to say"), ...running }),
  run: (input, caller) => tell(input, caller, { type: "reject", reason: input.reason }),
});

export const changeOperation = operation({
  name: "change",
  summary: "Ask for changes to the presented solution",
  permission: "run",
  positional: ["chain", "request"],
  input: z.object({ chain: chainId, request: z.string().min(1).describe("What should be different"), ...running }),
  run: (input, caller) => tell(input, caller, { type: "change", request: input.request }),
});

export const askOperation = operation({
  name: "ask",
  summary: "Ask or tell a chain something; it looks into it before it goes on",
  permission: "run",
  positional: ["chain", "question"],
  input: z.object({ chain: chainId, question: z.string().min(1).describe("A question, or a hint"), ...running }),
  run: (input, caller) => tell(input, caller, { type: "ask", question: input.question }),
});

export const waiveOperation = operation({
  name: "waive",
  summary: "Set an area of doubt aside by name; the reason is shown at approval",
  permission: "run",
  positional: ["chain", "area", "reason"],
  input: z.object({
    chain: chainId,
    area: z.string().min(1).describe("The area"),
    reason: z.string().min(1).describe("Why it may stay open"),
    ...running,
  }),
  run: (input, caller) => tell(input, caller, { type: "waive", area: input.area, reason: input.reason }),
});

export const checkOperation = operation({
  name: "uncertainty-check",
  summary: "Measure now what is still uncertain, and stop there",
  permission: "run",
  positional: ["chain"],
  input: z.object({ chain: chainId, ...running }),
  async run(input, caller) {
    const before = measured(readOne(input, caller));
    return tell(input, caller, { type: "check" }, (chain) => measured(chain.context) > before);
  },
});

export const presentOperation = operation({
  name: "present-solution",
  summary: "Show the solution that waits for approval; without one, work towards it",
  permission: "run",
  positional: ["chain"],
  input: z.object({ chain: chainId, ...running }),
  async run(input, caller) {
    const { solution } = readOne(input, caller);
    if (solution?.standing === "presented") {
      const ending: Ending = { type: "needs_approval", presented: solution };
      const path = contextFiles(contextsOf(locateHome(caller, input))).get(input.chain.padStart(3, "0")) ?? "";
      return { ...answerOf(readOne(input, caller), path, ending), exit: exitCodes.done };
    }
    return goOn(input, caller, {});
  },
});

export const recoverOperation = operation({
  name: "recover",
  summary: "Go on from the last whole line of a damaged journal; the damaged one is kept",
  permission: "change",
  positional: ["chain"],
  input: z.object({ chain: chainId, home: common.home }),
  run(input, caller) {
    const { chain, lost, kept_as } = recoverChain(
      beginning(caller, contextsOf(locateHome(caller, input))),
      padded(input.chain),
    );
    chain.close();
    return Promise.resolve({
      exit: exitCodes.done,
      data: {
        schema_version: 1 as const,
        chain_id: chain.id,
        lost_lines: lost,
        kept_as: `journal/${kept_as}`,
        context_file: chain.viewPath,
      },
    });
  },
});

/** Says something to a chain, and goes on with it. Where another process is at work, that one takes it in. */
async function tell(
  input: Running & { chain: string },
  caller: Caller,
  message: PersonMessage,
  until?: (chain: Chain) => boolean,
): Promise<Answer> {
  const { home } = await wire(caller, input);
  const id = padded(input.chain);
  const objected = objection(readOne(input, caller), message);
  if (objected) throw objected;
  dropMessage(chainPaths(contextsOf(home), id).inbox, { by: caller.by, message }, caller.world.now());
  try {
    return await goOn(input, caller, {}, until);
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== "locked") throw error;
    return { exit: exitCodes.done, data: { schema_version: 1, chain_id: id, delivered: true } };
  }
}

async function goOn(
  input: Running & { chain: string },
  caller: Caller,
  edit: { accept_edit?: boolean | undefined; discard_edit?: boolean | undefined },
  until?: (chain: Chain) => boolean,
): Promise<Answer> {
  const { deps, home } = await wire(caller, input);
  const policy = policyOf(input);
  const { chain, edits } = openChain(beginning(caller, contextsOf(home)), padded(input.chain));
  return turn(chain, caller, () => {
    if (edits.length > 0) settleEdits(chain, edits, edit, caller);
    const limits = limitsOf(input);
    if (chain.context.state.type === "parked" || Object.keys(limits).length > 0) {
      chain.append({ by: caller.by, bodies: [event("resumed", { limits })] });
    }
    return runTurn(chain, deps, policy, caller.signal, until);
  });
}

/** A context file that was edited by hand is taken over or written anew, but only on somebody's word. */
function settleEdits(
  chain: Chain,
  edits: Parameters<typeof isEditable>[0][],
  choice: { accept_edit?: boolean | undefined; discard_edit?: boolean | undefined },
  caller: Caller,
): void {
  if (choice.discard_edit) return chain.writeView(true);
  const possible = edits.filter(isEditable);
  if (choice.accept_edit && possible.length === edits.length) {
    chain.append(withLedger(caller.by, [event("context_edited", { changes: possible })]));
    return chain.writeView(true);
  }
  const show = (value: Json | undefined) => (value === undefined ? "nothing" : JSON.stringify(value));
  const lines = edits.map(
    (edit) =>
      `  ${edit.path.join(".")}: ${show(edit.before)} → ${show(edit.after)}${isEditable(edit) ? "" : "   (the engine's own record: cannot be changed)"}`,
  );
  const again = `claude-exec resume ${chain.id}`;
  throw new UserError(
    "context_edited",
    `The context file of chain ${chain.id} was edited by hand:\n${lines.join("\n")}\nNothing was taken over, and nothing was overwritten.`,
    possible.length === edits.length
      ? `Take it over: ${again} --accept-edit. Or undo it: ${again} --discard-edit`
      : `Undo it: ${again} --discard-edit`,
    exitCodes.waiting,
  );
}

async function turn(chain: Chain, caller: Caller, run: () => Promise<Ending>): Promise<Answer> {
  try {
    const ending = await run();
    const answer = answerOf(chain.context, chain.viewPath, ending);
    return ending.type === "interrupted" && caller.signal.reason === "SIGTERM"
      ? { ...answer, exit: exitCodes.terminated }
      : answer;
  } finally {
    chain.close();
  }
}

function answerOf(context: Chain["context"], contextFile: string, ending: Ending): Answer {
  const {
    chain_id,
    goal,
    current_phase,
    confidence_scores,
    cost_tracking: costs,
    session_memory: memory,
    solution,
    evidence,
  } = context;
  const plain = JSON.parse(
    JSON.stringify({ ...ending, ...("hint" in ending ? { hint: ending.hint.replaceAll("{id}", chain_id) } : {}) }),
  ) as Json;
  return {
    exit: exitOf(ending),
    data: {
      schema_version: 1,
      chain_id,
      goal,
      ending: plain,
      phase: current_phase,
      confidence: { ...confidence_scores },
      cost: { usd: costs.estimated_cost, tokens: costs.tokens_used, unpriced_calls: costs.unpriced_calls },
      files: memory.files_modified.map((path) => ({ path, new: context.engine.files[path]?.before === null })),
      test_runs: evidence.runs.map(({ verdict, exit_code }) => ({ verdict, exit_code })),
      solution_hash: solution?.hash ?? null,
      context_file: contextFile,
    },
  };
}

function exitOf(ending: Ending): number {
  switch (ending.type) {
    case "completed":
    case "reached":
      return exitCodes.done;
    case "needs_answers":
    case "needs_approval":
      return exitCodes.waiting;
    case "parked":
      return ending.exit;
    case "interrupted":
      return exitCodes.interrupted;
  }
}

function policyOf(input: Running): Policy {
  return { answers: input.answers === undefined ? {} : readAnswers(input.answers), approve: input.approve_policy };
}

function limitsOf(input: Running): Partial<Limits> {
  const amount = (name: "budget_usd" | "budget_tokens") => {
    const text = input[name];
    if (text === undefined) return {};
    if (text === "none") return { [name]: null };
    const value = Number(text);
    if (Number.isFinite(value) && value > 0) return { [name]: name === "budget_tokens" ? Math.floor(value) : value };
    const flag = `--${name.replace("_", "-")}`;
    throw new UserError(
      "wrong_budget",
      `${flag} is "${text}", which is not an amount.`,
      `Write a number above 0, or: ${flag} none`,
      exitCodes.usage,
    );
  };
  return {
    ...amount("budget_usd"),
    ...amount("budget_tokens"),
    ...(input.turns === undefined ? {} : { turns: input.turns }),
  };
}

function beginning(caller: Caller, contexts: string): Beginning {
  return { contexts, engine: packageVersion(), by: caller.by, now: caller.world.now, listen: caller.listen };
}

function readOne(input: { chain: string; home?: string | undefined }, caller: Caller) {
  return readChain(contextsOf(locateHome(caller, input)), padded(input.chain)).context;
}

function measured(context: Chain["context"]): number {
  return context.prompts_executed.filter((name) => name === "uncertainty_analysis").length;
}

function padded(id: string): string {
  return String(Number(id)).padStart(3, "0");
}
