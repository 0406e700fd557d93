import { catalogueText, coreOf } from "../library/catalogue.ts";
import { definitions } from "../tools/catalogue.ts";
import type { Context } from "./context.ts";
import type { Deps, Work } from "./deps.ts";
import { event } from "./events.ts";
import { engineActor } from "./open.ts";
import { replyJsonSchema } from "./reply.ts";
import { controllerPrompt, isForModels, rulesPrompt } from "./roles.ts";

/**
 * Freezes what every request of the coming steps begins with: tools, rules, catalogue. They stay the same to the
 * byte until the next epoch. A later epoch starts its ledger with a digest of what is known.
 */
export async function openEpoch({ chain, deps }: Work, why: string, carried = ""): Promise<void> {
  const { prompts } = await deps.library.all();
  const { tools, rules, schema } = await partsOf(deps);
  const known = prompts.filter(isForModels);
  // A shipped prompt without a phase is run by the engine or by a person.
  const core = coreOf(
    known.filter(({ scope, phases }) => scope !== "builtin" || phases.length > 0),
    deps.catalogueCore,
  );
  const rest = known.length - core.length;
  const more = rest > 0 ? `\n${rest} more prompts are not listed here: find_prompts finds them.\n` : "";
  const system = [
    rules,
    `# Catalogue of prompts\n\n${catalogueText(core)}${more}\n# Project rules\n\n${howRulesHold}\n\n${deps.rules.trim()}`,
  ];
  const kept = {
    tools: await chain.blobs.put(tools),
    system: await Promise.all(system.map(chain.blobs.put)),
    schema: await chain.blobs.put(schema),
    bytes: Buffer.byteLength(tools + system.join("") + schema),
  };
  await chain.append((context) => {
    const { epoch } = context.engine;
    const next = { number: (epoch?.number ?? 0) + 1, digest: epoch && digest(context, why, carried), why };
    return [{ by: engineActor, bodies: [event("epoch_opened", { ...kept, ...next })] }];
  });
}

const howRulesHold =
  "Uncertainty in these rules is 1 minus confidence. The engine itself runs the reviews, health checks and measurements that are due, and a tiny task has no reviews. Where a rule cannot be followed with the actions above, the rules above hold.";

/** The parts of every request that come with an engine. */
async function partsOf({ library }: Deps) {
  own ??= { tools: JSON.stringify(definitions()), schema: JSON.stringify(replyJsonSchema()) };
  return { ...own, rules: await rulesOf(library) };
}

/** The text of the rules. It is needed before each call, but their prompt files are read at most once a second. */
async function rulesOf(library: Deps["library"]): Promise<string> {
  const last = rulesKept.get(library);
  if (last && performance.now() - last.at < 1000) return last.rules;
  const bodies = await Promise.all([rulesPrompt, controllerPrompt].map((name) => library.find(name)));
  const rules = bodies.map(({ body }) => body.trim()).join("\n\n");
  rulesKept.set(library, { at: performance.now(), rules });
  return rules;
}

const rulesKept = new WeakMap<Deps["library"], { readonly at: number; readonly rules: string }>();

let own: { readonly tools: string; readonly schema: string } | undefined;

/** Whether the epoch was opened with other parts than this engine has; then another begins before the next call. */
export async function isOutdated({ chain: { context, blobs }, deps }: Work): Promise<boolean> {
  const { epoch } = context.engine;
  if (!epoch?.schema) return epoch !== null;
  const { tools, rules, schema } = await partsOf(deps);
  const [then = ""] = epoch.system;
  return blobs.get(epoch.tools) !== tools || blobs.get(then) !== rules || blobs.get(epoch.schema) !== schema;
}

export const otherEngine = "Rules, tools or the form of replies were changed.";

export const contextFull = "The model's context is full.";

/** Everything that later steps may need, without how it was found. */
export function digest(context: Context, why: string, carried: string): string {
  const { discovered, decisions, confidence_scores, waived, uncertainties, approval_history, touched } = context;
  const { goal, questions, session_memory, solution, evidence, findings, engine } = context;
  const reported = engine.proposed.at(-1)?.solution;
  const known = {
    discovered,
    decisions,
    confidence_scores,
    waived,
    uncertainties,
    answers: Object.fromEntries(questions.map(({ question, answer }) => [question, answer])),
    approval_history,
    session_memory,
    touched,
    open_findings: findings.filter(({ standing }) => standing === "open"),
    ...(reported && reported !== solution?.solution ? { reported_solution: reported } : {}),
    test_runs: evidence.runs.slice(-2).map(({ setup: _setup, failing: _failing, touched: _touched, ...run }) => run),
  };
  const presented = solution ? `\n\n## Solution (${solution.standing})\n${solution.text}` : "";
  return `## Task\n${goal}\n\n## What is known so far\n${why} This replaces the earlier record.\n${JSON.stringify(known)}${presented}${carried && `\n\n${carried}`}`;
}
