import { existsSync, realpathSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, isAbsolute, join, relative, resolve } from "node:path";
import { z } from "zod";
import { PriceTable } from "../models/prices.ts";
import { modes } from "../permissions/judge.ts";
import { readRule } from "../permissions/rules.ts";
import { readTextIfThere } from "../util/files.ts";
import { exitCodes, UserError } from "../util/errors.ts";
import { isRecord, parseJson } from "../util/json.ts";
import { schemaName } from "./places.ts";

const share = z.number().min(0).max(1);
const orNothing = (schema: z.ZodNumber) => z.union([schema, z.null()]);

const permissionRules = (what: string) =>
  z
    .array(
      z.string().superRefine((text, context) => {
        const rule = readRule(text);
        if ("problem" in rule) {
          context.addIssue({ code: "custom", message: `${JSON.stringify(text)} is no rule: ${rule.problem}` });
        }
      }),
    )
    .default([])
    .describe(what);

/** config.json. Every key may be left out; the seed's keys keep their names. */
export const configSchema = z.strictObject({
  $schema: z.string().optional().describe("Names this schema; a folder whose config.json does so is a home."),
  models: z
    .strictObject({
      default: z.string().default("claude-opus-5-5"),
      fast: z.string().default("claude-haiku-5-5"),
      smart: z.string().default("claude-opus-5-5"),
    })
    .prefault({})
    .describe("Which model each route takes; a prompt's front matter names the route."),
  limits: z
    .strictObject({
      max_tokens_per_prompt: z
        .int()
        .min(8_000)
        .default(32_000)
        .describe("Most output tokens of one call, thinking included."),
      context_window: z.int().min(20_000).default(100_000).describe("Tokens of context a chain may use."),
      warning_threshold: share.default(0.8).describe("Share of the window at which the record is condensed."),
      budget_usd: orNothing(z.number().positive())
        .default(10)
        .describe("A chain pauses before the call that could pass it."),
      budget_tokens: orNothing(z.int().positive()).default(null),
      cost_alert_usd: orNothing(z.number().positive()).default(5).describe("Said once when a chain passes it."),
      turns: z.int().positive().default(400).describe("Calls of a model in one chain."),
      turns_per_prompt: z.int().positive().default(40),
      rounds: z.int().positive().default(6).describe("Visits to context-building."),
      repeats: z.int().min(2).default(3).describe("The same prompt on the same context."),
    })
    .prefault({}),
  prompts: z
    .strictObject({
      system_dir: z
        .literal("./prompts/system")
        .default("./prompts/system")
        .describe("System prompts are the shipped ones."),
      custom_dir: z.string().default("./prompts/custom").describe("Where generated prompts lie, relative to the home."),
      team: z
        .array(z.string().min(1))
        .default([])
        .describe("Folders or git checkouts with shared prompts, relative to this file; ~ is your home folder."),
      may_replace: z
        .array(z.string().overwrite((name) => name.replaceAll("-", "_")))
        .default([])
        .describe("System prompts that other prompts of the same name may replace; only in your own config.json."),
      core: z
        .int()
        .min(20)
        .max(1000)
        .default(150)
        .describe("How many prompts a request's catalogue holds at most; find_prompts reaches the rest."),
    })
    .prefault({}),
  gates: z
    .strictObject({
      requirements: share.default(0.9),
      ambiguity: share.default(0.3),
      overall: share.default(0.8),
      area: share.default(0.6),
      unproven: share.default(0.6).describe("What a score without evidence counts at most."),
      simplicity: z.number().default(7),
      quality: z
        .array(z.string())
        .default(["code_reviewer", "security_scanner", "simplicity_checker", "deployment_checker"]),
    })
    .prefault({}),
  tests: z
    .strictObject({
      command: z.array(z.string()).min(1).optional().describe("How the tests are run, as a list of arguments."),
      timeout_seconds: z.int().positive().default(600),
    })
    .prefault({}),
  permissions: z
    .strictObject({
      mode: z
        .enum(modes)
        .exclude(["full"])
        .optional()
        .describe("What is done without asking; only in your own config.json, and never full."),
      allow: permissionRules("What needs no asking, only in your own config.json: `run npm test`, `write docs/**`."),
      ask: permissionRules("What is asked for, even where it is allowed."),
      deny: permissionRules("What is never done: `run git push **`, `read secrets/**`."),
      unsandboxed: z
        .boolean()
        .default(false)
        .describe("Run commands also where there is no sandbox; only in your own config.json."),
    })
    .prefault({})
    .describe("Rules for commands and files; deny beats ask, ask beats allow."),
  prices: PriceTable.default({}).describe("Prices of models that are not in our table, or that differ from it."),
});
export type Config = z.infer<typeof configSchema>;

/**
 * The user's own settings, and over them those of a home. A home comes with a project, so it may make gates,
 * budgets and permissions tighter than its user has them, never looser.
 */
export function readConfig(home: string | undefined, user?: string): Config {
  const own = withTeam(parsed(user), user);
  const base = checked(own, user);
  if (home === undefined) return base;
  const given = withTeam(parsed(home), home);
  const { prompts, permissions } = checked(given, home);
  const outside = [...prompts.team, resolve(home, prompts.custom_dir)].filter(
    (path) => !isInside(path, projectOf(home)),
  );
  if (outside.length > 0) {
    const message = `${join(home, "config.json")} names prompts outside of the project: ${outside.join(", ")}.`;
    const hint = `Name them in your own: ${join(user ?? "", "config.json")}`;
    throw new UserError("config_looser", message, hint, exitCodes.notConfigured);
  }
  const granted = grants(permissions);
  if (granted.length > 0) {
    const message = `${join(home, "config.json")} sets ${granted.join(" and ")}. A project may add what is asked for and denied, never what is allowed.`;
    const hint = `Take that out, or set it for yourself in ${join(user ?? "", "config.json")}`;
    throw new UserError("config_looser", message, hint, exitCodes.notConfigured);
  }
  const both = configSchema.parse(layered(own, given));
  const config = {
    ...both,
    prompts: { ...both.prompts, team: joined(prompts.team, base.prompts.team) },
    permissions: {
      ...both.permissions,
      allow: base.permissions.allow,
      ask: joined(base.permissions.ask, permissions.ask),
      deny: joined(base.permissions.deny, permissions.deny),
    },
  };
  const looser = loosened(base, config);
  if (looser.length === 0) return config;
  throw new UserError(
    "config_looser",
    `${join(home, "config.json")} loosens ${looser.join(", ")}. A project may tighten gates and budgets, never loosen them.`,
    `Take that out, or set it for yourself in ${join(user ?? "", "config.json")}`,
    exitCodes.notConfigured,
  );
}

/** What a layer permits, beyond saying what is asked for and denied. */
function grants({ mode, allow, unsandboxed }: Config["permissions"]): string[] {
  const keys = [mode !== undefined && "mode", allow.length > 0 && "allow", unsandboxed && "unsandboxed"];
  return keys.filter((key) => key !== false).map((key) => `permissions.${key}`);
}

type Layer = Record<string, unknown>;

/** With the folders of a team's prompts as they are meant from where the layer lies; both layers' count. */
function withTeam(layer: Layer, folder: string | undefined): Layer {
  const { prompts } = layer;
  if (folder === undefined || !isRecord(prompts) || !Array.isArray(prompts["team"])) return layer;
  const meant = (path: unknown) =>
    typeof path === "string" && path !== "" ? resolve(folder, path.replace(/^~(?=\/|$)/, homedir())) : path;
  return { ...layer, prompts: { ...prompts, team: prompts["team"].map(meant) } };
}

function projectOf(home: string): string {
  return basename(home) === ".claude-exec" ? dirname(home) : home;
}

/** By where it really lies: a link may lead out. */
function isInside(path: string, folder: string): boolean {
  const from = relative(realPath(folder), realPath(path));
  return from === "" || (from !== ".." && !from.startsWith("../") && !isAbsolute(from));
}

/** What is not there yet lies where the nearest folder above it really lies. */
function realPath(path: string): string {
  if (existsSync(path) || dirname(path) === path) return realpathSync(path);
  return join(realPath(dirname(path)), basename(path));
}

function parsed(folder: string | undefined): Layer {
  const text = folder === undefined ? undefined : readTextIfThere(join(folder, "config.json"));
  if (text === undefined) return {};
  const json = parseJson(text);
  if (isRecord(json)) return json;
  throw invalid(folder, json === undefined ? "it is not valid JSON" : "it is not an object");
}

function checked(layer: Layer, folder: string | undefined): Config {
  const read = configSchema.safeParse(layer);
  if (read.success) return read.data;
  throw invalid(folder, z.prettifyError(read.error).replaceAll("\n", " "));
}

function invalid(folder: string | undefined, problem: string): UserError {
  const message = `${join(folder ?? "", "config.json")} cannot be used: ${problem}`;
  return new UserError(
    "config_invalid",
    message,
    `Mend it; ${schemaName} says what may stand there.`,
    exitCodes.notConfigured,
  );
}

function joined(some: readonly string[], others: readonly string[]): string[] {
  return [...new Set([...some, ...others])];
}

function layered(under: Layer, over: Layer): Layer {
  const merged = Object.entries(over).map(([key, value]) => {
    const below = Object.hasOwn(under, key) ? under[key] : undefined;
    return [key, isRecord(below) && isRecord(value) ? layered(below, value) : value];
  });
  return { ...under, ...Object.fromEntries(merged) };
}

function loosened({ gates, limits, prompts }: Config, { gates: own, limits: mine, prompts: named }: Config): string[] {
  const more = (before: number | null, after: number | null) => before !== null && (after === null || after > before);
  const lower = (["requirements", "overall", "area"] as const).filter((key) => own[key] < gates[key]);
  const higher = (["ambiguity", "unproven", "simplicity"] as const).filter((key) => own[key] > gates[key]);
  const budgets = (["budget_usd", "budget_tokens", "turns"] as const).filter((key) => more(limits[key], mine[key]));
  const reviews = gates.quality.every((name) => own.quality.includes(name)) ? [] : ["quality"];
  const replaced = named.may_replace.every((name) => prompts.may_replace.includes(name)) ? [] : ["prompts.may_replace"];
  return [
    ...[...lower, ...higher, ...reviews].map((key) => `gates.${key}`),
    ...budgets.map((key) => `limits.${key}`),
    ...replaced,
  ];
}

/** The schema for editors, made from the one above. */
export function configJsonSchema(): Record<string, unknown> {
  return { title: "claude-exec configuration", ...z.toJSONSchema(configSchema, { io: "input" }) };
}
