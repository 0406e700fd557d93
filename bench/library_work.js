// One piece of work for bench/library.ts, in a process of its own. Plain JavaScript: stripping types would be measured too.
import { readFile } from "node:fs/promises";
import { appendFileSync, readFileSync } from "node:fs";

const [work = "empty", prompts = "", index = ""] = process.argv.slice(2);
const worked = await carryOut(work);
const peak = /VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"));
process.stdout.write(JSON.stringify({ ...worked, mb: Number(peak?.[1] ?? Number.NaN) / 1024 }));

async function carryOut(what) {
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
      await parser();
      return list();
    case "warm":
      return list();
    case "changed":
      await parser();
      return list();
    case "again":
      return again();
    case "search":
      return search();
    default:
      throw new Error(`There is no work called ${what}.`);
  }
}

/** Imports are left out on both sides. */
async function parser() {
  await import(built("library/read_prompt.js"));
  await import(built("library/front_matter.js"));
}

function built(module) {
  return new URL(`../dist/lib/${module}`, import.meta.url).href;
}

async function opened() {
  const { openLibrary } = await import(built("library/library.js"));
  const { openIndexFile } = await import(built("store/index_file.js"));
  return () => openLibrary([{ scope: "workspace", path: prompts }], { index: openIndexFile(index) });
}

async function list() {
  const open = await opened();
  return timed(() => open().all());
}

/** In one process: listed again, and listed again after one file changed. */
async function again() {
  const library = (await opened())();
  const { prompts: listed } = await library.all();
  const file = listed[0].file;
  // The first change pays for what is loaded and compiled once.
  await change(library, file);
  const changed = await change(library, file);
  const unchanged = await timed(() => library.all());
  return { ms: changed.ms - unchanged.ms, query: unchanged.ms };
}

async function change(library, file) {
  appendFileSync(file, "One line more.\n");
  // Until its time lies clearly in the past, as it does for a person who saved it.
  await new Promise((resolve) => setTimeout(resolve, 30));
  const taken = await timed(() => library.all());
  await library.all();
  return taken;
}

async function search() {
  const open = await opened();
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
  const times = [];
  for (let round = 0; round < 8; round++) {
    for (const query of queries) times.push((await timed(() => library.search(query, 10))).ms);
  }
  return { ms: first.ms, query: times.toSorted((a, b) => a - b)[times.length / 2] };
}

async function timed(run) {
  const began = performance.now();
  await run();
  return { ms: performance.now() - began, query: 0 };
}
