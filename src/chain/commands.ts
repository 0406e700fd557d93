import { exitCodes } from "../util/errors.ts";
import { quotedLine } from "../util/quoting.ts";
import { runCommand } from "../tools/run.ts";
import { compare, snapshotText, treeHashOf } from "../tools/snapshot.ts";
import type { CommandRun, Touched } from "../tools/types.ts";
import { commandProposal, leaveToRun, type Leave } from "./consent.ts";
import type { Context } from "./context.ts";
import type { Work } from "./deps.ts";
import { event, park, type Body, type ChainEvent } from "./events.ts";
import { engineActor, withLedger, type Chain } from "./open.ts";
import { verdict } from "./proof.ts";
import { notedTree } from "./tree.ts";
import { answer, answerTo, type ToolStep } from "./answer.ts";
import { looksOnly, roleOf } from "./write.ts";

/** Runs a model's command, where it may, and tells it what came of it. */
export async function carryOut(work: Work, step: ToolStep, line: string, said: string): Promise<void> {
  const { chain } = work;
  if (!isApproved(chain.context)) {
    return answer(work, step, "Commands run only after a person approved the solution.", true);
  }
  const open = chain.context.engine.open[step.key];
  const again = open?.effect === "command" && open.call === step.call.id;
  const leave = await mayRun(work, `${step.key}/${step.call.id}${again ? "/again" : ""}`, line, said, { again });
  if (!leave) return;
  if (leave.type === "refused") return answer(work, step, leave.text, true);
  const argv = ["sh", "-c", line];
  const done = await run(work, step.key, step.call.id, "command", argv);
  if (!done) return;
  const { ran, effects } = done;
  const text = `${ending(ran)}\n${ran.output}${effectsText(effects)}`;
  const bodies = [
    ended(step.key, step.call.id, ran),
    answerTo(work, step, text, false, [{ kind: "command", ref: line }]),
    ...withLedger(engineActor, touchedEvents(step.key, argv, effects, true)).bodies,
  ];
  chain.append({ by: engineActor, bodies });
}

/** Runs the tests, for a model's call or because the engine wants to know, and records what it saw. */
export async function runTests(work: Work, key: string, step?: ToolStep): Promise<void> {
  const { chain, deps } = work;
  const argv = chain.context.engine.test_command ?? [];
  if (step && !isApproved(chain.context)) {
    return answer(work, step, "Commands run only after a person approved the solution.", true);
  }
  if (step && argv.length === 0) return answer(work, step, "No test command is known for this workspace.", true);
  const call = step?.call.id ?? null;
  const at = call === null ? key : `${key}/${call}`;
  const leave = await mayRun(work, at, quotedLine(argv), "", { known: true });
  if (!leave) return;
  if (leave.type === "refused") {
    if (step) return answer(work, step, leave.text, true);
    return chain.append({ by: engineActor, bodies: [untested(leave.text)] });
  }
  deps.progress({ type: "using", key, tool: "run_tests", input: argv.join(" ") });
  const done = await run(work, key, call, "tests", argv);
  if (!done) return;
  const { ran, tree, effects } = done;
  const { context } = chain;
  const disturbed = effects.touched.some(({ path }) => roleOf(context, path) !== undefined);
  const proved = disturbed || effects.set_aside.length > 0 ? "broken" : verdict(context, ran);
  const judged = event("tests_judged", {
    verdict: proved,
    argv,
    exit_code: ran.exit_code ?? null,
    duration_ms: ran.duration_ms,
    output_sha256: ran.output_sha256,
    tree_sha256: tree,
    output: ran.output.slice(-3_000),
  });
  const why = disturbed ? "\nThe run changed approved files, so it proves nothing about them." : "";
  const told = `${ending(ran)}, recorded as ${proved}${why}\n${ran.output}${effectsText(effects)}`;
  const answers = step ? [answerTo(work, step, told, false, [])] : [];
  const stop = proved === "baseline" && ran.exit_code !== 0 && expectsRed(context) ? [failingBefore(ran)] : [];
  const events = [...touchedEvents(key, argv, effects), judged, ...stop];
  chain.append({
    by: engineActor,
    bodies: [ended(key, call, ran), ...answers, ...withLedger(engineActor, events).bodies],
  });
}

/** Undefined: it is not done now, and the journal says why. */
async function mayRun(
  work: Work,
  key: string,
  line: string,
  said: string,
  { known = false, again = false }: { known?: boolean; again?: boolean },
): Promise<Exclude<Leave, { type: "ask" | "look_only" }> | undefined> {
  const { chain, deps } = work;
  const sandbox = await deps.sandbox.open();
  const request = commandProposal({ key, said, line, sandboxed: sandbox.on }, deps.workspace.root);
  const leave = leaveToRun(chain.context, request, deps.permission, { sandboxed: sandbox.on, known, again });
  switch (leave.type) {
    case "given":
    case "refused":
      return leave;
    case "look_only":
      chain.append({ by: engineActor, bodies: [looksOnly(`${line} was not run`)] });
      return undefined;
    case "ask":
      chain.append({
        by: engineActor,
        bodies: [event("permission_asked", { request: { ...request, why: leave.why } })],
      });
      return undefined;
  }
}

/**
 * Announced, run, and compared: what it changed in the workspace is known even where this process dies in the middle,
 * as the state of all files before lies on disk. Undefined: it was interrupted.
 */
async function run(
  { chain, deps, signal }: Work,
  key: string,
  call: string | null,
  purpose: "tests" | "command",
  argv: readonly string[],
): Promise<{ ran: CommandRun; tree: string; effects: Effects } | undefined> {
  const { workspace, world, testTimeoutMs: timeoutMs } = deps;
  const keep = chain.blobs.putBytes;
  const cutShort = notedTree(chain);
  const before = await workspace.snapshot(keep, cutShort);
  if (cutShort) chain.append(...endsCutShort(chain, compare(cutShort, before)));
  chain.tree.write(snapshotText(before));
  const closed = new Set(workspace.closed());
  chain.append({ by: engineActor, bodies: [{ type: "intent", effect: "command", key, call, purpose, argv }] });
  const sandbox = await deps.sandbox.open();
  const ran = await runCommand(workspace, argv, { timeoutMs, signal, world, sandbox });
  const fresh = workspace.closed().filter((path) => !closed.has(path));
  const set_aside = fresh.map((path) => ({ path, to: workspace.setAside(path, chain.aside) }));
  const effects = { touched: compare(before, await workspace.snapshot(keep, before)), set_aside };
  chain.tree.remove();
  if (!signal.aborted)
    return { ran: { ...ran, output: workspace.redact(ran.output) }, tree: treeHashOf(before), effects };
  const told = touchedEvents(key, argv, effects);
  if (told.length > 0) chain.append(withLedger(engineActor, told));
  return undefined;
}

/** What a command did to files: what it changed, and what it made under a name that is closed. */
interface Effects {
  readonly touched: readonly Touched[];
  readonly set_aside: readonly { path: string; to: string }[];
}

/** Whether it was the command or somebody since who changed these, nobody can tell. */
function endsCutShort(chain: Chain, touched: readonly Touched[]) {
  const open = Object.values(chain.context.engine.open).flatMap((intent) =>
    intent.effect === "command" ? [intent] : [],
  );
  const [last] = open;
  const ends = open.map(({ key, call, argv }): Body => ended(key, call, { ...nothingRan, argv }));
  const told = { key: last?.key ?? "", argv: last?.argv ?? ["a command"], touched, unsure: true as const };
  const events = touched.length > 0 ? [event("files_touched", told)] : [];
  return [{ by: engineActor, bodies: [...ends, ...withLedger(engineActor, events).bodies] }].filter(
    ({ bodies }) => bodies.length > 0,
  );
}

const nothingRan = {
  exit_code: undefined,
  duration_ms: 0,
  timed_out: false,
  sandboxed: false,
  output: "",
  output_sha256: "",
};

function touchedEvents(
  key: string,
  argv: readonly string[],
  { touched, set_aside }: Effects,
  meant = false,
): ChainEvent[] {
  if (touched.length + set_aside.length === 0) return [];
  const how = meant ? { meant: true as const } : {};
  return [event("files_touched", { key, argv, touched, ...how, ...(set_aside.length > 0 ? { set_aside } : {}) })];
}

function effectsText({ touched, set_aside }: Effects): string {
  const paths = touched.map(({ path }) => path);
  const list = (names: readonly string[]) =>
    `${names.slice(0, 20).join(", ")}${names.length > 20 ? `, and ${names.length - 20} more` : ""}`;
  const changed = paths.length > 0 ? `\n[It changed ${list(paths)}]` : "";
  const moved = set_aside.map(({ path }) => path);
  return moved.length === 0 ? changed : `${changed}\n[It made ${list(moved)}, which is closed, and was moved away]`;
}

function ended(key: string, call: string | null, run: CommandRun): Body {
  return { type: "result", effect: "command", key, call, run: { ...run, output: "" } };
}

function ending({ exit_code, timed_out }: CommandRun): string {
  return `exit ${exit_code ?? "none"}${timed_out ? " (timed out)" : ""}`;
}

function isApproved({ current_phase: phase, solution }: Context): boolean {
  return phase === "implementation" && solution?.standing === "approved";
}

/** Whether new tests are to fail first; where the old ones fail already, nobody could tell. */
function expectsRed({ mode, solution, evidence }: Context): boolean {
  const { files = [], verification } = solution?.solution ?? {};
  return mode === "tdd" && !evidence.red && verification?.kind === "tests" && files.some(({ role }) => role === "test");
}

function failingBefore({ exit_code }: CommandRun): ChainEvent {
  const message = `The tests fail before anything was changed (exit ${exit_code ?? "none"}), so new ones could not be told from old ones. Nothing was written.`;
  const hint = 'Mend them, or name a command that passes, then: claude-exec resume {id} --test-command "…"';
  return park("baseline_failing", exitCodes.verification, message, hint);
}

function untested(why: string): ChainEvent {
  const hint = 'Without them nothing is proved. Name another command: claude-exec resume {id} --test-command "…"';
  return park("tests_refused", exitCodes.waiting, `The tests were not run. ${why}`, hint);
}
