import { spawn } from "node:child_process";
import { startMessagesServer } from "../test/models/messages-server.ts";
import build from "../test/support/built.ts";
import { placeWith, program } from "../test/support/cli.ts";
import { quickApp, quickTests, task } from "../test/support/ways.ts";
import { spread, type Table } from "./measure.ts";

/** Types keys into a session and notes when each is shown; prints one line of JSON. */
const typist = `
import json, os, pty, select, sys, time
argv, cwd, env, task, keys = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    os.chdir(cwd)
    os.execve(argv[0], argv, env)
def read(seconds):
    ready, _, _ = select.select([terminal], [], [], seconds)
    return os.read(terminal, 65536) if ready else b""
def until(text, seconds=20):
    seen, end = b"", time.monotonic() + seconds
    while text not in seen and time.monotonic() < end: seen += read(0.05)
    return seen
def cpu():
    fields = open(f"/proc/{pid}/stat").read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
def rest(seconds):
    bytes, before, end = 0, cpu(), time.monotonic() + seconds
    while time.monotonic() < end: bytes += len(read(0.2))
    return [bytes / seconds, (cpu() - before) / seconds]
until(b"/help."); rest(1.5)
idle = rest(4)
os.write(terminal, task.encode() + b"\\r"); until("⠋".encode()); rest(1)
echoes = []
for at in range(keys):
    key = b"xzjw"[at % 4:at % 4 + 1]
    began = time.monotonic()
    os.write(terminal, key)
    while key not in read(1): pass
    echoes.append((time.monotonic() - began) * 1000)
    time.sleep(0.03)
busy = rest(4)
os.close(terminal)
print(json.dumps({"idle": idle, "echoes": echoes, "busy": busy}))
`;

/** How soon a key is shown while a chain is at work, and what a session costs that only waits. */
export async function bench({ keys = 60 }: { keys?: number } = {}): Promise<Table> {
  build();
  const place = placeWith(quickApp);
  const server = await startMessagesServer(() => ({ type: "hang" }));
  const env = { ...place.env, TERM: "xterm-256color", ANTHROPIC_API_KEY: "sk", ANTHROPIC_BASE_URL: server.url };
  const argv = [process.execPath, program, "--trust", quickTests];
  const child = spawn("python3", ["-c", typist, JSON.stringify([argv, place.workspace, env, task, keys])]);
  let printed = "";
  child.stdout.on("data", (piece: Buffer) => (printed += piece.toString()));
  child.stderr.pipe(process.stderr);
  await new Promise((ended) => child.on("close", ended));
  await server.close();
  const { idle, echoes, busy } = JSON.parse(printed) as Record<"idle" | "echoes" | "busy", number[]>;
  const sorted = echoes.toSorted((one, other) => one - other);
  const rows = [
    ["key to echo, a chain at work (ms)", ...spread(echoes)],
    ["written a second while nothing is at work (bytes)", idle[0]!.toFixed(0), ""],
    ["processor while nothing is at work (%)", (idle[1]! * 100).toFixed(1), ""],
    ["written a second while a chain waits for its model (bytes)", busy[0]!.toFixed(0), ""],
  ];
  return {
    title: "A session",
    columns: ["what", "median", "min-max"],
    rows,
    limits: [
      { what: "key to echo in ms, of 19 keys in 20", value: sorted[Math.floor(sorted.length * 0.95)]!, most: 20 },
      { what: "bytes a second while it waits for its person", value: idle[0]!, most: 0 },
      { what: "share of a processor while it waits for its person", value: idle[1]!, most: 0.01 },
      { what: "bytes a second while a chain waits for its model", value: busy[0]!, most: 4096 },
    ],
    notes: [`${keys} keys, typed one after the other into a terminal of its own.`],
  };
}
