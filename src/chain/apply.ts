import { commandOf, typed } from "../tools/test_command.ts";
import { releaseLost, settleLost } from "../costs/books.ts";
import { applyEdits } from "./edits.ts";
import { emptyContext, type Context, type Item, type PhaseVisit } from "./context.ts";
import { forChain, type ChainEvent, type ChainLine, type EventNamed } from "./events.ts";
import { importContext } from "./import_context.ts";
import { healthAnswered, measuredHealth } from "./health.ts";
import { isNoted } from "./assumptions.ts";
import { ledgerText } from "./ledger.ts";
import { numbersOn } from "./page.ts";
import { applyIntent, applyResult, inItem, inLastTurn, withEngine } from "./item.ts";
import { recordGenerated } from "./gap.ts";
import { isRecord } from "../util/json.ts";
import { promptWriter } from "./roles.ts";
import { asTheUserSaid, madeBySolution } from "./test_question.ts";
import { recordChange, recordReport, recordTouched, withNoted, withOverall } from "./record.ts";

/**
 * One journal line taken into the context. Pure, and without judgement: what was decided is in the line, this
 * only writes it down. The context of a chain is this function folded over its journal.
 */
export function apply(context: Context, line: ChainLine): Context {
  switch (line.type) {
    case "header":
      return { ...context, chain_id: line.chain_id, started: line.at };
    case "intent":
      return applyIntent(context, line);
    case "result":
      return applyResult(context, line);
    case "event":
      return applyEvent(taken(context, line), line, line.at, line.by.name);
  }
}

/** `listen` hears of each line, with the context before it and after it. */
export function replay(
  lines: readonly ChainLine[],
  listen: (before: Context, line: ChainLine, after: Context) => void = () => {},
): Context {
  const targets = new Set(lines.flatMap((line) => (isRewind(line) ? [line.to] : [])));
  const then = new Map<number, Context>();
  let context = emptyContext;
  for (const [index, line] of lines.entries()) {
    if (targets.has(index)) then.set(index, context);
    const target = isRewind(line) ? then.get(line.to) : undefined;
    const before = context;
    context = isRewind(line) && target ? rewound(context, target, lines.slice(line.to, index)) : apply(context, line);
    listen(before, line, context);
  }
  return context;
}

function isRewind(line: ChainLine): line is Extract<ChainLine, { event: "rewound" }> {
  return line.type === "event" && line.event === "rewound" && !line.files_only;
}

/** As it was then, but what was spent stays spent, and what was said once is not said again. */
function rewound(now: Context, then: Context, dead: readonly ChainLine[]): Context {
  const { taken, turns, runs, commands, alerted, outputs, sent } = now.engine;
  // A call that was in the air when it was rewound is as dead as all after that line.
  const ended = dead.flatMap((line) => (line.type === "result" ? [line.key] : []));
  const open = Object.fromEntries(Object.entries(then.engine.open).filter(([key]) => !ended.includes(key)));
  const kept = { taken, turns, runs, commands, alerted, outputs, sent, open, consent: null };
  return withEngine({ ...then, cost_tracking: now.cost_tracking }, kept);
}

/** Remembers every inbox message that counted. A message that is put back into the inbox never counts again. */
function taken(context: Context, event: ChainEvent): Context {
  if (event.event === "phase_changed" || !("from" in event) || event.from === undefined) return context;
  return withEngine(context, { taken: [...context.engine.taken, event.from] });
}

function applyEvent(context: Context, event: ChainEvent, at: string, by: string): Context {
  const { engine } = context;
  switch (event.event) {
    case "chain_started":
      return {
        ...withEngine(context, {
          gates: event.gates,
          limits: event.limits,
          test_command: event.test_command,
          tests: { ...engine.tests, found_in: event.test_command_from ?? "" },
          is_deployed: event.is_deployed ?? true,
        }),
        goal: event.goal,
        size: event.size,
        mode: event.mode,
        worktree: event.worktree ? { path: event.worktree.path, folder: event.worktree.folder } : null,
        workspace: event.workspace,
        phase_history: [newVisit(context.current_phase, at)],
      };
    case "imported":
      return withOverall(importContext(context, event.context, event.parts, at));
    case "pattern_applied":
      return withEngine(context, { applied: { name: event.name, pattern: event.pattern } });
    case "notes_read":
      return context;
    case "context_edited":
      return withEngine(withOverall(applyEdits(context, event.changes)), { repeats: {} });
    case "epoch_opened": {
      const { number, tools, system, schema, bytes } = event;
      return withEngine(context, {
        epoch: { number, tools, system, schema, bytes },
        item: engine.item && begunAnew(engine.item),
        group: engine.group.map((item) => (hasAnswered(item) ? item : begunAnew(item))),
        conversation: [],
        request_tokens: 0,
        health: { ...engine.health, reports: [], since: 0, refused: 0, offer: null },
        ...(event.digest === null
          ? {}
          : {
              ledger: [{ text: event.digest, brief: event.digest }],
              ledger_bytes: Buffer.byteLength(event.digest),
            }),
      });
    }
    case "ledger_extended":
      return withEngine(context, {
        ledger: [...engine.ledger, { text: event.text, brief: event.brief ?? event.text }],
        ledger_bytes: engine.ledger_bytes + Buffer.byteLength(event.text),
      });
    case "change_shown":
      return withEngine(context, { shown: event.files });
    case "decision_taken":
      return withEngine(
        inVisit(context, (visit) => ({ ...visit, iterations: visit.iterations + 1 })),
        {
          ...without(context, event.key),
          gate: null,
          completion: event.action.do.type === "complete" ? event.action.do.summary : engine.completion,
        },
      );
    case "prompts_queued": {
      const { current_phase: phase } = context;
      const isWriting = event.prompts.some(({ name }) => name === promptWriter);
      const numbers = event.prompts.map(({ key }) => Number(key.split("/")[1]));
      const repeats = { ...engine.repeats };
      for (const key of event.prompts.map(repeatKey)) repeats[key] = (repeats[key] ?? 0) + 1;
      return withEngine(context, {
        // What the engine or a person wants to know comes before what a model has chosen.
        queue: event.considered ? [...engine.queue, ...event.prompts] : [...event.prompts, ...engine.queue],
        shown_first: isWriting ? event.shown_first === true : engine.shown_first,
        decisions: { ...engine.decisions, [phase]: Math.max(engine.decisions[phase] ?? 0, ...numbers) },
        repeats,
      });
    }
    case "reply_rejected":
      return inItem(
        withEngine(context, { health: { ...engine.health, refused: engine.health.refused + 1 } }),
        event.key,
        (item) => ({
          ...inLastTurn(item, (turn) => ({ ...turn, settled: true })),
          rejected: item.rejected + 1,
          ...(event.cut_at === undefined ? {} : { cut_at: event.cut_at }),
          note: `Your last reply could not be used:\n${event.problems.map((problem) => `- ${problem}`).join("\n")}\nAnswer again.`,
        }),
      );
    case "report_recorded":
      return recordReport(
        inVisit(withEngine(context, { ...without(context, event.key), consent: null }), (visit) => ({
          ...visit,
          prompts_executed: [...visit.prompts_executed, event.prompt],
        })),
        event,
      );
    case "asked_again":
      return withEngine(context, { ...without(context, event.key), queue: [event.again, ...engine.queue] });
    case "health_measured": {
      const session_memory = { ...context.session_memory, context_health: event.score };
      return withEngine({ ...context, session_memory }, { health: measuredHealth(engine.health, event) });
    }
    case "gap_reported":
      return { ...context, last_gap_detected: event.gaps.at(-1) ?? null };
    case "gap_judged": {
      const { gap: description, confidence, verdict } = event;
      const known = isRecord(context.last_gap_detected) ? context.last_gap_detected : {};
      const judged = { confidence_with_existing: confidence, recommendation: verdict };
      const gap = verdict === "generate" ? { text: description, confidence } : null;
      return withEngine({ ...context, last_gap_detected: { description, ...known, ...judged } }, { gap });
    }
    case "generated_prompt":
      return recordGenerated(context, event.prompt);
    case "questions_asked": {
      const questions = [
        ...context.questions,
        ...event.questions
          .filter((question) => !context.questions.some((known) => known.id === question.id))
          .map((question) => ({ ...question, answer: null })),
      ];
      const { proposed } = event.about_tests ?? {};
      if (proposed === undefined) return { ...context, questions };
      const question = { id: event.questions.at(-1)?.id ?? "", proposed };
      return withEngine({ ...context, questions }, { tests: { ...engine.tests, question } });
    }
    case "tests_settled":
      return testsSettled(context, event);
    case "question_answered": {
      const { id, answer } = event;
      const question = context.questions.find((known) => known.id === id)?.question ?? id;
      const clarified = inVisit(context, (visit) => ({
        ...visit,
        clarifications: [...visit.clarifications, `${question} ${answer}`],
      }));
      const questions = context.questions.map((known) => (known.id === id ? { ...known, answer } : known));
      // Whatever was said to it, the person is asked by the engine itself before tests are let go.
      const evidence = { ...context.evidence, losses: allowedLosses(context) };
      const untested = engine.untested || Object.values(context.evidence.losses).includes(false);
      const tests = engine.tests.question?.id === id ? { ...engine.tests, question: null } : engine.tests;
      return withEngine(
        { ...clarified, evidence, questions, ...settled(context, id, answer) },
        { repeats: {}, untested, tests, health: healthAnswered(engine.health, id, answer) },
      );
    }
    case "phase_changed": {
      const left = event.from === "uncertainty-analysis" && event.to === "context-building";
      return withEngine(
        {
          ...context,
          current_phase: event.to,
          phase_history: [
            ...context.phase_history.slice(0, -1),
            ...endVisit(context.phase_history.at(-1), at),
            newVisit(event.to, at),
          ],
        },
        {
          item: null,
          group: [],
          queue: [],
          request: null,
          consent: null,
          // What was read to write a solution is needed where a person asks about it.
          conversation: event.to === "solution-approval" ? engine.conversation : [],
          focus: event.focus,
          gate: null,
          completion: null,
          refusals: 0,
          rounds: left ? [...engine.rounds, context.confidence_scores["overall"] ?? 0] : engine.rounds,
        },
      );
    }
    case "gate_refused":
      return withEngine(context, {
        gate: { to: event.to, reasons: event.reasons },
        refusals: engine.refusals + 1,
        health: { ...engine.health, refused: engine.health.refused + 1 },
      });
    case "area_waived":
      return withOverall({ ...context, waived: { ...context.waived, [event.area]: event.reason } });
    case "size_changed":
      return { ...context, size: event.to };
    case "solution_presented": {
      const { solution, text, id: hash, base, page: now } = event;
      const judged = engine.page?.judged ?? null;
      return withEngine(
        { ...context, solution: { solution, text, hash, base, standing: "presented" } },
        {
          refusals: 0,
          page: now ? { now, before: judged, judged, confirmed: [] } : null,
          assumed: { ...engine.assumed, ...assumedIn(event) },
          // What is patched next is what the person saw last.
          proposed: engine.proposed.map((one) =>
            one.prompt === event.of ? { ...one, solution, earlier: { ...event.earlier, ...patchedIn(event) } } : one,
          ),
        },
      );
    }
    case "approval_given": {
      const settled = withApprovedAssumptions(commandApproved(withoutPermits(context), event));
      return keptProof(approved(settled, event.solution, "approved", "approved", at, by));
    }
    case "approval_refused":
      return approved(context, event.solution, "open", `rejected${event.reason ? `: ${event.reason}` : ""}`, at, by);
    case "more_info_asked":
      return context.solution?.standing === "presented"
        ? withEngine(approved(context, event.solution, "presented", `more-info: ${event.question}`, at, by), {
            asked: { solution: event.solution, question: event.question, answer: null },
          })
        : withEngine(context, { repeats: {}, said: [...engine.said.slice(-19), event.question] });
    case "hint_given":
      // The first prompt of a chain has not begun: it is told.
      return withEngine(context, {
        repeats: {},
        said: [...engine.said.slice(-19), event.text],
        unheard: Object.keys(engine.decisions).length > 0,
      });
    case "assumptions_answered": {
      const known = event.answers.reduce((now, { covers, answer }) => settledBy(now, covers, answer), context);
      const said = event.answers.map(({ id, answer }) => `${id}: ${answer}`).join("; ");
      const isConfirmed = event.answers.every(({ confirmed }) => confirmed);
      const judged = approved(known, event.solution, isConfirmed ? "presented" : "open", said, at, by);
      const { page } = judged.engine;
      const confirmed = event.answers.flatMap((one) => (one.confirmed ? [one.id] : []));
      return withEngine(judged, { page: page && { ...page, confirmed: [...page.confirmed, ...confirmed] } });
    }
    case "changes_requested":
      return approved(context, event.solution, "open", `changes: ${event.request}`, at, by);
    case "approval_voided":
      return {
        ...withoutPermits(context),
        solution: context.solution && { ...context.solution, standing: "void" },
      };
    case "message_ignored":
    case "interrupted":
      return context;
    case "permission_asked":
      return withEngine(context, {
        request: event.request,
        consent: null,
        spoken: event.request.said === "" ? engine.spoken : event.request.key,
      });
    case "permission_given":
      return permitted(context, event);
    case "permission_refused": {
      const { id, reason, question, lost = [] } = event;
      const consent = { id, type: "refused", reason, question } as const;
      const { request } = engine;
      const turned = request?.kind === "change" ? { [request.path]: request.after } : {};
      const turned_down = { ...engine.turned_down, ...turned };
      const said = { request: null, consent, turned_down, said: [...engine.said.slice(-19), reason] };
      if (!question) {
        const refused = withEngine(withLosses(context, lost, false), said);
        // The prompt at work sees the ledger only once it has ended, so its next turn says why.
        return lost.length > 0 && engine.item?.turns.length
          ? inItem(refused, engine.item.key, (item) => ({ ...item, note: ledgerText([event]) }))
          : refused;
      }
      // Once the question was looked into, the tests run again, and the person is asked again.
      return withEngine(context, lost.length > 0 ? { ...said, untested: true, gate: null } : said);
    }
    case "file_changed":
      return recordChange(context, event);
    case "files_touched":
      return recordTouched(context, event);
    case "rewound":
      // What lies behind it has no life any more: `replay` goes back, as only it has all lines.
      return context;
    case "tests_judged": {
      const { evidence } = context;
      const isRed = event.verdict === "red";
      const runs = [...evidence.runs, event];
      // The tests as they are now were seen to fail, so it counts no more that they were edited after an earlier red run.
      const changed_after_red = isRed ? [] : evidence.changed_after_red;
      const now = { red: evidence.red || isRed, green: event.verdict === "green", changed_after_red };
      return withEngine({ ...context, evidence: { ...evidence, runs, ...now } }, { untested: false, tested: {} });
    }
    case "red_repeated":
      return repeated(context, event);
    case "lost_cost_entered":
      return { ...context, cost_tracking: settleLost(context.cost_tracking, event.usd) };
    case "chain_rated":
      return context;
    case "cost_alerted":
      return event.of ? context : withEngine(context, { alerted: true });
    case "parked": {
      const { code, exit, message } = event;
      const next = forChain(event.next, context.chain_id);
      return { ...context, state: { type: "parked", code, exit, message, next } };
    }
    case "resumed": {
      const { test_command, limits, mode = context.mode } = event;
      const { evidence } = context;
      const said = { found_in: "from your option", confirmed: true, question: null, known_failing: null };
      const tests = test_command ? { test_command, tests: { ...engine.tests, ...said } } : {};
      const questions = test_command ? closed(context, typed(test_command)) : context.questions;
      const since = untouched(context) ? evidence.runs.length : evidence.since;
      return withEngine(
        { ...context, questions, state: { type: "running" }, mode, evidence: { ...evidence, since } },
        { ...tests, limits: { ...engine.limits, ...limits }, repeats: {}, refusals: 0, rounds: [] },
      );
    }
    case "recovered":
      return event.kept_as === null ? withEngine(context, { epoch: null }) : context;
    case "completed": {
      const { summary, ending = "completed", unproved = [] } = event;
      return {
        ...context,
        not_checked: [...context.not_checked, ...unread(context)],
        cost_tracking: releaseLost(context.cost_tracking),
        phase_history: [...context.phase_history.slice(0, -1), ...endVisit(context.phase_history.at(-1), at)],
        state: { type: "completed", summary, at, ending, unproved },
      };
    }
    case "round_begun":
      return newRound(context, event, at, by);
  }
}

/** What was found out stays known. Proof, permissions and everything under way belong to the round before. */
function newRound(before: Context, { kind, text, limits }: EventNamed<"round_begun">, at: string, by: string): Context {
  const { engine, session_memory: memory, cost_tracking: costs } = before;
  const { requirements: _measured, ...scores } = before.confidence_scores;
  const word = kind === "change" ? "changes" : "more-info";
  const known = approved({ ...before, solution: null }, "", "open", `${word}: ${text}`, at, by);
  const phase = "requirements-clarification";
  const more = (limit: number | null | undefined, spent: number) => (typeof limit === "number" ? spent + limit : limit);
  const { budget_usd: usd, budget_tokens: tokens } = limits;
  return withEngine(
    withOverall({
      ...known,
      state: { type: "running" },
      current_phase: phase,
      phase_history: [...before.phase_history, newVisit(phase, at)],
      questions: before.questions.filter(({ answer }) => answer !== null),
      confidence_scores: { overall: 0, ...scores },
      evidence: emptyContext.evidence,
      findings: [],
      scores: {},
      waived: {},
      not_checked: [],
      touched: [],
      session_memory: { ...memory, files_modified: [], tests_written: [] },
    }),
    {
      ...emptyContext.engine,
      ...keptInRound(engine),
      limits: {
        ...engine.limits,
        ...(usd === undefined ? {} : { budget_usd: more(usd, costs.estimated_cost) ?? null }),
        ...(tokens === undefined ? {} : { budget_tokens: more(tokens, costs.tokens_used) ?? null }),
      },
    },
  );
}

/** What stays true in a new round: how the model is spoken to, what it has seen and used, and what its user set once for all. */
const keptNames = [
  ...(["gates", "test_command", "is_deployed"] as const),
  ...(["epoch", "ledger", "ledger_bytes", "request_tokens", "outputs", "sent"] as const),
  ...(["taken", "seen", "searched", "grounded", "noted", "assumed", "validated", "said", "decisions"] as const),
  ...(["turns", "runs", "commands", "alerted", "health", "generated"] as const),
] as const;

function keptInRound(engine: Context["engine"]) {
  const kept = Object.fromEntries(keptNames.map((name) => [name, engine[name]]));
  return {
    ...(kept as Pick<Context["engine"], (typeof keptNames)[number]>),
    tests: { ...engine.tests, question: null, known_failing: null, in_workspace: false },
  };
}

function testsSettled(before: Context, settled: EventNamed<"tests_settled">): Context {
  const context = { ...before, questions: closed(before, settled.how) };
  const { engine, evidence, solution } = context;
  const tests = { ...engine.tests, question: null };
  const anew = { ...evidence, ...(untouched(context) ? { since: evidence.runs.length } : {}) };
  switch (settled.how) {
    case "go_on":
      return withEngine(context, { tests: { ...tests, known_failing: settled.known_failing } });
    case "again":
      return withEngine({ ...context, evidence: anew }, { tests });
    case "in_workspace":
      return withEngine({ ...context, evidence: anew }, { tests: { ...tests, in_workspace: true } });
    case "baseline_holds": {
      const since = evidence.runs.length - 1;
      const { setup } = settled;
      const runs = evidence.runs.map((run, at) => (at === since && setup ? { ...run, setup } : run));
      return { ...context, evidence: { ...evidence, runs, since } };
    }
    case "command": {
      // What is presented names the command, so it is no longer what a person would approve.
      const isNamed = solution?.standing === "presented" && solution.solution.verification.kind === "tests";
      return withEngine(
        {
          ...context,
          evidence: { ...anew, green: false },
          solution: isNamed ? { ...solution, standing: "open" } : solution,
        },
        {
          test_command: settled.argv,
          tests: { ...tests, found_in: asTheUserSaid, confirmed: true, known_failing: null, in_workspace: false },
          untested: !untouched(context),
        },
      );
    }
  }
}

/** Where the engine's question about the tests is settled elsewhere, it is open no longer. */
function closed({ questions, engine: { tests } }: Context, answer: string): Context["questions"] {
  const isOpen = (one: Context["questions"][number]) => one.id === tests.question?.id && one.answer === null;
  return questions.map((one) => (isOpen(one) ? { ...one, answer } : one));
}

/** An approval by a person confirms the command of the tests. Where there is none yet, the solution names it. */
function commandApproved(context: Context, { from }: EventNamed<"approval_given">): Context {
  const { engine, solution } = context;
  const { kind, command = "" } = solution?.solution.verification ?? { kind: "person" };
  const isMade = engine.test_command === null && kind === "tests" && command.trim() !== "";
  return withEngine(context, {
    ...(isMade ? { test_command: commandOf(command) } : {}),
    permits: { ...engine.permits, approved: from === undefined ? [] : linesOf(solution?.solution.commands ?? []) },
    tests: {
      ...engine.tests,
      ...(isMade ? { found_in: madeBySolution } : {}),
      confirmed: engine.tests.confirmed || from !== undefined,
    },
  });
}

/** The command lines alone, as one types them: a solution may say in parentheses, after a command, which hosts it reaches. */
function linesOf(commands: readonly string[]): string[] {
  const seen = commands.filter((command) => !/[\p{Cc}\p{Cf}]/u.test(command));
  return seen.flatMap((command) => {
    const line = /^`([^`]+)`/.exec(command)?.[1] ?? command;
    return [line.trim(), line.replace(/\s+\([^()]*\)\s*$/, "").trim()];
  });
}

/** Documentation is proved by a person who reads it: with a mode that asks for no change, nobody did. */
function unread({ solution, engine }: Context): string[] {
  const isByEye = solution?.solution.verification.kind === "person" && solution.standing === "approved";
  return isByEye && engine.allowed_changes < engine.changes ? ["the new text: nobody has read the change yet"] : [];
}

function begunAnew(item: Item): Item {
  return { ...item, told: 1, turns: [], tail: null, note: null };
}

function hasAnswered({ turns }: Item): boolean {
  const last = turns.at(-1);
  return last !== undefined && last.stop === "end_turn" && !last.settled;
}

/** Ends a prompt run. What it read and said stays in the conversation of its phase, if it ran alone. */
function without({ engine }: Context, key: string): Pick<Context["engine"], "item" | "group" | "conversation"> {
  const ended = engine.item?.key === key ? engine.item : null;
  return {
    item: ended ? null : engine.item,
    group: engine.group.filter((item) => item.key !== key),
    conversation: ended && !ended.fresh ? [...engine.conversation, { ...ended, note: null }] : engine.conversation,
  };
}

/** A green run that was repeated in vain is not green: its tests pass without the code as well. */
function repeated(context: Context, { why, unrepeated }: EventNamed<"red_repeated">): Context {
  const { evidence, not_checked } = context;
  const last = evidence.runs.at(-1);
  if (why === null || last?.verdict !== "green") {
    const unchecked = unrepeated === undefined ? not_checked : [...not_checked, unrepeated];
    return { ...context, not_checked: unchecked, evidence: { ...evidence, repeated: why === null } };
  }
  const runs = [...evidence.runs.slice(0, -1), { ...last, verdict: "unproven" as const, why }];
  return { ...context, evidence: { ...evidence, runs, green: false, repeated: false, reviewed: [] } };
}

/** A definite answer resolves the uncertainty it was asked for. "You choose" leaves the choice to be an assumption. */
function settled(context: Context, id: string, answer: string): Partial<Context> {
  const { settles = "", question = id } = context.questions.find((known) => known.id === id) ?? {};
  const isAbout = (area: string) => area === id || area === settles;
  if (!leavesItOpen.test(answer.trim())) {
    const uncertainties = context.uncertainties.map((known) =>
      isAbout(known.area) ? { ...known, resolved: true, blocking: false, resolution: answer, confidence: 1 } : known,
    );
    return { uncertainties };
  }
  const { session_memory: memory } = context;
  const left = `The user left this to the model: ${question}`;
  const uncertainties = context.uncertainties.map((known) =>
    isAbout(known.area) ? { ...known, blocking: false } : known,
  );
  return {
    uncertainties,
    session_memory: { ...memory, assumptions: [...memory.assumptions, left] },
    engine: withNoted(context.engine, [left]),
  };
}

/** A person's word resolves the open doubts and noted assumptions that it is about. A blocking doubt stays. */
function settledBy(context: Context, covers: readonly string[], resolution: string): Context {
  const { uncertainties } = context;
  const word = { confidence: 1, resolved: true, blocking: false, resolution, by: "user" };
  const about = covers.filter((name) => !uncertainties.some(({ area, blocking }) => area === name && blocking));
  const noted = about.filter((name) => isNoted(context, name) && !uncertainties.some(({ area }) => area === name));
  const settled = uncertainties.map((one) => (about.includes(one.area) && !one.resolved ? { ...one, ...word } : one));
  return { ...context, uncertainties: [...settled, ...noted.map((area) => ({ area, ...word }))] };
}

/** What a person allowed for all changes of one approval does not hold for another. */
function withoutPermits(context: Context): Context {
  return withEngine(context, {
    permits: { ...context.engine.permits, changes: false, approved: [] },
    asked: null,
  });
}

/** Settles what the approved solution assumes or drops: who approves the solution approves that too. */
function withApprovedAssumptions(context: Context): Context {
  const { assumptions = [], dropped = [] } = context.solution?.solution ?? {};
  const settled = assumptions.reduce((now, { text, covers }) => settledBy(now, covers, text), context);
  return dropped.reduce((now, { id, because }) => settledBy(now, [id], `dropped: ${because}`), settled);
}

const leavesItOpen =
  /^(?:you (?:choose|decide|pick)|up to you|your (?:choice|call)|(?:it )?does(?:n't| not) matter|(?:i )?(?:don't|do not) (?:care|know|mind)|no (?:idea|preference)|either|any|whatever|not sure)\b[^,;:]*$/i;

function allowedLosses({ evidence }: Context): Record<string, boolean> {
  return Object.fromEntries(Object.entries(evidence.losses).filter(([, isAllowed]) => isAllowed));
}

function withLosses(context: Context, lost: readonly string[], allowed: boolean): Context {
  if (lost.length === 0) return context;
  const losses = { ...context.evidence.losses, ...Object.fromEntries(lost.map((name) => [name, allowed])) };
  const untested = allowed || context.engine.untested;
  return withEngine({ ...context, evidence: { ...context.evidence, losses } }, { untested });
}

function permitted(before: Context, { id, always, edited, lost = [] }: EventNamed<"permission_given">): Context {
  const context = withLosses(before, lost, true);
  const { request, permits } = context.engine;
  const allowed = request?.kind === "command" ? [request] : [];
  const more = {
    ...permits,
    changes: permits.changes || (always && request?.kind === "change" && !request.unplanned),
    commands: always ? [...permits.commands, ...allowed] : permits.commands,
  };
  const proposed = request?.kind === "change" ? request.after : null;
  const own = edited !== undefined && proposed !== null ? { proposed, text: edited } : null;
  const allowed_changes = context.engine.allowed_changes + (request?.kind === "change" ? 1 : 0);
  return withEngine(context, {
    request: null,
    ...(lost.length > 0 ? { gate: null } : {}),
    consent: { id, type: "given", edited: own },
    permits: more,
    allowed_changes,
  });
}

function approved(
  context: Context,
  hash: string,
  standing: "approved" | "presented" | "open",
  response: string,
  at: string,
  by: string,
): Context {
  const presented = context.solution?.solution.title ?? "";
  const entry = { phase: "solution-approval" as const, presented, hash, user_response: response, by, timestamp: at };
  const { page } = context.engine;
  return withEngine(
    {
      ...context,
      solution: context.solution && { ...context.solution, standing },
      approval_history: [...context.approval_history, entry],
    },
    { repeats: {}, page: page && { ...page, judged: { title: presented, sections: page.now } } },
  );
}

function assumedIn({ page, solution }: EventNamed<"solution_presented">): Record<string, string> {
  const numbers = numbersOn(page);
  return Object.fromEntries(solution.assumptions.map(({ text }, at) => [numbers[at] ?? `A${at + 1}`, text]));
}

function patchedIn({ id, patched = [] }: EventNamed<"solution_presented">): Record<string, string> {
  return Object.fromEntries(patched.map((part) => [part, id]));
}

/** Nothing of the approved solution is written yet: what the tests say before it may be asked again. */
function untouched({ engine }: Context): boolean {
  return Object.keys(engine.files).length === 0;
}

/**
 * What a newly approved solution keeps of the one before: the files that it names again, also where a person changed
 * them by hand, and that their tests were seen to fail. Green is measured anew. The engine repeats red without all code
 * that was written since the chain began, so tests that would pass without that code still prove nothing.
 */
function keptProof(context: Context): Context {
  const { evidence, solution, engine } = context;
  const kept = (solution?.solution.files ?? []).flatMap(({ path, role }) => {
    const known = Object.hasOwn(engine.files, path) ? engine.files[path] : undefined;
    const after = solution?.base[path] ?? null;
    return known?.role === role && (after !== null || known.after === null)
      ? [[path, { ...known, after, kept: true as const }] as const]
      : [];
  });
  const named = new Map(kept);
  const left = Object.entries(engine.files).flatMap(([path, { before }]) => (named.has(path) ? [] : [[path, before]]));
  const isKept = kept.length > 0;
  const red = evidence.red && kept.some(([, { role }]) => role === "test");
  const losses = isKept ? allowedLosses(context) : {};
  const none = { green: false, repeated: false, changed_after_red: [], reviewed: [] };
  const since = isKept ? evidence.since : evidence.runs.length;
  return withEngine(
    { ...context, evidence: { ...evidence, since, red, losses, ...none } },
    {
      files: Object.fromEntries(kept),
      left: { ...engine.left, ...(Object.fromEntries(left) as Record<string, string | null>) },
      shown: {},
      tested: {},
      untested: isKept,
    },
  );
}

export function repeatKey(prompt: { name: string; inputs: Readonly<Record<string, string>> }): string {
  return JSON.stringify([prompt.name, prompt.inputs]);
}

function newVisit(phase: PhaseVisit["phase"], at: string): PhaseVisit {
  return { phase, started: at, ended: null, iterations: 0, prompts_executed: [], clarifications: [] };
}

function endVisit(visit: PhaseVisit | undefined, at: string): PhaseVisit[] {
  return visit ? [{ ...visit, ended: at }] : [];
}

function inVisit(context: Context, change: (visit: PhaseVisit) => PhaseVisit): Context {
  const visit = context.phase_history.at(-1);
  return visit ? { ...context, phase_history: [...context.phase_history.slice(0, -1), change(visit)] } : context;
}
