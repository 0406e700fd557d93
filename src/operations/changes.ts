import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { z } from "zod";
import { exitCodes, UserError } from "../util/errors.ts";
import type { Input } from "../util/next.ts";
import { diffSize, unifiedDiff } from "../util/diff.ts";
import { openBlobs, type Blobs } from "../store/blobs.ts";
import { chainPaths, paddedId } from "../store/chains.ts";
import type { FileState, Touched } from "../workspace/file_states.ts";
import type { ChainLine } from "../chain/events.ts";
import type { Workspace } from "../workspace/workspace.ts";
import type { Caller } from "../session/caller.ts";
import type { Session } from "../session/session.ts";
import { fitting } from "./newest_chain.ts";
import { chainId, confirmMove, runningChain } from "./flags.ts";
import { lookAtChain, problemData } from "./look.ts";
import { busyAnswer } from "./chain_answer.ts";
import { chainOperation } from "./chain_operation.ts";
import { operation, type Answer } from "./operation.ts";
import type { rewindResult } from "./results.ts";
import { shownChange } from "./waiting_change.ts";

export const allowOperation = chainOperation({
  name: "allow",
  summary: "Allow exactly the change or command that a chain asks for, and let it go on",
  positional: ["chain", "request"],
  newest: fitting.requesting,
  input: () =>
    z.object({
      request: z.string().describe("Printed with what is asked for"),
      always: z.boolean().optional().describe("Also what is like it; changes only until another approval"),
      edited: z.string().optional().describe("File with the text to write in place of the proposed one"),
      ...runningChain,
    }),
  async run(input, session, caller) {
    const { tellChain } = await import("./drive.ts");
    const text = input.edited === undefined ? undefined : editedText(input.edited);
    const always = input.always === true;
    return tellChain(input, session, caller, {
      type: "allow",
      id: input.request,
      always,
      ...(text === undefined ? {} : { text }),
    });
  },
});

function editedText(path: string): string {
  const wrong = (why: string) =>
    new UserError(
      "no_text",
      `${resolve(path)} ${why}. Nothing was allowed.`,
      { input: { edited: "mine.js" }, why: "Name a text file" },
      exitCodes.usage,
    );
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats) throw wrong("is not there");
  if (!stats.isFile()) throw wrong("is not a file");
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(readFileSync(path));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw wrong("is not valid UTF-8");
  }
}

export const diffOperation = operation({
  name: "diff",
  summary: "What a chain asks to change, and all that it has changed so far",
  permission: "read",
  positional: ["chain"],
  newest: fitting.changed,
  result: async () => (await import("./results.ts")).diffResult,
  options: ["home"],
  input: () => z.object({ chain: chainId }),
  async run(input, session) {
    const id = paddedId(input.chain);
    const { store } = session;
    const foreign = (await session.foreign())(id);
    const { context, lines, problem } = await lookAtChain(store, id, foreign);
    const blobs = openBlobs(chainPaths(store.contexts, id).blobs);
    const { request } = context.engine;
    const waiting = request && { request, diff: shownChange(context, blobs)?.diff ?? null };
    const changes = await changesOf(lines, blobs);
    const about = { foreign: foreign?.why ?? null, ...problemData(problem) };
    return { exit: exitCodes.done, data: { chain_id: id, ...about, waiting, changes } };
  },
});

/** From what each file was at first to what the chain left it as. */
async function changesOf(lines: readonly ChainLine[], blobs: Blobs) {
  const { touchedSince } = await import("../chain/rewind.ts");
  const files = new Map<string, { first: FileState | null; last: FileState | null }>();
  for (const { path, before, after } of touchedSince(lines, 0)) {
    files.set(path, { first: files.has(path) ? files.get(path)!.first : before, last: after });
  }
  return [...files].flatMap(([path, { first, last }]) => {
    const diff = diffOf(path, first, last, blobs);
    return diff === undefined ? [] : [{ path, ...diffSize(diff), diff }];
  });
}

function diffOf(path: string, first: FileState | null, last: FileState | null, blobs: Blobs): string | undefined {
  if (JSON.stringify(first) === JSON.stringify(last)) return undefined;
  const [before, after] = [textOf(first, blobs), textOf(last, blobs)];
  if (before === undefined || after === undefined) return `Binary file ${path} differs\n`;
  const modes = [first, last].map((state) => (state?.type === "file" ? state.mode.toString(8) : "none"));
  const mode = modes[0] === modes[1] || first === null || last === null ? "" : `mode ${modes[0]} → ${modes[1]}\n`;
  return before === after ? mode : mode + unifiedDiff(before, after, path);
}

/** Undefined for what is no text, or was not kept. */
function textOf(state: FileState | null, blobs: Blobs): string | null | undefined {
  if (state === null) return null;
  if (state.type === "link") return `-> ${state.target}\n`;
  if (state.kept === false) return undefined;
  const bytes = blobs.getBytes(state.sha256);
  if (bytes.includes(0)) return undefined;
  return new TextDecoder().decode(bytes);
}

const rewindInput = () =>
  z.object({
    chain: chainId,
    to: z.string().min(1).optional().describe("The step to stand before; left out, the last approval"),
    files_only: z.boolean().optional().describe("Put back the files, and leave the history as it is"),
    also_unsure: z.boolean().optional().describe("Also what changed around a crash, and may be your own work"),
    undo: z.boolean().optional().describe("Bring back what the last rewind took away, if nothing was done since"),
    yes: z.boolean().optional().describe("Do it; left out, it is only shown, and asked about at a terminal"),
    adopt: confirmMove,
  });
type RewindInput = z.infer<ReturnType<typeof rewindInput>>;

export const rewindOperation = operation({
  name: "rewind",
  summary: "Go back to an earlier step: history and files together, exactly",
  permission: "change",
  positional: ["chain"],
  newest: fitting.changed,
  result: async () => (await import("./results.ts")).rewindResult,
  options: ["home", "trust"],
  input: rewindInput,
  run: rewind,
});

async function rewind(
  input: RewindInput,
  session: Session,
  caller: Caller,
): Promise<Answer<z.infer<typeof rewindResult>>> {
  const { openChain, engineActor } = await import("../chain/open.ts");
  const { readChain } = await import("../chain/inspect.ts");
  const { restoreFiles, targetOf, targetOfUndo, touchedSince, unsaid, unsureSince } =
    await import("../chain/rewind.ts");
  const { event } = await import("../chain/events.ts");
  const { id, workspace: own } = await session.ownChain(input.chain, input);
  session.needsTrust(own);
  const begun = session.beginning(caller);
  const { lines: before } = readChain(begun, id);
  const undone = input.undo ? targetOfUndo(id, before) : undefined;
  const target = undone ?? targetOf(id, before, input.to);
  const opened = openChain(begun, id);
  if (!opened) return busyAnswer(id);
  const { chain, edits } = opened;
  const filesOnly = undone?.filesOnly ?? input.files_only === true;
  try {
    if (edits.length > 0) throw edited(id);
    const workspace = await session.filesOf(own, await session.worktreeOf(own, chain.context));
    const { sure, unsure } = await unsaid(chain, workspace);
    const told = { key: "rewind", argv: ["what was under way when it stopped"] };
    const bodies = [
      ...(sure.length > 0 ? [event("files_touched", { ...told, touched: sure })] : []),
      ...(unsure.length > 0 ? [event("files_touched", { ...told, touched: unsure, unsure: true })] : []),
    ];
    if (bodies.length > 0) await chain.append({ by: engineActor, bodies });
    chain.tree.remove();
    const { lines } = readChain(begun, id);
    const touched = touchedSince(lines, target.line);
    const maybe = unsureSince(lines, target.line).filter((path) => isChanged(path, touched, workspace));
    if (maybe.length > 0 && input.also_unsure !== true) throw notSure(id, maybe, input);
    const paths = [...new Set(touched.map(({ path }) => path))];
    const about = { chain_id: id, to: target.step, files_only: filesOnly, undone: undone !== undefined };
    if (!input.yes && !undone) {
      const changed = paths.filter((path) => isChanged(path, touched, workspace));
      const isNew = (path: string) => touched.find((one) => one.path === path)?.before === null;
      const files = changed.map((path) => ({ path, done: isNew(path) ? ("removed" as const) : ("written" as const) }));
      const { chain: _, adopt: __, ...same } = input;
      const next = [{ operation: "rewind", input: { chain: id, ...plain(same), yes: true }, why: "Do it" }];
      return { exit: exitCodes.waiting, data: { ...about, preview: true, files, not_kept: [], next } };
    }
    const { files, not_kept } = restoreFiles(id, workspace, chain.blobs, touched);
    await chain.append({
      by: caller.by,
      bodies: [event("rewound", { to: target.line, step: target.step, files, files_only: filesOnly })],
    });
    const data = {
      ...about,
      preview: false,
      files: paths.map((path) => ({ path, done: doneTo(path, files) })),
      not_kept: [...not_kept],
      next: [
        filesOnly
          ? { operation: "resume", input: { chain: id }, why: "Go on" }
          : { operation: "status", input: { chain: id }, why: "See where it stands" },
        ...(undone ? [] : [{ operation: "rewind", input: { chain: id, undo: true }, why: "Take this back" }]),
      ],
    };
    return { exit: exitCodes.done, data };
  } finally {
    await chain.close();
    // Its context file follows the history that holds now.
    await openChain(begun, id)?.chain.close();
  }
}

/** Only what was said. */
function plain(input: Readonly<Record<string, string | boolean | undefined>>): Input {
  return Object.fromEntries(Object.entries(input).flatMap(([name, value]) => (value ? [[name, value]] : [])));
}

function isChanged(path: string, touched: readonly Touched[], workspace: Workspace): boolean {
  const first = touched.find((one) => one.path === path);
  return first !== undefined && JSON.stringify(workspace.stateOf(path)) !== JSON.stringify(first.before);
}

function notSure(chain: string, paths: readonly string[], { to, files_only }: RewindInput): UserError {
  const shown = paths.slice(0, 10).join(", ") + (paths.length > 10 ? `, and ${paths.length - 10} more` : "");
  const same = { ...(to === undefined ? {} : { to }), ...(files_only ? { files_only } : {}) };
  return new UserError(
    "not_sure",
    `A command was cut short, and nobody can tell whether it or you changed since: ${shown}. Nothing was touched.`,
    { operation: "rewind", input: { chain, ...same, also_unsure: true }, why: "If none of that is your work" },
    exitCodes.conflict,
  );
}

function doneTo(path: string, files: readonly Touched[]): "as it was" | "removed" | "written" {
  const found = files.find((file) => file.path === path);
  return found === undefined ? "as it was" : found.after === null ? "removed" : "written";
}

function edited(id: string): UserError {
  return new UserError(
    "context_edited",
    `The context file of chain ${id} was edited by hand. Nothing was changed.`,
    { operation: "resume", input: { chain: id }, why: "Take it over or undo it first" },
    exitCodes.conflict,
  );
}
