import { spawn } from "node:child_process";

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
  readonly signal?: AbortSignal | undefined;
}

/** Runs a program that only looks, without input, and gives what it prints; what is over the bounds ends it. */
export function printedBy(program: string, argv: readonly string[], bounds: Bounds): Promise<Ran> {
  const { cwd, env, bytes, ms, signal } = bounds;
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = spawn(program, argv, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
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
    child.once("close", (code) => {
      over();
      if (signal?.aborted) return reject(signal.reason);
      const text = (name: keyof typeof printed) => Buffer.concat(printed[name]).toString();
      resolve({ end, code, stdout: text("stdout"), stderr: text("stderr") });
    });
  });
}
