#!/usr/bin/env node
// Runs on any Node that knows ES modules, so that an old one is told apart from a broken program.
import { existsSync, readdirSync, readFileSync, realpathSync, statSync, writeSync } from "node:fs";
import { basename, dirname, isAbsolute, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const file = realpathSync(fileURLToPath(import.meta.url));
const root = join(dirname(file), "..");
/** The child of a launcher knows itself by this name; unlike a variable, it is not inherited by what the child starts. */
const startedByLauncher = "claude-exec";
const [major, minor] = process.versions.node.split(".").map(Number);

if (["--version", "-v", "-V"].includes(process.argv[2])) {
  printVersion();
} else if (process.platform === "win32") {
  console.error("claude-exec runs on Linux, macOS and WSL2. On Windows, start it inside WSL2.");
  process.exitCode = 78;
} else if (major < 24 || (major === 24 && minor < 15)) {
  await startNewerNode();
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

/**
 * Only a Node that was installed together with this program is started: below this package, or beside it in a
 * node_modules folder that holds it. The current folder may be a stranger's, and what runs here sees the API key.
 */
async function startNewerNode() {
  const folders = [join(root, "node_modules")];
  for (let folder = root; dirname(folder) !== folder; folder = dirname(folder))
    if (basename(folder) === "node_modules") folders.push(folder);
  const newer = folders.map((folder) => join(folder, "node", "bin", "node")).find((path) => existsSync(path));
  if (!newer || process.argv0 === startedByLauncher) {
    console.error(
      `claude-exec needs Node 24.15 or later; this is ${process.version}. Install a newer Node, or type where claude-exec is installed: npm install node@24`,
    );
    process.exitCode = 78;
    return;
  }
  const { spawn } = await import("node:child_process");
  const { constants } = await import("node:os");
  // The channel ends with this process, however that ends; src/clients/cli/stop.ts listens to it.
  const stdio = ["inherit", "inherit", "inherit", "ipc"];
  const child = spawn(newer, [file, ...process.argv.slice(2)], { stdio, argv0: startedByLauncher });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
    process.on(signal, () => child.connected && child.send(signal, () => {}));
  process.on("SIGTSTP", () => child.kill("SIGSTOP") && process.kill(process.pid, "SIGSTOP"));
  process.on("SIGCONT", () => child.kill("SIGCONT"));
  child.on("error", (error) => {
    console.error(`claude-exec could not start ${newer}: ${error.message}`);
    process.exitCode = 78;
  });
  child.on("exit", (code, signal) => {
    // The terminal is gone: a Node that exits would try to reset it, and abort.
    if (signal === "SIGHUP") process.removeAllListeners(signal).kill(process.pid, signal);
    process.exitCode = code ?? 128 + constants.signals[signal];
    if (signal && process.stdout.isTTY) process.stdout.write("\x1b[?25h");
    if (signal === "SIGKILL") console.error("claude-exec was killed. What it had done is kept: claude-exec status");
  });
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
  await import(pathToFileURL(join(sources, "clients", "cli", "main.ts")).href);
}

function newest(folder) {
  let latest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    latest = Math.max(latest, entry.isDirectory() ? newest(path) : statSync(path).mtimeMs);
  }
  return latest;
}
