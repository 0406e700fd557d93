import { realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { costsMore } from "../models/prices.ts";
import { follow, isInside } from "../workspace/place.ts";
import { isRecord } from "../util/json.ts";
import type { Config, Layer } from "./config.ts";

const words = (text: string) => text.split(" ");

/** Settings that are read from the user's own config.json alone. */
export const userOnly = words(
  "permissions.mode permissions.allow prompts.may_replace alerts.command backend api_key_command prices",
);

/**
 * Settings that a workspace may change in one direction: `min` to a smaller value, `max` to a larger one, `add` by
 * adding its list to the user's.
 */
export const mayTighten = {
  min: words(
    "limits.max_tokens_per_prompt limits.context_window limits.warning_threshold limits.budget_usd " +
      "limits.budget_tokens limits.cost_alert_usd limits.cost_alert_day_usd limits.cost_alert_project_usd " +
      "limits.requests_per_minute limits.turns limits.turns_per_prompt limits.rounds limits.repeats " +
      "prompts.core gates.ambiguity gates.unproven gates.simplicity tests.timeout_seconds permissions.unsandboxed",
  ),
  max: words("gates.requirements gates.overall gates.area"),
  add: words("gates.quality prompts.team permissions.ask permissions.deny"),
};

/** Settings that a workspace may choose freely. A person sees the command of the tests in the solution they approve. */
export const mayChoose = words("$schema prompts.system_dir prompts.custom_dir tests.command");

/** Settings for which the person is asked once, where a workspace names a model that costs more than theirs. */
export const askedOnce = words("models.default models.fast models.smart");

export interface CostlierModel {
  readonly route: string;
  readonly model: string;
  readonly own: string;
}

/**
 * The user's settings with those of a home's workspace over them, as far as these are no looser. `refused` names those
 * that do not count. `successors` took the place of retired models: nobody chose them, so nobody is asked about them.
 */
export function tighten(own: Config, given: Layer, home: string, now: number, successors: readonly string[]) {
  const config: Layer = structuredClone(own);
  const costlier: CostlierModel[] = [];
  const { layer, outside } = withinProject(given, home);
  const refused = [...outside];
  const each = (paths: readonly string[], judge: (path: string, value: unknown, mine: unknown) => void) => {
    for (const path of paths) {
      const [value, mine] = [at(layer, path), at(own, path)];
      if (value !== undefined && JSON.stringify(value) !== JSON.stringify(mine)) judge(path, value, mine);
    }
  };
  each(userOnly, (path, value, mine) => {
    if (JSON.stringify(value) !== "{}" && !(Array.isArray(value) && isPartOf(value, mine))) refused.push(path);
  });
  each(mayChoose, (path, value) => put(config, path, value));
  each(mayTighten.add, (path, value, mine) => {
    put(config, path, [...new Set([...listOf(value), ...listOf(mine)])]);
    if (path === "gates.quality" && !isPartOf(listOf(mine), value)) refused.push(path);
  });
  each([...mayTighten.min, ...mayTighten.max], (path, value, mine) => {
    const isLess = amount(value) < amount(mine);
    if (mayTighten.min.includes(path) === isLess) put(config, path, value);
    else refused.push(`${path} ${inWords(value)} (yours: ${inWords(mine)})`);
  });
  each(askedOnce, (path, value, mine) => {
    const [route, model, users] = [path.replace("models.", ""), String(value), String(mine)];
    if (!costsMore(model, users, now, own.prices)) put(config, path, model);
    else if (successors.includes(model)) refused.push(`${path} ${model} (yours: ${users})`);
    else costlier.push({ route, model, own: users });
  });
  // Each value was checked with the file that it comes from.
  return { config: config as Config, refused, costlier };
}

/** Without the folders of prompts that lie outside of the project: a home may not lead its user elsewhere. */
function withinProject(layer: Layer, home: string): { layer: Layer; outside: string[] } {
  const { prompts } = layer;
  if (!isRecord(prompts)) return { layer, outside: [] };
  const project = realpathSync(basename(home) === ".claude-exec" ? dirname(home) : home);
  const isWithin = (folder: unknown) => {
    const found = follow(resolve(home, String(folder)));
    return typeof found !== "string" && isInside(project, join(found.real, ...found.missing));
  };
  const { team, custom_dir, ...rest } = prompts;
  const teams = listOf(team).filter(isWithin);
  const hasOwn = custom_dir === undefined || isWithin(custom_dir);
  const kept = { ...rest, ...(team ? { team: teams } : {}), ...(hasOwn && custom_dir ? { custom_dir } : {}) };
  const outside = [teams.length < listOf(team).length && "prompts.team", !hasOwn && "prompts.custom_dir"];
  return { layer: { ...layer, prompts: kept }, outside: outside.filter((path) => path !== false) };
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isPartOf(some: readonly unknown[], all: unknown): boolean {
  return some.every((one) => listOf(all).includes(one));
}

/** `null` stands for no limit. */
function amount(value: unknown): number {
  return value === null ? Infinity : Number(value);
}

function inWords(value: unknown): string {
  return value === null ? "no limit" : JSON.stringify(value);
}

function at(layer: unknown, path: string): unknown {
  return path.split(".").reduce((value, key) => (isRecord(value) ? value[key] : undefined), layer);
}

function put(layer: Layer, path: string, value: unknown): void {
  const [section = "", key = ""] = path.split(".");
  const below = layer[section];
  layer[section] = isRecord(below) ? { ...below, [key]: value } : value;
}
