import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { expect, test } from "vitest";
import { configJsonSchema, configSchema } from "../../src/session/config.ts";
import { readSettings } from "../../src/session/read_settings.ts";
import { compile, judgeCommand } from "../../src/programs/permissions/judge.ts";
import { withEnv } from "../../src/session/settings.ts";
import { folderWith } from "../support/script.ts";

const root = join(import.meta.dirname, "..", "..");

const now = Date.parse("2026-11-20T10:00:00Z");
const settingsOf = (home?: string, user?: string) => readSettings(home, user, { env: {}, now });
const readConfig = (home?: string, user?: string) => settingsOf(home, user).config;

const ourPrompts = { system_dir: "./prompts/system", team: [], may_replace: [], core: 150 };

test("without a config.json every key has its default", () => {
  const defaults = {
    models: { default: "claude-opus-5-5", fast: "claude-haiku-5-5", smart: "claude-opus-5-5" },
    limits: {
      max_tokens_per_prompt: 32_000,
      context_window: 100_000,
      warning_threshold: 0.8,
      budget_usd: 10,
      budget_tokens: null,
      cost_alert_usd: 5,
      cost_alert_day_usd: null,
      cost_alert_project_usd: null,
      requests_per_minute: null,
      turns: 400,
      turns_per_prompt: 40,
      rounds: 6,
      repeats: 3,
    },
    prompts: { ...ourPrompts, custom_dir: "./prompts/custom" },
    gates: {
      requirements: 0.9,
      ambiguity: 0.3,
      overall: 0.8,
      area: 0.6,
      unproven: 0.6,
      simplicity: 7,
      quality: ["code_reviewer", "security_scanner", "simplicity_checker", "deployment_checker"],
    },
    alerts: { command: [] },
    backend: "api",
    api_key_command: [],
    tests: { timeout_seconds: 600 },
    permissions: { allow: [], ask: [], deny: [], unsandboxed: false },
    prices: {},
  };
  expect(readConfig(undefined)).toEqual(defaults);
  expect(readConfig(folderWith({}))).toEqual(defaults);
  expect(readConfig(folderWith({ "config.json": "{}" }))).toEqual(defaults);
});

test("the keys of the first design are understood, and what they leave out keeps its default", () => {
  const text = JSON.stringify({
    models: { default: "claude-haiku-5-5", smart: "claude-sonnet-5-5" },
    limits: { max_tokens_per_prompt: 9_000, context_window: 50_000, warning_threshold: 0.5 },
    prompts: { system_dir: "./prompts/system", custom_dir: "./mine" },
  });
  const config = readConfig(folderWith({ "config.json": text }));
  const models = { default: "claude-haiku-5-5", fast: "claude-haiku-5-5", smart: "claude-sonnet-5-5" };
  expect(config.models).toEqual(models);
  expect(config.limits).toMatchObject({ max_tokens_per_prompt: 9_000, context_window: 50_000, warning_threshold: 0.5 });
  expect(config.limits).toMatchObject({ budget_usd: 10, turns: 400 });
  expect(config.prompts).toEqual({ ...ourPrompts, custom_dir: "./mine" });
});

test.each([
  ["an unknown key", '{"modles": {}}', '✖ Unrecognized key: "modles"'],
  ["an unknown key further down", '{"limits": {"tokens": 1}}', '✖ Unrecognized key: "tokens"   → at limits'],
  ["an endpoint", '{"base_url": "http://127.0.0.1:1"}', '✖ Unrecognized key: "base_url"'],
  [
    "an endpoint among the models",
    '{"models": {"base_url": "http://127.0.0.1:1"}}',
    '✖ Unrecognized key: "base_url"   → at models',
  ],
  [
    "another folder for system prompts",
    '{"prompts": {"system_dir": "./mine"}}',
    '✖ Invalid input: expected "./prompts/system"   → at prompts.system_dir',
  ],
  [
    "a wrong type",
    '{"limits": {"turns": "many"}}',
    "✖ Invalid input: expected number, received string   → at limits.turns",
  ],
  [
    "no output at all",
    '{"limits": {"max_tokens_per_prompt": 0}}',
    "✖ Too small: expected number to be >=8000   → at limits.max_tokens_per_prompt",
  ],
  [
    "a mode that only a flag may set",
    '{"permissions": {"mode": "full"}}',
    '✖ Invalid option: expected one of "read"|"ask"|"edits"   → at permissions.mode',
  ],
  [
    "a rule that is none",
    '{"permissions": {"deny": ["run git push **", "run rm | cat"]}}',
    '✖ "run rm | cat" is no rule: it holds "|", but a rule is one command; put the words in quotes   → at permissions.deny[1]',
  ],
  ["broken JSON", '{"limits": {', "it is not valid JSON"],
  ["a list", "[]", "it is not an object"],
])("%s in config.json is refused with the file's name", (_, text, problem) => {
  const home = folderWith({ "config.json": text });
  const path = join(home, "config.json");
  expect(() => readConfig(home)).toThrow(
    expect.objectContaining({
      code: "config_invalid",
      message: `${path} cannot be used: ${problem}`,
      next: [{ why: "Fix it; claude-exec.schema.json says what may stand there." }],
      exitCode: 78,
    }),
  );
});

test("a home may make gates and budgets tighter than its user has them, never looser", () => {
  const user = folderWith({ "config.json": JSON.stringify({ gates: { overall: 0.85 }, limits: { budget_usd: 20 } }) });
  const home = (config: object) => folderWith({ "config.json": JSON.stringify(config) });
  const tight = readConfig(home({ gates: { overall: 0.9, simplicity: 6 }, limits: { budget_usd: 15 } }), user);
  expect([tight.gates.overall, tight.gates.simplicity, tight.limits.budget_usd]).toEqual([0.9, 6, 15]);

  const loose = home({
    gates: { overall: 0.8, ambiguity: 0.5, quality: ["code_reviewer"] },
    limits: { budget_usd: null, turns: 4000 },
  });
  const { config, notes } = settingsOf(loose, user);
  expect(config).toEqual(readConfig(undefined, user));
  expect(notes).toEqual([
    `Settings in ${loose}: looser than yours, so not counted: gates.quality, limits.budget_usd no limit (yours: 20), limits.turns 4000 (yours: 400), gates.ambiguity 0.5 (yours: 0.3), gates.overall 0.8 (yours: 0.85).`,
  ]);
});

test("what a user sets holds in every home that says nothing else", () => {
  const mine = { default: "mine", fast: "claude-sonnet-5-5" };
  const user = folderWith({ "config.json": JSON.stringify({ models: mine }) });
  const home = folderWith({ "config.json": JSON.stringify({ models: { fast: "claude-haiku-5-5" } }) });
  const both = { default: "mine", fast: "claude-haiku-5-5", smart: "claude-opus-5-5" };
  expect(readConfig(home, user).models).toEqual(both);
  expect(readConfig(undefined, user).models.default).toBe("mine");
});

test("a home may add what is asked for and denied to what its user has", () => {
  const own = { mode: "edits", allow: ["run npm test"], ask: ["run npm **"], deny: ["run rm **"], unsandboxed: true };
  const user = folderWith({ "config.json": JSON.stringify({ permissions: own }) });
  const theirs = { ask: ["write docs/**"], deny: ["run rm **", "run curl **"] };
  const home = folderWith({ "config.json": JSON.stringify({ permissions: theirs }) });
  expect(readConfig(undefined, user).permissions).toEqual(own);
  expect(readConfig(folderWith({}), user).permissions).toEqual(own);
  expect(readConfig(home, user).permissions).toEqual({
    ...own,
    ask: ["write docs/**", "run npm **"],
    deny: ["run rm **", "run curl **"],
  });
  expect(readConfig(home).permissions).toEqual({ allow: [], unsandboxed: false, ...theirs });
  const stricter = folderWith({ "config.json": JSON.stringify({ permissions: { allow: [], unsandboxed: false } }) });
  expect(readConfig(stricter, user).permissions).toEqual({ ...own, unsandboxed: false });
});

test.each([
  [{ allow: ["run npm test"] }, "permissions.allow"],
  [{ mode: "read" }, "permissions.mode"],
  [{ unsandboxed: true }, "permissions.unsandboxed true (yours: false)"],
  [{ mode: "edits", allow: ["run npm test"] }, "permissions.mode, permissions.allow"],
])("what a home grants itself (%j) does not count, and is said", (permissions, names) => {
  const user = folderWith({ "config.json": JSON.stringify({ permissions: { allow: ["run npm run lint"] } }) });
  const home = folderWith({ "config.json": JSON.stringify({ permissions }) });
  const { config, notes } = settingsOf(home, user);
  expect(config).toEqual(readConfig(undefined, user));
  expect(notes).toEqual([`Settings in ${home}: looser than yours, so not counted: ${names}.`]);
});

test("settings that a user keeps as a home of their own are the user's, whatever they loosen", () => {
  const own = { permissions: { mode: "edits" }, limits: { budget_usd: 100 } };
  const user = folderWith({ "config.json": JSON.stringify(own) });
  expect(settingsOf(user, user)).toMatchObject({ config: own, notes: [] });
});

const page = readFileSync(join(root, "docs", "configuration.md"), "utf8");
const section = /## Permissions\n(.*?)\n## /s.exec(page)?.[1] ?? "";
const [, example = ""] = /```json\n(.*?)```/s.exec(section) ?? [];

test("the rules on the configuration page can be used as they stand there", () => {
  const user = folderWith({ "config.json": example });
  expect(readConfig(undefined, user).permissions.allow.length).toBeGreaterThan(2);
});

test("the configuration page tells what its rules make of each command", () => {
  const rules = compile(readConfig(undefined, folderWith({ "config.json": example })).permissions);
  const rows = [...section.matchAll(/^\| `(.+)` \| (allowed|asks|denied) \|/gm)];
  expect(rows.length).toBeGreaterThan(8);
  const words = { allow: "allowed", ask: "asks", deny: "denied" };
  for (const [, command = "", told] of rows) {
    const line = command.replaceAll("\\|", "|");
    expect([line, words[judgeCommand(line, rules).verdict]]).toEqual([line, told]);
  }
});

test("the configuration page names every key of the permissions", () => {
  for (const key of Object.keys(configSchema.shape.permissions.unwrap().shape)) expect(section).toContain(`\`${key}\``);
});

test("the schema for editors that is shipped is the one the program checks by", () => {
  const shipped = JSON.parse(readFileSync(join(root, "claude-exec.schema.json"), "utf8")) as unknown;
  expect(shipped).toEqual(JSON.parse(JSON.stringify(configJsonSchema())));
});

test("the shipped config.json holds nothing but defaults, and names its schema", () => {
  const { $schema, ...shipped } = readConfig(root);
  expect($schema).toBe("./claude-exec.schema.json");
  expect(shipped).toEqual(configSchema.parse({}));
});

test("the shipped .env.example can be copied as it is", () => {
  const values = parseEnv(readFileSync(join(root, ".env.example"), "utf8"));
  expect(values).toEqual({
    ANTHROPIC_API_KEY: "",
    TOKEN_LIMIT_WARNING: "80000",
    COST_ALERT_THRESHOLD: "5.00",
    DEFAULT_MODEL: "claude-opus-5-5",
  });
  expect(withEnv(configSchema.parse({}), values)).toEqual(configSchema.parse({}));
});
