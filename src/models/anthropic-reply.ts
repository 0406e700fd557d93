import type { MessageDeltaUsage, RawMessageStreamEvent, Usage as Said } from "@anthropic-ai/sdk/resources/messages";
import { isRecord, parseJson } from "../util/json.ts";
import { type Ending, sentence } from "./attempts.ts";
import type { ReplyBlock, Usage } from "./types.ts";

/** A reply while it streams in. Usage is known from the first event on, and so even of a reply that breaks off. */
export interface Incoming {
  readonly blocks: Record<string, unknown>[];
  characters: number;
  usage: Usage | undefined;
  /** Whether `usage` has the final count of the output, which comes at the end; before, it is a running one. */
  counted: boolean;
  stop: string | null;
  refusal: string | undefined;
  complete: boolean;
}

export function newIncoming(): Incoming {
  return {
    blocks: [],
    characters: 0,
    usage: undefined,
    counted: false,
    stop: null,
    refusal: undefined,
    complete: false,
  };
}

export function take(incoming: Incoming, event: RawMessageStreamEvent): void {
  switch (event.type) {
    case "message_start":
      incoming.usage = latest(undefined, event.message.usage);
      return;
    case "content_block_start":
      incoming.blocks[event.index] = { ...event.content_block };
      return;
    case "content_block_delta":
      incoming.characters += grow(incoming.blocks[event.index], event.delta);
      return;
    case "message_delta":
      incoming.stop = event.delta.stop_reason;
      incoming.refusal = event.delta.stop_details?.explanation ?? event.delta.stop_details?.category ?? undefined;
      incoming.usage = latest(incoming.usage, event.usage);
      // A compatible server may leave the usage out.
      incoming.counted ||= typeof (event.usage as Partial<MessageDeltaUsage> | undefined)?.output_tokens === "number";
      return;
    case "message_stop":
      incoming.complete = true;
      return;
    case "content_block_stop":
      return;
  }
}

/** Each kind of piece grows the field of its block that has its name; only a signature comes whole. */
function grow(block: Record<string, unknown> | undefined, delta: object): number {
  if (!block) throw new Error("a piece came of a block that was never begun");
  let characters = 0;
  for (const [key, piece] of Object.entries(delta)) {
    if (key === "type" || typeof piece !== "string") continue;
    block[key] = key === "signature" ? piece : `${(block[key] as string | undefined) ?? ""}${piece}`;
    if (key !== "signature") characters += piece.length;
  }
  return characters;
}

/** The counts are totals of the whole reply, and are left out where there is nothing to say. */
function latest(before: Usage | undefined, said: Partial<Said> | MessageDeltaUsage | undefined): Usage | undefined {
  if (!said) return before;
  const split = "cache_creation" in said ? said.cache_creation : undefined;
  const hour = split?.ephemeral_1h_input_tokens ?? before?.cacheWrite1h ?? 0;
  const written = said.cache_creation_input_tokens ?? hour + (before?.cacheWrite5m ?? 0);
  return {
    input: said.input_tokens ?? before?.input ?? 0,
    output: said.output_tokens ?? before?.output ?? 0,
    cacheRead: said.cache_read_input_tokens ?? before?.cacheRead ?? 0,
    cacheWrite5m: split?.ephemeral_5m_input_tokens ?? Math.max(0, written - hour),
    cacheWrite1h: hour,
  };
}

/** Of a reply that broke off the output is guessed, rather too high than too low: a token is three characters or more. */
export function usageOf({ usage, counted, characters }: Incoming): Usage | undefined {
  return usage && !counted ? { ...usage, output: Math.max(usage.output, Math.ceil(characters / 3)) } : usage;
}

export function endingOfReply({ blocks, stop, refusal }: Incoming): Ending {
  const content = blocks.map(toBlock);
  switch (stop) {
    case "max_tokens":
      return { type: "cut", content: content.map(withoutCall) };
    case "refusal":
      return { type: "refused", reason: sentence(refusal ?? "The provider gave no reason") };
    case "model_context_window_exceeded":
      return { type: "context_exceeded" };
    case "end_turn":
    case "stop_sequence":
    case "tool_use":
    case "pause_turn":
      break;
    default:
      return broken(`it ended for a reason unknown to us, ${stop}`);
  }
  if (content.some((block) => block.type === "tool_use" && !isRecord(block.input))) {
    return broken("the input of a tool call is not a JSON object");
  }
  if (stop === "pause_turn") return { type: "paused", content };
  return { type: "replied", stop: stop === "tool_use" ? "tool_use" : "end_turn", content };
}

export function broken(why: string): Ending {
  return { type: "failed", reason: "bad_stream", message: `The reply was broken: ${sentence(why)}` };
}

function toBlock({ partial_json, ...value }: Record<string, unknown>): ReplyBlock {
  const json = typeof partial_json === "string" ? partial_json.trim() : "";
  const input = json === "" ? value["input"] : (parseJson(json) ?? json);
  switch (value["type"]) {
    case "text":
      return { type: "text", text: textIn(value, "text") };
    case "tool_use":
      return { type: "tool_use", id: textIn(value, "id"), name: textIn(value, "name"), input };
    case "thinking":
    case "redacted_thinking":
      return { type: value["type"], value };
    default:
      return { type: "other", value: json === "" ? value : { ...value, input } };
  }
}

function textIn(value: Record<string, unknown>, key: string): string {
  return typeof value[key] === "string" ? value[key] : "";
}

/** A call in a reply that was cut off may lack its end: it is kept as what came, not as a call. */
function withoutCall(block: ReplyBlock): ReplyBlock {
  return block.type === "tool_use" ? { type: "other", value: block } : block;
}
