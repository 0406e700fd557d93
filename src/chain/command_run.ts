import { runCommand, shortened } from "../programs/run_command.ts";
import { compare, snapshotText, type Snapshot } from "../workspace/snapshot.ts";
import type { CommandRun } from "../programs/run_command.ts";
import type { Touched } from "../workspace/file_states.ts";
import type { Sandbox } from "../programs/sandbox/types.ts";
import type { Permitted } from "./consent.ts";
import type { Work } from "./deps.ts";
import { event, type Body, type ChainEvent, type Intent } from "./events.ts";
import { engineActor, withLedger, type Chain } from "./open.ts";
import { countsOf, countsText } from "./test_output.ts";
import { notedTree } from "./tree.ts";

/**
 * Announces a command, runs it, and compares the files. What it changed in the workspace is known even if this process
 * dies in the middle, because the state of all files before is on disk. Undefined: the command was interrupted, or its
 * permission no longer held when it was about to start, and a person is asked anew.
 */
export async function run(
  work: Work,
  { key, call, purpose, argv }: Pick<CommandIntent, "key" | "call" | "purpose" | "argv">,
  renewIfChanged: Permitted["renewIfChanged"],
  start: Start = (mayStart) => runIn(work, work.deps.workspace.root, argv, mayStart),
): Promise<Done | undefined> {
  const { chain, deps, signal } = work;
  const { workspace } = deps;
  const keep = chain.blobs.putBytes;
  const cutShort = await notedTree(chain);
  const before = await workspace.snapshot(keep, cutShort);
  if (cutShort) await chain.append(...endsCutShort(chain, compare(cutShort, before)));
  let closed: ReadonlySet<string> = new Set();
  let renewed = undefined as ReturnType<typeof renewIfChanged>;
  const ran = await start(async () => {
    closed = new Set(workspace.closed());
    chain.tree.write(snapshotText(before));
    renewed = renewIfChanged();
    if (renewed) return false;
    await chain.append({ by: engineActor, bodies: [{ type: "intent", effect: "command", key, call, purpose, argv }] });
    return true;
  }, before);
  if (renewed) {
    chain.tree.remove();
    await chain.append({ by: engineActor, bodies: [event("permission_asked", { request: renewed })] });
    return undefined;
  }
  const fresh = workspace.closed().filter((path) => !closed.has(path));
  const set_aside = fresh.flatMap((path) => {
    const to = workspace.setAside(path, chain.aside);
    return to === undefined ? [] : [{ path, to }];
  });
  const after = await workspace.snapshot(keep, before);
  const effects = { touched: compare(before, after), set_aside };
  chain.tree.remove();
  const printed = workspace.redact(ran.output);
  if (!signal.aborted) return { ran: { ...ran, output: shortened(printed) }, printed, before, after, effects };
  const told = touchedEvents(key, argv, effects);
  if (told.length > 0) await chain.append(withLedger(engineActor, told));
  return undefined;
}

/** Starts a command once `mayStart`, asked at the last moment, says that it may. */
type Start = (mayStart: () => Promise<boolean>, before: Snapshot) => Promise<CommandRun>;

type CommandIntent = Extract<Intent, { effect: "command" }>;

export interface Done {
  readonly ran: CommandRun;
  /** All that it printed, to be read and not to be kept: names and counts of tests may stand in the middle. */
  readonly printed: string;
  readonly before: Snapshot;
  readonly after: Snapshot;
  readonly effects: Effects;
}

/** Runs a command in this folder. For a folder other than the workspace, the sandbox is that of the folder. */
export async function runIn(
  { deps, signal }: Work,
  root: string,
  argv: readonly string[],
  mayStart: () => Promise<boolean>,
  own?: Sandbox,
  timeoutMs = deps.testTimeoutMs,
): Promise<CommandRun> {
  const { world } = deps;
  const sandbox = own ?? (await deps.sandbox.open());
  return runCommand({ root }, argv, { timeoutMs, signal, world, sandbox, mayStart });
}

/** What a command did to files: what it changed, and what it made under a name that is closed. */
interface Effects {
  readonly touched: readonly Touched[];
  readonly set_aside: readonly { path: string; to: string }[];
}

/** These files changed during or after the command. We cannot tell who changed them. */
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

export function touchedEvents(
  key: string,
  argv: readonly string[],
  { touched, set_aside }: Effects,
  meant = false,
): ChainEvent[] {
  if (touched.length + set_aside.length === 0) return [];
  const how = meant ? { meant: true as const } : {};
  return [event("files_touched", { key, argv, touched, ...how, ...(set_aside.length > 0 ? { set_aside } : {}) })];
}

export function effectsText({ touched, set_aside }: Effects): string {
  const paths = touched.map(({ path }) => path);
  const list = (names: readonly string[]) =>
    `${names.slice(0, 20).join(", ")}${names.length > 20 ? `, and ${names.length - 20} more` : ""}`;
  const changed = paths.length > 0 ? `\n[It changed ${list(paths)}]` : "";
  const moved = set_aside.map(({ path }) => path);
  return moved.length === 0 ? changed : `${changed}\n[It made ${list(moved)}, which is closed, and was moved away]`;
}

/** `printed`: a person is told how many tests failed in it, or else its last line. It holds no secret any more. */
export function ended(key: string, call: string | null, run: CommandRun, printed?: string): Body {
  const result = { type: "result", effect: "command", key, call, run: { ...run, output: "" } } as const;
  if (printed === undefined) return result;
  const counts = countsOf(printed);
  const lastLine = printed.trimEnd().split("\n").at(-1)!.trim().slice(0, 300);
  return { ...result, told: counts === undefined ? lastLine : countsText(counts) };
}

export function ending({ exit_code, timed_out }: CommandRun): string {
  return `exit ${exit_code ?? "none"}${timed_out ? " (timed out)" : ""}`;
}
