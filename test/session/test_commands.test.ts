import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { rememberTestCommand, rememberedTestCommand } from "../../src/session/test_commands.ts";
import { temporaryFolder } from "../support/temporary.ts";

test("a test command is remembered for its project, until config.json names another one", () => {
  const [workspace, other, state] = [temporaryFolder(), temporaryFolder(), temporaryFolder()];
  const env = { XDG_STATE_HOME: state };
  expect(rememberedTestCommand(workspace, [], env)).toBeUndefined();
  const now = () => new Date(2026, 10, 12, 12).getTime();
  rememberTestCommand(workspace, ["sh", "check.sh"], ["npm", "test"], { env, now });
  expect(rememberedTestCommand(workspace, ["npm", "test"], env)).toEqual({
    argv: ["sh", "check.sh"],
    found_in: "the command you confirmed on 12 November",
  });
  expect(rememberedTestCommand(workspace, ["npm", "run", "unit"], env)).toBeUndefined();
  expect(rememberedTestCommand(other, ["npm", "test"], env)).toBeUndefined();
});

test("where the state folder cannot be used, a test command is not remembered, and nothing else happens", () => {
  const [workspace, state] = [temporaryFolder(), temporaryFolder()];
  writeFileSync(join(state, "file"), "");
  const inFile = { XDG_STATE_HOME: join(state, "file") };
  mkdirSync(join(state, "claude-exec", "test_commands.json"), { recursive: true });
  for (const env of [inFile, { XDG_STATE_HOME: state }]) {
    rememberTestCommand(workspace, ["sh", "check.sh"], [], { env, now: Date.now });
    expect(rememberedTestCommand(workspace, [], env)).toBeUndefined();
  }
});
