import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { event, type Body } from "../../src/chain/events.ts";
import type { Solution } from "../../src/chain/reply.ts";
import { compile, type Mode } from "../../src/programs/permissions/judge.ts";
import { sha256 } from "../../src/util/hash.ts";
import { report, uses } from "../support/script.ts";
import { quickApp } from "../support/ways.ts";
import { cleanUp } from "../support/folders.ts";
import { ada, approved, phase, ran, solution } from "./lines.ts";
import { workbench } from "./workbench.ts";

afterEach(cleanUp);

type Call = [name: string, input: object];

const lines = "one\ntwo\nthree\n";
const notes = "test/notes.test.js";
const more = "test/more.test.js";
const fresh = "test/fresh.test.js";
const found = { ...quickApp, [notes]: lines, [more]: lines, "README.md": "# Sum\n" };

const edit = (path: string, old: string, text: string): Call => ["edit_file", { path, old, new: text }];
const write = (path: string, content: string): Call => ["write_file", { path, content }];
const key = "implementation/1/1-test_generator";

/** A prompt at work on approved test files, in a mode that asks a person about each change. */
async function building(
  turns: readonly (readonly Call[])[],
  { mode = "ask", said = "" }: { readonly mode?: Mode; readonly said?: string } = {},
) {
  const speaks = (calls: readonly Call[], text: string) => {
    const reply = uses(...calls);
    return { ...reply, content: [...(text === "" ? [] : [{ type: "text", text }]), ...reply.content] };
  };
  const permission = { mode, rules: compile({ allow: [], ask: [], deny: [] }), unsandboxed: true };
  const bench = await workbench(
    {
      ...Object.fromEntries(turns.map((calls, index) => [`${key}/turn-${index + 1}`, speaks(calls, said)])),
      [`${key}/turn-${turns.length + 1}`]: report("Done."),
    },
    { files: found, deps: { permission } },
  );
  const files: Solution["files"] = [notes, more, fresh].map((path) => ({
    path,
    role: "test",
    change: "edit",
    lines: 1,
  }));
  const shown = event("solution_presented", {
    solution: { ...solution, files },
    text: "",
    id: "abc123abc123",
    base: { [notes]: sha256(lines), [more]: sha256(lines), [fresh]: null },
  });
  const queued = event("prompts_queued", { why: "", prompts: [{ key, name: "test_generator", inputs: {} }] });
  const before: Body[] = [shown, approved, phase("implementation", "solution-approval"), ran("baseline", 0), queued];
  await bench.chain.append({ by: ada, bodies: before });
  /** What is asked for now; undefined where nothing is. */
  const request = () => {
    const { request: asked } = bench.chain.context.engine;
    return asked?.kind === "change" ? asked : undefined;
  };
  const text = (hash: string | null) => hash && bench.chain.blobs.get(hash);
  const allow = async (words: { always?: boolean; text?: string } = {}) => {
    await bench.say({ type: "allow", id: request()?.id ?? "", always: false, ...words });
    return bench.run();
  };
  const isDone = () => bench.events().some((one) => one.event === "report_recorded");
  const answers = () =>
    bench.lines.flatMap((line) =>
      line.type === "result" && line.effect === "tool" ? [[line.call, line.content]] : [],
    );
  await bench.runUntil(isDone);
  return { ...bench, request, text, allow, answers, goOn: () => bench.runUntil(isDone) };
}

const together = [edit(notes, "one", "1"), edit(more, "one", "1"), edit(notes, "two", "2"), edit(notes, "three", "3")];

test("edits of one turn to the same file are shown and allowed as one change, and the words above it stand once", async () => {
  const bench = await building([together], { said: "I number the lines." });
  expect(bench.request()).toMatchObject({ path: notes, said: "I number the lines." });
  expect(bench.text(bench.request()!.after)).toBe("1\n2\n3\n");
  await bench.say({ type: "allow", id: bench.request()!.id, always: false });
  await bench.goOn();
  // All at once, so that nothing lies there that nobody was shown.
  expect([bench.file(notes), bench.request()]).toMatchObject(["1\n2\n3\n", { path: more, said: "" }]);
  await bench.say({ type: "allow", id: bench.request()!.id, always: false });
  await bench.goOn();
  expect(bench.file(more)).toBe("1\ntwo\nthree\n");
  const done = { text: `Done together with your first change of ${notes} in this turn: see there.` };
  expect(bench.answers()).toEqual([
    ["call_0_edit_file", { text: `Changed ${notes} (3 lines).` }],
    ["call_2_edit_file", done],
    ["call_3_edit_file", done],
    ["call_1_edit_file", { text: `Changed ${more} (3 lines).` }],
  ]);
  expect(bench.events().filter((one) => one.event === "permission_asked")).toHaveLength(2);
  expect(bench.chain.context.engine).toMatchObject({ changes: 2, allowed_changes: 2 });
  await bench.chain.close();
});

test("a test command that stands in the reason of a refusal is used from then on", async () => {
  const bench = await building([together.filter((_, at) => at !== 1)]);
  const reason = "Words, please. The tests run with `sh other.sh`";
  await bench.say({ type: "reject", id: bench.request()!.id, reason });
  await bench.goOn();
  expect(bench.chain.context.engine.test_command).toEqual(["sh", "other.sh"]);
  await bench.chain.close();
});

test("a refusal of the first holds for the others, and they are told so", async () => {
  const bench = await building([together.filter((_, at) => at !== 1)]);
  await bench.say({ type: "reject", id: bench.request()!.id, reason: "Words, please" });
  await bench.goOn();
  const others = { text: `Refused together with your first change of ${notes} in this turn. Nothing was done.` };
  expect(bench.answers().map(([, content]) => content)).toEqual([
    { text: "A person refused this: Words, please. Nothing was done. Do it differently, or leave it." },
    others,
    others,
  ]);
  expect([bench.file(notes), bench.chain.context.engine.turned_down]).toEqual([
    lines,
    { [notes]: sha256("1\n2\n3\n") },
  ]);
  await bench.chain.close();
});

test("what a person writes by hand takes the place of all edits of the turn", async () => {
  const bench = await building([together.filter((_, at) => at !== 1)]);
  await bench.say({ type: "allow", id: bench.request()!.id, always: false, text: "i\nii\niii\n" });
  await bench.goOn();
  expect(bench.file(notes)).toBe("i\nii\niii\n");
  expect(bench.answers().map(([, content]) => content)[0]).toMatchObject({
    text: expect.stringMatching(/A person changed your text before it was written; .*-1\n-2\n-3\n\+i\n/s) as string,
  });
  await bench.chain.close();
});

test("a file is made and mended in one turn, in every mode; one that is made and deleted is asked about by steps", async () => {
  const makes = [write(fresh, "one\n"), edit(fresh, "one", "1")];
  for (const mode of ["ask", "edits"] as const) {
    const bench = await building([makes], { mode });
    if (mode === "ask") await bench.say({ type: "allow", id: bench.request()!.id, always: true });
    await bench.goOn();
    expect(bench.file(fresh)).toBe("1\n");
    await bench.chain.close();
  }
  const gone = await building([[write(fresh, "one\n"), ["delete_file", { path: fresh }]]]);
  expect(gone.text(gone.request()!.after)).toBe("one\n");
  await gone.chain.close();
});

test("edits after a run of the tests, and edits that do not fit, are no part of the change that is shown", async () => {
  const bench = await building([
    [edit(notes, "one", "1"), edit(notes, "seven", "7"), ["run_tests", {}], edit(notes, "two", "2")],
  ]);
  expect(bench.text(bench.request()!.after)).toBe("1\ntwo\nthree\n");
  await bench.say({ type: "allow", id: bench.request()!.id, always: false });
  await bench.goOn();
  expect(bench.request()).toMatchObject({ path: notes, before: sha256("1\ntwo\nthree\n") });
  expect(bench.answers()[1]).toEqual(["call_1_edit_file", { text: expect.stringContaining("old does not occur") }]);
  await bench.chain.close();
});

test("a chain that was killed after the file was written, and before that was noted, knows all edits as made", async () => {
  const bench = await building([together.filter((_, at) => at !== 1)]);
  const { id, path, before, after } = bench.request()!;
  await bench.chain.append({ by: ada, bodies: [event("permission_given", { id, always: false })] });
  const change = { path, before: { sha256: before!, text: lines, mode: 0o644 } };
  bench.deps.workspace.apply({ ...change, after: { sha256: after!, text: "1\n2\n3\n" } });
  const also = [2, 3].map((at) => ({ id: `call_${at - 1}_edit_file`, tool: "edit_file" }));
  const intent: Body = { type: "intent", effect: "change", key, call: "call_0_edit_file", path, before, after, also };
  await bench.chain.append({ by: ada, bodies: [intent] });
  await bench.goOn();
  expect([bench.file(notes), bench.answers().length]).toEqual(["1\n2\n3\n", 3]);
  expect(existsSync(join(bench.folder, fresh))).toBe(false);
  await bench.chain.close();
});

const said = { text: "# Sum\n\nNumbers.\n" };

test.for(["ask", "edits", "full"] as const)(
  "in mode %s a document that the solution does not name is written if a person says yes to exactly this change",
  async (mode) => {
    const bench = await building([[write("README.md", said.text)], [write("docs/new.md", "New.\n")]], { mode });
    expect(bench.request()).toMatchObject({
      path: "README.md",
      role: "doc",
      unplanned: true,
      before: sha256("# Sum\n"),
    });
    expect(bench.file("README.md")).toBe("# Sum\n");
    // "all" is about what was approved: the next document is asked about again.
    await bench.say({ type: "allow", id: bench.request()!.id, always: true });
    await bench.goOn();
    expect(bench.file("README.md")).toBe(said.text);
    expect(bench.request()).toMatchObject({ path: "docs/new.md", role: "doc", unplanned: true, before: null });
    await bench.say({ type: "reject", id: bench.request()!.id, reason: "No" });
    await bench.goOn();
    expect(existsSync(join(bench.folder, "docs/new.md"))).toBe(false);
    const { solution: kept, engine } = bench.chain.context;
    expect([kept?.standing, engine.permits.changes, engine.files["README.md"]?.role]).toEqual([
      "approved",
      false,
      "doc",
    ]);
    await bench.chain.close();
  },
);

test("code, a deletion, and what other programs obey are no such document", async () => {
  const paths = ["src/other.js", "docs/conf.py", "docs/requirements.txt", ".github/README.md", "docs/AGENTS.md"];
  const gone: Call = ["delete_file", { path: "README.md" }];
  const bench = await building([[...paths.map((path) => write(path, "text\n")), gone]]);
  expect(bench.request()).toBeUndefined();
  const why = (path: string) =>
    `${path} is not among the approved files: ${notes}, ${more}, ${fresh}. If it is needed, go back to solution-approval and present it. Beside them only documents may be changed, such as a README, if the user says yes.`;
  expect(bench.answers().map(([, content]) => content)).toEqual(
    [...paths, "README.md"].map((path) => ({ text: why(path) })),
  );
  await bench.chain.close();
});
