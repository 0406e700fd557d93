import type { Context, Health, ReportTrace } from "./context.ts";
import { event, type ChainEvent, type EventNamed } from "./events.ts";
import type { Evidence, Report } from "./reply.ts";
import { scoreOwners } from "./roles.ts";

/** Below the first, a prompt looks at the record. Below the second, the record should begin afresh. */
const [doubtful, unhealthy] = [8, 6];

/** What a report says about the record's health. The score of a prompt can only lower what the engine measured. */
export function healthAfter(context: Context, prompt: string, report: Report) {
  const { health } = context.engine;
  const { context_health: measured } = context.session_memory;
  const isCheck = scoreOwners.health.some((name) => name === prompt);
  const given = isCheck ? report.scores?.find(({ name }) => name === "health")?.value : undefined;
  const score = given === undefined ? measured : inRange(Math.min(given, measured ?? 10));
  // A record that has just begun afresh would be the same once more.
  const isBad = isCheck && score !== null && score < unhealthy && health.reports.length > 0;
  const reports = [...health.reports.slice(-19), traceOf(context, prompt, report)];
  const offer = isBad ? ("due" as const) : health.offer;
  return { score, health: { ...health, reports, since: health.since + 1, doubt: health.doubt && !isCheck, offer } };
}

function inRange(score: number): number {
  return Math.max(0, Math.min(10, Math.round(score * 10) / 10));
}

function traceOf({ approval_history, questions }: Context, prompt: string, report: Report): ReportTrace {
  const { discovered = [], findings = [], confidence = [], decisions = [] } = report;
  const refs = (evidence: readonly Evidence[] = []) => evidence.map(({ kind, ref }) => `${kind} ${ref}`);
  const scored = confidence.flatMap(({ area, evidence }) => refs(evidence).map((ref) => `${area} by ${ref}`));
  const found = discovered.map(({ key, value }) => `${key} = ${String(value)}`);
  return {
    names: [`prompt ${prompt}`, ...[...discovered, ...confidence].flatMap(({ evidence }) => refs(evidence))],
    pieces: [...found, ...scored, ...findings.map(({ where, what }) => `${where}: ${what}`)],
    decisions: decisions.map(({ key, choice }) => [key, choice]),
    words: approval_history.length + questions.filter(({ answer }) => answer !== null).length,
  };
}

/** After every ten reports the engine measures the record, without a call: 0 to 10. */
export function measureHealth({ engine: { health } }: Context): ChainEvent[] {
  const { reports, since, refused } = health;
  if (since < 10) return [];
  const known = new Set<string>();
  const decided = new Map<string, { choice: string; words: number }>();
  let [pieces, repeated, changed, uncited] = [0, 0, 0, 0];
  for (const [at, one] of reports.entries()) {
    const isNew = at >= reports.length - since;
    if (isNew) pieces += one.pieces.length;
    if (isNew) repeated += one.pieces.filter((piece) => known.has(piece)).length;
    for (const piece of one.pieces) known.add(piece);
    for (const [key, choice] of one.decisions) {
      const last = decided.get(key);
      // Where a person spoke in between, the change may be what they wanted.
      if (isNew && last && last.choice !== choice && last.words === one.words) changed += 1;
      decided.set(key, { choice, words: one.words });
    }
    const cited = new Set(reports.slice(at + 1).flatMap(({ names }) => names.slice(1)));
    if (at < reports.length - 1 && !one.names.some((name) => cited.has(name))) uncited += 1 / (reports.length - 1);
  }
  // Half of it may be so in a chain that does well, and the share of a few pieces says little.
  const beyondHalf = (share: number) => 2 * Math.max(0, share - 0.5);
  const lost = 4 * beyondHalf(repeated / Math.max(5, pieces)) + 2 * beyondHalf(uncited);
  const score = inRange(10 - lost - Math.min(4, 1.5 * changed) - Math.min(4, refused));
  const signs = [
    ...(repeated > 0 ? [`facts reported before: ${repeated} of ${pieces}`] : []),
    ...(changed > 0 ? [`decisions that changed although nobody asked: ${changed}`] : []),
    ...(uncited > 0.5 ? [`reports that nobody cites: ${Math.round(uncited * 100)} %`] : []),
    ...(refused > 0 ? [`refused replies and actions: ${refused}`] : []),
  ].join(", ");
  return [event("health_measured", { score, signs })];
}

export function measuredHealth(health: Health, { score, signs }: EventNamed<"health_measured">): Health {
  return { ...health, since: 0, refused: 0, signs, doubt: score < doubtful, offer: score < unhealthy ? "due" : null };
}

export function whyAfresh({ engine: { health }, session_memory: { context_health: score } }: Context): string {
  return `The record shows signs of confusion, its health is ${score ?? 0} of 10: ${health.signs}.`;
}

export const isOffer = (id: string) => id.startsWith("fresh_record_");

/** The engine's own question. */
export function offerFreshRecord(context: Context): ChainEvent {
  const id = `fresh_record_${context.prompts_executed.length}`;
  const question = `${whyAfresh(context)} Should the model go on with a fresh record of what is known?`;
  const why = "Decisions, answers, approvals, open doubts and files are kept. How they were found is left out.";
  return event("questions_asked", { questions: [{ id, question, why, options: ["Yes", "No"] }] });
}

export function healthAnswered(health: Health, id: string, answer: string): Health {
  if (!isOffer(id)) return health;
  return /^\s*y/i.test(answer) ? { ...health, offer: "accepted" } : { ...health, offer: null, doubt: false };
}
