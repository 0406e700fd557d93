import fs from "node:fs";
import { join, posix, relative, resolve } from "node:path";
import { closedBecause, isInside } from "../../workspace/place.ts";
import { unlessRefused } from "../../util/errors.ts";
import { sha256 } from "../../util/hash.ts";
import { isRecord, parseJson } from "../../util/json.ts";

/** Hashes by path; `package.json#scripts` stands for the scripts alone. */
export type NamedFiles = Readonly<Record<string, string>>;

/**
 * The files of a workspace that a line of shell names, with what they hold now: a permission for the line binds them.
 * It rather names a file too many: each word counts, whatever its program makes of it, from each folder that is named.
 * `cd scripts && sh build.sh` → scripts/build.sh; `npm run build` → the scripts of package.json and the files these
 * name; a script → the interpreter in its first line too. Named by a folder or found by a search are not bound.
 */
export function namedFiles(root: string, line: string): NamedFiles {
  const found = new Map<string, string>();
  const read = new Set<string>();
  const addFile = (path: string) => {
    const name = relative(root, path);
    if (found.has(name) || !isInside(root, path) || closedBecause(name, [], "read") !== undefined) return;
    const bytes = contentOf(path);
    if (bytes === undefined) return;
    found.set(name, typeof bytes === "string" ? bytes : sha256(bytes));
    const interpreter = typeof bytes === "string" ? undefined : /^#!([^\n]+)/.exec(bytes.toString("latin1", 0, 512));
    if (interpreter?.[1] !== undefined) addLine(interpreter[1], [root]);
  };
  const addLine = (text: string, from: readonly string[]) => {
    if (read.has(`${from[0]}\0${text}`)) return;
    read.add(`${from[0]}\0${text}`);
    const words = wordsOf(text);
    const folders = new Set(from);
    for (const word of words.slice(0, most)) {
      for (const folder of [...folders].slice(0, 20)) {
        const path = resolve(folder, word);
        if (isInside(root, path) && statOf(path)?.isDirectory()) folders.add(path);
        for (const ending of endings) addFile(path + ending);
        if (/[*?[]/.test(word) && !word.includes("**")) {
          for (const match of fs.globSync(word, { cwd: folder }).slice(0, most)) addFile(join(folder, match));
        }
      }
    }
    const programs = new Set(words.map((word) => posix.basename(word)));
    for (const [program, files] of implied) {
      if (!programs.has(program)) continue;
      for (const folder of folders) for (const file of files) addFile(join(folder, file));
    }
    if (packageManagers.some((program) => programs.has(program)))
      for (const folder of folders) addScripts(words, folder);
  };
  const addScripts = (words: readonly string[], folder: string) => {
    for (const word of words) addFile(join(folder, "node_modules/.bin", word));
    const manifest = contentOf(join(folder, "package.json"));
    const parsed = manifest === undefined || typeof manifest === "string" ? undefined : parseJson(manifest.toString());
    const scripts = isRecord(parsed) ? parsed["scripts"] : undefined;
    if (!isRecord(scripts)) return;
    found.set(`${relative(root, join(folder, "package.json"))}#scripts`, sha256(JSON.stringify(scripts)));
    const named = words.flatMap((word) => [word, `pre${word}`, `post${word}`]);
    for (const name of /\b(?:t|tst)\b/.test(words.join(" ")) ? [...named, "pretest", "test", "posttest"] : named) {
      const script = Object.hasOwn(scripts, name) ? scripts[name] : undefined;
      // Scripts start the programs of the packages, and each other, by their bare names.
      if (typeof script === "string") addLine(`npm ${script}`, [folder]);
    }
  };
  addLine(line, [root]);
  return Object.fromEntries([...found].sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** Which of them are not as they were, or were not there. */
export function changedFiles(before: NamedFiles, now: NamedFiles): string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(now)])].filter((path) => before[path] !== now[path]);
}

const most = 200;
const largest = 20_000_000;
/** A word may name a file by less than its whole name. */
const endings = ["", ".js", ".mjs", ".cjs", ".ts", ".py", "/index.js", "/index.ts", "/__main__.py"];
const packageManagers = ["npm", "npx", "pnpm", "yarn", "bun", "bunx"];
/** Files that a program reads without their being named. */
const implied: readonly [program: string, files: readonly string[]][] = [
  ...packageManagers.map((program) => [program, [".npmrc"]] as [string, string[]]),
  ["make", ["GNUmakefile", "makefile", "Makefile"]],
  ["gmake", ["GNUmakefile", "makefile", "Makefile"]],
  ["just", ["justfile", ".justfile", "Justfile"]],
  ["rake", ["Rakefile"]],
];

/** Apart wherever a shell or a program may part them, also within quotes; and quoted ones as a whole. What a line only writes is left out. */
function wordsOf(line: string): string[] {
  const text = line.replaceAll(/>>?\s*[^\s;|&<>()]+/g, " ");
  const quoted = [...text.matchAll(/"([^"]*)"|'([^']*)'/g)].map(([, double, single]) => double ?? single ?? "");
  const parted = text.split(/[\s;|&<>()"'`$={},:\\]+/);
  const modules = parted.filter((word) => /^\w+(?:\.\w+)+$/.test(word)).map((word) => word.replaceAll(".", "/"));
  return [...new Set([...parted, ...quoted, ...modules])].filter((word) => word !== "" && !word.includes("\0"));
}

/**
 * What a file holds; of a very large one only its size and when it was changed. Undefined for what is not there, or
 * cannot be read: then a command cannot read it either.
 */
function contentOf(path: string): Buffer | string | undefined {
  const stats = statOf(path);
  if (!stats?.isFile()) return undefined;
  const isLarge = stats.size > largest;
  return isLarge ? `${stats.size} bytes, changed ${stats.mtimeMs}` : unlessRefused(() => fs.readFileSync(path));
}

function statOf(path: string): fs.Stats | undefined {
  return unlessRefused(() => fs.statSync(path));
}
