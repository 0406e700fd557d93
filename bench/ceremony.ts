import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { readRecording, type Recording } from "../src/models/recorded.ts";
import { replayHandler, startMessagesServer, type Handler } from "../test/models/messages-server.ts";
import { fillerLine } from "./filler.ts";
import type { Table } from "./measure.ts";

/** A trial with a thinking model, kept without what other people wrote (scripts/record-trial.ts). */
export interface RecordedTrial {
  readonly title: string;
  readonly date: string;
  /** What an ordinary agent needed for the same task, answered by the same kind of model. */
  readonly agent: { readonly calls: number; readonly usd: number } | null;
  /** What the person said, as commands. */
  readonly commands: readonly (readonly string[])[];
  /** Answers to questions of the model, by the question's id. */
  readonly answers: Readonly<Record<string, string>>;
  readonly tests: RecordedTests | null;
  /** A line is its text made unreadable, or its length. */
  readonly files: Record<string, readonly (number | string)[]>;
  readonly replies: Record<string, unknown>;
}

/** How many tests passed before, which ones failed without the code, the files of code that decide, and those of tests. */
interface RecordedTests {
  readonly passed: number;
  readonly red: readonly string[];
  readonly code: readonly string[];
  readonly written: readonly string[];
}

/** What a trial comes to with today's requests. */
export interface Ceremony {
  readonly calls: number;
  readonly tokens: { input: number; cacheRead: number; cacheWrite: number; output: number };
  readonly usd: number;
}

/** What the program prints with --json, as far as it is needed here. */
interface Answer {
  readonly ending?: {
    readonly type: string;
    readonly presented?: { readonly hash: string };
    readonly request?: { readonly id: string };
  };
  readonly error?: unknown;
}

export const trialsFolder = join(import.meta.dirname, "trials");
const program = join(import.meta.dirname, "..", "bin", "claude-exec.js");
/** Dollars for a million tokens. */
const price = { input: 5, cacheRead: 0.5, cacheWrite5m: 6.25, cacheWrite1h: 10, output: 25 };

export async function bench(): Promise<Table> {
  const rows: (string | number)[][] = [];
  const limits: { what: string; value: number; most: number }[] = [];
  for (const name of recordedTrials()) {
    const trial = readTrial(name);
    const { calls, tokens, usd } = await replayTrial(trial);
    const { input, cacheRead, cacheWrite, output } = tokens;
    const agent = trial.agent ? `${trial.agent.calls} calls, $${trial.agent.usd.toFixed(2)}` : "–";
    rows.push([trial.title, calls, input, cacheRead, cacheWrite, output, `$${usd.toFixed(2)}`, agent]);
    const most = limitsOf[name];
    if (most) limits.push({ what: `calls of ${name}`, value: calls, most: most.calls });
    if (most) limits.push({ what: `dollars of ${name}`, value: Number(usd.toFixed(2)), most: most.usd });
  }
  return {
    title: "Recorded trials: what the same replies cost with today's requests",
    columns: ["task", "calls", "input", "cache read", "cache written", "output", "at $5/$25", "an ordinary agent"],
    rows,
    limits,
    notes: [
      "The replies are those of a thinking model in a trial (bench/trials.md). The project's own text is replaced by filler of the same length.",
      "Tokens are counted by the test server at four characters a token, with the provider's documented rules of caching.",
    ],
  };
}

/** The calls of the trial, and its dollars with some room: whoever needs more than that has to say why. */
export const limitsOf: Readonly<Record<string, { calls: number; usd: number }>> = {
  "cachetools-resize": { calls: 14, usd: 0.92 },
  "commander-deprecated": { calls: 30, usd: 1.6 },
  // Its replies read again what the first step of the implementation shows since.
  "express-problem": { calls: 9, usd: 0.52 },
  "readme-lines": { calls: 5, usd: 0.19 },
};

export function recordedTrials(): string[] {
  return readdirSync(trialsFolder)
    .map((file) => file.replace(/\.json$/, ""))
    .sort();
}

export function readTrial(name: string): RecordedTrial {
  return JSON.parse(readFileSync(join(trialsFolder, `${name}.json`), "utf8")) as RecordedTrial;
}

export async function replayTrial(trial: RecordedTrial): Promise<Ceremony> {
  const folder = mkdtempSync(join(tmpdir(), "claude-exec-ceremony-"));
  const recording = join(folder, "recording.json");
  const { replies } = trial;
  writeFileSync(
    recording,
    JSON.stringify({
      format: 1,
      model: "claude-opus-5-5",
      recorded_at: `${trial.date}T12:00:00.000Z`,
      note: "",
      replies,
    }),
  );
  const server = await startMessagesServer(withoutUsage(replayHandler(recording)));
  try {
    const project = join(folder, "project");
    await layOut(trial, project);
    const record = join(folder, "record.json");
    const answers = join(folder, "answers.json");
    writeFileSync(answers, JSON.stringify(trial.answers));
    const env = {
      ANTHROPIC_BASE_URL: server.url,
      ANTHROPIC_API_KEY: "any",
      HOME: folder,
      XDG_CONFIG_HOME: join(folder, "config"),
      XDG_STATE_HOME: join(folder, "state"),
    };
    const settings = join(folder, "config", "claude-exec", "config.json");
    mkdirSync(dirname(settings), { recursive: true });
    writeFileSync(settings, JSON.stringify({ permissions: { mode: "edits", unsandboxed: true } }));
    let last: Answer = {};
    const run = async (...words: string[]) => {
      const flags = ["--json", "--trust", "--record", record, "--answers", answers];
      const { stdout, stderr } = await execa(process.execPath, [program, ...words, ...flags], {
        cwd: project,
        env,
        reject: false,
      });
      last = JSON.parse(stdout) as Answer;
      if (last.ending?.type === "failed" || last.error) throw new Error(`${words.join(" ")}:\n${stdout}\n${stderr}`);
    };
    for (const command of trial.commands) {
      const tests = command[0] === "new" && trial.tests ? ["--test-command", "node run-tests.mjs"] : [];
      const hash = command[0] === "approve" ? [last.ending?.presented?.hash ?? ""] : [];
      await run(...command, ...hash, ...tests);
      while (last.ending?.request) await run("allow", "001", last.ending.request.id);
    }
    if (last.ending?.type !== "completed")
      throw new Error(`The trial "${trial.title}" no longer comes to its end:\n${JSON.stringify(last)}`);
    return ceremonyOf(readRecording(record)?.replies ?? {});
  } finally {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Left out, the server says what its own cache comes to. */
function withoutUsage(replay: Handler): Handler {
  return async (request) => {
    const script = await replay(request);
    if (script.type !== "reply") return script;
    const { usage: _, ...reply } = script;
    return reply;
  };
}

function ceremonyOf(replies: Recording["replies"]): Ceremony {
  const usages = Object.values(replies)
    .flat()
    .flatMap(({ usage }) => (usage ? [usage] : []));
  const sum = (kind: keyof typeof price) => usages.reduce((total, usage) => total + usage[kind], 0);
  const kinds = Object.keys(price) as (keyof typeof price)[];
  return {
    calls: Object.values(replies).flat().length,
    tokens: {
      input: sum("input"),
      cacheRead: sum("cacheRead"),
      cacheWrite: sum("cacheWrite5m") + sum("cacheWrite1h"),
      output: sum("output"),
    },
    usd: kinds.reduce((total, kind) => total + (sum(kind) * price[kind]) / 1_000_000, 0),
  };
}

export async function layOut({ files, tests }: RecordedTrial, project: string): Promise<void> {
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(project, path)), { recursive: true });
    writeFileSync(join(project, path), text);
  };
  for (const [path, lines] of Object.entries(files)) write(path, textOf(lines));
  write(".gitignore", "node_modules/\n.claude-exec/\n");
  // Commands of the trial find nothing installed here, and must not wait for a network either.
  write(".npmrc", "offline=true\n");
  if (tests) {
    const before = [...tests.code, ...tests.written].map((path) => [path, textOf(files[path] ?? [])]);
    write("before.json", JSON.stringify(Object.fromEntries(before)));
    write("run-tests.mjs", testRunner(tests));
  }
  for (const args of [
    ["init", "-q"],
    ["add", "-A"],
    ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a"],
  ])
    await execa("git", args, { cwd: project });
}

function textOf(lines: readonly (number | string)[]): string {
  return lines.map((line) => (typeof line === "number" ? fillerLine(line) : line)).join("\n");
}

/** Once the files of tests differ, the named tests fail for as long as the code is as it was. */
function testRunner(tests: RecordedTests): string {
  return `import { existsSync, readFileSync } from "node:fs";
const { passed, red, code, written } = ${JSON.stringify(tests)};
const isAsBefore = (path) => (existsSync(path) ? readFileSync(path, "utf8") : "") === (before[path] ?? "");
const before = JSON.parse(readFileSync("before.json", "utf8"));
const isTested = !written.every(isAsBefore);
const isRed = isTested && code.every(isAsBefore);
console.log("TAP version 13");
let number = 0;
for (let test = 1; test <= passed; test++) console.log(\`ok \${++number} - test \${test}\`);
if (isTested) for (const name of red) console.log(\`\${isRed ? "not ok" : "ok"} \${++number} - \${name}\`);
console.log(\`1..\${number}\`);
process.exitCode = isRed ? 1 : 0;
`;
}
