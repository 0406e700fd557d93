// Started as a process of its own: `node killed.ts <json>` runs one operation, and is killed at a line of the journal.
import { callerAt, operate } from "./inside.ts";

interface Order {
  readonly operation: string;
  readonly input: object;
  readonly cwd: string;
  readonly env: Record<string, string>;
  /** Killed once so many lines of this life are on disk. */
  readonly lines: number;
}

const { operation, input, cwd, env, lines } = JSON.parse(process.argv[2] ?? "") as Order;
let heard = 0;
const listen = () => {
  if (++heard === lines) process.kill(process.pid, "SIGKILL");
};
process.stdout.write(JSON.stringify(await operate(operation, input, callerAt(cwd, env, { listen }))));
