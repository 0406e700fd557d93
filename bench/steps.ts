import { closeSync, fdatasyncSync, openSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { beginLongChain, takeSteps } from "./chain.ts";
import { folderOnDisk, median, pairedRatio, type Table } from "./measure.ts";
import { countSyncs } from "./syncs.ts";

/** What the engine costs a step, beside the least that keeping a step can cost. */
export async function bench({ chains = 3, rounds = 8 }: { chains?: number; rounds?: number } = {}): Promise<Table> {
  await inNewChain((take) => take(200));
  const early: Window[] = [];
  const late: Window[] = [];
  for (let chain = 0; chain < chains; chain++) {
    await inNewChain(async (take) => {
      await take(1000 - (window * rounds) / 2);
      for (let round = 0; round < rounds; round++) {
        early.push(await inNewChain((take) => take(window)));
        late.push(await take(window));
      }
    });
  }
  const [first, last] = [summary(early), summary(late)];
  const growth = pairedRatio(
    late.map((taken) => summary([taken]).step),
    early.map((taken) => summary([taken]).step),
  );
  const { syncs, counted } = countSyncs();
  return {
    title: "Engine overhead of a step: context of 20 KB, growing 200 B a step",
    columns: ["step", "ms/step", "bare append ms", "ratio", "bytes kept"],
    rows: [row("10", first), row("1000", last)],
    limits: [
      { what: "step 10 to a bare append", value: first.ratio, most: 8 },
      { what: "step 1000 to a bare append", value: last.ratio, most: 8 },
      { what: "growth from step 10 to step 1000", value: growth, most: 1.3 },
      { what: "fdatasync and fsync calls a step", value: syncs, most: 3 },
    ],
    notes: [
      "A step is from the model's reply to the next call of a model; controller and prompt take turns.",
      `${chains} chains go on to step 1000; around it each takes ${window} steps in turn with a new chain, ${rounds} times.`,
      "Medians over pairs of steps, without the first four of each turn; growth: the median over turns.",
      "Bare append: after each step, as many bytes as it kept, in one write and one fdatasync, to a file beside it.",
      `Syncs counted by ${counted}.`,
    ],
  };
}

const window = 16;

type Taken = { readonly step: number; readonly floor: number; readonly bytes: number };
type Window = readonly Taken[];

/** `take` lets the chain go on; each step is timed, and after each the floor, so that both meet the same disk. */
async function inNewChain<Result>(
  work: (take: (steps: number) => Promise<Taken[]>) => Promise<Result>,
): Promise<Result> {
  const folder = folderOnDisk();
  const chain = await beginLongChain(folder.path);
  const journal = join(folder.path, "contexts", "journal", `${chain.id}.jsonl`);
  const floorFile = openSync(join(folder.path, "floor.jsonl"), "wx", 0o600);
  try {
    return await work(async (steps) => {
      const taken: Taken[] = [];
      let size = statSync(journal).size;
      let handedOver = 0;
      await takeSteps(chain, folder.path, steps, (call) => {
        const step = performance.now() - handedOver;
        const bytes = statSync(journal).size - size;
        const floor = bareAppend(floorFile, bytes);
        if (call > 1) taken.push({ step, floor, bytes });
        size += bytes;
        handedOver = performance.now();
      });
      return taken;
    });
  } finally {
    closeSync(floorFile);
    await chain.close();
    folder.remove();
  }
}

function bareAppend(file: number, bytes: number): number {
  const line = Buffer.alloc(bytes, "x");
  const began = performance.now();
  writeSync(file, line);
  fdatasyncSync(file);
  return performance.now() - began;
}

/** A turn begins with a library that has read nothing yet: that is the start of a process, not a step. */
function summary(windows: readonly Window[]) {
  const pairs = windows.flatMap((taken) =>
    taken.slice(4).flatMap((_, at, rest) => (at % 2 ? [rest.slice(at - 1, at + 1)] : [])),
  );
  const middle = (key: keyof Taken) =>
    median(pairs.map((pair) => pair.reduce((sum, taken) => sum + taken[key] / 2, 0)));
  const [step, floor, bytes] = [middle("step"), middle("floor"), middle("bytes")];
  return { step, floor, bytes, ratio: step / floor };
}

function row(name: string, { step, floor, ratio, bytes }: ReturnType<typeof summary>) {
  return [name, step.toFixed(3), floor.toFixed(3), ratio.toFixed(1), Math.round(bytes)];
}
