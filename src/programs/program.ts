import type { World } from "../util/world.ts";

/** A folder that programs look at, and the variables for these programs. */
export interface LookedAt {
  readonly root: string;
  readonly env: World["env"];
}

export interface Ran {
  /** `missing`: there is no such program, or it may not be started. `cut`: it printed more than it may. `late`: it took too long. */
  readonly end: "exited" | "missing" | "cut" | "late";
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Bounds {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly bytes: number;
  readonly ms: number;
  /** What it is given on stdin. */
  readonly input?: string;
  readonly signal?: AbortSignal | undefined;
}

/** Runs a program that changes nothing of ours, and gives what it prints; what is over the bounds ends it. */
export function printedBy(program: string, argv: readonly string[], bounds: Bounds): Promise<Ran> {
  const { cwd, env, bytes, ms, signal, input = "" } = bounds;
  signal?.throwIfAborted();
  // Loaded only here: a start that runs no program would pay for it.
  const { spawn } = process.getBuiltinModule("node:child_process");
  return new Promise((resolve, reject) => {
    const child = spawn(program, argv, { cwd, env, stdio: ["pipe", "pipe", "pipe"] });
    // A program need not read all of it.
    child.stdin.on("error", () => undefined).end(input);
    const printed: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] };
    let end: Ran["end"] = "exited";
    let left = bytes;
    const stop = (why: Ran["end"]) => {
      end = why;
      child.kill("SIGKILL");
    };
    const timer = setTimeout(() => stop("late"), ms);
    const abort = () => stop("late");
    signal?.addEventListener("abort", abort);
    for (const name of ["stdout", "stderr"] as const) {
      child[name].on("data", (chunk: Buffer) => {
        if (left > 0) printed[name].push(chunk.subarray(0, left));
        left -= chunk.length;
        if (left < 0 && end === "exited") stop("cut");
      });
    }
    const over = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    };
    child.once("error", (error: NodeJS.ErrnoException) => {
      over();
      if (error.code === "ENOENT" || error.code === "EACCES")
        resolve({ end: "missing", code: null, stdout: "", stderr: "" });
      else reject(error);
    });
    child.once("close", (code, endedBy) => {
      over();
      if (signal?.aborted) return reject(signal.reason);
      // Ctrl+C ends all programs of a terminal, but when to stop is for us to say.
      if (endedBy === "SIGINT") return resolve(printedBy(program, argv, bounds));
      const text = (name: keyof typeof printed) => Buffer.concat(printed[name]).toString();
      resolve({ end, code, stdout: text("stdout"), stderr: text("stderr") });
    });
  });
}
