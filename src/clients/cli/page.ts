import { title } from "./narrate.ts";
import { cutWords, harmless, wrap, type Screen } from "./terminal.ts";
import { money, percent } from "./values.ts";
import type { ChainStands } from "./change_report.ts";

type Waiting = Extract<ChainStands["ending"], { type: "needs_approval" }>;
type Section = Waiting["page"]["sections"][number];
type Style = Screen["style"];

/** With the question below it, the page fits a terminal of 40 lines. */
const rows = 36;
const noStyle: Style = (_, text) => text;

/** `Chain 001 · Solution approval · Add JWT authentication to my app` */
export function headLine({ chain_id: id, phase, goal }: ChainStands, columns: number, style: Style = noStyle): string {
  const text = harmless(`  Chain ${id} · ${title(phase)} · ${goal.replaceAll(/\s+/g, " ")}`);
  return style("dim", cutWords(text, columns));
}

/** All that a person must see to judge a solution, on one screen. What does not fit is shortened, and `v` shows it. */
export function pageLines(data: ChainStands, columns: number, style: Style = noStyle): string[] {
  const { page, presented } = approvalOf(data);
  const head = [headLine(data, columns, style), `  ${style("bold", harmless(presented.solution.title))}`];
  const foot = footLines(data);
  const shown = page.sections.filter((one) => !one.rest);
  const room = rows - head.length - foot.length - 1;
  const body = fitted(shown, room, columns, style);
  const isShort = body.hidden || shown.length < page.sections.length;
  return [...head, ...body.lines, ...foot, ...(isShort ? [style("dim", "  v shows everything that you approve")] : [])];
}

/** Operations after which a person has seen the page before. */
const aboutPage = ["ask", "change", "answer", "reject"];

/**
 * What is shown before an approval is asked for: the page; after a change only what is different; after a question only
 * the answer, if the solution stays.
 */
export function approvalLines(
  data: ChainStands,
  columns: number,
  style: Style,
  { operation, solution: seen }: { readonly operation: string; readonly solution: string | null },
): string[] {
  const { page, presented } = approvalOf(data);
  const { asked } = page;
  const answer =
    operation === "ask" && asked !== null && asked.answer !== null
      ? [wrap(harmless(asked.answer), columns, "  │ "), ""]
      : [];
  if (seen === presented.hash || (answer.length > 0 && asked?.solution === presented.hash))
    return [...answer, ...footLines(data)];
  const isSecond = page.before !== null && (seen !== null || aboutPage.includes(operation));
  return [...answer, ...(isSecond ? differenceLines(data, columns, style) : pageLines(data, columns, style))];
}

/** Only what differs from the page before: + is new, − is gone. */
export function differenceLines(data: ChainStands, columns: number, style: Style = noStyle): string[] {
  const { page } = approvalOf(data);
  const old = new Map((page.before ?? []).map((one) => [one.title, one.items.map(({ text }) => text)]));
  const now = new Map(page.sections.map((one) => [one.title, one.items.map(({ text }) => text)]));
  const changes = [...new Set([...old.keys(), ...now.keys()])].flatMap((name) => {
    const [before, after] = [old.get(name) ?? [], now.get(name) ?? []];
    const isIn = (texts: readonly string[], text: string) => texts.some((one) => unnumbered(one) === unnumbered(text));
    const gone = before.filter((text) => !isIn(after, text)).map((text) => `− ${text}`);
    const fresh = after.filter((text) => !isIn(before, text)).map((text) => `+ ${text}`);
    const items = [...gone, ...fresh].map((text) => ({ text, kept: true as const }));
    return items.length === 0 ? [] : [{ title: name, items }];
  });
  const head = headLine(data, columns, style);
  if (changes.length === 0) return [head, "  Nothing changed since the last page.", costLine(data)];
  const { lines } = fitted(changes, rows, columns, style);
  return [
    head,
    "  Changed since the last page:",
    ...lines,
    costLine(data),
    style("dim", "  v shows everything that you approve"),
  ];
}

/** A step that only moved is the same step. An assumption is answered by its number, so a new number is shown. */
function unnumbered(text: string): string {
  return text.replace(/^\d+\. /, "");
}

export function approvalOf({ ending }: ChainStands): Waiting {
  if (ending.type !== "needs_approval") throw new Error("There is no page: nothing waits for approval.");
  return ending;
}

function footLines(data: ChainStands): string[] {
  const { confirmed } = approvalOf(data).page;
  return [...(confirmed.length > 0 ? [`  Confirmed: ${confirmed.join(", ")}`] : []), costLine(data)];
}

function costLine({ cost, confidence, ending }: ChainStands): string {
  const expected = ending.type === "needs_approval" ? ending.page.expected_usd : null;
  const more = expected === null ? "" : `, about ${money(expected)} more expected`;
  return `  Cost ${money(cost.usd)} so far${more} · confidence ${percent(confidence["overall"] ?? 0)}`;
}

interface Item {
  readonly lines: readonly string[];
  readonly kept: boolean;
  /** How many of its lines are shown. */
  rows: number;
}

/** The sections in so many rows: first long items are cut, then long lists are shortened. Kept items stay whole. */
function fitted(sections: readonly Section[], room: number, columns: number, style: Style) {
  const beside = columns >= 80 ? Math.max(...sections.map((one) => one.title.length), 0) + 4 : 0;
  const indent = " ".repeat(beside || 4);
  const all = sections.map(({ title: name, items }) => ({
    name,
    items: items.map(({ text, kept = false }): Item => {
      const lines = wrap(harmless(text), columns, indent).split("\n");
      return { lines, kept, rows: lines.length };
    }),
  }));
  const render = () =>
    all.flatMap(({ name, items }) => {
      const left = items.filter(({ rows: shown }) => shown === 0).length;
      const lines = [
        ...items.flatMap((one) => linesOf(one, columns)),
        ...(left > 0 ? [`${indent}… ${left} more`] : []),
      ];
      if (beside === 0) return [`  ${style("bold", name)}`, ...lines];
      const label = `  ${style("bold", name)}${" ".repeat(beside - 2 - name.length)}`;
      return lines.map((line, at) => (at === 0 ? label + line.slice(beside) : line));
    });
  while (render().length > room && (cutLongest(all) || dropLast(all))) continue;
  // "… 1 more" would take the row of the item itself.
  for (const { items } of all) {
    const [alone, ...others] = items.filter(({ rows: shown }) => shown === 0);
    if (alone && others.length === 0) alone.rows = 1;
  }
  const hidden = all.some(({ items }) => items.some(({ lines, rows: shown }) => shown < lines.length));
  return { lines: render(), hidden };
}

function linesOf({ lines, rows: shown }: Item, columns: number): string[] {
  if (shown === lines.length || shown === 0) return lines.slice(0, shown);
  const last = lines[shown - 1]!;
  const end = last.length + 2 > columns ? last.replace(/\s+\S*$/, "") : last;
  return [...lines.slice(0, shown - 1), `${end.replace(/(?:[,;:]|\. Why:?)$/, "")} …`];
}

type Sections = readonly { readonly name: string; readonly items: readonly Item[] }[];

/** What is to be built may be three times as long as any other item. */
function cutLongest(sections: Sections): boolean {
  const weight = (name: string, { rows: shown }: Item) => (name === "What" ? shown / 3 : shown);
  const items = sections.flatMap(({ name, items: own }) =>
    own.filter((one) => !one.kept && one.rows > 1).map((one) => ({ one, weight: weight(name, one) })),
  );
  const longest = items.filter(({ weight: own }) => own > 1).sort((one, other) => other.weight - one.weight)[0];
  if (longest) longest.one.rows -= 1;
  return longest !== undefined;
}

/** Two items of a list are shown as long as another list has more. Files come last. */
function dropLast(sections: Sections): boolean {
  const lists = sections.map(({ name, items }) => {
    const open = items.filter(({ kept, rows: shown }) => !kept && shown > 0);
    return { open, weight: open.length - (name === "Files" ? 5 : 0) };
  });
  const longest = lists.filter(({ open }) => open.length > 1).sort((one, other) => other.weight - one.weight)[0];
  const last = longest?.open.at(-1);
  if (last) last.rows = 0;
  return last !== undefined;
}
