import { afterAll, expect, test } from "vitest";
import { replayHandler, startMessagesServer } from "../models/messages-server.ts";
import { promptCache, type CacheUsage } from "../models/prompt-cache.ts";
import { placeWith } from "../support/cli.ts";
import { callerAt, operate } from "../support/inside.ts";
import { recordingAt } from "../support/script.ts";
import { quickApp, task, tiny, tinyWay } from "../support/ways.ts";

const closing: (() => Promise<void>)[] = [];
afterAll(() => Promise.all(closing.map((close) => close())));

test("what the report says the cache saved is what the server counted, in the server's own prices", async () => {
  const place = placeWith(quickApp);
  const replay = replayHandler(recordingAt(place.beside, tinyWay));
  const cache = promptCache(Date.now, 512);
  const counted: CacheUsage[] = [];
  const server = await startMessagesServer(async (request) => {
    const script = await replay(request);
    if (script.type !== "reply" || !("usage" in script)) return script;
    const usage = cache(request.body)();
    counted.push(usage);
    return { ...script, usage: { ...usage, output_tokens: 100 } };
  });
  closing.push(server.close);
  const env = { ...place.env, ANTHROPIC_BASE_URL: server.url, ANTHROPIC_API_KEY: "key" };
  const price = { input: 100, output: 1, cache_read: 10, cache_write_5m: 125, cache_write_1h: 200 };
  place.configure({ prices: { "claude-opus-5-5": { prices: [price] } }, limits: { budget_usd: 1000 } });
  const caller = callerAt(place.workspace, env);
  const test_command = tiny.at(-1)!.split("=")[1];
  const begin = { task, size: "tiny", trust: true, approve_policy: "auto", test_command };
  const { data } = await operate("new", begin, caller);
  expect(data["ending"]).toMatchObject({ type: "completed" });
  const saved = counted.reduce((sum, { cache_read_input_tokens: read, cache_creation: written }) => {
    const more = written.ephemeral_5m_input_tokens * 25 + written.ephemeral_1h_input_tokens * 100;
    return sum + (read * 90 - more) / 1e6;
  }, 0);
  expect(counted.length).toBeGreaterThan(2);
  expect(counted.some((usage) => usage.cache_read_input_tokens > 0)).toBe(true);
  const { total } = (await operate("cost-report", {}, caller)).data as { total: Record<string, number> };
  expect(total["calls"]).toBe(counted.length);
  expect(total["saved_usd"]).toBeCloseTo(saved, 8);
  expect([total["replayed"], total["unpriced"]]).toEqual([0, 0]);
});
