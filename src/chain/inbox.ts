import { z } from "zod";
import { exitCodes, UserError } from "../util/errors.ts";
import { sha256 } from "../util/hash.ts";
import type { Next, Advice } from "../util/next.ts";
import type { Actor } from "../store/journal.ts";
import { removeMessage, waitingMessages } from "../store/chains.ts";
import { commandOf, testCommandIn } from "../tools/test_command.ts";
import { unfitText } from "../tools/change.ts";
import type { Workspace } from "../workspace/workspace.ts";
import { areas, type Context } from "./context.ts";
import { event, type ChainEvent } from "./events.ts";
import { answeredGap, novelTask, queueRun } from "./gap.ts";
import { gate } from "./gates.ts";
import { lostCostObjection } from "./lost.ts";
import { withLedger, type Chain } from "./open.ts";
import { lossText } from "./proof.ts";
import { triggers } from "./roles.ts";
import { baseOf, fingerprint } from "./settle.ts";
import { numbersOf } from "./assumptions.ts";
import { pageOf, pageText, patchedSolution } from "./page.ts";
import { solutionHash } from "./solution.ts";
import { asTheUserSaid, settledBy } from "./test_question.ts";
import { shortWord } from "../util/short_word.ts";

const amount = z.exactOptional(z.number().nullable());
const roundLimits = z.object({ budget_usd: amount, budget_tokens: amount }).optional();

/** What a person can say to a chain, from any process and through any door. */
export const messageSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("answer"), answers: z.record(z.string(), z.string()) }),
  z.object({ type: z.literal("approve"), hash: z.string() }),
  /** `id`: of the permission that it is about; left out, of whatever waits. */
  z.object({ type: z.literal("reject"), reason: z.string(), id: z.string().optional() }),
  /** `limits`, here and below: what a new round may cost, where the chain is finished. */
  z.object({ type: z.literal("ask"), question: z.string(), id: z.string().optional(), limits: roundLimits }),
  /** Nothing is looked into for it: the next decision gets it. */
  z.object({ type: z.literal("tell"), text: z.string() }),
  z.object({ type: z.literal("change"), request: z.string(), limits: roundLimits }),
  /** Ends the chain, and keeps the files as they are. */
  z.object({ type: z.literal("accept"), reason: z.string() }),
  z.object({ type: z.literal("waive"), area: z.string(), reason: z.string() }),
  /** `explore`: a measurement came out below the gate, so more exploration is planned. */
  z.object({ type: z.literal("check"), explore: z.boolean().optional() }),
  /** A prompt for the gap is written. `auto`: it is tried before a person sees it. */
  z.object({ type: z.literal("create_prompt"), auto: z.boolean() }),
  z.object({ type: z.literal("lost_cost"), usd: z.number().nonnegative(), calls: z.array(z.string()).optional() }),
  z.object({
    type: z.literal("allow"),
    id: z.string(),
    always: z.boolean().default(false),
    /** What to write in place of the proposed text. */
    text: z.string().optional(),
  }),
]);
export type PersonMessage = z.infer<typeof messageSchema>;

const envelope = z.object({
  by: z.object({ kind: z.enum(["person", "policy"]), name: z.string(), door: z.string() }),
  message: messageSchema,
});

/** Takes in what lies in the inbox: first into the journal, then out of the inbox; each message once. */
export async function takeInbox(chain: Chain, workspace: Workspace): Promise<void> {
  for (const { name, message } of await waitingMessages(chain.inbox)) {
    const read = envelope.safeParse(message);
    const by: Actor = read.success ? read.data.by : { kind: "person", name: "unknown", door: "inbox" };
    const reason = message === undefined ? unsealed : "It could not be read.";
    if (read.data?.message.type === "allow" && read.data.message.text !== undefined)
      await chain.blobs.put(read.data.message.text);
    await chain.append((context) => {
      if (context.engine.taken.includes(name)) return [];
      const events = read.success
        ? follow(context, read.data.message, name, workspace)
        : [event("message_ignored", { reason, from: name })];
      return [withLedger(by, events)];
    });
    await removeMessage(chain.inbox, name);
  }
}

const unsealed = "A message in the inbox is not sealed with your key for this chain. It was ignored.";

/** Why a message cannot be meant now, said before it is sent; undefined: it can. */
export function objection(context: Context, message: PersonMessage): UserError | undefined {
  const { chain_id: id, solution } = context;
  if (message.type === "lost_cost") return lostCostObjection(context, message);
  if (context.state.type === "completed" && (message.type === "change" || message.type === "ask")) {
    if (message.type === "change" && shortWord(message.request) !== undefined) return noChange(message.request, []);
    const { budget_usd: usd, budget_tokens: tokens } = message.limits ?? {};
    if (usd !== undefined || tokens !== undefined) return undefined;
    const text = `Chain ${id} is finished. What you say begins a new round in it, and a new round needs a budget.`;
    const said = message.type === "change" ? { request: message.request } : { question: message.question };
    const next = {
      operation: message.type,
      input: { chain: id, ...said, budget_usd: "2" },
      why: "Say what it may cost",
    };
    return new UserError("needs_budget", text, next, exitCodes.usage);
  }
  if (context.state.type === "completed") {
    const next = { operation: "new", input: { task: "…" }, why: "Begin another" };
    return new UserError("completed", `Chain ${id} is completed.`, next, exitCodes.conflict);
  }
  switch (message.type) {
    case "answer": {
      const stranger = Object.keys(message.answers).find(
        (key) => !context.questions.some((question) => question.id === key) && !isAssumption(context, key),
      );
      const empty = Object.keys(message.answers).find((key) => message.answers[key]?.trim() === "");
      if (empty !== undefined) {
        return new UserError(
          "empty_answer",
          `The answer to "${empty}" is empty. Nothing was answered.`,
          { operation: "answer", input: { chain: id, answers_given: [`${empty}=…`] }, why: "Write it as" },
          exitCodes.usage,
        );
      }
      const open = context.questions.filter(({ answer }) => answer === null);
      return stranger === undefined
        ? undefined
        : new UserError(
            "unknown_question",
            `Chain ${id} has no question "${stranger}".`,
            open.length ? `Open questions: ${open.map((question) => question.id).join(", ")}.` : "No question is open.",
            exitCodes.usage,
          );
    }
    case "approve":
      if (solution?.standing === "presented" && solution.hash === message.hash) return undefined;
      if (solution?.standing === "presented") {
        return new UserError(
          "other_solution",
          `What is presented now is ${solution.hash}, not ${message.hash}. Nothing was approved.`,
          { operation: "present-solution", input: { chain: id }, why: "Read it first" },
          exitCodes.conflict,
        );
      }
      return nothingPresented(id);
    case "allow":
      return notAskedFor(context, message.id) ?? notWritable(context, message);
    case "reject":
      if (message.id !== undefined) return notAskedFor(context, message.id);
      if (context.engine.request) return undefined;
      return solution?.standing === "presented" ? undefined : nothingPresented(id);
    case "change": {
      if (solution?.standing !== "presented") return nothingPresented(id);
      if (shortWord(message.request) === undefined) return undefined;
      return noChange(message.request, [
        { operation: "approve", input: { chain: id, hash: solution.hash }, why: "Approve it" },
        { operation: "reject", input: { chain: id, reason: "…" }, why: "Or reject it" },
      ]);
    }
    case "accept": {
      if (context.session_memory.files_modified.length > 0) return undefined;
      const text = `Chain ${id} has written no file, so there is nothing to accept.`;
      return new UserError("nothing_written", text, whereItStands(id), exitCodes.conflict);
    }
    case "waive": {
      const known = waivable(context);
      if (nameOf(message.area, known) !== undefined) return undefined;
      return new UserError(
        "unknown_area",
        `Chain ${id} has no area or open finding "${message.area}". Nothing was set aside.`,
        `It has: ${known.join(", ")}.`,
        exitCodes.usage,
      );
    }
    case "ask":
      return message.id === undefined ? undefined : notAskedFor(context, message.id);
    case "check":
    case "tell":
      return undefined;
    case "create_prompt": {
      if (context.engine.gap) return undefined;
      const text = `Chain ${id} knows of no gap that a new prompt could close. Nothing was written.`;
      const next = { operation: "prompts new", input: { name: "<name>", from: "…" }, why: "Without a chain" };
      return new UserError("no_gap", text, next, exitCodes.conflict);
    }
  }
}

/** What a person can set aside one by one: areas of doubt, and open findings of reviewers. */
function waivable({ confidence_scores, uncertainties, findings }: Context): string[] {
  const doubts = [...areas, ...Object.keys(confidence_scores), ...uncertainties.map(({ area }) => area)];
  const open = findings.flatMap(({ id, standing }) => (standing === "open" ? [id] : []));
  return [...new Set([...doubts, ...open])].filter((name) => name !== "overall");
}

/** A person may type a name as they read it: "token lifetime" for token_lifetime. */
function nameOf(said: string, known: readonly string[]): string | undefined {
  return known.find((name) => name === said) ?? known.find((name) => name.replaceAll("_", " ") === said);
}

function noChange(said: string, next: Next[]): UserError {
  const text = `"${said.trim()}" does not say what should change. Nothing was changed.`;
  return new UserError("no_change", text, next, exitCodes.usage);
}

function nothingPresented(id: string): UserError {
  return new UserError(
    "nothing_presented",
    `Chain ${id} presents no solution now.`,
    whereItStands(id),
    exitCodes.conflict,
  );
}

/** Why this permission is not the one that is asked for now. */
function notAskedFor({ chain_id: id, engine: { request } }: Context, asked: string): UserError | undefined {
  if (!request) {
    const message = `Chain ${id} asks for no permission now.`;
    return new UserError("nothing_asked", message, whereItStands(id), exitCodes.conflict);
  }
  if (request.id === asked) return undefined;
  const text = `What chain ${id} asks for now is ${request.id}, not ${asked}. Nothing was allowed or refused.`;
  const next = { operation: "diff", input: { chain: id }, why: "Look at it first" };
  return new UserError("other_request", text, next, exitCodes.conflict);
}

function whereItStands(chain: string): Next {
  return { operation: "status", input: { chain }, why: "See where it stands" };
}

/** Why a person's own text cannot be written in place of the model's. */
function notWritable(
  { chain_id: id, engine: { request } }: Context,
  { text }: Extract<PersonMessage, { type: "allow" }>,
): UserError | undefined {
  if (text === undefined) return undefined;
  const because = (why: string, next: Advice) => new UserError("not_editable", why, next, exitCodes.usage);
  if (request?.kind !== "change" || request.after === null) {
    const input = { chain: id, reason: "…" };
    const next = { operation: "reject", input, why: "Allow it as it is, or refuse it" };
    return because("Only the text of a file can be edited. Nothing was allowed.", next);
  }
  const unfit = unfitText(text);
  if (unfit === undefined) return undefined;
  return because(`Your text for ${request.path} ${unfit}. Nothing was allowed.`, "Mend it, and allow it again.");
}

function follow(context: Context, message: PersonMessage, from: string, workspace: Workspace): ChainEvent[] {
  const { request } = context.engine;
  const objected = objection(context, message);
  if (objected) return [event("message_ignored", { reason: objected.message, from })];
  if (context.state.type === "completed" && (message.type === "change" || message.type === "ask"))
    return beginRound(context, message, from);
  const hash = context.solution?.hash ?? "";
  const resume = context.state.type === "parked" ? [event("resumed", {})] : [];
  const lost = request?.kind === "lost_tests" ? { lost: request.lost } : {};
  switch (message.type) {
    case "answer":
      return [
        ...Object.entries(message.answers)
          .filter(([id]) => !isAssumption(context, id))
          .flatMap(([id, answer]) => answered(context, { id, answer, from }, workspace)),
        ...assumptionsAnswered(context, message.answers, from),
        ...answersChanged(context, message.answers),
      ];
    case "approve":
      return approval(context, workspace, "A person approved the solution.", from);
    case "allow": {
      const edited = message.text === undefined ? {} : { edited: sha256(message.text) };
      const given = { id: message.id, always: message.always, ...edited, ...lost, from };
      return [...resume, event("permission_given", given)];
    }
    case "reject":
      if (request) {
        const refusal = { id: request.id, reason: message.reason, question: false, ...lost, from };
        return [event("permission_refused", refusal), ...testsIn(message.reason)];
      }
      return [
        event("approval_refused", { solution: hash, reason: message.reason, from }),
        queueRun(context, triggers.rejected_solution, { focus: "understand_rejection" }),
      ];
    case "change": {
      const asked = event("changes_requested", { solution: hash, request: message.request, from });
      return [asked, ...testsIn(message.request).flatMap((settled) => withSolution(context, settled, workspace))];
    }
    case "ask":
      if (request) {
        const asked = { id: request.id, reason: message.question, question: true, ...lost, from };
        const refused = event("permission_refused", asked);
        if (request.kind !== "lost_tests") return [refused];
        const question = `${message.question}\n(About tests that no longer run: ${request.lost.map(lossText).join("; ")})`;
        return [refused, queueRun(context, triggers.question_of_person, { question })];
      }
      return [
        ...resume,
        event("more_info_asked", { solution: hash, question: message.question, from }),
        queueRun(context, triggers.question_of_person, { question: message.question }),
      ];
    case "tell":
      return [event("hint_given", { text: message.text, from }), ...testsIn(message.text)];
    case "waive":
      return [
        ...resume,
        event("area_waived", { area: nameOf(message.area, waivable(context))!, reason: message.reason, from }),
      ];
    case "accept":
      return [event("completed", { summary: message.reason, ending: "accepted", unproved: unproved(context), from })];
    case "lost_cost":
      return [event("lost_cost_entered", { usd: message.usd, from })];
    case "check":
      return [
        ...resume,
        message.explore
          ? { ...queueRun(context, triggers.explore_more, { focus: "reduce_uncertainty" }), from }
          : { ...queueRun(context, triggers.wish_to_measure, {}), from },
      ];
    case "create_prompt": {
      const open = context.questions.find(({ id, answer }) => id === novelTask && answer === null);
      const gap = context.engine.gap?.text ?? "";
      const first = message.auto ? {} : { shown_first: true as const };
      return [
        ...resume,
        ...(open ? [event("question_answered", { id: open.id, answer: open.options?.at(-1) ?? "", from })] : []),
        { ...queueRun(context, triggers.wished_prompt, { gap }), ...first, from },
      ];
    }
  }
}

/** The test command that a person names by the way, in few words. */
function testsIn(text: string): ChainEvent[] {
  const command = testCommandIn(text);
  if (command === undefined || text.length > 200) return [];
  return [event("tests_settled", { how: "command", argv: commandOf(command) })];
}

/** An answer, and what it settles about the tests. */
export function answered(
  context: Context,
  { id, answer, from }: { readonly id: string; readonly answer: string; readonly from?: string },
  workspace: Workspace,
): ChainEvent[] {
  const said = event("question_answered", { id, answer, ...(from === undefined ? {} : { from }) });
  return [
    said,
    ...answeredGap(context, id, answer),
    ...settledBy(context, id, answer).flatMap((settled) => withSolution(context, settled, workspace)),
  ];
}

/** What is presented is shown again with another test command: for that no model is asked. */
function withSolution(context: Context, settled: ChainEvent, workspace: Workspace): ChainEvent[] {
  const isOther = settled.event === "tests_settled" && settled.how === "command";
  if (!isOther || context.solution?.standing !== "presented") return [settled];
  const { engine } = context;
  const tests = { ...engine.tests, found_in: asTheUserSaid };
  return [settled, presentAgain({ ...context, engine: { ...engine, test_command: settled.argv, tests } }, workspace)];
}

/** The same solution on a page that says what is known by now, of its test command and of what the tests say today. */
export function presentAgain(context: Context, workspace: Workspace): ChainEvent {
  const { solution } = context.solution!;
  const of = context.engine.proposed.at(-1)?.prompt;
  const base = baseOf(context, solution, workspace);
  const page = pageOf(solution, base, context);
  const text = pageText(solution.title, page);
  const shown = { solution, text, page, id: solutionHash(text, base), base, ...(of === undefined ? {} : { of }) };
  return event("solution_presented", shown);
}

/** What a person takes over although the chain cannot vouch for it. */
function unproved(context: Context): string[] {
  const isApproved = context.current_phase === "implementation" && context.solution?.standing === "approved";
  return isApproved ? gate(context, "done") : ["Nobody approved the solution as it stands now."];
}

/** A finished chain goes on with what a person wants or asks, as if that were a new task. */
function beginRound(
  context: Context,
  message: Extract<PersonMessage, { type: "change" | "ask" }>,
  from: string,
): ChainEvent[] {
  const { limits = {} } = message;
  const now = { ...context, current_phase: "requirements-clarification" as const };
  if (message.type === "change") {
    const begun = event("round_begun", { kind: "change", text: message.request, limits, from });
    return [begun, queueRun(now, { ...triggers.fresh_chain, why: "A new round is clarified first." }, {})];
  }
  const { question } = message;
  const begun = event("round_begun", { kind: "question", text: question, limits, from });
  return [begun, queueRun(now, triggers.question_of_person, { question })];
}

/** "A2": an assumption of the solution that waits, by its number. "all": each of them. */
function isAssumption(context: Context, key: string): boolean {
  const numbers = context.solution?.standing === "presented" ? shownNumbers(context) : [];
  return numbers.includes(key) || (key === "all" && numbers.length > 0);
}

function shownNumbers({ solution, engine }: Context): string[] {
  return numbersOf(engine.assumed, solution?.solution.assumptions.map(({ text }) => text) ?? []);
}

/** What a person says to assumptions. Words that only agree leave the solution as it is. */
function assumptionsAnswered(context: Context, given: Readonly<Record<string, string>>, from: string): ChainEvent[] {
  const { assumptions = [] } = context.solution?.solution ?? {};
  const numbers = shownNumbers(context);
  const answers = assumptions.flatMap(({ text, covers }, index) => {
    const id = numbers[index]!;
    const key = [id, "all"].find((name) => Object.hasOwn(given, name) && isAssumption(context, name));
    if (key === undefined) return [];
    const answer = given[key]!.trim();
    return [{ id, text, covers, answer, confirmed: shortWord(answer) === "yes" }];
  });
  const solution = context.solution?.hash ?? "";
  return answers.length > 0 ? [event("assumptions_answered", { solution, answers, from })] : [];
}

/** A solution that was made from another answer is not what is approved any more. */
function answersChanged({ questions, solution }: Context, answers: Readonly<Record<string, string>>): ChainEvent[] {
  const changed = questions.filter(
    ({ id, answer }) => answer !== null && Object.hasOwn(answers, id) && answers[id] !== answer,
  );
  if (changed.length === 0 || solution?.standing !== "presented") return [];
  return [
    event("approval_voided", { reason: `The answer to ${changed.map(({ id }) => id).join(", ")} was replaced.` }),
  ];
}

/** An approval binds the files as they were when it was presented; what changed since is not approved. */
export function approval(context: Context, workspace: Workspace, why: string, from?: string): ChainEvent[] {
  const changed = Object.entries(context.solution?.base ?? {}).filter(
    ([path, base]) => fingerprint(workspace, path) !== base,
  );
  if (changed.length > 0) {
    const reason = `${changed.map(([path]) => path).join(", ")} changed after the solution was presented.`;
    return [
      ...(from === undefined ? [] : [event("message_ignored", { reason, from })]),
      event("approval_voided", { reason }),
    ];
  }
  return [
    event("approval_given", { solution: context.solution?.hash ?? "", ...(from === undefined ? {} : { from }) }),
    event("phase_changed", {
      from: context.current_phase,
      to: "implementation",
      reason: why,
      focus: "",
      ...patchedSolution(context),
    }),
  ];
}
