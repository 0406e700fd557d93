import { afterEach, expect, test } from "vitest";
import { openChain } from "../../src/chain/open.ts";
import { runTurn } from "../../src/chain/run.ts";
import type { Progress } from "../../src/chain/deps.ts";
import { settingsOf } from "../../src/operations/limits.ts";
import { openAnthropic } from "../../src/models/anthropic.ts";
import {
  replayHandler,
  startMessagesServer,
  type Fault,
  type Handler,
  type Script,
} from "../models/messages-server.ts";
import { placeWith, type Place } from "../support/cli.ts";
import { callerAt, operate, sessionAt } from "../support/inside.ts";
import { recordingAt } from "../support/script.ts";
import { quickApp, tiny, tinyWay } from "../support/ways.ts";

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

/** A workspace and a provider on loopback that replies as `tinyWay`, unless `trouble` (given the number of the request) says otherwise. */
async function withProvider(trouble: (number: number) => Script | "cut" | undefined) {
  const place = placeWith(quickApp);
  const replay = replayHandler(recordingAt(place.beside, tinyWay));
  const handler: Handler = async (request) => {
    const what = trouble(asked(server).length);
    if (what === undefined) return replay(request);
    return what === "cut"
      ? ({ ...(await replay(request)), fault: { type: "cut", bytes: 600 } satisfies Fault } as Script)
      : what;
  };
  const server = await startMessagesServer(handler);
  open.push(server);
  const env = { ANTHROPIC_API_KEY: "sk-test", ANTHROPIC_BASE_URL: server.url };
  const provider = new URL(server.url).host;
  return {
    place,
    server,
    provider,
    env,
    begin: () => place.start([...tiny, "--approve-policy=auto"], { env }),
    resume: () => place.run(["resume", "1", "--approve-policy=auto"], { env }),
  };
}

const asked = ({ requests }: { requests: readonly { path: string }[] }) =>
  requests.filter(({ path }) => path.endsWith("/messages"));

const soon = { "retry-after-ms": "1" };
const error = (type: string, message: string) => ({ error: { type, message } });
const busy = { type: "status", status: 429, ...error("rate_limit_error", "Slow down"), headers: soon } as const;
const overloaded = { type: "status", status: 529, ...error("overloaded_error", "Overloaded"), headers: soon } as const;
const broken = { type: "status", status: 500, ...error("api_error", "Internal server error"), headers: soon } as const;

/** Which of tinyWay's four replies were journalled: each once. */
function answered(place: Place): string[] {
  return place
    .journal()
    .flatMap((line) =>
      line.type === "result" && line.effect === "model" && line.outcome.type === "replied"
        ? [`${line.key}/turn-${line.turn}`]
        : [],
    );
}

test("a chain lives through 429, 529, 500, a connection that is reset and a stream cut in the middle", async () => {
  const troubles: Record<number, Script | "cut"> = {
    1: busy,
    2: overloaded,
    3: broken,
    5: "cut",
    7: { type: "reset" },
  };
  const { place, server, begin } = await withProvider((number) => troubles[number]);
  const ran = await begin().ended;
  expect(ran.code).toBe(0);
  expect(asked(server)).toHaveLength(4 + Object.keys(troubles).length);
  expect(answered(place)).toEqual(Object.keys(tinyWay));
  expect(ran.stderr).toContain("answered 429 rate_limit_error: Slow down. Trying again in 1 s.");
  const costs = place.context()["cost_tracking"] as { by_kind: { input: number }; unknown_calls: number };
  expect(costs).toMatchObject({ by_kind: { input: 5 * 900 }, unknown_calls: 0 });
});

test.for([
  ["429", busy, "rate_limited", "rate_limit_error: Slow down."],
  ["529", overloaded, "overloaded", "overloaded_error: Overloaded."],
  ["500", broken, "server_error", "api_error: Internal server error."],
] as const)(
  "a provider that keeps answering %s pauses the chain, which later goes on without paying anything twice",
  async ([status, script, code, said]) => {
    let well = false;
    const { place, server, provider, begin, resume } = await withProvider((number) =>
      number > 2 && !well ? script : undefined,
    );
    const ran = await begin().ended;
    expect({ code: ran.code, stdout: ran.stdout.split("\n").slice(0, 2) }).toEqual({
      code: 1,
      stdout: [
        `Chain 001 is paused. The model could not be reached: ${provider} answered ${status} ${said} Tried 6 times.`,
        "Everything before is kept, and nothing is paid twice. Go on: claude-exec resume 001",
      ],
    });
    expect(place.events("parked")).toMatchObject([{ code }]);
    expect(asked(server)).toHaveLength(2 + 6);
    well = true;
    expect((await resume()).code).toBe(0);
    expect(asked(server)).toHaveLength(2 + 6 + 2);
    expect(answered(place)).toEqual(Object.keys(tinyWay));
  },
);

test("a provider that falls silent in the middle is asked again, and the chain goes on", async () => {
  const { place, server, env } = await withProvider((number) =>
    number === 1 ? { type: "hang" } : number === 3 ? "cut" : undefined,
  );
  const input = { trust: true, approve_policy: "auto" as const, size: "tiny" as const, test_command: "sh check.sh" };
  const caller = callerAt(place.workspace, { ...place.env, ...env });
  const session = sessionAt(caller, input);
  const { deps, config } = await session.engine(caller);
  const model = openAnthropic({
    apiKey: "sk-test",
    baseUrl: server.url,
    world: { ...deps.world, sleep: async () => undefined },
    idleMs: 150,
  });
  const signs: string[] = [];
  const begun = session.beginning(caller);
  const { createChain } = await import("../../src/chain/open.ts");
  const settings = { size: "tiny" as const, mode: "tdd" as const, ...(await settingsOf(deps, config, input)) };
  const chain = await createChain(begun, { goal: "Add a product function", ...settings });
  const patient = {
    ...deps,
    model,
    progress: (sign: { type: string; reason?: string }) =>
      void (sign.type === "retrying" && signs.push(sign.reason ?? "")),
  };
  try {
    expect(await runTurn(chain, patient, { answers: {}, approve: "auto" }, caller.signal)).toEqual({
      type: "completed",
      summary: "The test passes.",
    });
  } finally {
    await chain.close();
    await session.close();
  }
  expect(signs[0]).toBe(`${new URL(server.url).host} sent nothing for 0.15 s.`);
  expect(answered(place)).toEqual(Object.keys(tinyWay));
  const { chain: again, edits } = openChain(begun, "001")!;
  expect(edits).toEqual([]);
  await again.close();
});

test("a key that is not accepted stops after one request and says which variable to set", async () => {
  const denied = {
    type: "status",
    status: 401,
    ...error("authentication_error", "invalid x-api-key sk-test"),
  } as const;
  const { server, provider, begin, place } = await withProvider(() => denied);
  const ran = await begin().ended;
  expect({ code: ran.code, stdout: ran.stdout.split("\n").slice(0, 2) }).toEqual({
    code: 78,
    stdout: [
      `Chain 001 is paused. The provider does not accept the key: ${provider} answered 401 authentication_error: invalid x-api-key [key].`,
      "Set a valid ANTHROPIC_API_KEY. Everything before is kept, and nothing is paid twice. Go on: claude-exec resume 001",
    ],
  });
  expect(asked(server)).toHaveLength(1);
  expect(JSON.stringify(place.journal())).not.toContain("sk-test");
});

test("a spend limit of the provider stops after one request", async () => {
  const spent = { type: "status", status: 402, ...error("billing_error", "Your credit balance is too low") } as const;
  const { server, provider, begin } = await withProvider(() => spent);
  const ran = await begin().ended;
  expect({ code: ran.code, stdout: ran.stdout.split("\n").slice(0, 2) }).toEqual({
    code: 12,
    stdout: [
      `Chain 001 is paused. The provider's spend limit is reached: ${provider} answered 402 billing_error: Your credit balance is too low.`,
      "Raise it with the provider. Everything before is kept, and nothing is paid twice. Go on: claude-exec resume 001",
    ],
  });
  expect(asked(server)).toHaveLength(1);
});

test.for([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)(
  "%s during a call pauses the chain; what was answered before is not asked again",
  async ([signal, code]) => {
    let well = false;
    const { place, server, begin, resume } = await withProvider((number) => {
      if (well || number !== 3) return undefined;
      running.child.kill(signal);
      return { type: "hang" };
    });
    const running = begin();
    const ran = await running.ended;
    expect({ code: ran.code, stdout: ran.stdout.split("\n").slice(0, 2) }).toEqual({
      code,
      stdout: ["Paused. Everything up to here is kept, and nothing is paid twice.", "Resume: claude-exec resume 001"],
    });
    expect(answered(place)).toEqual(Object.keys(tinyWay).slice(0, 2));
    well = true;
    expect((await resume()).code).toBe(0);
    expect(asked(server)).toHaveLength(3 + 2);
    expect(answered(place)).toEqual(Object.keys(tinyWay));
  },
);

test("a call that SIGKILL left in the air is sent again to the byte, and booked at what was expected of it", async () => {
  let well = false;
  const { place, server, begin, resume } = await withProvider((number) => {
    if (well || number !== 3) return undefined;
    running.child.kill("SIGKILL");
    return { type: "hang" };
  });
  const running = begin();
  expect((await running.ended).code).toBe("SIGKILL");
  well = true;
  expect((await resume()).code).toBe(0);
  expect(asked(server)).toHaveLength(5);
  expect(server.requests[3]?.body).toEqual(server.requests[2]?.body);
  const [expected] = place
    .journal()
    .flatMap((line) =>
      line.type === "intent" && line.effect === "model" && line.turn === 2 ? [line.expected?.usd] : [],
    );
  expect(place.context()["cost_tracking"]).toMatchObject({ unknown_calls: 1, unknown_cost: expected });
});

test("what was recorded from a provider plays again to the same end", async () => {
  const { place, env } = await withProvider(() => undefined);
  const kept = `${place.beside}/kept.json`;
  expect((await place.run([...tiny, "--approve-policy=auto", "--record", kept], { env })).code).toBe(0);
  const again = placeWith(quickApp);
  expect((await again.run([...tiny, "--approve-policy=auto", "--replay", kept])).code).toBe(0);
  expect(answered(again)).toEqual(answered(place));
  expect(again.context()["cost_tracking"]).toEqual(place.context()["cost_tracking"]);
});

test("requests beyond limits.requests_per_minute wait for their turn, in a later command too, and an interruption ends the wait", async () => {
  const { place, server, env } = await withProvider(() => undefined);
  place.configure({ limits: { requests_per_minute: 2 } });
  const run = async (name: string, input: object) => {
    const stop = new AbortController();
    const signs: Progress[] = [];
    const progress = (sign: Progress) => {
      signs.push(sign);
      if (sign.type === "waiting") stop.abort();
    };
    const caller = callerAt(place.workspace, { ...place.env, ...env }, { progress, signal: stop.signal });
    const { data } = await operate(name, { trust: true, approve_policy: "auto", ...input }, caller);
    expect(data["ending"]).toEqual({ type: "interrupted" });
    expect(signs.filter(({ type }) => type === "waiting")).toMatchObject([{ delay_ms: expect.any(Number) as number }]);
  };
  await run("new", { task: "Add a product function", size: "tiny", test_command: "sh check.sh" });
  expect(asked(server)).toHaveLength(2);
  await run("resume", { chain: "1" });
  expect(asked(server)).toHaveLength(2);
  // A call that only waited was not sent, so it is not booked as lost.
  expect(place.context()["cost_tracking"]).toMatchObject({ unknown_calls: 0 });
});
