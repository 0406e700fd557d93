import { spawnSync } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCommand } from "../src/programs/run_command.ts";
import { openSandbox, sandboxLine } from "../src/programs/sandbox/sandbox.ts";
import { openWorkspace } from "../src/workspace/workspace.ts";
import { realWorld } from "../src/util/world.ts";
import { median, spread, type Table } from "./measure.ts";

const rounds = 40;

/** A command that does nothing, through our own door, outside and inside the sandbox, one after the other in every round. */
export async function sandboxRows(): Promise<Pick<Table, "rows" | "limits" | "notes">> {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "claude-exec-bench-")));
  const world = realWorld();
  const began = performance.now();
  const sandbox = await openSandbox({ root, protect: [join(root, ".claude-exec")], conceal: [], world });
  const opened = performance.now() - began;
  const workspace = openWorkspace(root, { env: process.env, hide: [] });
  const signal = new AbortController().signal;
  const bare: number[] = [];
  const inside: number[] = [];
  try {
    if (!sandbox.on)
      return { rows: [], limits: [], notes: [sandboxLine(sandbox), "Sandboxed commands: not measured."] };
    const run = async (times: number[], within: typeof sandbox | undefined) => {
      const start = performance.now();
      const ran = await runCommand(workspace, ["true"], { timeoutMs: 60_000, signal, world, sandbox: within });
      times.push(performance.now() - start);
      if (ran.exit_code !== 0 || ran.sandboxed !== (within !== undefined)) throw new Error(JSON.stringify(ran));
    };
    for (let round = 0; round < rounds; round++) {
      await run(bare, undefined);
      await run(inside, sandbox);
    }
  } finally {
    await sandbox.close();
    rmSync(root, { recursive: true, force: true });
  }
  const over = inside.map((time, round) => time - (bare[round] ?? Number.NaN));
  return {
    rows: [
      ["a bare command", ...spread(bare)],
      ["the same, sandboxed", ...spread(inside)],
      ["over the bare one", ...spread(over)],
    ],
    limits: [{ what: "a sandboxed command over a bare one, ms", value: median(over), most: 60 }],
    notes: [
      `Sandboxed takes ${(median(inside) / median(bare)).toFixed(1)} × as long; medians of ${rounds} rounds, with \`true\` as the command.`,
      `Opening the sandbox, with its test, took ${opened.toFixed(0)} ms, once.`,
      ...(spawnSync("bwrap", ["--version"], { encoding: "utf8" }).stdout ?? "").trim().split("\n"),
    ],
  };
}
