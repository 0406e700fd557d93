import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readSettings } from "../../src/session/read_settings.ts";
import { findHome, packageVersion } from "../../src/session/places.ts";
import { successorOf } from "../../src/models/retired.ts";
import { priceTable } from "../../src/models/prices.ts";
import { replayHandler, startMessagesServer } from "../models/messages-server.ts";
import { placeWith } from "../support/cli.ts";
import { callerAt, operate } from "../support/inside.ts";
import { folderWith, recordingAt, wholeWay } from "../support/script.ts";
import { quickApp, task } from "../support/ways.ts";

const closing: (() => Promise<void>)[] = [];
afterAll(() => Promise.all(closing.map((close) => close())));

const root = join(import.meta.dirname, "..", "..");

/** The files of the first design, to the letter. */
const files = {
  "config.json": `{
  "models": {
    "default": "claude-3-opus-20240229",
    "fast": "claude-3-sonnet-20240229",
    "smart": "claude-3-opus-20240229"
  },
  "limits": {
    "max_tokens_per_prompt": 4000,
    "context_window": 100000,
    "warning_threshold": 0.8
  },
  "prompts": {
    "system_dir": "./prompts/system",
    "custom_dir": "./prompts/custom"
  }
}
`,
  ".env": `ANTHROPIC_API_KEY=your-api-key-here
TOKEN_LIMIT_WARNING=80000
COST_ALERT_THRESHOLD=5.00
DEFAULT_MODEL=claude-3-opus-20240229
`,
  ".gitignore": "contexts/\n.env\n",
};

const updated =
  "claude-3-opus-20240229 is retired, and its successor is claude-opus-5-5; claude-3-sonnet-20240229 is retired, and its successor is claude-sonnet-5-5; max_tokens_per_prompt 4000 is raised to our minimum of 8000";

test("a folder laid out as in the first design is a home, and its config.json and .env work as they stand", async () => {
  const place = placeWith({ ...quickApp, ...files });
  execFileSync("git", ["init", "--quiet"], { cwd: place.workspace });
  const home = findHome(place.workspace, undefined, place.env);
  expect(home).toEqual({ path: place.workspace, workspace: place.workspace, exists: true });
  const server = await startMessagesServer(replayHandler(recordingAt(place.beside, wholeWay)));
  closing.push(server.close);
  const said: string[] = [];
  const caller = callerAt(
    place.workspace,
    { ...place.env, ANTHROPIC_BASE_URL: server.url },
    { progress: (sign) => sign.type === "notice" && said.push(sign.line) },
  );
  expect((await operate("new", { task, trust: true }, caller)).exit).toBe(10);
  expect(said).toEqual([
    `Settings in ${place.workspace}: ${updated}; looser than yours, so not counted: models.fast claude-sonnet-5-5 (yours: claude-haiku-5-5).`,
  ]);
  const sent = server.requests.map(({ headers, body }) => [
    headers.authorization,
    (body as { model: string; max_tokens: number }).model,
    (body as { model: string; max_tokens: number }).max_tokens,
  ]);
  expect(new Set(sent.map((one) => JSON.stringify(one)))).toEqual(
    new Set(["claude-opus-5-5"].map((model) => JSON.stringify(["Bearer your-api-key-here", model, 8000]))),
  );
  expect(readdirSync(join(place.workspace, "contexts", "journal"))).toContain("001.jsonl");
});

test("a user's own config.json of the first design is brought up to date too, with the models that it names", () => {
  const user = folderWith({ "config.json": files["config.json"] });
  const { config, notes } = readSettings(undefined, user, { env: {}, now: Date.parse("2026-11-20") });
  expect(config.models).toEqual({ default: "claude-opus-5-5", fast: "claude-sonnet-5-5", smart: "claude-opus-5-5" });
  expect(config.limits.max_tokens_per_prompt).toBe(8000);
  expect(notes).toEqual([`Your own settings: ${updated}.`]);
});

test("a retired model that a user has given a price to is still theirs to name", () => {
  const prices = { input: 15, output: 75, cache_write_5m: 15, cache_write_1h: 15, cache_read: 15 };
  const own = {
    models: { smart: "claude-3-opus-20240229" },
    prices: { "claude-3-opus-20240229": { prices: [prices] } },
  };
  const user = folderWith({ "config.json": JSON.stringify(own) });
  const { config, notes } = readSettings(undefined, user, { env: {}, now: Date.parse("2026-11-20") });
  expect([config.models.smart, notes]).toEqual(["claude-3-opus-20240229", []]);
});

test.each([
  ["claude-3-opus-20240229", "claude-opus-5-5"],
  ["claude-3-5-sonnet-latest", "claude-sonnet-5-5"],
  ["claude-3-haiku-20240307", "claude-haiku-5-5"],
])("%s is followed by %s, whose price is known", (model, successor) => {
  expect(successorOf(model)).toBe(successor);
  expect(Object.keys(priceTable)).toContain(successor);
});

test.each(["claude-opus-4-5", "claude-3-opus-of-my-own", "another"])("%s is not retired", (model) => {
  expect(successorOf(model)).toBeUndefined();
});

test.each(["itself", "a link to it"])("./claude-exec at the root of a checkout starts its program, by %s", (how) => {
  const place = placeWith({});
  const link = join(place.beside, "started-by-link");
  symlinkSync(join(root, "claude-exec"), link);
  const program = how === "itself" ? join(root, "claude-exec") : link;
  const version = spawnSync(program, ["--version"], { cwd: place.workspace, env: place.env, encoding: "utf8" });
  expect([version.status, version.stdout]).toEqual([0, expect.stringContaining(packageVersion())]);
  const wrong = spawnSync(program, ["one two", "--nonsense"], { cwd: place.workspace, env: place.env });
  expect(wrong.status).toBe(64);
});
