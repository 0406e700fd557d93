import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { execa } from "execa";
import { afterEach, expect, test } from "vitest";
import { packageFolder } from "../../src/session/places.ts";
import { startMessagesServer, type Request, type Script } from "../models/messages-server.ts";
import { placeWith, type Place } from "../support/cli.ts";
import { lacking, program, unless } from "../support/real_claude.ts";
import { temporaryFolder } from "../support/temporary.ts";
import { quickApp, tiny, tinyWay } from "../support/ways.ts";

/** The real Claude Code with our skills in a project, in front of a server of ours that plays its model. */
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

/** A project whose chain waits for approval, with the skills put in. */
async function project(): Promise<Place> {
  const place = placeWith(quickApp);
  await place.run([...tiny, place.replay(tinyWay)]);
  await place.run(["install", "claude"]);
  return place;
}

async function inClaude(place: Place, argv: readonly string[], answer: (request: Request, number: number) => Script) {
  let number = 0;
  const server = await startMessagesServer((request) => answer(request, ++number), { strict: false });
  open.push(server);
  const bin = join(place.beside, "bin");
  mkdirSync(bin, { recursive: true });
  const own = join(bin, "claude-exec");
  writeFileSync(own, `#!/bin/sh\nexec "${process.execPath}" "${join(packageFolder, "bin", "claude-exec.js")}" "$@"\n`);
  chmodSync(own, 0o755);
  const home = join(place.beside, "claude");
  mkdirSync(home, { recursive: true });
  const { stdout, stderr, exitCode } = await execa(program, argv, {
    stdin: "ignore",
    extendEnv: false,
    reject: false,
    cwd: place.workspace,
    env: {
      ...place.env,
      CLAUDE_CONFIG_DIR: home,
      TMPDIR: home,
      PATH: `${bin}${delimiter}${place.env["PATH"]}`,
      ANTHROPIC_BASE_URL: server.url,
      ANTHROPIC_API_KEY: "any",
      CLAUDE_CODE_MAX_RETRIES: "0",
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      DISABLE_AUTOUPDATER: "1",
    },
    timeout: 120_000,
  });
  if (exitCode !== 0) throw new Error(`${stdout}\n${stderr}`);
  return { stdout, asked: server.requests.map(({ body }) => JSON.stringify(body)) };
}

const says = (text: string): Script => ({ type: "reply", content: [{ type: "text", text }] });
const runs = (command: string): Script => ({
  type: "reply",
  content: [{ type: "tool_use", id: "toolu_1", name: "Bash", input: { command, description: "Asks claude-exec" } }],
  stop_reason: "tool_use",
});

test.skipIf(lacking)(`it lists our skills${unless}`, async () => {
  const place = await project();
  const argv = ["-p", "hello", "--output-format", "stream-json", "--verbose"];
  const { stdout } = await inClaude(place, argv, () => says("Hello."));
  const init = JSON.parse(stdout.split("\n")[0] ?? "{}") as { slash_commands?: string[] };
  for (const name of ["chain-new", "uncertainty-check", "present-solution", "implement", "save-pattern"]) {
    expect(init.slash_commands).toContain(name);
  }
});

test.skipIf(lacking)(`/present-solution and /uncertainty-check do their work without a question${unless}`, async () => {
  const place = await project();
  const commands = { "present-solution": "A product beside the sum", "uncertainty-check --only": "confidence" };
  for (const [command, shown] of Object.entries(commands)) {
    const { asked } = await inClaude(place, ["-p", `/${command}`], (request) =>
      JSON.stringify(request.body.messages).includes("tool_result")
        ? says("Shown.")
        : runs(`claude-exec ${command} --json`),
    );
    expect(asked.some((body) => body.includes("Never answer, approve, allow or waive in their place"))).toBe(true);
    const result = asked.find((body) => body.includes("tool_result")) ?? "";
    expect(result).toContain(shown);
    expect(result).not.toContain("requires approval");
  }
});

test.skipIf(lacking)(`a skill does not let it approve in the person's place${unless}`, async () => {
  const place = await project();
  await inClaude(place, ["-p", "/present-solution"], (request) =>
    JSON.stringify(request.body.messages).includes("tool_result")
      ? says("No.")
      : runs("claude-exec approve 001 b6df8ad3b529"),
  );
  expect(place.events("approval_given")).toEqual([]);
});

test.skipIf(lacking)(`a session that is resumed is told where the chain stands${unless}`, async () => {
  const place = await project();
  const first = ["-p", "hello", "--session-id", "11111111-1111-4111-8111-111111111111"];
  await inClaude(place, first, () => says("Hello."));
  const again = ["-p", "go on", "--continue"];
  const { asked } = await inClaude(place, again, () => says("Yes."));
  expect(asked.join()).toContain("Add a product function");
});

test.skipIf(lacking)(`plugin and marketplace pass its own check${unless}`, async () => {
  for (const folder of ["integrations/claude-code/plugin", "integrations/claude-code"]) {
    const env = { ...process.env, CLAUDE_CONFIG_DIR: temporaryFolder(), TMPDIR: temporaryFolder() };
    const ran = await execa(program, ["plugin", "validate", "--strict", folder], {
      env,
      reject: false,
      stdin: "ignore",
    });
    expect([folder, ran.exitCode, ran.stdout]).toEqual([folder, 0, expect.stringContaining("Validation passed")]);
  }
});
