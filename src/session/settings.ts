import { join } from "node:path";
import { parseEnv } from "node:util";
import { readTextIfThere } from "../util/files.ts";
import { pricesKnownOn } from "../models/prices.ts";
import { runGit } from "../programs/run_git.ts";
import { exitCodes, UserError } from "../util/errors.ts";
import type { World } from "../util/world.ts";
import { envOutside } from "../workspace/path_outside.ts";
import type { Config } from "./config.ts";
import type { Home } from "./places.ts";

/** What a home's .env may set, and nothing else: no endpoint, no mode. */
const allowed = ["ANTHROPIC_API_KEY", "TOKEN_LIMIT_WARNING", "COST_ALERT_THRESHOLD", "DEFAULT_MODEL"] as const;

/** The variables of a trusted home's .env. One that git would publish is refused, because it may hold a key. */
export async function readDotEnv(home: Home, env: World["env"]): Promise<Record<string, string>> {
  const path = join(home.path, ".env");
  const text = readTextIfThere(path);
  if (text === undefined) return {};
  if (!(await isIgnored(home.path, envOutside(home.workspace, env)))) {
    throw new UserError(
      "env_not_ignored",
      `${path} is not ignored by git, so it was not read: a key in it would be published.`,
      `Add .env to ${join(home.workspace, ".gitignore")} and untrack it: git rm --cached .env`,
      exitCodes.notConfigured,
    );
  }
  const values = parseEnv(text);
  return Object.fromEntries(allowed.flatMap((name) => (values[name] ? [[name, values[name]]] : [])));
}

async function isIgnored(folder: string, env: World["env"]): Promise<boolean> {
  const git = (...argv: string[]) => runGit({ root: folder, env }, argv, { userSettings: true });
  const inside = await git("rev-parse", "--is-inside-work-tree");
  if (inside.code !== 0) return true;
  // A tracked file counts as not ignored, whatever .gitignore says.
  const ignored = await git("check-ignore", "-q", ".env");
  return ignored.code === 0;
}

/** What is said where the clock must be wrong, because it shows a day before our prices were written down. */
export function clockNotes(now: number): string[] {
  if (now >= Date.parse(pricesKnownOn)) return [];
  const today = new Date(now).toISOString().slice(0, 10);
  return [
    `The clock of this machine looks wrong: it says ${today}. Costs are counted with the prices of ${pricesKnownOn}.`,
  ];
}

/** The configuration with the variables over it. */
export function withEnv(config: Config, env: World["env"]): Config {
  const { models, limits } = envLayer(env, config.limits.warning_threshold);
  return { ...config, models: { ...config.models, ...models }, limits: { ...config.limits, ...limits } };
}

/** The settings that the variables stand for; `threshold` is the share of the window at which a record is condensed. */
export function envLayer(env: World["env"], threshold: number) {
  const number = (name: string) => {
    const text = env[name];
    if (text === undefined || text === "") return undefined;
    // In digits, as the flags for amounts: `Number` would also take "0x10".
    if (/^\d+(\.\d+)?$/.test(text) && Number(text) > 0) return Number(text);
    throw new UserError(
      "env_invalid",
      `${name} is "${text}", which is not a number above 0.`,
      `Fix or unset ${name}.`,
      exitCodes.notConfigured,
    );
  };
  const window = number("TOKEN_LIMIT_WARNING");
  const alert = number("COST_ALERT_THRESHOLD");
  const model = env["DEFAULT_MODEL"];
  return {
    models: model ? { default: model } : {},
    limits: {
      ...(window ? { context_window: Math.round(window / threshold) } : {}),
      ...(alert ? { cost_alert_usd: alert } : {}),
    },
  };
}
