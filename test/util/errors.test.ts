import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { exitCodes, messageOf, systemCode, UserError } from "../../src/util/errors.ts";

test("an error for the user says what happened and what to type next, and how the program ends", () => {
  const error = new UserError("no_chain", "No chain 404.", "List chains.", exitCodes.conflict);
  const { name, code, message, next, exitCode } = error;
  expect({ name, code, message, next, exitCode }).toEqual({
    name: "UserError",
    code: "no_chain",
    message: "No chain 404.",
    next: [{ why: "List chains." }],
    exitCode: 14,
  });
  expect(new UserError("a", "b", "c").exitCode).toBe(1);
});

test("the exit codes are those that scripts rely on, and 2 is not among them", () => {
  expect(exitCodes).toEqual({
    done: 0,
    failed: 1,
    waiting: 10,
    confidence: 11,
    budget: 12,
    verification: 13,
    conflict: 14,
    usage: 64,
    notConfigured: 78,
    hungUp: 129,
    interrupted: 130,
    terminated: 143,
  });
});

test("a system error is known by its code, anything else by its words", () => {
  const caught = (work: () => unknown): unknown => {
    try {
      return work();
    } catch (error) {
      return error;
    }
  };
  const missing = caught(() => readFileSync("/nowhere/to/be/found"));
  const odd = Object.assign(new Error("odd"), { code: 7 });
  expect([missing, odd, new Error("plain"), "text", { code: "ENOENT" }].map(systemCode)).toEqual([
    "ENOENT",
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  expect([new Error("plain"), "text", 3].map(messageOf)).toEqual(["plain", "text", "3"]);
});
