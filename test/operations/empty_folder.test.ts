import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { placeWith } from "../support/cli.ts";
import { callerAt, operate } from "../support/inside.ts";
import { firstKey, recordingAt, report, uses } from "../support/script.ts";

const testFile = {
  path: "test/users.test.js",
  content: `import test from "node:test";
import assert from "node:assert";
test("a user that was added is listed", async () => {
  const { createUsers } = await import("../src/users.js");
  const users = createUsers();
  users.add({ name: "Ada" });
  assert.deepEqual(users.list(), [{ id: 1, name: "Ada" }]);
});
`,
};
const codeFile = {
  path: "src/users.js",
  content: `export function createUsers() {
  const all = [];
  return {
    add: ({ name }) => void all.push({ id: all.length + 1, name }),
    list: () => all,
  };
}
`,
};

const solution = {
  title: "A REST API for users",
  architecture: "A store of users behind an HTTP server.",
  confidence: 0.9,
  files: [
    { path: codeFile.path, role: "code", change: "new" },
    { path: "src/server.js", role: "code", change: "new" },
    { path: testFile.path, role: "test", change: "new" },
  ],
  verification: { kind: "tests", command: "node --test" },
};
const server = { path: "src/server.js", content: 'export { createUsers } from "./users.js";\n' };
const sure = ["requirements", "technical_approach", "implementation_details"].map((area) => ({
  area,
  score: 0.95,
  evidence: [{ kind: "user", ref: "storage" }],
}));

const replies = {
  [`${firstKey}/turn-1`]: report("Nothing says where users are kept.", {
    scores: [{ name: "ambiguity", value: 0.5 }],
    questions: [{ id: "storage", question: "Where are users kept?", options: ["in memory", "in a file"] }],
  }),
  "requirements-clarification/2/controller/turn-1": report(
    "Users are kept in memory.",
    { confidence: sure, solution },
    { type: "present_solution" },
  ),
  "implementation/1/1-test_generator/turn-1": uses(["write_file", testFile], ["run_tests", {}]),
  "implementation/1/1-test_generator/turn-2": report("One test is written, and it fails."),
  "implementation/2/1-tdd_flow_controller/turn-1": uses(
    ["write_file", codeFile],
    ["write_file", server],
    ["run_tests", {}],
  ),
  "implementation/2/1-tdd_flow_controller/turn-2": report("The test passes."),
  "implementation/3/1-code_reviewer/turn-1": report("Nothing to fix."),
  "implementation/3/2-security_scanner/turn-1": report("Nothing found."),
  "implementation/3/3-simplicity_checker/turn-1": report("Plain.", { scores: [{ name: "simplicity", value: 2 }] }),
};

test("in an empty folder an API is built test first with the defaults, and the command is remembered", async () => {
  const place = placeWith({});
  const replay = recordingAt(place.beside, replies);
  const caller = callerAt(place.workspace, place.env);
  const ask = (name: string, input: object) => operate(name, { replay, permission: "edits", ...input }, caller);
  const asked = await ask("new", { task: "Build a REST API for user management", trust: true });
  expect(asked.data).toMatchObject({ ending: { type: "needs_answers" }, tests: { command: null } });
  const presented = await ask("answer", { chain: "1", answers_given: ["storage=in memory"] });
  expect(presented.data["ending"]).toMatchObject({ type: "needs_approval" });
  expect(JSON.stringify(presented.data)).toContain("node --test (made by this solution)");
  const done = await ask("approve", { chain: "1", hash: presented.data["solution_hash"] });
  expect(done.data).toMatchObject({
    ending: { type: "completed" },
    tests: { command: "node --test", found_in: "made by this solution", confirmed: true },
    test_runs: [{ verdict: "red" }, { verdict: "green" }],
  });
  expect(existsSync(join(place.workspace, codeFile.path))).toBe(true);
  const state = join(place.env["XDG_STATE_HOME"] ?? join(place.env["HOME"] ?? "", ".local/state"), "claude-exec");
  const remembered = Object.values(JSON.parse(readFileSync(join(state, "test_commands.json"), "utf8")) as object);
  expect(remembered).toEqual([{ argv: ["node", "--test"], config: [], at: expect.any(Number) as number }]);
  const next = await ask("new", { task: "Build a REST API for user management" });
  expect(next.data["tests"]).toMatchObject({
    command: "node --test",
    found_in: expect.stringMatching(/^the command you confirmed on \d+ \w+$/) as string,
  });
});
