import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { pageOf, pageText } from "../../../src/chain/page.ts";
import { solutionSchema, type Solution } from "../../../src/chain/reply.ts";
import type { ChainStands } from "../../../src/clients/cli/change_report.ts";
import { verdictOf } from "../../../src/clients/cli/ask.ts";
import { approvalLines, approvalOf, pageLines, restLines, restOf } from "../../../src/clients/cli/page.ts";
import * as fc from "fast-check";
import { after as contextAfter, inEngine, ran } from "../../chain/lines.ts";

const recording = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../../examples/recordings/jwt.json"), "utf8"),
) as { replies: Record<string, { content: { text: string }[] }> };
const { content } = recording.replies["uncertainty-analysis/4/1-solution_synthesizer/turn-1"]!;
const reported = (JSON.parse(content[0]!.text) as { report: { solution: unknown } }).report.solution;
const whole = solutionSchema.parse(reported);
/** A long solution of five files. */
const jwt: Solution = {
  ...whole,
  files: [...whole.files.slice(0, 4), { path: "package.json", role: "code", change: "edit", lines: 2 }],
};
const context = { ...contextAfter(ran("baseline", 0)), goal: "Add JWT authentication to my app" };

type Page = Extract<ChainStands["ending"], { type: "needs_approval" }>["page"];

function stands(solution: Solution, page: Partial<Page> = {}, hash = "abc123abc123"): ChainStands {
  const sections = pageOf(solution, base, page.before ? shownBefore : context);
  const presented = { solution, text: pageText(solution.title, sections), hash, base, standing: "presented" as const };
  const shown = { sections, before: null, confirmed: [], asked: null, expected_usd: 0.42, ...page };
  return {
    chain_id: "001",
    goal: context.goal,
    phase: "solution-approval",
    confidence: { overall: 0.91, requirements: 0.95 },
    cost: { usd: 0.31, tokens: 1000, unpriced_calls: 0, lost_calls: [] },
    ending: { type: "needs_approval", presented, page: shown },
  } as unknown as ChainStands;
}

/** A screen as it was looked at by eye. */
const golden = (lines: readonly string[], name: string) =>
  expect(`${lines.join("\n")}\n`).toMatchFileSnapshot(`screens/${name}.txt`);

const plain = (_: string, text: string) => text;
const base = { "src/tokens.js": null, "test/tokens.test.js": null };
const before = { title: jwt.title, sections: pageOf(jwt, base, context) };
/** The chain as it is once the page above was shown. */
const shownBefore = inEngine(context, {
  assumed: Object.fromEntries(jwt.assumptions.map(({ text }, at) => [`A${at + 1}`, text])),
});
const changed: Solution = {
  ...jwt,
  title: jwt.title.replace("login", "sign-in"),
  architecture: jwt.architecture.replace("15 minutes", "5 minutes"),
  steps: [jwt.steps[0]!, "one step more", ...jwt.steps.slice(1)],
  assumptions: [jwt.assumptions[1]!, { text: "Clocks agree.", if_wrong: "Leeway is added.", covers: [] }],
};

const after = (operation: string, solution: string | null = null) => ({ operation, solution, page: null });
const fresh = after("resume");

describe("the page", () => {
  test.each([100, 60, 160])("at %i columns fits one screen of 40 lines, and says each thing once", async (columns) => {
    const lines = pageLines(stands(jwt), columns);
    expect(lines.length).toBeLessThanOrEqual(columns >= 100 ? 36 : 38);
    await golden(lines, `page-${columns}`);
  });

  test.each([100, 60, 160])("after a change, at %i columns shows only what is different", async (columns) => {
    const lines = approvalLines(stands(changed, { before }), columns, plain, after("change"));
    expect(lines.length).toBeLessThan(pageLines(stands(changed), columns).length);
    await golden(lines, `difference-${columns}`);
  });

  test("never folds away what is kept, however much there is", () => {
    const many = Array.from(
      { length: 12 },
      (_, at) => `${at} is not checked, and somebody has to look at it by hand before the release`,
    );
    const text = pageLines(stands({ ...jwt, remaining_concerns: many }), 100).join("\n");
    for (const concern of many) expect(text.replaceAll(/\s+/g, " ")).toContain(concern);
    expect(text).toContain("package.json (code, ~2 lines)");
    expect(text).toContain("A2 ");
  });

  test("names what v adds", () => {
    const bare = {
      ...jwt,
      tradeoffs: [],
      steps: [],
      decisions: [],
      risks: [],
      success_criteria: [],
      architecture: "Short.",
    };
    const titles = (solution: Solution) => restOf(stands(solution), 100, new Set()).map(({ title }) => title);
    expect(titles(bare)).toEqual([]);
    expect(titles({ ...bare, tradeoffs: ["one"] })).toEqual(["Tradeoffs"]);
  });
});

describe("what is shown before an approval is asked for", () => {
  test("after a change that is none, that nothing changed", () => {
    const same = stands(jwt, { before });
    expect(approvalLines(same, 100, plain, after("change"))).toContain("  Nothing changed since the last page.");
  });

  test("after a question whose answer changed nothing, the answer alone", () => {
    const asked = { solution: "abc123abc123", question: "Why?", answer: "Because sum stays." };
    expect(approvalLines(stands(jwt, { asked, before }), 100, plain, after("ask"))).toEqual([
      "  │ Because sum stays.",
      "",
      "  Cost $0.31 so far, about $0.42 more expected · confidence 91%",
    ]);
  });

  test("after a question whose answer changed the solution, the answer and what is different", () => {
    const asked = { solution: "an earlier one", question: "Why?", answer: "You are right." };
    const lines = approvalLines(stands(changed, { asked, before }), 100, plain, after("ask", "x"));
    expect(lines.slice(0, 3)).toEqual([
      "  │ You are right.",
      "",
      "  Changed since the last page (+ new, − gone, ~ changed):",
    ]);
  });

  test("v adds what the page left out, so that every word that is approved was shown, and hardly one twice", () => {
    for (const columns of [60, 100, 160]) {
      const data = stands(jwt);
      const flat = (lines: readonly string[]) => lines.join(" ").replaceAll(/\s+/g, " ");
      const page = flat(pageLines(data, columns));
      const left = restOf(data, columns, new Set());
      const rest = flat(restLines(left, columns));
      const isShown = (text: string) =>
        Array.from(text, (_, at) => at).some(
          (at) => page.includes(text.slice(0, at)) && rest.includes(text.slice(at).replace(/^[.,;: ]+/, "")),
        ) || page.includes(text);
      const { sections } = approvalOf(data).page;
      const missing = sections.flatMap(({ items }) => items.map(({ text }) => text)).filter((text) => !isShown(text));
      expect([columns, missing]).toEqual([columns, []]);
      expect(rest).toContain("Tradeoffs");
      expect(rest.length + page.length).toBeLessThan(1.3 * approvalOf(data).presented.text.length + 400);
    }
  });

  test("what v showed once, it does not show again after a change", () => {
    const read = new Set(
      restOf(stands(jwt), 100, new Set()).flatMap(({ items }) => items.map(({ whole: text }) => text)),
    );
    const tradeoffs = [...jwt.tradeoffs, "A new one."];
    const rest = restOf(stands({ ...jwt, tradeoffs }, { before }), 100, read);
    expect(restLines(rest, 100)).toEqual(["  Tradeoffs  - A new one."]);
  });

  test("after assumptions were confirmed, which", () => {
    const lines = approvalLines(stands(jwt, { confirmed: ["A1"] }), 100, plain, after("answer", "abc123abc123"));
    expect(lines[0]).toBe("  Confirmed: A1");
  });

  test("after two changes, what differs from the page that was on the screen last", () => {
    const seen = { operation: "change", solution: "an earlier one", page: { ...before, title: changed.title } };
    const lines = approvalLines(stands(jwt, { before }), 100, plain, seen);
    expect(lines.slice(1, -1)).toEqual(["  Title ~ JWT [sign-in → login] for API clients, beside today's sessions"]);
  });

  test("after a change of almost everything, the page itself", () => {
    const other = (texts: readonly string[]) => texts.map((text) => text.replaceAll(/[a-m]+/g, "zz"));
    const rewritten = {
      ...jwt,
      steps: other(jwt.steps),
      success_criteria: other(jwt.success_criteria),
      title: "Other",
    };
    const risks = jwt.risks.map(({ risk }) => ({ risk: `${risk} ${risk} ${risk}`, mitigation: "none" }));
    const now = stands({ ...rewritten, risks, decisions: [] }, { before });
    const lines = approvalLines(now, 100, plain, after("change"));
    expect(lines).toEqual(["  Most of it changed, so this is the whole page:", ...pageLines(now, 100)]);
  });

  const words = fc.array(fc.constantFrom("a", "token", "is", "[kept]", "session", "→", "gone."), { maxLength: 40 });
  const text = words.map((list) => `x ${list.join(" ")}`);
  const parts = fc.record({
    title: text,
    architecture: text,
    steps: fc.array(text, { maxLength: 5 }),
    success_criteria: fc.array(text, { maxLength: 4 }),
    remaining_concerns: fc.array(text, { maxLength: 3 }),
    risks: fc.array(fc.record({ risk: text, mitigation: text }), { maxLength: 4 }),
  });
  test("whatever changed, it takes hardly more lines than the page, and every changed assumption is there", () => {
    fc.assert(
      fc.property(parts, parts, fc.constantFrom(60, 100, 160), (one, other, columns) => {
        const old = { ...jwt, ...one };
        const last = { title: old.title, sections: pageOf(old, base, context) };
        const now = stands({ ...jwt, ...other, assumptions: changed.assumptions }, { before: last });
        const lines = approvalLines(now, columns, plain, after("change"));
        expect(lines.length).toBeLessThanOrEqual(pageLines(now, columns).length + 1);
        expect(lines.join("\n")).toContain("A3 Clocks agree.");
      }),
    );
  });

  test("when a chain is taken up, the whole page again", () => {
    const again = stands(changed, { before });
    expect(approvalLines(again, 100, plain, fresh)).toEqual(pageLines(again, 100));
  });
});

test.each([
  ["", { type: "approve" }],
  ["ok", { type: "approve" }],
  ["Sure.", { type: "approve" }],
  ["yes!", { type: "approve" }],
  ["no", "no"],
  ["stop", "stop"],
  ["v", { type: "show" }],
  ["more-info", "more"],
  ["hm", "again"],
  ["/status", "again"],
  ["Why not Redis?", { type: "ask", question: "Why not Redis?" }],
  ["Use Redis instead", { type: "change", request: "Use Redis instead" }],
  ["all ok", { type: "answer", answers_given: ["all=ok"] }],
  ["A2: no, they stay", { type: "answer", answers_given: ["A2=no, they stay"] }],
  ["a1: ok, A2: no, they stay", { type: "answer", answers_given: ["A1=ok", "A2=no, they stay"] }],
  ["See A2: it is wrong", { type: "change", request: "See A2: it is wrong" }],
])("%j at an approval means %j", (typed, verdict) => {
  expect(verdictOf(typed, ["A1", "A2"])).toEqual(verdict);
});
