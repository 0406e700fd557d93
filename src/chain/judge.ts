import { exitCodes } from "../util/errors.ts";
import { isListed } from "../library/catalogue.ts";
import type { Prompt } from "../library/prompt.ts";
import { misfit } from "../library/render.ts";
import { allows } from "../tools/types.ts";
import { repeatKey } from "./apply.ts";
import { engineCall } from "./called.ts";
import type { Context, Item } from "./context.ts";
import { event, park, phases, type ChainEvent, type Phase } from "./events.ts";
import { countScores, isGrounded } from "./evidence.ts";
import { blocking, gate, percent } from "./gates.ts";
import { queueKey } from "./item.ts";
import type { Action, Report, Solution } from "./reply.ts";
import { fitsTiny, looksLikeCode, looksLikeTest, solutionHash, solutionText } from "./solution.ts";

/** What judging a reply needs to know besides the context; gathered before, so that judging stays pure. */
export interface Facts {
  readonly prompts: ReadonlyMap<string, Prompt>;
  /** The prompts that were offered for this decision, and all there are. */
  readonly offered: readonly string[];
  readonly known: ReadonlySet<string>;
  /** The files a presented solution names, as they are now; null where there is none. */
  readonly base: Readonly<Record<string, string | null>>;
}

type Judged = ChainEvent[];

/** Turns a usable reply into what it changes. What the engine does not allow becomes an event that says why. */
export function judge(context: Context, item: Item, reply: Action | Report, facts: Facts): Judged {
  if (reply.kind === "report") return judgeReport(context, item, reply);
  const problems = actionProblems(reply, facts);
  if (problems.length > 0) return reject(item, item.key, problems);
  return [event("decision_taken", { key: item.key, action: reply }), ...judgeAction(context, item, reply, facts)];
}

/** A reply that cannot be used is sent back at most twice; then the chain pauses. */
export function reject(item: Item | null, key: string, problems: readonly string[]): Judged {
  const rejected = event("reply_rejected", { key, problems });
  if (!item || item.rejected < 2) return [rejected];
  const message = `The model's reply to ${item.prompt} could not be used three times: ${problems[0] ?? ""}`;
  const hint =
    "Everything before is kept. Try again, perhaps with another model: claude-exec resume {id} --model <model>";
  return [rejected, park("reply_unusable", exitCodes.failed, message, hint)];
}

function judgeReport(context: Context, item: Item, given: Report): Judged {
  const report = withUnchecked(item.prompt, given);
  const looked = item.turns.some(({ calls }) => calls.some(({ answer }) => answer?.is_error === false));
  if (report.scores?.some(({ name }) => name === "substitute_check") && !looked) {
    const problem = "substitute_check is for a check that was carried out: use a tool to look, then report it.";
    return reject(item, item.key, [problem]);
  }
  const counted = countScores(context, report);
  const { gates } = context.engine;
  const open = (report.uncertainties ?? []).filter(({ resolved }) => !resolved);
  const assumptions = open
    .filter(({ confidence }) => confidence >= 0.4 && confidence < gates.unproven)
    .map(
      ({ area, confidence, resolution }) =>
        `${area} (${percent(confidence)} sure)${resolution ? `: ${resolution}` : ""}`,
    );
  const mustAsk = open.flatMap(({ area, confidence, question }) =>
    confidence < 0.4 && question
      ? [{ id: snakeCase(area), question, why: `Confidence in ${area} is ${percent(confidence)}.` }]
      : [],
  );
  const asked = [...(report.questions ?? []), ...mustAsk]
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
  return asked.length > 0 && context.current_phase !== "implementation"
    ? [recorded, event("questions_asked", { questions: asked })]
    : [recorded];
}

/** Without a network nobody asks for advisories, whether or not the prompt says so. */
function withUnchecked(prompt: string, report: Report): Report {
  const notes = report.notes ?? [];
  const asks = prompt === "security_scanner" || prompt === "dependency_auditor";
  if (!asks || notes.some(({ kind }) => kind === "not_checked")) return report;
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

/** Mistakes of form that the model can mend at once. */
function actionProblems(action: Action, facts: Facts): string[] {
  switch (action.do.type) {
    case "run_prompts": {
      const { length } = action.do.prompts;
      if (length === 0) return ["run_prompts names no prompt."];
      if (length > 3) return [`run_prompts takes at most three prompts, and this names ${length}.`];
      return action.do.prompts.flatMap(({ name, inputs }) => {
        const prompt = facts.prompts.get(name);
        if (!prompt || !isListed(prompt)) return [`There is no prompt "${name}". Use a name from the catalogue.`];
        const given = new Set(inputs.map((input) => input.name));
        return [
          ...[...given]
            .filter((input) => !Object.hasOwn(prompt.inputs, input))
            .map((input) => `${name} has no input "${input}".`),
          ...inputs
            .flatMap((input) => misfit(prompt, input.name, input.value) ?? [])
            .map((wrong) => `${name}: ${wrong}.`),
          ...Object.entries(prompt.inputs)
            .filter(([input, { required }]) => required && !given.has(input))
            .map(([input]) => `${name} needs the input "${input}".`),
        ];
      });
    }
    case "ask_user":
      if (action.do.questions.length === 0) return ["ask_user asks nothing."];
      return action.do.questions.length > 5 ? ["ask_user asks at most five questions at once."] : [];
    case "advance":
    case "go_back":
      return isPhase(action.do.to) ? [] : [`There is no phase "${action.do.to}". Phases: ${phases.join(", ")}.`];
    case "present_solution":
      return action.do.artifact.files.length === 0
        ? ["The solution names no file. Name every file it will write."]
        : [];
    case "report_gap":
    case "complete":
    case "give_up":
      return [];
  }
}

function judgeAction(context: Context, item: Item, action: Action, facts: Facts): Judged {
  switch (action.do.type) {
    case "run_prompts": {
      const looks = (name: string) => !allows(facts.prompts.get(name)?.tools ?? "run", "edit");
      const beside = action.do.prompts.filter(({ name }) => looks(name)).length > 1;
      const prompts = action.do.prompts.map(({ name, inputs }, index) => ({
        key: queueKey(context, Number(item.key.split("/")[1]), index, name),
        name,
        inputs: Object.fromEntries(inputs.map((input) => [input.name, input.value])),
        ...(beside && looks(name) ? { together: true as const } : {}),
      }));
      const repeated = prompts.find(
        (prompt) => (context.engine.repeats[repeatKey(prompt)] ?? 0) >= context.engine.limits.repeats - 1,
      );
      if (repeated) {
        return [
          stuck(
            context,
            `${repeated.name} was asked for ${context.engine.limits.repeats} times although nothing had changed.`,
          ),
        ];
      }
      const weighed = (action.do.considered ?? facts.offered).filter((name) => facts.known.has(name));
      const considered = new Set([...prompts.map(({ name }) => name), ...weighed]);
      return [event("prompts_queued", { why: action.say, prompts, considered: [...considered].slice(0, 20) })];
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
      return present(context, action.do.artifact, facts);
    case "advance":
      return advance(context, action.do.to as Phase, action.do.reason ?? action.say);
    case "go_back":
      return goBack(context, action.do.to as Phase, action.do.reason ?? action.say, action.do.focus ?? "");
    case "complete":
      return completion(context, action.do.summary);
    case "give_up":
      return [
        park(
          "gave_up",
          context.current_phase === "implementation" ? exitCodes.verification : exitCodes.failed,
          `The model gave up: ${action.do.reason}`,
          'Everything found out is kept. Add what it lacks and go on: claude-exec ask {id} "…", or claude-exec resume {id}',
        ),
      ];
  }
}

/** A gap is looked at once, before the next decision; the same one again changes nothing. */
function gap(context: Context, gaps: Extract<Action["do"], { type: "report_gap" }>["gaps"]): Judged {
  const reported = event("gap_reported", { gaps });
  const inputs = {
    gap: gaps.map(({ description, key_questions }) => [description, ...key_questions].join("\n- ")).join("\n\n"),
    considered: [...new Set(gaps.flatMap(({ similar }) => similar))].join(", "),
  };
  const { why, prompts } = engineCall(context, "prompt_gap_detector", "A gap was reported.", inputs);
  const known = (context.engine.repeats[repeatKey(prompts[0]!)] ?? 0) > 0;
  return known ? [reported] : [reported, event("prompts_queued", { why, prompts })];
}

/** A chain is done when the engine's own record says so. */
export function completion(context: Context, summary: string): Judged {
  const planned = context.mode === "plan-only" && context.solution?.standing === "approved";
  const reasons = planned ? [] : gate(context, "done");
  if (reasons.length > 0) return refuse(context, "done", reasons);
  const unadvised = context.worktree !== null && !planned && !context.evidence.reviewed.includes("git_advisor");
  if (!unadvised) return [event("completed", { summary })];
  const inputs = {
    focus: `Commit what lies uncommitted in the worktree ${context.worktree?.path} on a branch of its own`,
  };
  const { why, prompts } = engineCall(context, "git_advisor", "Committing is for the user to do.", inputs);
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
  if (
    from === "uncertainty-analysis" &&
    earlier !== undefined &&
    last !== undefined &&
    last <= earlier + 0.005 &&
    overall <= last + 0.005
  ) {
    return [
      stuck(context, `Two rounds of exploration have not moved the confidence: it stays at ${percent(overall)}.`),
    ];
  }
  if (to === "context-building" && engine.rounds.length + 1 >= engine.limits.rounds) {
    return [
      stuck(
        context,
        `All ${engine.limits.rounds} rounds of exploration are used up; the confidence is ${percent(overall)}.`,
      ),
    ];
  }
  const voided =
    context.solution?.standing === "approved"
      ? [event("approval_voided", { reason: `The chain went back to ${to}: ${reason}` })]
      : [];
  return [...voided, event("phase_changed", { from, to, reason, focus })];
}

/** By what the chain measured, not by what the solution says of itself. */
function isSurelyTiny({ scores, confidence_scores: confidence, engine: { gates } }: Context): boolean {
  const { ambiguity } = scores;
  return (
    ambiguity !== undefined && ambiguity <= gates.ambiguity && (confidence["requirements"] ?? 0) >= gates.requirements
  );
}

function present(context: Context, solution: Solution, facts: Facts): Judged {
  const { current_phase: from, engine } = context;
  const before: ChainEvent[] = [];
  const small = fitsTiny(solution);
  if (from === "requirements-clarification" || from === "context-building") {
    if (!small || (context.size !== "tiny" && !isSurelyTiny(context))) {
      return refuse(context, "solution-approval", [
        `A solution is presented after the uncertainty analysis; this is ${from}.`,
      ]);
    }
    const open = blocking(context).map(({ area }) => `The blocking uncertainty "${area}" is open.`);
    if (open.length > 0) return refuse(context, "solution-approval", open);
    if (context.size !== "tiny")
      before.push(event("size_changed", { to: "tiny", reason: "One file and its test, and nothing left open." }));
  } else if (context.size === "tiny" && !small) {
    before.push(event("size_changed", { to: "normal", reason: "The solution needs more than one file and its test." }));
  }
  if (from === "uncertainty-analysis") {
    const reasons = gate(context, "solution-approval");
    if (reasons.length > 0) return refuse(context, "solution-approval", reasons);
  }
  if (from === "implementation")
    return refuse(context, "solution-approval", [
      "To change an approved solution, go back to solution-approval first.",
    ]);
  if (solution.verification.kind === "tests" && !engine.test_command) {
    return refuse(context, "solution-approval", [
      "No test command was found in this workspace: name a substitute check, or the user must set tests.command.",
    ]);
  }
  if (solution.verification.kind === "substitute" && solution.verification.check.trim() === "") {
    const reason = "Nothing here can fail in a test, so name the check that is carried out instead.";
    return refuse(context, "solution-approval", [reason]);
  }
  const unseen = solution.files.filter(({ path }) => unseenLetters.test(path));
  if (unseen.length > 0) {
    const reasons = unseen.map(
      ({ path }) => `${JSON.stringify(path)} holds letters that cannot be seen. Name it plainly.`,
    );
    return refuse(context, "solution-approval", reasons);
  }
  const asDoc = solution.files.filter(({ path, role }) => role === "doc" && looksLikeCode(path));
  if (asDoc.length > 0) {
    const reasons = asDoc.map(({ path }) => `${path} is code by its name, so its role is code or test.`);
    return refuse(context, "solution-approval", reasons);
  }
  const disguised = solution.files.filter(({ path, role }) => role === "test" && !looksLikeTest(path));
  if (disguised.length > 0) {
    return refuse(
      context,
      "solution-approval",
      disguised.map(
        ({ path }) => `${path} does not look like a test: its name or folder must say so, or its role is code.`,
      ),
    );
  }
  const outside = Object.entries(facts.base)
    .filter(([, hash]) => hash === refusedPath)
    .map(([path]) => path);
  if (outside.length > 0)
    return refuse(
      context,
      "solution-approval",
      outside.map((path) => `${path} cannot be written: it is protected or lies outside the workspace.`),
    );
  if (from !== "solution-approval") {
    before.push(
      event("phase_changed", {
        from,
        to: "solution-approval",
        reason: "The solution is ready to be judged.",
        focus: "",
      }),
    );
  }
  const size = before.findLast((happened) => happened.event === "size_changed")?.to ?? context.size;
  const text = solutionText(solution, { ...context, size });
  return [
    ...before,
    event("solution_presented", { solution, text, id: solutionHash(text, facts.base), base: facts.base }),
  ];
}

/** A person approves what they see: no line breaks, control letters, or marks that turn the direction of writing. */
const unseenLetters = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** Stands in `Facts.base` for a path that may never be written. */
export const refusedPath = "refused";

export function refuse(context: Context, to: string, reasons: readonly string[]): Judged {
  const refused = event("gate_refused", { to, reasons });
  if (context.engine.refusals < 2) return [refused];
  return [refused, stuck(context, `The model insists on "${to}", which is refused: ${reasons[0] ?? ""}`)];
}

function stuck(context: Context, message: string): ChainEvent {
  if (context.current_phase === "implementation") {
    return park(
      "not_verified",
      exitCodes.verification,
      message,
      'The files are as they are, nothing is reported as working. Help with a hint: claude-exec ask {id} "…", or go on: claude-exec resume {id}',
    );
  }
  const open = blocking(context).map(({ area }) => area);
  return park(
    "no_movement",
    exitCodes.confidence,
    open.length ? `${message} Open and blocking: ${open.join(", ")}.` : message,
    'Tell it what it cannot find out (claude-exec ask {id} "…"), set an area aside (claude-exec waive {id} <area> "why"), or go on: claude-exec resume {id}',
  );
}

function isPhase(name: string): name is Phase {
  return (phases as readonly string[]).includes(name);
}

function snakeCase(text: string): string {
  return (
    text
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "_")
      .slice(0, 60) || "question"
  );
}
