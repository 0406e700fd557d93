import { expect, test } from "vitest";
import { leaveToChange, leaveToRun, proposal, type Permission } from "../../src/chain/consent.ts";
import { event, type Body } from "../../src/chain/events.ts";
import { compile, type Mode } from "../../src/programs/permissions/judge.ts";
import { after } from "./lines.ts";

const change = proposal<"change">({
  kind: "change",
  key: "implementation/1/1-tdd_flow_controller/call_1",
  said: "",
  path: "src/product.js",
  role: "code",
  before: null,
  after: "a".repeat(64),
});
const command = proposal<"command">({
  kind: "command",
  key: "k",
  said: "",
  line: "npm run build",
  why: "",
  sandboxed: true,
});

const rules = { allow: [] as string[], ask: [] as string[], deny: [] as string[] };
const permission = (mode: Mode, more: Partial<typeof rules> = {}, unsandboxed = false): Permission => ({
  mode,
  rules: compile({ ...rules, ...more }),
  unsandboxed,
});
const asked = (request: typeof change | typeof command, ...then: Body[]) =>
  after(event("permission_asked", { request }), ...then);
const given = (id: string, always = false) => event("permission_given", { id, always });
const inside = { sandboxed: true, known: false, again: false };
const outside = { sandboxed: false, known: false, again: false };

test.for([
  ["read", {}, "look_only"],
  ["ask", {}, "ask"],
  ["ask", { allow: ["write src/**"] }, "given"],
  ["edits", {}, "given"],
  ["full", {}, "given"],
  ["full", { ask: ["write src/**"] }, "ask"],
  ["full", { deny: ["write src/**"] }, "refused"],
  ["edits", { deny: ["write src/**"] }, "refused"],
] as const)("a change in mode %s with %j: %s", ([mode, more, leave]) => {
  expect(leaveToChange(after(), change, permission(mode, more as Partial<typeof rules>)).type).toBe(leave);
});

test.for([
  ["read", {}, inside, "look_only"],
  ["ask", {}, inside, "ask"],
  ["edits", {}, inside, "ask"],
  ["full", {}, inside, "given"],
  ["ask", { allow: ["run npm run build"] }, inside, "given"],
  ["ask", {}, { ...inside, known: true }, "given"],
  ["full", {}, { ...inside, again: true }, "ask"],
  ["full", {}, outside, "ask"],
  ["ask", { allow: ["run npm run build"] }, outside, "ask"],
  ["ask", {}, { ...outside, known: true }, "ask"],
  ["full", { ask: ["run npm run **"] }, inside, "ask"],
  ["ask", { ask: ["run npm run **"] }, { ...inside, known: true }, "ask"],
  ["full", { deny: ["run npm **"] }, inside, "refused"],
] as const)("a command in mode %s with %j, %j: %s", ([mode, more, where, leave]) => {
  expect(leaveToRun(after(), command, permission(mode, more as Partial<typeof rules>), where).type).toBe(leave);
});

test("without a sandbox commands run unasked only on the user's word", () => {
  const there = { ...outside, known: true };
  expect(leaveToRun(after(), command, permission("edits", {}, true), there).type).toBe("given");
  expect(leaveToRun(after(), command, permission("edits", {}, true), outside).type).toBe("ask");
});

test("what a person allowed is allowed once, and no other thing with it", () => {
  const context = asked(change, given(change.id));
  const other = proposal<"change">({ ...change, after: "b".repeat(64) });
  expect(leaveToChange(context, change, permission("ask")).type).toBe("given");
  expect(leaveToChange(context, other, permission("ask")).type).toBe("ask");
});

test("allowed for the rest of the chain are all changes, and commands to the letter", () => {
  const changes = asked(change, given(change.id, true));
  const other = proposal<"change">({ ...change, path: "src/sum.js" });
  expect(leaveToChange(changes, other, permission("ask")).type).toBe("given");
  expect(leaveToRun(changes, command, permission("ask"), inside).type).toBe("ask");
  const commands = asked(command, given(command.id, true));
  const longer = proposal<"command">({ ...command, line: "npm run build && npm publish" });
  const later = proposal<"command">({ ...command, key: "later" });
  expect(leaveToRun(commands, later, permission("ask"), inside).type).toBe("given");
  // What was allowed in a sandbox is not allowed without one.
  expect(leaveToRun(commands, later, permission("ask"), outside).type).toBe("ask");
  expect(leaveToRun(commands, longer, permission("ask"), inside).type).not.toBe("given");
});

test("a refusal and a question are answers to the model, in the person's words", () => {
  const no = (question: boolean) =>
    asked(change, event("permission_refused", { id: change.id, reason: "Why a class?", question }));
  expect(leaveToChange(no(false), change, permission("ask"))).toEqual({
    type: "refused",
    text: "A person refused this: Why a class?. Nothing was done. Do it differently, or leave it.",
  });
  expect(leaveToChange(no(true), change, permission("ask"))).toEqual({
    type: "refused",
    text: "Before deciding, a person asks: Why a class?\nNothing was done yet. Answer in words, and along with them make the call again, as it was or better.",
  });
});

test("a rule that denies holds also against what was allowed before", () => {
  const context = asked(change, given(change.id, true));
  expect(leaveToChange(context, change, permission("full", { deny: ["write **/*.js"] })).type).toBe("refused");
});
