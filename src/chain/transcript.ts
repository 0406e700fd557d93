import type { Message, Outcome, ReplyBlock, TextBlock } from "../models/types.ts";
import type { Blobs } from "../store/blobs.ts";
import { isRecord } from "../util/json.ts";
import type { Turn } from "./context.ts";
import { contentOf, textOf } from "./texts.ts";

/** Why a reply cannot be used at all, in words that a model can act on; undefined: it can. */
export function whyUnusable({ stop, content }: Extract<Outcome, { type: "replied" }>): string | undefined {
  const calls = content.filter((block) => block.type === "tool_use");
  const ids = calls.map(({ id }) => id);
  if (calls.length === 0 && stop === "tool_use")
    return "The reply said it would call a tool, but it contains no tool call.";
  if (calls.length === 0 && !content.some((block) => block.type === "text" && !isBlank(block.text))) {
    return "It was empty.";
  }
  if (!ids.every((id) => idPattern.test(id))) return "The id of a tool call was not valid.";
  if (new Set(ids).size < ids.length) return "Two of its tool calls had the same id.";
  return calls.every(({ name }) => namePattern.test(name)) ? undefined : "The name of a tool was not valid.";
}

/** One prompt run as it stands in a request: what it was given, and its turns. */
export interface Run {
  readonly tail: string | null;
  readonly model: string | null;
  readonly turns: readonly Turn[];
  /** What is said about a reply that could not be used, where no turn follows it yet. */
  readonly note: string | null;
}

/** What was said so far, and the ids of tool calls that were given out. */
interface Spoken {
  readonly messages: readonly Message[];
  readonly ids: ReadonlySet<string>;
}

/**
 * What was said in prompt runs that follow each other, as messages. A provider refuses a request with an empty message,
 * a blank text, an invalid or repeated id, or the thoughts of another model, so these are replaced or left out: always
 * in the same way, whatever follows later.
 */
export function transcriptOf(earlier: readonly Run[], own: Run, model: string, blobs: Blobs): readonly Message[] {
  return addRun(spokenIn(earlier, model, blobs), own, { model, blobs, isLast: true }).messages;
}

/** A run that has ended never changes, and neither does what came before it, so its place in a request is kept. */
const kept = new WeakMap<Run, Map<string, Spoken>>();

function spokenIn(runs: readonly Run[], model: string, blobs: Blobs): Spoken {
  const known = (at: number) => (at < 0 ? nothingSaid : kept.get(runs[at]!)?.get(model));
  let from = runs.length - 1;
  while (!known(from)) from -= 1;
  let spoken = known(from)!;
  for (const run of runs.slice(from + 1)) {
    spoken = addRun(spoken, run, { model, blobs, isLast: false });
    const ofRun = kept.get(run) ?? new Map<string, Spoken>();
    kept.set(run, ofRun.set(model, spoken));
  }
  return spoken;
}

const nothingSaid: Spoken = { messages: [], ids: new Set() };

function addRun(
  before: Spoken,
  { tail, turns, note, model: spoke }: Run,
  { model, blobs, isLast }: { model: string; blobs: Blobs; isLast: boolean },
): Spoken {
  const ids = new Set(before.ids);
  const messages = [...before.messages];
  const firstNote = turns[0] ? turns[0].note : note;
  const given: TextBlock = { type: "text", text: firstNote ? `${tail ?? ""}\n\n${firstNote}` : (tail ?? "") };
  const last = messages.at(-1);
  if (last?.role === "user") messages[messages.length - 1] = { ...last, content: [...last.content, given] };
  else messages.push({ role: "user", content: [given] });
  for (const [at, turn] of turns.entries()) {
    const { said, results } = saidIn(turn, isLast || spoke === model, blobs, ids);
    const isEnd = at === turns.length - 1;
    const next = isEnd ? note : (turns[at + 1]?.note ?? null);
    const isAnswered = results.length > 0 || (isEnd && !isLast);
    const answered = next ?? (isAnswered ? null : "Go on and answer.");
    messages.push({ role: "assistant", content: said });
    const content = [...results, ...(answered ? [{ type: "text" as const, text: answered }] : [])];
    if (content.length > 0) messages.push({ role: "user", content });
  }
  return { messages, ids };
}

/** The blocks of one reply, and the results of its tool calls. Another model's thoughts are left out. */
function saidIn({ content, calls }: Turn, isSameModel: boolean, blobs: Blobs, taken: Set<string>) {
  const ids: string[] = [];
  const blocks = contentOf(content, blobs).flatMap((block): ReplyBlock[] => {
    if (block.type === "text") return isBlank(block.text) ? [] : [block];
    if (block.type !== "tool_use") return isSameModel ? [block] : [];
    const id = freeId(block.id, taken);
    ids.push(id);
    const name = namePattern.test(block.name) ? block.name : "unknown_tool";
    return [{ ...block, id, name, input: isRecord(block.input) ? block.input : {} }];
  });
  const results = calls.map(({ answer }, call) => ({
    type: "tool_result" as const,
    tool_use_id: ids[call] ?? "",
    content: answer ? textOf(answer.content, blobs) : "",
    is_error: answer?.is_error ?? false,
  }));
  const said = endsInSpeech(blocks) ? blocks : [...blocks, { type: "text" as const, text: "(no words)" }];
  return { said, results };
}

const idPattern = /^[a-zA-Z0-9_-]+$/;
const namePattern = /^[a-zA-Z0-9_-]{1,64}$/;

/** Servers that count the calls of each reply from the beginning give the same id twice in one step. */
function freeId(id: string, taken: Set<string>): string {
  const valid = idPattern.test(id) ? id : "call";
  let free = valid;
  for (let number = 2; taken.has(free); number++) free = `${valid}-${number}`;
  taken.add(free);
  return free;
}

/** A message of a model must not be empty, and not end in its thoughts. */
function endsInSpeech(blocks: readonly ReplyBlock[]): boolean {
  const last = blocks.at(-1);
  return last !== undefined && last.type !== "thinking" && last.type !== "redacted_thinking";
}

/** White space and control characters alone: some of these are white space to a provider's server, not to us. */
function isBlank(text: string): boolean {
  return !/[^\s\p{Cc}]/u.test(text);
}
