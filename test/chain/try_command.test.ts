import { readdirSync } from "node:fs";
import { afterEach, expect, test } from "vitest";
import type { Permission } from "../../src/chain/consent.ts";
import type { Deps } from "../../src/chain/deps.ts";
import { event } from "../../src/chain/events.ts";
import { openChain } from "../../src/chain/open.ts";
import { runTurn } from "../../src/chain/run.ts";
import { compile } from "../../src/programs/permissions/judge.ts";
import { sandboxLine } from "../../src/programs/sandbox/sandbox.ts";
import { sandboxAt } from "../programs/sandbox/sandboxes.ts";
import { realWorld } from "../../src/util/world.ts";
import { cleanUp, folderWith } from "../support/folders.ts";
import { report, uses } from "../support/script.ts";
import { quickApp, tinyWay } from "../support/ways.ts";
import { ada } from "./lines.ts";
import { workbench } from "./workbench.ts";

afterEach(cleanUp);

const tried = await sandboxAt(folderWith({}), { tries: true });
const lacking = tried.on ? null : sandboxLine(tried);
const unlessLacking = lacking === null ? "" : ` (skipped: ${lacking})`;

const key = "requirements-clarification/1/1-reproduction_creator";
const permission = (mode: Permission["mode"], deny: readonly string[] = []): Permission => ({
  mode,
  rules: compile({ allow: [], ask: [], deny: [...deny] }),
  unsandboxed: false,
});

/** A chain before any approval, whose prompt tries these commands, one after the other. */
async function trying(lines: readonly string[], deps: Partial<Deps> = {}, prompt = "reproduction_creator") {
  const at = key.replace("reproduction_creator", prompt);
  const turns = lines.map((command, index) => [
    `${at}/turn-${index + 1}`,
    uses(["try_command", { command, why: "To see it." }]),
  ]);
  const replies = { ...Object.fromEntries(turns), [`${at}/turn-${lines.length + 1}`]: report("Done.") };
  const bench = await workbench(replies, {
    files: quickApp,
    test_command: null,
    deps: { permission: permission("ask"), ...deps },
  });
  const root = bench.folder;
  const tries = { open: () => sandboxAt(root, { tries: true }), close: () => Promise.resolve() };
  const queued = event("prompts_queued", {
    why: "",
    prompts: [
      { key: at, name: prompt, inputs: prompt === "reproduction_creator" ? { report: "Sums are wrong." } : {} },
    ],
  });
  await bench.chain.append({ by: ada, bodies: [queued] });
  const withSandbox = { tries, ...deps };
  const results = () => bench.lines.flatMap((line) => (line.type === "result" && line.effect === "tool" ? [line] : []));
  const said = () =>
    results().map(({ content }) => ("text" in content ? content.text : bench.chain.blobs.get(content.blob)));
  return { ...bench, withSandbox, results, said, close: () => bench.chain.close() };
}

test.skipIf(lacking)(
  `a command is tried before a solution is approved, and is kept as evidence${unlessLacking}`,
  async () => {
    const line = "node -p '6 * 7'";
    const bench = await trying([line]);
    await bench.runWith(bench.withSandbox);
    expect(bench.said()).toEqual(["try 1: exit 0\n42\n"]);
    expect(bench.results()[0]).toMatchObject({
      is_error: false,
      seen: [
        { kind: "command", ref: line },
        { kind: "command", ref: "try 1" },
      ],
    });
    const commands = bench.lines.filter((one) => "effect" in one && one.effect === "command");
    expect(commands).toMatchObject([
      { type: "intent", purpose: "try", argv: ["sh", "-c", line] },
      { type: "result", run: { exit_code: 0, sandboxed: true, output: "" } },
    ]);
    expect(bench.chain.context).toMatchObject({ solution: null, engine: { open: {}, request: null } });
    expect(bench.chain.context.evidence.runs).toEqual([]);
    await bench.close();
  },
);

test.skipIf(lacking)(
  `what is tried cannot write into the workspace, and its failure is told${unlessLacking}`,
  async () => {
    const bench = await trying([
      "echo x > new.txt",
      "echo x >> src/sum.js; rm -rf test; ln -s /etc/passwd out; exit 3",
    ]);
    const names = () => readdirSync(bench.folder, { recursive: true, encoding: "utf8" });
    const theirs = () => names().filter((name) => !name.startsWith(".claude-exec"));
    const before = theirs();
    const text = bench.file("src/sum.js");
    await bench.runWith(bench.withSandbox);
    expect(bench.said()[0]).toMatch(/^try 1: exit [12]\n.*Read-only file system/);
    expect(bench.said()[1]).toMatch(/^try 2: exit 3\n/);
    expect([bench.file("src/sum.js"), theirs()]).toEqual([text, before]);
    expect(bench.events().some(({ event: name }) => name === "files_touched")).toBe(false);
    await bench.close();
  },
);

test.skipIf(lacking)(
  `the end of the output is shown, at most 4 KB of it, without secrets${unlessLacking}`,
  async () => {
    const token = "ghp_0123456789abcdefghijABCDEFGHIJ456789";
    const bench = await trying([`seq 1 3000; echo ${token.slice(0, 10)}"${token.slice(10)}"`]);
    await bench.runWith(bench.withSandbox);
    const [said = ""] = bench.said();
    expect(said).toMatch(/^try 1: exit 0\n\[\d+ bytes left out\]\n/);
    expect(said).toContain("\n2999\n3000\n[redacted");
    expect(said).not.toContain(token);
    expect(Buffer.byteLength(said)).toBeLessThan(4200);
    await bench.close();
  },
);

test("it is refused in mode read, without a sandbox, without trust for it, by a rule, and without the right", async () => {
  const { said: inRead, ...one } = await trying(["ls"], { permission: permission("read") });
  await one.runWith(one.withSandbox);
  expect(inRead()).toEqual(["try_command is refused: This chain may only look (permission: read)."]);
  expect(one.chain.context.state).not.toMatchObject({ code: "look_only" });
  await one.close();

  const root = folderWith({});
  const nowhere = realWorld({ PATH: "/nowhere" });
  const off = sandboxAt(root, { tries: true, world: nowhere });
  const unsandboxed = { ...permission("full"), unsandboxed: true };
  const two = await trying(["ls"], {
    permission: unsandboxed,
    tries: { open: () => off, close: () => Promise.resolve() },
  });
  await two.runWith(two.withSandbox);
  expect(two.said()[0]).toMatch(/^try_command is refused: There is no sandbox for it: .+\.$/);
  await two.close();

  const three = await trying(["ls"], { tries: "A person has not said yet that code may run." });
  await three.runWith(three.withSandbox);
  expect(three.said()).toEqual(["try_command is refused: A person has not said yet that code may run."]);
  await three.close();

  const four = await trying(["env A=1 docker ps", "git commit -m x"], {
    permission: permission("full", ["run docker **"]),
  });
  await four.runWith(four.withSandbox);
  expect(four.said()).toEqual([
    expect.stringContaining("env A=1 docker ps may not be run: "),
    expect.stringContaining("git commit -m x may not be run: "),
  ]);
  await four.close();

  const five = await trying(["ls"], {}, "component_mapper");
  await five.runWith(five.withSandbox);
  expect(five.said()).toEqual(["component_mapper may only read; try_command is refused."]);
  for (const bench of [one, two, three, four, five]) {
    expect(bench.lines.some((line) => line.type === "intent" && line.effect === "command")).toBe(false);
  }
  await five.close();
});

test.skipIf(lacking)(`a try that is interrupted is tried again when the chain goes on${unlessLacking}`, async () => {
  const bench = await trying(["[ -e src/sum.js ] && echo begun && sleep 1 && echo ended"]);
  const stop = new AbortController();
  const { append } = bench.chain;
  const stopping = {
    ...bench.chain,
    get context() {
      return bench.chain.context;
    },
    append: async (...given: Parameters<typeof append>) => {
      const done = await append(...given);
      const open = Object.values(bench.chain.context.engine.open);
      if (open.some(({ effect }) => effect === "command")) setTimeout(() => stop.abort(), 200);
      return done;
    },
  };
  const policy = { answers: {}, approve: "ask" } as const;
  const deps = { ...bench.deps, ...bench.withSandbox };
  expect(await runTurn(stopping, deps, policy, stop.signal)).toEqual({ type: "interrupted" });
  expect(bench.said()).toEqual([]);
  await bench.chain.close();
  const again = openChain(bench.beginning, bench.chain.id)!.chain;
  await runTurn(again, deps, policy, new AbortController().signal);
  expect(bench.said()).toEqual(["try 2: exit 0\nbegun\nended\n"]);
  await again.close();
});

test.skipIf(lacking)(
  `a probe that a model runs while it builds asks nobody, and a person is told its last line${unlessLacking}`,
  async () => {
    const step = "implementation/1/1-tdd_flow_controller/turn-1";
    const replies = { ...tinyWay, [step]: uses(["run_command", { command: "node --version" }]) };
    const bench = await workbench(replies, {
      size: "tiny",
      deps: { permission: { ...permission("ask"), unsandboxed: true } },
    });
    const tries = { open: () => sandboxAt(bench.folder, { tries: true }), close: () => Promise.resolve() };
    await bench.runWith({ tries });
    await bench.say({ type: "approve", hash: bench.chain.context.solution?.hash ?? "" });
    await bench.runWith({ tries });
    const told = bench.lines.flatMap((line) =>
      line.type === "result" && line.effect === "command" ? [line.told] : [],
    );
    expect(told).toContain(process.version);
    expect(bench.events().filter((one) => one.event === "permission_asked")).toEqual([]);
    await bench.chain.close();
  },
);
