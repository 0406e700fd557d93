import { z } from "zod";
import { waitingMessages } from "../store/chains.ts";
import { UserError } from "../util/errors.ts";
import type { ReplyBlock } from "../models/types.ts";
import type { Batch } from "../store/journal.ts";
import type { Prompt } from "../library/prompt.ts";
import { namedFiles } from "../programs/permissions/named_files.ts";
import { typed } from "../tools/test_command.ts";
import type { Workspace } from "../workspace/workspace.ts";
import type { Context, Item } from "./context.ts";
import type { Work } from "./deps.ts";
import type { Body } from "./events.ts";
import { draftsOf } from "./generated.ts";
import { itemAt } from "./item.ts";
import { judge } from "./judge.ts";
import { earlyBaseline } from "./next.ts";
import { mayRunEarly } from "./test_runs.ts";
import { foreignChange } from "./write.ts";
import { engineActor, withLedger } from "./open.ts";
import { proposalOf, refusedPath } from "./present.ts";
import { shortList } from "./request.ts";
import { promptWriter } from "./roles.ts";
import { contentOf } from "./texts.ts";
import { readReply, type Reply, type Solution } from "./reply.ts";

/** Takes in a final reply: together with `first` (the reply's own line), or alone after a crash between the two. */
export async function settle(
  work: Work,
  key: string,
  content?: readonly ReplyBlock[],
  first?: Batch<Body>,
): Promise<unknown> {
  const { chain, deps } = work;
  const item = itemAt(chain.context, key);
  if (!item) throw new Error(`${key} is not at work.`);
  const blocks = content ?? contentOf(item.turns.at(-1)?.content ?? [], chain.blobs);
  const text = blocks.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("");
  const reply = readReply(text, item.expects);
  const isUsable = reply.problems.length === 0;
  // Beside others it waits for them: nobody is to see more than was known when they were chosen.
  if (first && work.defer && isUsable) return chain.append(first);
  // What the tests say today belongs on the page that a person judges: they run before the reply is judged.
  const isTestedFirst = reply.action?.do.type === "present_solution" && chain.context.engine.group.length === 0;
  const kind = isTestedFirst && proposalOf(chain.context, item.prompt, reply)?.proposal?.solution.verification.kind;
  const isDue = first && isUsable && kind === "tests" && earlyBaseline(chain.context, { type: "settle", keys: [key] });
  if (isDue && (await mayRunEarly(work))) return chain.append(first);
  const strange = reply.action?.do.type === "complete" ? strayed(chain.context, deps.workspace) : undefined;
  const events = judge(
    chain.context,
    item,
    strange ? { ...reply, action: null } : reply,
    await facts(reply, item, work),
  );
  const isSaid = !item.fresh && chain.context.engine.item?.key === key;
  const batch = withLedger(engineActor, [...(strange && !reply.report ? [] : events), ...(strange?.events ?? [])], {
    isSaid,
  });
  return chain.append(...(first ? [first] : []), batch);
}

/** A message that no step has taken in yet. */
const toldMessage = z.object({ message: z.object({ type: z.literal("tell"), text: z.string() }) });

async function facts(reply: Reply, item: Item, work: Work) {
  const { context } = work.chain;
  const { library, workspace } = work.deps;
  const prompts = new Map<string, Prompt>();
  let offered: string[] = [];
  const known = new Set<string>();
  const what = reply.action?.do;
  if (what?.type === "run_prompts") {
    const { prompts: listed } = await library.lately();
    for (const { name } of listed) known.add(name);
    offered = shortList(context, listed).map(({ name }) => name);
  }
  for (const { name } of what && "prompts" in what ? what.prompts : []) {
    const prompt = await library.find(name).catch(unknownPrompt);
    if (prompt?.name === name) prompts.set(name, prompt);
  }
  const proposed = proposalOf(context, item.prompt, reply)?.proposal;
  const base = proposed ? baseOf(context, proposed.solution, workspace) : {};
  const isWriter = item.prompt === promptWriter && reply.report;
  const drafts = isWriter ? await draftsOf(work, isWriter) : [];
  const told = (await waitingMessages(work.chain.inbox)).map(
    ({ message }) => toldMessage.safeParse(message).data?.message.text,
  );
  const unheard =
    told.findLast((text) => text !== undefined) ?? (context.engine.unheard ? context.engine.said.at(-1) : undefined);
  return { prompts, offered, known, base, drafts, unheard };
}

/** What an approval binds beside the text: the files of the solution, and those that its commands and the tests name. */
export function baseOf({ engine }: Context, { files, verification, commands }: Solution, workspace: Workspace) {
  const base: Record<string, string | null> = {};
  for (const { path } of files) base[path] = fingerprint(workspace, path);
  const tests = engine.test_command ? typed(engine.test_command) : verification.command;
  for (const name of [tests, ...commands].flatMap((line) => Object.keys(namedFiles(workspace.root, line)))) {
    const path = name.replace(/#scripts$/, "");
    const hash = fingerprint(workspace, path);
    if (hash !== refusedPath) base[path] ??= hash;
  }
  return base;
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
