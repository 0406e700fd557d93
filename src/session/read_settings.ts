import { existsSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { exitCodes, UserError } from "../util/errors.ts";
import { readTextIfThere, writeAtomic } from "../util/files.ts";
import { isRecord, parseJson } from "../util/json.ts";
import type { World } from "../util/world.ts";
import { bringUpToDate, configSchema, readLayer, type Config, type Layer } from "./config.ts";
import { userFolders } from "./places.ts";
import { envLayer, withEnv } from "./settings.ts";
import { tighten, type CostlierModel } from "./tighten.ts";

export interface Settings {
  readonly config: Config;
  /** What was changed or does not count, one line for each folder of settings. */
  readonly notes: readonly string[];
  /** Models that count only once a person agreed to them. */
  readonly costlier: readonly CostlierModel[];
}

/**
 * The user's own settings (their config.json, then their environment), and those of a home (its config.json, then its
 * .env) as far as they are no looser. What the shell sets wins over both.
 */
export function readSettings(
  home: string | undefined,
  user: string | undefined,
  { env, dotEnv = {}, now }: { env: World["env"]; dotEnv?: World["env"]; now: number },
): Settings {
  const mine = readLayer(user);
  const shell = variables(env, mine.layer);
  const own = withEnv(configSchema.parse(mine.layer), shell.env);
  const notes = noteOf("Your own settings", [...mine.updated, ...shell.updated]);
  if (home === undefined || isSame(home, user)) return { config: own, notes, costlier: [] };
  const theirs = readLayer(home);
  const file = variables(dotEnv, theirs.layer);
  const { models, limits } = envLayer(file.env, own.limits.warning_threshold);
  const given = {
    ...theirs.layer,
    models: over(theirs.layer["models"], models),
    limits: over(theirs.layer["limits"], limits),
  };
  const successors = [...theirs.successors, ...file.successors];
  const { config, refused, costlier } = tighten(own, given, home, now, successors);
  const looser = refused.length > 0 ? [`looser than yours, so not counted: ${refused.join(", ")}`] : [];
  return {
    config: withEnv(config, shell.env),
    notes: [...notes, ...noteOf(`Settings in ${home}`, [...theirs.updated, ...file.updated, ...looser])],
    costlier: costlier.filter(({ route }) => route !== "default" || !shell.env["DEFAULT_MODEL"]),
  };
}

/** The variables with today's model in place of a retired one. */
function variables(env: World["env"], { prices }: Layer) {
  const model = env["DEFAULT_MODEL"];
  const { layer, updated, successors } = bringUpToDate({ prices, models: model ? { default: model } : {} });
  const models = isRecord(layer["models"]) ? layer["models"] : {};
  return { env: { ...env, ...(model ? { DEFAULT_MODEL: String(models["default"]) } : {}) }, updated, successors };
}

function over(section: unknown, more: Layer): Layer {
  return { ...(isRecord(section) ? section : {}), ...more };
}

function noteOf(whose: string, parts: readonly string[]): string[] {
  return parts.length === 0 ? [] : [`${whose}: ${[...new Set(parts)].join("; ")}.`];
}

function isSame(home: string, user: string | undefined): boolean {
  return user !== undefined && existsSync(home) && existsSync(user) && realpathSync(home) === realpathSync(user);
}

export type ModelAnswer = "use" | "ignore";
const answersSchema = z.record(z.string(), z.record(z.string(), z.enum(["use", "ignore"])));

/**
 * The settings with the costlier models that a person agreed to. The answer is kept for this folder, so that nobody is
 * asked twice; without one nothing begins.
 */
export function agreeToModels(
  { config, costlier }: Settings,
  workspace: string,
  answer: ModelAnswer | undefined,
  env: World["env"],
): Config {
  const path = join(userFolders(env).config, "models.json");
  const read = answersSchema.safeParse(parseJson(readTextIfThere(path) ?? "{}"));
  if (!read.success) {
    const message = `${path} cannot be read, so it is not known which models you agreed to.`;
    throw new UserError("models_unreadable", message, "Remove that file, and answer again.", exitCodes.notConfigured);
  }
  const folder = realpathSync(workspace);
  const known = new Map(Object.entries(read.data[folder] ?? {}));
  const open = costlier.filter(({ model }) => answer !== undefined || !known.has(model));
  if (open.length > 0 && answer === undefined) throw askAboutModels(workspace, open);
  for (const { model } of open) known.set(model, answer ?? "ignore");
  if (open.length > 0) {
    const all = { ...read.data, [folder]: Object.fromEntries(known) };
    writeAtomic(path, `${JSON.stringify(all, null, 2)}\n`);
  }
  const used = costlier.filter(({ model }) => known.get(model) === "use");
  return {
    ...config,
    models: { ...config.models, ...Object.fromEntries(used.map(({ route, model }) => [route, model])) },
  };
}

function askAboutModels(workspace: string, open: readonly CostlierModel[]): UserError {
  const each = open.map(({ route, model, own }) => `${model} for the route ${route} (yours: ${own})`);
  const message = `${workspace} chooses models that cost more than yours, or whose price is not known: ${each.join(", ")}. Nothing was begun.`;
  const next = [
    { input: { project_models: "use" }, why: "Use them in this folder from now on" },
    { input: { project_models: "ignore" }, why: "Or ignore them from now on" },
  ];
  return new UserError("models_cost_more", message, next, exitCodes.waiting);
}
