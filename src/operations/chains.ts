import { z } from "zod";
import { exitCodes, UserError } from "../util/errors.ts";
import { contextFiles, dropMessage } from "../store/chains.ts";
import type { Context } from "../chain/context.ts";
import { longestGoal } from "../chain/edits.ts";
import { workModes } from "../chain/modes.ts";
import { triggers } from "../chain/roles.ts";
import type { PersonMessage } from "../chain/inbox.ts";
import type { Chain } from "../chain/open.ts";
import type { Caller } from "../session/caller.ts";
import type { Session } from "../session/session.ts";
import type { ChainResult } from "./chain_answer.ts";
import { fitting } from "./newest_chain.ts";
import { text } from "../session/options.ts";
import { adopt, chainId, running, runningChain, type RunningChain } from "./flags.ts";
import { chainOperation } from "./chain_operation.ts";
import { operation, type Answer } from "./operation.ts";

/** The engine takes a Node's own start to load: only who lets a chain go on waits for it. */
const driving = () => import("./drive.ts");

async function sendMessage(
  input: RunningChain,
  session: Session,
  caller: Caller,
  message: PersonMessage,
  until?: (chain: Chain) => boolean,
): Promise<Answer<ChainResult>> {
  return (await driving()).tellChain(input, session, caller, message, until);
}

const request = z.string().optional().describe("The change or command that is meant, as printed with it");
const about = (input: { request?: string | undefined }) => (input.request === undefined ? {} : { id: input.request });

const mode = z.enum(workModes, `is none of ${workModes.join(", ")}`);

export const newOperation = chainOperation({
  name: "new",
  summary: "Begin a task and drive it until it is done or waits for you",
  positional: ["task"],
  input: () =>
    z.object({
      task: z
        .string()
        .trim()
        .min(1, "is empty")
        .max(longestGoal, `is longer than ${longestGoal} characters`)
        .describe("What is to be done, in a sentence"),
      ...running,
      size: z
        .enum(["normal", "tiny"], "is neither normal nor tiny")
        .default("normal")
        .describe("tiny: clarify, approve, implement in three steps"),
      mode: mode
        .default("tdd")
        .describe("tdd: tests first. direct: code may come first. plan-only: nothing is written"),
      pattern: text.optional().describe("Apply this pattern, by its name or title; none: apply none"),
      worktree: z.boolean().optional().describe("Work in a git worktree of its own, beside your files"),
    }),
  async run(input, session, caller) {
    const { deps, config } = await session.engine(caller);
    const { driveChain, inWorktree } = await driving();
    const { policyOf, settingsOf } = await import("./limits.ts");
    const { createChain } = await import("../chain/open.ts");
    const { runTurn } = await import("../chain/run.ts");
    const policy = policyOf(input, caller);
    const { rememberedTestCommand } = await import("../session/test_commands.ts");
    const remembered = rememberedTestCommand(deps.workspace.root, config.tests.command, session.world.env);
    const settings = await settingsOf(deps, config, input, remembered);
    const beside = input.worktree ? await inWorktree(deps, session, caller) : undefined;
    const there = beside?.deps ?? deps;
    const worktree = beside ? { worktree: beside.worktree } : {};
    const started = { goal: input.task, size: input.size, mode: input.mode, ...worktree, ...settings };
    const { patternFor } = await import("./apply_pattern.ts");
    const { notesFor } = await import("./memory.ts");
    const learned = [
      ...(await notesFor(input.task, session)),
      ...(await patternFor(input, there.workspace, session, caller)),
    ];
    const chain = await createChain(session.beginning(caller), started, learned);
    return driveChain(chain, { session, config }, caller, async () => {
      if (there.permission.mode !== "read") await there.sandbox.open();
      return runTurn(chain, there, policy, caller.signal);
    });
  },
});

export const resumeOperation = chainOperation({
  name: "resume",
  summary: "Go on with a chain where it stopped",
  positional: ["chain"],
  newest: fitting.unfinished,
  input: () =>
    z.object({
      ...runningChain,
      adopt,
      accept_edit: z.boolean().optional().describe("Take over what was changed in the context file by hand"),
      mode: mode.optional().describe("How to go on: tdd, direct or plan-only"),
      discard_edit: z.boolean().optional().describe("Write the context file anew, without what was changed by hand"),
    }),
  run: async (input, session, caller) => (await driving()).resumeChain(input, session, caller, input),
});

export const answerOperation = chainOperation({
  name: "answer",
  summary: "Answer questions of a chain, and let it go on",
  positional: ["chain", "answers_given"],
  newest: fitting.asking,
  input: () =>
    z.object({
      answers_given: z
        .array(z.string())
        .min(1, "are missing: <question>=<answer>")
        .describe("<question>=<answer>, one or more"),
      ...runningChain,
    }),
  run(input, session, caller) {
    const pairs = input.answers_given.map((pair) => {
      const at = pair.indexOf("=");
      if (at > 0) return [pair.slice(0, at), pair.slice(at + 1)] as const;
      throw new UserError(
        "wrong_answer",
        `"${pair}" is not an answer.`,
        { operation: "answer", input: { chain: input.chain, answers_given: ["<question>=…"] }, why: "Write it as" },
        exitCodes.usage,
      );
    });
    return sendMessage(input, session, caller, { type: "answer", answers: Object.fromEntries(pairs) });
  },
});

export const approveOperation = chainOperation({
  name: "approve",
  summary: "Approve exactly the solution with this hash, and let the chain build it",
  positional: ["chain", "hash"],
  newest: fitting.presenting,
  input: () => z.object({ hash: z.string().describe("Printed with the solution"), ...runningChain }),
  run: (input, session, caller) => sendMessage(input, session, caller, { type: "approve", hash: input.hash }),
});

export const rejectOperation = chainOperation({
  name: "reject",
  summary: "Reject what waits: the presented solution, a change or a command",
  positional: ["chain", "reason"],
  newest: fitting.deciding,
  input: () =>
    z.object({
      reason: z.string().default("").describe("Why, if you like to say"),
      request,
      ...runningChain,
    }),
  run: (input, session, caller) =>
    sendMessage(input, session, caller, { type: "reject", reason: input.reason, ...about(input) }),
});

export const changeOperation = chainOperation({
  name: "change",
  summary: "Ask for changes to the presented solution, or begin a new round of a finished chain",
  positional: ["chain", "request"],
  newest: fitting.presenting,
  input: () => z.object({ request: z.string().min(1).describe("What should be different"), ...runningChain }),
  run: async (input, session, caller) =>
    sendMessage(input, session, caller, { type: "change", request: input.request, limits: await budgetOf(input) }),
});

export const askOperation = chainOperation({
  name: "ask",
  summary: "Ask or tell a chain something; it looks into it before it goes on",
  positional: ["chain", "question"],
  newest: fitting.unfinished,
  input: () =>
    z.object({
      question: z.string().min(1).describe("A question, or a hint"),
      request,
      ...runningChain,
    }),
  run: async (input, session, caller) =>
    sendMessage(input, session, caller, {
      type: "ask",
      question: input.question,
      ...about(input),
      limits: await budgetOf(input),
    }),
});

/** It only leaves the words for whoever is at work on the chain, or will be: so it can never begin a second run. */
export const tellOperation = operation({
  name: "tell",
  summary: "Tell a chain something; its next decision gets it",
  permission: "change",
  positional: ["chain", "text"],
  newest: fitting.unfinished,
  result: async () => (await import("./results.ts")).delivered,
  options: ["home"],
  input: () => z.object({ chain: chainId, text: z.string().trim().min(1, "is empty").describe("What it should know") }),
  async run({ chain, text }, session, caller) {
    const { id } = await session.ownChain(chain);
    const { readChain } = await import("../chain/inspect.ts");
    const { inboxOf } = await driving();
    const { objection } = await import("../chain/inbox.ts");
    const { context, lines } = readChain(session.store, id);
    const message = { type: "tell" as const, text };
    const objected = objection(context, message);
    if (objected) throw objected;
    await dropMessage(inboxOf(session.store, id, lines), { by: caller.by, message }, session.world.now());
    return { exit: exitCodes.done, data: { chain_id: id, delivered: true as const } };
  },
});

/** What a new round of a finished chain may cost. */
async function budgetOf(input: RunningChain) {
  const { turns: _turns, turns_per_prompt: _each, ...budget } = (await import("./limits.ts")).limitsOf(input);
  return budget;
}

export const acceptOperation = chainOperation({
  name: "accept",
  summary: "End a chain, and keep the files as they are, whatever was not proved",
  positional: ["chain", "reason"],
  newest: fitting.unfinished,
  input: () =>
    z.object({
      reason: z.string().trim().min(1, "is empty").describe("Why they are good enough"),
      ...runningChain,
    }),
  run: (input, session, caller) => sendMessage(input, session, caller, { type: "accept", reason: input.reason }),
});

export const waiveOperation = chainOperation({
  name: "waive",
  summary: "Set an area of doubt or a finding aside; the reason is shown at approval",
  positional: ["chain", "area", "reason"],
  newest: fitting.unfinished,
  input: () =>
    z.object({
      area: z.string().min(1).describe("The area, or the name of the finding"),
      reason: z.string().min(1).describe("Why it may stay open"),
      ...runningChain,
    }),
  run: (input, session, caller) =>
    sendMessage(input, session, caller, { type: "waive", area: input.area, reason: input.reason }),
});

export const checkOperation = chainOperation({
  name: "uncertainty-check",
  summary: "Measure what is uncertain; then explore more, or go on to the solution",
  positional: ["chain"],
  newest: fitting.unfinished,
  input: () => z.object({ only: z.boolean().optional().describe("Measure, and stop there"), ...runningChain }),
  async run(input, session, caller) {
    const before = measured(await readOwn(input, session));
    const isMeasured = (chain: Chain) => measured(chain.context) > before;
    const answer = await sendMessage(input, session, caller, { type: "check" }, isMeasured);
    const isReached = "ending" in answer.data && answer.data.ending.type === "reached";
    if (input.only || !isReached) return answer;
    const { confidenceGate } = await import("../chain/gates.ts");
    const isBelow = confidenceGate(await readOwn(input, session)).length > 0;
    if (isBelow) return sendMessage(input, session, caller, { type: "check", explore: true });
    return (await driving()).resumeChain(input, session, caller);
  },
});

export const createPromptOperation = chainOperation({
  name: "create-prompt",
  summary: "Have a prompt written for the gap that a chain found, and try it there",
  positional: ["chain"],
  newest: fitting.unfinished,
  input: () =>
    z.object({
      auto: z.boolean().optional().describe("Try it at once; left out, you see it first and are asked"),
      ...runningChain,
    }),
  run: (input, session, caller) =>
    sendMessage(input, session, caller, { type: "create_prompt", auto: input.auto === true }),
});

export const presentOperation = chainOperation({
  name: "present-solution",
  summary: "Show the presented solution; without one, work towards it",
  positional: ["chain"],
  newest: fitting.solved,
  input: () => z.object(runningChain),
  async run(input, session, caller) {
    const context = await readOwn(input, session);
    const { solution } = context;
    if (solution?.standing === "presented" || solution?.standing === "approved") {
      const { answerOf, approvalEnding } = await import("./chain_answer.ts");
      const ending = approvalEnding(context, solution);
      const path = contextFiles(session.store.contexts).get(context.chain_id) ?? "";
      return { ...answerOf(context, path, ending), exit: exitCodes.done };
    }
    return (await driving()).resumeChain(input, session, caller);
  },
});

async function readOwn(input: RunningChain, session: Session): Promise<Context> {
  const { id } = await session.ownChain(input.chain, input);
  const { readChain } = await import("../chain/inspect.ts");
  return readChain(session.store, id).context;
}

function measured(context: Context): number {
  return context.prompts_executed.filter((name) => name === triggers.wish_to_measure.prompt).length;
}
