import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { replayHandler, startMessagesServer } from "../../models/messages-server.ts";
import { placeWith, program, type Place, type Ran } from "../../support/cli.ts";
import { firstKey, opening, recordingAt, report, wholeWay, type Replies } from "../../support/script.ts";
import { asksFirst, quickApp, quickTests, task } from "../../support/ways.ts";
import { withPrinted } from "../../support/printed.ts";

// oxlint-disable-next-line no-control-regex
const dangerous = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
const escape = "\x1b";

const closing: (() => Promise<void>)[] = [];
afterAll(() => Promise.all(closing.map((close) => close())));

/** The whole way, gone once in each form of output; each in a place of its own. */
let text: { place: Place; ran: Ran };
let json: { place: Place; ran: Ran };
let stream: { place: Place; ran: Ran };

beforeAll(async () => {
  const go = async (...flags: string[]) => {
    const place = placeWith(quickApp);
    return { place, ran: await place.start(wholeTask(place, place.replay(wholeWay), ...flags)).ended };
  };
  [text, json, stream] = await Promise.all([go(), go("--json"), go("--stream-json")]);
});

function wholeTask(place: Place, ...flags: string[]): string[] {
  return [task, "--trust", quickTests, `--answers=${place.answers}`, "--approve-policy=auto", ...flags];
}

function document({ stdout }: Ran): Record<string, unknown> {
  return JSON.parse(stdout) as Record<string, unknown>;
}

test("in text, stdout holds the result and stderr the story, neither with a control sequence", () => {
  const { place, ran } = text;
  expect(ran.code).toBe(0);
  expect(ran.stdout.replace(/^Time: \d+ s$/m, "Time: 2 s")).toBe(
    [
      "Chain 001 is done. product(a, b) is there, with a test.",
      "",
      "Changed:",
      "  + src/product.js  +1",
      "  + test/product.test.js  +4",
      "Tests: before: the tests pass · the new tests failed first, as planned · now: all pass",
      "",
      "Open:",
      "  ! not checked: known vulnerabilities of dependencies: without a network no advisories are asked for",
      "",
      "Would have cost: $0.25, 112,000 tokens. Details: claude-exec chain-cost 001",
      "Time: 2 s",
      "Look at the changes: claude-exec diff 001",
      "Take them back:      claude-exec rewind 001",
      `Context: ${place.contextFile()}`,
      "Git ignores your chains. Settings, rules and prompts in .claude-exec may be committed.",
      "",
    ].join("\n"),
  );
  const told = ran.stderr.split("\n");
  const fence = told.findIndex((line) => /^ {2}sandbox: (on|OFF) /.test(line));
  expect(fence).toBeGreaterThan(0);
  told.splice(fence, 1);
  expect(ran.stderr.match(/sandbox: /g)).toHaveLength(1);
  const chain = `  Chain 001: ${relative(place.workspace, place.contextFile())}`;
  expect(told.slice(0, 5)).toEqual([
    task,
    "",
    "Requirements clarification",
    chain,
    "  · A new task is clarified first.",
  ]);
  for (const line of ["  ✓ simplicity_checker: Plain."]) {
    expect(told).toContain(line);
  }
  expect(ran.stderr).toMatch(/^Uncertainty analysis · .+^Implementation · /ms);
  expect(ran.stderr).toMatch(/^  \+ src\/product\.js \(code\)  \+\d+$/m);
  expect(ran.stderr).not.toContain("is done");
  expect(ran.stdout + ran.stderr).not.toContain(escape);
});

test("with --json a task answers with one document, and tells nothing else", () => {
  const { place, ran } = json;
  expect(ran).toMatchObject({ code: 0, stderr: "" });
  expect(document(ran)).toMatchObject({
    schema_version: 2,
    chain_id: "001",
    ending: { type: "completed", summary: "product(a, b) is there, with a test." },
    context_file: place.contextFile(),
  });
});

test("with --stream-json the journal's lines come as they are written, and the answer last", () => {
  const { place, ran } = stream;
  expect(ran).toMatchObject({ code: 0, stderr: "" });
  const lines = ran.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines.slice(0, -1)).toEqual(place.journal());
  expect(lines.at(-1)).toMatchObject({ type: "answer", schema_version: 2, ending: { type: "completed" } });
});

test.each([
  ["status", { schema_version: 2, all: false, chains: [{ chain_id: "001", status: { state: "completed" } }] }],
  ["status all", { schema_version: 2, all: true, chains: [{ chain_id: "001" }] }],
  ["chain-cost 1", { schema_version: 2, chain_id: "001", calls: 20, tokens: 112_000 }],
  ["prompts list", { schema_version: 2, problems: [] }],
  ["prompts show code-reviewer", { schema_version: 2, name: "code_reviewer", tokens: expect.any(Number) as number }],
  ["trust", { schema_version: 2 }],
])("%s --json answers with one document", async (words, expected) => {
  const ran = await json.place.run([...words.split(" "), "--json"]);
  expect(ran).toMatchObject({ code: 0, stderr: "" });
  expect(document(ran)).toMatchObject(expected);
  const flag = await json.place.run(["--json", ...words.split(" ")]);
  expect(flag.stdout).toBe(ran.stdout);
});

test("doctor says with its exit code whether a task could be begun", async () => {
  const without = await json.place.run(["doctor", "--json"]);
  expect(without).toMatchObject({ code: 78, stderr: "" });
  expect(document(without)["checks"]).toContainEqual(expect.objectContaining({ what: "model", ok: "no" }));
  const withKey = await json.place.run(["doctor", "--json"], { env: { ANTHROPIC_API_KEY: "sk-secret" } });
  expect(withKey).toMatchObject({ code: 0, stderr: "" });
  expect(document(withKey)["checks"]).toContainEqual(expect.objectContaining({ what: "model", ok: "yes" }));
  expect(withKey.stdout).not.toContain("sk-secret");
});

test.each([
  [["stauts"], 64, "unknown_command", 'There is no command "stauts".'],
  [["status", "--bogus"], 64, "wrong_usage", "Unknown option '--bogus'."],
  [["new"], 64, "wrong_usage", "<task> is missing."],
  [["status", "9"], 1, "no_chain", "No chain 9."],
  [["chain-cost", "9"], 1, "no_chain", "No chain 009."],
  [["prompts", "show", "code_reviewr"], 1, "unknown_prompt", 'No prompt is called "code_reviewr".'],
  [["resume", "1"], 78, "no_model", "There is no model to think with. Nothing was begun."],
  [["resume", "1", "--replay", "none.json"], 1, "no_recording", "There is no recording none.json."],
  [
    ["status", "--home", "/nowhere/at/all"],
    64,
    "no_folder",
    "The home /nowhere/at/all cannot be: there is no folder /nowhere/at.",
  ],
  [
    ["doctor", "--home", "/nowhere/at/all"],
    64,
    "no_folder",
    "The home /nowhere/at/all cannot be: there is no folder /nowhere/at.",
  ],
])("%j fails in words on stderr, or as one document on stdout", async (argv, code, name, message) => {
  const { place } = text;
  const plain = await place.run(argv);
  const [first, ...hint] = plain.stderr.trimEnd().split("\n");
  expect([plain.code, plain.stdout, first]).toEqual([code, "", message]);
  expect(hint.length).toBeGreaterThan(0);
  for (const flag of ["--json", "--stream-json"]) {
    const told = await place.run([...argv, flag]);
    expect([told.code, told.stderr]).toEqual([code, ""]);
    const { schema_version, error } = document(told) as { schema_version: number; error: object };
    expect([schema_version, withPrinted(error)]).toEqual([2, { code: name, message, hint: hint.join("\n") }]);
  }
});

test("help goes to stdout and is no error", async () => {
  for (const argv of [["--help"], ["help"], ["/help"]]) {
    const ran = await text.place.run(argv);
    expect([ran.code, ran.stderr]).toEqual([0, ""]);
    expect(ran.stdout).toContain("\nCommands\n  new ");
  }
  expect((await text.place.run(["prompts", "show", "--help"])).stdout).toMatch(
    /^claude-exec prompts show <name> \[flags\]\n/,
  );
});

test("without a terminal no session opens: that is wrong usage", async () => {
  const ran = await text.place.run([]);
  expect(ran).toEqual({
    code: 64,
    stdout: "",
    stderr: expect.stringContaining("Commands: claude-exec --help") as string,
  });
  expect((await text.place.run(["--json"])).code).toBe(64);
});

test("a reader that goes away ends the program quietly", async () => {
  const { place } = text;
  for (const argv of [
    ["prompts", "list"],
    ["prompts", "list", "--json"],
    ["stauts", "--json"],
  ]) {
    const { child, ended } = place.start(argv);
    child.stdout?.destroy();
    const { code, stderr } = await ended;
    expect([code === 64 ? 0 : code, stderr]).toEqual([0, ""]);
  }
});

test("a reader that goes away in the middle of a task loses nothing that was journalled", async () => {
  const place = placeWith(quickApp);
  const replay = place.replay(wholeWay);
  const { child, ended } = place.start(wholeTask(place, replay, "--stream-json"));
  child.stdout?.once("data", () => child.stdout?.destroy());
  expect(await ended).toMatchObject({ code: 130, stderr: "" });
  const resumed = await place.run(["resume", "1", replay, `--answers=${place.answers}`, "--approve-policy=auto"]);
  expect(resumed.stdout).toContain("Chain 001 is done.");
});

const hasScript = process.platform === "linux" && spawnSync("script", ["--version"]).status === 0;
if (!hasScript) console.warn("script (of util-linux) is not there: output on a terminal is not tried.");

/** What is seen on a terminal, with nobody at the keyboard. */
function onTerminal(place: Place, argv: readonly string[], env: Record<string, string>): string {
  const command = [process.execPath, program, ...argv].map((word) => `'${word}'`).join(" ");
  const all = { ...place.env, TERM: "xterm-256color", ...env };
  const ran = spawnSync("script", ["-qec", `${command} </dev/null`, "/dev/null"], {
    cwd: place.workspace,
    env: all,
    encoding: "utf8",
  });
  return ran.stdout;
}

test.skipIf(!hasScript)(
  "on a terminal there are colours and live lines; NO_COLOR and ACCESSIBLE take them away",
  () => {
    const seen = (env: Record<string, string>, ...flags: string[]) => {
      const place = placeWith(quickApp);
      return onTerminal(place, [task, "--trust", place.replay(asksFirst), ...flags], env);
    };
    // oxlint-disable-next-line no-control-regex
    const colour = /\x1b\[[0-9;]*m/;
    const plain = seen({});
    expect(plain).toMatch(colour);
    expect(plain).toContain("\x1b[?2026h");
    const colourless = seen({ NO_COLOR: "1" });
    expect(colourless).not.toMatch(colour);
    expect(colourless).toContain("\x1b[?2026h");
    for (const still of [seen({ ACCESSIBLE: "1" }), seen({ TERM: "dumb" }), seen({}, "--plain")]) {
      expect(still).toContain("  ✓ requirement_disambiguator: I ask.");
      expect(still).toContain("Chain 001 waits for answers:");
      expect(still).not.toContain(escape);
    }
  },
);

const hostile = "say\x1b]0;title\x07\x1b[2J\u009b31m\u202eexe\u2066\u2069\r\b";
const hostileWay: Replies = {
  [`${firstKey}/turn-1`]: opening(hostile, {
    type: "run_prompts",
    prompts: [{ name: "component_mapper", inputs: [] }],
  }),
  "requirements-clarification/2/1-component_mapper/turn-1": report(hostile, {
    scores: [{ name: "ambiguity", value: 0.5 }],
    account: hostile,
    findings: [{ id: hostile, severity: "blocking", where: hostile, what: hostile, trigger: hostile }],
    questions: [
      { id: "a", question: hostile, why: hostile, options: [hostile] },
      { id: "b", question: `2${hostile}` },
      { id: "c", question: `3${hostile}` },
    ],
  }),
};

test.each(["--plain", "--json", "--stream-json"])(
  "control sequences and turned text of a model never reach the terminal, with %s",
  async (flag) => {
    const place = placeWith(quickApp);
    const ran = await place.run([task, "--trust", place.replay(hostileWay), flag]);
    expect(ran.code).toBe(10);
    expect(ran.stdout).toContain("say");
    expect(ran.stdout).not.toMatch(dangerous);
    expect(ran.stderr).not.toMatch(dangerous);
  },
);

test("as JSON nothing of such text is lost", async () => {
  const place = placeWith(quickApp);
  const { ending } = document(await place.run([task, "--trust", place.replay(hostileWay), "--json"]));
  expect(ending).toMatchObject({ questions: [{ question: hostile, why: hostile, options: [hostile] }, {}, {}] });
});

test("a run that was recorded is played again to the same end, and its key is written nowhere", async () => {
  const key = "sk-ant-a-key-that-nobody-may-see";
  const live = placeWith(quickApp);
  const server = await startMessagesServer(replayHandler(recordingAt(live.beside, wholeWay)));
  closing.push(server.close);
  const env = { ANTHROPIC_API_KEY: key, ANTHROPIC_BASE_URL: server.url, CLAUDE_EXEC_LOG: "debug" };
  const recording = join(live.beside, "recorded.json");
  const recorded = await live.run(wholeTask(live, `--record=${recording}`, "--stream-json"), { env });
  expect([recorded.code, recorded.stderr]).toEqual([0, ""]);
  expect(new Set(server.requests.map(({ headers }) => headers.authorization))).toEqual(new Set([`Bearer ${key}`]));

  const again = placeWith(quickApp);
  const replayed = await again.run(wholeTask(again, `--replay=${recording}`, "--stream-json"));
  expect(end(replayed)).toEqual(end(recorded));
  expect(readFileSync(join(again.workspace, "src/product.js"), "utf8")).toBe(
    readFileSync(join(live.workspace, "src/product.js"), "utf8"),
  );

  const files = [...filesBelow(live.workspace), ...filesBelow(live.beside)];
  const log = files.find((path) => path.endsWith("claude-exec.log")) ?? "";
  expect(readFileSync(log, "utf8")).toContain(`${server.url}/v1/messages`);
  expect(files.filter((path) => readFileSync(path).includes(key))).toEqual([]);
  expect(recorded.stdout + recorded.stderr).not.toContain(key);
});

/** The answer at the end of a stream, without what differs from place to place and from run to run. */
function end({ stdout }: Ran): Record<string, unknown> {
  const document = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as Record<string, unknown>;
  const { context_file, durations, ...answer } = document;
  expect([typeof context_file, typeof durations]).toEqual(["string", "object"]);
  return answer;
}

function filesBelow(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return names.map((name) => join(folder, name)).filter((path) => statSync(path).isFile());
}
