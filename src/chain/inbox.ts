import { z } from "zod";
import { exitCodes, UserError } from "../util/errors.ts";
import type { Actor } from "../store/journal.ts";
import { removeMessage, waitingMessages } from "../store/chains.ts";
import { unfitText } from "../tools/change.ts";
import type { Workspace } from "../tools/workspace.ts";
import { areas, type Context } from "./context.ts";
import { event, type ChainEvent } from "./events.ts";
import { queueKey } from "./item.ts";
import { lostCostObjection } from "./lost.ts";
import { nextNumber } from "./next.ts";
import { withLedger, type Chain } from "./open.ts";
import { fingerprint } from "./settle.ts";

/** What a person can say to a chain, from any process and through any door. */
export const messageSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("answer"), answers: z.record(z.string(), z.string()) }),
  z.object({ type: z.literal("approve"), hash: z.string() }),
  /** `id`: of the permission that it is about; left out, of whatever waits. */
  z.object({ type: z.literal("reject"), reason: z.string(), id: z.string().optional() }),
  z.object({ type: z.literal("ask"), question: z.string(), id: z.string().optional() }),
  z.object({ type: z.literal("change"), request: z.string() }),
  z.object({ type: z.literal("waive"), area: z.string(), reason: z.string() }),
  z.object({ type: z.literal("check") }),
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
export function takeInbox(chain: Chain, workspace: Workspace): void {
  for (const { name, message } of waitingMessages(chain.inbox)) {
    const read = envelope.safeParse(message);
    if (!chain.context.engine.taken.includes(name)) {
      const by: Actor = read.success ? read.data.by : { kind: "person", name: "unknown", door: "inbox" };
      const events = read.success
        ? follow(chain, read.data.message, name, workspace)
        : [
            event("message_ignored", {
              reason: message === undefined ? unsealed : "It could not be read.",
              from: name,
            }),
          ];
      chain.append(withLedger(by, events));
    }
    removeMessage(chain.inbox, name);
  }
}

const unsealed = "A message in the inbox is not sealed with your key for this chain. It was ignored.";

/** Why a message cannot be meant now, said before it is sent; undefined: it can. */
export function objection(context: Context, message: PersonMessage): UserError | undefined {
  const { chain_id: id, solution } = context;
  if (message.type === "lost_cost") return lostCostObjection(context, message);
  if (context.state.type === "completed") {
    return new UserError(
      "completed",
      `Chain ${id} is completed.`,
      'Begin another: claude-exec new "…"',
      exitCodes.conflict,
    );
  }
  switch (message.type) {
    case "answer": {
      const stranger = Object.keys(message.answers).find(
        (key) => !context.questions.some((question) => question.id === key),
      );
      const empty = Object.keys(message.answers).find((key) => message.answers[key]?.trim() === "");
      if (empty !== undefined) {
        return new UserError(
          "empty_answer",
          `The answer to "${empty}" is empty. Nothing was answered.`,
          `Write it as: claude-exec answer ${id} ${empty}="…"`,
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
          `Read it first: claude-exec present-solution ${id}`,
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
    case "change":
      return solution?.standing === "presented" ? undefined : nothingPresented(id);
    case "waive": {
      const known = new Set([
        ...areas,
        ...Object.keys(context.confidence_scores),
        ...context.uncertainties.map(({ area }) => area),
      ]);
      known.delete("overall");
      if (known.has(message.area)) return undefined;
      return new UserError(
        "unknown_area",
        `Chain ${id} has no area "${message.area}". Nothing was set aside.`,
        `Its areas: ${[...known].join(", ")}.`,
        exitCodes.usage,
      );
    }
    case "ask":
      return message.id === undefined ? undefined : notAskedFor(context, message.id);
    case "check":
      return undefined;
  }
}

function nothingPresented(id: string): UserError {
  return new UserError(
    "nothing_presented",
    `Chain ${id} presents no solution now.`,
    `See where it stands: claude-exec status ${id}`,
    exitCodes.conflict,
  );
}

/** Why this permission is not the one that is asked for now. */
function notAskedFor({ chain_id: id, engine: { request } }: Context, asked: string): UserError | undefined {
  if (!request) {
    const where = `See where it stands: claude-exec status ${id}`;
    return new UserError("nothing_asked", `Chain ${id} asks for no permission now.`, where, exitCodes.conflict);
  }
  if (request.id === asked) return undefined;
  const text = `What chain ${id} asks for now is ${request.id}, not ${asked}. Nothing was allowed or refused.`;
  return new UserError("other_request", text, `Look at it first: claude-exec diff ${id}`, exitCodes.conflict);
}

/** Why a person's own text cannot be written in place of the model's. */
function notWritable(
  { chain_id: id, engine: { request } }: Context,
  { text }: Extract<PersonMessage, { type: "allow" }>,
): UserError | undefined {
  if (text === undefined) return undefined;
  const because = (why: string, hint: string) => new UserError("not_editable", why, hint, exitCodes.usage);
  if (request?.kind !== "change" || request.after === null) {
    const hint = `Allow it as it is, or refuse it: claude-exec reject ${id} "why"`;
    return because("Only the text of a file can be edited. Nothing was allowed.", hint);
  }
  const unfit = unfitText(text);
  if (unfit === undefined) return undefined;
  return because(`Your text for ${request.path} ${unfit}. Nothing was allowed.`, "Mend it, and allow it again.");
}

function follow(chain: Chain, message: PersonMessage, from: string, workspace: Workspace): ChainEvent[] {
  const { context } = chain;
  const { request } = context.engine;
  const objected = objection(context, message);
  if (objected) return [event("message_ignored", { reason: objected.message, from })];
  const hash = context.solution?.hash ?? "";
  const resume = context.state.type === "parked" ? [event("resumed", {})] : [];
  const lost = request?.kind === "lost_tests" ? { lost: request.lost } : {};
  switch (message.type) {
    case "answer":
      return [
        ...Object.entries(message.answers).map(([id, answer]) => event("question_answered", { id, answer, from })),
        ...answersChanged(context, message.answers),
      ];
    case "approve":
      return approval(context, workspace, "A person approved the solution.", from);
    case "allow": {
      const edited = message.text === undefined ? {} : { edited: chain.blobs.put(message.text) };
      const given = { id: message.id, always: message.always, ...edited, ...lost, from };
      return [...resume, event("permission_given", given)];
    }
    case "reject":
      if (request) {
        const refusal = { id: request.id, reason: message.reason, question: false, ...lost, from };
        return [event("permission_refused", refusal)];
      }
      return [
        event("approval_refused", { solution: hash, reason: message.reason, from }),
        queue(
          context,
          "requirement_disambiguator",
          { focus: "understand_rejection" },
          "A person rejected the solution.",
        ),
      ];
    case "change":
      return [event("changes_requested", { solution: hash, request: message.request, from })];
    case "ask":
      if (request) {
        return [
          event("permission_refused", { id: request.id, reason: message.question, question: true, ...lost, from }),
        ];
      }
      return [
        ...resume,
        event("more_info_asked", { solution: hash, question: message.question, from }),
        queue(context, "uncertainty_resolver", { question: message.question }, "A person asks."),
      ];
    case "waive":
      return [...resume, event("area_waived", { area: message.area, reason: message.reason, from })];
    case "lost_cost":
      return [event("lost_cost_entered", { usd: message.usd, from })];
    case "check":
      return [...resume, { ...queue(context, "uncertainty_analysis", {}, "A person asked for a measurement."), from }];
  }
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
    event("phase_changed", { from: context.current_phase, to: "implementation", reason: why, focus: "" }),
  ];
}

function queue(context: Context, name: string, inputs: Record<string, string>, why: string) {
  return {
    ...event("prompts_queued", {
      why,
      prompts: [{ key: queueKey(context, nextNumber(context), 0, name), name, inputs }],
    }),
  } as Extract<ChainEvent, { event: "prompts_queued" }>;
}
