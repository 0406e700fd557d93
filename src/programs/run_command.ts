import { createHash } from "node:crypto";
import fs from "node:fs";
import { resolve as resolvePath } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { unlessRefused } from "../util/errors.ts";
import { sha256 } from "../util/hash.ts";
import type { World } from "../util/world.ts";
import { onlyOutput } from "./descriptors.ts";

export interface CommandRun {
  readonly argv: readonly string[];
  /** Undefined when it was killed or could not be started. */
  readonly exit_code: number | undefined;
  readonly duration_ms: number;
  readonly timed_out: boolean;
  /** Whether it ran in the sandbox. */
  readonly sandboxed: boolean;
  /** What it printed, stdout and stderr in the order they came; of more than 2 MB the middle is left out. */
  readonly output: string;
  readonly output_sha256: string;
}

/** Where a command runs that is not to run among everything else. Each that was wrapped is released at its end. */
export interface Inside {
  readonly on: boolean;
  /** The argv that runs this argv inside; the same argv where it is off. */
  wrap(argv: readonly string[]): Promise<readonly string[]>;
  release(wrapped: readonly string[]): void;
}

export interface RunOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly world: World;
  readonly sandbox?: Inside | undefined;
  /** Asked at the last moment before the program starts. */
  readonly mayStart?: (() => Promise<boolean>) | undefined;
}

/** Runs a program in the workspace, without a shell, and ends all that it started. What it does is never thrown. */
export async function runCommand(
  { root }: { readonly root: string },
  argv: readonly string[],
  options: RunOptions,
): Promise<CommandRun> {
  const { sandbox, world } = options;
  const [program] = argv;
  if (program === undefined) throw new Error("A command needs a program.");
  if (!sandbox?.on) return { ...(await run(root, argv, options)), sandboxed: false };
  // Inside, a shell would start and then say in its own words that there is no such program.
  if (findProgram(program, environment(world.env), root) === undefined) {
    return notStarted(argv, (await options.mayStart?.()) === false ? "" : couldNotStart(program, "ENOENT"), true);
  }
  const wrapped = await sandbox.wrap(argv);
  try {
    return { ...(await run(root, wrapped, options)), argv, sandboxed: true };
  } finally {
    sandbox.release(wrapped);
  }
}

function notStarted(argv: readonly string[], output: string, sandboxed: boolean): CommandRun {
  const nothing = { exit_code: undefined, duration_ms: 0, timed_out: false, output_sha256: sha256() };
  return { argv, ...nothing, output, sandboxed };
}

function couldNotStart(program: string, code: string): string {
  return `[${JSON.stringify(program)} could not be started: ${code}]`;
}

async function run(
  root: string,
  argv: readonly string[],
  { timeoutMs, signal, world, mayStart }: RunOptions,
): Promise<Omit<CommandRun, "sandboxed">> {
  const { execa } = await import("execa");
  if ((await mayStart?.()) === false) return notStarted(argv, "", false);
  const [program = "", ...rest] = argv;
  const started = world.now();
  const over = new AbortController();
  const env = environment(world.env);
  const streams = { stdio: onlyOutput(), all: true, buffer: false, reject: false } as const;
  // A group of its own, that `kill` ends as a whole, also after its first process; and so does our own end.
  const group = { killDescendants: true, forceKillAfterDelay: false } as const;
  const child = execa(program, rest, { cwd: root, env, extendEnv: false, ...streams, ...group });
  const output = boundedOutput();
  child.all.on("data", (chunk: Buffer) => output.add(chunk));
  const exited = new Promise((resolve) => child.nodeChildProcess.once("exit", resolve));
  const ended = Promise.race([exited, child]).then(() => "ended");
  const timeout = world.sleep(timeoutMs, over.signal).then(
    () => "timed_out",
    () => "ended",
  );
  const cancelled = new Promise<string>((resolve) => {
    if (signal.aborted) resolve("cancelled");
    signal.addEventListener("abort", () => resolve("cancelled"), { signal: over.signal });
  });
  const end = await Promise.race([ended, timeout, cancelled]);
  await endGroup(child, world);
  // Somebody who left the group may hold the pipe for ever.
  const given = world.sleep(1000, over.signal).then(
    () => "held",
    () => "over",
  );
  if ((await Promise.race([child, given])) === "held") {
    for (const stream of [child.stdout, child.stderr, child.all]) stream.destroy();
  }
  const result = await child;
  over.abort();

  const exitCode = end === "ended" ? result.exitCode : undefined;
  return {
    argv,
    exit_code: exitCode,
    duration_ms: Math.round(world.now() - started),
    timed_out: end === "timed_out",
    output: output.text() + howItEnded(),
    output_sha256: output.sha256(),
  };

  function howItEnded(): string {
    if (child.pid === undefined) return couldNotStart(program, result.code ?? "unknown reason");
    if (end === "timed_out") return `\n[stopped after ${timeoutMs / 1000} s]`;
    if (end === "cancelled") return "\n[cancelled]";
    return result.signal === undefined ? "" : `\n[ended by ${result.signal}]`;
  }
}

/**
 * Only what programs cannot do without: no key, token or setting of ours reaches them. NO_COLOR is none of it: tests of
 * programs with colours fail where it is set, and colours are taken out of the output anyway.
 */
export function environment(env: World["env"]): Record<string, string> {
  const { PATH = "", HOME, LANG = "C.UTF-8", TMPDIR = "/tmp" } = env;
  return {
    PATH,
    ...(HOME === undefined ? {} : { HOME }),
    LANG,
    TMPDIR,
    TERM: "dumb",
    CI: "1",
  };
}

/** The file that would be run, looked for as execvp(3) does. */
export function findProgram(name: string, env: World["env"], cwd: string): string | undefined {
  const folders = name.includes("/") ? [""] : (env["PATH"] ?? "").split(":");
  return folders.map((folder) => resolvePath(cwd, folder, name)).find(mayRun);
}

function mayRun(path: string): boolean {
  const isFile = unlessRefused(() => {
    fs.accessSync(path, fs.constants.X_OK);
    return fs.statSync(path).isFile();
  });
  return isFile === true;
}

/** `kill` says false once there is nobody left to be told. */
async function endGroup(group: { kill(signal: NodeJS.Signals | 0): boolean }, world: World): Promise<void> {
  if (!group.kill("SIGTERM")) return;
  for (let waited = 0; waited < 2000; waited += 50) {
    await world.sleep(50);
    if (!group.kill(0)) return;
  }
  group.kill("SIGKILL");
}

const headBytes = 8_192;
const tailBytes = 2_000_000;
const shownTail = 24_576;

/** What is kept and shown of a long output: its first and its last lines. */
export function shortened(output: string): string {
  const middle = output.length - headBytes - shownTail;
  if (middle <= 0) return output;
  const [head, tail] = [output.slice(0, headBytes), output.slice(-shownTail)].map((part) => part.toWellFormed());
  const alreadyOut = Number(/\n\[(\d+) bytes left out\]\n/.exec(output)?.[1] ?? 0);
  return `${head}\n[${middle + alreadyOut} bytes left out]\n${tail}`;
}

/** Keeps the head and the tail of what it is given, and a hash over all of it. */
function boundedOutput() {
  const hash = createHash("sha256");
  const head = Buffer.alloc(headBytes);
  let tail: Buffer[] = [];
  let [headLength, tailLength, total] = [0, 0, 0];
  const compact = () => {
    tail = [Buffer.from(Buffer.concat(tail).subarray(-tailBytes))];
    tailLength = tail[0]?.length ?? 0;
  };
  return {
    add(chunk: Buffer) {
      hash.update(chunk);
      total += chunk.length;
      const taken = chunk.copy(head, headLength);
      headLength += taken;
      tail.push(chunk.subarray(taken));
      tailLength += chunk.length - taken;
      if (tailLength > 2 * tailBytes) compact();
    },
    sha256: () => hash.digest("hex"),
    text() {
      compact();
      const first = head.subarray(0, headLength);
      const last = tail[0] ?? Buffer.alloc(0);
      const left = total - first.length - last.length;
      if (left === 0) return stripVTControlCharacters(Buffer.concat([first, last]).toString());
      const start = first.toString().replace(/\uFFFD+$/, "");
      const rest = last.toString().replace(/^\uFFFD+/, "");
      return stripVTControlCharacters(`${start}\n[${left} bytes left out]\n${rest}`);
    },
  };
}
