import { catalogueText, coreOf, isListed } from "../library/catalogue.ts";
import { definitions } from "../tools/catalogue.ts";
import type { Context } from "./context.ts";
import type { Work } from "./deps.ts";
import { event } from "./events.ts";
import { engineActor } from "./open.ts";
import { replyJsonSchema } from "./reply.ts";

/**
 * Freezes what every request of the coming steps begins with: tools, rules, catalogue. They stay the same to the
 * byte until the next epoch, whatever happens to the files they came from. A later epoch starts its ledger with
 * a digest of what is known.
 */
export async function openEpoch({ chain, deps }: Work, why: string, carried = ""): Promise<void> {
  const { context } = chain;
  const { prompts } = await deps.library.all();
  const rules = await deps.library.find("new_case");
  const tools = JSON.stringify(definitions());
  const listed = prompts.filter(isListed);
  const core = coreOf(listed, deps.catalogueCore);
  const rest = listed.length - core.length;
  const more = rest > 0 ? `\n${rest} more prompts are not listed here: find_prompts finds them.\n` : "";
  const system = [
    rules.body.trim(),
    `# Catalogue of prompts\n\n${catalogueText(core)}${more}\n# Project rules\n\n${deps.rules.trim()}`,
  ];
  chain.append({
    by: engineActor,
    bodies: [
      event("epoch_opened", {
        number: (context.engine.epoch?.number ?? 0) + 1,
        tools: chain.blobs.put(tools),
        system: system.map((text) => chain.blobs.put(text)),
        bytes: Buffer.byteLength(tools + system.join("") + JSON.stringify(replyJsonSchema())),
        digest: context.engine.epoch === null ? null : digest(context, why, carried),
      }),
    ],
  });
}

export const contextFull = "The model's context is full.";

/** Everything that later steps may need, without how it was found. */
function digest(context: Context, why: string, carried: string): string {
  const {
    goal,
    discovered,
    decisions,
    confidence_scores,
    uncertainties,
    questions,
    session_memory,
    waived,
    solution,
    evidence,
  } = context;
  const known = {
    discovered,
    decisions,
    confidence_scores,
    waived,
    uncertainties,
    answers: Object.fromEntries(questions.map(({ question, answer }) => [question, answer])),
    session_memory,
    test_runs: evidence.runs.slice(-2).map(({ setup: _setup, failing: _failing, touched: _touched, ...run }) => run),
  };
  const presented = solution ? `\n\n## Solution (${solution.standing})\n${solution.text}` : "";
  return `## Task\n${goal}\n\n## What is known so far\n${why} This replaces the earlier record.\n${JSON.stringify(known)}${presented}${carried && `\n\n${carried}`}`;
}
