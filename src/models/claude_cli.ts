import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { RawMessageStreamEvent } from "@anthropic-ai/sdk/resources/messages";
import { isRecord, parseJson } from "../util/json.ts";
import type { World } from "../util/world.ts";
import { withCalls } from "./abilities.ts";
import { broken, endingOfReply, newIncoming, take, usageOf, type Incoming } from "./anthropic-reply.ts";
import { toInput } from "./anthropic-request.ts";
import { askPatiently, endingOf, type Ending, sentence, type Try } from "./attempts.ts";
import type { Model, ModelEvent, ModelRequest } from "./types.ts";

export interface ClaudeCliOptions {
  /** The user's own `claude`. */
  readonly program: string;
  readonly world: World;
  /** A key of the user's. Without one their login is used, which `--bare` does not read. */
  readonly hasKey: boolean;
  /** Nothing printed for so long: the attempt is given up. */
  readonly idleMs?: number | undefined;
}

/**
 * Claude Code as the model, for people with a subscription: its own tools, settings, memory and hooks stay out. It has no
 * door for our tools, so the model asks for them inside its replies. What a call costs is calculated, perhaps not billed.
 */
export function openClaudeCli(options: ClaudeCliOptions): Model {
  const { world } = options;
  return {
    name: "claude-cli",
    live: true,
    notional: true,
    ask: (request, signal) => {
      const { mayRetry, pace } = request;
      return askPatiently(() => tryOnce(request, signal, options), { world, signal, mayRetry, pace });
    },
  };
}

async function* tryOnce(
  request: ModelRequest,
  signal: AbortSignal,
  options: ClaudeCliOptions,
): AsyncGenerator<ModelEvent, Try> {
  const began = options.world.now();
  const folder = mkdtempSync(join(tmpdir(), "claude-exec-call-"));
  try {
    const said = inText(request);
    const rules = join(folder, "rules.txt");
    writeFileSync(rules, said.system, { mode: 0o600 });
    const child = start(request, rules, folder, options);
    const incoming = newIncoming();
    const ending = yield* read(child, said.conversation, request, incoming, signal, options);
    const usage = usageOf(incoming);
    const attempt = { model: request.model, usage, requestId: undefined, ms: options.world.now() - began };
    return { ending: withCalls(ending, request), attempt: usage ? attempt : undefined };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A request as two texts: what always holds, and the conversation so far. */
function inText(request: ModelRequest): { system: string; conversation: string } {
  const { system, messages } = toInput(request, { tools: false, format: false, cache: false });
  const textOf = (content: unknown) =>
    (Array.isArray(content) ? content : []).flatMap((block: { text?: string }) => block.text ?? []).join("\n\n");
  const heads = { user: "# What you are told", assistant: "# What you replied" };
  const parts = messages.map(({ role, content }) => [role as keyof typeof heads, textOf(content)] as const);
  const conversation =
    parts.length === 1 ? parts[0]![1] : parts.map(([role, text]) => `${heads[role]}\n\n${text}`).join("\n\n");
  return { system: textOf(system), conversation };
}

const passedOn =
  /^(?:PATH|HOME|USER|LOGNAME|LANG|LC_.*|XDG_.*|ANTHROPIC_.*|CLAUDE_CONFIG_DIR|CLAUDE_CODE_OAUTH_TOKEN|CLAUDE_CODE_USE_.*|AWS_.*|GOOGLE_.*|CLOUD_ML_REGION|HTTPS?_PROXY|NO_PROXY|https?_proxy|no_proxy|NODE_EXTRA_CA_CERTS)$/;

function start({ model, maxTokens, effort }: ModelRequest, rules: string, cwd: string, options: ClaudeCliOptions) {
  const { program, hasKey, world } = options;
  const own = Object.fromEntries(Object.entries(world.env).filter(([name]) => passedOn.test(name)));
  const argv = [
    ...words("-p --output-format stream-json --verbose --include-partial-messages"),
    ...words("--strict-mcp-config --disable-slash-commands --no-session-persistence"),
    "--tools",
    "",
    "--system-prompt-file",
    rules,
    "--model",
    model,
    "--effort",
    effort,
    ...(hasKey ? ["--bare"] : ["--setting-sources", ""]),
  ];
  const env = {
    ...own,
    // What it puts there goes with the folder.
    TMPDIR: cwd,
    // It would try again for minutes without a word; we try again and say so.
    CLAUDE_CODE_MAX_RETRIES: "0",
    CLAUDE_CODE_MAX_OUTPUT_TOKENS: String(maxTokens),
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
    DISABLE_AUTOUPDATER: "1",
  };
  const { spawn } = process.getBuiltinModule("node:child_process");
  return spawn(program, argv, { cwd, env, stdio: ["pipe", "pipe", "pipe"] });
}

function words(text: string): string[] {
  return text.split(" ");
}

async function* read(
  child: ChildProcess,
  conversation: string,
  request: ModelRequest,
  incoming: Incoming,
  signal: AbortSignal,
  { idleMs = 300_000 }: ClaudeCliOptions,
): AsyncGenerator<ModelEvent, Ending> {
  let why: "cancelled" | "stalled" | undefined;
  let trouble = "";
  const stop = (reason: typeof why) => {
    why ??= reason;
    child.kill("SIGKILL");
  };
  const abort = () => stop("cancelled");
  signal.addEventListener("abort", abort);
  if (signal.aborted) abort();
  let timer = setTimeout(() => stop("stalled"), idleMs);
  const closed = new Promise<void>((resolve) => {
    child.on("close", () => resolve());
    child.on("error", (error) => {
      trouble = error.message;
      resolve();
    });
  });
  child.stderr?.on("data", (piece: Buffer) => (trouble = `${trouble}${piece.toString()}`.slice(-2_000)));
  child.stdin?.on("error", () => undefined).end(conversation);
  try {
    for await (const line of createInterface({ input: child.stdout!, crlfDelay: Number.POSITIVE_INFINITY })) {
      clearTimeout(timer);
      timer = setTimeout(() => stop("stalled"), idleMs);
      const told = parseJson(line);
      if (!isRecord(told)) continue;
      if (told["type"] === "result") return endOf(told, incoming);
      if (told["type"] !== "stream_event") continue;
      const event = told["event"] as RawMessageStreamEvent;
      if (event.type === "message_start" && !isModel(event.message.model, request.model)) {
        // It asks another model by itself where the one that was wanted refuses.
        const message = `${request.model} was wanted, and Claude Code let ${event.message.model} answer.`;
        return { type: "refused", reason: message };
      }
      take(incoming, event);
      if (event.type === "content_block_delta") yield { type: "progress", characters: incoming.characters };
      // What it does after a reply, such as asking again for one that was cut off, is not wanted.
      if (incoming.complete) return endingOfReply(incoming);
    }
    await closed;
    if (why === "cancelled") return { type: "cancelled" };
    const message = `Claude Code sent nothing for ${idleMs / 1000} s.`;
    if (why === "stalled") return { type: "failed", reason: "stalled", message };
    return broken(`Claude Code ended before its reply did. ${sentence(trouble)}`);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
    child.kill("SIGKILL");
    await closed;
  }
}

/** Its last line says "success" of failures too; `is_error` and the status tell. */
function endOf(result: Record<string, unknown>, incoming: Incoming): Ending {
  const words = [result["result"], result["subtype"]].find((text) => typeof text === "string");
  const said = sentence(words ?? "It gave no reason");
  const status = typeof result["api_error_status"] === "number" ? result["api_error_status"] : undefined;
  if (result["stop_reason"] === "refusal") return { type: "refused", reason: said };
  if (/login|not logged in|api key/i.test(said) && status === undefined) {
    return { type: "failed", reason: "authentication", message: `Claude Code is not logged in: ${said}` };
  }
  if (status !== undefined) return endingOf({ status, type: null, errorCode: null }, "Claude Code", said);
  return incoming.complete ? endingOfReply(incoming) : broken(`Claude Code ended without a reply. ${said}`);
}

function isModel(answering: string, wanted: string): boolean {
  return answering === wanted || answering.startsWith(`${wanted}-`) || wanted.startsWith(`${answering}-`);
}
