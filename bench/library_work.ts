import { readFile } from "node:fs/promises";
import { readFileSync } from "node:fs";

export type Work = "naive" | "cold" | "warm" | "changed" | "search" | "empty";
export interface Worked {
  readonly ms: number;
  readonly query: number;
  readonly mb: number;
}

const [work = "empty", prompts = "", index = ""] = process.argv.slice(2);
const worked = await carryOut(work as Work);
const peak = /VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"));
process.stdout.write(JSON.stringify({ ...worked, mb: Number(peak?.[1] ?? Number.NaN) / 1024 } satisfies Worked));

async function carryOut(what: Work): Promise<Omit<Worked, "mb">> {
  switch (what) {
    case "empty":
      return { ms: 0, query: 0 };
    case "naive": {
      const [{ default: glob }, { default: matter }] = [await import("fast-glob"), await import("gray-matter")];
      return timed(async () => {
        const files = await glob("**/*.md", { cwd: prompts, absolute: true });
        await Promise.all(files.map(async (file) => matter(await readFile(file, "utf8"))));
      });
    }
    case "cold":
      await import("../src/library/front_matter.ts");
      return list();
    case "warm":
      return list();
    case "changed":
      await import("../src/library/front_matter.ts");
      return list();
    case "search":
      return search();
  }
}

async function opened() {
  const { openLibrary } = await import("../src/library/library.ts");
  const { openIndexFile } = await import("../src/store/index_file.ts");
  return () => openLibrary([{ scope: "workspace", path: prompts }], { index: openIndexFile(index) });
}

async function list() {
  const open = await opened();
  return timed(() => open().all());
}

async function search() {
  const open = await opened();
  await import("../src/library/front_matter.ts");
  let library = open();
  const first = await timed(async () => {
    library = open();
    await library.search("coponing trasisted", 10);
  });
  const queries = [
    "coponing",
    "trasisted verposing",
    "sigmultion obdining lofacer",
    "parsisted",
    "quabeler terfaction",
  ];
  const times: number[] = [];
  for (let round = 0; round < 8; round++) {
    for (const query of queries) times.push((await timed(() => library.search(query, 10))).ms);
  }
  return { ms: first.ms, query: times.toSorted((a, b) => a - b)[times.length / 2]! };
}

async function timed(run: () => Promise<unknown>) {
  const began = performance.now();
  await run();
  return { ms: performance.now() - began, query: 0 };
}
