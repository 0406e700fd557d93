// Everything that should be true before a commit, in under half a minute. Plain JavaScript, no build needed.
import { spawn } from "node:child_process";

const checks = [
  ["types", "tsc", "--noEmit"],
  ["lint", "oxlint", "--deny-warnings"],
  ["format", "oxfmt", "--check"],
];
const slow = [
  ...["attacks", "faults", "bench", "cli", "tools", "sandbox", "permissions", "exchange", "lint"].map(
    (folder) => `test/${folder}/**`,
  ),
  ...[
    "authoring",
    "changes",
    "committed",
    "context_files",
    "first_design",
    "look_only",
    "places",
    "prompts",
    "rewind",
    "run_prompt",
    "scopes",
    "trust",
    "worktree",
  ].map((name) => `test/app/${name}.test.ts`),
];
const tests = [
  "tests",
  "vitest",
  "run",
  "--reporter=dot",
  "--no-isolate",
  ...slow.flatMap((pattern) => ["--exclude", pattern]),
];

const results = await Promise.all(checks.map(run));
results.push(await run(tests));
const failed = results.filter(({ code }) => code !== 0);
for (const { name, output } of failed) console.log(`\n${name}\n${output}`);
console.log(
  results.map(({ name, code, ms }) => `${code === 0 ? "✓" : "✗"} ${name} ${(ms / 1000).toFixed(1)} s`).join("   "),
);
process.exitCode = failed.length > 0 ? 1 : 0;

function run([name, command, ...argv]) {
  const began = Date.now();
  return new Promise((resolve) => {
    const child = spawn(command, argv, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
    child.on("close", (code) => resolve({ name, code, output, ms: Date.now() - began }));
  });
}
