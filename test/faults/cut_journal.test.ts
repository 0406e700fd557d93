import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { builtOnce } from "../support/built_once.ts";
import { followed, placeWith, program, type Place } from "../support/cli.ts";
import { firstKey, opening, report, wholeWay } from "../support/script.ts";
import { afterRecovery, openGates, productCode, quickApp, quickTests, task } from "../support/ways.ts";

const looks = Object.fromEntries(
  ["requirements-clarification", "context-building", "uncertainty-analysis"].flatMap((phase) =>
    [0, 1, 2, 3, 4, 5].map((n) => [`${phase}/${n}/0-error_recovery/turn-1`, report("What is lost is known.")]),
  ),
);

/** A chain of normal size that waits for the approval of its solution, and the number of its lines. */
const waiting = builtOnce(async () => {
  const place = placeWith(quickApp);
  place.configure(openGates);
  const replay = place.replay({ ...wholeWay, ...looks, ...afterRecovery });
  const ran = await place.run([task, "--trust", quickTests, replay, `--answers=${place.answers}`]);
  expect(ran.code).toBe(10);
  return { place, replay, lines: place.journal().length };
});

const journalOf = ({ home }: Place, id = "001") => join(home, "contexts", "journal", `${id}.jsonl`);
const endOf = ({ home }: Place) => join(home, "contexts", "journal-ends", "001.json");

/** Keeps the first lines of a journal, and returns how many calls are answered in them and in the others. */
function cut(place: Place, lines: number): { kept: number; lost: number } {
  const all = place.journal();
  const calls = (some: typeof all) => some.filter((line) => line.type === "result" && line.effect === "model").length;
  const text = readFileSync(journalOf(place), "utf8").split("\n").slice(0, lines).join("\n");
  writeFileSync(journalOf(place), `${text}\n`);
  return { kept: calls(all.slice(0, lines)), lost: calls(all.slice(lines)) };
}

/** The end of a batch near line `n`: what a disk loses need not end there, but the test counts lines. */
function batchEnd(place: Place, n: number): number {
  const lines = place.journal();
  while (lines[n - 1]?.more) n++;
  return n;
}

test("a cut journal is noticed: nothing is paid again, every reading command says so, and recover is named", async () => {
  const { place, replay, lines } = await waiting();
  const left = batchEnd(place, 30);
  const calls = cut(place, left);
  expect(calls.lost).toBeGreaterThan(5);
  const before = readFileSync(journalOf(place));
  const problem = `The journal of chain 001 was cut: ${left} lines are left, and ${lines - left} lines with ${calls.lost} answered calls are missing.`;
  const hint = `Restore ${journalOf(place)} from a backup, or choose how to go on: claude-exec recover 001`;
  const why = hint.split(": ")[0]!;
  const next = [{ operation: "recover", input: { chain: "001" }, why }];
  const refused = { code: 14, stdout: "", stderr: `${problem}\n${hint}\n` };
  expect(await place.run(["resume", "1", replay])).toEqual(refused);
  expect(await place.run(["ask", "1", "why?", replay])).toEqual(refused);
  const told = `Damaged: ${problem}\n${hint}\n`;
  const status = await place.run(["status", "1"]);
  expect(status).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(`Waiting for you: approval.\n${told}`) as string,
  });
  expect((await place.run(["status", "all"])).stdout).toMatch(
    /^001 {2}waiting .* Add a product function {2}\(damaged: claude-exec status 001\)\n$/,
  );
  for (const command of ["chain-cost", "diff"]) {
    expect(await place.run([command, "1"])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Damaged: /) as string,
    });
    expect((await place.run([command, "1"])).stdout).toContain(told);
  }
  expect(JSON.parse((await place.run(["status", "1", "--json"])).stdout)).toMatchObject({
    chains: [{ status: { state: "waiting" }, problem, next }],
  });
  expect(readFileSync(journalOf(place))).toEqual(before);
  expect(existsSync(join(place.home, "contexts", "inbox", "001"))).toBe(false);
});

test("without the kept end the context file tells how long a journal was; without both nothing is claimed", async () => {
  const { place, replay, lines } = await waiting();
  const left = batchEnd(place, 30);
  cut(place, left);
  for (const harm of [() => writeFileSync(endOf(place), "{torn"), () => rmSync(endOf(place))]) {
    harm();
    const ran = await place.run(["resume", "1", replay]);
    expect(ran.code).toBe(14);
    expect(ran.stderr).toContain(`${left} lines are left, and ${lines - left} lines are missing.`);
  }
  expect((await place.run(["recover", "1"])).stdout).toContain("it is not known how many answered calls");
  rmSync(place.contextFile());
  expect((await place.run(["status", "1"])).stdout).not.toContain("Damaged");
});

test("a kept end that lags behind hides no cut that the context file knows of", async () => {
  const { place, replay, lines } = await waiting();
  writeFileSync(endOf(place), JSON.stringify({ n: 5, hash: place.journal()[4]?.hash, calls: 0 }));
  const left = batchEnd(place, 30);
  cut(place, left);
  const ran = await place.run(["resume", "1", replay]);
  expect(ran.code).toBe(14);
  expect(ran.stderr).toContain(`was cut: ${left} lines are left, and ${lines - left} lines`);
  expect((await place.run(["recover", "1", "--choice=continue"])).code).toBe(0);
  expect((await place.run(["resume", "1", replay, "--approve-policy=auto"])).code).toBe(0);
});

test("a kept end that lags behind, and an older backup of everything, are no damage", async () => {
  const { place, replay, lines } = await waiting();
  const backup = join(place.beside, "backup");
  cpSync(join(place.home, "contexts"), backup, { recursive: true });
  const end = JSON.parse(readFileSync(endOf(place), "utf8")) as { n: number };
  expect(end.n).toBe(lines);
  writeFileSync(endOf(place), JSON.stringify({ n: 5, hash: place.journal()[4]?.hash, calls: 0 }));
  expect((await place.run(["resume", "1", replay])).code).toBe(10);
  expect((await place.run(["ask", "1", "Is it pure?", replay])).code).not.toBe(14);
  rmSync(join(place.home, "contexts"), { recursive: true });
  cpSync(backup, join(place.home, "contexts"), { recursive: true });
  expect((await place.run(["resume", "1", replay])).code).toBe(10);
});

test("a journal that is another one than was written is noticed, and goes on only on a word", async () => {
  const { place, replay } = await waiting();
  writeFileSync(endOf(place), JSON.stringify({ n: 20, hash: "0".repeat(64), calls: 3 }));
  expect(await place.run(["resume", "1", replay])).toMatchObject({
    code: 14,
    stderr: expect.stringMatching(/^The journal of chain 001 is not the one that the chain wrote\.\n/) as string,
  });
  expect((await place.run(["recover", "1", "--choice=continue"])).code).toBe(0);
  expect((await place.run(["resume", "1", replay])).code).toBe(10);
});

test("recover continues a cut chain from its last good state, and keeps what its context file knows and what was paid", async () => {
  const { place, replay, lines } = await waiting();
  const known = place.context();
  const left = batchEnd(place, 30);
  cut(place, left);
  const offer = await place.run(["recover", "1"]);
  expect(offer.code).toBe(10);
  expect(offer.stdout).toContain(
    "       What was found out in them is still in the context file, and is taken over.\n",
  );
  expect((await place.run(["recover", "1", "--choice=continue"])).code).toBe(0);
  expect(place.journal().slice(0, left).length).toBe(left);
  expect(place.events("recovered")).toEqual([expect.objectContaining({ lost_lines: lines - left, kept_as: null })]);
  expect(place.context()).toMatchObject({
    discovered: known["discovered"],
    decisions: known["decisions"],
    cost_tracking: known["cost_tracking"],
  });
  expect((await place.run(["status", "1"])).stdout).not.toContain("Damaged");
  const ran = await place.run(["resume", "1", replay, "--approve-policy=auto"]);
  expect(ran.code).toBe(0);
});

test("recover runs the last phase again from its start, with its files as they were and with what is known", async () => {
  const { place } = await waiting();
  const noted = report("One test is written.", { notes: [{ kind: "free", text: "The runner is sh." }] });
  const replies = { ...wholeWay, ...looks, ...afterRecovery, "implementation/1/1-test_generator/turn-2": noted };
  const replay = place.replay(replies, "noted.json");
  const calls = place.journal().filter((line) => line.type === "intent" && line.effect === "model").length;
  const upToTests = `--turns=${calls + 2}`;
  expect((await place.run(["resume", "1", replay, "--approve-policy=auto", upToTests])).code).toBe(12);
  const changed = place.events("file_changed");
  expect(changed.length).toBeGreaterThan(0);
  const { discovered, cost_tracking } = place.context();
  const all = place.journal();
  const last = all.findLastIndex((line) => line.type === "event" && line.event === "report_recorded");
  cut(place, batchEnd(place, last + 1));
  expect((await place.run(["recover", "1"])).stdout).toContain("\nPhase: Implementation\n");
  const file = join(place.workspace, changed.at(-1)?.path ?? "");
  const written = readFileSync(file, "utf8");

  writeFileSync(file, "mine\n");
  const journal = readFileSync(journalOf(place));
  expect(await place.run(["recover", "1", "--choice=phase"])).toMatchObject({
    code: 14,
    stderr: expect.stringContaining("Files were changed since") as string,
  });
  expect([readFileSync(file, "utf8"), readFileSync(journalOf(place))]).toEqual(["mine\n", journal]);

  writeFileSync(file, written);
  expect((await place.run(["recover", "1", "--choice=phase"])).code).toBe(0);
  expect(existsSync(file)).toBe(false);
  expect(place.context()).toMatchObject({
    current_phase: "implementation",
    solution: { standing: "approved" },
    discovered,
    cost_tracking,
    session_memory: { files_modified: [], notes: ["The runner is sh."] },
  });
  expect((await place.run(["resume", "1", replay, "--turns=200"])).code).toBe(0);
  expect(readFileSync(join(place.workspace, productCode.path), "utf8")).toBe(productCode.content);
});

test("recover begins a new chain whose first ledger entry holds what was learned; the damaged one stays as it is", async () => {
  const { place } = await waiting();
  cut(place, batchEnd(place, 30));
  const before = readFileSync(journalOf(place));
  expect(await place.run(["recover", "1", "--choice=fresh"])).toMatchObject({
    code: 0,
    stdout:
      "Chain 002 begins with what chain 001 had learned. Chain 001 stays as it is.\nGo on: claude-exec resume 002\n",
  });
  expect(readFileSync(journalOf(place))).toEqual(before);
  const lines = place.journal("002");
  const texts = lines.flatMap((line) => (line.type === "event" && line.event === "ledger_extended" ? [line.text] : []));
  expect(texts).toHaveLength(1);
  for (const fact of [
    task,
    "## Taken over from an earlier context file",
    '"components"',
    "type is module",
    '"answer":"yes"',
  ])
    expect(texts[0]).toContain(fact);
  expect(place.context("002")).toMatchObject({
    goal: task,
    current_phase: "requirements-clarification",
    discovered: place.context("001")["discovered"],
    confidence_scores: { overall: 0 },
    cost_tracking: { tokens_used: 0 },
  });
  const asked = { [`${firstKey}/turn-1`]: opening("Known.", { type: "give_up", reason: "test" }) };
  expect(await place.run(["resume", "2", place.replay({ ...asked }, "fresh.json")])).toMatchObject({
    code: 1,
    stdout: expect.stringContaining("The model gave up: test") as string,
  });
});

const python = spawnSync("python3", ["-c", "import pty"]).status === 0;

test.skipIf(!python)(
  "on a terminal recover asks, and Ctrl+C changes nothing (without python3: no terminal)",
  async () => {
    const { place, lines } = await waiting();
    const left = batchEnd(place, 30);
    cut(place, left);
    const before = readFileSync(journalOf(place));
    const type = async (typed: string) => {
      const order = {
        argv: [process.execPath, program, "recover", "1"],
        cwd: place.workspace,
        env: { ...place.env, TERM: "xterm-256color" },
        steps: [["How should it go on?", typed]],
        seconds: 15,
      };
      const driver = join(import.meta.dirname, "..", "support", "terminal.py");
      const { stdout } = await followed(
        spawn("python3", [driver, JSON.stringify(order)], { stdio: ["ignore", "pipe", "pipe"] }),
      ).ended;
      return JSON.parse(stdout) as { code: number; output: string };
    };
    const left130 = await type("\x03");
    expect(left130.code).toBe(130);
    expect(left130.output).toContain("Nothing was changed. Choose later: claude-exec recover 001");
    expect(readFileSync(journalOf(place))).toEqual(before);
    const chosen = await type("\r");
    expect(chosen.output).toContain("was cut");
    expect(chosen.output).toContain("Chain 001 continues from its last good state.");
    expect(place.events("recovered")).toMatchObject([{ lost_lines: lines - left }]);
  },
);
