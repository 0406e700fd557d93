import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import build from "../test/support/built.ts";
import { folderOnDisk, median, spread, type Table } from "./measure.ts";

/**
 * The library beside gray-matter and fast-glob used naively, each in a fresh process, by turns. Imports are left out
 * on both sides. Warm means that an index is there and every file's stat is checked against it.
 */
export async function bench({ sizes = [100, 1000, 10_000], rounds = 5 } = {}): Promise<Table> {
  build();
  const measured = sizes.map((size) => measure(size, rounds));
  const largest = measured.at(-1)!;
  const ratio = (ms: readonly number[], { naive }: Measured) => median(ms.map((one, round) => one / naive[round]!));
  return Promise.resolve({
    title: "The library: prompts of 2 KB, milliseconds",
    columns: [
      "prompts",
      "naive",
      "cold",
      "× naive",
      "warm",
      "× naive",
      "one changed",
      "adds, later",
      "open + first answer",
      "a query",
    ],
    rows: measured.map((one) => [
      one.size.toLocaleString("en"),
      spread(one.naive)[0],
      spread(one.cold)[0],
      ratio(one.cold, one).toFixed(2),
      spread(one.warm)[0],
      ratio(one.warm, one).toFixed(3),
      spread(one.changed)[0],
      spread(one.again)[0],
      spread(one.search)[0],
      spread(one.query, 2)[0],
    ]),
    limits: [
      ...measured.flatMap((one) => [
        { what: `${one.size} prompts, cold, × naive`, value: ratio(one.cold, one), most: 8 },
      ]),
      ...measured
        .filter(({ size }) => size === 1000)
        .flatMap((one) => [
          { what: "1000 prompts, warm, × naive", value: ratio(one.warm, one), most: 0.2 },
          { what: "1000 prompts, what one changed file adds, ms", value: median(one.again), most: 10 },
          { what: "1000 prompts, open and first answer, ms", value: median(one.search), most: 25 },
          { what: "1000 prompts, a query after that, ms", value: median(one.query), most: 10 },
        ]),
      { what: `${largest.size} prompts, memory above an empty process, MB`, value: median(largest.mb), most: 120 },
    ],
    notes: [
      `${rounds} rounds. Naive: fast-glob, then readFile and gray-matter for all files at once.`,
      "Below 1,000 prompts half of a warm listing is what Node takes to open its first files and run our code for once.",
      "One changed: in a fresh process. Adds, later: what a changed file adds in a process that has listed before.",
      `Memory is the peak of a warm listing: ${median(largest.mb).toFixed(0)} MB above an empty process of ${median(largest.empty).toFixed(0)} MB.`,
    ],
  });
}

type Work = "naive" | "cold" | "warm" | "changed" | "again" | "search" | "empty";

/** What bench/library_work.js prints. */
interface Worked {
  readonly ms: number;
  readonly query: number;
  readonly mb: number;
}

interface Measured extends Record<Exclude<Work, "empty"> | "query" | "mb" | "empty", number[]> {
  size: number;
}

function measure(size: number, rounds: number): Measured {
  const folder = folderOnDisk();
  try {
    const prompts = join(folder.path, "prompts");
    fill(prompts, size);
    const found: Measured = {
      size,
      naive: [],
      cold: [],
      warm: [],
      changed: [],
      again: [],
      search: [],
      query: [],
      mb: [],
      empty: [],
    };
    for (let round = 0; round < rounds; round++) {
      const run = (work: Work, index = join(folder.path, "index.sqlite")) => carryOut(work, prompts, index);
      const anew = join(folder.path, "cold", "index.sqlite");
      found.naive.push(run("naive").ms);
      rmSync(join(folder.path, "cold"), { recursive: true, force: true });
      found.cold.push(run("cold", anew).ms);
      run("warm");
      const warm = run("warm");
      const empty = run("empty");
      found.warm.push(warm.ms);
      found.mb.push(warm.mb - empty.mb);
      found.empty.push(empty.mb);
      const search = run("search");
      found.search.push(search.ms);
      found.query.push(search.query);
      appendFileSync(join(prompts, "folder_3", `${nameOf(3)}.md`), `One line more, in round ${round}.\n`);
      pause(30);
      found.changed.push(run("changed").ms);
      found.again.push(run("again").ms);
    }
    return found;
  } finally {
    folder.remove();
  }
}

function carryOut(work: Work, prompts: string, index: string): Worked {
  const program = new URL("library_work.js", import.meta.url).pathname;
  return JSON.parse(execFileSync(process.execPath, [program, work, prompts, index], { encoding: "utf8" })) as Worked;
}

/** Until the changed file's time lies clearly in the past, as it does for a person who saved it. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function nameOf(index: number): string {
  return `${words[index % words.length]}_${words[(index * 7 + 3) % words.length]}_${index}`;
}

/** Prompts of 2 KB, at first ten a folder, alike in shape and different in words, the same on each run. */
function fill(root: string, size: number): void {
  let state = 42;
  const next = (most: number) => (state = (state * 1_103_515_245 + 12_345) & 0x7fffffff) % most;
  const some = (count: number) => Array.from({ length: count }, () => words[next(words.length)]).join(" ");
  const folders = Math.min(100, size / 10);
  for (let index = 0; index < size; index++) {
    const folder = join(root, `folder_${index % folders}`);
    if (index < folders) mkdirSync(folder, { recursive: true });
    const name = nameOf(index);
    const head = `---
name: ${name}
title: ${some(4)}
purpose: Find ${some(8)}
good_for:
  - ${some(6)}
  - ${some(7)}
  - ${some(5)}
uncertainty_reduction:
  - ${some(3)}
  - ${some(3)}
example_context_needs:
  - ${some(5)}
cost_estimate: medium
tags: [${words[next(words.length)]}, ${words[next(words.length)]}]
phases: [context-building, uncertainty-analysis]
inputs:
  focus: { type: line, description: "${some(4)}", required: true }
  entry: { type: line, description: "${some(4)}", default: "" }
tools: read
model: default
produces: [findings, discovered, confidence]
---

# ${some(3)}

Follow {{ focus }} from {{ entry }}.
`;
    let body = "";
    while (head.length + body.length < 2_000) body += `\n- ${some(12)}.`;
    writeFileSync(join(folder, `${name}.md`), `${head}${body}\n`);
  }
}

const words = (() => {
  const [starts, ends] = [
    "mi re co de tra syn ob lo par ven sig nal ter qua",
    "gra ver pon sist mul fac ten lar din ros bel",
  ];
  return starts
    .split(" ")
    .flatMap((a) => ends.split(" ").flatMap((b) => ["tion", "ing", "er", "ed"].map((c) => a + b + c)));
})();
