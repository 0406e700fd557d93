import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startMessagesServer, stepOf, type Request } from "../models/messages-server.ts";
import { placeWith, type Place } from "../support/cli.ts";
import { action, firstKey, report, uses } from "../support/script.ts";
import { quickApp, runs, tiny, tinyWay } from "../support/ways.ts";
import { recordingAt } from "../support/script.ts";
import { replayHandler } from "../models/messages-server.ts";

function writePrompt({ home }: Place, path: string, text: string | Uint8Array): string {
  const file = join(home, "prompts", path);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, text);
  return file;
}

const promptText = (body: string, tools = "read") =>
  `---\npurpose: Maps components\ncost_estimate: low\ntools: ${tools}\n---\n${body}\n`;

const messages = (requests: readonly Request[]) => requests.filter(({ path }) => path.endsWith("/messages"));
const wordingIn = ({ body }: Request) => {
  const wordings = JSON.stringify(body.messages).match(/The \w+ wording/g);
  return [stepOf(body).key, wordings?.at(-1)];
};

test("a prompt edited after a crash: the open tool loop goes on from the frozen bytes, the next step takes the edited one", async () => {
  const place = placeWith(quickApp);
  const file = writePrompt(place, "discovery/component_mapper.md", promptText("The first wording."));
  const step = "requirements-clarification/2/1-component_mapper";
  const next = "requirements-clarification/3/1-component_mapper";
  const recording = recordingAt(place.beside, {
    [`${firstKey}/turn-1`]: runs("component_mapper"),
    [`${step}/turn-1`]: uses(["read_file", { path: "src/sum.js" }]),
    [`${step}/turn-2`]: uses(["list_files", {}]),
    [`${step}/turn-3`]: report("One module."),
    "requirements-clarification/3/controller/turn-1": runs("component_mapper"),
    [`${next}/turn-1`]: uses(["read_file", { path: "src/sum.js" }]),
    [`${next}/turn-2`]: report("Still one module."),
    "requirements-clarification/4/controller/turn-1": action("I ask.", {
      type: "ask_user",
      questions: [{ id: "api_name", question: "What is it called?" }],
    }),
  });
  const replay = replayHandler(recording);
  const server = await startMessagesServer((request) => {
    if (messages(server.requests).length !== 3) return replay(request);
    begun.child.kill("SIGKILL");
    return { type: "hang" };
  });
  const env = { ANTHROPIC_API_KEY: "sk-test", ANTHROPIC_BASE_URL: server.url };
  const begun = place.start(tiny, { env });
  expect((await begun.ended).code).toBe("SIGKILL");
  writePrompt(place, "discovery/component_mapper.md", promptText("The second wording.", "none"));
  expect((await place.run(["resume", "1"], { env })).code).toBe(10);
  await server.close();

  const sent = messages(server.requests);
  expect(sent[3]?.body).toEqual(sent[2]?.body);
  expect(sent.map(wordingIn)).toEqual([
    [firstKey, undefined],
    [step, "The first wording"],
    [step, "The first wording"],
    [step, "The first wording"],
    [step, "The first wording"],
    ["requirements-clarification/3/controller", "The first wording"],
    [next, "The second wording"],
    [next, "The second wording"],
    ["requirements-clarification/4/controller", "The second wording"],
  ]);
  const answers = place
    .journal()
    .flatMap((line) => (line.type === "result" && line.effect === "tool" ? [[line.tool, line.is_error]] : []));
  expect(answers).toEqual([
    ["read_file", false],
    ["list_files", false],
    ["read_file", true],
  ]);
  expect(place.context()["cost_tracking"]).toMatchObject({ unknown_calls: 1 });
  expect(existsSync(file)).toBe(true);
});

test("broken prompts are named with their problem, run nothing, and do not harm a chain that has no use for them", async () => {
  const place = placeWith(quickApp);
  const proof = join(place.beside, "executed");
  const files = {
    yaml: writePrompt(place, "discovery/bad_yaml.md", "---\npurpose: [open\n---\nText.\n"),
    plain: writePrompt(place, "discovery/no_front_matter.md", "Only text.\n"),
    javascript: writePrompt(
      place,
      "discovery/evil_script.md",
      `---js\nrequire("node:fs").writeFileSync(${JSON.stringify(proof)}, "")\n---\nText.\n`,
    ),
    huge: writePrompt(place, "discovery/too_long.md", promptText("x".repeat(5_000_000))),
    bytes: writePrompt(place, "discovery/not_text.md", Uint8Array.from([0x2d, 0x2d, 0x2d, 0x0a, 0xff, 0xfe])),
  };
  writePrompt(place, "discovery/with_mark.md", `\uFEFF${promptText("Text with a byte order mark.")}`);
  writePrompt(place, "discovery/with_crlf.md", promptText("Text from Windows.").replaceAll("\n", "\r\n"));
  expect((await place.run(["trust"])).code).toBe(0);

  const listed = await place.run(["prompts", "list", "--folder", "discovery"]);
  expect(listed.code).toBe(0);
  expect(listed.stdout.split("\n").filter((line) => line.includes("(workspace)"))).toEqual([
    expect.stringMatching(/^ {2}with_crlf +Maps components {2}\(workspace\)$/),
    expect.stringMatching(/^ {2}with_mark +Maps components {2}\(workspace\)$/),
  ]);
  const problems = listed.stdout.slice(listed.stdout.indexOf("!")).trimEnd().split("\n");
  expect(problems).toEqual([
    expect.stringMatching(new RegExp(`^! ${files.yaml}:\\d+: `)),
    "  Mend the YAML between the two lines of ---.",
    `! ${files.javascript}:1: "js" is not read, only YAML`,
    "  Make the first line ---.",
    `! ${files.plain}:1: purpose: is missing`,
    "  Fix it between the two lines of ---.",
    `! ${files.bytes}:1: the file is not UTF-8 text`,
    "  Put a plain file of UTF-8 text here that you may read, of at most 300 KB.",
    `! ${files.huge}:1: the file is longer than 300 KB`,
    "  Put a plain file of UTF-8 text here that you may read, of at most 300 KB.",
  ]);
  expect((await place.run([...tiny, place.replay(tinyWay), "--approve-policy=auto"])).code).toBe(0);
  expect(existsSync(proof)).toBe(false);
});

test("a model that names a broken prompt is told that there is none", async () => {
  const place = placeWith(quickApp);
  writePrompt(place, "discovery/bad_yaml.md", "---\npurpose: [open\n---\nText.\n");
  const looked = "requirements-clarification/2/controller";
  const ran = await place.run([
    ...tiny,
    "--approve-policy=auto",
    place.replay({
      ...tinyWay,
      [`${firstKey}/turn-1`]: runs("bad_yaml"),
      [`${looked}/turn-1`]: tinyWay[`${firstKey}/turn-1`],
    }),
  ]);
  expect(ran.code).toBe(0);
  expect(place.events("gate_refused")).toMatchObject([
    { to: "run_prompts", reasons: ['There is no prompt "bad_yaml". Use a name from the catalogue.'] },
  ]);
});

test("a prompt that breaks before its turn pauses the chain with the file's name, and once mended the chain goes on", async () => {
  const place = placeWith(quickApp);
  const file = writePrompt(place, "design/tdd_flow_controller.md", "---\npurpose: [open\n---\nText.\n");
  const replay = place.replay(tinyWay);
  const ran = await place.run([...tiny, replay, "--approve-policy=auto"]);
  expect({ code: ran.code, stdout: ran.stdout, end: ran.stderr.split("\n").slice(-4) }).toEqual({
    code: 1,
    stdout: "",
    end: [
      expect.stringMatching(new RegExp(`^${file}:\\d+: `)) as string,
      "Mend the YAML between the two lines of ---.",
      `Everything before is kept. Then go on: claude-exec resume 001 ${replay.replace("=", " ")}`,
      "",
    ],
  });
  writeFileSync(file, promptText("Write the test, then the code.", "run"));
  expect((await place.run(["resume", "1", replay, "--approve-policy=auto"])).code).toBe(0);
});
