import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { placeWith, type Place } from "../support/cli.ts";
import { report, uses, type Replies } from "../support/script.ts";
import { afterRecovery, productCode, productTest, quickApp, quickTests, task, tiny, tinyWay } from "../support/ways.ts";

const asking = ["--permission=ask", "--unsandboxed"];

/** A tiny chain that has come to its first question: whether the test may be written. */
async function asked(replies: Replies = tinyWay): Promise<{ place: Place; replay: string; id: string }> {
  const place = placeWith(quickApp);
  const replay = place.replay({ ...replies, ...afterRecovery });
  const ran = await place.run([...tiny, ...asking, replay, "--approve-policy=auto", "--json"]);
  const { ending } = JSON.parse(ran.stdout) as { ending: { type: string; request: { id: string } } };
  expect([ran.code, ending.type]).toEqual([10, "needs_permission"]);
  return { place, replay, id: ending.request.id };
}

const said = (text: string) => JSON.parse(text) as Record<string, unknown>;
const ending = (text: string) =>
  said(text)["ending"] as { type: string; request?: { id: string; path: string }; diff?: string };

test("a change is shown before it is made, and made once it is allowed", async () => {
  const { place, replay, id } = await asked();
  expect(existsSync(join(place.workspace, productTest.path))).toBe(false);
  const shown = said((await place.run(["diff", "1", "--json"])).stdout);
  expect(shown).toMatchObject({
    waiting: { request: { id, kind: "change", path: productTest.path, role: "test" } },
    changes: [],
  });
  expect((shown["waiting"] as { diff: string }).diff).toContain(`+++ b/${productTest.path}`);
  const went = await place.run(["allow", "1", id, ...asking, replay, "--json"]);
  expect(readFileSync(join(place.workspace, productTest.path), "utf8")).toBe(productTest.content);
  // Its code is the next question.
  expect(ending(went.stdout)).toMatchObject({ type: "needs_permission", request: { path: productCode.path } });
  const done = await place.run(["allow", "1", ending(went.stdout).request!.id, ...asking, replay]);
  expect([done.code, readFileSync(join(place.workspace, productCode.path), "utf8")]).toEqual([0, productCode.content]);
});

test("what is allowed for the rest of the chain is not asked for again", async () => {
  const { place, replay, id } = await asked();
  expect((await place.run(["allow", "1", id, "--always", ...asking, replay])).code).toBe(0);
});

test("a person's own text is written in place of the model's, and the model is shown what they changed", async () => {
  const { place, replay, id } = await asked();
  const own = join(place.beside, "own.js");
  writeFileSync(own, `// Ada's\n${productTest.content}`);
  await place.run(["allow", "1", id, "--edited", own, ...asking, replay]);
  expect(readFileSync(join(place.workspace, productTest.path), "utf8")).toBe(`// Ada's\n${productTest.content}`);
  const journal = readFileSync(join(place.home, "contexts", "journal", "001.jsonl"), "utf8");
  expect(journal).toContain("A person changed your text before it was written");
  expect(journal).toContain("+// Ada's");
});

test("a refusal reaches the model with its reason, and nothing is written", async () => {
  const { place, replay } = await asked({
    ...tinyWay,
    "implementation/1/1-tdd_flow_controller/turn-2": report("It was refused."),
  });
  const ran = await place.run(["reject", "1", "Name the file after its feature", ...asking, replay, "--json"]);
  expect(existsSync(join(place.workspace, productTest.path))).toBe(false);
  const answers = place
    .journal()
    .flatMap((line) => (line.type === "result" && line.effect === "tool" ? [line.content] : []));
  expect(answers[0]).toEqual({
    text: "A person refused this: Name the file after its feature. Nothing was done. Do it differently, or leave it.",
  });
  expect(ran.code).not.toBe(0);
});

test("a question is answered along with the call made again", async () => {
  const again = uses(["write_file", productTest]) as { content: object[] };
  const { place, replay } = await asked({
    ...tinyWay,
    "implementation/1/1-tdd_flow_controller/turn-2": {
      ...again,
      content: [{ type: "text", text: "Because it is new." }, ...again.content],
    },
  });
  const ran = await place.run(["ask", "1", "Why a file of its own?", ...asking, replay, "--json"]);
  expect(ending(ran.stdout)).toMatchObject({
    type: "needs_permission",
    request: { path: productTest.path, said: "Because it is new." },
  });
});

test("only what is asked for now can be allowed", async () => {
  const { place, replay } = await asked();
  const wrong = await place.run(["allow", "1", "0123456789ab", ...asking, replay]);
  expect([wrong.code, wrong.stderr]).toEqual([
    14,
    expect.stringContaining("not 0123456789ab. Nothing was allowed or refused."),
  ]);
});

test("a chain that may only look stops before it writes, and says how to go on", async () => {
  const place = placeWith(quickApp);
  const replay = place.replay(tinyWay);
  const looking = await place.run([...tiny, "--permission=read", replay, "--approve-policy=auto"]);
  expect([looking.code, existsSync(join(place.workspace, productTest.path))]).toEqual([10, false]);
  expect(looking.stdout).toContain("This chain may only look (permission: read)");
  expect((await place.run(["resume", "1", "--permission=edits", replay])).code).toBe(0);
});

test("on a build server a chain may only look, unless it is told otherwise", async () => {
  const place = placeWith(quickApp);
  place.configure({ permissions: {} });
  const ran = await place.run([...tiny, place.replay(tinyWay), "--approve-policy=auto"], { env: { CI: "true" } });
  expect([ran.code, ran.stdout]).toEqual([10, expect.stringContaining("may only look (permission: read)")]);
});

test("a chain goes back to its approval with its files, exactly, and from there on again", async () => {
  const place = placeWith({ ...quickApp, "src/product.js": "export const nothing = 0;\n" });
  chmodSync(join(place.workspace, "src/product.js"), 0o755);
  const replay = place.replay(tinyWay);
  const spent = async () => said((await place.run(["chain-cost", "1", "--json"])).stdout)["cost"];
  expect((await place.run([...tiny, replay, "--approve-policy=auto"])).code).toBe(0);
  const before = await spent();
  const back = await place.run(["rewind", "1", "--json", "--yes"]);
  expect(said(back.stdout)).toMatchObject({
    to: "the approval",
    files: [
      { path: productTest.path, done: "removed" },
      { path: "src/product.js", done: "written" },
    ],
  });
  expect(existsSync(join(place.workspace, "test"))).toBe(false);
  expect(readFileSync(join(place.workspace, "src/product.js"), "utf8")).toBe("export const nothing = 0;\n");
  expect(statSync(join(place.workspace, "src/product.js")).mode & 0o777).toBe(0o755);
  expect(said((await place.run(["status", "1", "--json"])).stdout)).toMatchObject({
    chains: [{ status: { waiting_for: "approval" } }],
  });
  expect(await spent()).toEqual(before);
  const hash = (place.context()["solution"] as { hash: string }).hash;
  expect((await place.run(["approve", "1", hash, replay])).code).toBe(0);
  expect(readFileSync(join(place.workspace, "src/product.js"), "utf8")).toBe(productCode.content);
});

test("what its user changed since is not overwritten: nothing is touched then", async () => {
  const place = placeWith(quickApp);
  await place.run([...tiny, place.replay(tinyWay), "--approve-policy=auto"]);
  const mine = `${productCode.content}// mine\n`;
  writeFileSync(join(place.workspace, productCode.path), mine);
  const back = await place.run(["rewind", "1", "--yes"]);
  expect([back.code, back.stderr]).toEqual([
    14,
    expect.stringContaining(`"${productCode.path}" was changed meanwhile`),
  ]);
  expect(readFileSync(join(place.workspace, productCode.path), "utf8")).toBe(mine);
  expect(existsSync(join(place.workspace, productTest.path))).toBe(true);
});

test("files alone can be put back, and the history stays", async () => {
  const place = placeWith(quickApp);
  await place.run([...tiny, place.replay(tinyWay), "--approve-policy=auto"]);
  await place.run(["rewind", "1", "--files-only", "--yes"]);
  expect(existsSync(join(place.workspace, productCode.path))).toBe(false);
  expect(said((await place.run(["status", "1", "--json"])).stdout)).toMatchObject({
    chains: [{ status: { state: "completed" } }],
  });
});

test("a step that is not there is named beside those that are", async () => {
  const place = placeWith(quickApp);
  await place.run([...tiny, place.replay(tinyWay), "--approve-policy=auto"]);
  const back = await place.run(["rewind", "1", "--to", "deployment", "--yes"]);
  expect([back.code, back.stderr]).toEqual([
    64,
    'Chain 001 has no step "deployment". Nothing was changed.\nIts steps: requirements-clarification/1, implementation/tests-1, implementation/1\n',
  ]);
});

test("a plan only is a chain that ends with its approval, and can be built later", async () => {
  const place = placeWith(quickApp);
  const replay = place.replay(tinyWay);
  const planned = await place.run([...tiny, "--mode=plan-only", replay, "--approve-policy=auto"]);
  expect([planned.code, existsSync(join(place.workspace, productTest.path))]).toEqual([0, false]);
  const built = await place.run(["resume", "1", "--mode=tdd", replay]);
  expect([built.code, existsSync(join(place.workspace, productCode.path))]).toEqual([0, true]);
});

test("directly, code may come before its tests; they must pass in the end", async () => {
  const place = placeWith(quickApp);
  const replay = place.replay({
    ...tinyWay,
    "implementation/1/1-tdd_flow_controller/turn-1": uses(
      ["write_file", productCode],
      ["write_file", productTest],
      ["run_tests", {}],
    ),
    "implementation/1/1-tdd_flow_controller/turn-2": report("The test passes."),
  });
  expect(
    (await place.run([task, "--size=tiny", "--trust", quickTests, "--mode=direct", replay, "--approve-policy=auto"]))
      .code,
  ).toBe(0);
  expect(place.events("tests_judged").map(({ verdict }) => verdict)).toEqual(["baseline", "green"]);
});

test("a text of one's own must be a text, and what cannot be one is refused before anything is allowed", async () => {
  const { place, replay, id } = await asked();
  const own = join(place.beside, "own.js");
  const allow = async (path: string) =>
    (await place.run(["allow", "1", id, "--edited", path, ...asking, replay])).stderr;
  writeFileSync(own, "a\0b");
  expect(await allow(own)).toContain("holds a NUL character. Nothing was allowed.");
  writeFileSync(own, Buffer.from([0x63, 0xe9]));
  expect(await allow(own)).toContain("is not valid UTF-8. Nothing was allowed.");
  expect(await allow(place.beside)).toContain("is not a file. Nothing was allowed.");
  expect(await allow(join(place.beside, "none.js"))).toContain("none.js is not there. Nothing was allowed.");
  expect(existsSync(join(place.workspace, productTest.path))).toBe(false);
});

test("a refusal is of what was shown, not of what waits by then", async () => {
  const { place, replay, id } = await asked();
  await place.run(["allow", "1", id, ...asking, replay]);
  const late = await place.run(["reject", "1", "not so", "--request", id, ...asking, replay]);
  expect([late.code, late.stderr]).toEqual([14, expect.stringContaining("Nothing was allowed or refused.")]);
});

test("what was written is shown and taken back also where nothing ran since", async () => {
  const { place, replay, id } = await asked({
    ...tinyWay,
    "implementation/1/1-tdd_flow_controller/turn-1": uses(["write_file", productTest]),
    "implementation/1/1-tdd_flow_controller/turn-2": uses(["write_file", { ...productTest, content: "// again\n" }]),
  });
  await place.run(["allow", "1", id, ...asking, replay]);
  const shown = await place.run(["diff", "1"]);
  expect([shown.code, shown.stderr]).toEqual([0, ""]);
  expect((await place.run(["rewind", "1", "--yes"])).code).toBe(0);
});

test("a mode that asks for no change lets the one that waits be written", async () => {
  const { place, replay } = await asked();
  expect((await place.run(["resume", "1", "--permission=edits", "--unsandboxed", replay])).code).toBe(0);
  expect(place.events("permission_given")).toMatchObject([{ by: { kind: "policy", name: "permission edits" } }]);
});
