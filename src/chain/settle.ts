import { UserError } from "../util/errors.ts";
import type { ReplyBlock } from "../models/types.ts";
import type { Actor } from "../store/journal.ts";
import { madeFor } from "../library/catalogue.ts";
import type { Prompt } from "../library/prompt.ts";
import { namedFiles } from "../permissions/named_files.ts";
import { quotedLine } from "../util/quoting.ts";
import type { Workspace } from "../tools/workspace.ts";
import type { Context } from "./context.ts";
import type { Work } from "./deps.ts";
import type { Body } from "./events.ts";
import { itemAt } from "./item.ts";
import { judge, refusedPath, reject } from "./judge.ts";
import { foreignChange } from "./write.ts";
import { engineActor, withLedger } from "./open.ts";
import { offeredAtOnce } from "./request.ts";
import { contentOf } from "./texts.ts";
import { readReply, type Action, type Report } from "./reply.ts";

/** Takes in a final reply: together with `first` (the reply's own line), or alone after a crash between the two. */
export async function settle(
  work: Work,
  key: string,
  content?: readonly ReplyBlock[],
  first?: { by: Actor; bodies: readonly Body[] },
): Promise<void> {
  const { chain, deps } = work;
  const item = itemAt(chain.context, key);
  if (!item) throw new Error(`${key} is not at work.`);
  const blocks = content ?? contentOf(item.turns.at(-1)?.content ?? [], chain.blobs);
  const text = blocks.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("");
  const reply = readReply(text, item.expects);
  // Beside others it waits for them: nobody is to see more than was known when they were chosen.
  const waits = first && work.defer && !("problems" in reply);
  if (waits) return chain.append(first);
  const completes = !("problems" in reply) && reply.kind === "action" && reply.do.type === "complete";
  const strange = completes ? strayed(chain.context, deps.workspace) : undefined;
  const events = strange
    ? strange.events
    : "problems" in reply
      ? reject(item, key, reply.problems)
      : judge(chain.context, item, reply, await facts(reply, chain.context, deps));
  chain.append(...(first ? [first] : []), withLedger(engineActor, events));
}

async function facts(
  reply: Action | Report,
  { current_phase: phase, engine }: Context,
  { library, workspace }: Work["deps"],
) {
  const prompts = new Map<string, Prompt>();
  let offered: string[] = [];
  const known = new Set<string>();
  if (reply.kind === "action" && reply.do.type === "run_prompts") {
    const { prompts: listed } = await library.all();
    for (const { name } of listed) known.add(name);
    offered = madeFor(listed, phase)
      .slice(0, offeredAtOnce)
      .map(({ name }) => name);
    for (const { name } of reply.do.prompts) {
      const prompt = await library.find(name).catch(unknownPrompt);
      if (prompt?.name === name) prompts.set(name, prompt);
    }
  }
  const base: Record<string, string | null> = {};
  if (reply.kind === "action" && reply.do.type === "present_solution") {
    for (const { path } of reply.do.artifact.files) base[path] = fingerprint(workspace, path);
    // The command of the tests runs once the solution is approved, so what it names is approved as it is now.
    for (const name of Object.keys(namedFiles(workspace.root, quotedLine(engine.test_command ?? [])))) {
      const path = name.replace(/#scripts$/, "");
      const hash = fingerprint(workspace, path);
      if (hash !== refusedPath) base[path] ??= hash;
    }
  }
  return { prompts, offered, known, base };
}

function unknownPrompt(error: unknown): undefined {
  if (!(error instanceof UserError)) throw error;
}

/** What follows where approved files are no longer as the chain left them; undefined: they all are. */
export function strayed({ engine, mode }: Context, workspace: Workspace) {
  if (mode === "plan-only") return undefined;
  const stray = Object.keys(engine.files).find((path) => fingerprint(workspace, path) !== engine.files[path]!.after);
  return stray === undefined ? undefined : foreignChange(stray);
}

export function fingerprint(workspace: Workspace, path: string): string | null {
  const found = workspace.read(path, "write");
  return found.type === "refused" ? refusedPath : found.type === "absent" ? null : found.sha256;
}
