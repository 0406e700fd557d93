import { noUsage, tokensOf } from "../costs/books.ts";
import { tokensAtMost } from "../costs/estimate.ts";
import { priceOf } from "../models/prices.ts";
import type { Message, ModelRequest, Usage } from "../models/types.ts";
import type { Context } from "./context.ts";
import type { Deps } from "./deps.ts";
import type { FrozenRequest, Reserve } from "./events.ts";

/** What a call will probably cost: its input by its size and by what the provider still caches, its output by those before. */
export function expectCall(
  context: Context,
  prompt: string,
  request: ModelRequest,
  frozen: Pick<FrozenRequest, "epoch" | "ledger">,
  most: Reserve,
  { world, prices }: Pick<Deps, "world" | "prices">,
): Reserve {
  const now = world.now();
  const output = Math.min(request.maxTokens, medianOutput(context.engine.outputs, prompt) ?? 1_500);
  const usage = { ...expectedInput(context, request, frozen, now), output };
  const usd = priceOf(request.model, now, usage, prices) ?? null;
  const tokens = Math.min(most.tokens, tokensOf(usage));
  return { usd: usd === null ? null : Math.min(most.usd ?? usd, usd), tokens };
}

/** The median of this prompt in this chain; else that of all its prompts; undefined before the first reply. */
export function medianOutput(outputs: Context["engine"]["outputs"], prompt: string): number | undefined {
  const own = Object.hasOwn(outputs, prompt) ? outputs[prompt] : undefined;
  const sorted = [...(own ?? Object.values(outputs).flat())].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** How large the next request is at least. */
export function requestTokens({ request_tokens, epoch, ledger_bytes }: Context["engine"]): number {
  return Math.max(request_tokens, tokensAtMost((epoch?.bytes ?? 0) + ledger_bytes));
}

/**
 * Whether the fast model, which must read everything anew, costs less than the usual one, which reads it from the cache.
 * Where a price is not known, the route decides.
 */
export function fastPays({ engine }: Context, { routes, prices, world }: Deps): boolean {
  const price = (model: string, usage: object) =>
    priceOf(model, world.now(), { ...noUsage, output: 1_500, ...usage }, prices);
  const anew = price(routes.fast, { cacheWrite1h: requestTokens(engine) });
  const cached = price(routes.default, { cacheRead: requestTokens(engine) });
  return routes.fast !== routes.default && (anew === undefined || cached === undefined || anew <= cached);
}

/** The last call of the same model left its rules in the provider's cache for an hour, and the rest for five minutes. */
function expectedInput(
  { engine }: Context,
  request: ModelRequest,
  { epoch, ledger }: Pick<FrozenRequest, "epoch" | "ledger">,
  now: number,
): Omit<Usage, "output"> {
  const last = Object.hasOwn(engine.sent, request.model) ? engine.sent[request.model] : undefined;
  const age = last?.epoch === epoch ? now - Date.parse(last.at) : Number.POSITIVE_INFINITY;
  const [keptHour, keptMinutes] = [age < 60 * 60_000, age < 5 * 60_000];
  const rules = engine.epoch?.bytes ?? 0;
  // Counted from the end: all but the newest blocks are known, and a long chain has a thousand of them.
  const bytesSince = (block: number) => sum(engine.ledger.slice(block).map(({ text }) => Buffer.byteLength(text)));
  const sent = engine.ledger_bytes - bytesSince(ledger);
  const known = keptMinutes ? Math.min(sent, engine.ledger_bytes - bytesSince(last?.ledger ?? ledger)) : 0;
  const own = ownBytes(request);
  const { messages } = request;
  // The end of a request is cached only once a conversation has begun, be it in this step or in those before it.
  const isCachedToItsEnd = messages.length > 1;
  // The second message of the user is the first to cache the first one; a later one adds what was said since.
  const added = keptMinutes && messages.length > 3 ? sum(messages.slice(-2).map(bytesOf)) : own;
  return {
    input: tokens(isCachedToItsEnd ? 0 : own),
    cacheRead: tokens((keptHour ? rules : 0) + known + (isCachedToItsEnd ? own - added : 0)),
    cacheWrite5m: tokens(sent - known + (isCachedToItsEnd ? added : 0)),
    cacheWrite1h: tokens(keptHour ? 0 : rules),
  };
}

/** An estimate: a token of most texts takes three bytes or a little more. */
function tokens(bytes: number): number {
  return Math.ceil(bytes / 3);
}

/** Of everything after the ledger: the step's own text, and what a tool loop has added. */
export function ownBytes({ messages: [first, ...rest] }: ModelRequest): number {
  const last = first?.content.at(-1);
  return (last ? Buffer.byteLength(blockText(last)) : 0) + sum(rest.map(bytesOf));
}

/** A conversation goes on with the same messages, so each is measured once. */
const sizes = new WeakMap<Message, number>();

function bytesOf(message: Message): number {
  const known = sizes.get(message);
  if (known !== undefined) return known;
  const size = sum(message.content.map((block: Message["content"][number]) => Buffer.byteLength(blockText(block))));
  sizes.set(message, size);
  return size;
}

export function blockText(block: Message["content"][number]): string {
  return "text" in block ? block.text : "content" in block ? block.content : JSON.stringify(block);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
