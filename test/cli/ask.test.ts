import * as fc from "fast-check";
import { expect, test } from "vitest";
import { leaveOf, type Word } from "../../src/cli/ask.ts";

const all: Word[] = ["edit", "ask", "all", "always", "s"];

test.each([
  ["", { type: "yes" }],
  [" Y ", { type: "yes" }],
  ["yes", { type: "yes" }],
  ["n", { type: "no" }],
  ["No", { type: "no" }],
  ["edit", { type: "edit" }],
  ["ASK", { type: "ask" }],
  ["all", { type: "all" }],
  ["always", { type: "always" }],
  ["s", { type: "s" }],
  ["Call it times", { type: "different", reason: "Call it times" }],
  [" 名前を変えて ", { type: "different", reason: "名前を変えて" }],
  ["yse", undefined],
  ["a", undefined],
  ["??", undefined],
  ["allways", undefined],
])("%j is understood, or asked again", (typed, leave) => {
  expect(leaveOf(typed, all)).toEqual(leave);
});

test("a word that is not offered means nothing, and no sentence means yes", () => {
  for (const word of all) expect(leaveOf(word, [])).toBe(undefined);
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (typed) => {
      const means = leaveOf(typed, all)?.type;
      expect(means === "yes").toBe(["", "y", "yes"].includes(typed.trim().toLowerCase()));
    }),
  );
});
