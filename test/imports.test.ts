import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { expect, test } from "vitest";
import * as roles from "../src/chain/roles.ts";

/** Who may import whom. `types` means: types only, nothing that runs. */
const rooms: Record<string, { may: readonly string[]; types?: readonly string[] }> = {
  util: { may: [] },
  store: { may: ["util"] },
  models: { may: ["util"] },
  library: { may: ["store", "util"], types: ["models"] },
  "library/exchange": { may: ["library", "store", "util"] },
  "library/lint": { may: ["library", "store", "util"] },
  costs: { may: ["store", "util"], types: ["models"] },
  programs: { may: ["util"] },
  workspace: { may: ["programs", "store", "util"] },
  "programs/git": { may: ["workspace", "programs", "util"] },
  "programs/sandbox": { may: ["workspace", "programs", "util"] },
  "programs/permissions": { may: ["workspace", "programs", "util"] },
  tools: { may: ["programs/*", "programs", "workspace", "util"], types: ["library", "models"] },
  chain: { may: ["tools", "programs/*", "programs", "workspace", "library", "costs", "models", "store", "util"] },
  session: {
    may: [
      "chain",
      "tools",
      "programs",
      "programs/*",
      "library",
      "library/*",
      "costs",
      "workspace",
      "models",
      "store",
      "util",
    ],
  },
  operations: {
    may: [
      "session",
      "chain",
      "tools",
      "programs",
      "programs/*",
      "library",
      "library/*",
      "costs",
      "workspace",
      "models",
      "store",
      "util",
    ],
  },
  "clients/cli": { may: ["operations", "util"] },
  /** index.ts */
  "": {
    may: [
      "operations",
      "session",
      "chain",
      "tools",
      "programs",
      "programs/*",
      "library",
      "library/*",
      "costs",
      "workspace",
      "models",
      "store",
      "util",
    ],
  },
};

const files = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
const imports = new Map(files.map((file) => [file, importsOf(file)]));

test.each(files)("%s imports only what its folder may", (file) => {
  const allowed = rooms[roomOf(file)];
  expect(allowed, `the folder of ${file} stands in the table`).toBeDefined();
  const mayImport = (to: string, listed: readonly string[] = []) =>
    listed.some((one) => one === to || (one.endsWith("/*") && `${to}/`.startsWith(one.slice(0, -1))));
  const forbidden = (imports.get(file) ?? []).filter(({ to, typeOnly }) => {
    const room = roomOf(to);
    if (room === roomOf(file) || mayImport(room, allowed?.may)) return false;
    return !(typeOnly && mayImport(room, allowed?.types));
  });
  expect(forbidden).toEqual([]);
});

test("no imports run in a circle, not even those of types and those at run time", () => {
  expect(circleIn(new Map([...imports].map(([file, found]) => [file, found.map(({ to }) => to)])))).toEqual([]);
});

test("a circle of types and of imports at run time is found", () => {
  const [type] = importsOf("a.ts", 'import type { B } from "./b.ts";');
  const [dynamic] = importsOf("b.ts", 'const { a } = await import("./a.ts");');
  expect(type).toEqual({ to: "b.ts", typeOnly: true });
  expect(
    circleIn(
      new Map([
        ["a.ts", [type!.to]],
        ["b.ts", [dynamic!.to]],
      ]),
    ),
  ).toEqual(["a.ts", "b.ts", "a.ts"]);
});

test("chain/roles.ts alone names prompts, and only those that are shipped", () => {
  const shipped = readdirSync("prompts", { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".md"))
    .map((path) => basename(path, ".md"));
  const named = (file: string) => promptNames(readFileSync(join("src", file), "utf8"), shipped);
  const literals = files.flatMap((file) => named(file).map((name) => `${file}: ${name}`));
  expect(literals.filter((literal) => !literal.startsWith("chain/roles.ts:"))).toEqual([]);
  const values: unknown[] = Object.values(roles);
  const words = values.flatMap((value) => JSON.stringify(value)?.match(/(?<=")[a-z]+(_[a-z]+)+(?=")/g) ?? []);
  const keys = new Set([
    ...Object.keys(roles.triggers),
    ...Object.keys(roles.confidenceOwners),
    ...Object.keys(roles.scoreOwners),
  ]);
  expect(words.filter((word) => !keys.has(word) && !shipped.includes(word))).toEqual([]);
});

test("the name of a prompt is found as a literal, as a key and within a message", () => {
  const shipped = ["basic", "code_reviewer", "php_interpreter"];
  expect(promptNames('run("code_reviewer")', shipped)).toEqual(["code_reviewer"]);
  expect(promptNames("const words = { php_interpreter: [] };", shipped)).toEqual(["php_interpreter"]);
  expect(promptNames("`code_reviewer has not reported.`", shipped)).toEqual(["code_reviewer"]);
  expect(promptNames("['basic'] // a basic word", shipped)).toEqual(["basic"]);
  expect(promptNames("a basic word, and old_code_reviewer", shipped)).toEqual([]);
});

/** Two sessions in one process must not share variables, so only the entry point reads those of the process. */
test("only the world and the command line read the variables of the process, and nothing writes them", () => {
  const readers = files.filter((file) => variablesIn(textOf(file)).read);
  expect(readers.filter((file) => file !== "util/world.ts" && roomOf(file) !== "clients/cli")).toEqual([]);
  expect(files.filter((file) => variablesIn(textOf(file)).written)).toEqual([]);
});

test("every program that is started is told its variables", () => {
  const starts = files.flatMap((file) =>
    [...textOf(file).matchAll(/\b(?:spawn|spawnSync|fork|execFile|execSync|execFileSync|execa|new Worker)\([^;]*;/g)]
      .filter(([call]) => !/\benv\b/.test(call) || (/execa\(/.test(call) && !/extendEnv: false/.test(call)))
      .map(([call]) => `${file}: ${call}`),
  );
  expect(starts).toEqual([]);
});

test.each([
  ["const path = process.env.PATH;", { read: true, written: false }],
  ['process.env["PATH"] = "";', { read: true, written: true }],
  ["process.env.PATH ??= path;", { read: true, written: true }],
  ["delete process.env[name];", { read: true, written: true }],
  ["Object.assign(process.env, more);", { read: true, written: true }],
  ["process.env = {};", { read: true, written: true }],
  ["process.loadEnvFile();", { read: false, written: true }],
  ["const { env } = process;", { read: true, written: false }],
  ['import { env } from "node:process";', { read: true, written: false }],
  ["if (process.env.PATH === path) return;", { read: true, written: false }],
  ["const script = `\nconsole.log(process.env.PATH);\n`;", { read: false, written: false }],
])("of %s it is known what it does to the variables of the process", (text, expected) => {
  expect(variablesIn(text)).toEqual(expected);
});

test("folders lie at most two levels deep", () => {
  expect(files.filter((file) => file.split("/").length > 3)).toEqual([]);
});

test("the shipped entry runs on a Node that knows no TypeScript", () => {
  const bin = readFileSync("bin/claude-exec.js", "utf8");
  expect([...bin.matchAll(/^import .* from "([^"]+)"/gm)].map((match) => match[1])).toEqual([
    "node:fs",
    "node:path",
    "node:url",
  ]);
});

/** What code does to the variables of the process; comments apart, and scripts for others, which begin on a line of their own. */
function variablesIn(text: string): { read: boolean; written: boolean } {
  const own = text.replace(/`\n[^`]*`/g, "``").replace(/^\s*(?:\/\*\*.*?\*\/|\/\/[^\n]*)/gms, "");
  const reads = /\bprocess(?:\?\.|\.|\[")env\b|\benv\b[^;{}]*\} = process\b|from "(?:node:)?process"/;
  const variable = String.raw`process\.env(?:\.\w+|\[[^\]]+\])?`;
  const writes = new RegExp(
    String.raw`${variable} (?:[?|&]{2})?=(?!=)|delete ${variable}|(?:assign|defineProperty)\(process\.env|loadEnvFile`,
  );
  return { read: reads.test(own), written: writes.test(own) };
}

function textOf(file: string): string {
  return readFileSync(join("src", file), "utf8");
}

function roomOf(file: string): string {
  const folder = dirname(file);
  return folder === "." ? "" : folder;
}

/** A name without an underscore is an ordinary word too: it counts only as a whole literal. */
function promptNames(source: string, shipped: readonly string[]): string[] {
  const words = new Set(source.match(/\w+/g));
  const literals = new Set([...source.matchAll(/(["'`])(\w+)\1/g)].map((match) => match[2]));
  return shipped.filter((name) => (name.includes("_") ? words : literals).has(name));
}

function importsOf(file: string, text = textOf(file)): { to: string; typeOnly: boolean }[] {
  const statements = [...text.matchAll(/^(import|export) (type )?([^;]*?)from "(\.[^"]+)"/gms)].map((match) => ({
    path: match[4] ?? "",
    typeOnly: match[2] !== undefined || /^\{(\s*type [^,}]+,?)+\s*\}\s*$/.test(match[3] ?? ""),
  }));
  const dynamic = [...text.matchAll(/import\("(\.[^"]+)"\)/g)].map((match) => ({
    path: match[1] ?? "",
    typeOnly: false,
  }));
  return [...statements, ...dynamic].map(({ path, typeOnly }) => ({
    to: relative("src", join("src", dirname(file), path)),
    typeOnly,
  }));
}

/** The files of one circle, the first of them also at its end; empty where there is none. */
function circleIn(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>();
  const walk = (file: string, way: readonly string[]): string[] => {
    if (way.includes(file)) return [...way.slice(way.indexOf(file)), file];
    if (done.has(file)) return [];
    for (const next of graph.get(file) ?? []) {
      const circle = walk(next, [...way, file]);
      if (circle.length > 0) return circle;
    }
    done.add(file);
    return [];
  };
  for (const file of graph.keys()) {
    const circle = walk(file, []);
    if (circle.length > 0) return circle;
  }
  return [];
}
