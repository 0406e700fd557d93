#!/usr/bin/env node
// Runs on any Node that knows ES modules, so that an old one is told apart from a broken program.
import { existsSync, readdirSync, readFileSync, statSync, writeSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const [major, minor] = process.versions.node.split(".").map(Number);

if (["--version", "-v", "-V"].includes(process.argv[2])) {
  printVersion();
} else if (process.platform === "win32") {
  console.error("claude-exec runs on Linux, macOS and WSL2. On Windows, start it inside WSL2.");
  process.exitCode = 78;
} else if (major < 24 || (major === 24 && minor < 15)) {
  await goOnWithLocalNode();
} else {
  await start();
}

/** Straight to the descriptor: only to set up process.stdout takes a Node a fifth of its start. */
function printVersion() {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  try {
    writeSync(1, `${version}\n`);
  } catch (error) {
    if (error.code !== "EPIPE") throw error;
  }
}

/** The project brings a Node of its own; whoever started this with an older one need not notice. */
async function goOnWithLocalNode() {
  const local = [join(root, "node_modules", ".bin", "node"), join(process.cwd(), "node_modules", ".bin", "node")];
  const found = local.find((path) => existsSync(path));
  if (!found || process.env.CLAUDE_EXEC_NODE) {
    console.error(
      `claude-exec needs Node 24.15 or later; this is ${process.version}. Install it, or add it to your project: npm install --save-dev node@24`,
    );
    process.exitCode = 78;
    return;
  }
  const { spawn } = await import("node:child_process");
  const child = spawn(found, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: "inherit",
    env: { ...process.env, CLAUDE_EXEC_NODE: found },
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
    process.on(signal, () => signal === "SIGINT" || child.kill(signal));
  child.on("exit", (code) => (process.exitCode = code ?? 1));
}

async function start() {
  const bundle = join(root, "dist", "cli.js");
  const sources = join(root, "src");
  const built = statSync(bundle, { throwIfNoEntry: false })?.mtimeMs;
  const changed = existsSync(sources) ? newest(sources) : 0;
  if (built !== undefined && built >= changed) {
    const { enableCompileCache } = await import("node:module");
    const { XDG_CACHE_HOME: own = "", HOME: home = "" } = process.env;
    // Code is run from there: a relative path could mean a stranger's repository.
    const cache = isAbsolute(own) ? own : join(home, ".cache");
    if (isAbsolute(cache)) enableCompileCache(join(cache, "claude-exec", "compiled"));
    await import(pathToFileURL(bundle).href);
    return;
  }
  console.error(
    `claude-exec: ${built === undefined ? "nothing is built yet" : "the build is older than its sources"}; running the sources. Build with: npm run prepare`,
  );
  await import(pathToFileURL(join(sources, "cli", "main.ts")).href);
}

function newest(folder) {
  let latest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    latest = Math.max(latest, entry.isDirectory() ? newest(path) : statSync(path).mtimeMs);
  }
  return latest;
}
