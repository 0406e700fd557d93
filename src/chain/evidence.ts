import type { Context } from "./context.ts";
import type { Evidence, Report } from "./reply.ts";

/** Whether this chain's journal holds what a piece of evidence points at. */
export function holds(context: Context, { kind, ref }: Evidence): boolean {
  const { engine } = context;
  switch (kind) {
    case "file": {
      const at = /^(.*?):(\d+)(?:-(\d+))?$/.exec(ref.trim());
      const ranges = rangesOf(context, normal(at?.[1] ?? ref));
      if (!at) return ranges.length > 0;
      const first = Number(at[2]);
      const last = Number(at[3] ?? at[2]);
      return ranges.some(([from, to]) => first <= to && last >= from);
    }
    case "command":
      return context.evidence.runs.length > 0 || engine.searched.includes(ref);
    case "user":
      return ref === "goal" || context.questions.some(({ id, answer }) => id === ref && answer !== null);
    case "prompt":
      return engine.grounded.includes(ref);
  }
}

/**
 * Each score of a report as it counts: in full with evidence that is held, at most `unproven` without. The
 * task's own words are evidence for the requirements only.
 */
export function countScores(
  context: Context,
  report: Report,
): { area: string; score: number; claimed: number; missing: string[] }[] {
  return (report.confidence ?? []).map(({ area, score, evidence }) => {
    const usable = evidence.filter(({ kind, ref }) => !(kind === "user" && ref === "goal" && area !== "requirements"));
    const missing = evidence
      .filter((piece) => !usable.includes(piece) || !holds(context, piece))
      .map(({ kind, ref }) => `${kind} ${ref}`);
    const proven = usable.some((piece) => holds(context, piece));
    return {
      area,
      claimed: score,
      score: proven ? score : Math.min(score, context.engine.gates.unproven),
      missing: proven ? [] : missing,
    };
  });
}

/** Whether a report rests on anything held, so that another may rest on it. */
export function isGrounded(context: Context, report: Report): boolean {
  const pieces = [...(report.confidence ?? []), ...(report.discovered ?? [])].flatMap(({ evidence }) => evidence ?? []);
  return pieces.some((piece) => !(piece.kind === "user" && piece.ref === "goal") && holds(context, piece));
}

function rangesOf({ engine: { seen } }: Context, path: string) {
  return Object.hasOwn(seen, path) ? (seen[path] ?? []) : [];
}

function normal(path: string): string {
  return path.trim().replace(/^\.\//, "");
}
