import { join } from "node:path";
import type { Model } from "../models/types.ts";
import { exitCodes, UserError } from "../util/errors.ts";
import type { World } from "../util/world.ts";
import { userFolders, type Home } from "./places.ts";

/** The model that replies: a recording, or the provider. What would fail at the first call is refused here. */
export async function chooseModel(
  world: World,
  { replay, record }: { replay?: string | undefined; record?: string | undefined },
  apiKey: string,
  /** The user's own Claude Code is the model, with these variables. */
  claudeEnv: World["env"] | undefined,
): Promise<Model> {
  if (replay !== undefined) {
    const { openRecorded } = await import("../models/recorded.ts");
    if (record === undefined) return openRecorded(replay, world);
    const message = "A recorded run that is played again has no new replies to record.";
    throw new UserError("wrong_usage", message, "Either play a run or record one.", exitCodes.usage);
  }
  if (claudeEnv) return withRecord(await openOwnClaude({ ...world, env: claudeEnv }), record, world);
  const baseUrl = baseUrlOf(world.env);
  if (/[^\x21-\x7e]/.test(apiKey)) {
    const message = "The API key holds a space, a line break or a letter that no key has. Nothing was begun.";
    throw new UserError("bad_key", message, "Copy the key again.", exitCodes.notConfigured);
  }
  const { openAnthropic } = await import("../models/anthropic.ts");
  const { openLog } = await import("./log.ts");
  const log = await openLog(world.env, join(userFolders(world.env).state, "claude-exec.log"), apiKey);
  const { knownServers } = await import("./servers.ts");
  const servers = knownServers(world.env, baseUrl);
  const live = openAnthropic({ apiKey, baseUrl, world, servers, ...(log ? { log } : {}) });
  return withRecord(live, record, world);
}

async function withRecord(model: Model, record: string | undefined, world: World): Promise<Model> {
  if (record === undefined) return model;
  const { recordTo } = await import("../models/recorded.ts");
  return recordTo(model, record, world);
}

async function openOwnClaude(world: World): Promise<Model> {
  const { openClaudeCli } = await import("../models/claude_cli.ts");
  const { claudeProgram } = await import("./connection.ts");
  return openClaudeCli({ program: claudeProgram(world.env), world, hasKey: !!world.env["ANTHROPIC_API_KEY"] });
}

/** The address of the provider; undefined stands for Anthropic's own. */
export function baseUrlOf(env: World["env"]): string | undefined {
  const address = env["ANTHROPIC_BASE_URL"];
  if (!address) return undefined;
  const protocol = URL.canParse(address) ? new URL(address).protocol : "";
  if (protocol === "https:" || protocol === "http:") return address;
  const message = `ANTHROPIC_BASE_URL is "${address}", which is no address of a server. Nothing was begun.`;
  const hint = "Write it like http://127.0.0.1:8080, or unset it.";
  throw new UserError("bad_address", message, hint, exitCodes.notConfigured);
}

export function noModel(home: Home, known: boolean): UserError {
  const own = known ? ` or in ${join(home.path, ".env")}` : "";
  return new UserError(
    "no_model",
    "There is no model to think with. Nothing was begun.",
    [
      { operation: "demo", why: "See it work first" },
      { why: `Take a key of your own: export ANTHROPIC_API_KEY=…${own}` },
      { input: { backend: "claude-cli" }, why: "Or let your own Claude Code think" },
      { why: 'Or name a command that prints it: "api_key_command": ["…"] in your own config.json' },
      { why: "Take another server: export ANTHROPIC_BASE_URL=http://127.0.0.1:8080 ANTHROPIC_API_KEY=any" },
      { operation: "new", input: { task: "…", replay: "recording.json" }, why: "Play a recorded run" },
    ],
    exitCodes.notConfigured,
  );
}

/** Stands in where no model is configured. An operation that needs none works with it; to ask it fails with `lacking`. */
export function modelLacking(lacking: UserError): Model {
  const ask = () => {
    throw lacking;
  };
  return { name: "none", live: false, lacking, ask };
}
