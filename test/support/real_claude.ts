import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Claude Code itself, fetched into a cache folder and never a dependency; or why it is not there. */
const realClaude: { readonly program: string } | { readonly lacking: string } = fetched();
export const lacking = "lacking" in realClaude ? realClaude.lacking : undefined;
export const program = "program" in realClaude ? realClaude.program : "";
/** The end of the title of a test that needs it. */
export const unless = lacking ? ` (skipped: ${lacking})` : "";

function fetched() {
  const folder = join(process.env["TESTS_CACHE"] ?? tmpdir(), "claude-code");
  const program = join(folder, "node_modules", ".bin", "claude");
  try {
    if (!existsSync(program)) {
      mkdirSync(folder, { recursive: true });
      const argv = ["install", "--prefix", folder, "--no-save", "--loglevel=error"];
      const env = { ...process.env, NODE_DISABLE_COMPILE_CACHE: "1" };
      execFileSync("npm", [...argv, "@anthropic-ai/claude-code"], { env, stdio: "pipe", timeout: 300_000 });
      execFileSync(process.execPath, ["install.cjs"], {
        cwd: join(folder, "node_modules", "@anthropic-ai", "claude-code"),
        env,
        stdio: "pipe",
      });
    }
    execFileSync(program, ["--version"], { stdio: "pipe", timeout: 60_000 });
    return { program };
  } catch (error) {
    return { lacking: `Claude Code cannot be fetched or does not run: ${String(error).split("\n")[0]}` };
  }
}
