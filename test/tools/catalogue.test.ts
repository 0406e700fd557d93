import { expect, test } from "vitest";
import { sha256 } from "../../src/util/hash.ts";
import { definitions, toolNamed, tools } from "../../src/tools/catalogue.ts";
import { openWorkspace } from "../../src/workspace/workspace.ts";

test("the tools are sorted by name and each needs its right", () => {
  const needs = tools.map((tool) => [tool.name, tool.needs]);
  expect(needs).toEqual([
    ["delete_file", "edit"],
    ["edit_file", "edit"],
    ["find_prompts", "none"],
    ["git_blame", "read"],
    ["git_diff", "read"],
    ["git_log", "read"],
    ["list_files", "read"],
    ["read_dependencies", "read"],
    ["read_file", "read"],
    ["read_test_output", "read"],
    ["run_command", "run"],
    ["run_tests", "edit"],
    ["search_files", "read"],
    ["try_command", "try"],
    ["write_file", "edit"],
  ]);
  expect(tools.map((tool) => toolNamed(tool.name))).toEqual(tools);
  expect(toolNamed("bash")).toBeUndefined();
});

test("the definitions are the same bytes every time, closed to further keys, in JSON schema", () => {
  expect(sha256(JSON.stringify(definitions()))).toBe(sha256(JSON.stringify(definitions())));
  expect(definitions().map((one) => one.input_schema["additionalProperties"])).toEqual(tools.map(() => false));
  expect(definitions().find(({ name }) => name === "read_file")?.input_schema).toEqual({
    type: "object",
    properties: {
      path: { type: "string" },
      from: { type: "integer", minimum: 1, maximum: Number.MAX_SAFE_INTEGER },
      to: { type: "integer", minimum: 1, maximum: Number.MAX_SAFE_INTEGER },
    },
    required: ["path"],
    additionalProperties: false,
  });
});

test("all definitions together stay small, since every request carries them", () => {
  expect(Buffer.byteLength(JSON.stringify(definitions()))).toBeLessThan(6000);
});

test("running the tests is planned as a command", async () => {
  const workspace = openWorkspace(".", { env: process.env, hide: [] });
  const plan = await toolNamed("run_tests")?.plan(
    {},
    { workspace, findPrompts: () => Promise.resolve("") },
    new AbortController().signal,
  );
  expect(plan).toEqual({ type: "command", purpose: "tests", again: false });
});
