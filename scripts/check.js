// Everything that should be true before a commit, in under half a minute. Plain JavaScript, no build needed.
import { spawn } from "node:child_process";

// Types are checked anew only for what changed since the last time.
const known = ["--incremental", "--tsBuildInfoFile", "node_modules/.cache/types.tsbuildinfo"];
const results = await Promise.all(
  [
    ["types", "tsc", "--noEmit", ...known],
    ["lint", "oxlint", "--deny-warnings"],
    ["format", "oxfmt", "--check"],
    ["tests", "vitest", "run", "--project=quick", "--reporter=minimal"],
  ].map(run),
);
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
