// Bundles the command line into dist/, and compiles the library next to it. Plain JavaScript: it runs on install.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { rolldown } from "rolldown";

const root = new URL("..", import.meta.url);
const main = "src/clients/cli/main.ts";
process.chdir(root.pathname);
if (!existsSync("src")) process.exit(0);

rmSync("dist", { recursive: true, force: true });
const bundle = await rolldown({
  input: { cli: main },
  platform: "node",
  // Loaded only where they are used, and better from their own files: wasm, worker threads, programs, a large SDK.
  external: [/^node:/, "tiktoken", "pino", "@anthropic-ai/sdk", "@anthropic-ai/sandbox-runtime"],
  // gray-matter brings an engine that evaluates JavaScript; library/front_matter.ts never lets it run.
  checks: { eval: false, ineffectiveDynamicImport: false },
  logLevel: "warn",
});
// What every command loads lies in one file: finding and linking a file takes longer than running most of them.
const entry = join(root.pathname, main);
const always = new Set();
function collect(id, modules) {
  if (always.has(id)) return;
  always.add(id);
  for (const imported of modules.getModuleInfo(id)?.importedIds ?? []) collect(imported, modules);
}
function name(id, modules) {
  collect(entry, modules);
  return always.has(id) && id !== entry ? "always" : null;
}
await bundle.write({
  dir: "dist",
  format: "esm",
  minify: false,
  chunkFileNames: "[name]-[hash].js",
  codeSplitting: { groups: [{ name, debugName: "always" }] },
});
await bundle.close();
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.lib.json"], { stdio: "inherit" });

// For whoever asks from another program: what each operation takes and gives.
const { operations, schemasOf } = await import("../dist/lib/index.js");
mkdirSync("dist/schemas", { recursive: true });
for (const operation of operations) {
  const file = `dist/schemas/${operation.name.replaceAll(" ", "-")}.json`;
  writeFileSync(file, `${JSON.stringify(await schemasOf(operation))}\n`);
}
