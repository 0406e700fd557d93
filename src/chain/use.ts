import { exitCodes } from "../util/errors.ts";
import { foundText } from "../library/catalogue.ts";
import { redact } from "../tools/redact.ts";
import { runCommand } from "../tools/run.ts";
import { toolNamed } from "../tools/catalogue.ts";
import { allows, type CommandRun, type FileChange, type Seen } from "../tools/types.ts";
import type { Context, Item } from "./context.ts";
import type { Work } from "./deps.ts";
import { event, park, type Body, type ChainEvent, type Intent, type Verdict } from "./events.ts";
import { beside } from "./outcome.ts";
import type { Step } from "./next.ts";
import { engineActor, withLedger, type Chain } from "./open.ts";
import { contentOf } from "./request.ts";

type ToolStep = Extract<Step, { type: "run_tool" }>;

/** One tool call of a model: judged, planned, and only then, and only where it is allowed, carried out. */
export async function useTool(work: Work, step: ToolStep): Promise<void> {
  const { chain, deps, signal } = work;
  const { item, open } = chain.context.engine;
  if (!item?.source) throw new Error(`${step.key} is not at work.`);
  const input = inputOf(item, step.call.id, work);
  const tool = toolNamed(step.call.tool);
  const granted = item.source.tools;
  deps.progress({ type: "using", key: step.key, tool: step.call.tool, input: brief(input) });

  if (!tool) return answer(work, step, `There is no tool ${step.call.tool}.`, true);
  if (!allows(granted, tool.needs))
    return answer(
      work,
      step,
      `${item.prompt} may ${granted === "none" ? "use no tools" : `only ${granted}`}; ${tool.name} is refused.`,
      true,
    );
  if (open?.effect === "change" && open.key === step.key && open.call === step.call.id && isWritten(work, open)) {
    return changed(work, step, open);
  }
  if ((tool.needs === "read" || tool.needs === "none") && repeated(item, step, input, work))
    return answer(work, step, "The same call was made just before: its result is above. Do something else.", true);
  const { workspace, library } = deps;
  const findPrompts = async (query: string) => foundText(await library.search(query, 12));
  const plan = await tool.plan(input, { workspace, findPrompts }, signal);
  if (signal.aborted) return;
  switch (plan.type) {
    case "refused":
      return answer(work, step, plan.text, true);
    case "look":
      return answer(work, step, plan.text, false, plan.seen);
    case "change":
      return change(work, step, plan.change);
    case "command":
      return command(work, step);
  }
}

/** One batch with what follows from it: a change whose answer is on disk is known to have been made. */
function answer(
  { chain }: Work,
  step: ToolStep,
  text: string,
  isError: boolean,
  seen: readonly Seen[] = [],
  events: readonly ChainEvent[] = [],
): void {
  const result = answerTo(step, text, isError, chain, seen);
  chain.append({ by: engineActor, bodies: [result, ...withLedger(engineActor, events).bodies] });
}

function answerTo({ key, call }: ToolStep, text: string, isError: boolean, chain: Chain, seen: readonly Seen[]): Body {
  const content = beside(redact(text), chain.blobs.put);
  return { type: "result", effect: "tool", key, call: call.id, tool: call.tool, is_error: isError, content, seen };
}

/** Writes a file of the approved solution, having said so in the journal first. */
function change(work: Work, step: ToolStep, planned: FileChange): void {
  const { chain, deps } = work;
  const { context } = chain;
  const found = deps.workspace.read(planned.path, "write");
  const refusal = permission(context, planned.path, found.type === "text" ? found.sha256 : null);
  if (refusal) return answer(work, step, refusal.text, true, [], refusal.events);

  if (planned.before) chain.blobs.put(planned.before.text);
  const intent: Change = {
    type: "intent",
    effect: "change",
    key: step.key,
    call: step.call.id,
    path: planned.path,
    before: planned.before?.sha256 ?? null,
    after: planned.after.sha256,
  };
  chain.append({ by: engineActor, bodies: [intent] });
  const applied = deps.workspace.apply(planned);
  switch (applied.type) {
    case "refused":
      return answer(work, step, `${planned.path} was not written: ${applied.text}`, true);
    case "failed":
      return answer(work, step, applied.text, true);
    case "changed_meanwhile": {
      const voided = foreignChange(planned.path);
      return answer(work, step, voided.text, true, [], voided.events);
    }
    case "written":
    case "already_there":
      return changed(work, step, intent);
  }
}

type Change = Extract<Intent, { effect: "change" }>;

/** Whether a change that was announced before a crash was carried out: then it is neither repeated nor refused. */
function isWritten({ deps }: Work, { path, after }: Change): boolean {
  const found = deps.workspace.read(path, "write");
  return found.type === "text" && found.sha256 === after;
}

function changed(work: Work, step: ToolStep, { path, before, after }: Change): void {
  const found = work.deps.workspace.read(path, "write");
  const lines = found.text.split("\n").length;
  const role = roleOf(work.chain.context, path) ?? "code";
  const text = `${before === null ? "Created" : "Changed"} ${path} (${lines} lines).`;
  answer(work, step, text, false, [], [event("file_changed", { path, role, before, after })]);
}

/** Why a file may not be written now, and what follows from the attempt; undefined: it may. */
function permission(
  context: Context,
  path: string,
  current: string | null,
): { text: string; events: ChainEvent[] } | undefined {
  const { solution, engine, evidence } = context;
  const no = (text: string, events: ChainEvent[] = []) => ({ text, events });
  if (context.current_phase !== "implementation" || solution?.standing !== "approved") {
    return no("Files are written only after a person approved the solution.");
  }
  const role = roleOf(context, path);
  if (!role) {
    const text = `${path} is not among the approved files: ${solution.solution.files.map((file) => file.path).join(", ")}.`;
    if (context.size !== "tiny") return no(`${text} If it is needed, go back to solution-approval and present it.`);
    return no(`${text} So this task is no longer tiny.`, [
      event("size_changed", { to: "normal", reason: `It needs ${path} too.` }),
      event("approval_voided", { reason: `The task needs ${path}, which was not approved.` }),
      event("phase_changed", {
        from: "implementation",
        to: "context-building",
        reason: "The task turned out larger than tiny.",
        focus: path,
      }),
    ]);
  }
  const expected = engine.files[path]?.after ?? solution.base[path] ?? null;
  if (current !== expected) return foreignChange(path);
  const testsPlanned =
    solution.solution.verification.kind === "tests" && solution.solution.files.some((file) => file.role === "test");
  if (role === "code" && testsPlanned && engine.test_command && !evidence.red) {
    return no("Tests come first: write the tests of the solution and see them fail, then write code.");
  }
  return undefined;
}

function foreignChange(path: string): { text: string; events: ChainEvent[] } {
  const reason = `${path} was changed by somebody else since it was approved.`;
  return {
    text: `${reason} Nothing was written; the solution must be presented again.`,
    events: [
      event("approval_voided", { reason }),
      event("phase_changed", { from: "implementation", to: "solution-approval", reason, focus: path }),
    ],
  };
}

function roleOf({ solution }: Context, path: string): "code" | "test" | "doc" | undefined {
  return solution?.solution.files.find((file) => file.path === path)?.role;
}

async function command(work: Work, step: ToolStep): Promise<void> {
  const { context } = work.chain;
  if (context.current_phase !== "implementation" || context.solution?.standing !== "approved") {
    return answer(work, step, "Commands run only after a person approved the solution.", true);
  }
  if (!context.engine.test_command) return answer(work, step, "No test command is known for this workspace.", true);
  await runTests(work, step.key, step);
}

/** Runs the tests, for a model's call or because the engine wants to know, and records what it saw. */
export async function runTests(work: Work, key: string, step?: ToolStep): Promise<void> {
  const { chain, deps, signal } = work;
  const argv = chain.context.engine.test_command ?? [];
  const call = step?.call.id ?? null;
  chain.append({ by: engineActor, bodies: [{ type: "intent", effect: "command", key, call, purpose: "tests", argv }] });
  deps.progress({ type: "using", key, tool: "run_tests", input: argv.join(" ") });
  const tree = await deps.workspace.treeHash();
  const ran = await runCommand(deps.workspace, argv, { timeoutMs: deps.testTimeoutMs, signal, world: deps.world });
  if (signal.aborted) return;
  const run: CommandRun = { ...ran, output: redact(ran.output) };
  const proved = verdict(chain.context, run);
  const judged = event("tests_judged", {
    verdict: proved,
    argv,
    exit_code: run.exit_code ?? null,
    duration_ms: run.duration_ms,
    output_sha256: run.output_sha256,
    tree_sha256: tree,
    output: run.output.slice(-3_000),
  });
  const ended: Body = { type: "result", effect: "command", key, call, run: { ...run, output: "" } };
  const how = `exit ${run.exit_code ?? "none"}${run.timed_out ? " (timed out)" : ""}, recorded as ${proved}`;
  const answers = step ? [answerTo(step, `${how}\n${run.output}`, false, chain, [])] : [];
  const stop = proved === "baseline" && run.exit_code !== 0 && expectsRed(chain.context) ? [failingBefore(run)] : [];
  chain.append({ by: engineActor, bodies: [ended, ...answers, ...withLedger(engineActor, [judged, ...stop]).bodies] });
}

/** Whether new tests are to fail first; where the old ones fail already, nobody could tell. */
function expectsRed({ solution, evidence }: Context): boolean {
  const { files = [], verification } = solution?.solution ?? {};
  return !evidence.red && verification?.kind === "tests" && files.some(({ role }) => role === "test");
}

function failingBefore({ exit_code }: CommandRun): ChainEvent {
  const message = `The tests fail before anything was changed (exit ${exit_code ?? "none"}), so new ones could not be told from old ones. Nothing was written.`;
  const hint = 'Mend them, or name a command that passes, then: claude-exec resume {id} --test-command "…"';
  return park("baseline_failing", exitCodes.verification, message, hint);
}

/** What a run proves, from what had been changed when it ran. */
export function verdict({ engine, evidence }: Context, run: Pick<CommandRun, "exit_code">): Verdict {
  const roles = new Set(Object.values(engine.files).map(({ role }) => role));
  const passed = run.exit_code === 0;
  if (roles.size === 0) return "baseline";
  const onlyTests = roles.has("test") && !roles.has("code");
  if (passed) return onlyTests ? "unproven" : "green";
  const baseline = evidence.runs.slice(evidence.since).findLast((earlier) => earlier.verdict === "baseline");
  const passedBefore = baseline === undefined || baseline.exit_code === 0;
  return onlyTests && run.exit_code !== undefined && passedBefore ? "red" : "failing";
}

function inputOf(item: Item, id: string, { chain }: Work): unknown {
  const block = contentOf(item.turns.at(-1)?.content ?? [], chain.blobs).find(
    (part) => part.type === "tool_use" && part.id === id,
  );
  return block?.type === "tool_use" ? block.input : undefined;
}

/** Whether both turns before made this very call. Only looking again is idle: what was refused may be allowed now. */
function repeated(item: Item, step: ToolStep, input: unknown, { chain }: Work): boolean {
  const same = item.turns
    .slice(0, -1)
    .slice(-2)
    .filter((turn) =>
      contentOf(turn.content, chain.blobs).some(
        (part) =>
          part.type === "tool_use" &&
          part.name === step.call.tool &&
          JSON.stringify(part.input) === JSON.stringify(input),
      ),
    );
  return same.length === 2;
}

function brief(input: unknown): string {
  const values = typeof input === "object" && input !== null ? Object.values(input) : [];
  const first = values.find((value) => typeof value === "string");
  return typeof first === "string" ? first.split("\n")[0]!.slice(0, 80) : "";
}
