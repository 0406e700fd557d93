import { printedBy } from "../programs/program.ts";
import { exitCodes, UserError } from "../util/errors.ts";
import type { World } from "../util/world.ts";
import { configSchema, readLayer } from "./config.ts";
import { userFolders } from "./places.ts";

/** The command in the user's own config.json that prints their key; a project's has no say. */
export function keyCommand(env: World["env"]): readonly string[] {
  return configSchema.parse(readLayer(userFolders(env).config).layer).api_key_command;
}

/** What the command printed, which is never shown. */
export async function keyPrintedBy([program = "", ...argv]: readonly string[], env: World["env"]): Promise<string> {
  const { PATH = "", HOME = "" } = env;
  const bounds = { cwd: userFolders(env).config, env: { PATH, HOME }, bytes: 10_000, ms: 60_000 };
  const { end, code, stdout } = await printedBy(program, argv, bounds);
  const key = stdout.trim();
  if (end === "exited" && code === 0 && key !== "") return key;
  const ends = {
    exited: code === 0 ? "it printed nothing" : `exit ${code ?? "none"}`,
    missing: "there is no such program",
    cut: "it printed more than any key has",
    late: "it took over a minute",
  };
  throw new UserError(
    "no_key_printed",
    `The api_key_command of your own settings printed no key: ${ends[end]}. Nothing was begun.`,
    [{ why: `Run it by hand to see why: ${[program, ...argv].join(" ")}` }, { why: "Or export ANTHROPIC_API_KEY=…" }],
    exitCodes.notConfigured,
  );
}
