import { existsSync, readFileSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { placeWith, program, type Place } from "../support/cli.ts";
import { wholeWay } from "../support/script.ts";
import { asked, hasPython, typeInto } from "../support/terminal.ts";
import { productCode, productTest, quickApp, quickTests, task, tiny, tinyWay } from "../support/ways.ts";

const there = (place: Place) =>
  [productTest.path, productCode.path].map((path) => existsSync(join(place.workspace, path)));
const state = (place: Place) =>
  (place.context()["status"] as { state: string; waiting_for: string | null }).waiting_for;

async function built(): Promise<{ place: Place; replay: string; answers: string }> {
  const place = placeWith(quickApp);
  const replay = place.replay(wholeWay);
  const answers = `--answers=${place.answers}`;
  const ran = await place.run([task, "--trust", quickTests, replay, answers, "--approve-policy=auto"]);
  expect([ran.code, ran.stderr.includes("bug")]).toEqual([0, false]);
  return { place, replay, answers };
}

test("to a step within the implementation: what was written before it stays, what came after goes", async () => {
  const { place, replay } = await built();
  expect((await place.run(["rewind", "1", "--to", "implementation/2", "--yes"])).code).toBe(0);
  expect(there(place)).toEqual([true, false]);
  const again = await place.run(["resume", "1", replay]);
  expect([again.code, there(place)]).toEqual([0, [true, true]]);
});

test("step by step further back, and each time exactly", async () => {
  const { place, replay } = await built();
  for (const [to, files] of [
    ["implementation/3", [true, true]],
    ["implementation/2", [true, false]],
    ["implementation/1", [false, false]],
    ["context-building/3", [false, false]],
  ] as const) {
    expect((await place.run(["rewind", "1", "--to", to, "--yes"])).code).toBe(0);
    expect([to, there(place)]).toEqual([to, files]);
  }
  const forward = await place.run(["resume", "1", replay, "--approve-policy=auto"]);
  expect([forward.code, there(place)]).toEqual([0, [true, true]]);
});

test("a step that was gone back behind is no step any more", async () => {
  const { place } = await built();
  await place.run(["rewind", "1", "--to", "context-building/3", "--yes"]);
  const back = await place.run(["rewind", "1", "--to", "implementation/2", "--yes"]);
  expect([back.code, back.stderr]).toEqual([64, expect.stringContaining('has no step "implementation/2"')]);
});

test("the context file, the journal and what was paid agree afterwards", async () => {
  const { place } = await built();
  const paid = place.context()["cost_tracking"];
  await place.run(["rewind", "1", "--to", "implementation", "--yes"]);
  expect(place.context()).toMatchObject({ current_phase: "implementation", session_memory: { files_modified: [] } });
  expect(place.context()["cost_tracking"]).toEqual(paid);
  const shown = await place.run(["resume", "1", "--json"]);
  expect(shown.stderr).not.toContain("edited by hand");
});

test("a chain that waits for permission goes back with its question", async () => {
  const place = placeWith(quickApp);
  const replay = place.replay(tinyWay);
  await place.run([...tiny, replay, "--approve-policy=auto", "--permission=ask", "--unsandboxed"]);
  expect(state(place)).toBe(`permission for a change of ${productTest.path}`);
  expect((await place.run(["rewind", "1", "--yes"])).code).toBe(0);
  expect(state(place)).toBe("approval");
});

test("after its files were put back alone, a chain does not write over what it no longer knows", async () => {
  const place = placeWith(quickApp);
  const replay = place.replay({
    ...tinyWay,
    "implementation/1/1-tdd_flow_controller/turn-2": { outcome: "refused", reason: "No.", usage: zero },
  });
  expect((await place.run([...tiny, replay, "--approve-policy=auto"])).code).toBe(1);
  expect(there(place)).toEqual([true, false]);
  expect((await place.run(["rewind", "1", "--files-only", "--yes"])).code).toBe(0);
  expect(there(place)).toEqual([false, false]);
  writeFileSync(join(place.workspace, "src/product.js"), "mine\n");
  const on = await place.run(["resume", "1", place.replay(tinyWay, "again.json")]);
  expect(on.code).not.toBe(0);
  expect(readFileSync(join(place.workspace, "src/product.js"), "utf8")).toBe("mine\n");
});

test("a chain is not done while its files are not as it left them", async () => {
  const { place, replay } = await built();
  await place.run(["rewind", "1", "--to", "implementation/3", "--yes"]);
  writeFileSync(join(place.workspace, productCode.path), "mine\n");
  const on = await place.run(["resume", "1", replay]);
  expect(on.code).not.toBe(0);
  expect(on.stderr).toContain("src/product.js was changed by somebody else since it was approved.");
  expect(readFileSync(join(place.workspace, productCode.path), "utf8")).toBe("mine\n");
});

test("nor while its files were put back without its history", async () => {
  const { place, replay } = await built();
  await place.run(["rewind", "1", "--to", "implementation/3", "--yes"]);
  await place.run(["rewind", "1", "--to", "implementation", "--files-only", "--yes"]);
  expect(there(place)).toEqual([false, false]);
  expect((await place.run(["resume", "1", replay])).code).not.toBe(0);
});

test("what changed around a crash may be its user's work, and is taken back only when they say so", async () => {
  const place = placeWith({ ...quickApp, "check.sh": "echo > made-by-tests; sleep 60\n" });
  const replay = place.replay(tinyWay);
  const made = new Promise<void>((resolve) => {
    const watcher = watch(place.workspace, (_, name) => {
      if (name !== "made-by-tests") return;
      watcher.close();
      resolve();
    });
  });
  const chain = place.start([...tiny, replay, "--approve-policy=auto"]);
  await made;
  chain.child.kill("SIGKILL");
  expect((await chain.ended).code).toBe("SIGKILL");
  writeFileSync(join(place.workspace, "mine.txt"), "mine\n");
  const refused = await place.run(["rewind", "1", "--yes"]);
  expect([refused.code, refused.stderr]).toEqual([
    14,
    expect.stringContaining(
      "A command was cut short, and nobody can tell whether it or you changed since: made-by-tests, mine.txt. Nothing was touched.\n" +
        "If none of that is your work: claude-exec rewind 001 --also-unsure\n",
    ),
  ]);
  expect(readFileSync(join(place.workspace, "mine.txt"), "utf8")).toBe("mine\n");
  expect((await place.run(["rewind", "1", "--also-unsure", "--yes"])).code).toBe(0);
  expect(["mine.txt", "made-by-tests"].map((path) => existsSync(join(place.workspace, path)))).toEqual([false, false]);
});

const zero = { input: 1, output: 1, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 };

test("without --yes it is only shown what would go, and nothing is changed", async () => {
  const { place } = await built();
  const before = place.journal().length;
  const ran = await place.run(["rewind", "1"]);
  expect([ran.code, there(place), place.journal().length]).toEqual([10, [true, true], before]);
  expect(ran.stdout.split("\n")).toEqual([
    "Chain 001 would go back to before the approval. Nothing has been put back yet.",
    expect.stringMatching(/^ {2}remove {5}/),
    expect.stringMatching(/^ {2}remove {5}/),
    "Do it: claude-exec rewind 001 --yes",
    "",
  ]);
  const same = await place.run(["rewind", "1", "--to", "implementation/3", "--files-only"]);
  expect(same.stdout).toContain("Do it: claude-exec rewind 001 --to implementation/3 --files-only --yes");
});

test("a person who says no to a rewind has seen once what would go, and nothing is changed", async ({ skip }) => {
  skip(!hasPython, "Without python3 there is no terminal to type into.");
  const { place } = await built();
  const before = place.journal().length;
  const no = await typeInto(place, [process.execPath, program, "rewind", "1"], [[asked("Go back?"), "n"]]);
  expect([no.code, place.journal().length]).toEqual([10, before]);
  expect(no.output.split("would go back to before the approval")).toHaveLength(2);
  expect(no.output).toMatch(/Nothing was changed\.\s*$/);
});

test("what a rewind took away is brought back, if nothing was done in between", async () => {
  const { place, replay } = await built();
  const view = () => {
    const { journal: _, seal: __, ...context } = place.context();
    return context;
  };
  const whole = view();
  for (const flags of [[], ["--to", "context-building/3"], ["--files-only"]]) {
    expect((await place.run(["rewind", "1", ...flags, "--yes"])).stdout).toContain(
      "Take this back: claude-exec rewind 001 --undo",
    );
    expect(there(place)).toEqual([false, false]);
    const undone = await place.run(["rewind", "1", "--undo"]);
    expect([undone.code, there(place), view()]).toEqual([0, [true, true], whole]);
    expect(undone.stdout).not.toContain("--undo");
    expect((await place.run(["rewind", "1", "--to", "implementation/2", "--yes"])).code).toBe(0);
    expect((await place.run(["rewind", "1", "--undo"])).code).toBe(0);
  }
  await place.run(["rewind", "1", "--to", "implementation", "--yes"]);
  await place.run(["resume", "1", replay, "--turns=1"]);
  const late = await place.run(["rewind", "1", "--undo"]);
  expect([late.code, late.stderr]).toEqual([64, expect.stringContaining("so there is none to undo")]);
});
