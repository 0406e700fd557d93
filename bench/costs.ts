import { spawnSync } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { event, type Body } from "../src/chain/events.ts";
import { operations } from "../src/operations/operations.ts";
import { openSession, type Caller } from "../src/operations/operation.ts";
import { configSchema } from "../src/session/config.ts";
import { userSeal } from "../src/session/key.ts";
import { userFolders } from "../src/session/places.ts";
import { chainPaths } from "../src/store/chains.ts";
import type { Seal } from "../src/store/seal.ts";
import { realWorld } from "../src/util/world.ts";
import build from "../test/support/built.ts";
import { folderOnDisk, pairedRatio, roundRobin, spread, type Table } from "./measure.ts";

/**
 * A report over many chains, beside the least that it must do: look at each journal, since whether one changed cannot be
 * known for less, and read one file of the size of the kept figures. And what a person waits for, a fresh process each.
 */
export async function bench({ chains = 10_000, rounds = 9 } = {}): Promise<Table> {
  build();
  const folder = folderOnDisk();
  try {
    const env = { HOME: folder.path, PATH: process.env["PATH"] };
    const home = (count: number) => join(folder.path, `home-${count}`);
    const { seal } = userSeal(env, true);
    const filesOf = (count: number) => {
      const contexts = join(home(count), "contexts");
      mkdirSync(join(contexts, "journal"), { recursive: true });
      writeFileSync(join(home(count), "config.json"), "{}");
      return Array.from({ length: count }, (_, at) => {
        const file = chainPaths(contexts, String(at + 1).padStart(3, "0")).journal;
        writeFileSync(file, journalText(at + 1, home(count), seal));
        return file;
      });
    };
    const files = [0, 1, chains].map(filesOf).at(-1)!;
    const timed = async (work: () => unknown) => {
      const began = performance.now();
      await work();
      return performance.now() - began;
    };
    const report = () => costReport(home(chains), env, chains);
    const cold = await timed(report);
    const cache = userFolders(env).cache;
    const sizes = readdirSync(cache).map((name) => [statSync(join(cache, name)).size, join(cache, name)] as const);
    const [size, figures] = sizes.sort(([a], [b]) => b - a)[0]!;
    const times: Record<"looks" | "floor" | "warm", number[]> = { looks: [], floor: [], warm: [] };
    for (let round = 0; round < rounds; round++) {
      times.looks.push(await timed(() => files.forEach((file) => lstatSync(file))));
      times.floor.push(await timed(() => readFileSync(figures)));
      times.warm.push(await timed(report));
    }
    const program = new URL("../bin/claude-exec.js", import.meta.url).pathname;
    const start = (argv: readonly string[]) => () => {
      const { status, stderr } = spawnSync(process.execPath, argv, { cwd: folder.path, env, encoding: "utf8" });
      if (status !== 0) throw new Error(stderr);
    };
    const ofHome = (count: number) => start([program, "cost-report", "--home", home(count)]);
    const processes = roundRobin(
      { node: start(["-e", "0"]), none: ofHome(0), one: ofHome(1), all: ofHome(chains) },
      rounds,
    );
    const both = times.looks.map((ms, at) => ms + times.floor[at]!);
    const ratio = pairedRatio(times.warm, both);
    const ofProcess = (name: keyof typeof processes) => [
      ...spread(processes[name]),
      pairedRatio(processes[name], processes.node).toFixed(2),
    ];
    return {
      title: `A cost report of ${chains.toLocaleString("en")} chains`,
      columns: ["what", "ms", "min-max", "ratio"],
      rows: [
        ["a look at each journal", ...spread(times.looks), ""],
        [`reading one file of ${(size / 1e6).toFixed(1)} MB`, ...spread(times.floor), ""],
        ["both together", ...spread(both), 1],
        ["cost-report, warm", ...spread(times.warm), ratio.toFixed(2)],
        ["cost-report, cold", cold.toFixed(0), "", ""],
        ["a fresh process: node -e 0", ...spread(processes.node), 1],
        ["cost-report of no chain", ...ofProcess("none")],
        ["cost-report of 1 chain", ...ofProcess("one")],
        [`cost-report of ${chains.toLocaleString("en")}`, ...ofProcess("all")],
      ],
      limits: [
        {
          what: "cost-report, warm, to a look at each journal and reading one file of that size",
          value: ratio,
          most: 5,
        },
      ],
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
