import { spawnSync } from "node:child_process";
import { join } from "node:path";
import build from "../test/support/built.ts";
import { beginLongChain, takeSteps } from "./chain.ts";
import { folderOnDisk, pairedRatio, roundRobin, spread, type Table } from "./measure.ts";

const chains = 100;

/** What one waits for before anything happens, beside a Node that does nothing. */
export async function bench({ rounds = 15 }: { rounds?: number } = {}): Promise<Table> {
  build();
  const folder = folderOnDisk();
  try {
    for (let index = 0; index < chains; index++) await oneChain(folder.path, index);
    const program = new URL("../bin/claude-exec.js", import.meta.url).pathname;
    const variants = {
      "node -e 0": () => start(folder.path, ["-e", "0"]),
      "claude-exec --version": () => start(folder.path, [program, "--version"]),
      "claude-exec status all": () => start(folder.path, [program, "status", "all", "--home", folder.path]),
    };
    const times = roundRobin(variants, rounds);
    const floor = times["node -e 0"];
    const ratio = (name: keyof typeof times) => pairedRatio(times[name], floor);
    return {
      title: `Start, and a look at ${chains} chains`,
      columns: ["command", "ms", "min-max", "ratio"],
      rows: Object.entries(times).map(([name, values]) => [
        name,
        ...spread(values),
        ratio(name as keyof typeof times).toFixed(2),
      ]),
      limits: [
        { what: "--version to a bare Node", value: ratio("claude-exec --version"), most: 1.3 },
        { what: `status all of ${chains} chains to a bare Node`, value: ratio("claude-exec status all"), most: 3 },
      ],
      notes: [
        `${rounds} rounds, a fresh process each, one after the other; the first of each is not counted.`,
        "Ratios are medians over rounds. The chains were made by the engine: a context of about 20 KB each, and a journal.",
      ],
    };
  } finally {
    folder.remove();
  }
}

async function oneChain(folder: string, index: number): Promise<void> {
  const chain = await beginLongChain(folder, `Make importer number ${index} faster`);
  try {
    await takeSteps(chain, folder, 2);
    chain.writeView(true);
  } finally {
    await chain.close();
  }
}

/** The one that was built, with its own compile cache; an old build would measure something else. */
function start(folder: string, argv: readonly string[]): void {
  const env = { PATH: process.env["PATH"], HOME: folder, XDG_CACHE_HOME: join(folder, "cache") };
  const ran = spawnSync(process.execPath, argv, { cwd: folder, env, encoding: "utf8", maxBuffer: 1e8 });
  if (ran.status !== 0 || ran.stderr !== "") throw new Error(`${argv.join(" ")}: ${ran.status} ${ran.stderr}`);
}
