import type { Context } from "./context.ts";
import { typed } from "../tools/test_command.ts";
import type { PageItem, PageSection } from "./events.ts";
import { numbersOf, type Numbered } from "./assumptions.ts";
import { count } from "../util/count.ts";
import { plainText } from "../util/same_text.ts";
import type { Solution } from "./reply.ts";
import { isRunByOthers } from "./solution.ts";
import { oneLine } from "../util/shorten.ts";

/**
 * What a person judges: the presented solution, and what the chain adds to it. Each thing stands there once. An item
 * that is `kept` is shown on every screen; a section that is `rest` only together with everything else.
 */
export function pageOf(solution: Solution, base: Readonly<Record<string, string | null>>, context: Context) {
  const { waived, uncertainties, mode, size } = context;
  const suspicions = uncertainties.filter(({ area, resolved }) => area === "security" && !resolved);
  const less = [
    ...(mode === "plan-only" ? ["plan only: nothing is written"] : []),
    ...(mode === "direct" ? ["direct: code may be written before its tests"] : []),
    ...(size === "tiny" ? ["tiny: one code file with its test and a document at most, and no reviews"] : []),
  ];
  const sections = [
    ...solutionSections(solution, base, context.engine.assumed, context.engine.noted),
    section("Proof", proofOf(solution, context)),
    section("Mode", kept(dashed(less))),
    section("Set aside", kept(dashed(Object.entries(waived).map(([area, reason]) => `${inWords(area)}: ${reason}`)))),
    section(
      "Suspicions",
      kept(dashed(suspicions.map(({ by, resolution }) => resolution ?? `reported by ${inWords(by)}`))),
    ),
  ];
  return eachOnce(sections.sort((one, other) => order.indexOf(one.title) - order.indexOf(other.title)));
}

const order = [
  "What",
  "Steps",
  "Files",
  "Decisions",
  "Assumptions",
  "Commands",
  "Proof",
  "Mode",
  "Set aside",
  "Suspicions",
  "Risks",
  "Done when",
  "Concerns",
  "Tradeoffs",
  "Dropped assumptions",
];

/**
 * What a solution says of itself. Without `base`, the files are called what the solution calls them. Without `assumed`,
 * the assumptions have no numbers. Without `noted`, the assumptions that were dropped are called by their ids.
 */
function solutionSections(
  solution: Solution,
  base?: Readonly<Record<string, string | null>>,
  assumed?: Numbered,
  noted: readonly string[] = [],
): PageSection[] {
  const { decisions, risks, assumptions, files, steps } = solution;
  const texts = assumptions.map(({ text }) => text);
  const numbers = assumed && numbersOf(assumed, texts);
  return [
    section("What", plain([solution.architecture])),
    section("Steps", plain(steps.map((step, index) => `${index + 1}. ${step}`))),
    section(
      "Files",
      files.map((file) => ({ ...item(fileText(file, base)), ...(isAlwaysShown(file) ? { kept: true as const } : {}) })),
    ),
    section("Decisions", decisions.map(decisionItem)),
    section("Assumptions", kept(assumptions.map((one, index) => `${numbers?.[index] ?? "-"} ${assumptionText(one)}`))),
    section("Commands", kept(dashed(solution.commands))),
    section(
      "Risks",
      risks.map(({ risk, mitigation }) =>
        withShort(mitigation ? `- ${risk} → ${mitigation}` : `- ${risk}`, `- ${risk}`),
      ),
    ),
    section("Done when", plain(dashed(solution.success_criteria))),
    section("Concerns", kept(dashed(solution.remaining_concerns))),
    { ...section("Tradeoffs", plain(dashed(solution.tradeoffs))), rest: true as const },
    {
      ...section("Dropped assumptions", plain(dashed(solution.dropped.map((one) => droppedText(one, noted))))),
      rest: true as const,
    },
  ].filter(({ items }) => items.length > 0);
}

export function solutionText(solution: Solution, assumed?: Numbered): string {
  const { kind, check } = solution.verification;
  return `${pageText(solution.title, solutionSections(solution, undefined, assumed))}\nProof: ${kind}${check ? `, ${check}` : ""}`;
}

/** The presented solution in words, where parts of it were replaced after it was reported. */
export function patchedSolution({ engine, solution: shown }: Context): { solution?: string } {
  const isPatched = engine.proposed.some(
    ({ solution, earlier = {} }) => solution === shown?.solution && Object.keys(earlier).length > 0,
  );
  return shown && isPatched ? { solution: solutionText(shown.solution, engine.assumed) } : {};
}

/** All of it: what an approval binds. */
export function pageText(title: string, sections: readonly PageSection[]): string {
  return [
    oneLine(title),
    ...sections.flatMap((one) => ["", `${one.title}:`, ...one.items.map(({ text }) => text)]),
  ].join("\n");
}

/** The numbers of the assumptions on a page, in the order of its solution. */
export function numbersOn(page: readonly PageSection[] = []): string[] {
  const items = page.flatMap((one) => (one.title === "Assumptions" ? one.items : []));
  return items.flatMap(({ text }) => /^A\d+/.exec(text) ?? []);
}

/** "- " and "because it is PEP 8" stay, "Because The task" becomes grammar, and any other reason follows "Why:". */
export function withReason(choice: string, because: string): string {
  const what = oneLine(choice).replace(/[ .,;:]+$/, "");
  const why = oneLine(because).replace(/[ .,;:]+$/, "");
  if (why === "") return what;
  const clause = /^because\s+(.*)/i.exec(why)?.[1];
  return clause === undefined ? `${what}. Why: ${why}` : `${what} because ${withSmallFirst(clause)}`;
}

/** "The task" → "the task", but "PEP 8" and "HTTP" stay. */
function withSmallFirst(text: string): string {
  return /^(?:The|It|This|That|These|Those|A|An|There|They|We|No|In|Only|Each|All)\b/.test(text)
    ? text.charAt(0).toLowerCase() + text.slice(1)
    : text;
}

/** `storage_backend` → "storage backend": people are not shown the names of areas. */
export function inWords(name: string): string {
  return name.replaceAll(/[_-]+/g, " ").trim();
}

/** A screen shows the choice, with its reason if that takes no more rows. */
function decisionItem({ choice, because, rejected }: Solution["decisions"][number]): PageItem {
  const said = `- ${withReason(choice, because)}`;
  const instead = oneLine(rejected).replace(/[ .,;:]+$/, "");
  return withShort(instead === "" ? said : `${said}. Rejected: ${instead}`, said, `- ${withReason(choice, "")}`);
}

function withShort(text: string, ...shorter: string[]): PageItem {
  const short = [...new Set(shorter.map(oneLine))];
  return { ...item(text), ...(short.every((one) => one === oneLine(text)) ? {} : { short }) };
}

function assumptionText({ text, if_wrong }: Solution["assumptions"][number]): string {
  const said = oneLine(text);
  if (if_wrong.trim() === "") return said;
  return `${/[.!?]$/.test(said) ? said : `${said}.`} If it is wrong: ${oneLine(if_wrong)}`;
}

/** n2 is the second assumption that was noted. */
function droppedText({ id, because }: Solution["dropped"][number], noted: readonly string[]): string {
  const text = noted[Number(id.slice(1)) - 1];
  return text === undefined ? `${id}: ${because}` : withReason(text, because);
}

function fileText({ path, role, change, lines }: Solution["files"][number], base?: Readonly<Record<string, unknown>>) {
  const word = change === "delete" || !base ? change : base[path] === null ? "new" : "edit";
  const size = lines > 0 ? `, ~${count(Math.round(lines), "line")}` : "";
  return `${word} ${path} (${role}${size})`;
}

function isAlwaysShown({ path, change }: Solution["files"][number]): boolean {
  return change === "delete" || isRunByOthers(path);
}

/** How it is proved is always shown, the words of the model about it only if there is room. */
function proofOf({ verification, files }: Solution, { engine, mode, evidence }: Context): PageItem[] {
  const { test_command: known, tests } = engine;
  const made = verification.command ? `${verification.command} (made by this solution)` : undefined;
  const found = tests.found_in === "" ? "" : ` (${tests.found_in})`;
  const command = known ? `${typed(known)}${found}` : made;
  const last = evidence.runs.at(-1);
  const today = known === null ? "" : `; today: ${last ? testsToday(last) : "not run yet"}`;
  const fresh = files.some(({ role }) => role === "test");
  const how = !fresh
    ? "the tests there are, and no new ones"
    : mode === "direct"
      ? "tests that pass in the end"
      : "tests first";
  switch (verification.kind) {
    case "tests":
      return [
        ...kept([`- ${how}, with: ${command ?? "no command found"}${today}`]),
        ...plain(verification.check ? [`- ${verification.check}`] : []),
      ];
    case "person":
      return kept(["- only text changes: you judge it by reading the difference"]);
    case "substitute":
      return kept([
        `- nothing here can fail in a test; checked instead: ${verification.check}`,
        ...(known === null ? [] : [`- the tests there are run too, with: ${command}${today}`]),
      ]);
  }
}

function testsToday({ verdict, in_words: counts }: Context["evidence"]["runs"][number]): string {
  const words = verdictsToday[verdict];
  return counts === undefined ? words : words === "the tests pass" ? counts : `${words} (${counts})`;
}

const verdictsToday = {
  baseline: "the tests pass",
  "failing at baseline": "the tests fail, before anything is changed",
  red: "the new tests fail, as they must",
  unproven: "the tests pass, but nobody saw them fail without the code",
  broken: "no test ran",
  failing: "the tests fail",
  green: "the tests pass",
};

/** An item that says what one before it says is left out, but never an assumption: it is known by its number. */
function eachOnce(sections: readonly PageSection[]): PageSection[] {
  const said = new Set<string>();
  const isNew = ({ text }: PageItem) => {
    const words = plainText(text.replace(/^(?:-|\d+\.|A\d+) /, "").replace(/ If it is wrong: .*$/, ""));
    const isKnown = said.has(words) && !/^A\d/.test(text);
    said.add(words);
    return !isKnown;
  };
  return sections.map((one) => ({ ...one, items: one.items.filter(isNew) })).filter(({ items }) => items.length > 0);
}

const section = (title: string, items: readonly PageItem[]): PageSection => ({ title, items });

/** A line of its own for each, so that no text can look like a heading. */
const item = (text: string): PageItem => ({ text: oneLine(text) });
const plain = (texts: readonly string[]) => texts.map(item);
const kept = (texts: readonly string[]) => texts.map((text): PageItem => ({ ...item(text), kept: true }));
const dashed = (texts: readonly string[]) => texts.map((text) => `- ${text}`);
