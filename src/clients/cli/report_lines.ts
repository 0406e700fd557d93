import type { ChainLine } from "../../operations/operation.ts";
import { cutWords } from "./terminal.ts";
import { percent } from "./values.ts";

type Recorded = Extract<ChainLine, { event: "report_recorded" }>;
type Report = Recorded["report"];
type Uncertainty = NonNullable<Report["uncertainties"]>[number];

/** A line of the story: its mark, and its text before it is wrapped. */
export type StoryLine = readonly [mark: string, text: string];

const mostDiscoveries = 3;

/**
 * What a person is told of a report at once. Findings and steps to do by hand are told in full. All else is told in one
 * row of so many columns, because `log` shows the whole report; a sentence of a review may take two.
 */
export function reportLines(recorded: Recorded, columns: number, looked: string): StoryLine[] {
  const { prompt, report, counted } = recorded;
  const { discovered = [], findings = [] } = report;
  const steps = discovered.filter(({ key }) => key === "manual_steps").flatMap(({ value }) => value);
  const others = discovered.filter(({ key }) => key !== "manual_steps").slice(0, mostDiscoveries);
  const found = others.map(({ key, value }) => `${inWords(key)}: ${[value].flat().join(", ")}`);
  const lowered = counted.filter(({ score, claimed }) => score < claimed);
  const summary = `${prompt}${looked}: ${report.summary.trim().replaceAll(/\s+/g, " ")}`;
  const row = (mark: string, text: string): StoryLine => [mark, inOneRow(text, columns)];
  return [
    [reportMark(recorded), isReview(recorded) ? wholeSentences(summary, columns) : inOneRow(summary, columns)],
    ...(found.length === 0 ? [] : [row("·", besideEachOther(found, columns))]),
    ...doubtTexts(report).map((text) => row("·", text)),
    ...lowered.map(({ area, score, claimed }) =>
      row("!", `${inWords(area)} counts as ${percent(score)}: the report says ${percent(claimed)} without evidence`),
    ),
    ...findings.map((finding): StoryLine => [finding.severity === "blocking" ? "✗" : "!", findingText(finding)]),
    ...(steps.length === 0 ? [] : [["·", stepsText(steps)] as const]),
    ...uncheckedIn(report).map((text) => row("!", `not checked: ${text}`)),
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

const isReview = ({ key }: Recorded) => key.startsWith("implementation/");

/** ✗: a gate stays shut, or a review stops the work. */
function reportMark(recorded: Recorded): string {
  const { report, shut } = recorded;
  const { uncertainties = [], findings = [] } = report;
  const stops =
    findings.some(({ severity }) => severity === "blocking") ||
    (isReview(recorded) && uncertainties.some(({ blocking, resolved }) => blocking && !resolved));
  return shut || stops ? "✗" : "✓";
}

/** Only the user can settle it: not specified. Something was assumed: unclear. Otherwise nobody knows it yet. */
function doubtTexts({ uncertainties = [], questions = [] }: Report): string[] {
  const open = uncertainties.filter(({ resolved }) => !resolved);
  const isAsked = ({ area }: Uncertainty) => questions.some(({ id, settles }) => id === area || settles === area);
  const asked = open.filter(isAsked).map(({ area }) => inWords(area));
  const others = open.filter((one) => !isAsked(one));
  return [
    ...(asked.length === 0 ? [] : [`NOT SPECIFIED: ${asked.join(", ")}`]),
    ...others.map(({ area, confidence, blocking, resolution }) => {
      const kind = confidence < 0.4 ? "UNKNOWN" : "UNCLEAR";
      if (blocking || !resolution) return `${kind}${blocking ? ", to be settled first" : ""}: ${inWords(area)}`;
      return `${kind}, so assumed: ${resolution} (${inWords(area)})`;
    }),
  ];
}

function findingText({ id, severity, where, what, trigger }: NonNullable<Report["findings"]>[number]): string {
  return `${where}: ${what} Shows when: ${trigger} (${severity}, ${id})`;
}

function stepsText(steps: readonly string[]): string {
  return ["Do by hand:", ...steps.map((step, at) => `${at + 1}. ${step.replace(/^\d+[.)]\s*/, "")}`)].join("\n");
}

function uncheckedIn({ notes = [] }: Report): string[] {
  return [...new Set(notes.flatMap(({ kind, text }) => (kind === "not_checked" ? [text] : [])))];
}
