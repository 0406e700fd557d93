import type { Context } from "./context.ts";
import type { Counted } from "./events.ts";
import type { Evidence, Report } from "./reply.ts";
import { confidenceOwners } from "./roles.ts";

/** Whether this chain's journal holds what a piece of evidence points at. */
export function holds(context: Context, { kind, ref }: Evidence): boolean {
  const { engine } = context;
  if (isTask({ kind, ref })) return true;
  switch (kind) {
    case "file": {
      const { path, from: first, to: last } = linesIn(ref);
      const ranges = (Object.hasOwn(engine.seen, path) && engine.seen[path]) || [];
      return ranges.some(([from, to]) => last === Infinity || (first <= to && last >= from));
    }
    case "search":
    case "git": {
      const isListed = (one: string) => kind === "search" && one.startsWith("list ") && one.endsWith(` ${ref.trim()}`);
      return engine.searched.some((one) => one === `${kind} ${ref.trim()}` || isListed(one));
    }
    case "command":
      return isRun(context, ref.trim());
    case "user":
      return context.questions.some(({ id, answer }) => id === ref && answer !== null) || isRemark(context, ref);
    case "prompt":
      return engine.grounded.includes(ref);
    case "task":
      return true;
  }
}

/** What a person wrote when a solution was presented. */
function isRemark({ approval_history: history }: Context, ref: string): boolean {
  const begins = new Map([
    ["change_request", "changes: "],
    ["question", "more-info: "],
    ["rejection", "rejected: "],
  ]).get(ref);
  if (/^A[1-9]$/.test(ref)) return history.some(({ user_response }) => `; ${user_response}`.includes(`; ${ref}: `));
  return begins !== undefined && history.some(({ user_response }) => user_response.startsWith(begins));
}

/** A test run, a try or a command by its number, or a command by its line. */
function isRun({ engine, evidence }: Context, ref: string): boolean {
  const run = /^(?:run_tests|test run|tests?)(?: ?#?(\d+))?$/.exec(ref);
  if (run) return Number(run[1] ?? 1) <= evidence.runs.length;
  return engine.searched.includes(
    `command ${ref.replace(/^(try|command) #?(\d+)$/i, (_, kind, number) => `${kind.toLowerCase()} ${number}`)}`,
  );
}

/**
 * Each score of a report as it counts: in full with evidence that is held, at most `unproven` without. The task's own
 * words are evidence for the requirements only. A score of an area that somebody else measures is left out.
 */
export function countScores(context: Context, prompt: string, report: Report): Counted[] {
  const owned = (report.confidence ?? []).filter(({ area }) => mayScore(context, prompt, area));
  return owned.map(({ area, score, evidence }) => {
    const missing = evidence.filter((piece) => !proves(context, area, piece)).map(({ kind, ref }) => `${kind} ${ref}`);
    const proven = missing.length < evidence.length;
    return {
      area,
      claimed: score,
      score: proven ? score : Math.min(score, context.engine.gates.unproven),
      missing: proven ? [] : missing,
    };
  });
}

/** Whether a piece of evidence lets a score of this area count in full. */
export function proves(context: Context, area: string, piece: Evidence): boolean {
  return (!isTask(piece) || area === "requirements") && holds(context, piece);
}

/** A prompt whose work is not measuring may score an area only while it has no score, or was written to reduce that doubt. */
function mayScore({ confidence_scores: scores, engine }: Context, prompt: string, area: string): boolean {
  if (Object.hasOwn(engine.generated, prompt) && engine.generated[prompt]!.areas.includes(area)) return true;
  const owners = [...(Object.hasOwn(confidenceOwners, area) ? confidenceOwners[area]! : []), ...confidenceOwners["*"]!];
  return owners.includes(prompt) || !Object.hasOwn(scores, area);
}

/** Earlier versions cited the task as what the user said under the id "goal". */
function isTask({ kind, ref }: Evidence): boolean {
  return kind === "task" || (kind === "user" && ref === "goal");
}

/** Whether a report rests on anything held, so that another may rest on it. */
export function isGrounded(context: Context, report: Report): boolean {
  const pieces = [...(report.confidence ?? []), ...(report.discovered ?? [])].flatMap(({ evidence }) => evidence ?? []);
  return pieces.some((piece) => !isTask(piece) && holds(context, piece));
}

/** What a report claims without evidence that is held. A report that claims nothing cannot be checked either. */
export function unproved(context: Context, { discovered = [], confidence = [] }: Report): string[] {
  const claims = [...discovered, ...confidence.map(({ area: key, evidence }) => ({ key, evidence }))];
  if (claims.length === 0) return ["it holds nothing that evidence could check"];
  const isProved = (piece: Evidence) => !isTask(piece) && holds(context, piece);
  return claims.flatMap(({ key, evidence }) => (evidence?.some(isProved) ? [] : [`no evidence is held for ${key}`]));
}

/** "src/a.js:10-42" → that file and its lines 10 to 42. A path alone means all its lines. */
export function linesIn(ref: string): { path: string; from: number; to: number } {
  const at = /^(.*?):(\d+)(?:-(\d+))?$/.exec(ref.trim());
  const path = (at?.[1] ?? ref).trim().replace(/^\.\//, "");
  return { path, from: Number(at?.[2] ?? 1), to: Number(at?.[3] ?? at?.[2] ?? Infinity) };
}
