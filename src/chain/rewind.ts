import { exitCodes, UserError } from "../util/errors.ts";
import type { Blobs } from "../store/blobs.ts";
import type { Touched } from "../workspace/file_states.ts";
import type { Workspace } from "../workspace/workspace.ts";
import { compare } from "../workspace/snapshot.ts";
import { phases, type ChainLine } from "./events.ts";
import type { Chain } from "./open.ts";
import { notedTree } from "./tree.ts";
import { touchedBy } from "./write.ts";

/** Where a chain goes back to: how many of its lines still hold, and the step that comes next there. */
export interface Target {
  readonly line: number;
  readonly step: string;
}

/** Before the step of this key, its decision, its phase or its line; without one, to where the solution was approved. */
export function targetOf(id: string, lines: readonly ChainLine[], to: string | undefined): Target {
  const alive = livingLines(lines);
  if (to === undefined) {
    // An earlier round of the chain is gone back to only by name.
    const round = alive.findLastIndex(({ line }) => line.type === "event" && line.event === "round_begun");
    const inRound = alive.slice(round + 1);
    const approved = inRound.findLast(({ line }) => line.type === "event" && line.event === "approval_given");
    if (approved) return { line: approved.at, step: "the approval" };
    throw new UserError(
      "nothing_built",
      round < 0
        ? `Chain ${id} has no approval to go back to.`
        : `This round of chain ${id} has no approval to go back to.`,
      {
        operation: "rewind",
        input: { chain: id, to: "<step>" },
        why: `Its steps: ${stepsOf(alive).join(", ")}. Name where to go back to`,
      },
      exitCodes.usage,
    );
  }
  const found = alive.find(({ line }) => isWhole(keyOf(line), to));
  if (found) return { line: found.at, step: to };
  const number = /^\d+$/.test(to) ? Number(to) : 0;
  const exact = alive.find(({ at }) => at === number);
  if (exact && number > 1 && keyOf(exact.line) !== undefined) return { line: number, step: keyOf(exact.line)! };
  throw new UserError(
    "unknown_step",
    `Chain ${id} has no step "${to}". Nothing was changed.`,
    `Its steps: ${stepsOf(alive).join(", ")}`,
    exitCodes.usage,
  );
}

/** Where the last rewind went back from, if nothing came after it: what it took away can still be brought back. */
export function targetOfUndo(id: string, lines: readonly ChainLine[]): Target & { filesOnly: boolean } {
  const last = lines.at(-1);
  if (last?.type === "event" && last.event === "rewound") {
    return { line: lines.length - 1, step: "the last rewind", filesOnly: last.files_only };
  }
  const message = `The last thing that chain ${id} did is no rewind, so there is none to undo. Nothing was changed.`;
  const next = { operation: "log", input: { chain: id }, why: "See what it did" };
  throw new UserError("nothing_to_undo", message, next, exitCodes.usage);
}

/** Where the last phase began: after all lines that were written together with the change to it. */
export function phaseStart(lines: readonly ChainLine[]): Target {
  const changed = livingLines(lines).findLast(({ line }) => line.type === "event" && line.event === "phase_changed");
  let at = changed?.at ?? 0;
  while (lines[at]?.more) at++;
  const { line } = changed ?? {};
  const step = line?.type === "event" && line.event === "phase_changed" ? line.to : phases[0];
  return { line: at + 1, step };
}

/** What the lines behind the target did to files, in the order it happened. */
export function touchedSince(lines: readonly ChainLine[], line: number): Touched[] {
  return lines.slice(line).flatMap((one) => {
    if (one.type !== "event") return [];
    if (one.event === "file_changed") return one.touched ? [one.touched] : [];
    if (one.event === "files_touched") return [...one.touched];
    return one.event === "rewound" ? [...one.files] : [];
  });
}

/** Paths that may have been changed by somebody else while nobody looked. */
export function unsureSince(lines: readonly ChainLine[], line: number): string[] {
  const paths = lines
    .slice(line)
    .flatMap((one) => (one.type === "event" && one.event === "files_touched" && one.unsure ? one.touched : []))
    .map(({ path }) => path);
  return [...new Set(paths)];
}

/** The files as they were then, or a UserError and no file touched. Returns what happened to each. */
export function restoreFiles(
  id: string,
  workspace: Workspace,
  blobs: Blobs,
  touched: readonly Touched[],
): { files: Touched[]; not_kept: readonly string[] } {
  const before = new Map(touched.map(({ path }) => [path, workspace.stateOf(path)]));
  const restored = workspace.restore(touched, blobs.getBytes);
  switch (restored.type) {
    case "restored": {
      const files = restored.paths.flatMap((path) => {
        const [was, now] = [before.get(path) ?? null, workspace.stateOf(path)];
        return isState(was) && isState(now) ? [{ path, before: was, after: now }] : [];
      });
      return { files, not_kept: restored.not_kept };
    }
    case "conflict":
      throw new UserError(
        "changed_since",
        `Files were changed since chain ${id} left them: ${restored.text}`,
        [
          { why: `Save your changes elsewhere, put these files back as chain ${id} left them, and try again.` },
          { operation: "diff", input: { chain: id }, why: "What it did" },
        ],
        exitCodes.conflict,
      );
    case "failed":
      throw new UserError(
        "not_restored",
        `${restored.text} ${restored.done.length} of ${touched.length} were put back; no file is half written.`,
        { operation: "rewind", input: { chain: id }, why: "Make room or give yourself the right, then try again" },
      );
    case "refused":
      throw new UserError("not_restored", restored.text, "Nothing was touched.", exitCodes.conflict);
  }
}

type State = ReturnType<Workspace["stateOf"]>;

function isState(state: State): state is Exclude<State, { type: "refused" }> {
  return state === null || state.type !== "refused";
}

/** Lines with the number of lines before each; those that a rewind ended are left out, unless it was undone. */
function livingLines(lines: readonly ChainLine[]): { line: ChainLine; at: number }[] {
  const isBack = (line: ChainLine) => line.type === "event" && line.event === "rewound" && !line.files_only;
  const targets = new Set(lines.flatMap((line) => (isBack(line) && "to" in line ? [line.to] : [])));
  const then = new Map<unknown, typeof alive>();
  let alive: { line: ChainLine; at: number }[] = [];
  for (const [at, line] of lines.entries()) {
    if (targets.has(at)) then.set(at, [...alive]);
    if (isBack(line) && "to" in line) alive = [...(then.get(line.to) ?? [])];
    else alive.push({ line, at });
  }
  return alive;
}

function keyOf(line: ChainLine): string | undefined {
  return line.type === "intent" ? line.key : undefined;
}

function isWhole(key: string | undefined, step: string): boolean {
  return key === step || (key?.startsWith(`${step}/`) ?? false);
}

/** Phase and decision of each step, once. */
function stepsOf(alive: readonly { line: ChainLine }[]): string[] {
  const keys = alive.flatMap(({ line }) => keyOf(line) ?? []);
  return [...new Set(keys.map((key) => key.split("/").slice(0, 2).join("/")))];
}

/** What a crash kept from being written down: a change that was announced, and a command that was running. */
export async function unsaid(
  chain: Chain,
  workspace: Workspace,
): Promise<{ sure: readonly Touched[]; unsure: readonly Touched[] }> {
  const { context, blobs } = chain;
  const changes = Object.values(context.engine.open).flatMap((intent) =>
    intent.effect === "change" ? (touchedBy(workspace, blobs, intent) ?? []) : [],
  );
  const before = await notedTree(chain);
  const since = before ? compare(before, await workspace.snapshot(blobs.putBytes, before)) : [];
  return { sure: changes, unsure: since };
}
