import { writeSync } from "node:fs";
import { exitCodeOfStop, systemCode } from "../../util/errors.ts";

/**
 * Stops a run at the next safe place: on a signal, when its terminal goes away, or when the launcher that started this
 * Node ends. The second request leaves at once; the journal allows both.
 */
export function stopOnRequest(stop: AbortController): () => void {
  const requests = { received: 0, forwarded: 0 };
  // Ctrl+C reaches this process twice, from the terminal and from the launcher, and still counts once.
  const countRequest = (how: keyof typeof requests) => (signal: unknown) => {
    requests[how]++;
    if (requests[how] > 1) {
      // Clears "^C^C" from the line, so that the shell's next prompt begins at the left edge.
      if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
      process.exit(exitCodeOfStop(stop.signal));
    }
    stop.abort(signal);
  };
  const received = countRequest("received");
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, received);
  const terminals = [process.stdin, process.stdout, process.stderr].filter((stream) => stream.isTTY);
  for (const stream of terminals) stream.on("error", (error) => systemCode(error) === "EIO" && stop.abort("SIGHUP"));
  let isOrphan = false;
  if (terminals.length > 0) process.on("exit", () => leaveTerminal(stop.signal.reason === "SIGHUP", isOrphan));
  // bin/claude-exec.js gives its child this name and a channel.
  if (process.argv0 === "claude-exec" && process.send !== undefined) {
    const orphaned = () => {
      isOrphan = true;
      leaveTerminalAlone();
      stop.abort("SIGINT");
      setTimeout(() => process.exit(exitCodeOfStop(stop.signal)), 500).unref();
    };
    process.on("message", countRequest("forwarded")).on("disconnect", orphaned);
    process.channel?.unref();
    if (!process.connected) orphaned();
    if (process.stdin.isTTY) stopWithLauncher();
  }
  return () => {
    for (const signal of signals) process.off(signal, received);
  };
}

/**
 * At a question Ctrl+Z is a key, and Node stops only this process for it: the shell would wait for the launcher for ever.
 * Otherwise the launcher stops both.
 */
function stopWithLauncher(): void {
  let isKey = false;
  process.stdin.on("keypress", (_, { ctrl, name }: { ctrl: boolean; name?: string }) => {
    isKey = ctrl && name === "z";
  });
  process.on("SIGTSTP", () => {
    if (isKey) process.kill(0, "SIGSTOP");
    isKey = false;
  });
}

/** The shell that waited for the launcher goes on, and the terminal is the shell's: nothing more is drawn, read or set. */
function leaveTerminalAlone(): void {
  for (const stream of [process.stdout, process.stderr].filter(({ isTTY }) => isTTY)) {
    try {
      writeSync(stream.fd, "\x1b[?25h"); // Shows the cursor, which a question may have hidden.
    } catch (error) {
      if (systemCode(error) === undefined) throw error;
    }
    stream.write = () => true;
  }
  if (!process.stdin.isTTY) return;
  process.stdin.setRawMode = () => process.stdin;
  process.stdin.pause();
}

/**
 * A Node that exits resets its terminal. It aborts where the terminal is gone, and spoils the prompt of a shell that has
 * taken the terminal back. In both cases a signal ends this process instead. Only raw mode turns signals (isig) off.
 */
function leaveTerminal(isHungUp: boolean, isOrphan: boolean): void {
  if (!isHungUp && !isOrphan) return;
  if (isOrphan) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  // The system's folders come first: npm puts those of the project before them.
  const env = { PATH: `/usr/bin:/bin:${process.env["PATH"] ?? ""}` };
  // Loaded only here: every start would pay for it.
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  const { status, stdout } = spawnSync("stty", ["-a"], { stdio: ["inherit", "pipe", "ignore"], encoding: "utf8", env });
  if (status === 0 && (!isOrphan || /\s-isig\b/.test(stdout))) return;
  process.removeAllListeners("SIGHUP");
  process.kill(process.pid, "SIGHUP");
}
