import { realpathSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { unlessRefused } from "../util/errors.ts";
import { readTextIfThere, writeAtomic } from "../util/files.ts";
import { parseJson } from "../util/json.ts";
import type { World } from "../util/world.ts";
import { userFolders } from "./places.ts";

/**
 * `config`: the command in config.json at that time. Once that is another one, it counts instead of what is remembered.
 * `at`: when it was confirmed. Left out by older versions.
 */
const remembered = z.record(
  z.string(),
  z.object({ argv: z.array(z.string()).min(1), config: z.array(z.string()), at: z.exactOptional(z.number()) }),
);

/** The test command that the user confirmed for a project before. It lies with the user, so no repository brings one along. */
export function rememberedTestCommand(workspace: string, config: readonly string[] = [], env: World["env"]) {
  const known = readAll(env)[realpathSync(workspace)];
  if (!known || !isSame(known.config, config)) return undefined;
  const day = new Date(known.at ?? 0).toLocaleDateString("en-GB", { day: "numeric", month: "long" });
  return { argv: known.argv, found_in: `the command you confirmed ${known.at === undefined ? "before" : `on ${day}`}` };
}

/** Where the state folder cannot be used, nothing is remembered: the command is found and shown anew the next time. */
export function rememberTestCommand(
  workspace: string,
  argv: readonly string[],
  config: readonly string[] = [],
  { env, now }: Pick<World, "env" | "now">,
): void {
  const [real, known] = [realpathSync(workspace), readAll(env)];
  if (isSame(known[real]?.argv, argv) && isSame(known[real]?.config, config)) return;
  const text = `${JSON.stringify({ ...known, [real]: { argv, config, at: now() } }, null, 2)}\n`;
  unlessRefused(() => writeAtomic(fileOf(env), text));
}

function isSame(one: readonly string[] | undefined, other: readonly string[]): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** A file that cannot be read remembers nothing: the command is found and shown anew. */
function readAll(env: World["env"]) {
  const text = unlessRefused(() => readTextIfThere(fileOf(env)));
  return remembered.safeParse(parseJson(text ?? "")).data ?? {};
}

function fileOf(env: World["env"]): string {
  return join(userFolders(env).state, "test_commands.json");
}
