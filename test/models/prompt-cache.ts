import { sha256 } from "../../src/util/hash.ts";
import type { RequestBody, WireBlock } from "./messages-server.ts";

export interface CacheUsage {
  readonly input_tokens: number;
  readonly cache_read_input_tokens: number;
  readonly cache_creation_input_tokens: number;
  readonly cache_creation: {
    readonly ephemeral_5m_input_tokens: number;
    readonly ephemeral_1h_input_tokens: number;
  };
}

const lifetime = { "5m": 5 * 60_000, "1h": 60 * 60_000 };

/**
 * The documented rules of the provider's prompt cache: a prefix that ends at a mark is kept for its time, and read
 * by a later request of the same model whose mark lies at most 20 blocks behind the prefix's end. Tool calls side by
 * side count as one block. A request is looked up when it comes; what it keeps can be read once its reply begins, which
 * is when the function that comes back is called.
 */
export function promptCache(now: () => number, minimum: number): (body: RequestBody) => () => CacheUsage {
  const entries = new Map<string, { until: number; ttl: "5m" | "1h" }>();
  return (body) => {
    const came = now();
    const positions = positionsOf(body);
    const marks = positions.flatMap(({ ttl, tokens }, index) => (ttl && tokens >= minimum ? [index] : []));
    const alive = (index: number) => (entries.get(positions[index]?.key ?? "")?.until ?? 0) > now();
    const seen = (mark: number) =>
      positions.flatMap(({ place }, index) => (index <= mark && place > positions[mark]!.place - 20 ? [index] : []));
    const found = marks
      .toReversed()
      .flatMap((mark) => seen(mark).toReversed())
      .find(alive);

    return () => {
      const written = { "5m": 0, "1h": 0 };
      let end = found === undefined ? 0 : (positions[found]?.tokens ?? 0);
      const read = end;
      for (const mark of marks) {
        const { key, ttl = "5m", tokens } = positions[mark] as Position;
        const kept = entries.get(key);
        const lasting = kept && alive(mark) ? kept.ttl : ttl;
        entries.set(key, { ttl: lasting, until: came + lifetime[lasting] });
        if (tokens > end) {
          written[ttl] += tokens - end;
          end = tokens;
        }
      }
      return {
        input_tokens: (positions.at(-1)?.tokens ?? 0) - end,
        cache_read_input_tokens: read,
        cache_creation_input_tokens: written["5m"] + written["1h"],
        cache_creation: { ephemeral_5m_input_tokens: written["5m"], ephemeral_1h_input_tokens: written["1h"] },
      };
    };
  };
}

/** Four characters a token. */
export function tokensOf(value: unknown): number {
  return Math.ceil(JSON.stringify(value).length / 4);
}

interface Position {
  /** Of everything up to here. */
  readonly key: string;
  readonly tokens: number;
  readonly ttl: "5m" | "1h" | undefined;
  /** Which block it is, where tool calls side by side are one. */
  readonly place: number;
}

/** Tools, then system, then messages; a change of the output format makes all of them new. */
function positionsOf({ model, tools = [], system = [], messages, output_config }: RequestBody): Position[] {
  let key = sha256(JSON.stringify([model, output_config?.format]));
  let tokens = 0;
  let place = 0;
  let isCall = false;
  const add = (value: unknown, ttl?: "5m" | "1h", isToolUse = false): Position => {
    if (!isToolUse || !isCall) place += 1;
    isCall = isToolUse;
    key = sha256(key, JSON.stringify(value));
    tokens += tokensOf(value);
    return { key, tokens, ttl, place };
  };
  const addBlock = (role: string, { cache_control, ...block }: WireBlock) =>
    add([role, block], cache_control && (cache_control.ttl ?? "5m"), block.type === "tool_use");
  return [
    ...tools.map((tool) => add(tool)),
    ...system.map((block) => addBlock("system", block)),
    ...messages.flatMap(({ role, content }) => content.map((block) => addBlock(role, block))),
  ];
}
