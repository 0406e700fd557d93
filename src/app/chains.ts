import { z } from "zod";
import { exitCodes, UserError } from "../util/errors.ts";
import { paddedId, contextFiles } from "../store/chains.ts";
import type { Context } from "../chain/context.ts";
import { longestGoal } from "../chain/edits.ts";
import { workModes } from "../chain/modes.ts";
import type { Ending } from "../chain/run.ts";
import { contextsOf, locateHome, wire } from "./app.ts";
import { adopt, chainId, running } from "./flags.ts";
import { operation } from "./operation.ts";
import { ownChain } from "./own.ts";

/** The engine takes a Node's own start to load: only who lets a chain go on waits for it. */
const engine = () => import("./turns.ts");
type Engine = Awaited<ReturnType<typeof engine>>;
const goOn: Engine["goOn"] = async (...given) => (await engine()).goOn(...given);
const tell: Engine["tell"] = async (...given) => (await engine()).tell(...given);

const request = z.string().optional().describe("The change or command that is meant, as printed with it");
const about = (input: { request?: string | undefined }) => (input.request === undefined ? {} : { id: input.request });

const mode = z.enum(workModes, `is none of ${workModes.join(", ")}`);

export const newOperation = operation({
  name: "new",
  summary: "Begin a task and drive it until it is done or waits for you",
  permission: "run",
  positional: ["task"],
  input: z.object({
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
    mode: mode.default("tdd").describe("tdd: tests first. direct: code may come first. plan-only: nothing is written"),
    worktree: z.boolean().optional().describe("Work in a git worktree of its own, beside your files"),
  }),
  async run(input, caller) {
    const { deps, config, home } = await wire(caller, input);
    const { beginning, inWorktree, policyOf, settingsOf, turn } = await engine();
    const { createChain } = await import("../chain/open.ts");
    const { runTurn } = await import("../chain/run.ts");
    const policy = policyOf(input);
    const settings = await settingsOf(deps, config, input);
    const beside = input.worktree ? await inWorktree(deps, input, caller) : undefined;
    const there = beside?.deps ?? deps;
    const worktree = beside ? { worktree: beside.worktree } : {};
    const started = { goal: input.task, size: input.size, mode: input.mode, ...worktree, ...settings };
    const chain = createChain(beginning(caller, home), started);
    return turn(chain, caller, input, async () => {
      if (there.permission.mode !== "read") await there.sandbox.open();
      return runTurn(chain, there, policy, caller.signal);
    });
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
    adopt,
    accept_edit: z.boolean().optional().describe("Take over what was changed in the context file by hand"),
    mode: mode.optional().describe("How to go on: tdd, direct or plan-only"),
    discard_edit: z.boolean().optional().describe("Write the context file anew, without what was changed by hand"),
  }),
  run: (input, caller) => goOn(input, caller, { ...input, mayAdopt: true }),
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
  summary: "Reject what waits: the presented solution, a change or a command",
  permission: "run",
  positional: ["chain", "reason"],
  input: z.object({
    chain: chainId,
    reason: z.string().default("").describe("Why, if you like to say"),
    request,
    ...running,
  }),
  run: (input, caller) => tell(input, caller, { type: "reject", reason: input.reason, ...about(input) }),
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
  input: z.object({
    chain: chainId,
    question: z.string().min(1).describe("A question, or a hint"),
    request,
    ...running,
  }),
  run: (input, caller) => tell(input, caller, { type: "ask", question: input.question, ...about(input) }),
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
    const { readOne } = await engine();
    await ownChain(input, caller);
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
    const { answerOf, readOne } = await engine();
    await ownChain(input, caller);
    const { solution } = readOne(input, caller);
    if (solution?.standing === "presented") {
      const ending: Ending = { type: "needs_approval", presented: solution };
      const path = contextFiles(contextsOf(locateHome(caller, input))).get(paddedId(input.chain)) ?? "";
      return { ...answerOf(readOne(input, caller), path, ending, input), exit: exitCodes.done };
    }
    return goOn(input, caller, {});
  },
});

function measured(context: Context): number {
  return context.prompts_executed.filter((name) => name === "uncertainty_analysis").length;
}
