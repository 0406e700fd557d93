import { expect, test } from "vitest";
import { flagsAgain, nextLines } from "../../../src/clients/cli/next.ts";
import type { Next } from "../../../src/util/next.ts";

const shown = (next: Next, flags = {}) => nextLines([next], flags)[0];

test.each<[Next, string]>([
  [{ why: "Free some space." }, "Free some space."],
  [{ input: {}, why: "Remove it, then go on" }, "Remove it, then go on: type the same again."],
  [{ input: { home: "<folder>" }, why: "Name another" }, "Name another: --home <folder>"],
  [{ input: { accept_edit: true, turns: 8 }, why: "Again" }, "Again: --accept-edit --turns 8"],
  [{ input: { worktree: null }, why: "Without" }, "Without: leave --worktree out"],
  [{ input: { var: ["a=b c", "d=…"] }, why: "Twice" }, `Twice: --var 'a=b c' --var d="…"`],
  [{ operation: "status", input: { chain: "all" }, why: "List" }, "List: claude-exec status all"],
  [{ operation: "status", why: "Look" }, "Look: claude-exec status"],
  [{ operation: "recover", why: "Repair it" }, "Repair it: claude-exec recover <chain>"],
  [{ operation: "new", input: { task: "…", worktree: true }, why: "Begin" }, 'Begin: claude-exec new "…" --worktree'],
  [
    { operation: "resume", input: { chain: "001", model: "<model>", test_command: "a b" }, why: "Go on" },
    "Go on: claude-exec resume 001 --model <model> --test-command 'a b'",
  ],
  [
    { operation: "answer", input: { chain: "001", answers_given: ["a=…", "b=it's"] }, why: "Answer" },
    `Answer: claude-exec answer 001 a="…" 'b=it'\\''s'`,
  ],
])("%j is printed as a line that can be typed", (next, line) => {
  expect(shown(next)).toBe(line);
});

test("what the caller named is repeated where the operation takes it, and not what is to be left out or differs", () => {
  const flags = flagsAgain({ home: "my x", replay: "a.json", unsandboxed: true, trust: true, record: "b.json" });
  expect(flags).toEqual({ home: "my x", replay: "a.json", unsandboxed: true });
  expect(shown({ operation: "resume", input: { chain: "001", adopt: true }, why: "Go on" }, flags)).toBe(
    "Go on: claude-exec resume 001 --adopt --home 'my x' --replay a.json --unsandboxed",
  );
  expect(shown({ operation: "status", input: { chain: "001" }, why: "Look" }, flags)).toBe(
    "Look: claude-exec status 001 --home 'my x'",
  );
  expect(shown({ operation: "resume", input: { chain: "001", replay: null, home: "/h" }, why: "Go on" }, flags)).toBe(
    "Go on: claude-exec resume 001 --home /h --unsandboxed",
  );
});
