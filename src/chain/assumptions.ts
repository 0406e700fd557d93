import type { Context } from "./context.ts";
import { isSameText } from "../util/same_text.ts";
import type { Solution } from "./reply.ts";

export type Numbered = Context["engine"]["assumed"];

/** "A3" for each text. A text keeps its number as long as the chain lives, and a new one gets the next free number. */
export function numbersOf(shown: Numbered, texts: readonly string[]): string[] {
  let last = Math.max(0, ...Object.keys(shown).map((id) => Number(id.slice(1))));
  return texts.map((text) => Object.keys(shown).find((id) => isSameText(shown[id]!, text)) ?? `A${++last}`);
}

/** Something that a presented solution has to account for among its assumptions. */
export interface Assumed {
  /** The area of an open doubt, or the id of a noted assumption. */
  readonly id: string;
  readonly text: string;
}

/** The first assumption that was noted is n1. */
export function isNoted({ engine }: Context, id: string): boolean {
  const number = /^n(\d+)$/.exec(id)?.[1];
  return number !== undefined && Number(number) >= 1 && Number(number) <= engine.noted.length;
}

/** Open doubts that do not block and are neither likely nor unlikely, and noted assumptions that nothing resolved. */
export function openAssumptions(context: Context): Assumed[] {
  const { uncertainties, waived, engine } = context;
  const isResolved = (id: string) => uncertainties.some(({ area, resolved }) => area === id && resolved);
  const doubts = uncertainties.filter(
    ({ area, confidence, resolved, blocking }) =>
      !resolved && !blocking && confidence >= 0.4 && confidence <= 0.6 && !Object.hasOwn(waived, area),
  );
  return [
    ...doubts.map(({ area, resolution }) => ({ id: area, text: resolution ?? "" })),
    ...engine.noted
      .map((text, index) => ({ id: `n${index + 1}`, text }))
      .filter(({ id }) => !isResolved(id) && !doubts.some(({ area }) => area === id)),
  ];
}

/** Why these assumptions cannot be put before a person. */
export function assumptionFaults(context: Context, { assumptions, dropped, decisions }: Solution): string[] {
  const covered = new Set(assumptions.flatMap(({ covers }) => covers));
  const without = assumptions.filter(({ if_wrong }) => if_wrong.trim() === "");
  const isDecided = (text: string) =>
    decisions.some(({ choice, rejected }) => isSameText(choice, text) || isSameText(rejected, text));
  const decided = assumptions.filter(({ text }) => isDecided(text));
  const both = dropped.filter(({ id }) => covered.has(id));
  const unreasoned = dropped.filter(({ because }) => because.trim() === "");
  const isListed = ({ id, text }: Assumed) =>
    covered.has(id) ||
    assumptions.some((one) => isSameText(one.text, text)) ||
    (isNoted(context, id) && dropped.some((one) => one.id === id));
  const missing = openAssumptions(context).filter((one) => !isListed(one));
  return [
    ...(assumptions.length > 7
      ? [`${assumptions.length} assumptions are too many: at most seven. One assumption may cover several doubts.`]
      : []),
    ...without.map(({ text }) => `The assumption "${text}" does not say what happens if it is wrong.`),
    ...decided.map(
      ({ text }) =>
        `The assumption "${text}" is what a decision takes or rejects, so it is decided. Leave it out, or change the decision.`,
    ),
    ...both.map(({ id }) => `${id} is both covered by an assumption and dropped.`),
    ...unreasoned.map(({ id }) => `${id} is dropped without a reason.`),
    ...(missing.length > 0
      ? [
          `No assumption covers ${missing.map(assumedText).join("; ")}. Name each in \`covers\` of an assumption. A noted assumption (n1, n2 …) on which the solution does not rest goes into \`dropped\`.`,
        ]
      : []),
  ];
}

/** `n2 ("one process only")` */
export function assumedText({ id, text }: Assumed): string {
  return text === "" ? id : `${id} ("${text}")`;
}
