import { join } from "node:path";
import type { Ran } from "./cli.ts";
import { expectPromisedForm } from "./documents.ts";

const main = join(import.meta.dirname, "..", "..", "src", "clients", "cli", "main.ts");
let runs = 0;
let last: Promise<unknown> = Promise.resolve();

/**
 * Runs the command line in this process, which takes a fraction of a start of the program. Meanwhile the arguments, the
 * variables and the folder of this process are those that are given, so one run waits for the other.
 */
export function commandLine(argv: readonly string[], cwd: string, env: Record<string, string>): Promise<Ran> {
  const ran = last.then(() => runHere(argv, cwd, env));
  last = ran.catch(() => undefined);
  return ran;
}

async function runHere(argv: readonly string[], cwd: string, env: Record<string, string>): Promise<Ran> {
  const before = { argv: process.argv, env: { ...process.env }, exitCode: process.exitCode, cwd: process.cwd() };
  const { isTTY } = process.stdin;
  const [stdout, stderr] = [capture(process.stdout), capture(process.stderr)];
  try {
    process.chdir(cwd);
    process.argv = [process.execPath, "claude-exec", ...argv];
    setVariables(env);
    process.stdin.isTTY = false;
    // Under a name of its own it is evaluated anew, as in a process of its own.
    runs += 1;
    await import(/* @vite-ignore */ `${main}?run=${runs}`);
    const ran = { code: process.exitCode ?? "", stdout: stdout.text(), stderr: stderr.text() };
    if (argv.includes("--json")) await expectPromisedForm(argv, ran.stdout);
    return ran;
  } finally {
    process.chdir(before.cwd);
    setVariables(before.env);
    Object.assign(process, { argv: before.argv, exitCode: before.exitCode });
    process.stdin.isTTY = isTTY;
    stdout.end();
    stderr.end();
  }
}

/** One by one: the object itself stays, since Node looks for its temporary folder in the variables behind it. */
function setVariables(env: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(process.env)) if (env[name] === undefined) delete process.env[name];
  Object.assign(process.env, env);
}

/** Until it ends, the stream is no terminal, and what is written to it is kept. */
function capture(stream: NodeJS.WriteStream): { text(): string; end(): void } {
  const { write, isTTY } = stream;
  const listeners = stream.listeners("error");
  const pieces: Buffer[] = [];
  const keep = (piece: string | Uint8Array, ...rest: unknown[]) => {
    pieces.push(Buffer.from(piece as string));
    const done = rest.at(-1);
    if (typeof done === "function") process.nextTick(done);
    return true;
  };
  Object.assign(stream, { isTTY: false, write: keep });
  return {
    text: () => Buffer.concat(pieces).toString(),
    end() {
      Object.assign(stream, { isTTY, write });
      for (const listener of stream.listeners("error"))
        if (!listeners.includes(listener)) stream.off("error", listener as () => void);
    },
  };
}
