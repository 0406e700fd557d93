import { dirname } from "node:path";
import { exitCodes, UserError } from "../util/errors.ts";
import { makeFolder } from "../util/files.ts";
import type { World } from "../util/world.ts";

export type Log = Record<"error" | "warn" | "info" | "debug", (message: string, ...details: unknown[]) => void>;

/** What passes between us and a provider, as JSON lines, for whoever has to find out why; off unless asked for. */
export async function openLog(env: World["env"], path: string, key: string): Promise<Log | undefined> {
  const level = env["CLAUDE_EXEC_LOG"];
  if (!level) return undefined;
  const { pino } = await import("pino");
  const levels = Object.keys(pino.levels.values);
  if (!levels.includes(level)) {
    throw new UserError(
      "env_invalid",
      `CLAUDE_EXEC_LOG is "${level}", which is not a level.`,
      `Set it to one of ${levels.join(", ")}, or unset it.`,
      exitCodes.notConfigured,
    );
  }
  makeFolder(dirname(path));
  const hooks = { streamWrite: (line: string) => (key === "" ? line : line.replaceAll(key, "[key]")) };
  const destination = pino.destination({ dest: path, sync: true, mode: 0o600, append: true });
  const logger = pino({ level, hooks }, destination);
  const at =
    (level: keyof Log) =>
    (message: string, ...details: unknown[]) =>
      logger[level]({ details }, message);
  return { error: at("error"), warn: at("warn"), info: at("info"), debug: at("debug") };
}
