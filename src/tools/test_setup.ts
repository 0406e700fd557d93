import { basename, dirname, isAbsolute, join, relative } from "node:path";
import { sha256 } from "../util/hash.ts";
import { isRecord, parseJson } from "../util/json.ts";
import { quotedLine } from "../util/quoting.ts";
import { readBytes } from "../workspace/file.ts";
import { entriesInside, follow } from "../workspace/place.ts";
import { keptFileLimit, type Snapshot } from "../workspace/snapshot.ts";
import type { FileState } from "../workspace/file_states.ts";

/** What a test run was measured with. Each file or part of the runner has its name and a hash of its content. */
export interface TestSetup {
  readonly tests: Readonly<Record<string, string>>;
  readonly runner: Readonly<Record<string, string>>;
}

/** Looks at the workspace as it is now. `roles` are those of the approved files. */
export function readTestSetup(
  root: string,
  { states }: Snapshot,
  argv: readonly string[],
  roles: ReadonlyMap<string, string>,
): TestSetup {
  const tests: Record<string, string> = {};
  const runner: Record<string, string> = { "the test command": sha256(quotedLine(argv)) };
  const lines = [argv.join(" ")];
  for (const [path, state] of states) {
    if (roles.get(path) === "test" || isTestFile(path)) tests[path] = hashOf(state);
    else if (runnerConfig.test(basename(path))) runner[path] = hashOf(state);
    const manifest = basename(path) === "package.json" ? parseJson(textAt(join(root, path)) ?? "") : undefined;
    if (!isRecord(manifest)) continue;
    const parts = partsForTests(manifest, argv.join(" "));
    runner[path] = sha256(JSON.stringify(parts));
    lines.push(...Object.values(parts.scripts));
  }
  const words = lines.flatMap(wordsOf);
  const named = words.flatMap(({ word, isStarted }) => {
    const path = isAbsolute(word) ? relative(root, word) : word.replace(/^\.\//, "");
    const isRunner = isStarted || (states.has(path) && !isProduct(roles.get(path)));
    return isRunner && !path.startsWith("..") && !Object.hasOwn(tests, path) ? [path] : [];
  });
  // A script that is started names the files that it starts in turn.
  const namedWithin = named.flatMap((path) =>
    wordsOf(textAt(join(root, path)) ?? "").flatMap(({ word }) =>
      [word.replace(/^\.\//, ""), join(dirname(path), word)].filter(
        (inner) => states.has(inner) && !Object.hasOwn(tests, inner) && !isProduct(roles.get(inner)),
      ),
    ),
  );
  for (const path of [...named, ...namedWithin]) {
    const bytes = Object.hasOwn(runner, path) ? undefined : bytesAt(join(root, path));
    if (bytes) runner[path] = sha256(bytes);
  }
  for (const name of new Set(words.map(({ word }) => word))) Object.assign(runner, installed(root, name));
  return { tests, runner };
}

/** The names of all that is different, new or gone. */
export function differencesOf(before: TestSetup, after: TestSetup): string[] {
  const [was, is] = [
    { ...before.tests, ...before.runner },
    { ...after.tests, ...after.runner },
  ];
  return [...new Set([...Object.keys(was), ...Object.keys(is)])].filter((name) => was[name] !== is[name]).sort();
}

/** By its name or its folder: a test, a snapshot, or a fixture that lies next to tests. */
export function isTestFile(path: string): boolean {
  if (/(?:^|\/)__pycache__\//.test(path)) return false;
  return (
    /(?:^|\/)(?:tests?|specs?|__tests__|__snapshots__|__mocks__|__fixtures__|fixtures|testdata|e2e)\//i.test(path) ||
    /[._-](?:tests?|specs?|cy)\.\w+$|(?:^|\/)(?:test_[^/]*|conftest\.py)$|[a-z](?:Test|Spec)s?\.\w+$|\.(?:snap|feature)$/.test(
      path,
    )
  );
}

/** Files of the solution that are not tests: what the tests are to prove something about. */
const isProduct = (role: string | undefined) => role === "code" || role === "doc";

const runnerConfig =
  /^(?:(?:vite|vitest|jest|babel|ava|karma|playwright|cypress|wdio|jasmine|nyc|c8)[.\w-]*\.(?:[cm]?[jt]s|json)|tsconfig[.\w-]*\.json|\.(?:npmrc|pnpmfile\.cjs|yarnrc(?:\.yml)?|babelrc|swcrc|nycrc|c8rc(?:\.json)?|mocharc[.\w]*|taprc|rspec|nvmrc|node-version|coveragerc)|pnpm-workspace\.yaml|deno\.jsonc?|bunfig\.toml|(?:pytest|tox|mypy)\.ini|setup\.cfg|noxfile\.py|pyproject\.toml|(?:sitecustomize|usercustomize)\.py|go\.(?:mod|work)|Cargo\.toml|build\.rs|phpunit\.xml(?:\.dist)?|(?:GNU)?[Mm]akefile|[Jj]ustfile|Taskfile\.ya?ml|Rakefile|pom\.xml|(?:build|settings)\.gradle(?:\.kts)?|gradle\.properties|CMakeLists\.txt)$/;

/** The scripts that a test command can reach, and what runners read from package.json. Dependencies are left out. */
function partsForTests(manifest: Record<string, unknown>, command: string) {
  const all = isRecord(manifest["scripts"]) ? manifest["scripts"] : {};
  const scripts: Record<string, string> = {};
  const waiting = ["test", ...command.split(/\s+/)];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    for (const each of [name, `pre${name}`, `post${name}`]) {
      const text = Object.hasOwn(all, each) ? all[each] : undefined;
      if (typeof text !== "string" || Object.hasOwn(scripts, each)) continue;
      scripts[each] = text;
      waiting.push(...text.split(/[\s;&|"']+/));
    }
  }
  const settings = ["type", "imports", "jest", "mocha", "ava", "tap", "babel", "nyc", "c8"];
  return { scripts, settings: settings.map((name) => manifest[name] ?? null) };
}

/** `node --test x.js && ./run.sh` starts node and ./run.sh, and node starts x.js. */
function wordsOf(line: string): { word: string; isStarted: boolean }[] {
  let before = ";";
  return line.split(/[\s"'`()]+/).flatMap((token) => {
    const word = token.replace(/[;&|,]+$/, "");
    const isStarted = /[;&|]$/.test(before) || starters.test(basename(before)) || /^\w+=/.test(before);
    if (token !== "" && !token.startsWith("-")) before = token;
    return word === "" || word.length > 200 ? [] : [{ word, isStarted }];
  });
}

const starters = /^(?:node|deno|bun|tsx|ts-node|sh|bash|dash|zsh|python[\d.]*|php|ruby|perl|env|exec|time|npx|bunx)$/;

/** A program in node_modules/.bin, and the whole package that it belongs to. */
function installed(root: string, word: string): Record<string, string> {
  const entry = join("node_modules", ".bin", basename(word));
  const isProgram = !word.includes("/") || join(dirname(word), basename(word)) === entry;
  const bytes = isProgram ? bytesAt(join(root, entry)) : undefined;
  const way = follow(join(root, entry));
  if (bytes === undefined || typeof way === "string") return {};
  const folder = /^.*\/node_modules\/(?!\.)(?:@[^/]+\/)?[^/]+/.exec(way.real)?.[0];
  const program = { [entry]: sha256(way.real, bytes) };
  return folder === undefined ? program : { ...program, [`the package ${basename(folder)}`]: hashOfFolder(folder) };
}

function hashOfFolder(folder: string): string {
  const parts = entriesInside(folder).map((entry) => {
    const at = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "node_modules" ? "" : `${entry.name}/${hashOfFolder(at)}`;
    return `${entry.name} ${sha256(bytesAt(at) ?? "")}`;
  });
  return sha256(...parts.sort());
}

function hashOf(state: FileState): string {
  return sha256(state.type === "file" ? `${state.sha256} ${state.mode}` : `-> ${state.target}`);
}

/** Undefined where there is no file that can be read. */
function bytesAt(path: string, limit = keptFileLimit): Uint8Array | undefined {
  const way = follow(path);
  if (typeof way === "string" || way.missing.length > 0) return undefined;
  const bytes = readBytes(path, way.real, limit);
  return bytes instanceof Uint8Array ? bytes : undefined;
}

function textAt(path: string): string | undefined {
  const bytes = bytesAt(path, 1_000_000);
  return bytes && Buffer.from(bytes).toString();
}
