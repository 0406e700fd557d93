import type { Context } from "../src/chain/context.ts";
import { view } from "../src/chain/view.ts";
import { openAnthropic } from "../src/models/anthropic.ts";
import { priceOf } from "../src/models/prices.ts";
import type { ModelRequest, TextBlock } from "../src/models/types.ts";
import { realWorld } from "../src/util/world.ts";
import { startMessagesServer } from "../test/models/messages-server.ts";
import { beginLongChain, takeSteps } from "./chain.ts";
import { folderOnDisk, type Table } from "./measure.ts";

/**
 * The same chain asked in two ways: as the engine asks, and as the first description of the product did, which sends
 * the orchestrator's prompt, the list of prompts, the whole context as JSON and the prompt of the step each time.
 */
export async function bench(): Promise<Table> {
  const cases = [
    { steps: 20, pauses: [], most: 0.4 },
    { steps: 60, pauses: [], most: 0.25 },
    { steps: 20, pauses: [5, 10, 15], most: 0.45 },
  ];
  const rows: (string | number)[][] = [];
  const limits: Table["limits"][number][] = [];
  for (const { steps, pauses, most } of cases) {
    const asked = await requestsOf(steps);
    const ours = await inputCost(
      asked.map(({ ours }) => ours),
      pauses,
    );
    const theirs = await inputCost(
      asked.map(({ theirs }) => theirs),
      pauses,
    );
    const ratio = ours.usd / theirs.usd;
    const what = `${steps} steps${pauses.length > 0 ? `, ${pauses.length} pauses of 20 minutes` : ""}`;
    rows.push([what, ours.tokens, dollars(ours.usd), theirs.tokens, dollars(theirs.usd), ratio.toFixed(3)]);
    limits.push({ what: `input of ${what}, to the context sent again with each call`, value: ratio, most });
  }
  return {
    title: "What the input of a chain costs, beside sending orchestrator, prompt list and context JSON with each call",
    columns: ["chain", "our tokens", "our input", "their tokens", "their input", "ratio"],
    rows,
    limits,
    notes: [
      "Both are asked of a server on loopback that counts cache hits by the provider's documented rules, at four characters a token.",
      "The chain knows 20 KB at its beginning. Their requests have no tools and no form of replies, which would only add to them.",
    ],
  };
}

const model = "claude-opus-5-5";

interface Asked {
  readonly ours: ModelRequest;
  readonly theirs: ModelRequest;
}

async function requestsOf(steps: number): Promise<Asked[]> {
  const folder = folderOnDisk();
  const chain = await beginLongChain(folder.path);
  const asked: Asked[] = [];
  try {
    await takeSteps(chain, folder.path, steps, (call, request) => {
      if (call <= steps) asked.push({ ours: { ...request, model }, theirs: sentAgain(request, chain.context) });
    });
  } finally {
    await chain.close();
    folder.remove();
  }
  return asked;
}

/** The same rules, catalogue, knowledge and prompt, without a mark for the cache. */
function sentAgain(request: ModelRequest, context: Context): ModelRequest {
  const text = (words: string): TextBlock => ({ type: "text", text: words });
  const known = JSON.stringify(view(context, { n: 0, hash: "" }));
  const prompt = request.messages.at(-1)?.content.at(-1);
  if (prompt?.type !== "text") throw new Error("A step ends with the text of its prompt.");
  return {
    ...request,
    model,
    tools: [],
    system: request.system.map(({ text: words }) => text(words)),
    messages: [{ role: "user", content: [text(known), text(prompt.text)] }],
  };
}

/** Before each step of `pauses` twenty minutes pass. */
async function inputCost(requests: readonly ModelRequest[], pauses: readonly number[]) {
  let now = Date.now();
  const server = await startMessagesServer(() => ({ type: "reply", content: [{ type: "text", text: "{}" }] }), {
    now: () => now,
  });
  const door = openAnthropic({ apiKey: "any", baseUrl: server.url, world: realWorld({}) });
  try {
    let usd = 0;
    let tokens = 0;
    for (const [step, request] of requests.entries()) {
      now += pauses.includes(step) ? 20 * 60_000 : 30_000;
      for await (const sign of door.ask(request, AbortSignal.timeout(60_000))) {
        if (sign.type !== "outcome") continue;
        const usage = sign.outcome.attempts.at(-1)?.usage;
        if (!usage) throw new Error(`The server said no count: ${JSON.stringify(sign.outcome)}`);
        usd += priceOf(model, Date.parse("2026-11-01"), { ...usage, output: 0 }) ?? Number.NaN;
        tokens += usage.input + usage.cacheRead + usage.cacheWrite5m + usage.cacheWrite1h;
      }
    }
    return { usd, tokens };
  } finally {
    await server.close();
  }
}

function dollars(usd: number): string {
  return `$${usd.toFixed(3)}`;
}
