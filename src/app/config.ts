import { join } from "node:path";
import { z } from "zod";
import { PriceTable } from "../models/prices.ts";
import { readTextIfThere } from "../util/files.ts";
import { exitCodes, UserError } from "../util/errors.ts";
import { parseJson } from "../util/json.ts";

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

export const schemaName = "claude-exec.schema.json";

export function readConfig(home: string | undefined): Config {
  const path = home === undefined ? undefined : join(home, "config.json");
  const text = path === undefined ? undefined : readTextIfThere(path);
  if (text === undefined) return configSchema.parse({});
  const json = parseJson(text);
  const read = configSchema.safeParse(json);
  if (read.success) return read.data;
  const problem = json === undefined ? "it is not valid JSON" : z.prettifyError(read.error).replaceAll("\n", " ");
  throw new UserError(
    "config_invalid",
    `${path} cannot be used: ${problem}`,
    `Mend it; ${schemaName} says what may stand there.`,
    exitCodes.notConfigured,
  );
}

/** The schema for editors, made from the one above. */
export function configJsonSchema(): Record<string, unknown> {
  return { title: "claude-exec configuration", ...z.toJSONSchema(configSchema, { io: "input" }) };
}
