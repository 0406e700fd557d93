import { lstatSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { event, type Body } from "../src/chain/events.ts";
import { operations } from "../src/operations/operations.ts";
import { openSession, type Caller } from "../src/operations/operation.ts";
import { configSchema } from "../src/session/config.ts";
import { userSeal } from "../src/session/key.ts";
import { chainPaths } from "../src/store/chains.ts";
import type { Seal } from "../src/store/seal.ts";
import { realWorld } from "../src/util/world.ts";
import { folderOnDisk, pairedRatio, spread, type Table } from "./measure.ts";

/** A report over many chains, beside looking once at each journal: whether one changed cannot be known for less. */
export async function bench({ chains = 10_000, rounds = 9 } = {}): Promise<Table> {
  const folder = folderOnDisk();
  try {
    const env = { HOME: folder.path, PATH: process.env["PATH"] };
    const contexts = join(folder.path, "home", "contexts");
    mkdirSync(join(contexts, "journal"), { recursive: true });
    writeFileSync(join(folder.path, "home", "config.json"), "{}");
    const { seal } = userSeal(env, true);
    const files = Array.from(
      { length: chains },
      (_, at) => chainPaths(contexts, String(at + 1).padStart(3, "0")).journal,
    );
    for (const [at, file] of files.entries()) writeFileSync(file, journalText(at + 1, join(folder.path, "home"), seal));
    const timed = async (work: () => unknown) => {
      const began = performance.now();
      await work();
      return performance.now() - began;
    };
    const report = () => costReport(join(folder.path, "home"), env, chains);
    const cold = await timed(report);
    const times: Record<"floor" | "warm", number[]> = { floor: [], warm: [] };
    for (let round = 0; round < rounds; round++) {
      times.floor.push(await timed(() => files.forEach((file) => lstatSync(file))));
      times.warm.push(await timed(report));
    }
    const ratio = pairedRatio(times.warm, times.floor);
    return {
      title: `A cost report of ${chains.toLocaleString("en")} chains`,
      columns: ["what", "ms", "min-max", "ratio"],
      rows: [
        ["a look at each journal", ...spread(times.floor), 1],
        ["cost-report, warm", ...spread(times.warm), ratio.toFixed(2)],
        ["cost-report, cold", cold.toFixed(0), "", ""],
      ],
      limits: [{ what: "cost-report, warm, to a look at each journal", value: ratio, most: 20 }],
      notes: [`${rounds} rounds in one process, a new session each. Each chain has twelve calls of four prompts.`],
    };
  } finally {
    folder.remove();
  }
}

async function costReport(home: string, env: Record<string, string | undefined>, chains: number): Promise<void> {
  const operation = operations.find(({ name }) => name === "cost-report")!;
  const session = openSession({ cwd: home, world: realWorld(env), options: { home }, progress: () => undefined });
  const { data } = await operation.run(operation.input.parse({}) as never, session, {} as Caller);
  await session.close();
  if (!("endings" in data) || data.chains !== chains)
    throw new Error(`Not all chains were counted: ${JSON.stringify(data)}`);
}

function journalText(number: number, home: string, seal: Seal): string {
  const config = configSchema.parse({});
  const at = new Date().toISOString();
  const chain_id = String(number).padStart(3, "0");
  const booked = { phase: "context_building", model: "claude-opus-5-5", usd: 0.01 };
  const usage = { input: 900, output: 300, cacheRead: 4_000, cacheWrite5m: 400, cacheWrite1h: 0 };
  const bodies: Body[] = [
    { type: "header", format: 2, chain_id, engine: "bench", parent: null, key: seal.id, home },
    event("chain_started", {
      goal: `Make importer ${number} faster`,
      slug: "importer",
      size: "normal",
      mode: "tdd",
      workspace: home,
      gates: config.gates,
      limits: config.limits,
      test_command: null,
    }),
    ...Array.from({ length: 12 }, (_, call): Body => ({
      type: "result",
      effect: "model",
      key: `context-building/${call}/1-prompt`,
      turn: 1,
      outcome: {
        type: "replied",
        stop: "end_turn",
        content: [],
        calls: [],
      },
      booked: {
        ...booked,
        prompt: `prompt_${call % 4}`,
        usage,
      },
    })),
  ];
  let hash = "";
  return bodies
    .map((body, index) => {
      const json = JSON.stringify({ n: index + 1, at, by: { kind: "engine", name: "bench", door: "bench" }, ...body });
      hash = seal.hash(hash, json);
      return `${json.slice(0, -1)},"hash":"${hash}"}\n`;
    })
    .join("");
}
