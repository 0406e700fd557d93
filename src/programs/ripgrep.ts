import { printedBy, type LookedAt } from "./program.ts";

/**
 * Runs ripgrep over hidden files too, without git's and node's folders, and gives what it prints. Undefined where
 * there is no ripgrep, or where it says no, as to a pattern that it does not know; what it could not open is left out.
 */
export async function ripgrep(
  { root, env: { PATH = "", HOME = "" } }: LookedAt,
  argv: readonly string[],
  signal?: AbortSignal,
): Promise<string | undefined> {
  const bounds = { cwd: root, env: { PATH, HOME }, bytes: 100_000_000, ms: 20_000, signal };
  const { end, code, stdout, stderr } = await printedBy("rg", [...always, ...argv], bounds);
  // 2 without a word: something could not be opened.
  const went = end === "exited" && (code === 0 || code === 1 || (code === 2 && stderr === ""));
  return went ? stdout : undefined;
}

const without = [".git", "node_modules"].map((name) => `--glob=!${name}`);
const always = ["--no-config", "--no-messages", "--null", "--color=never", "--hidden", ...without];
