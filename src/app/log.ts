import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { Logger } from "pino";
import type { World } from "../util/world.ts";

/** What passes between us and a provider, as JSON lines, for whoever has to find out why; off unless asked for. */
export async function openLog(env: World["env"], path: string): Promise<Logger | undefined> {
  const level = env["CLAUDE_EXEC_LOG"];
  if (!level) return undefined;
  const { pino } = await import("pino");
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  return pino(
    {
      level,
      redact: { paths: ["*.apiKey", "*.headers.authorization", "*.headers['x-api-key']"], censor: "[redacted]" },
    },
    pino.destination({ dest: path, sync: true, mode: 0o600, append: true }),
  );
}
