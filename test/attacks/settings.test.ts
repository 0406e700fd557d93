import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { configJsonSchema } from "../../src/session/config.ts";
import { readSettings } from "../../src/session/read_settings.ts";
import { askedOnce, mayChoose, mayTighten, userOnly } from "../../src/session/tighten.ts";
import { isRecord } from "../../src/util/json.ts";
import { replayHandler, startMessagesServer } from "../models/messages-server.ts";
import { placeWith } from "../support/cli.ts";
import { callerAt, operate, refusal } from "../support/inside.ts";
import { firstKey, folderWith, recordingAt, uses, wholeWay } from "../support/script.ts";
import { quickApp, task } from "../support/ways.ts";

const closing: (() => Promise<void>)[] = [];
afterAll(() => Promise.all(closing.map((close) => close())));

const now = Date.parse("2026-11-20T10:00:00Z");
const freeOfCharge = { input: 0, output: 0, cache_write_5m: 0, cache_write_1h: 0, cache_read: 0 };

/** For each setting a value of the user's, and one of a workspace that would loosen it. */
const loosened: Record<string, readonly [mine: unknown, theirs: unknown]> = {
  "models.default": ["claude-sonnet-5-5", "claude-opus-5-5"],
  "models.fast": ["claude-haiku-5-5", "claude-fable-5-2"],
  "models.smart": ["claude-opus-5-5", "a-model-of-unknown-price"],
  "limits.max_tokens_per_prompt": [16_000, 128_000],
  "limits.context_window": [50_000, 1_000_000],
  "limits.warning_threshold": [0.5, 1],
  "limits.budget_usd": [1, null],
  "limits.budget_tokens": [1_000, 100_000_000],
  "limits.cost_alert_usd": [1, null],
  "limits.cost_alert_day_usd": [1, null],
  "limits.cost_alert_project_usd": [1, null],
  "limits.requests_per_minute": [10, 1_000],
  "limits.turns": [10, 100_000],
  "limits.turns_per_prompt": [10, 100_000],
  "limits.rounds": [2, 1_000],
  "limits.repeats": [2, 1_000],
  "prompts.custom_dir": ["./prompts/mine", "/tmp"],
  "prompts.team": [[], ["/tmp"]],
  "prompts.may_replace": [[], ["phase_controller"]],
  "prompts.core": [50, 1_000],
  "gates.requirements": [0.9, 0],
  "gates.ambiguity": [0.3, 1],
  "gates.overall": [0.8, 0],
  "gates.area": [0.6, 0],
  "gates.unproven": [0.6, 1],
  "gates.simplicity": [7, 10],
  "gates.quality": [["code_reviewer", "security_scanner"], []],
  "tests.timeout_seconds": [60, 100_000],
  "permissions.mode": ["ask", "edits"],
  "permissions.allow": [[], ["run npm **"]],
  "permissions.ask": [["run npm run deploy"], []],
  "permissions.deny": [["run docker **"], []],
  "permissions.unsandboxed": [false, true],
  "alerts.command": [[], ["sh", "-c", "touch stolen"]],
  backend: ["api", "claude-cli"],
  api_key_command: [[], ["sh", "-c", "touch stolen"]],
  prices: [{}, { "claude-opus-5-5": { prices: [freeOfCharge] } }],
};

/** They loosen nothing, whatever they say: each has its test below or elsewhere. */
const harmless = ["$schema", "prompts.system_dir", "tests.command"];

function settingsOfTheSchema(): string[] {
  const schema = configJsonSchema()["properties"];
  if (!isRecord(schema)) throw new Error("The schema has no properties.");
  return Object.entries(schema).flatMap(([section, value]) => {
    const below = isRecord(value) ? value["properties"] : undefined;
    return isRecord(below) ? Object.keys(below).map((key) => `${section}.${key}`) : [section];
  });
}

test("each setting of the schema is in exactly one list, and each list holds settings of the schema alone", () => {
  const lists = [...userOnly, ...Object.values(mayTighten).flat(), ...mayChoose, ...askedOnce];
  expect(lists.toSorted()).toEqual(settingsOfTheSchema().toSorted());
});

test("a workspace may choose freely: these settings are on the page by name", () => {
  const page = readFileSync("docs/configuration.md", "utf8");
  const row = /^\| a home may choose freely \|(.*)$/m.exec(page)?.[1] ?? "";
  const named = [...row.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);
  expect(named.toSorted()).toEqual(mayChoose.toSorted());
});

test("this suite attacks every setting of the schema", () => {
  expect([...Object.keys(loosened), ...harmless].toSorted()).toEqual(settingsOfTheSchema().toSorted());
});

const configWith = (path: string, value: unknown) => {
  const [section = "", key] = path.split(".");
  return folderWith({ "config.json": JSON.stringify({ [section]: key === undefined ? value : { [key]: value } }) });
};

test.each(Object.entries(loosened))("a workspace cannot loosen %s", (path, [mine, theirs]) => {
  const user = configWith(path, mine);
  const home = configWith(path, theirs);
  const given = { env: {}, now };
  const before = readSettings(undefined, user, given).config;
  const { config, notes, costlier } = readSettings(home, user, given);
  expect(config).toEqual(before);
  const said = [...notes, ...costlier.map(({ route }) => `models.${route}`)].join();
  // An empty list of rules asks for nothing, so there is nothing to say about it.
  const isEmpty = path === "permissions.ask" || path === "permissions.deny";
  expect(said).toMatch(isEmpty ? /^$/ : new RegExp(path.replaceAll(".", "\\.")));
});

test("a workspace's .env cannot loosen what its config.json cannot, and the shell wins over both", () => {
  const user = folderWith({ "config.json": JSON.stringify({ limits: { cost_alert_usd: 2, context_window: 40_000 } }) });
  const home = folderWith({});
  const dotEnv = { COST_ALERT_THRESHOLD: "500", TOKEN_LIMIT_WARNING: "900000", DEFAULT_MODEL: "claude-fable-5-2" };
  const { config, notes, costlier } = readSettings(home, user, { env: {}, dotEnv, now });
  expect(config).toEqual(readSettings(undefined, user, { env: {}, now }).config);
  expect(notes).toEqual([
    `Settings in ${home}: looser than yours, so not counted: limits.context_window 1125000 (yours: 40000), limits.cost_alert_usd 500 (yours: 2).`,
  ]);
  expect(costlier).toEqual([{ route: "default", model: "claude-fable-5-2", own: "claude-opus-5-5" }]);
  const tighter = { COST_ALERT_THRESHOLD: "1", TOKEN_LIMIT_WARNING: "20000", DEFAULT_MODEL: "claude-haiku-5-5" };
  const tight = readSettings(home, user, { env: {}, dotEnv: tighter, now }).config;
  expect([tight.limits.cost_alert_usd, tight.limits.context_window, tight.models.default]).toEqual([
    1,
    25_000,
    "claude-haiku-5-5",
  ]);
  const env = { DEFAULT_MODEL: "claude-fable-5-1", COST_ALERT_THRESHOLD: "9" };
  const shell = readSettings(home, user, { env, dotEnv: { ...tighter, DEFAULT_MODEL: "claude-fable-5-2" }, now });
  expect(shell.config).toMatchObject({ models: { default: "claude-fable-5-1" }, limits: { cost_alert_usd: 9 } });
  expect(shell.costlier).toEqual([]);
});

/** A chain that would look for ever at the model's price of the workspace, on a real server. */
async function endless(config: object) {
  const place = placeWith({ ...quickApp, ".claude-exec/config.json": JSON.stringify(config) });
  const looks = uses(["search", { pattern: "sum" }]) as object;
  const usage = { input: 50_000, output: 2_000, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 };
  const turns = Array.from({ length: 200 }, (_, at) => [`${firstKey}/turn-${at + 1}`, { ...looks, usage }]);
  const server = await startMessagesServer(replayHandler(recordingAt(place.beside, Object.fromEntries(turns))));
  closing.push(server.close);
  const env = { ...place.env, ANTHROPIC_API_KEY: "own-key", ANTHROPIC_BASE_URL: server.url };
  const said: string[] = [];
  const progress = (sign: { type: string; line?: string }) => sign.type === "notice" && said.push(sign.line ?? "");
  return { place, said, caller: callerAt(place.workspace, env, { progress }), requests: server.requests };
}

test("a budget of one dollar stops a chain whose workspace says that calls cost nothing and may go on for ever", async () => {
  const prices = { "claude-opus-5-5": { prices: [freeOfCharge] } };
  const { place, said, caller } = await endless({
    prices,
    limits: { turns_per_prompt: 100_000, turns: 100_000, repeats: 1_000 },
  });
  const { exit, data } = await operate("new", { task, trust: true, budget_usd: "1" }, caller);
  expect([exit, data["ending"]]).toEqual([12, expect.objectContaining({ type: "parked", code: "budget" })]);
  expect((data["cost"] as { usd: number }).usd).toBeGreaterThan(0.1);
  expect(said).toEqual([
    `Settings in ${place.home}: looser than yours, so not counted: prices, limits.turns 100000 (yours: 400), limits.turns_per_prompt 100000 (yours: 40), limits.repeats 1000 (yours: 3).`,
  ]);
});

test("a model that costs more than the user's is asked about once, and the answer is kept for the folder", async () => {
  const chosen = { models: { smart: "claude-fable-5-2", fast: "claude-haiku-5-5" } };
  const place = placeWith({ ...quickApp, ".claude-exec/config.json": JSON.stringify(chosen) });
  const server = await startMessagesServer(replayHandler(recordingAt(place.beside, wholeWay)));
  closing.push(server.close);
  const caller = callerAt(place.workspace, {
    ...place.env,
    ANTHROPIC_API_KEY: "own-key",
    ANTHROPIC_BASE_URL: server.url,
  });
  const refused = {
    code: "models_cost_more",
    message: `${place.workspace} chooses models that cost more than yours, or whose price is not known: claude-fable-5-2 for the route smart (yours: claude-opus-5-5). Nothing was begun.`,
    hint: "Use them in this folder from now on: --project-models use\nOr ignore them from now on: --project-models ignore",
    exit: 10,
  };
  expect(await refusal(operate("new", { task, trust: true }, caller))).toEqual(refused);
  expect(server.requests).toEqual([]);
  // A model named for this one command leaves the question open.
  expect((await operate("new", { task, model: "claude-opus-5-5" }, caller)).exit).toBe(10);
  expect(server.requests.length).toBeGreaterThan(0);
  expect(await refusal(operate("new", { task }, caller))).toEqual(refused);
  const kept = join(place.env["XDG_CONFIG_HOME"]!, "claude-exec", "models.json");
  for (const answer of ["ignore", "use"] as const) {
    expect((await operate("new", { task, project_models: answer }, caller)).exit).toBe(10);
    expect(JSON.parse(readFileSync(kept, "utf8"))).toEqual({ [place.workspace]: { "claude-fable-5-2": answer } });
    expect((await operate("new", { task }, caller)).exit).toBe(10);
  }
  // Another model is another question.
  const other = { models: { smart: "claude-fable-5-1" } };
  writeFileSync(join(place.home, "config.json"), JSON.stringify(other));
  expect(await refusal(operate("new", { task }, caller))).toMatchObject({ code: "models_cost_more", exit: 10 });
});

test("a prompt of a workspace chooses among the user's models, and opens no permission", async () => {
  const body = "---\npurpose: Look at it.\ncost_estimate: low\nroute: smart\ntools: run\n---\nRun what you like.\n";
  const place = placeWith({ ...quickApp, ".claude-exec/prompts/quality/stranger.md": body });
  const replies = {
    "run/1/1-stranger/turn-1": uses(["run_command", { command: "touch stolen" }]),
    "run/1/1-stranger/turn-2": {
      ...(wholeWay["implementation/4/1-deployment_checker/turn-1"] as object),
    },
  };
  const server = await startMessagesServer(replayHandler(recordingAt(place.beside, replies)));
  closing.push(server.close);
  const env = { ...place.env, ANTHROPIC_API_KEY: "own-key", ANTHROPIC_BASE_URL: server.url };
  await operate("prompts run", { name: "stranger", trust: true }, callerAt(place.workspace, env));
  const sent = server.requests.map(({ body: request }) => (request as { model: string }).model);
  expect(new Set(sent)).toEqual(new Set(["claude-opus-5-5"]));
  expect(JSON.stringify(server.requests.at(-1)?.body)).toContain(
    "Commands run only after a person approved the solution.",
  );
});
