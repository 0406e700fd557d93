import type { Deps } from "../chain/deps.ts";
import type { Limits } from "../chain/events.ts";
import type { Policy } from "../chain/run.ts";
import type { Caller } from "../session/caller.ts";
import type { Config } from "../session/config.ts";
import { readAnswers } from "./answers.ts";
import { tellsOfDeployment } from "../tools/deployment.ts";
import type { TestCommand } from "../tools/test_command.ts";
import type { Running } from "./flags.ts";

/** What a chain begins with, beside its task. */
export async function settingsOf(
  { workspace }: Deps,
  config: Config,
  input: Running & { test_command?: string | undefined },
  remembered?: TestCommand,
) {
  const { commandOf, commandOfWords, findTestCommand } = await import("../tools/test_command.ts");
  const { command } = config.tests;
  const configured =
    input.test_command !== undefined
      ? { argv: commandOf(input.test_command), found_in: "from your option" }
      : (remembered ?? (command && { argv: commandOfWords(command), found_in: "from config.json" }));
  const tests = configured ?? (await findTestCommand(workspace));
  const { budget_usd, budget_tokens, cost_alert_usd, turns, turns_per_prompt, rounds, repeats } = config.limits;
  const limits = { budget_usd, budget_tokens, cost_alert_usd, turns, turns_per_prompt, rounds, repeats };
  return {
    workspace: workspace.root,
    gates: config.gates,
    limits: { ...limits, ...limitsOf(input) },
    test_command: tests?.argv ?? null,
    ...(tests ? { test_command_from: tests.found_in } : {}),
    is_deployed: (await workspace.list()).some(tellsOfDeployment),
  };
}

export function policyOf({ answers, approve_policy: approve }: Running, { asks = false }: Caller): Policy {
  return { answers: answers === undefined ? {} : readAnswers(answers), approve, asks };
}

export function limitsOf(input: Running): Partial<Limits> {
  const { budget_usd, budget_tokens, turns, turns_per_prompt } = input;
  const said = Object.entries({ budget_usd, budget_tokens, turns, turns_per_prompt });
  const given = said.filter(([, amount]) => amount !== undefined);
  return Object.fromEntries(given.map(([name, amount]) => [name, amount === "none" ? null : Number(amount)]));
}
