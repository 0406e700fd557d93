import * as fc from "fast-check";
import { expect, test } from "vitest";
import { commandProblem } from "../../../src/clients/cli/clack.ts";
import { isQuestion, leaveOf, noAnswer, verdictOf, type Word } from "../../../src/clients/cli/ask.ts";
import { shortWord } from "../../../src/util/short_word.ts";

const all: Word[] = ["edit", "ask", "all", "always", "s"];

test.each([
  ["", { type: "yes" }],
  [" Y ", { type: "yes" }],
  ["yes", { type: "yes" }],
  ["n", { type: "no" }],
  ["No", { type: "no" }],
  ["ok", { type: "yes" }],
  ["Sure.", { type: "yes" }],
  ["stop", { type: "stop" }],
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
      expect(means === "yes").toBe(typed.trim() === "" || shortWord(typed) === "yes");
    }),
  );
});

test("words that end in a question mark are a question", () => {
  const asked = ["What does a client get?", "Why? ", "本当に？"];
  expect(asked.map(isQuestion)).toEqual([true, true, true]);
  expect(["Call it times", "Why? Call it times", ""].map(isQuestion)).toEqual([false, false, false]);
});

test("a command typed at a question is no answer, and a path is one", () => {
  expect(noAnswer(" ")).toBe("An answer is needed; Ctrl+C pauses.");
  expect(commandProblem("/status")).toBe(
    "/status is a command, and no answer. Ctrl+C pauses; then type: claude-exec status",
  );
  expect(["/chain-cost 001", "/implement"].map(commandProblem)).not.toContain(undefined);
  const others = ["/status/today", "/api", "status", "ok", "/api/tokens should answer 201"];
  expect(others.map(commandProblem)).toEqual(others.map(() => undefined));
});

test("a path with which a change begins is no command", () => {
  const text = "/api/tokens should answer 201";
  expect(verdictOf(text, [])).toEqual({ type: "change", request: text });
  expect(leaveOf(text, all)).toEqual({ type: "different", reason: text });
});
