import { runCommand } from "../tools/run.ts";
import { compare, snapshotText, type Snapshot } from "../tools/snapshot.ts";
import type { CommandRun, Touched } from "../tools/types.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { Permitted } from "./consent.ts";
import type { Work } from "./deps.ts";
import { event, type Body, type ChainEvent, type Intent } from "./events.ts";
import { engineActor, withLedger, type Chain } from "./open.ts";
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
  const cutShort = notedTree(chain);
  const before = await workspace.snapshot(keep, cutShort);
  if (cutShort) chain.append(...endsCutShort(chain, compare(cutShort, before)));
  let closed: ReadonlySet<string> = new Set();
  let renewed = undefined as ReturnType<typeof renewIfChanged>;
  const ran = await start(() => {
    closed = new Set(workspace.closed());
    chain.tree.write(snapshotText(before));
    renewed = renewIfChanged();
    if (renewed) return false;
    chain.append({ by: engineActor, bodies: [{ type: "intent", effect: "command", key, call, purpose, argv }] });
    return true;
  }, before);
  if (renewed) {
    chain.tree.remove();
    chain.append({ by: engineActor, bodies: [event("permission_asked", { request: renewed })] });
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
  if (!signal.aborted) return { ran: { ...ran, output: workspace.redact(ran.output) }, before, after, effects };
  const told = touchedEvents(key, argv, effects);
  if (told.length > 0) chain.append(withLedger(engineActor, told));
  return undefined;
}

/** Starts a command once `mayStart`, asked at the last moment, says that it may. */
type Start = (mayStart: () => boolean, before: Snapshot) => Promise<CommandRun>;

type CommandIntent = Extract<Intent, { effect: "command" }>;

interface Done {
  readonly ran: CommandRun;
  readonly before: Snapshot;
  readonly after: Snapshot;
  readonly effects: Effects;
}

/** Runs a command in this folder. For a folder other than the workspace, the sandbox is that of the folder. */
export async function runIn(
  { deps, signal }: Work,
  root: string,
  argv: readonly string[],
  mayStart: () => boolean,
  own?: Sandbox,
): Promise<CommandRun> {
  const { world, testTimeoutMs: timeoutMs } = deps;
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

export function ended(key: string, call: string | null, run: CommandRun): Body {
  return { type: "result", effect: "command", key, call, run: { ...run, output: "" } };
}

export function ending({ exit_code, timed_out }: CommandRun): string {
  return `exit ${exit_code ?? "none"}${timed_out ? " (timed out)" : ""}`;
}
