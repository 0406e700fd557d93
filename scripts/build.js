// Bundles the command line into dist/, and compiles the library next to it. Plain JavaScript: it runs on install.
import { execFileSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { rolldown } from "rolldown";

const root = new URL("..", import.meta.url);
process.chdir(root.pathname);
if (!existsSync("src")) process.exit(0);

rmSync("dist", { recursive: true, force: true });
const bundle = await rolldown({
  input: { cli: "src/cli/main.ts" },
  platform: "node",
  // Loaded only where they are used, and better from their own files: wasm, worker threads, programs, a large SDK.
  external: [/^node:/, "tiktoken", "pino", "@anthropic-ai/sdk", "@anthropic-ai/sandbox-runtime"],
  // gray-matter brings an engine that evaluates JavaScript; library/front_matter.ts never lets it run.
  checks: { eval: false },
  logLevel: "warn",
});
await bundle.write({ dir: "dist", format: "esm", minify: false, chunkFileNames: "[name]-[hash].js" });
await bundle.close();
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.lib.json"], { stdio: "inherit" });
