import type { ClientOptions } from "@anthropic-ai/sdk";
import type { MessageTokensCount, RawMessageStreamEvent } from "@anthropic-ai/sdk/resources/messages";
import type { Stream } from "@anthropic-ai/sdk/streaming";
import { messageOf } from "../util/errors.ts";
import type { World } from "../util/world.ts";
import { broken, endingOfReply, newIncoming, take, usageOf } from "./anthropic-reply.ts";
import { toInput } from "./anthropic-request.ts";
import {
  type Abilities,
  abilitiesLeft,
  abilitiesShown,
  allAbilities,
  isClaude,
  type KnownAbilities,
  probeOf,
  withCalls,
} from "./abilities.ts";
import { askPatiently, endingOf, type Ending, retryAfterOf, sentence, type Try } from "./attempts.ts";
import type { Attempt, Model, ModelEvent, ModelRequest, Usage } from "./types.ts";

export interface AnthropicOptions {
  readonly apiKey: string;
  readonly baseUrl?: string | undefined;
  readonly world: World;
  readonly log?: ClientOptions["logger"];
  /** How often a request is sent at most. */
  readonly attempts?: number | undefined;
  /** An attempt that stays silent for so long is given up; the provider's pings count as sound. */
  readonly idleMs?: number | undefined;
  /** What is known of the server, where the model is not one of Anthropic's. Left out: each call finds it out anew. */
  readonly servers?: KnownAbilities | undefined;
}

export function openAnthropic(options: AnthropicOptions): Model {
  const { world, attempts: limit } = options;
  return {
    name: "anthropic",
    live: true,
    ask: (request, signal) => {
      const { mayRetry, pace } = request;
      return askPatiently(() => tryOnce(request, signal, options), { world, signal, limit, mayRetry, pace });
    },
    countTokens: (request, signal) => countTokens(request, signal, options),
  };
}

async function* tryOnce(
  request: ModelRequest,
  signal: AbortSignal,
  options: AnthropicOptions,
): AsyncGenerator<ModelEvent, Try> {
  const { model } = request;
  const known = abilitiesOf(model, options);
  const probed = known ? undefined : yield* exchange(model, probeOf(model), signal, options);
  const found = known ?? (probed && abilitiesIn(probed));
  if (!found) return probed!;
  if (!known) options.servers?.keep(model, found);
  const body = { ...toInput(request, found), max_tokens: request.maxTokens, stream: true };
  const tried = yield* exchange(model, body, signal, options);
  const ending = found.tools ? tried.ending : withCalls(tried.ending, request);
  return { ...tried, ending, attempt: together(model, probed?.attempt, tried.attempt) };
}

function abilitiesOf(model: string, { servers }: AnthropicOptions): Abilities | undefined {
  return isClaude(model) ? allAbilities : servers?.of(model);
}

/** Undefined: what happened says nothing of what the server can do. */
function abilitiesIn({ ending, counts }: Exchanged): Abilities | undefined {
  if (ending.type === "replied") return abilitiesShown(ending.content, counts);
  if (ending.type === "cut") return { ...abilitiesShown(ending.content, counts), tools: false };
  return ending.type === "failed" && ending.reason === "invalid_request" ? abilitiesLeft(ending.message) : undefined;
}

/** What finding out about the server cost belongs to the attempt that it was for. */
function together(model: string, probe: Attempt | undefined, attempt: Attempt | undefined): Attempt | undefined {
  if (!probe || !attempt) return attempt ?? probe;
  const [first, second] = [probe.usage, attempt.usage];
  const sum = (kind: keyof Usage) => (first?.[kind] ?? 0) + (second?.[kind] ?? 0);
  const kinds = ["input", "output", "cacheRead", "cacheWrite5m", "cacheWrite1h"] as const;
  const usage = second && (Object.fromEntries(kinds.map((kind) => [kind, sum(kind)])) as unknown as Usage);
  return { ...attempt, model, usage, ms: probe.ms + attempt.ms };
}

/** One request and its reply. `counts`: what the reply said of its tokens, in the server's own words. */
interface Exchanged extends Try {
  readonly counts: unknown;
}

async function* exchange(
  model: string,
  body: object,
  signal: AbortSignal,
  options: AnthropicOptions,
): AsyncGenerator<ModelEvent, Exchanged> {
  const { world } = options;
  const { client, wire, APIError } = await connect(options);
  const incoming = newIncoming();
  const began = world.now();
  let counts: unknown;
  let error: unknown;
  try {
    // Not `client.messages.create`: for an aging model it writes to the console, whatever the logger.
    const stream = await client.post<Stream<RawMessageStreamEvent>>("/v1/messages", {
      body,
      stream: true,
      signal,
    });
    for await (const event of stream) {
      take(incoming, event);
      if (event.type === "message_start") counts = event.message.usage;
      if (event.type === "content_block_delta") yield { type: "progress", characters: incoming.characters };
    }
  } catch (caught) {
    error = caught;
  }
  const usage = usageOf(incoming);
  const { requestId } = wire;
  return {
    ending: ending(),
    counts,
    attempt: wire.accepted ? { model, usage, requestId, ms: world.now() - began } : undefined,
    retryAfterMs: error instanceof APIError ? retryAfterOf(error.headers, world.now()) : undefined,
  };

  function ending(): Ending {
    const { apiKey, baseUrl = defaultBaseUrl, idleMs = defaultIdleMs } = options;
    const provider = new URL(baseUrl).host;
    const told = (text: string) => sentence(apiKey === "" ? text : text.replaceAll(apiKey, "[key]"));
    if (incoming.complete) return endingOfReply(incoming);
    if (signal.aborted) return { type: "cancelled" };
    if (error instanceof APIError && (error.status !== undefined || wire.failure === undefined)) {
      return endingOf(error, provider, told(error.apiMessage ?? error.message.replace(/^\d{3} /, "")));
    }
    if (wire.stalled) {
      return {
        type: "failed",
        reason: "stalled",
        message: `${provider} sent nothing for ${idleMs / 1000} s.`,
      };
    }
    if (wire.failure !== undefined) {
      const message = `The connection to ${provider} failed: ${told(rootMessage(wire.failure))}`;
      return { type: "failed", reason: "network", message };
    }
    return broken(error === undefined ? "it ended before its end was announced" : told(messageOf(error)));
  }
}

/** Node says only "fetch failed"; why is in the cause. */
function rootMessage(error: unknown): string {
  return error instanceof Error && error.cause ? rootMessage(error.cause) : messageOf(error);
}

async function countTokens(
  request: ModelRequest,
  signal: AbortSignal,
  options: AnthropicOptions,
): Promise<number | undefined> {
  const { client } = await connect(options);
  try {
    const path = "/v1/messages/count_tokens";
    const count = await client.post<MessageTokensCount>(path, {
      body: toInput(request, abilitiesOf(request.model, options) ?? { tools: true, format: false, cache: false }),
      signal,
    });
    return typeof count.input_tokens === "number" ? count.input_tokens : undefined;
  } catch {
    return undefined;
  }
}

const defaultBaseUrl = "https://api.anthropic.com";
const defaultIdleMs = 90_000;
const silent = { error() {}, warn() {}, info() {}, debug() {} };

/** A client for one request, so that it has a `wire` of its own. Nothing of it comes from the surroundings. */
async function connect({ apiKey, baseUrl, log, idleMs }: AnthropicOptions) {
  const { Anthropic, APIError } = await import("@anthropic-ai/sdk");
  const wire: Wire = { accepted: false, stalled: false, failure: undefined, requestId: undefined };
  const client = new Anthropic({
    apiKey,
    authToken: null,
    baseURL: baseUrl ?? defaultBaseUrl,
    // Variables of the surroundings can name headers too; these two decide who pays.
    defaultHeaders: { Authorization: `Bearer ${apiKey}`, "X-Api-Key": null },
    maxRetries: 0,
    timeout: 2 ** 31 - 1,
    openTelemetry: false,
    logger: log ?? silent,
    logLevel: log ? "debug" : "off",
    fetch: watchedFetch(wire, idleMs ?? defaultIdleMs),
  });
  return { client, wire, APIError };
}

/** What the SDK does not tell about the connection under a request. */
interface Wire {
  /** The provider took the request on, or we gave it up: it may have cost money. */
  accepted: boolean;
  stalled: boolean;
  failure: unknown;
  requestId: string | undefined;
}

/** A stream may fall silent for ever; only how long each read takes tells. */
function watchedFetch(wire: Wire, idleMs: number): typeof fetch {
  return async (input, init) => {
    const giveUp = new AbortController();
    const signal = AbortSignal.any([giveUp.signal, ...(init?.signal ? [init.signal] : [])]);
    const watched = async <T>(reading: Promise<T>): Promise<T> => {
      const timer = setTimeout(() => {
        wire.stalled = true;
        giveUp.abort();
      }, idleMs);
      try {
        return await reading;
      } catch (error) {
        wire.failure = error;
        wire.accepted ||= signal.aborted;
        throw error;
      } finally {
        clearTimeout(timer);
      }
    };
    const response = await watched(fetch(input, { ...init, signal }));
    wire.accepted = response.ok;
    wire.requestId = response.headers.get("request-id") ?? undefined;
    const reader = response.body?.getReader();
    if (!reader) return response;
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        const { done, value } = await watched(reader.read());
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    });
    return new Response(body, response);
  };
}
