import { symlinkSync } from "node:fs";
import { delimiter, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { openClaudeCli } from "../../src/models/claude_cli.ts";
import { placeWith } from "../support/cli.ts";
import { withoutTools } from "../support/in_words.ts";
import { lacking, program, unless } from "../support/real_claude.ts";
import { recordingAt } from "../support/script.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { quickApp, tiny, tinyWay } from "../support/ways.ts";
import { eventsOf, requestFor, testWorld } from "./contract.ts";
import { replayHandler, startMessagesServer, type Handler, type Request, type Script } from "./messages-server.ts";

/** The real Claude Code as the model, in front of a server of ours on loopback. */
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

async function claudeBefore(handler: Handler) {
  const server = await startMessagesServer(handler, { strict: false });
  open.push(server);
  const env = {
    PATH: process.env["PATH"],
    HOME: temporaryFolder(),
    ANTHROPIC_BASE_URL: server.url,
    ANTHROPIC_API_KEY: "any",
  };
  const world = { ...testWorld(), env };
  return { server, model: openClaudeCli({ program, world, hasKey: true }) };
}

const says = (text: string, more: Partial<Extract<Script, { type: "reply" }>> = {}): Script => ({
  type: "reply",
  content: [{ type: "text", text }],
  ...more,
});
const lastOf = async (model: ReturnType<typeof openClaudeCli>, request = requestFor("step/1/turn-1")) => {
  const last = (await eventsOf(model, request)).at(-1);
  return last?.type === "outcome" ? last.outcome : undefined;
};

test.skipIf(lacking)(
  `its reply, its tokens and its model are told, and it has no tools of its own${unless}`,
  async () => {
    const { server, model } = await claudeBefore(() => says('{"say":"hello"}'));
    const outcome = await lastOf(model);
    expect(outcome).toMatchObject({
      type: "replied",
      stop: "end_turn",
      content: [{ type: "text", text: '{"say":"hello"}' }],
    });
    expect(outcome?.attempts[0]?.usage?.input).toBeGreaterThan(0);
    const [asked] = server.requests;
    expect([asked?.body.model, asked?.body.tools ?? []]).toEqual(["claude-opus-5-5", []]);
    expect(JSON.stringify(asked?.body.system)).toContain("Rules.");
    expect(JSON.stringify(asked?.body.messages)).toContain("# Step step/1");
  },
);

test.skipIf(lacking)(`what it calls a success and is a failure is told as a failure${unless}`, async () => {
  const error = (status: number, type: string): Script => ({ type: "status", status, error: { type, message: "No." } });
  const denied = await claudeBefore(() => error(401, "authentication_error"));
  expect(await lastOf(denied.model)).toMatchObject({ type: "failed", reason: "authentication" });
  expect(denied.server.requests).toHaveLength(1);
  let asked = 0;
  const busy = await claudeBefore(() => (++asked === 1 ? error(529, "overloaded_error") : says("{}")));
  const events = await eventsOf(busy.model, requestFor("step/1/turn-1"));
  expect(events.map(({ type }) => type).filter((type) => type !== "progress")).toEqual([
    "started",
    "retrying",
    "started",
    "outcome",
  ]);
});

test.skipIf(lacking)(
  `a reply that was cut off is told as that, and not asked for again behind our back${unless}`,
  async () => {
    const { server, model } = await claudeBefore(() => says('{"say":', { stop_reason: "max_tokens" }));
    expect(await lastOf(model)).toMatchObject({ type: "cut" });
    expect(server.requests).toHaveLength(1);
  },
);

test.skipIf(lacking)(`a refusal is a refusal, whatever model is asked next${unless}`, async () => {
  const { model } = await claudeBefore(() => says("no", { stop_reason: "refusal" }));
  expect(await lastOf(model)).toMatchObject({ type: "refused" });
});

test.skipIf(lacking)(`Ctrl+C ends it at once${unless}`, async () => {
  const { model } = await claudeBefore(() => ({ type: "hang" }));
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 1_000);
  const events = await eventsOf(model, requestFor("step/1/turn-1"), stop.signal);
  expect(events.at(-1)).toMatchObject({ outcome: { type: "cancelled" } });
});

/** Claude Code is given a conversation as one text: for the recording it is taken apart again. */
function inMessages(request: Request): Request {
  const text = request.body.messages.flatMap(({ content }) => content.map((block) => String(block["text"]))).join("\n");
  const step = text.slice(text.lastIndexOf("# Step "));
  const messages = step.split(/^# What you (?:replied|are told)$/m).map((part, index) => ({
    role: index % 2 === 0 ? "user" : "assistant",
    content: [{ type: "text", text: part }],
  }));
  return { ...request, body: { ...request.body, messages } };
}

test.skipIf(lacking)(`it drives a whole chain, whose costs are marked as calculated${unless}`, async () => {
  const place = placeWith(quickApp);
  const replay = replayHandler(recordingAt(place.beside, tinyWay));
  const server = await startMessagesServer((request) => withoutTools(replay)(inMessages(request)), { strict: false });
  open.push(server);
  const bin = join(place.beside, "bin");
  symlinkSync(join(program, ".."), bin);
  const env = {
    ANTHROPIC_BASE_URL: server.url,
    ANTHROPIC_API_KEY: "any",
    PATH: `${bin}${delimiter}${place.env["PATH"]}`,
  };
  const ran = await place.run([...tiny, "--approve-policy=auto", "--backend=claude-cli"], { env });
  if (ran.code !== 0) throw new Error(ran.stderr);
  expect([ran.code, place.events("completed").length]).toEqual([0, 1]);
  expect(ran.stdout + ran.stderr).toContain("calculated");
});
