import type { Json } from "../util/json.ts";
import { areas, type Context, type Item, type PhaseVisit, type Turn, type Uncertainty } from "./context.ts";
import type { Booking, ChainEvent, ChainLine, Intent, Result } from "./events.ts";
import { applyEdits, imported } from "./edits.ts";

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
      return applyEvent(context, line, line.at, line.by.name);
  }
}

export function replay(lines: readonly ChainLine[], from: Context = emptyContext): Context {
  return lines.reduce(apply, from);
}

function applyIntent(context: Context, intent: Intent): Context {
  const { engine } = context;
  switch (intent.effect) {
    case "model": {
      const started = inItem(context, intent.key, (item) => ({
        ...item,
        tail: intent.request.tail ?? item.tail,
        ledger: intent.request.ledger,
        source: intent.prompt,
        model: intent.request.model,
        note: intent.request.note ?? null,
      }));
      return withEngine(started, {
        open: {
          effect: "model",
          key: intent.key,
          turn: intent.turn,
          request: intent.request,
          reserved: intent.reserved,
        },
        turns: engine.turns + 1,
      });
    }
    case "change":
      return withEngine(context, {
        open: {
          effect: "change",
          key: intent.key,
          call: intent.call,
          path: intent.path,
          before: intent.before,
          after: intent.after,
        },
      });
    case "command":
      return withEngine(context, {
        open: { effect: "command", key: intent.key, call: intent.call },
        runs: engine.runs + 1,
      });
  }
}

function applyResult(context: Context, result: Result): Context {
  const closed = withEngine(context, { open: null });
  switch (result.effect) {
    case "model": {
      const booked = book(closed, result.booked);
      const { outcome } = result;
      if (outcome.type !== "replied") return booked;
      return inItem(booked, result.key, (item) => ({
        ...item,
        note: null,
        turns: [
          ...item.turns,
          {
            note: item.note,
            stop: outcome.stop,
            content: outcome.content,
            calls: outcome.calls.map((call) => ({ ...call, answer: null })),
            settled: false,
          },
        ],
      }));
    }
    case "tool": {
      const answered = inTurn(closed, result.key, (turn) => ({
        ...turn,
        calls: turn.calls.map((call) =>
          call.id === result.call ? { ...call, answer: { content: result.content, is_error: result.is_error } } : call,
        ),
      }));
      return result.seen.reduce(see, answered);
    }
    case "command":
      return closed;
  }
}

function see(context: Context, seen: Extract<Result, { effect: "tool" }>["seen"][number]): Context {
  const { engine } = context;
  if (seen.kind !== "file") return withEngine(context, { searched: [...engine.searched.slice(-199), seen.ref] });
  const at = /^(.*):(\d+)-(\d+)$/.exec(seen.ref);
  const [path, range] = at
    ? [at[1] ?? "", [Number(at[2]), Number(at[3])] as const]
    : [seen.ref, [1, Infinity] as const];
  return withEngine(context, { seen: { ...engine.seen, [path]: [...(engine.seen[path] ?? []), range] } });
}

function book(context: Context, booking: Booking): Context {
  const { cost_tracking: costs } = context;
  const { usage, usd, phase, prompt } = booking;
  const writes = usage.cacheWrite5m + usage.cacheWrite1h;
  const tokens = usage.input + usage.output + usage.cacheRead + writes;
  const spent = costs.by_prompt[prompt] ?? { calls: 0, tokens: 0, usd: 0 };
  const unknown = booking.unknown ? 1 : 0;
  return {
    ...context,
    cost_tracking: {
      tokens_used: costs.tokens_used + tokens,
      estimated_cost: costs.estimated_cost + (usd ?? 0),
      unpriced_calls: costs.unpriced_calls + (usd === null ? 1 : 0),
      by_phase: { ...costs.by_phase, [phase]: (costs.by_phase[phase] ?? 0) + (usd ?? 0) },
      by_prompt: {
        ...costs.by_prompt,
        [prompt]: { calls: spent.calls + 1, tokens: spent.tokens + tokens, usd: spent.usd + (usd ?? 0) },
      },
      by_kind: {
        input: costs.by_kind.input + usage.input,
        output: costs.by_kind.output + usage.output,
        cache_read: costs.by_kind.cache_read + usage.cacheRead,
        cache_write: costs.by_kind.cache_write + writes,
      },
      unknown_calls: costs.unknown_calls + unknown,
      unknown_cost: costs.unknown_cost + (unknown ? (usd ?? 0) : 0),
    },
  };
}

function applyEvent(context: Context, event: ChainEvent, at: string, by: string): Context {
  const taken =
    "from" in event && typeof event.from === "string" && event.event !== "phase_changed" ? event.from : undefined;
  const before =
    taken === undefined ? context : withEngine(context, { taken: [...context.engine.taken.slice(-99), taken] });
  return applyNamed(before, event, at, by);
}

function applyNamed(context: Context, event: ChainEvent, at: string, by: string): Context {
  const { engine } = context;
  switch (event.event) {
    case "chain_started":
      return {
        ...withEngine(context, { gates: event.gates, limits: event.limits, test_command: event.test_command }),
        goal: event.goal,
        size: event.size,
        workspace: event.workspace,
        phase_history: [newVisit(context.current_phase, at)],
      };
    case "imported":
      return imported(context, event.context);
    case "context_edited":
      return withEngine(applyEdits(context, event.changes), { repeats: {} });
    case "epoch_opened":
      return withEngine(context, {
        epoch: { number: event.number, tools: event.tools, system: event.system, bytes: event.bytes },
        item: engine.item && { ...engine.item, turns: [], tail: null, note: null },
        ...(event.digest === null ? {} : { ledger: [event.digest], ledger_bytes: Buffer.byteLength(event.digest) }),
      });
    case "ledger_extended":
      return withEngine(context, {
        ledger: [...engine.ledger, event.text],
        ledger_bytes: engine.ledger_bytes + Buffer.byteLength(event.text),
      });
    case "decision_taken":
      return withEngine(
        inVisit(finishItem(context, event.key), (visit) => ({ ...visit, iterations: visit.iterations + 1 })),
        { gate: null },
      );
    case "prompts_queued":
      return withEngine(context, {
        queue: [...engine.queue, ...event.prompts],
        decisions: { ...engine.decisions, [context.current_phase]: Number(event.prompts[0]?.key.split("/")[1] ?? 0) },
        repeats: event.prompts.reduce<Record<string, number>>(
          (repeats, prompt) => ({ ...repeats, [repeatKey(prompt)]: (repeats[repeatKey(prompt)] ?? 0) + 1 }),
          engine.repeats,
        ),
      });
    case "reply_rejected":
      return inItem(context, event.key, (item) => ({
        ...settleLast(item),
        rejected: item.rejected + 1,
        note: `Your last reply could not be used:\n${event.problems.map((problem) => `- ${problem}`).join("\n")}\nAnswer again.`,
      }));
    case "report_recorded":
      return recordReport(finishItem(context, event.key), event);
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
          queue: [],
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
      return approved(context, event.solution, "approved", "approved", at, by);
    case "approval_refused":
      return approved(context, event.solution, "open", `rejected${event.reason ? `: ${event.reason}` : ""}`, at, by);
    case "more_info_asked":
      return approved(context, event.solution, "open", `more-info: ${event.question}`, at, by);
    case "changes_requested":
      return approved(context, event.solution, "open", `changes: ${event.request}`, at, by);
    case "approval_voided":
      return { ...context, solution: context.solution && { ...context.solution, standing: "void" } };
    case "message_ignored":
      return context;
    case "file_changed":
      return recordChange(context, event);
    case "tests_judged":
      return withEngine(
        {
          ...context,
          evidence: {
            runs: [...context.evidence.runs, event],
            red: context.evidence.red || event.verdict === "red",
            green: event.verdict === "green",
            reviewed: event.verdict === "green" ? context.evidence.reviewed : [],
          },
        },
        { untested: false },
      );
    case "parked":
      return {
        ...context,
        state: { type: "parked", code: event.code, exit: event.exit, message: event.message, hint: event.hint },
      };
    case "resumed":
      return withEngine(
        { ...context, state: { type: "running" } },
        { limits: { ...engine.limits, ...event.limits }, repeats: {}, refusals: 0 },
      );
    case "recovered":
      return context;
    case "completed":
      return {
        ...context,
        phase_history: [...context.phase_history.slice(0, -1), ...endVisit(context.phase_history.at(-1), at)],
        state: { type: "completed", summary: event.summary, at },
      };
  }
}

type ReportRecorded = Extract<ChainEvent, { event: "report_recorded" }>;

function recordReport(context: Context, { report, counted, prompt, ...event }: ReportRecorded): Context {
  const { engine, session_memory: memory } = context;
  const notes = (kind: string) => (report.notes ?? []).flatMap((note) => (note.kind === kind ? [note.text] : []));
  const settled = (report.uncertainties ?? []).map(({ area }) => area);
  const discovered: Record<string, Json> = { ...context.discovered };
  for (const { key, value } of report.discovered ?? []) discovered[key] = value;
  const scored = withOverall({
    ...context,
    discovered,
    uncertainties: mergeUncertainties(context.uncertainties, report.uncertainties ?? [], prompt),
    confidence_scores: {
      ...context.confidence_scores,
      ...Object.fromEntries(counted.map(({ area, score }) => [area, score])),
    },
    scores: { ...context.scores, ...Object.fromEntries((report.scores ?? []).map(({ name, value }) => [name, value])) },
    decisions: {
      ...context.decisions,
      ...Object.fromEntries((report.decisions ?? []).map(({ key, choice }) => [key, choice])),
    },
    session_memory: {
      ...memory,
      mistakes_corrected: [...memory.mistakes_corrected, ...notes("mistake_corrected")],
      patterns_identified: [...memory.patterns_identified, ...notes("pattern_identified")],
      assumptions: [
        ...memory.assumptions.filter((text) => !settled.some((area) => text.startsWith(`${area} (`))),
        ...notes("assumption"),
        ...event.assumptions,
      ],
      notes: [...memory.notes, ...notes("free")],
    },
    prompts_executed: [...context.prompts_executed, prompt],
    last_response: report.summary,
    evidence: {
      ...context.evidence,
      reviewed: [...context.evidence.reviewed.filter((name) => name !== prompt), prompt],
    },
  });
  return withEngine(
    inVisit(scored, (visit) => ({ ...visit, prompts_executed: [...visit.prompts_executed, prompt] })),
    {
      repeats: event.moved ? {} : engine.repeats,
      refusals: event.moved ? 0 : engine.refusals,
      grounded: event.grounded && !engine.grounded.includes(prompt) ? [...engine.grounded, prompt] : engine.grounded,
    },
  );
}

/** A prompt's later word about an area replaces its earlier one; other prompts' words stand beside it. */
function mergeUncertainties(
  known: readonly Uncertainty[],
  reported: NonNullable<ReportRecorded["report"]["uncertainties"]>,
  by: string,
): Uncertainty[] {
  const fresh = reported.map(({ area, confidence, blocking, resolved, resolution }) => ({
    area,
    confidence,
    blocking: blocking && !resolved,
    resolved,
    resolution: resolution ?? null,
    by,
  }));
  const replaced = (old: Uncertainty) =>
    fresh.some((item) => item.area === old.area && (item.by === old.by || item.resolved));
  const withdrawn = (old: Uncertainty) =>
    old.by === by && reviewers.has(by) && !fresh.some((item) => item.area === old.area);
  return [...known.filter((old) => !replaced(old) && !withdrawn(old)), ...fresh];
}

/** A review speaks about the code as it is now: what it no longer finds is gone. */
const reviewers = new Set(["code_reviewer", "security_scanner", "simplicity_checker", "deployment_checker"]);

/** The mean over the areas that are open: the three that always count, and others once something was said of them. */
export function withOverall(context: Context): Context {
  const { overall: _, ...scores } = context.confidence_scores;
  const open = new Set([...areas, ...Object.keys(scores)]);
  for (const area of Object.keys(context.waived)) open.delete(area);
  const values = [...open].map((area) => scores[area] ?? 0);
  const overall = values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : 0;
  return { ...context, confidence_scores: { overall: Math.round(overall * 100) / 100, ...scores } };
}

function recordChange(
  context: Context,
  { path, role, before, after }: Extract<ChainEvent, { event: "file_changed" }>,
): Context {
  const { session_memory: memory, engine } = context;
  const add = (list: readonly string[]) => (list.includes(path) ? list : [...list, path]);
  return withEngine(
    {
      ...context,
      session_memory: {
        ...memory,
        files_modified: add(memory.files_modified),
        tests_written: role === "test" ? add(memory.tests_written) : memory.tests_written,
      },
      evidence: { ...context.evidence, green: false, reviewed: [] },
    },
    {
      untested: true,
      refusals: 0,
      repeats: {},
      files: {
        ...engine.files,
        [path]: { before: engine.files[path] ? engine.files[path].before : before, after, role },
      },
    },
  );
}

function approved(
  context: Context,
  hash: string,
  standing: "approved" | "open",
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

export function withEngine(context: Context, change: Partial<Context["engine"]>): Context {
  return { ...context, engine: { ...context.engine, ...change } };
}

/** Changes the item at work; one that is not yet there begins here, as what nextStep said would run. */
function inItem(context: Context, key: string, change: (item: Item) => Item): Context {
  const { engine } = context;
  if (engine.item?.key === key) return withEngine(context, { item: change(engine.item) });
  const queued = engine.queue.find((prompt) => prompt.key === key);
  const item: Item = {
    key,
    prompt: queued?.name ?? "phase_controller",
    inputs: queued?.inputs ?? {},
    expects: queued ? "report" : "action",
    tail: null,
    ledger: engine.ledger.length,
    source: null,
    model: null,
    turns: [],
    rejected: 0,
    note: null,
  };
  const number = queued
    ? engine.decisions
    : { ...engine.decisions, [context.current_phase]: (engine.decisions[context.current_phase] ?? 0) + 1 };
  return withEngine(context, {
    item: change(item),
    queue: engine.queue.filter((prompt) => prompt.key !== key),
    decisions: number,
  });
}

function inTurn(context: Context, key: string, change: (turn: Turn) => Turn): Context {
  return inItem(context, key, (item) => ({
    ...item,
    turns: [...item.turns.slice(0, -1), ...item.turns.slice(-1).map(change)],
  }));
}

function settleLast(item: Item): Item {
  return {
    ...item,
    turns: [...item.turns.slice(0, -1), ...item.turns.slice(-1).map((turn) => ({ ...turn, settled: true }))],
  };
}

function finishItem(context: Context, key: string): Context {
  return context.engine.item?.key === key ? withEngine(context, { item: null }) : context;
}

export const emptyContext: Context = {
  chain_id: "",
  goal: "",
  started: "",
  size: "normal",
  workspace: "",
  current_phase: "requirements-clarification",
  phase_history: [],
  discovered: {},
  uncertainties: [],
  confidence_scores: { overall: 0 },
  waived: {},
  scores: {},
  decisions: {},
  questions: [],
  generated_prompts: [],
  approval_history: [],
  session_memory: {
    files_modified: [],
    tests_written: [],
    mistakes_corrected: [],
    patterns_identified: [],
    assumptions: [],
    notes: [],
    context_health: null,
  },
  cost_tracking: {
    tokens_used: 0,
    estimated_cost: 0,
    unpriced_calls: 0,
    by_phase: {},
    by_prompt: {},
    by_kind: { input: 0, output: 0, cache_read: 0, cache_write: 0 },
    unknown_calls: 0,
    unknown_cost: 0,
  },
  prompts_executed: [],
  last_response: null,
  last_gap_detected: null,
  solution: null,
  evidence: { runs: [], red: false, green: false, reviewed: [] },
  state: { type: "running" },
  engine: {
    gates: { requirements: 0.9, ambiguity: 0.3, overall: 0.8, area: 0.6, unproven: 0.6, simplicity: 7, quality: [] },
    limits: { budget_usd: null, budget_tokens: null, turns: 400, turns_per_prompt: 30, rounds: 6, repeats: 3 },
    test_command: null,
    decisions: {},
    item: null,
    queue: [],
    epoch: null,
    ledger: [],
    ledger_bytes: 0,
    open: null,
    taken: [],
    seen: {},
    searched: [],
    grounded: [],
    repeats: {},
    rounds: [],
    refusals: 0,
    gate: null,
    focus: "",
    turns: 0,
    runs: 0,
    untested: false,
    files: {},
  },
};
