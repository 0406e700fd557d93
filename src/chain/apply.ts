import { releaseLost, settleLost } from "../costs/books.ts";
import { applyEdits } from "./edits.ts";
import { emptyContext, type Context, type Item, type PhaseVisit } from "./context.ts";
import type { ChainEvent, ChainLine, EventNamed } from "./events.ts";
import { importContext } from "./import_context.ts";
import { applyIntent, applyResult, inItem, inLastTurn, withEngine } from "./item.ts";
import { recordChange, recordReport, recordTouched, withOverall } from "./record.ts";

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

export function replay(lines: readonly ChainLine[]): Context {
  const targets = new Set(lines.flatMap((line) => (isRewind(line) ? [line.to] : [])));
  const then = new Map<number, Context>();
  let context = emptyContext;
  for (const [index, line] of lines.entries()) {
    if (targets.has(index)) then.set(index, context);
    const target = isRewind(line) ? then.get(line.to) : undefined;
    context = isRewind(line) && target ? rewound(context, target, lines.slice(line.to, index)) : apply(context, line);
  }
  return context;
}

function isRewind(line: ChainLine): line is Extract<ChainLine, { event: "rewound" }> {
  return line.type === "event" && line.event === "rewound" && !line.files_only;
}

/** As it was then, but what was spent stays spent, and what was said once is not said again. */
function rewound(now: Context, then: Context, dead: readonly ChainLine[]): Context {
  const { taken, turns, runs, alerted, outputs, sent } = now.engine;
  // A call that was in the air when it was rewound is as dead as all after that line.
  const ended = dead.flatMap((line) => (line.type === "result" ? [line.key] : []));
  const open = Object.fromEntries(Object.entries(then.engine.open).filter(([key]) => !ended.includes(key)));
  const kept = { taken, turns, runs, alerted, outputs, sent, open, consent: null };
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
        ...withEngine(context, { gates: event.gates, limits: event.limits, test_command: event.test_command }),
        goal: event.goal,
        size: event.size,
        mode: event.mode ?? "tdd",
        worktree: event.worktree ? { path: event.worktree.path, folder: event.worktree.folder } : null,
        workspace: event.workspace,
        phase_history: [newVisit(context.current_phase, at)],
      };
    case "imported":
      return withOverall(importContext(context, event.context, event.parts ?? [], at));
    case "context_edited":
      return withEngine(withOverall(applyEdits(context, event.changes)), { repeats: {} });
    case "epoch_opened":
      return withEngine(context, {
        epoch: { number: event.number, tools: event.tools, system: event.system, bytes: event.bytes },
        item: engine.item && begunAnew(engine.item),
        group: engine.group.map((item) => (hasAnswered(item) ? item : begunAnew(item))),
        ...(event.digest === null ? {} : { ledger: [event.digest], ledger_bytes: Buffer.byteLength(event.digest) }),
      });
    case "ledger_extended":
      return withEngine(context, {
        ledger: [...engine.ledger, event.text],
        ledger_bytes: engine.ledger_bytes + Buffer.byteLength(event.text),
      });
    case "decision_taken":
      return withEngine(
        inVisit(context, (visit) => ({ ...visit, iterations: visit.iterations + 1 })),
        { item: null, gate: null },
      );
    case "prompts_queued":
      return withEngine(context, {
        queue: [...engine.queue, ...event.prompts],
        decisions: {
          ...engine.decisions,
          [context.current_phase]: Math.max(
            engine.decisions[context.current_phase] ?? 0,
            ...event.prompts.map(({ key }) => Number(key.split("/")[1])),
          ),
        },
        repeats: event.prompts.reduce<Record<string, number>>(
          (repeats, prompt) => ({ ...repeats, [repeatKey(prompt)]: (repeats[repeatKey(prompt)] ?? 0) + 1 }),
          engine.repeats,
        ),
      });
    case "reply_rejected":
      return inItem(context, event.key, (item) => ({
        ...inLastTurn(item, (turn) => ({ ...turn, settled: true })),
        rejected: item.rejected + 1,
        note: `Your last reply could not be used:\n${event.problems.map((problem) => `- ${problem}`).join("\n")}\nAnswer again.`,
      }));
    case "report_recorded":
      return recordReport(
        inVisit(withEngine(context, { ...without(context, event.key), consent: null }), (visit) => ({
          ...visit,
          prompts_executed: [...visit.prompts_executed, event.prompt],
        })),
        event,
      );
    case "gap_reported":
      return { ...context, last_gap_detected: event.gaps.at(-1) ?? null };
    case "questions_asked":
      return {
        ...context,
        questions: [
          ...context.questions,
          ...event.questions
            .filter((question) => !context.questions.some((known) => known.id === question.id))
            .map((question) => ({ ...question, answer: null })),
        ],
      };
    case "question_answered": {
      const question = context.questions.find((known) => known.id === event.id)?.question ?? event.id;
      const answered = inVisit(context, (visit) => ({
        ...visit,
        clarifications: [...visit.clarifications, `${question} ${event.answer}`],
      }));
      return withEngine(
        {
          ...answered,
          questions: context.questions.map((known) =>
            known.id === event.id ? { ...known, answer: event.answer } : known,
          ),
        },
        { repeats: {} },
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
          focus: event.focus,
          gate: null,
          refusals: 0,
          rounds: left ? [...engine.rounds, context.confidence_scores["overall"] ?? 0] : engine.rounds,
        },
      );
    }
    case "gate_refused":
      return withEngine(context, { gate: { to: event.to, reasons: event.reasons }, refusals: engine.refusals + 1 });
    case "area_waived":
      return withOverall({ ...context, waived: { ...context.waived, [event.area]: event.reason } });
    case "size_changed":
      return { ...context, size: event.to };
    case "solution_presented":
      return withEngine(
        {
          ...context,
          solution: {
            solution: event.solution,
            text: event.text,
            hash: event.id,
            base: event.base,
            standing: "presented",
          },
        },
        { refusals: 0 },
      );
    case "approval_given":
      return provenAnew(approved(context, event.solution, "approved", "approved", at, by));
    case "approval_refused":
      return approved(context, event.solution, "open", `rejected${event.reason ? `: ${event.reason}` : ""}`, at, by);
    case "more_info_asked":
      return context.solution?.standing === "presented"
        ? approved(context, event.solution, "presented", `more-info: ${event.question}`, at, by)
        : withEngine(context, { repeats: {} });
    case "changes_requested":
      return approved(context, event.solution, "open", `changes: ${event.request}`, at, by);
    case "approval_voided":
      return { ...context, solution: context.solution && { ...context.solution, standing: "void" } };
    case "message_ignored":
      return context;
    case "permission_asked":
      return withEngine(context, { request: event.request, consent: null });
    case "permission_given":
      return permitted(context, event);
    case "permission_refused": {
      const { id, reason, question, lost = [] } = event;
      const consent = { id, type: "refused", reason, question } as const;
      return withEngine(question ? context : withLosses(context, lost, false), { request: null, consent });
    }
    case "file_changed":
      return recordChange(context, event);
    case "files_touched":
      return recordTouched(context, event);
    case "rewound":
      // What lies behind it has no life any more: `replay` goes back, as only it has all lines.
      return context;
    case "tests_judged":
      return withEngine(
        {
          ...context,
          evidence: {
            ...context.evidence,
            runs: [...context.evidence.runs, event],
            red: context.evidence.red || event.verdict === "red",
            green: event.verdict === "green",
            reviewed: event.verdict === "green" ? context.evidence.reviewed : [],
          },
        },
        { untested: false },
      );
    case "red_repeated":
      return repeated(context, event);
    case "lost_cost_entered":
      return { ...context, cost_tracking: settleLost(context.cost_tracking, event.usd) };
    case "cost_alerted":
      return withEngine(context, { alerted: true });
    case "parked":
      return {
        ...context,
        state: { type: "parked", code: event.code, exit: event.exit, message: event.message, hint: event.hint },
      };
    case "resumed":
      return withEngine(
        {
          ...context,
          state: { type: "running" },
          mode: event.mode ?? context.mode,
          evidence: untouched(context)
            ? { ...context.evidence, since: context.evidence.runs.length }
            : context.evidence,
        },
        {
          test_command: event.test_command ?? engine.test_command,
          limits: { ...engine.limits, ...event.limits },
          repeats: {},
          refusals: 0,
          rounds: [],
        },
      );
    case "recovered":
      return event.kept_as === null ? withEngine(context, { epoch: null }) : context;
    case "completed":
      return {
        ...context,
        cost_tracking: releaseLost(context.cost_tracking),
        phase_history: [...context.phase_history.slice(0, -1), ...endVisit(context.phase_history.at(-1), at)],
        state: { type: "completed", summary: event.summary, at },
      };
  }
}

function begunAnew(item: Item): Item {
  return { ...item, ledger: 1, turns: [], tail: null, note: null };
}

function hasAnswered({ turns }: Item): boolean {
  const last = turns.at(-1);
  return last !== undefined && last.stop === "end_turn" && !last.settled;
}

function without({ engine }: Context, key: string): Pick<Context["engine"], "item" | "group"> {
  return {
    item: engine.item?.key === key ? null : engine.item,
    group: engine.group.filter((item) => item.key !== key),
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
    changes: permits.changes || (always && request?.kind === "change"),
    commands: always ? [...permits.commands, ...allowed] : permits.commands,
  };
  const proposed = request?.kind === "change" ? request.after : null;
  const own = edited !== undefined && proposed !== null ? { proposed, text: edited } : null;
  return withEngine(context, { request: null, consent: { id, type: "given", edited: own }, permits: more });
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
  return withEngine(
    {
      ...context,
      solution: context.solution && { ...context.solution, standing },
      approval_history: [...context.approval_history, entry],
    },
    { repeats: {} },
  );
}

/** Nothing of the approved solution is written yet: what the tests say before it may be asked again. */
function untouched({ engine }: Context): boolean {
  return Object.keys(engine.files).length === 0;
}

/**
 * A newly approved solution starts without proof. Only tests that were seen to fail and fail still, and that belong
 * to this solution too, need not fail again: beside them nothing new could be seen to fail.
 */
function provenAnew(context: Context): Context {
  const { evidence, solution, session_memory: memory } = context;
  const tests = (solution?.solution.files ?? []).filter(({ role }) => role === "test");
  const failing = evidence.red && evidence.runs.at(-1)?.exit_code !== 0;
  const red = failing && tests.some(({ path }) => memory.tests_written.includes(path));
  const none = { green: false, repeated: false, losses: {}, changed_after_red: [], reviewed: [] };
  const anew = { ...evidence, since: evidence.runs.length, red, ...none };
  return withEngine({ ...context, evidence: anew }, { files: {}, untested: false });
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
