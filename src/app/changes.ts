import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { z } from "zod";
import { exitCodes, UserError } from "../util/errors.ts";
import { diffSize, unifiedDiff } from "../util/diff.ts";
import { openBlobs, type Blobs } from "../store/blobs.ts";
import { chainPaths, paddedId } from "../store/chains.ts";
import type { FileState, Touched } from "../tools/types.ts";
import type { Context } from "../chain/context.ts";
import type { ChainLine } from "../chain/events.ts";
import type { Workspace } from "../tools/workspace.ts";
import { locateHome, chainStoreOf, type Caller } from "./app.ts";
import { isTrusted, trust, untrusted } from "./trust.ts";
import { chainId, common, confirmMove, running } from "./flags.ts";
import { lookAtChain, problemData } from "./look.ts";
import { operation } from "./operation.ts";
import { foreignTo, ownChain } from "./own.ts";
import { ownFolders } from "./places.ts";
import { flagsAgain } from "./trouble.ts";

export const allowOperation = operation({
  name: "allow",
  summary: "Allow exactly the change or command that a chain asks for, and let it go on",
  permission: "run",
  positional: ["chain", "request"],
  input: z.object({
    chain: chainId,
    request: z.string().describe("Printed with what is asked for"),
    always: z.boolean().optional().describe("Also what is like it, for the rest of this chain"),
    edited: z.string().optional().describe("File with the text to write in place of the proposed one"),
    ...running,
  }),
  async run(input, caller) {
    const { tell } = await import("./turns.ts");
    const text = input.edited === undefined ? undefined : editedText(input.edited);
    const always = input.always === true;
    return tell(input, caller, { type: "allow", id: input.request, always, ...(text === undefined ? {} : { text }) });
  },
});

function editedText(path: string): string {
  const wrong = (why: string) =>
    new UserError(
      "no_text",
      `${resolve(path)} ${why}. Nothing was allowed.`,
      "Name a text file: --edited mine.js",
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
  input: z.object({ chain: chainId, home: common.home }),
  async run(input, caller) {
    const id = paddedId(input.chain);
    const home = locateHome(caller, input);
    const store = chainStoreOf(home, caller.world.env);
    const foreign = (await foreignTo(home, store))(id);
    const { context, lines, problem } = await lookAtChain(store, id, foreign);
    const blobs = openBlobs(chainPaths(store.contexts, id).blobs);
    const { request } = context.engine;
    const waiting = request && { request, diff: shownChange(context, blobs)?.diff ?? null };
    const changes = await changesOf(lines, blobs);
    const again = flagsAgain({ home: input.home });
    const about = { foreign: foreign?.why ?? null, ...problemData(problem, again) };
    return { exit: exitCodes.done, data: { schema_version: 1, chain_id: id, ...about, waiting, changes, again } };
  },
});

/** What somebody has to see to judge the change that is asked for. */
export function shownChange(
  { engine: { request } }: Context,
  blobs: Blobs,
): { diff: string; proposed: string | null } | undefined {
  if (request?.kind !== "change") return undefined;
  const text = (hash: string | null) => (hash === null ? null : blobs.get(hash));
  const proposed = text(request.after);
  return { diff: unifiedDiff(text(request.before), proposed, request.path), proposed };
}

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

export const rewindOperation = operation({
  name: "rewind",
  summary: "Go back to an earlier step: history and files together, exactly",
  permission: "change",
  positional: ["chain"],
  input: z.object({
    chain: chainId,
    to: z.string().min(1).optional().describe("The step to stand before; left out, the last approval"),
    files_only: z.boolean().optional().describe("Put back the files, and leave the history as it is"),
    also_unsure: z.boolean().optional().describe("Also what changed around a crash, and may be your own work"),
    adopt: confirmMove,
    trust: common.trust,
    home: common.home,
  }),
  run: (input, caller) => rewind(input, caller),
});

interface RewindInput {
  readonly chain: string;
  readonly to?: string | undefined;
  readonly files_only?: boolean | undefined;
  readonly also_unsure?: boolean | undefined;
  readonly home?: string | undefined;
  readonly adopt?: boolean | undefined;
  readonly trust?: boolean | undefined;
}

async function rewind(input: RewindInput, caller: Caller) {
  const { openChain, engineActor } = await import("../chain/open.ts");
  const { readChain } = await import("../chain/inspect.ts");
  const { restoreFiles, targetOf, touchedSince, unsaid, unsureSince } = await import("../chain/rewind.ts");
  const { event } = await import("../chain/events.ts");
  const { openWorkspace } = await import("../tools/workspace.ts");
  const { beginning, folderOf } = await import("./turns.ts");
  const { home, id, workspace: own } = await ownChain(input, caller);
  if (input.trust) trust(own, caller.world.env);
  if (!isTrusted(own, caller.world.env)) throw untrusted(own);
  const begun = beginning(caller, home);
  const target = targetOf(id, readChain(begun, id).lines, input.to);
  const { chain, edits } = openChain(begun, id);
  const filesOnly = input.files_only === true;
  try {
    if (edits.length > 0) throw edited(id);
    const folder = await folderOf(own, chain.context, caller);
    const workspace = openWorkspace(folder ?? own, { hide: folder === null ? ownFolders(home) : [] });
    const { sure, unsure } = await unsaid(chain, workspace);
    const told = { key: "rewind", argv: ["what was under way when it stopped"] };
    const bodies = [
      ...(sure.length > 0 ? [event("files_touched", { ...told, touched: sure })] : []),
      ...(unsure.length > 0 ? [event("files_touched", { ...told, touched: unsure, unsure: true })] : []),
    ];
    if (bodies.length > 0) chain.append({ by: engineActor, bodies });
    chain.tree.remove();
    const { lines } = readChain(begun, id);
    const touched = touchedSince(lines, target.line);
    const maybe = unsureSince(lines, target.line).filter((path) => isChanged(path, touched, workspace));
    if (maybe.length > 0 && input.also_unsure !== true) throw notSure(id, maybe, input);
    const { files, not_kept } = restoreFiles(id, workspace, chain.blobs, touched);
    chain.append({
      by: caller.by,
      bodies: [event("rewound", { to: target.line, step: target.step, files, files_only: filesOnly })],
    });
    const again = flagsAgain({ home: input.home });
    const data = {
      schema_version: 1 as const,
      chain_id: id,
      to: target.step,
      files_only: filesOnly,
      files: [...new Set(touched.map(({ path }) => path))].map((path) => ({ path, done: doneTo(path, files) })),
      not_kept: [...not_kept],
      next: filesOnly ? `claude-exec resume ${id}${again}` : `claude-exec status ${id}${again}`,
      again,
    };
    return { exit: exitCodes.done, data };
  } finally {
    chain.close();
    // Its context file follows the history that holds now.
    openChain(begun, id).chain.close();
  }
}

function isChanged(path: string, touched: readonly Touched[], workspace: Workspace): boolean {
  const first = touched.find((one) => one.path === path);
  return first !== undefined && JSON.stringify(workspace.stateOf(path)) !== JSON.stringify(first.before);
}

function notSure(id: string, paths: readonly string[], { to, files_only }: RewindInput): UserError {
  const shown = paths.slice(0, 10).join(", ") + (paths.length > 10 ? `, and ${paths.length - 10} more` : "");
  const again = `claude-exec rewind ${id}${to === undefined ? "" : ` --to ${to}`}${files_only ? " --files-only" : ""}`;
  return new UserError(
    "not_sure",
    `A command was cut short, and nobody can tell whether it or you changed since: ${shown}. Nothing was touched.`,
    `If none of that is your work: ${again} --also-unsure`,
    exitCodes.conflict,
  );
}

function doneTo(path: string, files: readonly Touched[]): string {
  const found = files.find((file) => file.path === path);
  return found === undefined ? "as it was" : found.after === null ? "removed" : "written";
}

function edited(id: string): UserError {
  return new UserError(
    "context_edited",
    `The context file of chain ${id} was edited by hand. Nothing was changed.`,
    `Take it over or undo it first: claude-exec resume ${id}`,
    exitCodes.conflict,
  );
}
