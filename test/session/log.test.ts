import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openLog } from "../../src/session/log.ts";
import { folderWith } from "../support/script.ts";

const key = "sk-a-key-of-some-length";

test("there is no log unless it is asked for", async () => {
  const path = join(folderWith({}), "state", "log");
  expect(await openLog({}, path, key)).toBeUndefined();
  expect(await openLog({ CLAUDE_EXEC_LOG: "" }, path, key)).toBeUndefined();
  expect(existsSync(path)).toBe(false);
});

test("what is logged is one JSON object a line, from the level asked for, for the user alone", async () => {
  const path = join(folderWith({}), "state", "log");
  const log = await openLog({ CLAUDE_EXEC_LOG: "info" }, path, key);
  log?.debug("left out");
  log?.info("asked", { url: "/v1/messages" }, 2);
  log?.error("failed");
  expect(linesOf(path)).toEqual([
    expect.objectContaining({ level: 30, details: [{ url: "/v1/messages" }, 2], msg: "asked" }),
    expect.objectContaining({ level: 50, details: [], msg: "failed" }),
  ]);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("the key is struck out wherever it stands", async () => {
  const path = join(folderWith({}), "log");
  const log = await openLog({ CLAUDE_EXEC_LOG: "debug" }, path, key);
  log?.debug(`sent with ${key}`, { headers: { authorization: `Bearer ${key}` } }, [[{ deep: key }]]);
  expect(linesOf(path)).toEqual([
    expect.objectContaining({
      msg: "sent with [key]",
      details: [{ headers: { authorization: "Bearer [key]" } }, [[{ deep: "[key]" }]]],
    }),
  ]);
});

function linesOf(path: string): object[] {
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as object);
}

test("a level that does not exist is refused in words", async () => {
  await expect(openLog({ CLAUDE_EXEC_LOG: "loud" }, join(folderWith({}), "log"), key)).rejects.toMatchObject({
    code: "env_invalid",
    message: 'CLAUDE_EXEC_LOG is "loud", which is not a level.',
    next: [{ why: "Set it to one of trace, debug, info, warn, error, fatal, or unset it." }],
    exitCode: 78,
  });
});
