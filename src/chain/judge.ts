import { exitCodes } from "../util/errors.ts";
import type { Prompt } from "../library/prompt.ts";
import { misfit } from "../library/render.ts";
import { commandOf, typed } from "../tools/test_command.ts";
import { allows } from "../tools/types.ts";
import { apply, repeatKey } from "./apply.ts";
import { engineCall } from "./called.ts";
import type { Context, Item } from "./context.ts";
import { event, park, phases, type ChainEvent, type Phase } from "./events.ts";
import { countScores, isGrounded, unproved } from "./evidence.ts";
import { blocking, confidenceGate, gate, isUnsatisfied, percent, reasonsBeforeReviews } from "./gates.ts";
import { aboutGap, hasLooked, problemsIn, type Draft } from "./gap.ts";
import { measureHealth } from "./health.ts";
import { askedAgain, nextNumber, queueKey } from "./item.ts";
import { inWords, patchedSolution } from "./page.ts";
import { present, proposalOf, type Base, type Proposal } from "./present.ts";
import { recordReport } from "./record.ts";
import type { Action, Reply, Report } from "./reply.ts";
import { proposeCommand } from "./test_question.ts";
import { advisoryReaders, isForModels, triggers } from "./roles.ts";

/** What judging a reply needs to know besides the context; gathered before, so that judging stays pure. */
export interface Facts {
  readonly prompts: ReadonlyMap<string, Prompt>;
  /** The prompts that were offered for this decision, and all there are. */
  readonly offered: readonly string[];
  readonly known: ReadonlySet<string>;
  readonly base: Base;
  /** Prompts that the reply holds, where writing them was its task. */
  readonly drafts: readonly Draft[];
  /** What the user has said since the reply was asked for. */
  readonly unheard: string | undefined;
}

type Judged = ChainEvent[];

/**
 * Turns a reply into what it changes. Its report is taken in first, then its action is judged with what is known by
 * then. What the engine does not allow becomes an event that says why.
 */
export function judge(context: Context, item: Item, reply: Reply, facts: Facts): Judged {
  const missing =
    item.source?.route === "fast" ? (reply.report ? unproved(context, reply.report) : reply.problems) : [];
  if (missing.length > 0) {
    const { key, prompt: name, inputs } = item;
    return [event("asked_again", { missing, key, prompt: name, again: { key: key + askedAgain, name, inputs } })];
  }
  if (reply.problems.length > 0) return reject(item, item.key, reply.problems);
  const { unheard } = facts;
  if (unheard !== undefined && item.expects === "action" && item.rejected < 2)
    return reject(item, item.key, [`The user has said something since: ${unheard}`]);
  const unusable = problemsIn(facts.drafts);
  // After two repairs those that can be used are taken, and the chain goes on without the others.
  if (unusable.length > 0 && item.rejected < 2) return reject(item, item.key, unusable);
  const { report } = reply;
  const reported = report
    ? [...judgeReport(context, item, report), ...aboutGap(context, item, reply, facts.drafts)]
    : [];
  if (reported.some((happened) => happened.event === "reply_rejected")) return reported;
  // What the report brought about comes first: a question, or a prompt that is due now.
  const isAsking = reported.some(({ event: name }) => name === "questions_asked" || name === "prompts_queued");
  const isBesideOthers = context.engine.group.some(({ key }) => key === item.key);
  // Whoever proposed it had not heard what the user has said since: the next decision has.
  if (isAsking || isBesideOthers || (unheard !== undefined && reported.length > 0)) return reported;
  const { action } = reply;
  if (!action && reply.actionProblems.length === 0) return reported;
  const now = reported.reduce(applyUnstamped, context);
  const proposal = proposalOf(now, item.prompt, reply);
  const problems = [
    ...reply.actionProblems,
    ...(action ? actionProblems(action, usableIn(now, facts)) : []),
    ...(proposal?.problem === undefined ? [] : [proposal.problem]),
  ];
  if (problems.length > 0) {
    if (!reply.report) return reject(item, item.key, problems);
    return [...reported, ...refuse(now, action?.do.type ?? reply.named ?? "a reply without an action", problems)];
  }
  if (!action) return reported;
  const decided = event("decision_taken", { key: item.key, action });
  return [...reported, decided, ...judgeAction(applyUnstamped(now, decided), item, action, facts, proposal?.proposal)];
}

/** The context once these events are in the journal, except for times and authors. */
function applyUnstamped(context: Context, happened: ChainEvent): Context {
  const by = { kind: "engine", name: "", door: "engine" } as const;
  return apply(context, { ...happened, n: 0, at: new Date(0).toISOString(), by, hash: "" });
}

/** A reply that cannot be used is sent back at most twice; then the chain pauses. */
export function reject(item: Item | null, key: string, problems: readonly string[], cut_at?: number): Judged {
  const rejected = event("reply_rejected", { key, problems, ...(cut_at === undefined ? {} : { cut_at }) });
  if (!item || item.rejected < 2) return [rejected];
  const message = `The model's reply to ${item.prompt} could not be used three times: ${problems[0] ?? ""}`;
  const why = "Everything before is kept. Try again, perhaps with another model";
  const next = { operation: "resume", input: { model: "<model>" }, why };
  return [rejected, park("reply_unusable", exitCodes.failed, message, next)];
}

function judgeReport(context: Context, item: Item, given: Report): Judged {
  const report = withUnchecked(item.prompt, given);
  if (report.scores?.some(({ name }) => name === "substitute_check") && !item.turns.some(hasLooked)) {
    const problem = "substitute_check is for a check that was carried out: use a tool to look, then report it.";
    return reject(item, item.key, [problem]);
  }
  const counted = countScores(context, item.prompt, report);
  const { gates } = context.engine;
  const open = (report.uncertainties ?? []).filter(({ resolved }) => !resolved);
  const assumptions = open
    .filter(({ confidence }) => confidence >= 0.4 && confidence < gates.unproven)
    .map(
      ({ area, confidence, resolution }) =>
        `${area} (${percent(confidence)} sure)${resolution ? `: ${resolution}` : ""}`,
    );
  const asked = (report.questions ?? [])
    .filter(({ id }, index, all) => all.findIndex((other) => other.id === id) === index)
    .filter(({ id }) => !context.questions.some((known) => known.id === id))
    .slice(0, 5);
  const recorded = event("report_recorded", {
    key: item.key,
    prompt: item.prompt,
    report,
    counted,
    assumptions,
    moved: moves(context, report, counted),
    grounded: isGrounded(context, report),
  });
  const after = recordReport(context, recorded);
  const isMeasurement = item.prompt === triggers.fresh_measurement.prompt;
  if (isUnsatisfied(after, item.prompt) || (isMeasurement && confidenceGate(after).length > 0)) recorded.shut = true;
  const measured = [recorded, ...measureHealth(after)];
  return asked.length > 0 ? [...measured, event("questions_asked", { questions: asked })] : measured;
}

/** Without a network nobody asks for advisories, whether or not the prompt says so. */
function withUnchecked(prompt: string, report: Report): Report {
  const notes = report.notes ?? [];
  if (!advisoryReaders.includes(prompt) || notes.some(({ kind }) => kind === "not_checked")) return report;
  const text = "known vulnerabilities of dependencies: without a network no advisories are asked for";
  return { ...report, notes: [...notes, { kind: "not_checked", text }] };
}

/** Whether a report tells anything that was not known. */
function moves(context: Context, report: Report, counted: readonly { area: string; score: number }[]): boolean {
  const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
  return (
    (report.discovered ?? []).some(({ key, value }) => !same(context.discovered[key], value)) ||
    (report.decisions ?? []).some(({ key, choice }) => context.decisions[key] !== choice) ||
    counted.some(({ area, score }) => Math.abs((context.confidence_scores[area] ?? 0) - score) >= 0.01) ||
    (report.uncertainties ?? []).some((fresh) => {
      const known = context.uncertainties.find(({ area }) => area === fresh.area);
      return !known || known.resolved !== fresh.resolved || known.blocking !== fresh.blocking;
    })
  );
}

/** Without the prompts whose trial failed, perhaps only just now. */
function usableIn({ engine }: Context, facts: Facts): Facts {
  const isDropped = (name: string) =>
    Object.hasOwn(engine.generated, name) && engine.generated[name]!.standing === "dropped";
  return { ...facts, prompts: new Map([...facts.prompts].filter(([name]) => !isDropped(name))) };
}

/** Mistakes of form that the model can mend at once. */
function actionProblems(action: Action, facts: Facts): string[] {
  switch (action.do.type) {
    case "run_prompts":
      return action.do.prompts.length === 0
        ? ["run_prompts names no prompt."]
        : promptProblems("run_prompts", action.do.prompts, facts);
    case "ask_user":
      if (action.do.questions.length === 0) return ["ask_user asks nothing."];
      return action.do.questions.length > 5 ? ["ask_user asks at most five questions at once."] : [];
    case "advance":
    case "go_back":
      return isPhase(action.do.to)
        ? promptProblems(action.do.type, action.do.prompts, facts)
        : [`There is no phase "${action.do.to}". Phases: ${phases.join(", ")}.`];
    case "present_solution":
    case "report_gap":
    case "complete":
    case "give_up":
      return [];
    case "set_test_command":
      return action.do.command.trim() === "" ? ["The command is empty."] : [];
    case "answer":
      return action.do.text.trim() === "" ? ["The answer is empty."] : [];
  }
}

function promptProblems(action: string, prompts: Chosen, facts: Facts): string[] {
  if (prompts.length > 3) return [`${action} takes at most three prompts, and this names ${prompts.length}.`];
  return prompts.flatMap(({ name, inputs }) => {
    const prompt = facts.prompts.get(name);
    if (!prompt || !isForModels(prompt)) return [`There is no prompt "${name}". Use a name from the catalogue.`];
    const given = new Set(inputs.map((input) => input.name));
    return [
      ...[...given]
        .filter((input) => !Object.hasOwn(prompt.inputs, input))
        .map((input) => `${name} has no input "${input}".`),
      ...inputs.flatMap((input) => misfit(prompt, input.name, input.value) ?? []).map((wrong) => `${name}: ${wrong}.`),
      ...Object.entries(prompt.inputs)
        .filter(([input, { required }]) => required && !given.has(input))
        .map(([input]) => `${name} needs the input "${input}".`),
    ];
  });
}

function judgeAction(
  context: Context,
  item: Item,
  action: Action,
  facts: Facts,
  proposal: Proposal | undefined,
): Judged {
  switch (action.do.type) {
    case "run_prompts": {
      const number = item.expects === "action" ? Number(item.key.split("/")[1]) : nextNumber(context);
      const weighed = (action.do.considered ?? facts.offered).filter((name) => facts.known.has(name));
      return queuePrompts(context, number, { why: action.say, prompts: action.do.prompts, weighed }, facts);
    }
    case "ask_user": {
      const fresh = action.do.questions.filter(({ id }) => !context.questions.some((known) => known.id === id));
      if (fresh.length === 0)
        return refuse(context, "answers", ["These questions have been answered already: the answers are above."]);
      return [event("questions_asked", { questions: fresh })];
    }
    case "report_gap":
      return gap(context, action.do.gaps);
    case "present_solution":
      return presentation(context, proposal, facts);
    case "advance":
      return thenRun(context, action, advance(context, action.do.to as Phase, action.do.reason || action.say), facts);
    case "go_back": {
      const gone = goBack(context, action.do.to as Phase, action.do.reason || action.say, action.do.focus);
      return thenRun(context, action, gone, facts);
    }
    case "set_test_command": {
      const { command, reason } = action.do;
      const { test_command: now } = context.engine;
      if (now && typed(now) === typed(commandOf(command)))
        return refuse(context, "set_test_command", [`The tests run with ${typed(now)} already.`]);
      const presented = proposal ? present(context, proposal, facts.base) : [];
      const shown = "refused" in presented ? [] : presented;
      return [...shown, proposeCommand(shown.reduce(applyUnstamped, context), command, reason || action.say)];
    }
    case "answer":
      return context.solution
        ? refuse(context, "answer", ["A solution was presented: this task is not only a question."])
        : [event("completed", { summary: action.do.text, ending: "answered" })];
    case "complete":
      return completeLater(context);
    case "give_up": {
      const exit = context.current_phase === "implementation" ? exitCodes.verification : exitCodes.failed;
      return [
        park("gave_up", exit, `The model gave up: ${action.do.reason}`, [
          { operation: "ask", input: { question: "…" }, why: "Everything found out is kept. Add what it lacks" },
          { operation: "resume", why: "Or go on" },
        ]),
      ];
    }
  }
}

type Chosen = Extract<Action["do"], { type: "run_prompts" }>["prompts"];

function queuePrompts(
  context: Context,
  number: number,
  { why, prompts: chosen, weighed = [] }: { why: string; prompts: Chosen; weighed?: readonly string[] },
  facts: Facts,
): Judged {
  const looks = (name: string) => !allows(facts.prompts.get(name)?.tools ?? "run", "edit");
  const beside = chosen.filter(({ name }) => looks(name)).length > 1;
  const prompts = chosen.map(({ name, inputs }, index) => ({
    key: queueKey(context, number, index, name),
    name,
    inputs: Object.fromEntries(inputs.map((input) => [input.name, input.value])),
    ...(beside && looks(name) ? { together: true as const } : {}),
  }));
  const { repeats, limits } = context.engine;
  const repeated = prompts.find((prompt) => (repeats[repeatKey(prompt)] ?? 0) >= limits.repeats - 1);
  if (repeated) {
    const message = `${repeated.name} was asked for ${limits.repeats} times although nothing had changed.`;
    return [stuck(context, message)];
  }
  const considered = [...new Set([...prompts.map(({ name }) => name), ...weighed])].slice(0, 20);
  return [event("prompts_queued", { why, prompts, considered })];
}

/** The prompts that a change of phase names run first in the phase that it opened. */
function thenRun(context: Context, { say, do: what }: Action, moved: Judged, facts: Facts): Judged {
  const prompts = "prompts" in what ? what.prompts : [];
  if (prompts.length === 0 || moved.at(-1)?.event !== "phase_changed") return moved;
  const now = moved.reduce(applyUnstamped, context);
  return [...moved, ...queuePrompts(now, nextNumber(now), { why: say, prompts }, facts)];
}

/** A gap is looked at once, before the next decision; the same one again changes nothing. */
function gap(context: Context, gaps: Extract<Action["do"], { type: "report_gap" }>["gaps"]): Judged {
  const reported = event("gap_reported", { gaps });
  const inputs = {
    gap: gaps.map(({ description, key_questions }) => [description, ...key_questions].join("\n- ")).join("\n\n"),
    considered: [...new Set(gaps.flatMap(({ similar }) => similar))].join(", "),
  };
  const { why, prompts } = engineCall(context, triggers.reported_gap, inputs);
  const known = (context.engine.repeats[repeatKey(prompts[0]!)] ?? 0) > 0;
  return known ? [reported] : [reported, event("prompts_queued", { why, prompts })];
}

/** A chain is done when the engine's own record says so. */
export function completion(context: Context, summary: string): Judged {
  const planned = context.mode === "plan-only" && context.solution?.standing === "approved";
  const reasons = planned ? [] : gate(context, "done");
  if (reasons.length > 0) return refuse(context, "done", reasons);
  const { end_in_worktree: advice } = triggers;
  const unadvised = context.worktree !== null && !planned && !context.evidence.reviewed.includes(advice.prompt);
  if (!unadvised) return [event("completed", { summary })];
  const inputs = {
    focus: `Commit what lies uncommitted in the worktree ${context.worktree?.path} on a branch of its own`,
  };
  const { why, prompts } = engineCall(context, advice, inputs);
  return [event("prompts_queued", { why, prompts })];
}

function advance(context: Context, to: Phase, reason: string): Judged {
  if (to === "implementation")
    return refuse(context, to, ["Only a person's approval opens the implementation: present the solution."]);
  const reasons = gate(context, to);
  if (reasons.length > 0) return refuse(context, to, reasons);
  return [event("phase_changed", { from: context.current_phase, to, reason, focus: "" })];
}

function goBack(context: Context, to: Phase, reason: string, focus: string): Judged {
  const { current_phase: from, engine } = context;
  if (phases.indexOf(to) >= phases.indexOf(from)) return refuse(context, to, [`${to} does not lie behind ${from}.`]);
  const overall = context.confidence_scores["overall"] ?? 0;
  const [earlier, last] = engine.rounds.slice(-2);
  const isStill = earlier !== undefined && last !== undefined && last <= earlier + 0.005 && overall <= last + 0.005;
  if (from === "uncertainty-analysis" && isStill)
    return [
      stuck(context, `Two rounds of exploration have not moved the confidence: it stays at ${percent(overall)}.`),
    ];
  if (to === "context-building" && engine.rounds.length + 1 >= engine.limits.rounds) {
    const used = `All ${engine.limits.rounds} rounds of exploration are used up`;
    return [stuck(context, `${used}; the confidence is ${percent(overall)}.`)];
  }
  const voided =
    context.solution?.standing === "approved"
      ? [event("approval_voided", { reason: `The chain went back to ${to}: ${reason}` })]
      : [];
  const presented = from === "solution-approval" ? patchedSolution(context) : {};
  return [...voided, event("phase_changed", { from, to, reason, focus, ...presented })];
}

function presentation(context: Context, proposal: Proposal | undefined, facts: Facts): Judged {
  if (!proposal) throw new Error("An action that presents a solution was judged without one.");
  const presented = present(context, proposal, facts.base);
  return "refused" in presented ? refuse(context, "solution-approval", presented.refused) : presented;
}

/**
 * A chain completes once its tests and reviews have run, and the engine runs them by itself. All other conditions must hold
 * when the model says that it is done.
 */
function completeLater(context: Context): Judged {
  const { engine, evidence, mode, solution } = context;
  const isPlanned = mode === "plan-only" && solution?.standing === "approved";
  const green = evidence.green || (engine.untested && engine.test_command !== null);
  const reasons = isPlanned ? [] : reasonsBeforeReviews({ ...context, evidence: { ...evidence, green } });
  return reasons.length > 0 ? refuse(context, "done", reasons) : [];
}

export function refuse(context: Context, to: string, reasons: readonly string[]): Judged {
  const refused = event("gate_refused", { to, reasons });
  if (context.engine.refusals < 2) return [refused];
  return [refused, stuck(context, `The model insists on "${inWords(to)}", which is refused: ${reasons[0] ?? ""}`)];
}

function stuck(context: Context, message: string): ChainEvent {
  if (context.current_phase === "implementation") {
    return park("not_verified", exitCodes.verification, message, [
      { why: "The files are as they are, nothing is reported as working." },
      { operation: "ask", input: { question: "…" }, why: "Help with a hint" },
      { operation: "resume", why: "Or go on" },
    ]);
  }
  const open = blocking(context).map(({ area }) => inWords(area));
  const whole = open.length ? `${message} Open and blocking: ${open.join(", ")}.` : message;
  return park("no_movement", exitCodes.confidence, whole, [
    { operation: "ask", input: { question: "…" }, why: "Tell it what it cannot find out" },
    { operation: "waive", input: { area: "<area>", reason: "…" }, why: "Set an area aside" },
    { operation: "resume", why: "Or go on" },
  ]);
}

function isPhase(name: string): name is Phase {
  return (phases as readonly string[]).includes(name);
}
