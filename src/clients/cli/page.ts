import { title } from "./narrate.ts";
import { cutWords, harmless, wrap, type Screen } from "./terminal.ts";
import { markWords } from "../../util/word_diff.ts";
import { sureText } from "./status_report.ts";
import { money } from "./values.ts";
import type { ChainStands } from "./change_report.ts";

type Waiting = Extract<ChainStands["ending"], { type: "needs_approval" }>;
type Section = Waiting["page"]["sections"][number];
type Page = NonNullable<Waiting["page"]["before"]>;
type MarkedItem = Section["items"][number] & { readonly mark?: "+" | "−" | "~"; readonly words?: string };
type MarkedSection = Omit<Section, "items"> & { readonly items: readonly MarkedItem[] };
type Style = Screen["style"];
/** What of a section no page showed. `whole`: an item together with what was shown of it. */
export type Rest = Omit<Section, "items"> & { readonly items: readonly { text: string; whole: string }[] };

/** With the question below it, the page fits a terminal of 40 lines. */
const rows = 35;
const noStyle: Style = (_, text) => text;

/** `Chain 001 · Solution approval · Add JWT authentication to my app` */
export function headLine({ chain_id: id, phase, goal }: ChainStands, columns: number, style: Style = noStyle): string {
  const text = harmless(`  Chain ${id} · ${title(phase)} · ${goal.replaceAll(/\s+/g, " ")}`);
  return style("dim", cutWords(text, columns));
}

/** All that a person must see to judge a solution, on one screen. What does not fit is shortened, and `v` shows it. */
export function pageLines(data: ChainStands, columns: number, style: Style = noStyle): string[] {
  const { title: own } = approvalOf(data).presented.solution;
  const body = bodyOf(data, columns, style).lines;
  return [headLine(data, columns, style), `  ${style("bold", harmless(own))}`, ...body, ...footLines(data)];
}

/** What `v` shows first: all that the page shortened or left out, without what it showed. Together they are everything. */
export function restOf(data: ChainStands, columns: number, read: ReadonlySet<string>): Rest[] {
  const rest = approvalOf(data).page.sections.filter((one) => one.rest);
  const left = [...bodyOf(data, columns).left, ...rest.map((one) => ({ ...one, items: one.items.map(unshown("")) }))];
  return left
    .map((one) => ({ ...one, items: one.items.filter(({ whole }) => !read.has(whole)) }))
    .filter(({ items }) => items.length > 0);
}

export function restLines(rest: readonly Rest[], columns: number, style: Style = noStyle): string[] {
  return fitted(rest, Infinity, columns, style).lines;
}

function bodyOf(data: ChainStands, columns: number, style: Style = noStyle) {
  const shown = approvalOf(data).page.sections.filter((one) => !one.rest);
  return fitted(shown, rows - 3 - footLines(data).length, columns, style);
}

/** Operations after which a person has seen the page before. */
const aboutPage = ["ask", "change", "answer", "reject"];

/** What a person said last, and the page that they have in front of them, with the hash of its solution. */
export interface Seen {
  readonly operation: string;
  readonly solution: string | null;
  readonly page: Page | null;
  /** The items that `v` showed. */
  readonly read: Set<string>;
}

/**
 * What is shown before an approval is asked for: the page; after a change only what is different; after a question only
 * the answer, if the solution stays.
 */
export function approvalLines(data: ChainStands, columns: number, style: Style, seen: Omit<Seen, "read">): string[] {
  const { page, presented } = approvalOf(data);
  const { asked } = page;
  const { operation } = seen;
  const answer =
    operation === "ask" && asked !== null && asked.answer !== null
      ? // What its author adds stands in the log.
        [wrap(harmless(asked.answer.split("\n")[0]!), columns, "  │ "), ""]
      : [];
  if (seen.solution === presented.hash || (answer.length > 0 && asked?.solution === presented.hash))
    return [...answer, ...(operation === "change" ? [unchanged] : []), ...footLines(data)];
  const old = seen.page ?? (aboutPage.includes(operation) ? page.before : null);
  return [...answer, ...(old ? differenceLines(data, old, columns, style) : pageLines(data, columns, style))];
}

/** Only what differs from the page before. If that is longer than the page, the page itself. */
function differenceLines(data: ChainStands, old: Page, columns: number, style: Style): string[] {
  const changes = compared(old, pageOf(data)).flatMap((one) => {
    const items = one.items.flatMap(({ text, words, mark, short }): MarkedItem[] => {
      if (mark === undefined) return [];
      const room = columns - titleWidth - 2;
      return [{ mark, kept: true, text: mark === "−" ? cutWords(text, room) : (words ?? short?.[0] ?? text) }];
    });
    return items.length === 0 ? [] : [{ title: one.title, items }];
  });
  if (changes.length === 0) return [unchanged, costLine(data)];
  const lines = [
    "  Changed since the last page (+ new, − gone, ~ changed):",
    ...fitted(changes, Infinity, columns, style).lines,
    costLine(data),
  ];
  const whole = pageLines(data, columns, style);
  return lines.length <= whole.length ? lines : ["  Most of it changed, so this is the whole page:", ...whole];
}

const unchanged = "  Nothing changed since the last page.";

/** No title of a section is longer. */
const titleWidth = "Dropped assumptions".length + 4;

function pageOf(data: ChainStands): Page {
  const { page, presented } = approvalOf(data);
  return { title: presented.solution.title, sections: page.sections };
}

/** Every item of both pages, each with a mark if it changed. `words`: its text with the words that changed. */
function compared(old: Page, now: Page): MarkedSection[] {
  const [before, after] = [old, now].map(({ title: text, sections }): readonly Section[] => [
    { title: "Title", items: [{ text }] },
    ...sections,
  ]) as [readonly Section[], readonly Section[]];
  const titles = [...new Set([...after, ...before].map(({ title: name }) => name))];
  return titles.map((name) => {
    const [known = [], items = []] = [before, after].map((page) => page.find((one) => one.title === name)?.items);
    const isSame = (one: MarkedItem, other: MarkedItem) => unnumbered(one.text) === unnumbered(other.text);
    const left = known.filter((one) => !items.some((other) => isSame(one, other)));
    const marked = items.map((one): MarkedItem => {
      if (known.some((other) => isSame(one, other))) return one;
      const likely = left
        .filter((other) => name !== "Files" || pathOf(other) === pathOf(one))
        .map((other) => ({ other, ...markWords(harmless(other.text), harmless(one.text)) }))
        .sort((first, second) => second.share - first.share)[0];
      if (!likely || likely.share < 0.45 || likely.marks > 2 + one.text.length / 200) return { ...one, mark: "+" };
      left.splice(left.indexOf(likely.other), 1);
      return { ...one, mark: "~", words: likely.text };
    });
    const gone = left.map((one): MarkedItem => ({ ...one, mark: "−" }));
    return { title: name, items: [...marked, ...gone] };
  });
}

/** "edit src/app.js (code)" → "src/app.js" */
const pathOf = ({ text }: MarkedItem) => text.split(" ")[1];

/** A step that only moved is the same step. An assumption is answered by its number, so a new number is shown. */
const unnumbered = (text: string) => text.replace(/^\d+\. /, "");

/** The numbers of the assumptions that can be answered. */
export function assumptionsOn(data: ChainStands): string[] {
  const section = approvalOf(data).page.sections.find(({ title: name }) => name === "Assumptions");
  return (section?.items ?? []).flatMap(({ text }) => /^A\d+/.exec(text) ?? []);
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
  return `  Cost ${money(cost.usd)} so far${more} · confidence ${sureText(confidence)}`;
}

/** "- Redis", of "- Redis. Why: it is there" → "- Redis … Why: it is there" */
const unshown =
  (shown: string) =>
  ({ text }: { readonly text: string }) => {
    const start = text.startsWith(shown) ? shown : "";
    const left = text.slice(start.length).replace(/^[.,;: ]+/, "");
    return { text: start === "" ? text : `${cutWords(start, 40).replace(/ ?…$/, "")} … ${left}`, whole: text };
  };

interface Item {
  readonly text: string;
  readonly lines: readonly string[];
  readonly kept: boolean;
  readonly isMarked: boolean;
  /** How many of its lines are shown. */
  rows: number;
}

/** The sections in so many rows: first long items are cut, then long lists are shortened. Kept items stay whole. */
function fitted(sections: readonly MarkedSection[], room: number, columns: number, style: Style) {
  const isMarked = sections.some(({ items }) => items.some(({ mark }) => mark !== undefined));
  const longest = Math.max(...sections.map((one) => one.title.length), 0);
  const beside = columns >= 80 ? longest + (isMarked ? 5 : 4) : 0;
  const indent = " ".repeat(beside || 4);
  const all = sections.map(({ title: name, items }) => ({
    name,
    items: items.map(({ text, kept = false, short = [text], mark }): Item => {
      const forms = short.map((one) => wrap(harmless(one), columns, indent).split("\n"));
      const lines = forms.find(({ length }) => length <= forms.at(-1)!.length)!;
      if (mark !== undefined) lines[0] = `${indent.slice(2)}${mark} ${lines[0]!.slice(indent.length)}`;
      return { text, lines, kept, isMarked: mark !== undefined, rows: lines.length };
    }),
  }));
  const render = () =>
    all.flatMap(({ name, items }) => {
      const left = items.filter(({ rows: shown }) => shown === 0).length;
      const lines = besideEachOther(items, columns);
      const more = `… ${left} more`;
      const last = `${lines.at(-1) ?? ""}  ${more}`;
      if (left > 0 && last.length <= columns) lines.splice(-1, 1, last);
      else if (left > 0) lines.push(indent + more);
      if (beside === 0) return [`  ${style("bold", name)}`, ...lines];
      const label = `  ${style("bold", name)}${" ".repeat(beside - 4 - name.length)}`;
      return lines.map((line, at) => (at === 0 ? label + line.slice(beside - 2) : line));
    });
  while (render().length > room && (cutLongest(all) || dropLast(all))) continue;
  // "… 1 more" would take the row of the item itself.
  for (const { items } of all) {
    const [alone, ...others] = items.filter(({ rows: shown }) => shown === 0);
    if (alone && others.length === 0) alone.rows = 1;
  }
  const left = all.flatMap(({ name, items }) => {
    const cut = items.flatMap((one) => {
      const shown = linesOf(one, columns)
        .map((line) => line.trim())
        .join(" ")
        .replace(/ …$/, "");
      return shown === harmless(one.text) ? [] : [unshown(shown)(one)];
    });
    return cut.length === 0 ? [] : [{ title: name, items: cut }];
  });
  return { lines: render(), left };
}

/** Short items share a row. An item that changed, or that is answered by its number, has rows of its own. */
function besideEachOther(items: readonly Item[], columns: number): string[] {
  const lines: string[] = [];
  let isShort = false;
  for (const one of items) {
    const own = linesOf(one, columns);
    const wasShort = isShort;
    isShort = own.length === 1 && !one.isMarked && !/^A\d/.test(one.text);
    const joined = `${lines.at(-1)}  ${own[0]?.trimStart()}`;
    if (wasShort && isShort && joined.length <= columns) lines.splice(-1, 1, joined);
    else lines.push(...own);
  }
  return lines;
}

function linesOf({ lines, rows: shown }: Item, columns: number): string[] {
  if (shown === lines.length || shown === 0) return lines.slice(0, shown);
  const last = lines[shown - 1]!;
  const end = last.length + 2 > columns ? last.replace(/\s+\S*$/, "") : last;
  return [...lines.slice(0, shown - 1), `${end.replace(/(?:[,;:]|\. Why:?)$/, "")} …`];
}

type Sections = readonly { readonly name: string; readonly items: readonly Item[] }[];

/** What is to be built may be five times as long as any other item. */
function cutLongest(sections: Sections): boolean {
  const weight = (name: string, { rows: shown }: Item) => (name === "What" ? shown / 5 : shown);
  const items = sections.flatMap(({ name, items: own }) =>
    own.filter((one) => !one.kept && one.rows > 1).map((one) => ({ one, weight: weight(name, one) })),
  );
  const longest = items.filter(({ weight: own }) => own > 1).sort((one, other) => other.weight - one.weight)[0];
  if (longest) longest.one.rows -= 1;
  return longest !== undefined;
}

/** So many more of these items are shown than of others. */
const spared: Readonly<Record<string, number>> = { Files: 5, Decisions: 4, Risks: 3 };

/** Of two long lists the less important one is shortened: steps and criteria first, files last. */
function dropLast(sections: Sections): boolean {
  const lists = sections.map(({ name, items }) => {
    const open = items.filter(({ kept, rows: shown }) => !kept && shown > 0);
    return { open, weight: open.length - (spared[name] ?? 0) };
  });
  const longest = lists.filter(({ open }) => open.length > 1).sort((one, other) => other.weight - one.weight)[0];
  const last = longest?.open.at(-1);
  if (last) last.rows = 0;
  return last !== undefined;
}
