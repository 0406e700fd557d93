import type { Message, Outcome, ReplyBlock } from "../models/types.ts";
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

/**
 * What the model said in one step, and what it was answered. A provider refuses a request with an empty message, a
 * blank text, or an invalid or repeated id, so these are replaced: always in the same way, whatever follows later.
 */
export function transcriptOf(turns: readonly Turn[], note: string | null, blobs: Blobs): Message[] {
  const taken = new Set<string>();
  return turns.flatMap((turn, index): Message[] => {
    const ids: string[] = [];
    const said = contentOf(turn.content, blobs).flatMap((block): ReplyBlock[] => {
      if (block.type === "text") return isBlank(block.text) ? [] : [block];
      if (block.type !== "tool_use") return [block];
      const id = freeId(block.id, taken);
      ids.push(id);
      const name = namePattern.test(block.name) ? block.name : "unknown_tool";
      return [{ ...block, id, name, input: isRecord(block.input) ? block.input : {} }];
    });
    const results = turn.calls.map(({ answer }, call) => ({
      type: "tool_result" as const,
      tool_use_id: ids[call] ?? "",
      content: answer ? textOf(answer.content, blobs) : "",
      is_error: answer?.is_error ?? false,
    }));
    const next = index === turns.length - 1 ? note : (turns[index + 1]?.note ?? null);
    const answered = next ?? (results.length === 0 ? "Go on and answer." : null);
    return [
      { role: "assistant", content: endsInSpeech(said) ? said : [...said, { type: "text", text: "(no words)" }] },
      { role: "user", content: [...results, ...(answered ? [{ type: "text" as const, text: answered }] : [])] },
    ];
  });
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
