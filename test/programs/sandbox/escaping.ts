// Started as a process of its own, by whoever shall be held: opens a sandbox and runs in it, line by line, what it is told.
import { createInterface } from "node:readline";
import { runCommand } from "../../../src/programs/run_command.ts";
import { openSandbox, sandboxLine } from "../../../src/programs/sandbox/sandbox.ts";
import { openWorkspace } from "../../../src/workspace/workspace.ts";
import { realWorld } from "../../../src/util/world.ts";

interface Order {
  readonly root: string;
  readonly protect: readonly string[];
  readonly conceal: readonly string[];
}

const { root, protect, conceal } = JSON.parse(process.argv[2] ?? "") as Order;
const world = realWorld({ ...process.env });
const sandbox = await openSandbox({ root, protect, conceal, world });
const say = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`);
say({ on: sandbox.on, line: sandboxLine(sandbox) });
for await (const line of createInterface({ input: process.stdin })) {
  const { script, timeoutMs = 20_000 } = JSON.parse(line) as { script: string; timeoutMs?: number };
  const options = { timeoutMs, signal: new AbortController().signal, world, sandbox };
  say(await runCommand(openWorkspace(root, { env: process.env, hide: [] }), ["/bin/sh", "-c", script], options));
}
await sandbox.close();
