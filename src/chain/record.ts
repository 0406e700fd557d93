import { areas, type Context, type OpenFinding, type Uncertainty } from "./context.ts";
import type { Touched } from "../workspace/file_states.ts";
import type { EventNamed } from "./events.ts";
import { isFinished } from "./gates.ts";
import { healthAfter } from "./health.ts";
import { withEngine } from "./item.ts";
import type { Finding, Report } from "./reply.ts";
import { isReviewer, scoreOwners, triggers } from "./roles.ts";

type ReportRecorded = EventNamed<"report_recorded">;

/** Takes a report into what is known. Its names come from a model: they are only ever own keys. */
export function recordReport(context: Context, { report, counted, prompt, ...event }: ReportRecorded): Context {
  const { engine, session_memory: memory } = context;
  const notes = (kind: string) => (report.notes ?? []).flatMap((note) => (note.kind === kind ? [note.text] : []));
  const unchecked = notes("not_checked").map((text) => `${prompt}: ${text}`);
  const settled = (report.uncertainties ?? []).map(({ area }) => area);
  const { score, health } = healthAfter(context, prompt, report);
  const scored = withOverall({
    ...context,
    discovered: withEntries(context.discovered, report.discovered ?? [], ({ key, value }) => [key, value]),
    uncertainties: mergeUncertainties(context.uncertainties, report.uncertainties ?? [], {
      by: prompt,
      unchanged: engine.reported[prompt] === engine.changes,
      quality: engine.gates.quality,
    }),
    confidence_scores: withEntries(context.confidence_scores, counted, ({ area, score }) => [area, score]),
    scores: withEntries(
      context.scores,
      (report.scores ?? []).filter(({ name }) => maySay(prompt, name)),
      ({ name, value }) => [name, value],
    ),
    decisions: withEntries(context.decisions, report.decisions ?? [], ({ key, choice }) => [key, choice]),
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
      context_health: score,
    },
    git_advice: prompt === triggers.end_in_worktree.prompt ? adviceOf(report) : context.git_advice,
    not_checked: [
      ...context.not_checked.filter(
        (text) => context.evidence.reviewed.includes(prompt) || !text.startsWith(`${prompt}: `),
      ),
      ...unchecked,
    ],
    solution: outdated(context, report),
    prompts_executed: [...context.prompts_executed, prompt],
    last_response: report.summary,
    findings: mergeFindings(context, report.findings ?? [], prompt),
    evidence: {
      ...context.evidence,
      // A review counts only if it saw the finished change.
      reviewed: isFinished(context)
        ? [...context.evidence.reviewed.filter((name) => name !== prompt), prompt]
        : context.evidence.reviewed,
    },
  });
  return withEngine(scored, {
    health,
    repeats: event.moved ? {} : engine.repeats,
    refusals: event.moved ? 0 : engine.refusals,
    reported: { ...engine.reported, [prompt]: engine.changes },
    noted: withNoted(engine, notes("assumption")).noted,
    asked: answered(engine.asked, prompt, report),
    validated: prompt === triggers.assumptions_made.prompt ? scored.session_memory.assumptions : engine.validated,
    proposed: report.solution
      ? [...engine.proposed.filter((one) => one.prompt !== prompt), { prompt, solution: report.solution }]
      : engine.proposed,
    cited: [...new Set([...citedIn(report), ...engine.cited])].slice(0, 60),
    grounded: event.grounded && !engine.grounded.includes(prompt) ? [...engine.grounded, prompt] : engine.grounded,
  });
}

function citedIn({ confidence = [], discovered = [] }: Report): string[] {
  const pieces = [...confidence, ...discovered].flatMap(({ evidence = [] }) => evidence);
  return pieces.flatMap(({ kind, ref }) => (kind === "file" ? [ref] : []));
}

export function withNoted(engine: Context["engine"], texts: readonly string[]): Context["engine"] {
  return { ...engine, noted: [...new Set([...engine.noted, ...texts])] };
}

/** The prompt that settles a person's question answers it in its report. */
function answered(asked: Context["engine"]["asked"], prompt: string, { summary, account }: Report) {
  if (!asked || asked.answer !== null || prompt !== triggers.question_of_person.prompt) return asked;
  return { ...asked, answer: account ? `${summary}\n${account}` : summary };
}

function adviceOf({ artifacts = [], account, summary }: ReportRecorded["report"]): string {
  return [account ?? summary, ...artifacts.map(({ content }) => content)].join("\n\n");
}

/** A new decision or doubt makes a presented solution out of date: it must be presented again before anybody approves it. */
function outdated({ solution, decisions, uncertainties }: Context, report: Report): Context["solution"] {
  if (solution?.standing !== "presented") return solution;
  const decided = (report.decisions ?? []).some(({ key, choice }) => decisions[key] !== choice);
  const doubted = (report.uncertainties ?? []).some(
    ({ area, resolved }) => !resolved && !uncertainties.some((known) => known.area === area && !known.resolved),
  );
  return decided || doubted ? { ...solution, standing: "open" } : solution;
}

function withEntries<Item, Value>(
  known: Readonly<Record<string, Value>>,
  items: readonly Item[],
  entry: (item: Item) => [string, Value],
): Readonly<Record<string, Value>> {
  if (items.length === 0) return known;
  // Key by key: of a thousand keys, a spread takes twice as long.
  const all = Object.create(null) as Record<string, Value>;
  for (const key of Object.keys(known)) all[key] = known[key]!;
  for (const [key, value] of items.map(entry)) all[key] = value;
  return all;
}

/**
 * A later word about an area replaces the earlier one. Reviewers are an exception: what they left open is replaced only
 * by themselves, and they replace nothing that others left open. What a reviewer found in the way stays there as long as
 * nothing changed: asked once more, it may not just think better of it.
 */
function mergeUncertainties(
  known: readonly Uncertainty[],
  reported: NonNullable<ReportRecorded["report"]["uncertainties"]>,
  { by, unchanged, quality }: { by: string; unchanged: boolean; quality: readonly string[] },
): Uncertainty[] {
  const stays = (old: Uncertainty) => unchanged && old.blocking && old.by === by && isReviewer(by, quality);
  const fresh = reported
    .map(({ area, confidence, blocking, resolved, resolution }) => ({
      area,
      confidence,
      blocking: blocking && !resolved,
      resolved,
      resolution: resolution || null,
      by,
    }))
    .filter(({ area }) => !known.some((old) => old.area === area && stays(old)));
  const replaced = (old: Uncertainty) =>
    fresh.some(
      (item) =>
        item.area === old.area &&
        (item.by === old.by || ((item.resolved || !isReviewer(by, quality)) && !isReviewer(old.by, quality))),
    );
  const withdrawn = (old: Uncertainty) =>
    old.by === by && isReviewer(by, quality) && !stays(old) && !fresh.some((item) => item.area === old.area);
  return [...known.filter((old) => !replaced(old) && !withdrawn(old)), ...fresh];
}

/**
 * The findings of a prompt replace its earlier ones: those that it does not repeat are closed. As long as nothing
 * changed, a blocking finding stays: asked once more, its reviewer may not just think better of it. A reviewer that saw
 * only a fix says nothing about what did not block.
 */
function mergeFindings({ findings: known, engine, evidence }: Context, findings: readonly Finding[], by: string) {
  const isUnchanged = engine.reported[by] === engine.changes;
  const fresh = findings.map((finding): OpenFinding => {
    const isTaken = known.some((one) => one.id === finding.id && one.by !== by);
    return { ...finding, id: isTaken ? `${by}/${finding.id}` : finding.id, by, standing: "open" };
  });
  const others = known.filter((one) => one.by !== by || !fresh.some(({ id }) => id === one.id));
  const closes = ({ by: whose, severity }: OpenFinding) =>
    whose === by && !(severity === "blocking" ? isUnchanged : evidence.reviewed.includes(by));
  return [...others.map((one) => (closes(one) ? { ...one, standing: "closed" as const } : one)), ...fresh];
}

/** Scores that open a gate are believed of the prompt whose work they are, and of no other. */
function maySay(prompt: string, score: string): boolean {
  const owners = new Map<string, readonly string[]>(Object.entries(scoreOwners)).get(score);
  return owners === undefined || owners.includes(prompt);
}

/** The mean over the areas that are open: the three that always count, and others once something was said of them. */
export function withOverall(context: Context): Context {
  const { overall: _, ...scores } = context.confidence_scores;
  const open = new Set([...areas, ...Object.keys(scores)]);
  for (const area of Object.keys(context.waived)) open.delete(area);
  const values = [...open].map((area) => scores[area] ?? 0);
  const overall = values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : 1;
  return { ...context, confidence_scores: { overall: Math.round(overall * 100) / 100, ...scores } };
}

/**
 * Approved files count as a model's command left them, and what was proved of them before is void. Whoever else
 * changed one, tests included, is somebody else: the approval will not hold.
 */
export function recordTouched(context: Context, { touched, meant }: EventNamed<"files_touched">): Context {
  const { files } = context.engine;
  const hash = (state: Touched["after"]) => (state?.type === "file" ? state.sha256 : null);
  const approved = new Map((context.solution?.solution.files ?? []).map(({ path, role }) => [path, role]));
  const others = touched.filter(({ path }) => !approved.has(path)).map(({ path }) => path);
  const known = others.length === 0 ? context : { ...context, touched: [...new Set([...context.touched, ...others])] };
  const hit = touched.filter(({ path }) => approved.has(path));
  if (hit.length === 0 || !meant) return known;
  const changed = hit.map(({ path, before, after }) => {
    const first = files[path] ? files[path].before : hash(before);
    return [path, { before: first, after: hash(after), role: approved.get(path) ?? "code" }];
  });
  return withEngine(
    { ...known, evidence: { ...context.evidence, green: false } },
    { untested: true, changes: context.engine.changes + 1, files: { ...files, ...Object.fromEntries(changed) } },
  );
}

export function recordChange(context: Context, { path, role, before, after }: EventNamed<"file_changed">): Context {
  const { session_memory: memory, engine } = context;
  const { substitute_check: _check, ...scores } = context.scores;
  const add = (list: readonly string[]) => (list.includes(path) ? list : [...list, path]);
  return withEngine(
    {
      ...context,
      session_memory: {
        ...memory,
        files_modified: add(memory.files_modified),
        tests_written: role === "test" ? add(memory.tests_written) : memory.tests_written,
      },
      scores,
      evidence: {
        ...context.evidence,
        green: false,
        changed_after_red:
          role === "test" && context.evidence.red
            ? add(context.evidence.changed_after_red)
            : context.evidence.changed_after_red,
      },
    },
    {
      untested: true,
      changes: engine.changes + 1,
      refusals: 0,
      repeats: {},
      tested: { [path]: before, ...engine.tested },
      files: {
        ...engine.files,
        [path]: { before: engine.files[path] ? engine.files[path].before : before, after, role },
      },
    },
  );
}
