import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { outcomeOf, readRecording, type Recording } from "../../src/models/recorded.ts";
import type { FailureReason, ReplyBlock, Usage } from "../../src/models/types.ts";
import { complaintAbout } from "./api-rules.ts";
import { type CacheUsage, promptCache, tokensOf } from "./prompt-cache.ts";

/** A server on loopback that speaks the Messages API: what it answers is the handler's affair. `strict`: what the API refuses of our own requests is refused. */
export async function startMessagesServer(
  handler: Handler,
  { now = Date.now, minimumCacheable = 512, strict = true } = {},
) {
  const requests: Request[] = [];
  const cache = promptCache(now, minimumCacheable);
  const server = createServer((incoming, response) => {
    // Some clients look first whether somebody is there.
    if (incoming.method !== "POST") return void response.end();
    const pieces: Buffer[] = [];
    incoming.on("data", (piece: Buffer) => pieces.push(piece));
    incoming.on("end", () => {
      const body = inBlocks(JSON.parse(Buffer.concat(pieces).toString("utf8")) as RequestBody);
      const request = { path: incoming.url ?? "", headers: incoming.headers, body };
      requests.push(request);
      void answer(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
  });

  async function answer(request: Request, response: ServerResponse): Promise<void> {
    const complaint = strict ? complaintAbout(request.body) : undefined;
    if (complaint) return status(response, { type: "status", status: 400, error: complaint });
    if (request.path.endsWith("/count_tokens")) {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ input_tokens: tokensOf(request.body) }));
      return;
    }
    const begin = cache(request.body);
    const script = await handler(request);
    switch (script.type) {
      case "status":
        return status(response, script);
      case "reset":
        response.socket?.resetAndDestroy();
        return;
      case "hang":
        return;
      case "reply":
        return stream(response, request.body, script, begin());
    }
  }

  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: async () => {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

/** Other clients than ours send a text as it is, which stands for one block. */
function inBlocks(body: RequestBody): RequestBody {
  const blocks = <Content>(content: Content | string) =>
    typeof content === "string" ? [{ type: "text", text: content }] : content;
  const messages = body.messages.map((message) => ({ ...message, content: blocks(message.content) }));
  return { ...body, messages, ...(body.system && { system: blocks(body.system) }) };
}

export interface RequestBody {
  readonly model: string;
  readonly max_tokens?: number;
  readonly stream?: boolean;
  readonly tools?: readonly unknown[];
  readonly system?: readonly WireBlock[];
  readonly messages: readonly { readonly role: string; readonly content: readonly WireBlock[] }[];
  readonly output_config?: { readonly format?: unknown; readonly effort?: string };
  readonly [other: string]: unknown;
}

export type WireBlock = Readonly<Record<string, unknown>> & {
  readonly type: string;
  readonly cache_control?: { readonly type: string; readonly ttl?: "5m" | "1h" };
};

export interface Request {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: RequestBody;
}

export type Handler = (request: Request) => Script | Promise<Script>;

export type Script = Reply | Status | { readonly type: "reset" } | { readonly type: "hang" };

interface Status {
  readonly type: "status";
  readonly status: number;
  readonly error?: { readonly type: string; readonly message: string; readonly details?: unknown };
  /** Instead of an error in JSON: what a proxy in between may say. */
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Reply {
  readonly type: "reply";
  /** Blocks as on the wire; a tool_use may have `partial_json`, its input word for word. */
  readonly content: readonly WireBlock[];
  readonly stop_reason?: string;
  readonly stop_details?: unknown;
  /** Instead of what the emulated cache and four characters a token come to. */
  readonly usage?: WireUsage | null;
  /** The count of the output as it is told at the beginning. */
  readonly running_tokens?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly fault?: Fault;
}

type WireUsage = CacheUsage & { readonly output_tokens: number };

export type Fault =
  /** The connection breaks after so many bytes of the stream. */
  | { readonly type: "cut"; readonly bytes: number }
  /** The stream ends as if all were well, but without message_stop. */
  | { readonly type: "early_end" }
  | { readonly type: "error"; readonly error: { readonly type: string; readonly message: string } }
  | { readonly type: "malformed" }
  /** Everything comes but message_stop. */
  | { readonly type: "no_stop" }
  /** After the content nothing comes any more. */
  | { readonly type: "silence" }
  /** So many pings, one every `everyMs`, before the content. */
  | { readonly type: "pings"; readonly count: number; readonly everyMs: number };

function status(response: ServerResponse, { status, error, text, headers }: Status): void {
  const body = text ?? JSON.stringify({ type: "error", error });
  response.writeHead(status, { "content-type": text ? "text/html" : "application/json", ...headers });
  response.end(body);
}

async function stream(response: ServerResponse, body: RequestBody, script: Reply, cached: CacheUsage): Promise<void> {
  const { content, stop_reason = "end_turn", stop_details = null, running_tokens = 1, fault } = script;
  const usage = script.usage === undefined ? { ...cached, output_tokens: tokensOf(content) } : script.usage;
  response.writeHead(200, { "content-type": "text/event-stream", "request-id": "req_1", ...script.headers });
  let left = fault?.type === "cut" ? fault.bytes : Number.POSITIVE_INFINITY;
  const write = (text: string) => {
    if (left <= 0) return;
    response.write(text.slice(0, left));
    left -= text.length;
    if (left <= 0) setImmediate(() => response.socket?.resetAndDestroy());
  };
  const send = (type: string, data: object) => write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);

  const message = {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: body.model,
    content: [],
    stop_reason: null,
  };
  send("message_start", {
    message: { ...message, ...(usage && { usage: { ...usage, output_tokens: running_tokens } }) },
  });
  send("ping", {});
  const pings = fault?.type === "pings" ? fault : { count: 0, everyMs: 0 };
  for (let ping = 0; ping < pings.count; ping++) {
    await wait(pings.everyMs);
    send("ping", {});
  }
  for (const [index, block] of content.entries()) {
    const { start, deltas } = inPieces(block);
    send("content_block_start", { index, content_block: start });
    for (const delta of deltas) send("content_block_delta", { index, delta });
    send("content_block_stop", { index });
  }
  switch (fault?.type) {
    case "cut":
    case "silence":
      return;
    case "early_end":
      response.end();
      return;
    case "error":
      send("error", { error: fault.error });
      response.end();
      return;
    case "malformed":
      write("event: message_delta\ndata: {torn\n\n");
      response.end();
      return;
    case "pings":
    case "no_stop":
    case undefined:
      send("message_delta", {
        delta: { stop_reason, stop_sequence: null, stop_details },
        ...(usage && { usage: { output_tokens: usage.output_tokens } }),
      });
      if (fault?.type !== "no_stop") send("message_stop", {});
      response.end();
  }
}

function inPieces(block: WireBlock): { start: object; deltas: object[] } {
  const pieces = (text: unknown) => String(text).match(/[^]{1,20}/gu) ?? [];
  switch (block.type) {
    case "text":
      return {
        start: { type: "text", text: "" },
        deltas: pieces(block["text"]).map((text) => ({ type: "text_delta", text })),
      };
    case "thinking": {
      const thoughts = pieces(block["thinking"]).map((thinking) => ({ type: "thinking_delta", thinking }));
      const signature = { type: "signature_delta", signature: block["signature"] };
      return { start: { ...block, thinking: "", signature: "" }, deltas: [...thoughts, signature] };
    }
    case "tool_use": {
      const { input, partial_json = JSON.stringify(input), ...rest } = block;
      const deltas = pieces(partial_json).map((piece) => ({ type: "input_json_delta", partial_json: piece }));
      return { start: { ...rest, input: {} }, deltas };
    }
    default:
      return { start: block, deltas: [] };
  }
}

/** The key and the turn of the step that a request asks for: a user's text that begins with `# Step <key>` opened it. */
export function stepOf({ messages }: Pick<RequestBody, "messages">): { key: string; turn: number } {
  const opens = ({ type, text }: WireBlock) => type === "text" && String(text).startsWith("# Step ");
  const at = messages.findLastIndex(({ role, content }) => role === "user" && content.some(opens));
  const text = String(messages[at]?.content.findLast(opens)?.["text"]);
  const key = /^# Step (\S+)/.exec(text)?.[1];
  if (key === undefined) throw new Error("No text of the user begins with '# Step <key>'.");
  const turns = messages.slice(at).filter(({ role }) => role === "assistant").length;
  return { key, turn: turns + 1 };
}

/** Whether a request asks what the server can do, and what one says that can call tools. */
export const isProbe = ({ messages }: RequestBody) => JSON.stringify(messages).includes("Call the tool confirm");
export const confirm = { type: "tool_use", id: "toolu_0", name: "confirm", input: { word: "ready" } };

/** Answers from a recording, whose keys have `/turn-N` behind the key of their step. */
export function replayHandler(recordingPath: string): Handler {
  const recording = readRecording(recordingPath);
  if (!recording) throw new Error(`There is no recording ${recordingPath}.`);
  const asked = new Map<string, number>();
  return ({ body }) => {
    if (isProbe(body)) return { type: "reply", content: [confirm], stop_reason: "tool_use" };
    const step = stepOf(body);
    const key = `${step.key}/turn-${step.turn}`;
    const time = asked.get(key) ?? 0;
    asked.set(key, time + 1);
    return scriptOf(recording, key, time, recordingPath);
  };
}

function scriptOf(recording: Recording, key: string, time: number, path: string): Script {
  const outcome = outcomeOf(recording, key, time, path);
  const usage = outcome.attempts[0]?.usage;
  const reply = (content: readonly ReplyBlock[], stop_reason: string, stop_details?: unknown): Script => ({
    type: "reply",
    content: content.map(toWire),
    stop_reason,
    stop_details,
    usage: usage ? usageToWire(usage) : null,
  });
  switch (outcome.type) {
    case "replied":
      return reply(outcome.content, outcome.stop);
    case "cut":
      return reply(outcome.content, "max_tokens");
    case "paused":
      return reply(outcome.content, "pause_turn");
    case "refused":
      return reply([], "refusal", { type: "refusal", category: null, explanation: outcome.reason });
    case "context_exceeded":
      return reply([], "model_context_window_exceeded");
    case "failed": {
      const status = statusOf[outcome.reason] ?? 400;
      return { type: "status", status, error: { type: "recorded_error", message: outcome.message } };
    }
    default:
      throw new Error(`A recording holds nothing ${outcome.type}.`);
  }
}

const statusOf: Partial<Record<FailureReason, number>> = {
  authentication: 401,
  spend_limit: 402,
  permission: 403,
  unknown_model: 404,
  rate_limited: 429,
  overloaded: 529,
  server_error: 500,
};

function toWire(block: ReplyBlock): WireBlock {
  return "value" in block ? (block.value as WireBlock) : { ...block };
}

function usageToWire(usage: Usage): WireUsage {
  return {
    input_tokens: usage.input,
    output_tokens: usage.output,
    cache_read_input_tokens: usage.cacheRead,
    cache_creation_input_tokens: usage.cacheWrite5m + usage.cacheWrite1h,
    cache_creation: {
      ephemeral_5m_input_tokens: usage.cacheWrite5m,
      ephemeral_1h_input_tokens: usage.cacheWrite1h,
    },
  };
}
