import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { defaultReviewers } from "../chain/roles.ts";
import { PriceTable } from "../models/price_table.ts";
import { successorOf } from "../models/retired.ts";
import { modes } from "../programs/permissions/judge.ts";
import { readRule } from "../programs/permissions/rules.ts";
import { readTextIfThere } from "../util/files.ts";
import { exitCodes, UserError } from "../util/errors.ts";
import { isRecord, parseJson } from "../util/json.ts";
import { schemaName } from "./places.ts";

/** With fewer, the thinking alone uses them up. */
const leastTokensPerPrompt = 8_000;

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
        .min(leastTokensPerPrompt)
        .default(32_000)
        .describe("Most output tokens of one call, thinking included."),
      context_window: z.int().min(20_000).default(100_000).describe("Tokens of context a chain may use."),
      warning_threshold: share.default(0.8).describe("Share of the window at which the record is condensed."),
      budget_usd: orNothing(z.number().positive())
        .default(10)
        .describe("A chain pauses before the call that could pass it."),
      budget_tokens: orNothing(z.int().positive()).default(null),
      cost_alert_usd: orNothing(z.number().positive()).default(5).describe("Said once when a chain passes it."),
      cost_alert_day_usd: orNothing(z.number().positive())
        .default(null)
        .describe("Said once a day when what all chains of this home cost that day passes it."),
      cost_alert_project_usd: orNothing(z.number().positive())
        .default(null)
        .describe("Said once when what all chains of this home cost together passes it."),
      requests_per_minute: orNothing(z.int().positive())
        .default(null)
        .describe("Requests to a model in any minute, of all processes of this home together."),
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
      quality: z.array(z.string()).default([...defaultReviewers]),
    })
    .prefault({}),
  backend: z
    .enum(["api", "claude-cli"])
    .default("api")
    .describe("claude-cli: your own Claude Code is the model; only in your own config.json."),
  api_key_command: z
    .array(z.string())
    .default([])
    .describe("Prints the key of the provider where no variable holds one; only in your own config.json."),
  alerts: z
    .strictObject({
      command: z.array(z.string()).default([]).describe("Gets cost alerts; only in your own config.json."),
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

/** A config.json as it is written: the keys that it leaves out are not there. */
export type Layer = Record<string, unknown>;

export interface ReadLayer {
  readonly layer: Layer;
  /** In words, what was brought up to date on the way. */
  readonly updated: readonly string[];
  /** The models that took the place of retired ones. */
  readonly successors: readonly string[];
}

/** The config.json of a folder, brought up to date and checked. */
export function readLayer(folder: string | undefined): ReadLayer {
  const read = bringUpToDate(withTeam(parsed(folder), folder));
  const checked = configSchema.safeParse(read.layer);
  if (checked.success) return read;
  throw invalid(folder, z.prettifyError(checked.error).replaceAll("\n", " "));
}

/** Files from earlier days name models that are retired, and fewer output tokens than a prompt needs. */
export function bringUpToDate(layer: Layer): ReadLayer {
  const updated: string[] = [];
  const successors: string[] = [];
  const { models, limits, prices } = layer;
  const isPriced = (model: string) => isRecord(prices) && Object.hasOwn(prices, model);
  const todaysModel = (model: unknown) => {
    const successor = typeof model === "string" && !isPriced(model) ? successorOf(model) : undefined;
    if (successor === undefined) return model;
    updated.push(`${String(model)} is retired, and its successor is ${successor}`);
    successors.push(successor);
    return successor;
  };
  const today = { ...layer };
  if (isRecord(models)) {
    today["models"] = Object.fromEntries(Object.entries(models).map(([key, value]) => [key, todaysModel(value)]));
  }
  const least = isRecord(limits) ? limits["max_tokens_per_prompt"] : undefined;
  if (typeof least === "number" && least > 0 && least < leastTokensPerPrompt) {
    updated.push(`max_tokens_per_prompt ${least} is raised to our minimum of ${leastTokensPerPrompt}`);
    today["limits"] = { ...(limits as Layer), max_tokens_per_prompt: leastTokensPerPrompt };
  }
  return { layer: today, updated, successors };
}

/** Folders of a team's prompts are relative to the file that names them. */
function withTeam(layer: Layer, folder: string | undefined): Layer {
  const { prompts } = layer;
  if (folder === undefined || !isRecord(prompts) || !Array.isArray(prompts["team"])) return layer;
  const meant = (path: unknown) =>
    typeof path === "string" && path !== "" ? resolve(folder, path.replace(/^~(?=\/|$)/, homedir())) : path;
  return { ...layer, prompts: { ...prompts, team: prompts["team"].map(meant) } };
}

function parsed(folder: string | undefined): Layer {
  const text = folder === undefined ? undefined : readTextIfThere(join(folder, "config.json"));
  if (text === undefined) return {};
  const json = parseJson(text);
  if (isRecord(json)) return json;
  throw invalid(folder, json === undefined ? "it is not valid JSON" : "it is not an object");
}

function invalid(folder: string | undefined, problem: string): UserError {
  const message = `${join(folder ?? "", "config.json")} cannot be used: ${problem}`;
  return new UserError(
    "config_invalid",
    message,
    `Fix it; ${schemaName} says what may stand there.`,
    exitCodes.notConfigured,
  );
}

/** The schema for editors, made from the one above. */
export function configJsonSchema(): Record<string, unknown> {
  return { title: "claude-exec configuration", ...z.toJSONSchema(configSchema, { io: "input" }) };
}
