import { afterEach, describe, expect, test, vi } from "vitest";
import { openAnthropic } from "../../src/models/anthropic.ts";
import type { Message, ModelEvent, ModelRequest, Outcome } from "../../src/models/types.ts";
import { eventsOf, modelContract, requestFor, testWorld } from "./contract.ts";
import { type Handler, replayHandler, type Script, startMessagesServer, type WireBlock } from "./messages-server.ts";

const apiKey = "sk-ant-test-0123456789";

modelContract("the anthropic model", async (recordingPath) => {
  const server = await startMessagesServer(replayHandler(recordingPath));
  return { model: openAnthropic({ apiKey, baseUrl: server.url, world: testWorld() }), close: server.close };
});

/** Spied on from the start, because the SDK holds on to what it once found. */
const spoken = (["error", "warn", "info"] as const).map((level) => vi.spyOn(console, level));
afterEach(() => {
  const said = spoken.flatMap(({ mock }) => mock.calls);
  if (said.length > 0) throw new Error(`It wrote to the console: ${JSON.stringify(said)}`);
});

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const close of closers.splice(0)) await close();
});

/** A model in front of a server that answers with these, the last for ever. */
async function modelBefore(...scripts: [Script, ...Script[]]) {
  let next = 0;
  return modelBeforeHandler(() => scripts[Math.min(next++, scripts.length - 1)] as Script);
}

async function modelBeforeHandler(handler: Handler, { idleMs, now }: { idleMs?: number; now?: () => number } = {}) {
  const server = await startMessagesServer(handler, now ? { now } : {});
  closers.push(server.close);
  const world = testWorld();
  const model = openAnthropic({ apiKey, baseUrl: server.url, world, idleMs });
  return { model, world, requests: server.requests, host: new URL(server.url).host };
}

const usage = {
  input_tokens: 10,
  output_tokens: 5,
  cache_read_input_tokens: 0,
  cache_creation_input_tokens: 0,
  cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
};
const kept = { input: 10, output: 5, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 };
const text = { type: "text", text: "All is well with the session code." } as const;
const good: Script = { type: "reply", content: [text], usage };
const paid = { model: "claude-opus-5-5", usage: kept, requestId: "req_1", ms: 0 };
/** Of a reply that broke off after its 34 characters: the server has counted one token by then. */
const begun = { ...paid, usage: { ...kept, output: 12 } };
const six = (attempt: object) => Array.from({ length: 6 }, () => attempt);
const replied = (...earlier: Outcome["attempts"]) => ({
  type: "replied",
  stop: "end_turn",
  content: [text],
  attempts: [...earlier, paid],
});

const request = requestFor("step/1/turn-1");
const failure = (status: number, type: string, message: string, more: object = {}): Script => ({
  type: "status",
  status,
  error: { type, message },
  ...more,
});

function lastOf(events: ModelEvent[]): Outcome {
  const last = events.at(-1);
  if (last?.type !== "outcome") throw new Error("The last event is no outcome.");
  return last.outcome;
}

describe("what the provider does to us", () => {
  test("a rate limit that asks for an hour is waited for one minute", async () => {
    const busy = failure(429, "rate_limit_error", "Slow down", { headers: { "retry-after": "3600" } });
    const { model, world, host } = await modelBefore(busy, good);
    expect(await eventsOf(model, request)).toEqual([
      { type: "started", attempt: 1 },
      {
        type: "retrying",
        attempt: 1,
        delayMs: 60_000,
        reason: `${host} answered 429 rate_limit_error: Slow down.`,
      },
      { type: "started", attempt: 2 },
      { type: "progress", characters: 20 },
      { type: "progress", characters: 34 },
      { type: "outcome", outcome: replied() },
    ]);
    expect(world.slept).toEqual([60_000]);
  });

  test.for([
    ["retry-after in seconds", { "retry-after": "7" }, 7000],
    ["retry-after as a date", { "retry-after": "Fri, 20 Nov 2026 12:00:09 GMT" }, 9000],
    ["retry-after-ms", { "retry-after-ms": "250", "retry-after": "7" }, 250],
    ["a date in the past", { "retry-after": "Fri, 20 Nov 2026 11:00:00 GMT" }, 250],
    ["nothing", {}, 250],
  ] as const)("%s is obeyed", async ([, headers, delay]) => {
    const { model, world } = await modelBefore(failure(529, "overloaded_error", "Overloaded", { headers }), good);
    expect(lastOf(await eventsOf(model, request))).toEqual(replied());
    expect(world.slept).toEqual([delay]);
  });

  test("after six attempts with growing pauses it fails and says so", async () => {
    const { model, world, requests, host } = await modelBefore(failure(500, "api_error", "Internal server error"));
    expect(lastOf(await eventsOf(model, request))).toEqual({
      type: "failed",
      reason: "server_error",
      message: `${host} answered 500 api_error: Internal server error. Tried 6 times.`,
      attempts: [],
    });
    expect(requests).toHaveLength(6);
    expect(world.slept).toEqual([250, 500, 1000, 2000, 4000]);
  });

  test.for([
    [529, "overloaded_error", "overloaded"],
    [500, "api_error", "server_error"],
    [504, "timeout_error", "server_error"],
    [408, "timeout_error", "server_error"],
    [409, "conflict_error", "server_error"],
    [429, "rate_limit_error", "rate_limited"],
  ] as const)("a %d %s is asked again", async ([status, type, reason]) => {
    const { model, requests } = await modelBefore(failure(status, type, "No"));
    expect(lastOf(await eventsOf(model, request))).toMatchObject({ type: "failed", reason, attempts: [] });
    expect(requests).toHaveLength(6);
  });

  test.for([
    [400, "invalid_request_error", "invalid_request"],
    [401, "authentication_error", "authentication"],
    [402, "billing_error", "spend_limit"],
    [403, "permission_error", "permission"],
    [404, "not_found_error", "unknown_model"],
    [422, "invalid_request_error", "invalid_request"],
  ] as const)("a %d %s is not asked again", async ([status, type, reason]) => {
    const { model, requests, host } = await modelBefore(failure(status, type, "model: claude-opus-9"));
    expect(lastOf(await eventsOf(model, request))).toEqual({
      type: "failed",
      reason,
      message: `${host} answered ${status} ${type}: model: claude-opus-9.`,
      attempts: [],
    });
    expect(requests).toHaveLength(1);
  });

  test.for(["enforced_spend_limit_reached", "contract_spend_limit_reached"])(
    "a 429 for %s is not asked again",
    async (error_code) => {
      const error = { type: "rate_limit_error", message: "The limit is reached", details: { error_code } };
      const { model, requests } = await modelBefore({ type: "status", status: 429, error });
      expect(lastOf(await eventsOf(model, request))).toMatchObject({ type: "failed", reason: "spend_limit" });
      expect(requests).toHaveLength(1);
    },
  );

  test("a key is never part of a message, even where the provider repeats it", async () => {
    const { model, host } = await modelBefore(failure(401, "authentication_error", `invalid key ${apiKey}`));
    expect(lastOf(await eventsOf(model, request))).toMatchObject({
      message: `${host} answered 401 authentication_error: invalid key [key].`,
    });
  });

  test("a proxy's page is told in one short line", async () => {
    const { model } = await modelBefore({
      type: "status",
      status: 403,
      text: `<html>\n${"x".repeat(9000)}</html>`,
    });
    const outcome = lastOf(await eventsOf(model, request));
    expect(outcome).toMatchObject({ type: "failed", reason: "permission" });
    expect(outcome.type === "failed" && outcome.message).toMatch(/^\S+ answered 403: <html> x{393}…$/);
  });

  test.for([
    ["413", failure(413, "request_too_large", "Request exceeds the maximum size")],
    [
      "a prompt that is too long",
      failure(400, "invalid_request_error", "prompt is too long: 1000001 tokens > 1000000 maximum"),
    ],
  ] as const)("%s means that the context is exceeded", async ([, script]) => {
    const { model, requests } = await modelBefore(script);
    expect(lastOf(await eventsOf(model, request))).toEqual({ type: "context_exceeded", attempts: [] });
    expect(requests).toHaveLength(1);
  });
});

describe("what happens to the stream", () => {
  test("a server that never answers is given up as stalled", async () => {
    const { model, host } = await modelBeforeHandler(() => ({ type: "hang" }), { idleMs: 40 });
    const outcome = lastOf(await eventsOf(model, request));
    expect(outcome).toMatchObject({
      type: "failed",
      reason: "stalled",
      message: `${host} sent nothing for 0.04 s. Tried 6 times.`,
    });
    expect(outcome.attempts).toEqual(six({ ...paid, usage: undefined, requestId: undefined }));
  });

  test("a stream that falls silent is given up, its usage kept, and asked again", async () => {
    const scripts = [{ ...good, fault: { type: "silence" } }, good];
    const { model, host } = await modelBeforeHandler(() => scripts.shift() as Script, { idleMs: 300 });
    const events = await eventsOf(model, request);
    expect(events).toContainEqual({
      type: "retrying",
      attempt: 1,
      delayMs: 250,
      reason: `${host} sent nothing for 0.3 s.`,
    });
    expect(lastOf(events)).toEqual(replied(begun));
  });

  test("a slow stream that pings is not given up", async () => {
    const slow: Script = { ...good, fault: { type: "pings", count: 10, everyMs: 40 } };
    const { model, requests } = await modelBeforeHandler(() => slow, { idleMs: 300 });
    expect(lastOf(await eventsOf(model, request))).toEqual(replied());
    expect(requests).toHaveLength(1);
  });

  test("a connection reset before any answer costs nothing and is asked again", async () => {
    const { model } = await modelBefore({ type: "reset" }, good);
    const events = await eventsOf(model, request);
    expect(events.filter(({ type }) => type === "retrying")).toHaveLength(1);
    expect(lastOf(events)).toEqual(replied());
  });

  test("a server that is not there is a failing network", async () => {
    const { model, host, world } = await modelBefore(good);
    await closers.pop()?.();
    expect(lastOf(await eventsOf(model, request))).toEqual({
      type: "failed",
      reason: "network",
      message: `The connection to ${host} failed: connect ECONNREFUSED ${host}. Tried 6 times.`,
      attempts: [],
    });
    expect(world.slept).toHaveLength(5);
  });

  test("a stream cut in the middle keeps its usage and is asked again", async () => {
    const { model } = await modelBefore({ ...good, fault: { type: "cut", bytes: 600 } }, good);
    const events = await eventsOf(model, request);
    expect(events).toContainEqual(expect.objectContaining({ type: "retrying", attempt: 1 }));
    expect(lastOf(events)).toEqual(replied({ ...begun, usage: { ...kept, output: 1 } }));
  });

  test.for([
    [
      "a stream that ends without message_stop",
      { type: "early_end" },
      "bad_stream",
      "The reply was broken: it ended before its end was announced.",
    ],
    [
      "an overloaded_error inside the stream",
      { type: "error", error: { type: "overloaded_error", message: "Overloaded" } },
      "overloaded",
      "HOST answered overloaded_error: Overloaded.",
    ],
    [
      "an api_error inside the stream",
      { type: "error", error: { type: "api_error", message: "Oops" } },
      "server_error",
      "HOST answered api_error: Oops.",
    ],
    [
      "a rate_limit_error inside the stream",
      { type: "error", error: { type: "rate_limit_error", message: "Slow" } },
      "rate_limited",
      "HOST answered rate_limit_error: Slow.",
    ],
  ] as const)("%s is asked again, and every broken reply is in the books", async ([, fault, reason, message]) => {
    const { model, host } = await modelBefore({ ...good, fault });
    expect(lastOf(await eventsOf(model, request))).toEqual({
      type: "failed",
      reason,
      message: `${message.replace("HOST", host)} Tried 6 times.`,
      attempts: six(begun),
    });
  });

  test("an invalid_request_error inside the stream is not asked again", async () => {
    const error = { type: "invalid_request_error", message: "No" };
    const { model, requests } = await modelBefore({ ...good, fault: { type: "error", error } });
    expect(lastOf(await eventsOf(model, request))).toMatchObject({
      reason: "invalid_request",
      attempts: [begun],
    });
    expect(requests).toHaveLength(1);
  });

  test("an event that is not JSON is a broken reply", async () => {
    const { model } = await modelBefore({ ...good, fault: { type: "malformed" } }, good);
    expect(lastOf(await eventsOf(model, request))).toEqual(replied(begun));
  });

  test.for([
    ["more than its characters tell", [text], 40, 40],
    ["nothing", [], 1, 1],
  ] as const)(
    "of a reply that breaks off what the provider counted holds where it is more: %s",
    async ([, content, running_tokens, output]) => {
      const { model } = await modelBefore({ ...good, content, running_tokens, fault: { type: "early_end" } }, good);
      expect(lastOf(await eventsOf(model, request))).toEqual(replied({ ...begun, usage: { ...kept, output } }));
    },
  );

  test("the final count holds, also where it is less than the characters tell, and where the reply breaks off after it", async () => {
    const { model } = await modelBefore({ ...good, fault: { type: "no_stop" } }, good);
    expect(lastOf(await eventsOf(model, request))).toEqual(replied(paid));
  });

  test.for([
    ["asked while it may", [true, false], 2],
    ["not asked at all", [false], 1],
  ] as const)("what broke off and may not be paid again fails as it is: %s", async ([, answers, sent]) => {
    const { model, requests } = await modelBefore({ ...good, fault: { type: "early_end" } });
    const shown: number[] = [];
    const mayRetry: ModelRequest["mayRetry"] = (attempts) => answers[shown.push(attempts.length) - 1] ?? true;
    const tried = sent > 1 ? ` Tried ${sent} times.` : "";
    expect(lastOf(await eventsOf(model, { ...request, mayRetry }))).toEqual({
      type: "failed",
      reason: "bad_stream",
      message: `The reply was broken: it ended before its end was announced.${tried}`,
      attempts: Array.from({ length: sent }, () => begun),
    });
    expect(requests).toHaveLength(sent);
    expect(shown).toEqual(sent > 1 ? [1, 2] : [1]);
  });

  test("what cost nothing is asked again without leave", async () => {
    const { model } = await modelBefore(failure(529, "overloaded_error", "Overloaded"), { type: "reset" }, good);
    expect(lastOf(await eventsOf(model, { ...request, mayRetry: () => false }))).toEqual(replied());
  });

  test("an aging model is asked like any other", async () => {
    const { model } = await modelBefore(good);
    expect(lastOf(await eventsOf(model, { ...request, model: "claude-sonnet-4-5" })).type).toBe("replied");
  });

  test("a page instead of a stream is a broken reply", async () => {
    const { model } = await modelBefore({ type: "status", status: 200, text: "<html>Please log in</html>" });
    expect(lastOf(await eventsOf(model, request))).toMatchObject({
      type: "failed",
      reason: "bad_stream",
      attempts: six({ ...paid, usage: undefined, requestId: undefined }),
    });
  });
});

describe("how a reply ends", () => {
  const call = (more: object): WireBlock => ({ type: "tool_use", id: "toolu_1", name: "read_file", ...more });

  test("a tool call without input has an empty one", async () => {
    const { model } = await modelBefore({
      ...good,
      content: [call({ partial_json: "" })],
      stop_reason: "tool_use",
    });
    expect(lastOf(await eventsOf(model, request))).toEqual({
      type: "replied",
      stop: "tool_use",
      content: [{ type: "tool_use", id: "toolu_1", name: "read_file", input: {} }],
      attempts: [paid],
    });
  });

  test.for(['{"path": "src', '["src"]'])("a tool call whose input is %s is asked for again", async (partial_json) => {
    const bad = { ...good, content: [call({ partial_json })], stop_reason: "tool_use" };
    const { model } = await modelBefore(bad, good);
    expect(lastOf(await eventsOf(model, request))).toEqual(replied(paid));
  });

  test.for([
    ["half", '{"path": "src', '{"path": "src'],
    ["not begun", "", {}],
    ["whole", '{"path":"a"}', { path: "a" }],
  ] as const)("at max_tokens a tool call that is %s is not delivered as a call", async ([, partial_json, input]) => {
    const { model, requests } = await modelBefore({
      ...good,
      content: [text, call({ partial_json })],
      stop_reason: "max_tokens",
    });
    expect(lastOf(await eventsOf(model, request))).toEqual({
      type: "cut",
      content: [text, { type: "other", value: { type: "tool_use", id: "toolu_1", name: "read_file", input } }],
      attempts: [paid],
    });
    expect(requests).toHaveLength(1);
  });

  test.for([
    [{ category: "cyber", explanation: "This could do harm" }, "This could do harm."],
    [{ category: "cyber", explanation: null }, "cyber."],
    [null, "The provider gave no reason."],
  ] as const)("a refusal with nothing in it is a refusal: %j", async ([stop_details, reason]) => {
    const { model, requests } = await modelBefore({
      ...good,
      content: [],
      stop_reason: "refusal",
      stop_details,
    });
    expect(lastOf(await eventsOf(model, request))).toEqual({ type: "refused", reason, attempts: [paid] });
    expect(requests).toHaveLength(1);
  });

  test.for([
    ["pause_turn", { type: "paused", content: [text] }],
    ["model_context_window_exceeded", { type: "context_exceeded" }],
    ["stop_sequence", { type: "replied", stop: "end_turn", content: [text] }],
  ] as const)("the stop reason %s is told", async ([stop_reason, outcome]) => {
    const { model } = await modelBefore({ ...good, stop_reason });
    expect(lastOf(await eventsOf(model, request))).toEqual({ ...outcome, attempts: [paid] });
  });

  test("a stop reason that nobody knows is not taken for success", async () => {
    const { model } = await modelBefore({ ...good, stop_reason: "tired" });
    expect(lastOf(await eventsOf(model, request))).toMatchObject({ type: "failed", reason: "bad_stream" });
  });
});

describe("when the user interrupts", () => {
  test("a stream ends at once, and what it used up is in the books", async () => {
    const { model } = await modelBefore({ ...good, fault: { type: "silence" } });
    const interrupt = new AbortController();
    const events: ModelEvent[] = [];
    for await (const event of model.ask(request, interrupt.signal)) {
      events.push(event);
      if (event.type === "progress" && event.characters === 34) interrupt.abort();
    }
    expect(lastOf(events)).toEqual({ type: "cancelled", attempts: [begun] });
  });

  test("a request without an answer ends at once", async () => {
    const interrupt = new AbortController();
    const { model } = await modelBeforeHandler(() => {
      setImmediate(() => interrupt.abort());
      return { type: "hang" };
    });
    expect(lastOf(await eventsOf(model, request, interrupt.signal))).toEqual({
      type: "cancelled",
      attempts: [{ ...paid, usage: undefined, requestId: undefined }],
    });
  });

  test("a further attempt waits for its turn, as the first one did before it was asked for", async () => {
    const { model } = await modelBefore(failure(529, "overloaded_error", "Overloaded"));
    const interrupt = new AbortController();
    const types: string[] = [];
    for await (const { type } of model.ask({ ...request, pace: () => 60_000 }, interrupt.signal)) {
      types.push(type);
      if (type === "waiting") interrupt.abort();
    }
    expect(types).toEqual(["started", "retrying", "waiting", "outcome"]);
  });

  test("a pause between attempts ends at once, and nothing more is sent", async () => {
    const { model, requests } = await modelBefore(failure(529, "overloaded_error", "Overloaded"));
    const interrupt = new AbortController();
    const events: ModelEvent[] = [];
    for await (const event of model.ask(request, interrupt.signal)) {
      events.push(event);
      if (event.type === "retrying") interrupt.abort();
    }
    expect(events.map(({ type }) => type)).toEqual(["started", "retrying", "outcome"]);
    expect(lastOf(events)).toEqual({ type: "cancelled", attempts: [] });
    expect(requests).toHaveLength(1);
  });
});

describe("what is sent", () => {
  const cachedText = (text: string, cache: "5m" | "1h") => ({ type: "text", text, cache }) as const;
  const loop: Message[] = [
    { role: "user", content: [cachedText("Ledger.", "5m"), { type: "text", text: "# Step step/1" }] },
    {
      role: "assistant",
      content: [
        { type: "thinking", value: { type: "thinking", thinking: "Hm.", signature: "c2ln" } },
        { type: "text", text: "" },
        { type: "tool_use", id: "toolu_1", name: "read_file", input: { path: "a" } },
      ],
    },
    {
      role: "user",
      content: [{ type: "tool_result", tool_use_id: "toolu_1", content: "let a;", is_error: false }],
    },
  ];

  async function sent(request: ModelRequest) {
    const { model, requests } = await modelBefore(good);
    await eventsOf(model, request);
    return requests[0];
  }

  test("to Claude: cache marks, output format, effort, and a tool loop word for word", async () => {
    const { body, headers, path } = (await sent({ ...request, messages: loop })) ?? {};
    expect(path).toBe("/v1/messages");
    expect(headers?.["anthropic-beta"]).toBeUndefined();
    const hour = { type: "ephemeral", ttl: "1h" };
    const minutes = { type: "ephemeral", ttl: "5m" };
    expect(body).toEqual({
      model: "claude-opus-5-5",
      max_tokens: 16_000,
      stream: true,
      tools: request.tools,
      system: [{ type: "text", text: "Rules.", cache_control: hour }],
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "Ledger.", cache_control: minutes },
            { type: "text", text: "# Step step/1", cache_control: minutes },
          ],
        },
        {
          role: "assistant",
          content: [
            { type: "thinking", thinking: "Hm.", signature: "c2ln" },
            { type: "tool_use", id: "toolu_1", name: "read_file", input: { path: "a" } },
          ],
        },
        {
          role: "user",
          content: [
            {
              type: "tool_result",
              tool_use_id: "toolu_1",
              content: "let a;",
              is_error: false,
              cache_control: minutes,
            },
          ],
        },
      ],
      output_config: { format: { type: "json_schema", schema: request.schema }, effort: "medium" },
    });
  });

  test("a turn of more than twenty blocks is read from the cache by the next one all the same", async () => {
    const { model } = await modelBefore({ type: "reply", content: [text] });
    const many = (turn: number) => Array.from({ length: 25 }, (_, index) => `toolu_${turn}_${index}`);
    const said = (ids: string[]): Message[] => [
      {
        role: "assistant",
        content: ids.map((id) => ({ type: "tool_use", id, name: "read_file", input: { path: id } })),
      },
      {
        role: "user",
        content: ids.map((id) => ({ type: "tool_result", tool_use_id: id, content: "x".repeat(400), is_error: false })),
      },
    ];
    const opened = loop.slice(0, 1);
    await eventsOf(model, { ...request, messages: [...opened, ...said(many(1))] });
    const events = await eventsOf(model, { ...request, messages: [...opened, ...said(many(1)), ...said(many(2))] });
    const outcome = events.flatMap((one) => (one.type === "outcome" ? [one.outcome] : []))[0];
    expect(outcome?.attempts[0]?.usage?.cacheRead).toBeGreaterThan(2_500);
  });

  test("never more than four cache marks", async () => {
    const system = ["a", "b", "c"].map((text) => cachedText(text, "1h"));
    const { body } = (await sent({ ...request, system, messages: loop })) ?? {};
    expect(JSON.stringify(body).match(/cache_control/g)).toHaveLength(4);
    expect(body?.messages[2]?.content[0]).not.toHaveProperty("cache_control");
  });

  test("a model that knows no effort is not given one", async () => {
    const { body } = (await sent({ ...request, model: "claude-haiku-4-5-20251001" })) ?? {};
    expect(body?.output_config).toEqual({ format: { type: "json_schema", schema: request.schema } });
  });

  test("to a server that refuses cache marks: none of them, and the schema in words too", async () => {
    const { model, requests } = await modelBefore(
      failure(400, "invalid_request_error", "cache_control: not known"),
      good,
    );
    await eventsOf(model, { ...request, model: "qwen3-coder", messages: loop });
    const body = requests[1]?.body;
    expect(JSON.stringify(body)).not.toMatch(/cache_control|effort/);
    expect(body?.system).toEqual([
      { type: "text", text: "Rules." },
      {
        type: "text",
        text: `When you call no tool, answer with one JSON object and nothing around it. It must satisfy this JSON schema:\n${JSON.stringify(request.schema)}`,
      },
    ]);
  });

  test("our key and no other, whatever the surroundings hold", async () => {
    const stranger = await startMessagesServer(() => good);
    closers.push(stranger.close);
    vi.stubEnv("ANTHROPIC_AUTH_TOKEN", "ambient-token");
    vi.stubEnv("ANTHROPIC_API_KEY", "ambient-key");
    vi.stubEnv("ANTHROPIC_BASE_URL", stranger.url);
    vi.stubEnv("ANTHROPIC_CUSTOM_HEADERS", "authorization: Bearer ambient-header\nx-api-key: ambient-header");
    const { headers } = (await sent(request)) ?? {};
    expect(headers?.authorization).toBe(`Bearer ${apiKey}`);
    expect(JSON.stringify(headers)).not.toContain("ambient");
    expect(stranger.requests).toEqual([]);
  });
});

describe("what it costs", () => {
  const long = (text: string) => `${text} ${"x".repeat(4000)}`;
  const layout = requestFor("step/1/turn-1", {
    system: [{ type: "text", text: long("Rules."), cache: "1h" }],
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: long("Ledger."), cache: "5m" },
          { type: "text", text: "# Step step/1" },
        ],
      },
    ],
  });

  async function usageOf(model: ReturnType<typeof openAnthropic>, request: ModelRequest) {
    return lastOf(await eventsOf(model, request)).attempts.at(-1)?.usage;
  }

  test("the second of two equal requests reads from the cache what the first has written", async () => {
    const { model } = await modelBeforeHandler(() => ({ type: "reply", content: [text] }));
    const first = await usageOf(model, layout);
    const second = await usageOf(model, layout);
    expect(first).toEqual({ input: 12, output: 16, cacheRead: 0, cacheWrite5m: 1011, cacheWrite1h: 1036 });
    expect(second).toEqual({ input: 12, output: 16, cacheRead: 2047, cacheWrite5m: 0, cacheWrite1h: 0 });
  });

  test("after ten minutes only what is kept for an hour is read", async () => {
    let now = 0;
    const { model } = await modelBeforeHandler(() => ({ type: "reply", content: [text] }), {
      now: () => now,
    });
    await usageOf(model, layout);
    now = 10 * 60_000;
    expect(await usageOf(model, layout)).toEqual({
      input: 12,
      output: 16,
      cacheRead: 1036,
      cacheWrite5m: 1011,
      cacheWrite1h: 0,
    });
  });

  test("a server that says nothing of usage leaves it unknown", async () => {
    const { model } = await modelBefore({ ...good, usage: null });
    expect(await usageOf(model, request)).toBeUndefined();
  });

  test("the provider counts a request's tokens", async () => {
    const { model, requests } = await modelBefore(good);
    expect(await model.countTokens?.(request, new AbortController().signal)).toBeGreaterThan(50);
    expect(requests.map(({ path }) => path)).toEqual(["/v1/messages/count_tokens"]);
    expect(Object.keys(requests[0]?.body ?? {})).toEqual(["model", "tools", "system", "messages", "output_config"]);
  });

  test("where tokens cannot be counted, the count is unknown", async () => {
    const { model } = await modelBefore(good);
    await closers.pop()?.();
    expect(await model.countTokens?.(request, new AbortController().signal)).toBeUndefined();
  });
});
