import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { leastMaxTokens } from "../../src/costs/budget.ts";
import { replayHandler, startMessagesServer } from "../models/messages-server.ts";
import { placeWith, type Place } from "../support/cli.ts";
import { recordingAt } from "../support/script.ts";
import { quickApp, tiny, tinyWay } from "../support/ways.ts";

const intents = (place: Place) =>
  place.journal().flatMap((line) => (line.type === "intent" && line.effect === "model" ? [line] : []));

async function run(...argv: string[]) {
  const place = placeWith(quickApp);
  const replay = place.replay(tinyWay);
  const ran = await place.run([...tiny, replay, "--approve-policy=auto", ...argv]);
  const resume = (...more: string[]) => place.run(["resume", "1", replay, "--approve-policy=auto", ...more]);
  return { place, ran, resume, again: replay.replace("=", " "), lines: ran.stdout.split("\n").slice(0, 2) };
}

test("a call that could pass the budget is not sent, and the budget that is named is enough for it", async () => {
  const { place, ran, lines, again, resume } = await run("--budget-usd", "0.05");
  expect(ran.code).toBe(12);
  const [message = "", hint = ""] = lines;
  expect(message).toMatch(
    /^Chain 001 is paused\. The next call could cost \$0\.\d\d, and \$0\.05 of \$0\.05 are left\. Nothing was sent\.$/,
  );
  const enough = /^Everything is kept\. Go on with more: claude-exec resume 001 --budget-usd (\d\.\d\d) (.*)$/.exec(
    hint,
  );
  expect(enough?.[2]).toBe(again);
  expect(intents(place)).toEqual([]);
  expect((await resume("--budget-usd", enough?.[1] ?? "")).code).toBe(0);
  expect(intents(place).length).toBeGreaterThan(0);
});

test("nothing is sent to a provider either: at most the tokens are counted", async () => {
  const place = placeWith(quickApp);
  const server = await startMessagesServer(replayHandler(recordingAt(place.beside, tinyWay)));
  const env = { ANTHROPIC_API_KEY: "sk-test", ANTHROPIC_BASE_URL: server.url };
  expect((await place.run([...tiny, "--budget-usd", "0.05"], { env })).code).toBe(12);
  await server.close();
  expect(new Set(server.requests.map(({ path }) => path))).toEqual(new Set(["/v1/messages/count_tokens"]));
});

test("within a small budget a chain shortens its replies, but never below what a reply needs, and so comes to its end", async () => {
  const { place, ran } = await run("--budget-usd", "0.24");
  expect(ran.code).toBe(0);
  const sizes = intents(place).map(({ request }) => request.max_tokens);
  expect(sizes.length).toBeGreaterThan(0);
  expect(sizes[0]).toBeLessThan(16_000);
  expect(sizes[0]).toBeGreaterThanOrEqual(leastMaxTokens);
  // The replies of this chain have 300 tokens.
  expect(sizes.filter((size) => size < 2_000)).toEqual([]);
  const spent = intents(place).map(({ reserved }) => reserved.usd ?? 0);
  expect(Math.max(...spent)).toBeLessThanOrEqual(0.24 + 1e-9);
});

test("a budget in tokens stops and goes on in the same way", async () => {
  const { place, ran, lines, again, resume } = await run("--budget-tokens", "9000");
  expect(ran.code).toBe(12);
  const [message = "", hint = ""] = lines;
  const needs =
    /^Chain 001 is paused\. The next call could take (\d+) tokens, and 9000 of 9000 are left\. Nothing was sent\.$/.exec(
      message,
    );
  const enough = Math.max(18_000, Number(needs?.[1]));
  expect(hint).toBe(`Everything is kept. Go on with more: claude-exec resume 001 --budget-tokens ${enough} ${again}`);
  expect(intents(place)).toEqual([]);
  expect((await resume("--budget-tokens", "500000")).code).toBe(0);
});

test("a model without a known price cannot keep a budget in money; without one, its calls are told apart", async () => {
  const { place, ran, lines, again, resume } = await run("--model", "claude-unheard-of");
  expect({ code: ran.code, lines }).toEqual({
    code: 78,
    lines: [
      "Chain 001 is paused. The price of claude-unheard-of is not known, so a budget in money cannot be kept.",
      `Give its prices in config.json, or limit tokens instead: claude-exec resume 001 --budget-usd none --budget-tokens 500000 ${again} --model claude-unheard-of`,
    ],
  });
  expect(intents(place)).toEqual([]);
  const went = await resume("--model", "claude-unheard-of", "--budget-usd", "none", "--budget-tokens", "500000");
  expect(went.code).toBe(0);
});

test.for(["--budget-usd=0.5", "--budget-tokens=50000"])(
  "a lost call counts against %s: what may have been paid is not spent a second time",
  async (budget) => {
    const place = placeWith(quickApp);
    const slow = recordingAt(place.beside, tinyWay, "slow.json");
    writeFileSync(slow, JSON.stringify({ ...(JSON.parse(readFileSync(slow, "utf8")) as object), delay_ms: 60_000 }));
    const begun = place.start([...tiny, budget, "--stream-json", `--replay=${slow}`]);
    await new Promise<void>((resolve) =>
      begun.child.stdout?.on("data", (piece: Buffer) => piece.includes('"intent"') && resolve()),
    );
    begun.child.kill("SIGKILL");
    await begun.ended;
    const ran = await place.run(["resume", "1", place.replay(tinyWay), "--json"]);
    expect(ran.code).toBe(12);
    const [call, ...more] = intents(place);
    expect(more).toEqual([]);
    const { usd, tokens } = call?.expected ?? { usd: null, tokens: 0 };
    expect(place.context()["cost_tracking"]).toMatchObject({
      unknown_calls: 1,
      unknown_cost: usd,
      unknown_tokens: tokens,
      lost_calls: [{ usd, most_usd: call?.reserved.usd, tokens, most_tokens: call?.reserved.tokens }],
    });
  },
);

test.for([
  ["--budget-usd=0.8", 1],
  ["--budget-tokens=100000", 2],
] as const)(
  "a reply that is lost on its way is not asked for so often that it could pass %s",
  async ([budget, times]) => {
    const place = placeWith(quickApp);
    const server = await startMessagesServer(() => ({ type: "status", status: 200, text: "<html>Log in</html>" }));
    const env = { ANTHROPIC_API_KEY: "sk-test", ANTHROPIC_BASE_URL: server.url };
    const ran = await place.run([...tiny, budget], { env });
    await server.close();
    expect(server.requests.map(({ path }) => path)).toEqual(Array.from({ length: times }, () => "/v1/messages"));
    expect(ran.code).toBe(1);
    expect(ran.stdout.split("\n")[1]).toBe("Everything before is kept. Go on: claude-exec resume 001");
    const [reserved] = intents(place).map(({ reserved }) => reserved);
    const [one, limit] = budget.includes("usd") ? [reserved?.usd ?? 0, 0.8] : [reserved?.tokens ?? 0, 100_000];
    expect([one * times <= limit, one * (times + 1) <= limit]).toEqual([true, false]);
  },
);

test.for(["0", "0.00", "-1", "much", "", " 5", "0x10", "1e2", "Infinity"])("%j is not a budget", async (amount) => {
  const { ran, place } = await run(`--budget-usd=${amount}`);
  expect(ran).toEqual({
    code: 64,
    stdout: "",
    stderr: "--budget-usd is neither an amount above 0 nor none.\nUsage: claude-exec new <task> [flags]\n",
  });
  expect(existsSync(place.home)).toBe(false);
});

test.for(["1.5", "0", "-1", "9007199254740993"])("%j is not a budget in tokens", async (amount) => {
  const { ran, place } = await run(`--budget-tokens=${amount}`);
  expect(ran).toEqual({
    code: 64,
    stdout: "",
    stderr: "--budget-tokens is neither a whole number above 0 nor none.\nUsage: claude-exec new <task> [flags]\n",
  });
  expect(existsSync(place.home)).toBe(false);
});
