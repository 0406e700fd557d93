import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { searchFilesTool } from "../src/tools/look.ts";
import { printedBy } from "../src/programs/program.ts";
import { openWorkspace } from "../src/workspace/workspace.ts";
import { folderOnDisk, median, pairedRatio, spread, type Table } from "./measure.ts";
import { sandboxRows } from "./sandbox.ts";

/** What looking costs beside ripgrep, and a sandboxed command beside a bare one. */
export async function bench({ rounds = 15, large = 50_000, usual = 5_000 } = {}): Promise<Table> {
  const parts = [await looking(rounds, large, usual), await sandboxRows()];
  return {
    title: "The tools: milliseconds",
    columns: ["what", "ms", "min-max", "× rg"],
    rows: parts.flatMap(({ rows }) => rows),
    limits: parts.flatMap(({ limits }) => limits),
    notes: parts.flatMap(({ notes }) => notes),
  };
}

type Part = Pick<Table, "rows" | "limits" | "notes">;

async function looking(rounds: number, large: number, usual: number): Promise<Part> {
  const isThere = (program: string) => spawnSync(program, ["--version"]).status === 0;
  if (!isThere("rg") || !isThere("git"))
    return { rows: [], limits: [], notes: ["Looking: not measured, which needs rg and git on the PATH."] };
  const [listing, search, wide] = [
    await inTree(large, (folder) => list(folder, rounds, large)),
    await inTree(usual, (folder) => find(folder, rounds, usual)),
    await inTree(large, (folder) => find(folder, Math.ceil(rounds / 3), large)),
  ];
  return {
    rows: [listing, search, wide].flatMap(({ rows }) => rows),
    limits: [...listing.limits, ...search.limits],
    notes: [
      `${rounds} rounds (a third of that in the larger tree), ours and rg in turn, in one process that has done each once before.`,
      "The files lie in git, 20 a folder, with 20 to 80 lines each. rg is a process that does the same with its own settings.",
      "Ours looks into hidden files too, and names what git names: git is asked beside rg, with what that takes of the processors.",
    ],
  };
}

async function list(folder: string, rounds: number, size: number): Promise<Part> {
  const workspace = openWorkspace(folder, { env: process.env, hide: [] });
  const times = await inTurn(rounds, {
    rg: () => rg(folder, ["--files"]),
    ours: async () => {
      const { length } = await workspace.list();
      if (length < size) throw new Error(`Only ${length} files were listed.`);
    },
  });
  const what = `list ${size.toLocaleString("en")} files`;
  return {
    rows: rowsOf(what, times),
    limits: [{ what: `${what}, × rg --files`, value: pairedRatio(times.ours, times.rg), most: 2 }],
    notes: [],
  };
}

const patterns = { "a rare word": "needle", "a rare pattern": "needl[e] \\w+", "a word of every file": "export" };

async function find(folder: string, rounds: number, size: number): Promise<Part> {
  const workspace = openWorkspace(folder, { env: process.env, hide: [] });
  const reach = { workspace, findPrompts: () => Promise.resolve("") };
  const part: { rows: Table["rows"][number][]; limits: Table["limits"][number][] } = { rows: [], limits: [] };
  for (const [name, pattern] of Object.entries(patterns)) {
    const times = await inTurn(rounds, {
      rg: () => rg(folder, ["--line-number", pattern, "./"]),
      ours: async () => {
        const plan = await searchFilesTool.plan({ pattern }, reach, new AbortController().signal);
        if (plan.type !== "look" || plan.text.startsWith("0 ")) throw new Error(`Nothing was found: ${plan.type}`);
      },
    });
    const what = `search ${size.toLocaleString("en")} files for ${name}`;
    const beyond = times.ours.map((ms) => ms - 15);
    part.rows.push(...rowsOf(what, times));
    part.limits.push({ what: `${what}, without 15 ms, × rg`, value: pairedRatio(beyond, times.rg), most: 1.3 });
  }
  return { ...part, notes: [] };
}

function rowsOf(what: string, { ours, rg: theirs }: { ours: readonly number[]; rg: readonly number[] }): Table["rows"] {
  return [
    [`rg: ${what}`, ...spread(theirs)],
    [`ours: ${what}`, ...spread(ours), median(ours.map((ms, round) => ms / (theirs[round] ?? Number.NaN))).toFixed(2)],
  ];
}

async function rg(cwd: string, argv: readonly string[]): Promise<void> {
  const env = { PATH: process.env["PATH"] ?? "" };
  const { code, end, stderr } = await printedBy("rg", ["--no-config", ...argv], { cwd, env, bytes: 1e9, ms: 60_000 });
  if (end !== "exited" || code !== 0) throw new Error(`rg ended with ${code ?? end}: ${stderr}`);
}

async function inTurn<Name extends string>(
  rounds: number,
  variants: Readonly<Record<Name, () => Promise<void>>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(variants) as Name[];
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (const name of names) await variants[name]();
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      const began = performance.now();
      await variants[name]();
      times[name].push(performance.now() - began);
    }
  }
  return times;
}

async function inTree<Result>(size: number, work: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = folderOnDisk();
  try {
    const root = realpathSync(folder.path);
    fill(root, size);
    execFileSync("git", ["init", "-q"], { cwd: root });
    execFileSync("git", ["add", "-A"], { cwd: root });
    return await work(root);
  } finally {
    folder.remove();
  }
}

/** The same on each run; one file in five hundred holds the rare word. */
function fill(root: string, size: number): void {
  let state = 42;
  const next = (most: number) => (state = (state * 1_103_515_245 + 12_345) & 0x7fffffff) % most;
  const line = () => Array.from({ length: 8 }, () => words[next(words.length)]).join(" ");
  writeFileSync(join(root, ".gitignore"), "dist/\n*.log\n");
  for (let index = 0; index < size; index++) {
    const folder = join(root, "packages", `p${Math.floor(index / 200)}`, "src", `m${Math.floor(index / 20)}`);
    if (index % 20 === 0) mkdirSync(folder, { recursive: true });
    const lines = Array.from({ length: 20 + next(60) }, line);
    const rare = index % 500 === 7 ? "a needle here\n" : "";
    writeFileSync(join(folder, `file_${index}.ts`), `export\n${lines.join("\n")}\n${rare}`);
  }
}

const words = "alpha beta gamma delta import const function return class handler request token value result".split(" ");
