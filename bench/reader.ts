import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { recordingAt, smallApp, wholeWay, wholeWayAnswers } from "../test/support/script.ts";
import { folderOnDisk, type Table } from "./measure.ts";

/**
 * How many lines of ours somebody reads to follow one task from `bin` to the files it wrote.
 *
 * A whole task is run with V8's coverage on. A line is counted when it holds code (not blank, not only a comment, not
 * an import, not only types; a closing bracket counts) and the innermost function around it was called; what stands
 * outside of functions counts where the file was loaded. A function that was called counts in full, its branches that
 * were not taken included: a reader reads them. "ran" is the smaller number, without those branches.
 *
 * The spine are the files that are on the stack while the task's first file is written, and those that choose the
 * steps until then: what is next, what the model is asked, what follows from its reply, what a tool would change. What
 * it stands on (records, requests, gates, prompts) can be taken at its word, by its names; it is counted apart.
 */
export async function bench(): Promise<Table> {
  const files = readAlong();
  const rooms = Map.groupBy(files, ({ path }) =>
    path.startsWith("src/") ? path.split("/").slice(0, -1).join("/") : "bin",
  );
  const named = (paths: readonly string[]) =>
    paths.map((path) => {
      const file = files.find((known) => known.path === path);
      if (file) return file;
      throw new Error(`${path} is said to take part in every task, and did not.`);
    });
  const onSpine = named(spine);
  return Promise.resolve({
    title: "Reading along: one task from bin to the files it wrote",
    columns: ["room", "files", "lines read", "ran", "lines of code in them"],
    rows: [
      ...[...rooms].sort(([a], [b]) => (a < b ? -1 : 1)).map(([room, inside]) => row(room, inside)),
      row("in all", files),
      row("the spine", onSpine),
      row("and what it stands on", [...onSpine, ...named(beside)]),
    ],
    limits: [],
    notes: [
      "Lines of code in functions that were called, and outside of functions; without imports, types, comments.",
      "ran: without the branches that were not taken.",
      `The spine (aim: about a thousand lines): ${onSpine.map(({ path, read }) => `${path} ${read}`).join(", ")}.`,
    ],
  });
}

const spine = [
  "bin/claude-exec.js",
  "src/clients/cli/main.ts",
  "src/operations/chains.ts",
  "src/operations/drive.ts",
  "src/chain/run.ts",
  "src/chain/next.ts",
  "src/chain/ask.ts",
  "src/chain/settle.ts",
  "src/chain/judge.ts",
  "src/chain/use.ts",
  "src/tools/change.ts",
  "src/workspace/workspace.ts",
  "src/workspace/file.ts",
];

const beside = [
  "src/session/session.ts",
  "src/session/engine.ts",
  "src/chain/open.ts",
  "src/chain/apply.ts",
  "src/chain/gates.ts",
  "src/chain/request.ts",
  "src/library/library.ts",
  "src/library/render.ts",
  "src/models/recorded.ts",
  "src/store/journal.ts",
];

interface Read {
  readonly path: string;
  readonly read: number;
  readonly ran: number;
  readonly code: number;
}

function row(name: string, files: readonly Read[]): (string | number)[] {
  const sum = (key: "read" | "ran" | "code") => files.reduce((total, file) => total + file[key], 0);
  return [name, files.length, sum("read"), sum("ran"), sum("code")];
}

/** Runs the task on a copy of the sources that was never built, so that the sources are what runs. */
function readAlong(): Read[] {
  const folder = folderOnDisk();
  try {
    const root = realpathSync(folder.path);
    const here = new URL("..", import.meta.url).pathname;
    for (const name of ["bin", "src", "prompts", "package.json", "project_rules.md"])
      cpSync(join(here, name), join(root, "package", name), { recursive: true });
    symlinkSync(join(here, "node_modules"), join(root, "package", "node_modules"));
    runTask(root);
    return coverageIn(join(root, "coverage"), join(root, "package")).sort((a, b) => (a.path < b.path ? -1 : 1));
  } finally {
    folder.remove();
  }
}

function runTask(root: string): void {
  for (const [path, text] of Object.entries(smallApp)) {
    mkdirSync(join(root, "app", path, ".."), { recursive: true });
    writeFileSync(join(root, "app", path), text);
  }
  const answers = join(root, "answers.json");
  writeFileSync(answers, JSON.stringify(wholeWayAnswers));
  const flags = [
    "--trust",
    "--permission",
    "edits",
    "--unsandboxed",
    "--replay",
    recordingAt(root, wholeWay),
    "--answers",
    answers,
    "--approve-policy",
    "auto",
  ];
  const argv = [join(root, "package", "bin", "claude-exec.js"), "Add a product function", ...flags];
  const env = { PATH: process.env["PATH"], HOME: root, NODE_V8_COVERAGE: join(root, "coverage") };
  execFileSync(process.execPath, argv, { cwd: join(root, "app"), env, stdio: "pipe" });
}

interface Block {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}
type Script = {
  readonly url: string;
  readonly functions: readonly { readonly ranges: readonly [Block, ...Block[]] }[];
};

function coverageIn(folder: string, root: string): Read[] {
  const base = pathToFileURL(`${root}/`).href;
  const processes = readdirSync(folder).map(
    (name) => (JSON.parse(readFileSync(join(folder, name), "utf8")) as { result: Script[] }).result,
  );
  const ours = processes.find((scripts) => scripts.some(({ url }) => url === `${base}bin/claude-exec.js`)) ?? [];
  return ours.flatMap(({ url, functions }) => {
    const path = url.startsWith(base) ? url.slice(base.length) : "";
    if (!/^(src|bin)\//.test(path)) return [];
    const source = readFileSync(join(root, path), "utf8");
    const called = functions.map(({ ranges }) => ranges[0]);
    const blocks = functions.flatMap(({ ranges }) => ranges);
    const lines = codeLines(path.endsWith(".ts") ? stripTypeScriptTypes(source) : source);
    const within = (known: readonly Block[]) => lines.filter((offset) => innermost(known, offset).count > 0).length;
    return [{ path, code: lines.length, read: within(called), ran: within(blocks) }];
  });
}

function innermost(blocks: readonly Block[], offset: number): Block {
  return blocks
    .filter(({ startOffset, endOffset }) => startOffset <= offset && offset < endOffset)
    .reduce((inner, block) =>
      block.endOffset - block.startOffset <= inner.endOffset - inner.startOffset ? block : inner,
    );
}

/** Where each line of code begins. Types are blanks by now, at the same offsets as before. */
function codeLines(source: string): number[] {
  const blanked = source
    .replaceAll(/^import\b[^;]*?["'][^"'\n]+["'];/gms, blank)
    .replaceAll(/^\s*\/\*.*?\*\//gms, blank)
    .replaceAll(/^\s*(\/\/|#!).*$/gm, blank);
  let offset = 0;
  return blanked.split("\n").flatMap((line) => {
    const start = offset + line.search(/\S/);
    offset += line.length + 1;
    return /\S/.test(line) ? [start] : [];
  });
}

function blank(text: string): string {
  return text.replaceAll(/[^\n]/g, " ");
}
