import { expect, test } from "vitest";
import { weakWording, weakWordings } from "../../../src/library/lint/words.ts";

const found = (text: string) => weakWording(text, 1).map(({ line, what }) => `${line} ${what}`);

// oxfmt-ignore
test.each([
  "make sure", "Be sure", "be careful", "as appropriate", "if necessary", "as needed", "etc.", "and so on",
  "best practice", "best practices", "high quality", "high-quality", "robust", "robustness", "comprehensive",
  "seamlessly", "leveraging", "utilise", "utilizing", "try to", "please", "properly", "thoroughly", "carefully",
  "in general", "it is important", "It's important", "you are an expert", "You are a senior database expert",
  "world-class", "step by step", "step-by-step", "think hard", "think harder", "various", "some kind of",
  "state of the art", "state-of-the-art", "do your best", "ensure that", "MAKE SURE",
])("%j is weak wording", (words) => {
  expect(found(`Here ${words}, or so.`)).toHaveLength(1);
});

// oxfmt-ignore
test.each([
  "pleased", "a seam", "robustify", "/etc/hosts", "etcetera", "ensure the lock is held", "improperly", "variously",
  "utilisation", "trying to", "the general case", "an expert", "carefulness", "footsteps by steps", "unmake surety",
])("%j is not", (words) => {
  expect(found(`Here ${words}, or so.`)).toEqual([]);
});

test("what stands in a fence or a code span is spoken of, not said", () => {
  expect(found("a `please` b ``please ` please`` c\n```\nplease\n```\n~~~data\nplease\n~~~\nplease")).toEqual([
    '8 "please" says nothing',
  ]);
});

test("a backtick that nothing closes within its paragraph hides nothing", () => {
  expect(found("a ` b please\n\nplease `")).toEqual(['1 "please" says nothing', '3 "please" says nothing']);
});

test("a phrase is found across the end of a line, at the line where it begins", () => {
  expect(weakWording("one\ntry\n  to", 10)).toStrictEqual([
    {
      line: 11,
      rule: "weak-wording",
      severity: "warning",
      what: '"try to" says nothing',
      why: "It permits failure in silence: having tried fulfils it.",
      mend: "Give the order itself, and say what to report when it cannot be done.",
    },
  ]);
});

test("each entry has a reason and a better way of its own", () => {
  const all = weakWordings.flatMap(({ why, instead }) => [why, instead]);
  const shared = all.filter((text, index) => all.indexOf(text) !== index);
  expect(shared.filter((text) => text !== "Leave it out.")).toEqual([]);
  expect(weakWordings.every(({ why, instead }) => /[.?]$/.test(why) && instead.endsWith("."))).toBe(true);
});
