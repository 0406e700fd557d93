import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { configSchema } from "../../src/session/config.ts";
import { findHome } from "../../src/session/places.ts";
import { readDotEnv, withEnv } from "../../src/session/settings.ts";
import { replayHandler, startMessagesServer } from "../models/messages-server.ts";
import { placeWith } from "../support/cli.ts";
import { callerAt, operate } from "../support/inside.ts";
import { recordingAt, wholeWay } from "../support/script.ts";
import { quickApp, task } from "../support/ways.ts";

const closing: (() => Promise<void>)[] = [];
afterAll(() => Promise.all(closing.map((close) => close())));

const keyOnly = { ".claude-exec/.env": "ANTHROPIC_API_KEY=key-of-the-file\n" };

function git(folder: string, ...argv: string[]): void {
  execFileSync("git", argv, { cwd: folder, stdio: "pipe" });
}

function checkout(files: Record<string, string>) {
  const place = placeWith(files);
  git(place.workspace, "init", "--quiet");
  return { ...place, found: findHome(place.workspace, undefined, place.env) };
}

test("a .env may set four variables and nothing else: no endpoint, no mode, no switch", async () => {
  const { workspace, env } = placeWith({
    ".claude-exec/.env": [
      "ANTHROPIC_API_KEY=key",
      'DEFAULT_MODEL="a model"',
      "TOKEN_LIMIT_WARNING=40000",
      "COST_ALERT_THRESHOLD=1.50",
      "ANTHROPIC_BASE_URL=http://127.0.0.1:1",
      "CLAUDE_EXEC_HOME=/elsewhere",
      "CLAUDE_EXEC_LOG=debug",
      "NODE_OPTIONS=--inspect",
      "PATH=/elsewhere",
    ].join("\n"),
  });
  expect(await readDotEnv(findHome(workspace, undefined, env), env)).toEqual({
    ANTHROPIC_API_KEY: "key",
    DEFAULT_MODEL: "a model",
    TOKEN_LIMIT_WARNING: "40000",
    COST_ALERT_THRESHOLD: "1.50",
  });
});

test("what a .env leaves empty is not set, and without a .env nothing is", async () => {
  const { workspace, env } = placeWith({ ".claude-exec/.env": "ANTHROPIC_API_KEY=\n" });
  expect(await readDotEnv(findHome(workspace, undefined, env), env)).toEqual({});
  expect(await readDotEnv({ path: join(workspace, "none"), workspace, exists: false }, env)).toEqual({});
});

test("a .env that git ignores is read", async () => {
  const { found, env } = checkout({ ...keyOnly, ".claude-exec/.gitignore": "*\n" });
  expect(await readDotEnv(found, env)).toEqual({ ANTHROPIC_API_KEY: "key-of-the-file" });
});

test.each([
  ["that git does not ignore", {}, []],
  ["that is tracked although it is ignored", { ".gitignore": ".env\n" }, ["add", "--force", ".claude-exec/.env"]],
])("a .env %s is refused aloud", async (_, files, argv) => {
  const { found, workspace, home, env } = checkout({ ...quickApp, ...keyOnly, ...files });
  if (argv.length > 0) git(workspace, ...argv);
  const refusal = {
    code: "env_not_ignored",
    message: `${home}/.env is not ignored by git, so it was not read: a key in it would be published.`,
    next: [{ why: `Add .env to ${workspace}/.gitignore and untrack it: git rm --cached .env` }],
    exitCode: 78,
  };
  await expect(readDotEnv(found, env)).rejects.toMatchObject(refusal);
  const caller = callerAt(workspace, { ...env, ANTHROPIC_API_KEY: "key-of-the-shell" });
  await expect(operate("new", { task, trust: true }, caller)).rejects.toMatchObject(refusal);
});

test.each([
  ["the shell's variables win over those of .env", { ANTHROPIC_API_KEY: "key-of-the-shell" }, "key-of-the-shell"],
  ["a variable that is empty in the shell is taken from .env", { ANTHROPIC_API_KEY: "" }, "key-of-the-file"],
  ["a key in .env is enough, and its endpoint is not followed", {}, "key-of-the-file"],
])("%s", async (_, shell, expected) => {
  const lure = await startMessagesServer(() => ({ type: "reset" }));
  const place = placeWith({
    ...quickApp,
    ".claude-exec/.env": `${keyOnly[".claude-exec/.env"]}ANTHROPIC_BASE_URL=${lure.url}\n`,
  });
  const server = await startMessagesServer(replayHandler(recordingAt(place.beside, wholeWay)));
  closing.push(lure.close, server.close);
  const env = { ...place.env, ANTHROPIC_BASE_URL: server.url, ...shell };
  expect((await operate("new", { task, trust: true }, callerAt(place.workspace, env))).exit).toBe(10);
  const sent = server.requests.map(({ headers }) => headers.authorization);
  expect(new Set(sent)).toEqual(new Set([`Bearer ${expected}`]));
  expect(lure.requests).toEqual([]);
});

test("the variables are laid over the configuration", () => {
  const config = configSchema.parse({ limits: { warning_threshold: 0.5 } });
  const env = { TOKEN_LIMIT_WARNING: "40000", COST_ALERT_THRESHOLD: "1.50", DEFAULT_MODEL: "another" };
  expect(withEnv(config, env)).toEqual({
    ...config,
    models: { ...config.models, default: "another" },
    limits: { ...config.limits, context_window: 80_000, cost_alert_usd: 1.5 },
  });
  expect(withEnv(config, { TOKEN_LIMIT_WARNING: "", COST_ALERT_THRESHOLD: "", DEFAULT_MODEL: "" })).toEqual(config);
});

test.each(["many", "0", "-1", "Infinity", "0x10", "1e2", " 5"])(
  "a variable that should be an amount and is %s is refused",
  (text) => {
    expect(() => withEnv(configSchema.parse({}), { COST_ALERT_THRESHOLD: text })).toThrow(
      expect.objectContaining({
        code: "env_invalid",
        message: `COST_ALERT_THRESHOLD is "${text}", which is not a number above 0.`,
        next: [{ why: "Fix or unset COST_ALERT_THRESHOLD." }],
        exitCode: 78,
      }),
    );
  },
);
