import type { ChainLine } from "../../operations/operation.ts";
import { cutWords } from "./terminal.ts";
import { percent } from "./values.ts";

type Recorded = Extract<ChainLine, { event: "report_recorded" }>;
type Report = Recorded["report"];

/** A line of the story: its mark, and its text before it is wrapped. */
export type StoryLine = readonly [mark: string, text: string];

const mostDiscoveries = 3;

/**
 * What a person is told of a report at once. Findings and steps to do by hand are told in full. What is in doubt, what was
 * found, and what it comes to take one row of so many columns, or two if one is too short: `log` shows the whole report.
 */
export function reportLines(
  { prompt, report, counted, key, shut }: Recorded,
  columns: number,
  looked: string,
): StoryLine[] {
  const { discovered = [], findings = [], uncertainties = [], notes = [] } = report;
  const unchecked = new Set(notes.flatMap(({ kind, text }) => (kind === "not_checked" ? [text] : [])));
  const isReview = key.startsWith("implementation/");
  const steps = discovered.filter(({ key: name }) => name === "manual_steps").flatMap(({ value }) => value);
  const others = discovered.filter(({ key: name }) => name !== "manual_steps").slice(0, mostDiscoveries);
  const found = others.map(({ key: name, value }) => `${inWords(name)}: ${[value].flat().join(", ")}`);
  const lowered = counted.filter(({ score, claimed }) => score < claimed);
  const doubts = [
    ...doubtTexts(report),
    ...lowered.map(
      ({ area, score, claimed }) =>
        `${inWords(area)} counts as ${percent(score)}: the report says ${percent(claimed)} without evidence`,
    ),
  ];
  const head = `${prompt}${looked}: `;
  const used = head.length + doubts.join(" · ").length + 3;
  const rows = used + Math.min(28 * found.length, found.join(" · ").length) > columns ? 2 : 1;
  const room = rows * columns - (rows - 1) * 12;
  const texts = found.length === 0 ? doubts : [...doubts, besideEachOther(found, room - used)];
  const isFull = texts.length > 0 && rows > 1;
  const said = head + (isFull ? texts : [...texts, report.summary]).join(" · ").trim().replaceAll(/\s+/g, " ");
  // ✗: a gate stays shut, or a review stops the work.
  const stops =
    shut ||
    findings.some(({ severity }) => severity === "blocking") ||
    (isReview && uncertainties.some(({ blocking, resolved }) => blocking && !resolved));
  return [
    [stops ? "✗" : "✓", isReview ? wholeSentences(said, columns) : inOneRow(said, room)],
    ...findings.map(({ id, severity, where, what, trigger }): StoryLine => {
      const text = `${where}: ${what} Shows when: ${trigger} (${severity}, ${id})`;
      return [severity === "blocking" ? "✗" : "!", text];
    }),
    ...(steps.length === 0 ? [] : [["·", ["Do by hand:", ...steps.map(numbered)].join("\n")] as const]),
    ...[...unchecked].map((text): StoryLine => ["!", inOneRow(`not checked: ${text}`, columns)]),
  ];
}

/** "stack: node · clock: moved by tests". Only as many of the longest are cut as it takes to fit into one row. */
function besideEachOther(texts: readonly string[], columns: number): string {
  let room = columns;
  while (texts.reduce((sum, { length }) => sum + Math.min(length, room) + 3, -3) > columns && room > 10) room -= 1;
  return texts.map((text) => cutWords(text, room)).join(" · ");
}

export function inOneRow(text: string, columns: number): string {
  return cutWords(text.trim().replaceAll(/\s+/g, " "), columns);
}

/** The sentences that fit into one row, or the first one in two. If none ends there, as much as fits into one row. */
function wholeSentences(text: string, columns: number): string {
  const ends = [...text.matchAll(/[.!?](?=\s+\p{Lu}|\s*$)/gu)].map(({ index }) => index + 1);
  const end = ends.findLast((at) => at <= columns) ?? ends.find((at) => at <= 2 * columns);
  return end === undefined || text.length <= columns ? inOneRow(text, columns) : text.slice(0, end);
}

/** Every part of a report, so that nothing has to be looked up in the journal. */
export function wholeReport({ prompt, report }: { readonly prompt: string; readonly report: Report }): string[] {
  const lines = [`${prompt}: ${report.summary}`];
  if (report.account) lines.push("", report.account.trim());
  if (report.solution) lines.push("", plainText(report.solution), "");
  for (const one of report.findings ?? [])
    lines.push(`! ${one.id} (${one.severity}) ${one.where}: ${one.what} ${one.trigger}`);
  for (const one of report.discovered ?? []) {
    lines.push(`- ${inWords(one.key)}: ${[one.value].flat().join(", ")}`);
  }
  for (const one of report.uncertainties ?? []) {
    const said = one.resolution ? `: ${one.resolution}` : "";
    lines.push(`? ${inWords(one.area)} (${percent(one.confidence)}${one.blocking ? ", blocking" : ""})${said}`);
  }
  for (const one of report.decisions ?? []) {
    const why = one.because ? `. Why: ${one.because}` : "";
    lines.push(`→ ${inWords(one.key)}: ${why ? one.choice.replace(/\.$/, "") : one.choice}${why}`);
  }
  for (const one of report.notes ?? []) lines.push(`  ${one.text}`);
  for (const { name, value } of report.scores ?? []) lines.push(`= ${inWords(name)}: ${value}`);
  for (const { area, score } of report.confidence ?? []) lines.push(`= ${inWords(area)}: ${percent(score)}`);
  for (const one of report.questions ?? []) lines.push(`? ${one.question}`);
  for (const one of report.artifacts ?? []) {
    lines.push("", `--- ${one.name}`, one.content.trim());
  }
  return lines;
}

/** `{a: ["b", "c"]}` → "a:\n- b\n- c" */
function plainText(value: unknown): string {
  if (Array.isArray(value)) return value.map((one) => `- ${indented(plainText(one))}`).join("\n");
  if (typeof value !== "object" || value === null) return String(value);
  const fields = Object.entries(value).filter(([, field]) => field !== undefined && field !== "");
  return fields
    .map(([name, field]) =>
      typeof field === "object" && field !== null
        ? `${inWords(name)}:\n  ${indented(plainText(field))}`
        : `${inWords(name)}: ${indented(plainText(field))}`,
    )
    .join("\n");
}

function indented(text: string): string {
  return text.replaceAll("\n", "\n  ");
}

/** A name that a model gave, as a person reads it: "token_lifetime" → "token lifetime". */
export function inWords(name: string): string {
  return name.replaceAll("_", " ");
}

/** Only the user can settle it: not specified. Something was assumed: unclear. Otherwise nobody knows it yet. */
function doubtTexts({ uncertainties = [], questions = [] }: Report): string[] {
  const kinds: Record<string, string[]> = {};
  for (const { area, confidence, blocking, resolution, resolved } of uncertainties) {
    if (resolved) continue;
    const isAsked = questions.some(({ id, settles }) => id === area || settles === area);
    const known = confidence < 0.4 ? "UNKNOWN" : "UNCLEAR";
    const then = blocking ? ", to be settled first" : resolution ? ", so assumed" : "";
    (kinds[isAsked ? "NOT SPECIFIED" : known + then] ??= []).push(inWords(area));
  }
  return Object.entries(kinds).map(([kind, areas]) => `${kind}: ${areas.join(", ")}`);
}

const numbered = (step: string, at: number) => `${at + 1}. ${step.replace(/^\d+[.)]\s*/, "")}`;
