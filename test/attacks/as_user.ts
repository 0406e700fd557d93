import { spawn } from "node:child_process";
import { chownSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { followed, type Ran } from "../support/cli.ts";
import { temporaryFolder } from "../support/temporary.ts";

export const isRoot = process.geteuid?.() === 0;
export const user = isRoot ? "root" : "an ordinary user";

const nobody = 65_534;
export const asNobody = ["setpriv", `--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups"];
const project = join(import.meta.dirname, "..", "..");
const minutes = 60_000;

/**
 * Runs a file of tests again as a user without rights: what it says, or undefined where that user may not read this
 * checkout. What only root can prepare for these tests is named in `given`, as variables of their environment.
 */
export async function runAsOrdinaryUser(file: string, given: Record<string, string>): Promise<Ran | undefined> {
  const home = temporaryFolder("ordinary-user-");
  chownSync(home, nobody, nobody);
  try {
    if ((await nobodyRuns([join(project, "src/util/hash.ts")], home, {})).code !== 0) return undefined;
    const ran = await nobodyRuns(testing(file, home), home, given);
    for (const line of ran.stdout.split("\n").filter((line) => worthSaying.test(line)))
      process.stdout.write(`${line.trim()}\n`);
    return ran;
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** Figures, and what was skipped with its reason. */
const worthSaying = /^(?:as|\d+).* ordinary user|^ *↓.*\[|^ +Tests/;

/** Nothing is built and nothing is written to the checkout, which is somebody else's. */
function testing(file: string, home: string): string[] {
  const config = join(home, "vitest.config.mjs");
  const settings = {
    testTimeout: 5 * minutes,
    hookTimeout: 2 * minutes,
    pool: "forks",
    include: ["test/**/*.test.ts"],
    setupFiles: ["test/support/each_file.ts"],
  };
  writeFileSync(config, `export default ${JSON.stringify({ test: settings })};`);
  const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs");
  const how = [`--config=${config}`, "--configLoader=native", `--root=${project}`, "--reporter=verbose"];
  return [vitest, "run", file, ...how];
}

function nobodyRuns(argv: readonly string[], home: string, given: Record<string, string>): Promise<Ran> {
  const [command = "", ...rest] = [...asNobody, process.execPath, ...argv];
  const { PATH = "" } = process.env;
  const env = { PATH, HOME: home, LANG: "C.UTF-8", NO_COLOR: "1", ...given };
  return followed(spawn(command, rest, { cwd: project, env, stdio: ["ignore", "pipe", "pipe"] })).ended;
}
