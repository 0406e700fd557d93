import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import {
  confirm,
  isProbe,
  replayHandler,
  startMessagesServer,
  type Handler,
  type RequestBody,
  type Script,
} from "../models/messages-server.ts";
import { letBe, placeWith } from "../support/cli.ts";
import { withoutTools } from "../support/in_words.ts";
import { recordingAt } from "../support/script.ts";
import { quickApp, tiny, tinyWay } from "../support/ways.ts";

/** Servers that speak only a part of the Messages API, as those that people run at home do. */
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

const model = "qwen3-coder";
const free = { input: 0, output: 0, cache_write_5m: 0, cache_write_1h: 0, cache_read: 0 };

/** A user whose own settings name that model, in front of a server that says `what` to each request. */
async function userOf(what: (body: RequestBody, replay: Handler) => Script | Promise<Script>, more: object = {}) {
  const place = placeWith(quickApp);
  const replay = replayHandler(recordingAt(place.beside, tinyWay));
  const server = await startMessagesServer(({ body }) => what(body, replay));
  open.push(server);
  const prices = { [model]: { context_window: 200_000, prices: [free] } };
  place.configure({ permissions: letBe, models: { default: model, fast: model, smart: model }, prices, ...more });
  const env = { ANTHROPIC_BASE_URL: server.url, ...("api_key_command" in more ? {} : { ANTHROPIC_API_KEY: "any" }) };
  return { place, server, run: () => place.run([...tiny, "--approve-policy=auto"], { env }) };
}

const withoutCacheCounts = { input_tokens: 10, output_tokens: 5 } as never;
const refuse = (name: string): Script => ({
  type: "status",
  status: 400,
  error: { type: "invalid_request_error", message: `${name}: Extra inputs are not permitted` },
});

test("a server without forms of replies and cache marks is asked once what it can do, and gets neither from then on", async () => {
  const { place, server, run } = await userOf(async (body, replay) => {
    if ("output_config" in body) return refuse("output_config");
    if (JSON.stringify(body).includes("cache_control")) return refuse("cache_control");
    if (isProbe(body)) return { type: "reply", content: [confirm], usage: withoutCacheCounts };
    return replay({ body, path: "", headers: {} });
  });
  const ran = await run();
  expect(ran.code).toBe(0);
  expect(server.requests.filter(({ body }) => isProbe(body))).toHaveLength(1);
  expect(server.requests.slice(1).every(({ body }) => body.tools?.length)).toBe(true);
  const kept = readFileSync(join(place.env["XDG_STATE_HOME"] ?? "", "claude-exec", "servers.json"), "utf8");
  expect(Object.values(JSON.parse(kept) as object)).toEqual([{ tools: true, format: false, cache: false }]);
});

test("a model without tools asks for them inside its replies, and a whole task is done that way", async () => {
  const { place, server, run } = await userOf(async (body, replay) => {
    if (isProbe(body)) return { type: "reply", content: [{ type: "text", text: "ready" }], usage: withoutCacheCounts };
    return withoutTools(replay)({ body, path: "", headers: {} });
  });
  const ran = await run();
  expect(ran.code).toBe(0);
  expect(place.events("completed")).toHaveLength(1);
  const asked = server.requests.slice(1).map(({ body }) => JSON.stringify(body));
  expect(asked.filter((body) => /"tool_use"|"tool_result"|"tools":/.test(body))).toEqual([]);
  expect(asked[0]).toContain("write_file");
  expect(asked.at(-1)).toContain("Result of write_file");
});

test("a server that refuses the question what it can do, and does not say why, gets text alone", async () => {
  const { server, run } = await userOf(async (body, replay) => {
    if ("tools" in body) return { type: "status", status: 400, text: "Bad Request" };
    return withoutTools(replay)({ body, path: "", headers: {} });
  });
  expect((await run()).code).toBe(0);
  expect(server.requests.filter(({ body }) => isProbe(body))).toHaveLength(1);
});

test("the key comes from the user's own command, is sent, and is told to nobody", async () => {
  const key = "sk-from-a-vault-0123456789";
  const { place, server, run } = await userOf(
    (body, replay) => (isProbe(body) ? { type: "reply", content: [confirm] } : replay({ body, path: "", headers: {} })),
    { api_key_command: ["sh", "-c", `echo ${key}`] },
  );
  const ran = await run();
  expect(ran.code).toBe(0);
  expect(server.requests.every(({ headers }) => headers.authorization === `Bearer ${key}`)).toBe(true);
  expect(ran.stdout + JSON.stringify(place.journal())).not.toContain(key);
});

test("a command that prints no key: nothing begins, and it is said which command and why", async () => {
  const { server, run } = await userOf((body, replay) => replay({ body, path: "", headers: {} }), {
    api_key_command: ["sh", "-c", "echo locked >&2; exit 3"],
  });
  const ran = await run();
  expect(ran.code).toBe(78);
  expect(ran.stderr).toContain("The api_key_command of your own settings printed no key: exit 3. Nothing was begun.");
  expect(server.requests).toEqual([]);
});

test("a project's own settings name no command for the key", async () => {
  const { place, run } = await userOf((body, replay) => replay({ body, path: "", headers: {} }), {
    api_key_command: [],
  });
  writeFileSync(
    join(place.workspace, "config.json"),
    JSON.stringify({ $schema: "./claude-exec.schema.json", api_key_command: ["sh", "-c", "touch stolen; echo k"] }),
  );
  const ran = await run();
  expect([ran.code, ran.stderr]).toEqual([78, expect.stringContaining("There is no model to think with.")]);
});
