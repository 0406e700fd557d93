import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { Deps } from "../../src/chain/deps.ts";
import { event } from "../../src/chain/events.ts";
import { compile } from "../../src/programs/permissions/judge.ts";
import type { Sandbox } from "../../src/programs/sandbox/types.ts";
import { workbench } from "../chain/workbench.ts";
import { ada, after, approved, presented, solution } from "../chain/lines.ts";
import { placeWith } from "../support/cli.ts";
import { firstKey, opening, productSolution, report, uses } from "../support/script.ts";
import { quickApp, tiny, tinyWay } from "../support/ways.ts";
import { cleanUp } from "../support/folders.ts";

afterEach(cleanUp);

const step = "implementation/1/1-tdd_flow_controller";
const asking = ["--permission=ask", "--unsandboxed"];
const files = {
  ...quickApp,
  "work.sh": "touch honest\n",
  "package.json": '{ "name": "sum", "type": "module", "scripts": { "work": "touch honest" } }\n',
};
/** Each changes what the command would do, after it was asked about. */
const changes = [
  ["sh work.sh", "work.sh", "touch swapped\n"],
  ["npm run work", "package.json", '{ "scripts": { "work": "touch swapped" } }\n'],
  ["npm run work", ".npmrc", "script-shell=./work.sh\n"],
] as const;

const replies = (line: string) => ({
  ...tinyWay,
  [`${step}/turn-1`]: uses(["run_command", { command: line }]),
  [`${step}/turn-2`]: uses(["run_command", { command: line }]),
  [`${step}/turn-3`]: report("It ran."),
});

test.each(changes)("%s is not run where %s changed after it was asked about", async (line, path, text) => {
  const place = placeWith(files, { sandbox: true });
  const replay = place.replay(replies(line));
  const first = await place.run([...tiny, ...asking, replay, "--approve-policy=auto", "--json"]);
  const { ending } = JSON.parse(first.stdout) as { ending: { type: string; request: { id: string } } };
  expect([first.code, ending.type]).toEqual([10, "needs_permission"]);
  writeFileSync(join(place.workspace, path), text);
  const late = await place.run(["allow", "1", ending.request.id, ...asking, replay]);
  expect([late.code, late.stderr]).toEqual([
    14,
    expect.stringMatching(
      new RegExp(`What chain 001 asks for now is [0-9a-f]{12}, not ${ending.request.id}\\. Nothing was allowed or`),
    ),
  ]);
  expect(["honest", "swapped"].filter((name) => existsSync(join(place.workspace, name)))).toEqual([]);
  // What is asked for now is bound to what the file holds now, and says why it is asked anew.
  const shown = JSON.parse((await place.run(["diff", "1", "--json"])).stdout) as {
    waiting: { request: { id: string; why: string } };
  };
  const { id, why } = shown.waiting.request;
  expect(late.stderr).toContain(`asks for now is ${id},`);
  expect(why).toContain(`Since it was asked, this changed: ${path}`);
  expect((await place.run(["allow", "1", id, ...asking, replay])).code).toBe(10);
  expect(place.events("permission_given").map((given) => given.id)).toEqual([id]);
});

/** A chain that waits for a person to allow `sh work.sh`. */
async function waiting(sandbox?: Deps["sandbox"]) {
  const permission = { mode: "ask" as const, rules: compile({ allow: [], ask: [], deny: [] }), unsandboxed: true };
  const bench = await workbench(replies("sh work.sh"), {
    files,
    size: "tiny",
    deps: { permission, ...(sandbox && { sandbox }) },
  });
  const ending = await bench.run({ approve: "auto" });
  const request = bench.chain.context.engine.request;
  if (ending.type !== "needs_permission" || !request) throw new Error(`It ended with ${ending.type}.`);
  const swap = () => writeFileSync(join(bench.folder, "work.sh"), "touch swapped\n");
  const made = () => ["honest", "swapped"].filter((name) => existsSync(join(bench.folder, name)));
  return { bench, request, swap, made };
}

test("an allowance that lies in the inbox while the script changes is not taken in", async () => {
  const { bench, request, swap, made } = await waiting();
  await bench.say({ type: "allow", id: request.id, always: false });
  swap();
  expect(await bench.run()).toMatchObject({ type: "needs_permission" });
  expect(made()).toEqual([]);
  expect(bench.events().filter((one) => one.event === "message_ignored")).toHaveLength(1);
});

test("a script that changes between the allowance and its start is asked about again", async () => {
  const { bench, request, swap, made } = await waiting();
  await bench.chain.append({ by: ada, bodies: [event("permission_given", { id: request.id, always: false })] });
  swap();
  expect(await bench.run()).toMatchObject({ type: "needs_permission" });
  expect(made()).toEqual([]);
});

test.each(["while the files of the workspace are read", "while the sandbox is prepared"] as const)(
  "a script that changes %s, just before its start, is asked about again and then run once",
  async (when) => {
    let isDone = false;
    let swapOnce = () => {};
    const prepared = when === "while the sandbox is prepared" ? preparing(() => swapOnce()) : undefined;
    const { bench, request, swap, made } = await waiting(prepared);
    swapOnce = () => {
      if (!isDone) swap();
      isDone = true;
    };
    await bench.say({ type: "allow", id: request.id, always: false });
    const { workspace } = bench.deps;
    const slowly: Partial<Deps> = prepared
      ? {}
      : { workspace: { ...workspace, snapshot: (...given) => workspace.snapshot(...given).finally(swapOnce) } };
    const asked = await bench.runWith(slowly);
    expect([isDone, made()]).toEqual([true, []]);
    const why = expect.stringMatching(/^Since it was allowed, this changed: work\.sh\./) as string;
    expect(asked).toMatchObject({ type: "needs_permission", request: { line: "sh work.sh", why } });
    expect(
      bench.lines.filter((line) => line.type === "intent" && line.effect === "command" && line.purpose === "command"),
    ).toEqual([]);
    await bench.say({ type: "allow", id: asked.type === "needs_permission" ? asked.request.id : "", always: false });
    await bench.runWith(slowly);
    expect(made()).toEqual(["swapped"]);
  },
);

/** Something happens at the moment in which a command is about to start inside. */
function preparing(happens: () => void): Deps["sandbox"] {
  const wrap = (argv: readonly string[]) => Promise.resolve(argv).finally(happens);
  const close = () => Promise.resolve();
  const sandbox: Sandbox = { on: true, detail: "", hint: null, wrap, release: () => undefined, close };
  return { open: () => Promise.resolve(sandbox), close };
}

test("what is always allowed is allowed with the content it had", async () => {
  const { bench, request, made } = await waiting();
  await bench.say({ type: "allow", id: request.id, always: true });
  // The second call runs the same script, which is as it was.
  expect(await bench.run()).not.toMatchObject({ type: "needs_permission" });
  expect(made()).toEqual(["honest"]);
  const other = await waiting();
  await other.bench.say({ type: "allow", id: other.request.id, always: true });
  const ended = await other.bench.runUntil(() => other.made().length > 0);
  expect(ended).toMatchObject({ type: "reached" });
  other.swap();
  expect(await other.bench.run()).toMatchObject({
    type: "needs_permission",
    request: { why: expect.stringContaining("Since it was allowed, this changed: work.sh") as string },
  });
  expect(other.made()).toEqual(["honest"]);
});

test("a solution is not approved where what its test command names changed after it was presented", async () => {
  const bench = await workbench(tinyWay, { files, size: "tiny" });
  expect(await bench.run()).toMatchObject({ type: "needs_approval" });
  const hash = bench.chain.context.solution?.hash ?? "";
  writeFileSync(join(bench.folder, "check.sh"), "touch swapped; exit 0\n");
  await bench.say({ type: "approve", hash });
  await bench.runUntil(() => bench.chain.context.solution?.standing !== "presented");
  expect(bench.events().filter((one) => one.event === "approval_voided")).toMatchObject([
    { reason: "check.sh changed after the solution was presented." },
  ]);
  expect(bench.chain.context.solution?.standing).not.toBe("approved");
});

/** Runs a line in a chain whose approved solution names a command; returns the line that a person is asked about. */
async function askedAbout(command: string, line: string, { isSwapped = false } = {}) {
  const artifact = { ...productSolution, commands: [command] };
  const permission = { mode: "ask" as const, rules: compile({ allow: [], ask: [], deny: [] }), unsandboxed: true };
  const first = opening("This is it.", { type: "present_solution", artifact });
  const script = { ...replies(line), [`${firstKey}/turn-1`]: first };
  const bench = await workbench(script, { files, size: "tiny", deps: { permission } });
  const ending = await bench.run();
  if (ending.type !== "needs_approval") throw new Error(`It ended with ${ending.type}.`);
  await bench.say({ type: "approve", hash: ending.presented.hash });
  await bench.runUntil(() => bench.chain.context.current_phase === "implementation");
  if (isSwapped) writeFileSync(join(bench.folder, "work.sh"), "touch swapped\n");
  await bench.runUntil(() => bench.lines.some((one) => one.type === "result" && one.effect === "tool"));
  const { request } = bench.chain.context.engine;
  await bench.chain.close();
  expect(existsSync(join(bench.folder, "swapped"))).toBe(false);
  return request?.kind === "command" ? request.line : existsSync(join(bench.folder, "honest")) && "it ran";
}

test("a command that a person approved with the solution runs unasked, exactly so and with the files that it names as they were", async () => {
  expect(await askedAbout("sh work.sh", "sh work.sh")).toBe("it ran");
  expect(await askedAbout("sh work.sh (no host)", "sh work.sh")).toBe("it ran");
  expect(await askedAbout("`sh work.sh` (no host)", "sh work.sh")).toBe("it ran");
  expect(await askedAbout("sh work.sh", "sh work.sh now")).toBe("sh work.sh now");
  expect(await askedAbout("sh work.sh now", "sh work.sh")).toBe("sh work.sh");
  expect(await askedAbout("sh\nwork.sh", "sh\nwork.sh")).toBe("sh\nwork.sh");
  expect(await askedAbout("sh work.sh", "sh work.sh", { isSwapped: true })).toBe("sh work.sh");
});

test("a command of a solution that nobody saw is asked about", async () => {
  const solved = after(presented({ ...solution, commands: ["sh work.sh"] }), approved);
  expect(solved.engine.permits.approved).toEqual([]);
  const seen = after(presented({ ...solution, commands: ["sh work.sh"] }), { ...approved, from: "message-1" });
  expect(seen.engine.permits.approved).toContain("sh work.sh");
});
