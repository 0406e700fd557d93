import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tryLock } from "../../src/store/lock.ts";
import { replayHandler, startMessagesServer } from "../models/messages-server.ts";
import { placeWith } from "../support/cli.ts";
import { sealedMessage } from "../support/sealed.ts";
import { action, firstKey, opening, productSolution, recordingAt, report, uses } from "../support/script.ts";
import { asksFirst, present, productTest, quickApp, tiny, tinyWay } from "../support/ways.ts";

const solutionHash = (stdout: string) => /approve 001 (?:--replay \S+ )?([0-9a-f]{12})/.exec(stdout)?.[1] ?? "";

/** A chain whose solution waits for approval. */
async function presented(replies: object = {}, files: Record<string, string> = {}) {
  const place = placeWith({ ...quickApp, ...files });
  const replay = place.replay({ ...tinyWay, ...replies });
  const ran = await place.run([...tiny, replay]);
  expect(ran.code).toBe(10);
  return { place, replay, hash: solutionHash(ran.stdout), stdout: ran.stdout, again: replay.replace("=", " ") };
}

test("without a terminal a chain parks, shows what it waits for, and names the commands that answer", async () => {
  const { place, replay, hash, stdout, again } = await presented();
  expect(stdout.split("\n").filter((line) => line.includes("claude-exec ") || line.startsWith("Chain"))).toEqual([
    `Chain 001 waits for approval of ${hash}.`,
    `Approve:  claude-exec approve 001 ${again} ${hash}`,
    `Change:   claude-exec change 001 ${again} "what should be different"`,
    `Ask:      claude-exec ask 001 ${again} "your question"`,
    `Reject:   claude-exec reject 001 ${again} "why"`,
    "Would have cost: $0.012, 5,600 tokens. Details: claude-exec chain-cost 001",
  ]);
  const lines = place.journal().length;
  expect((await place.run(["resume", "1", replay])).code).toBe(10);
  expect(place.journal()).toHaveLength(lines);
  expect((await place.run(["approve", "1", hash, replay])).code).toBe(0);
  expect(place.events("approval_given")).toHaveLength(1);
});

/** A flag as the command line prints it. */
const typed = (flag: string) => flag.replace("=", " ");

test("while another process holds a chain, resume ends with 14 and changes nothing", async () => {
  const { place, replay } = await presented();
  const lock = tryLock(join(place.home, "contexts", "journal", "001.lock"));
  const journal = readFileSync(join(place.home, "contexts", "journal", "001.jsonl"));
  expect(await place.start(["resume", "1", replay]).ended).toEqual({
    code: 14,
    stdout: "Another process is working on chain 001.\nWatch it: claude-exec status 001\n",
    stderr: "",
  });
  expect(await place.start(["recover", "1"]).ended).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("is whole") as string,
  });
  expect((await place.start(["status", "1"]).ended).code).toBe(0);
  lock?.release();
  expect(readFileSync(join(place.home, "contexts", "journal", "001.jsonl"))).toEqual(journal);
});

test("an approval given while another process is at work is delivered, and taken in once", async () => {
  const { place, replay, hash } = await presented();
  const checked = { "solution-approval/1/1-uncertainty_analysis/turn-1": report("Nothing new.") };
  const answer = replayHandler(recordingAt(place.beside, checked, "checked.json"));
  const asked = Promise.withResolvers<void>();
  const delivered = Promise.withResolvers<void>();
  const server = await startMessagesServer(async (request) => {
    asked.resolve();
    await delivered.promise;
    return answer(request);
  });
  const env = { ANTHROPIC_API_KEY: "sk-test", ANTHROPIC_BASE_URL: server.url };
  const checking = place.start(["uncertainty-check", "1", "--only"], { env });
  await asked.promise;
  expect(await place.run(["approve", "1", hash, replay])).toEqual({
    code: 0,
    stdout: "Delivered. Another process is at work on chain 001 and takes it in.\n",
    stderr: "",
  });
  delivered.resolve();
  expect((await checking.ended).code).toBe(0);
  await server.close();
  expect(place.events("approval_given")).toHaveLength(1);
  expect(readdirSync(join(place.home, "contexts", "inbox", "001"))).toEqual([]);
  expect((await place.run(["resume", "1", replay])).code).toBe(0);
  expect(place.events("approval_given")).toHaveLength(1);
});

test("a message that a crash left in the inbox after it was taken in is not taken in again; one that cannot be read is told", async () => {
  const { place, replay } = await presented();
  const inbox = join(place.home, "contexts", "inbox", "001");
  const name = "001763640000000-7e4f.json";
  const message = sealedMessage(place.env, join(place.home, "contexts", "journal", "001.jsonl"), name, {
    by: { kind: "person", name: "somebody", door: "test" },
    message: { type: "change", request: "Shorter." },
  });
  mkdirSync(inbox, { recursive: true });
  writeFileSync(join(inbox, name), message);
  writeFileSync(join(inbox, "001763640000001-0000.json"), "{torn");
  const again = place.replay({ "solution-approval/1/controller/turn-1": present });
  expect((await place.run(["resume", "1", again])).code).toBe(10);
  writeFileSync(join(inbox, name), message);
  expect((await place.run(["resume", "1", replay])).code).toBe(10);
  expect(place.events("changes_requested")).toMatchObject([{ request: "Shorter.", from: name }]);
  expect(place.events("message_ignored")).toMatchObject([
    { reason: "A message in the inbox is not sealed with your key for this chain. It was ignored." },
  ]);
  expect(readdirSync(inbox)).toEqual([]);
});

test("a wrong hash and the hash of an earlier presentation approve nothing", async () => {
  const shorter = action("Shorter.", {
    type: "present_solution",
    artifact: { ...productSolution, title: "Only a product" },
  });
  const { place, hash, replay } = await presented({ "solution-approval/1/controller/turn-1": shorter });
  const refusal = (given: string, now: string) => ({
    code: 14,
    stdout: "",
    stderr: `What is presented now is ${now}, not ${given}. Nothing was approved.\nRead it first: claude-exec present-solution 001 ${typed(replay)}\n`,
  });
  expect(await place.run(["approve", "1", "abcdefabcdef", replay])).toEqual(refusal("abcdefabcdef", hash));
  const changed = await place.run(["change", "1", "Shorter, please.", replay]);
  const fresh = solutionHash(changed.stdout);
  expect(fresh).not.toBe(hash);
  expect(await place.run(["approve", "1", hash, replay])).toEqual(refusal(hash, fresh));
  expect(place.events("approval_given")).toEqual([]);
  expect((await place.run(["approve", "1", fresh, replay])).code).toBe(0);
  expect(await place.run(["approve", "1", fresh, replay])).toEqual({
    code: 14,
    stdout: "",
    stderr: `Chain 001 is completed.\nBegin another: claude-exec new "…" ${typed(replay)}\n`,
  });
});

test("what cannot be meant now is refused before it is sent", async () => {
  const place = placeWith(quickApp);
  const replay = place.replay(asksFirst);
  const parked = await place.run([...tiny, replay]);
  expect({ code: parked.code, stdout: parked.stdout.split("\n").slice(0, 8) }).toEqual({
    code: 10,
    stdout: [
      "  Chain 001 · Requirements clarification · Add a product function",
      "",
      "Chain 001 waits for answers:",
      "  Tests: sh check.sh (from your option)",
      "  api_name: What is it called?",
      "  big_numbers: Must big integers work?  (yes | no)",
      "",
      `Answer: claude-exec answer 001 ${replay.replace("=", " ")} api_name="…" big_numbers="…"`,
    ],
  });
  const nothing = "Chain 001 presents no solution now.\nSee where it stands: claude-exec status 001\n";
  for (const words of [
    ["approve", "1", "abcdefabcdef"],
    ["reject", "1", "No."],
    ["change", "1", "Shorter."],
  ]) {
    expect(await place.run([...words, replay])).toEqual({ code: 14, stdout: "", stderr: nothing });
  }
  expect(await place.run(["answer", "1", "colour=blue", replay])).toEqual({
    code: 64,
    stdout: "",
    stderr: 'Chain 001 has no question "colour".\nOpen questions: api_name, big_numbers.\n',
  });
  expect(await place.run(["answer", "1", "blue", replay])).toEqual({
    code: 64,
    stdout: "",
    stderr: `"blue" is not an answer.\nWrite it as: claude-exec answer 1 <question>="…" ${typed(replay)}\n`,
  });
  expect(() => readdirSync(join(place.home, "contexts", "inbox", "001"))).toThrow("ENOENT");
});

test("an approval is void when a file it names changed after it was presented", async () => {
  const artifact = {
    ...productSolution,
    files: [
      { path: "src/sum.js", role: "code", change: "edit" },
      { path: "test/product.test.js", role: "test", change: "new" },
    ],
  };
  const presents = opening("This one.", { type: "present_solution", artifact });
  const { place, replay, hash } = await presented({
    [`${firstKey}/turn-1`]: presents,
    "solution-approval/1/controller/turn-1": presents,
  });
  writeFileSync(join(place.workspace, "src", "sum.js"), "export const sum = () => 42;\n");
  const ran = await place.run(["approve", "1", hash, replay]);
  // First comes the line with the file of the chain.
  expect({ code: ran.code, said: ran.stderr.split("\n").slice(1, 3) }).toEqual({
    code: 10,
    said: [
      "  ! Not taken in: src/sum.js changed after the solution was presented.",
      "  ! The approval no longer holds. src/sum.js changed after the solution was presented.",
    ],
  });
  expect(place.events("approval_given")).toEqual([]);
  expect(solutionHash(ran.stdout)).not.toBe(hash);
});

test("a file that somebody else wrote during the implementation is left as it is, and the solution is presented again", async () => {
  const step = "implementation/1/1-tdd_flow_controller";
  const theirs = "// mine\n";
  const place = placeWith({
    ...quickApp,
    "check.sh": `test ! -e test/product.test.js || { echo "${theirs.trim()}" > src/product.js; false; }\n`,
  });
  const replay = place.replay({
    ...tinyWay,
    [`${step}/turn-1`]: uses(["write_file", productTest], ["run_tests", {}]),
    "solution-approval/1/controller/turn-1": present,
  });
  const first = await place.run([...tiny, replay]);
  const ran = await place.run(["approve", "1", solutionHash(first.stdout), replay]);
  expect(ran.code).toBe(10);
  expect(ran.stderr).toContain(
    "  ! The approval no longer holds. src/product.js was changed by somebody else since it was approved.",
  );
  expect(readFileSync(join(place.workspace, "src", "product.js"), "utf8")).toBe(theirs);
  expect(place.events("file_changed").map(({ path }) => path)).toEqual(["test/product.test.js"]);
  expect(place.context()).toMatchObject({ current_phase: "solution-approval", solution: { standing: "presented" } });
});
