import { basename, join } from "node:path";
import { z } from "zod";
import { event, type ChainEvent } from "../chain/events.ts";
import type { Learnt } from "../chain/learnt.ts";
import type { Session } from "../session/session.ts";
import { chainIds, chainPaths } from "../store/chains.ts";
import { exitCodes, unlessUserError, UserError } from "../util/errors.ts";
import { sha256 } from "../util/hash.ts";
import { keep, keptFiles, readKept } from "./kept.ts";
import { operation } from "./operation.ts";

const made = "learned.md";

export const memoryOperation = operation({
  name: "memory",
  summary: "Show the notes that later chains are told, or distil them anew from the chains of this home",
  permission: "change",
  positional: [],
  result: async () => (await import("./results.ts")).memoryResult,
  options: ["home", "trust"],
  input: () =>
    z.object({ consolidate: z.boolean().optional().describe("Write what the finished chains taught into the notes") }),
  async run({ consolidate }, session) {
    const chains = consolidate ? await distil(session) : null;
    const { folder, notes, problems } = notesIn(session);
    return { exit: exitCodes.done, data: { folder, chains, notes, problems } };
  },
});

/** Writes what all finished chains of this user taught. Journals that did not change are not read again. */
async function distil(session: Session): Promise<number> {
  const { readChain } = await import("../chain/inspect.ts");
  const { learntIn, notesOf } = await import("../chain/learnt.ts");
  const { store } = session;
  const foreign = await session.foreign();
  const own = chainIds(store.contexts).filter((id) => foreign(id) === undefined);
  const files = own.map((id) => chainPaths(store.contexts, id).journal);
  const index = await session.index();
  const values = await index.sync("learnt:1", files, async (at) => {
    // What a chain that cannot be read taught is not known.
    return { value: unlessUserError(() => learntIn(readChain(store, own[at]!).lines)) ?? [] };
  });
  // The index gives back what was put in under this name, or nothing.
  const notes = notesOf((values as Learnt[][]).flat());
  const { folder, edited, notes: known } = notesIn(session);
  if (edited) {
    const message = `${join(folder, made)} was edited by hand, and it is made anew as a whole. Nothing was written.`;
    const next = "Move your lines into another file of that folder, and delete this one.";
    throw new UserError("edited", message, next, exitCodes.conflict);
  }
  if (notes.length + known.length > 0)
    keep(session, "memory", made, withHead(notes.map((note) => `- ${note}\n`).join("")));
  return own.length;
}

function withHead(body: string): string {
  const about = `Made anew as a whole (${sha256(body).slice(0, 12)}): write notes of your own into another file of this folder, each as a line that begins with "- ".`;
  return `# What chains of this project taught\n${about}\n\n${body}`;
}

/** All notes of a home. What is not read is named. */
function notesIn(session: Session) {
  const problems: { file: string; why: string }[] = [];
  let edited = false;
  const notes = keptFiles(session, "memory", ".md").flatMap((file, at) => {
    const read = at < 20 ? readKept(file) : { why: "it is one of more than twenty" };
    if ("why" in read) {
      problems.push({ file, why: read.why });
      return [];
    }
    const { text } = read;
    if (basename(file) === made) edited = text !== withHead(text.slice(text.indexOf("\n\n") + 2));
    return text.split("\n").flatMap((line) => (/^- \S/.test(line) ? [{ file, text: line.slice(2, 602).trim() }] : []));
  });
  return { folder: join(session.home.path, "memory"), notes, problems, edited };
}

/** What a new chain is told of earlier ones: the notes that fit its task. */
export async function notesFor(task: string, session: Session): Promise<ChainEvent[]> {
  const all = notesIn(session).notes.slice(0, 1000);
  if (all.length === 0) return [];
  const { fittingNotes } = await import("../library/similar.ts");
  const notes = fittingNotes(
    task,
    all.map(({ text }) => text),
  );
  return notes.length === 0 ? [] : [event("notes_read", { notes })];
}
