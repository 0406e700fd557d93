import { join } from "node:path";
import { z } from "zod";
import { PriceTable } from "../models/prices.ts";
import { readTextIfThere } from "../util/files.ts";
import { exitCodes, UserError } from "../util/errors.ts";
import { isRecord, parseJson } from "../util/json.ts";
import { schemaName } from "./places.ts";

const share = z.number().min(0).max(1);
const orNothing = (schema: z.ZodNumber) => z.union([schema, z.null()]);

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
  prices: PriceTable.default({}).describe("Prices of models that are not in our table, or that differ from it."),
});
export type Config = z.infer<typeof configSchema>;

/**
 * The user's own settings, and over them those of a home. A home comes with a project, so it may make gates and
 * budgets tighter than its user has them, never looser.
 */
export function readConfig(home: string | undefined, user?: string): Config {
  const own = parsed(user);
  const base = checked(own, user);
  if (home === undefined) return base;
  const given = parsed(home);
  checked(given, home);
  const config = configSchema.parse(layered(own, given));
  const looser = loosened(base, config);
  if (looser.length === 0) return config;
  throw new UserError(
    "config_looser",
    `${join(home, "config.json")} loosens ${looser.join(", ")}. A project may tighten gates and budgets, never loosen them.`,
    `Take that out, or set it for yourself in ${join(user ?? "", "config.json")}`,
    exitCodes.notConfigured,
  );
}

type Layer = Record<string, unknown>;

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

function layered(under: Layer, over: Layer): Layer {
  const merged = Object.entries(over).map(([key, value]) => {
    const below = Object.hasOwn(under, key) ? under[key] : undefined;
    return [key, isRecord(below) && isRecord(value) ? layered(below, value) : value];
  });
  return { ...under, ...Object.fromEntries(merged) };
}

function loosened({ gates, limits }: Config, { gates: own, limits: mine }: Config): string[] {
  const more = (before: number | null, after: number | null) => before !== null && (after === null || after > before);
  const lower = (["requirements", "overall", "area"] as const).filter((key) => own[key] < gates[key]);
  const higher = (["ambiguity", "unproven", "simplicity"] as const).filter((key) => own[key] > gates[key]);
  const budgets = (["budget_usd", "budget_tokens", "turns"] as const).filter((key) => more(limits[key], mine[key]));
  const reviews = gates.quality.every((name) => own.quality.includes(name)) ? [] : ["quality"];
  return [...[...lower, ...higher, ...reviews].map((key) => `gates.${key}`), ...budgets.map((key) => `limits.${key}`)];
}

/** The schema for editors, made from the one above. */
export function configJsonSchema(): Record<string, unknown> {
  return { title: "claude-exec configuration", ...z.toJSONSchema(configSchema, { io: "input" }) };
}
