import { z } from "zod";
import type { UserError } from "../util/errors.ts";

/**
 * The door to any model: one request in, events out. `ask` must not throw for what a provider does: every
 * failure is an `outcome`. Exactly one `outcome` event is yielded, and it is the last.
 */
export interface Model {
  readonly name: string;
  /** False where replies are played from a file: their price is what a real run would have cost. */
  readonly live: boolean;
  /** What its calls cost is calculated: a subscription may not bill them. */
  readonly notional?: true;
  /** Why there is none that could be asked. */
  readonly lacking?: UserError;
  ask(request: ModelRequest, signal: AbortSignal): AsyncIterable<ModelEvent>;
  /** The exact size of a request's input, where the provider can say. Undefined: it cannot, or failed to. */
  countTokens?(request: ModelRequest, signal: AbortSignal): Promise<number | undefined>;
}

export interface ModelRequest {
  /** The step this belongs to; the recorded model answers by it. Not sent to a provider as such. */
  readonly key: string;
  readonly model: string;
  readonly maxTokens: number;
  readonly effort: "low" | "medium" | "high";
  readonly tools: readonly ToolDefinition[];
  readonly system: readonly TextBlock[];
  readonly messages: readonly Message[];
  /** JSON schema of the final text reply; a provider without structured output gets it as words. */
  readonly schema: Readonly<Record<string, unknown>>;
  /**
   * Asked after an attempt that failed and may have cost money, with all of those so far, before another is made.
   * No: the failure is the outcome. Left out: yes. Not sent to a provider.
   */
  readonly mayRetry?: (attempts: readonly Attempt[]) => boolean;
  /**
   * Asked before each attempt but the first: 0 lets it through, else it gives the milliseconds after which to ask again. Left out: 0.
   * Not sent to a provider.
   */
  readonly pace?: (() => number) | undefined;
}

export interface ToolDefinition {
  readonly name: string;
  readonly description: string;
  readonly input_schema: Readonly<Record<string, unknown>>;
}

export interface TextBlock {
  readonly type: "text";
  readonly text: string;
  /** Everything up to and including this block may be cached by the provider. */
  readonly cache?: "5m" | "1h";
}

const toolUseBlock = z.strictObject({
  type: z.literal("tool_use"),
  id: z.string(),
  name: z.string(),
  input: z.unknown(),
});

export interface ToolResultBlock {
  readonly type: "tool_result";
  readonly tool_use_id: string;
  readonly content: string;
  readonly is_error: boolean;
}

/** Signed by the provider: kept and sent back verbatim inside one tool loop, never read by us. */
const opaqueBlock = z.strictObject({ type: z.enum(["thinking", "redacted_thinking", "other"]), value: z.unknown() });

/** A block of a reply as a recording holds it: nothing in it is marked for the cache. */
export const replyBlock = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("text"), text: z.string() }),
  toolUseBlock,
  opaqueBlock,
]);
export type ReplyBlock = TextBlock | Readonly<z.infer<typeof toolUseBlock>> | Readonly<z.infer<typeof opaqueBlock>>;

export type Message =
  | { readonly role: "user"; readonly content: readonly (TextBlock | ToolResultBlock)[] }
  | { readonly role: "assistant"; readonly content: readonly ReplyBlock[] };

export type ModelEvent =
  | { readonly type: "started"; readonly attempt: number }
  /** So many characters of this attempt's reply are there: for a progress line only; the outcome holds the whole. */
  | { readonly type: "progress"; readonly characters: number }
  /** The next attempt has to wait for its turn. */
  | { readonly type: "waiting"; readonly delayMs: number }
  /** An attempt failed and another follows after `delayMs`. */
  | { readonly type: "retrying"; readonly attempt: number; readonly delayMs: number; readonly reason: string }
  | { readonly type: "outcome"; readonly outcome: Outcome };

export type Outcome = {
  /** Every attempt that may have cost money, in order; the last belongs to this outcome. */
  readonly attempts: readonly Attempt[];
} & (
  | {
      readonly type: "replied";
      readonly stop: "end_turn" | "tool_use";
      readonly content: readonly ReplyBlock[];
    }
  /** Cut at `max_tokens`: what came is kept for the books and never acted on. */
  | { readonly type: "cut"; readonly content: readonly ReplyBlock[] }
  | { readonly type: "paused"; readonly content: readonly ReplyBlock[] }
  | { readonly type: "refused"; readonly reason: string }
  | { readonly type: "context_exceeded" }
  | { readonly type: "failed"; readonly reason: FailureReason; readonly message: string }
  | { readonly type: "cancelled" }
);

export type FailureReason =
  /** Key refused, no right to the model, spend limit, malformed request, unknown model: trying again is no use. */
  | "authentication"
  | "permission"
  | "spend_limit"
  | "invalid_request"
  | "unknown_model"
  /** The world: tried several times already, and worth trying again later. */
  | "rate_limited"
  | "overloaded"
  | "server_error"
  | "network"
  | "stalled"
  | "bad_stream"
  /** The recording has no reply for this step. */
  | "not_recorded";

export interface Attempt {
  readonly model: string;
  /**
   * Undefined where the provider said nothing before it broke off. Where it did not come to its final count, `output`
   * is at least a third of the characters that came: its running count says next to nothing.
   */
  readonly usage: Usage | undefined;
  readonly requestId: string | undefined;
  readonly ms: number;
}

const count = z.int().nonnegative();

/** The four kinds of tokens that are paid differently; `cacheWrite` is split by how long it is kept. */
export const usage = z.strictObject({
  input: count,
  output: count,
  cacheRead: count,
  cacheWrite5m: count,
  cacheWrite1h: count,
});
export type Usage = Readonly<z.infer<typeof usage>>;
