// Renews the usage figures of examples/recordings/jwt.json. Each of its replies is asked for over HTTP, from the test
// server that emulates the provider's prompt cache: so what the demo prints is what today's request layout would cost.
// Run it after a change of requests, prompts or replies: node scripts/record-rehearsal.ts
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { readRecording, type Recording } from "../src/models/recorded.ts";
import { replayHandler, startMessagesServer, type Handler } from "../test/models/messages-server.ts";

const root = join(import.meta.dirname, "..");
const recordingPath = join(root, "examples", "recordings", "jwt.json");
const answers = JSON.parse(readFileSync(join(root, "examples", "recordings", "jwt.answers.json"), "utf8")) as object;

/** Together they come past every reply there is. A reply's figures are those of the first way that needs it. */
const ways = [
  [],
  ["ask", "ask", "ask", "ask", "ask"],
  ["change", "ask", "ask"],
  ["reject", "reject", "reject"],
  ["change", "reject", "reject"],
];

const replay = replayHandler(recordingPath);
const server = await startMessagesServer(withoutUsage);
const temporary = mkdtempSync(join(tmpdir(), "claude-exec-rehearsal-"));
try {
  const figures: Recording["replies"] = {};
  for (const [index, detours] of ways.entries()) {
    const fresh = await take(detours, join(temporary, String(index)));
    for (const [key, replies] of Object.entries(fresh)) figures[key] ??= replies;
  }
  write(figures);
} finally {
  await server.close();
  rmSync(temporary, { recursive: true });
}

/** Left out, the server says what its own cache comes to. */
async function withoutUsage(request: Parameters<Handler>[0]): Promise<Awaited<ReturnType<Handler>>> {
  const script = await replay(request);
  if (script.type !== "reply") return script;
  const { usage: _, ...reply } = script;
  return reply;
}

/** A chain on a copy of the app: to its end without detours, otherwise to the solution presented once more. */
async function take(detours: readonly string[], folder: string): Promise<Recording["replies"]> {
  const app = join(folder, "app");
  const record = join(folder, "record.json");
  const known = join(folder, "answers.json");
  cpSync(join(root, "examples", "session-app"), app, { recursive: true });
  const differ = [1, 2, 3, 4, 5].map((n) => [
    n === 1 ? "what_should_differ" : `what_should_differ_${n}`,
    "It is too much.",
  ]);
  writeFileSync(known, JSON.stringify({ ...answers, ...Object.fromEntries(differ) }));
  const claudeExec = async (...words: string[]) => {
    const flags = ["--json", "--trust", "--permission=edits", "--unsandboxed", "--record", record, "--answers", known];
    const env = {
      ANTHROPIC_BASE_URL: server.url,
      ANTHROPIC_API_KEY: "any",
      XDG_CONFIG_HOME: join(folder, "config"),
      XDG_STATE_HOME: join(folder, "state"),
    };
    const ran = await execa(process.execPath, [join(root, "bin", "claude-exec.js"), ...words, ...flags], {
      cwd: app,
      env,
      reject: false,
    });
    const ending = ran.exitCode === 0 ? "completed" : "needs_approval";
    const answer = JSON.parse(ran.stdout) as { ending?: { type: string }; cost?: { usd: number; tokens: number } };
    if (answer.ending?.type !== ending) throw new Error(`${words.join(" ")} went wrong:\n${ran.stdout}\n${ran.stderr}`);
    return answer;
  };
  const policy = detours.length === 0 ? ["--approve-policy", "auto"] : [];
  const { cost } = await claudeExec("new", "Add JWT authentication to my app", ...policy);
  for (const detour of detours) await claudeExec(detour, "001", "How do we handle logout?");
  const replies = readRecording(record)?.replies ?? {};
  const calls = Object.keys(replies).length;
  if (detours.length === 0) console.log(`${calls} calls, ${cost?.tokens} tokens, $${cost?.usd.toFixed(4)}`);
  return replies;
}

function write(figures: Recording["replies"]): void {
  const recording = JSON.parse(readFileSync(recordingPath, "utf8")) as {
    replies: Record<string, Record<string, unknown>>;
  };
  for (const [key, reply] of Object.entries(recording.replies)) {
    const [figure] = figures[key] ?? [];
    if (!figure) throw new Error(`No way comes past ${key}: nothing was written.`);
    reply["usage"] = figure.usage;
    if (figure.model) reply["model"] = figure.model;
    else delete reply["model"];
  }
  writeFileSync(recordingPath, `${JSON.stringify(recording, null, 2)}\n`);
}
