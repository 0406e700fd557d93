import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { event } from "../src/chain/events.ts";
import type { Context } from "../src/chain/context.ts";
import type { Deps } from "../src/chain/deps.ts";
import { createChain, engineActor, withLedger, type Chain } from "../src/chain/open.ts";
import { runTurn } from "../src/chain/run.ts";
import { configSchema } from "../src/session/config.ts";
import { packageFolder } from "../src/session/places.ts";
import { openLibrary } from "../src/library/library.ts";
import type { Model, ModelRequest, Outcome } from "../src/models/types.ts";
import { compile } from "../src/programs/permissions/judge.ts";
import { userSeal } from "../src/session/key.ts";
import { openWorkspace } from "../src/workspace/workspace.ts";
import { realWorld } from "../src/util/world.ts";

const factBytes = 200;
const config = configSchema.parse({});

/** A chain that knows 20 KB already; its files lie in `<folder>/contexts`. It belongs to a user whose HOME is this folder. */
export async function beginLongChain(folder: string, goal = "Make the parser of the importer faster"): Promise<Chain> {
  const contexts = join(folder, "contexts");
  mkdirSync(contexts, { recursive: true });
  const { seal } = userSeal({ HOME: folder }, true);
  const shelf = { contexts, seal, home: folder, movedTo: () => undefined };
  const beginning = { ...shelf, engine: "bench", by: engineActor, now: Date.now, listen: () => {} };
  const chain = await createChain(beginning, {
    mode: "tdd",
    goal,
    size: "normal",
    workspace: folder,
    gates: { ...config.gates, requirements: 0 },
    limits: {
      budget_usd: 1e6,
      budget_tokens: null,
      cost_alert_usd: null,
      turns: 1e6,
      turns_per_prompt: 40,
      rounds: 1e6,
      repeats: 3,
    },
    test_command: null,
  });
  const facts = Array.from({ length: 20_000 / factBytes }, (_, index) => fact(`known_${index}`));
  const discovered = Object.fromEntries(facts.map(({ key, value }) => [key, value]));
  await chain.append(withLedger(engineActor, [event("imported", { context: { discovered }, parts: [] })]));
  return chain;
}

/**
 * Takes so many steps (calls of the model) with everything real but the model, whose replies are made on the spot.
 * `beforeCall` is called where the engine hands a step over to the model. The chain alternates as every chain does
 * between the controller and a prompt; each report adds 400 bytes of facts, which is 200 a step.
 */
export async function takeSteps(
  chain: Chain,
  folder: string,
  steps: number,
  beforeCall: (call: number, request: ModelRequest) => void = () => {},
): Promise<void> {
  const stop = new AbortController();
  let call = 0;
  const model: Model = {
    name: "bench",
    live: false,
    async *ask(request) {
      yield { type: "started", attempt: 1 };
      beforeCall(++call, request);
      if (call > steps) stop.abort();
      yield {
        type: "outcome",
        outcome: call > steps ? { type: "cancelled", attempts: [] } : replyTo(request, chain.context.engine),
      };
    },
  };
  const deps: Deps = {
    world: realWorld({}),
    model,
    routes: config.models,
    maxTokens: config.limits.max_tokens_per_prompt,
    contextWindow: 1_000_000,
    catalogueCore: 150,
    warningThreshold: config.limits.warning_threshold,
    prices: config.prices,
    library: openLibrary([
      { scope: "workspace", path: join(folder, "prompts") },
      { scope: "builtin", path: join(packageFolder, "prompts") },
      { scope: "custom", path: join(folder, "prompts", "custom") },
    ]),
    workspace: openWorkspace(folder, { env: process.env, hide: [] }),
    rules: "Keep it small.",
    permission: { mode: "read", rules: compile({ allow: [], ask: [], deny: [] }), unsandboxed: false },
    lintPrompt: () => Promise.reject(new Error("No prompt is written here.")),
    sandbox: { open: () => Promise.reject(new Error("Nothing is run here.")), close: () => Promise.resolve() },
    testTimeoutMs: 1000,
    tries: "No sandbox was opened for this.",
    progress: () => {},
  };
  const ending = await runTurn(chain, deps, { answers: {}, approve: "ask" }, stop.signal);
  if (ending.type !== "interrupted") throw new Error(`The chain ended early: ${JSON.stringify(ending)}`);
}

function replyTo({ key, model }: ModelRequest, { rounds, turns }: Context["engine"]): Outcome {
  return {
    type: "replied",
    stop: "end_turn",
    content: [{ type: "text", text: JSON.stringify(replyIn(key, rounds.length, turns)) }],
    attempts: [{ model, usage, requestId: undefined, ms: 0 }],
  };
}

/** The conversation of a phase ends after twelve decisions: then the uncertainty is measured, and the chain goes back. */
function replyIn(key: string, round: number, turn: number) {
  const [phase, decision] = key.split("/");
  const say = `I look at part ${turn}.`;
  const report = { summary: `Part ${turn} is seen.`, discovered: [fact(`a_${turn}`), fact(`b_${turn}`)] };
  if (phase === "requirements-clarification")
    return { report, action: { say, do: { type: "advance", to: "context-building" } } };
  if (phase === "uncertainty-analysis") {
    const confidence = [{ area: "requirements", score: round % 2 ? 0.6 : 0.3, evidence: [] }];
    return { report: { ...report, confidence }, action: { say, do: { type: "go_back", to: "context-building" } } };
  }
  if (!key.includes("/controller/")) return { report, action: null };
  const measures = Number(decision) % 12 === 0;
  const next = measures ? { type: "advance", to: "uncertainty-analysis" } : { type: "run_prompts", prompts: [prompt] };
  return { report: null, action: { say, do: next } };
}

const prompt = { name: "component_mapper", inputs: [] };
const usage = { input: 900, output: 300, cacheRead: 4_000, cacheWrite5m: 400, cacheWrite1h: 0 };

/** As JSON, key and punctuation included, it is 200 bytes long. */
function fact(key: string): { key: string; value: string } {
  const frame = Buffer.byteLength(JSON.stringify({ [key]: "" })) - 1;
  return {
    key,
    value: "The importer reads its rows one by one and parses them twice. ".repeat(4).slice(0, factBytes - frame),
  };
}
