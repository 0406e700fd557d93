import { count } from "../util/count.ts";
import { exitCodes } from "../util/errors.ts";
import { diffSize, linesAMinute, minutesToRead, unifiedDiff } from "../util/diff.ts";
import { sha256 } from "../util/hash.ts";
import type { Blobs } from "../store/blobs.ts";
import type { FileChange, Touched } from "../workspace/file_states.ts";
import type { Workspace } from "../workspace/workspace.ts";
import { linesOf } from "../tools/search.ts";
import { leaveToChange, proposal, unanswered, wordsAbove } from "./consent.ts";
import type { Context } from "./context.ts";
import type { Work } from "./deps.ts";
import { event, park, type Change, type ChainEvent } from "./events.ts";
import { engineActor } from "./open.ts";
import { isDocument } from "./solution.ts";
import { answer, type ToolStep } from "./answer.ts";

/** All that one turn makes of a file. `also`: the calls after the first that have a part in it. */
export interface WholeChange {
  readonly change: FileChange;
  readonly also: readonly ToolStep["call"][];
}

/**
 * Writes or deletes a file of the approved solution, where it may, having said so in the journal first. What a turn makes
 * of a file is written at once, so that nothing lies there that a person was not shown.
 */
export async function write(
  work: Work,
  step: ToolStep,
  { change: planned, also }: WholeChange,
  said: string,
): Promise<unknown> {
  const { chain, deps } = work;
  const { path } = planned;
  const found = deps.workspace.read(path, "write");
  const refusal = objection(chain.context, path, found.type === "text" ? found.sha256 : null, !planned.after);
  if (refusal) return answer(work, step, refusal.text, true, [], refusal.events);

  const named = roleOf(chain.context, path);
  const before = planned.before?.sha256 ?? null;
  const after = planned.after?.sha256 ?? null;
  const key = `${step.key}/${step.call.id}`;
  const request = proposal<"change">({
    kind: "change",
    key,
    said: wordsAbove(chain.context, key, said),
    path,
    role: named ?? "doc",
    before,
    after,
    ...(named === undefined ? { unplanned: true } : {}),
  });
  const leave = leaveToChange(chain.context, request, deps.permission);
  const others = `Refused together with your first change of ${path} in this turn. Nothing was done.`;
  const refuse = (text: string) => answer(work, step, text, true, [], [], { calls: also, text: others });
  const long = named === "code" ? tooLong(chain.context, chain.blobs, planned) : undefined;
  if (long !== undefined) return refuse(long);
  switch (leave.type) {
    case "refused":
      return refuse(leave.text);
    case "look_only":
      return chain.append({ by: engineActor, bodies: [looksOnly(`${path} was not written`)] });
    case "ask": {
      const open = unanswered(chain.context, said);
      if (open !== undefined) return refuse(open);
      // Both texts are there for whoever shows the difference.
      if (planned.before) await chain.blobs.put(planned.before.text);
      if (planned.after) await chain.blobs.put(planned.after.text);
      return chain.append({ by: engineActor, bodies: [event("permission_asked", { request })] });
    }
    case "given": {
      const edited = leave.edited === null ? undefined : chain.blobs.get(leave.edited.text);
      if (edited === undefined) return make(work, step, planned, also);
      if (sha256(edited) === before) {
        return refuse(`A person looked at it and left ${path} as it was. Do something else.`);
      }
      return make(work, step, { ...planned, after: { sha256: sha256(edited), text: edited } }, also);
    }
  }
}

async function make(work: Work, step: ToolStep, change: FileChange, also: WholeChange["also"]): Promise<unknown> {
  const { chain, deps } = work;
  const { path, before, after } = change;
  if (before) await chain.blobs.put(before.text);
  if (after) await chain.blobs.put(after.text);
  const intent: Change = {
    type: "intent",
    effect: "change",
    key: step.key,
    call: step.call.id,
    path,
    before: before?.sha256 ?? null,
    after: after?.sha256 ?? null,
    ...(before ? { mode: before.mode } : {}),
    ...(also.length > 0 ? { also } : {}),
  };
  await chain.append({ by: engineActor, bodies: [intent] });
  const applied = deps.workspace.apply(change);
  switch (applied.type) {
    case "refused":
      return answer(work, step, `${path} was not written: ${applied.text}`, true);
    case "failed":
      return failed(work, step, applied.code, applied.text);
    case "changed_meanwhile": {
      const voided = foreignChange(path);
      return answer(work, step, voided.text, true, [], voided.events);
    }
    case "written":
    case "already_there":
      return changed(work, step, intent);
  }
}

/** A full disk is not the model's to mend: the chain waits for a person. Anything else it may try differently. */
function failed(work: Work, step: ToolStep, code: string, text: string): Promise<unknown> {
  if (code !== "ENOSPC" && code !== "EDQUOT") return answer(work, step, text, true);
  const message = `The disk is full: ${text} The file is as it was, and everything before is kept.`;
  const next = { operation: "resume", why: "Free some space, then go on" };
  const full = park("disk_full", exitCodes.failed, message, next);
  return answer(work, step, `${text} The disk was full; there may be room now.`, true, [], [full]);
}

/** Whether a change that was announced before a crash was carried out: then it is neither repeated nor refused. */
export function isMade({ deps }: Work, { path, after }: Change): boolean {
  const found = deps.workspace.read(path, "write");
  return after === null ? found.type === "absent" : found.type === "text" && found.sha256 === after;
}

export function changed(work: Work, step: ToolStep, change: Change): Promise<unknown> {
  const { chain, deps } = work;
  const { path, before, after, also: calls = [] } = change;
  const also = { calls, text: `Done together with your first change of ${path} in this turn: see there.` };
  const role = roleOf(chain.context, path) ?? "doc";
  const touched = touchedBy(deps.workspace, chain.blobs, change);
  const textOf = (hash: string | null) => (hash === null ? null : chain.blobs.get(hash));
  const lines = diffSize(unifiedDiff(textOf(before), textOf(after), path));
  const recorded = event("file_changed", { path, role, before, after, ...(touched ? { touched } : {}), lines });
  if (after === null) return answer(work, step, `Deleted ${path}.`, false, [], [recorded], also);
  const text = chain.blobs.get(after);
  const done = `${before === null ? "Created" : "Changed"} ${path} (${count(linesOf(text).length, "line")}).`;
  const { consent } = chain.context.engine;
  const edited = consent?.type === "given" && consent.edited?.text === after ? consent.edited : null;
  const how = edited
    ? `${done} A person changed your text before it was written; this is what they changed:\n${unifiedDiff(chain.blobs.get(edited.proposed), text, path)}`
    : done;
  return answer(work, step, how, false, [], [recorded], also);
}

/** Why so much code may not be written at once, together with what changed since the last test run; undefined: it may. */
function tooLong({ engine }: Context, blobs: Blobs, { path, before, after }: FileChange): string | undefined {
  if (!after) return undefined;
  const tested = engine.test_command ? engine.tested[path] : undefined;
  const from = tested === undefined ? (before?.text ?? null) : tested && blobs.get(tested);
  if (minutesToRead(unifiedDiff(from, after.text, path)) <= 3) return undefined;
  const parts = `Write it in parts of at most ${3 * linesAMinute} lines, with run_tests after each.`;
  if (tested === undefined)
    return `${path} was not written: a person would read this change for more than three minutes. ${parts}`;
  return `${path} was not written: with this change, a person would read what changed since the last test run for more than three minutes. ${parts}`;
}

/** What whoever takes it back has to know, mode bits included; undefined where it was not carried out. */
export function touchedBy(
  workspace: Workspace,
  blobs: Blobs,
  { path, before, after, mode }: Change,
): Touched | undefined {
  const now = workspace.stateOf(path);
  if (now?.type === "refused") return undefined;
  const made = now === null ? after === null : now.type === "file" && now.sha256 === after;
  if (!made) return undefined;
  if (before === null) return { path, before: null, after: now };
  const { length: size } = blobs.getBytes(before);
  return { path, before: { type: "file", sha256: before, mode: mode ?? 0o644, size }, after: now };
}

/** Why a file may not be written now, and what follows from the attempt; undefined: it may. */
function objection(
  context: Context,
  path: string,
  current: string | null,
  isDeletion: boolean,
): { text: string; events: ChainEvent[] } | undefined {
  const { solution, engine, evidence } = context;
  const no = (text: string, events: ChainEvent[] = []) => ({ text, events });
  if (context.current_phase !== "implementation" || solution?.standing !== "approved") {
    return no("Files are written only after a person approved the solution.");
  }
  const role = roleOf(context, path);
  const isKept = solution.solution.files.some((file) => file.path === path && file.change !== "delete");
  if (isKept && isDeletion && !engine.files[path] && solution.base[path] !== null)
    return no(`${path} was approved to be changed, not to be deleted. Present the solution with its deletion.`);
  if (!role && isDocument(path) && !isDeletion) return undefined;
  if (!role) {
    const text = `${path} is not among the approved files: ${solution.solution.files.map((file) => file.path).join(", ")}.`;
    if (context.size !== "tiny")
      return no(`${text} If it is needed, go back to solution-approval and present it. ${beside}`);
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
  const written = engine.files[path];
  const expected = written ? written.after : (solution.base[path] ?? null);
  if (current !== expected) return foreignChange(path);
  const testsPlanned =
    solution.solution.verification.kind === "tests" && solution.solution.files.some((file) => file.role === "test");
  if (role === "code" && testsPlanned && context.mode === "tdd" && engine.test_command && !evidence.red) {
    return no("Tests come first: write the tests of the solution and see them fail, then write code.");
  }
  return undefined;
}

const beside = "Beside them only documents may be changed, such as a README, if the user says yes.";

export function foreignChange(path: string): { text: string; events: ChainEvent[] } {
  const reason = `${path} was changed by somebody else since it was approved.`;
  return {
    text: `${reason} Nothing was written; the solution must be presented again.`,
    events: [
      event("approval_voided", { reason }),
      event("phase_changed", { from: "implementation", to: "solution-approval", reason, focus: path }),
    ],
  };
}

export function roleOf({ solution }: Context, path: string): "code" | "test" | "doc" | undefined {
  return solution?.solution.files.find((file) => file.path === path)?.role;
}

/** The mode allows looking only: what was about to be done waits for another. */
export function looksOnly(what: string): ChainEvent {
  const message = `This chain may only look (permission: read), so ${what}.`;
  const next = { operation: "resume", input: { permission: "ask" }, why: "Let it ask you" };
  return park("look_only", exitCodes.waiting, message, next);
}
