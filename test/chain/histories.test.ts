import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { afterEach, expect, test } from "vitest";
import { examineJournal, inspectChain } from "../../src/chain/inspect.ts";
import { userSeal } from "../../src/session/key.ts";
import { callerAt, operate } from "../support/inside.ts";
import { cleanUp, folderWith } from "../support/folders.ts";

afterEach(cleanUp);

const histories = join(import.meta.dirname, "histories");
const expected = JSON.parse(readFileSync(join(histories, "expected.json"), "utf8")) as Record<string, { goal: string }>;
const key = "5d0c7b1f93e24a68b7d1f0c2e9a4836757b2c9d80e1f4a3b6c7d8e9f0a1b2c3d";

test("each recorded history has what it came to written beside it", () => {
  const names = readdirSync(histories).flatMap((name) => /^(.*)\.jsonl\.br$/.exec(name)?.[1] ?? []);
  expect(names).toEqual(Object.keys(expected));
});

test.for(Object.entries(expected))("the history %s comes to the same as when it was written", async ([name, then]) => {
  const folder = folderWith({});
  const home = join(folder, ".claude-exec");
  const contexts = join(home, "contexts");
  mkdirSync(join(contexts, "journal"), { recursive: true });
  const journal = brotliDecompressSync(readFileSync(join(histories, `${name}.jsonl.br`)));
  writeFileSync(join(contexts, "journal", "001.jsonl"), journal);
  const { seal } = userSeal({ CLAUDE_EXEC_KEY: key }, false);
  const store = { contexts, seal, home: "/tmp/project/.claude-exec", movedTo: () => undefined };
  const isSealed = journal.subarray(0, 400).includes(seal.id);
  const { reading, ownership, problem } = examineJournal(store, "001");
  expect([reading?.damage, reading?.torn, problem, ownership?.type]).toEqual([
    undefined,
    0,
    undefined,
    isSealed ? "own" : "foreign",
  ]);
  const { context, view, lines } = inspectChain(store, "001");
  expect(lines).toHaveLength(journal.toString().trimEnd().split("\n").length);
  expect(view).toMatchObject(then);
  expect(context).toMatchObject({ mode: "tdd", state: { type: "completed" }, evidence: { green: true } });
  const caller = callerAt(folder, { HOME: folder, CLAUDE_EXEC_KEY: key });
  const { data } = await operate("status", { chain: "001", home }, caller);
  expect(data).toMatchObject({ chains: [{ chain_id: "001", goal: then.goal, status: { state: "completed" } }] });
});
