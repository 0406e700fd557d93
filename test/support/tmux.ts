import { execFile, spawnSync } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { setTimeout as wait } from "node:timers/promises";
import { program, type Place } from "./cli.ts";

const run = promisify(execFile);

export const hasTmux = spawnSync("tmux", ["-V"]).status === 0;

export interface Terminal {
  /** Types text, or presses keys by the names that tmux gives them: "Enter", "C-c", "Tab", "Up". */
  type(text: string): Promise<void>;
  press(...keys: string[]): Promise<void>;
  /** Waits until the screen shows a text, and gives the screen as it is then. */
  shows(text: string | RegExp): Promise<string>;
  /** All that was printed since the beginning, also what scrolled away. */
  all(withColours?: boolean): Promise<string>;
  resize(columns: number, rows: number): Promise<void>;
  close(): Promise<void>;
}

/** Starts the program in a terminal of its own; afterwards the shell below it prints "left with <exit code>". */
export async function openTerminal(
  place: Pick<Place, "workspace" | "beside" | "env">,
  argv: readonly string[],
  { columns = 100, rows = 40, env = {} }: { columns?: number; rows?: number; env?: Record<string, string> } = {},
): Promise<Terminal> {
  const tmux = async (...words: string[]) => (await run("tmux", ["-S", join(place.beside, "tmux"), ...words])).stdout;
  const variables = Object.entries({ ...place.env, LANG: "C.UTF-8", ...env }).map(
    ([name, value]) => `${name}=${value}`,
  );
  const command = ["env", "-i", "TERM=screen-256color", ...variables, process.execPath, program, ...argv].map(quoted);
  const line = `${command.join(" ")}; echo "left with $?"; sleep 100`;
  const size = ["-x", String(columns), "-y", String(rows)];
  await tmux("-f", "/dev/null", "new-session", "-d", ...size, "-c", place.workspace, "sh", "-c", line);
  const terminal: Terminal = {
    type: async (text) => void (await tmux("send-keys", "-l", "--", text)),
    press: async (...keys) => void (await tmux("send-keys", ...keys)),
    async shows(text) {
      for (let tries = 0; ; tries++) {
        const screen = await terminal.all();
        if (typeof text === "string" ? screen.includes(text) : text.test(screen)) return screen;
        if (tries === 200) throw new Error(`The terminal never showed ${String(text)}, but:\n${screen}`);
        await wait(50);
      }
    },
    async all(withColours = false) {
      const text = await tmux("capture-pane", "-p", "-S", "-", ...(withColours ? ["-e"] : []));
      return text.replace(/\n+$/, "\n");
    },
    async resize(width, height) {
      await tmux("resize-window", "-x", String(width), "-y", String(height));
      const tty = (await tmux("display", "-p", "#{pane_tty}")).trim();
      // tmux tells the program a moment later.
      while ((await run("stty", ["-F", tty, "size"])).stdout.trim() !== `${height} ${width}`) await wait(20);
    },
    close: async () => void (await tmux("kill-server").catch(() => "")),
  };
  return terminal;
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
