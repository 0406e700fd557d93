import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { ChainEvent, ChainLine, EventNamed } from "../../src/chain/events.ts";
import { commandLine } from "./command_line.ts";
import { expectPromisedForm } from "./documents.ts";
import { folderWith, recordingAt, wholeWayAnswers, type Replies } from "./script.ts";
import { temporaryFolder } from "./temporary.ts";

export interface Ran {
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
  readonly child: ChildProcess;
  /** Resolves once the program has said this on stderr; rejects when it ends before. */
  said(text: string): Promise<void>;
  readonly ended: Promise<Ran>;
}

/** A workspace with a user of its own: nothing of this machine's settings reaches the program. */
export interface Place {
  readonly workspace: string;
  /** Beside the workspace: recordings, answers, the user's folders. */
  readonly beside: string;
  readonly home: string;
  readonly env: Record<string, string>;
  /** Runs the command line in this process. */
  run(argv: readonly string[], options?: { env?: Record<string, string>; cwd?: string }): Promise<Ran>;
  /** Starts the program, where a test is about how it starts, is stopped, streams or ends. */
  start(argv: readonly string[], options?: { env?: Record<string, string>; cwd?: string }): Started;
  /** Writes a recording and returns the flag that plays it. */
  replay(replies: Replies, name?: string, more?: object): string;
  readonly answers: string;
  /** Writes the user's own settings. */
  configure(settings: object): void;
  journal(id?: string): ChainLine[];
  events<Name extends ChainEvent["event"]>(name: Name, id?: string): EventNamed<Name>[];
  contextFile(id?: string): string;
  context(id?: string): Record<string, unknown>;
}

export const program = join(import.meta.dirname, "..", "..", "bin", "claude-exec.js");

/** Most tests are not about the sandbox, which takes longer to open than all the rest: their user has none installed. */
export function placeWith(files: Record<string, string>, { sandbox = false } = {}): Place {
  const workspace = realpathSync(folderWith(files));
  const beside = temporaryFolder("claude-exec-user-");
  const home = join(workspace, ".claude-exec");
  const barePath = process.env["TESTS_BARE_PATH"];
  const env = { ...userEnv(beside), ...(sandbox || barePath === undefined ? {} : { PATH: barePath }) };
  const answers = join(beside, "answers.json");
  writeFileSync(answers, JSON.stringify(wholeWayAnswers));
  const settingsFile = join(beside, "config", "claude-exec", "config.json");
  // Most tests are about something else than what may be written: their user lets it be, also without a sandbox.
  const settle = (settings: object) => {
    mkdirSync(dirname(settingsFile), { recursive: true });
    writeFileSync(settingsFile, JSON.stringify({ permissions: letBe, ...settings }));
  };
  settle({});
  const place: Place = {
    workspace,
    beside,
    home,
    env,
    answers,
    run: (argv, options = {}) => commandLine(argv, options.cwd ?? workspace, { ...env, ...options.env }),
    start: (argv, options = {}) => start(argv, options.cwd ?? workspace, { ...env, ...options.env }),
    replay: (replies, name, more) => `--replay=${recordingAt(beside, replies, name, more)}`,
    configure: settle,
    events: (name, id) => place.journal(id).flatMap((line) => (isNamed(line, name) ? [line] : [])),
    journal: (id = "001") => journalLines(join(home, "contexts", "journal", `${id}.jsonl`)),
    contextFile: (id = "001") => contextFile(join(home, "contexts"), id),
    context: (id) => JSON.parse(readFileSync(place.contextFile(id), "utf8")) as Record<string, unknown>,
  };
  return place;
}

export const letBe = { mode: "edits", unsandboxed: true };

function isNamed<Name extends ChainEvent["event"]>(line: object, name: Name): line is EventNamed<Name> {
  return "event" in line && line.event === name;
}

export function userEnv(beside: string): Record<string, string> {
  const folder = (name: string) => {
    mkdirSync(join(beside, name), { recursive: true });
    return join(beside, name);
  };
  const own = { HOME: folder("user"), XDG_CONFIG_HOME: folder("config"), XDG_STATE_HOME: folder("state") };
  return {
    ...own,
    XDG_CACHE_HOME: process.env["TESTS_CACHE"] ?? join(tmpdir(), "claude-exec-test-cache"),
    TMPDIR: tmpdir(),
    PATH: process.env["PATH"] ?? "",
    LANG: "C.UTF-8",
  };
}

export function journalLines(path: string): ChainLine[] {
  const text = readFileSync(path, "utf8");
  return text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as ChainLine]));
}

export function contextFile(contexts: string, id: string): string {
  const name = readdirSync(contexts).find((found) => found.startsWith(`chain-${id}-`) && found.endsWith(".json"));
  if (name === undefined) throw new Error(`There is no context file of chain ${id} in ${contexts}.`);
  return join(contexts, name);
}

function start(argv: readonly string[], cwd: string, env: Record<string, string>): Started {
  const child = spawn(process.execPath, [program, ...argv], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const { said, ended } = followed(child);
  const checked = ended.then(async (ran) => {
    if (argv.includes("--json")) await expectPromisedForm(argv, ran.stdout);
    return ran;
  });
  return { child, said, ended: checked };
}

/** What a child says, and how it ends: its exit code, or the signal that ended it. */
export function followed(child: ChildProcess, stderrOf = withoutNotice): Pick<Started, "said" | "ended"> {
  let stdout = "";
  let stderr = "";
  const heard = new Set<() => void>();
  child.stdout?.on("data", (piece: Buffer) => (stdout += piece.toString()));
  child.stderr?.on("data", (piece: Buffer) => {
    stderr += piece.toString();
    for (const listener of heard) listener();
  });
  const ended = new Promise<Ran>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code: code ?? signal ?? "", stdout, stderr: stderrOf(stderr) }));
  });
  const said = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const listener = () => stderr.includes(text) && resolve();
      heard.add(listener);
      listener();
      void ended.then((ran) => reject(new Error(`It ended before it said "${text}":\n${ran.stderr}\n${ran.stdout}`)));
    });
  return { said, ended };
}

/** Where the sources are newer than the build, the program says so first. */
function withoutNotice(stderr: string): string {
  return stderr.replace(/^claude-exec: (?:the build is older|nothing is built).*\n/, "");
}
