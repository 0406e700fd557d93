import { areas, type Context, type Uncertainty } from "./context.ts";
import type { Touched } from "../tools/types.ts";
import type { EventNamed } from "./events.ts";
import { withEngine } from "./item.ts";

type ReportRecorded = EventNamed<"report_recorded">;

/** Takes a report into what is known. Its names come from a model: they are only ever own keys. */
export function recordReport(context: Context, { report, counted, prompt, ...event }: ReportRecorded): Context {
  const { engine, session_memory: memory } = context;
  const notes = (kind: string) => (report.notes ?? []).flatMap((note) => (note.kind === kind ? [note.text] : []));
  const unchecked = notes("not_checked").map((text) => `${prompt}: ${text}`);
  const settled = (report.uncertainties ?? []).map(({ area }) => area);
  const scored = withOverall({
    ...context,
    discovered: withEntries(context.discovered, report.discovered ?? [], ({ key, value }) => [key, value]),
    uncertainties: mergeUncertainties(context.uncertainties, report.uncertainties ?? [], {
      by: prompt,
      unchanged: engine.reported[prompt] === engine.changes,
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
      context_health: (maySay(prompt, "health") && scoreOf(report, "health")) || memory.context_health,
    },
    git_advice: prompt === "git_advisor" ? adviceOf(report) : context.git_advice,
    not_checked: [...context.not_checked.filter((text) => !text.startsWith(`${prompt}: `)), ...unchecked],
    solution: outdated(context, event.moved),
    prompts_executed: [...context.prompts_executed, prompt],
    last_response: report.summary,
    evidence: {
      ...context.evidence,
      reviewed: [...context.evidence.reviewed.filter((name) => name !== prompt), prompt],
    },
  });
  return withEngine(scored, {
    repeats: event.moved ? {} : engine.repeats,
    refusals: event.moved ? 0 : engine.refusals,
    reported: { ...engine.reported, [prompt]: engine.changes },
    grounded: event.grounded && !engine.grounded.includes(prompt) ? [...engine.grounded, prompt] : engine.grounded,
  });
}

function adviceOf({ artifacts = [], findings, summary }: ReportRecorded["report"]): string {
  return [findings ?? summary, ...artifacts.map(({ content }) => content)].join("\n\n");
}

function scoreOf(report: ReportRecorded["report"], wanted: string): number | undefined {
  return report.scores?.find(({ name }) => name === wanted)?.value;
}

/** What was found out after a solution was presented belongs into it, before anybody approves it. */
function outdated({ solution }: Context, moved: boolean): Context["solution"] {
  return solution?.standing === "presented" && moved ? { ...solution, standing: "open" } : solution;
}

function withEntries<Item, Value>(
  known: Readonly<Record<string, Value>>,
  items: readonly Item[],
  entry: (item: Item) => [string, Value],
): Readonly<Record<string, Value>> {
  return items.length === 0 ? known : { ...known, ...Object.fromEntries(items.map(entry)) };
}

/**
 * A prompt's later word about an area replaces its earlier one; other prompts' words stand beside it. What a reviewer
 * found in the way stays there as long as nothing changed: asked once more, it may not just think better of it.
 */
function mergeUncertainties(
  known: readonly Uncertainty[],
  reported: NonNullable<ReportRecorded["report"]["uncertainties"]>,
  { by, unchanged }: { by: string; unchanged: boolean },
): Uncertainty[] {
  const stays = (old: Uncertainty) => unchanged && old.blocking && old.by === by && reviewers.has(by);
  const fresh = reported
    .map(({ area, confidence, blocking, resolved, resolution }) => ({
      area,
      confidence,
      blocking: blocking && !resolved,
      resolved,
      resolution: resolution ?? null,
      by,
    }))
    .filter(({ area }) => !known.some((old) => old.area === area && stays(old)));
  const replaced = (old: Uncertainty) =>
    fresh.some((item) => item.area === old.area && (item.by === old.by || (item.resolved && !reviewers.has(old.by))));
  const withdrawn = (old: Uncertainty) =>
    old.by === by && reviewers.has(by) && !stays(old) && !fresh.some((item) => item.area === old.area);
  return [...known.filter((old) => !replaced(old) && !withdrawn(old)), ...fresh];
}

/** Scores that open a gate are believed of the prompt whose work they are, and of no other. */
function maySay(prompt: string, score: string): boolean {
  const owners = new Map([
    ["ambiguity", ["requirement_disambiguator", "requirement_validator"]],
    ["simplicity", ["simplicity_checker"]],
    ["substitute_check", ["deployment_checker"]],
    ["health", ["context_health_checker"]],
  ]).get(score);
  return owners === undefined || owners.includes(prompt);
}

/** A review speaks about the code as it is now: what it no longer finds is gone, and only it can say so. */
const reviewers = new Set([
  "code_reviewer",
  "security_scanner",
  "simplicity_checker",
  "deployment_checker",
  "architecture_checker",
  "performance_auditor",
  "accessibility_checker",
  "api_consistency_checker",
  "breaking_change_detector",
  "dependency_auditor",
  "bundle_size_analyzer",
]);

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
    { ...known, evidence: { ...context.evidence, green: false, reviewed: [] } },
    { untested: true, changes: context.engine.changes + 1, files: { ...files, ...Object.fromEntries(changed) } },
  );
}

export function recordChange(context: Context, { path, role, before, after }: EventNamed<"file_changed">): Context {
  const { session_memory: memory, engine } = context;
  const { simplicity: _simplicity, substitute_check: _check, ...scores } = context.scores;
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
        reviewed: [],
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
      files: {
        ...engine.files,
        [path]: { before: engine.files[path] ? engine.files[path].before : before, after, role },
      },
    },
  );
}
