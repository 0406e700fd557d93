import { z } from "zod";
import { isRecord, parseJson } from "../util/json.ts";
import { quoted } from "../util/quoting.ts";
import type { Workspace } from "../workspace/workspace.ts";
import { tool } from "./tool.ts";

export const runTestsTool = tool({
  name: "run_tests",
  description:
    "Run the tests of the workspace and see how they end. If nothing changed since the last run, its result is told again; `again` repeats it all the same.",
  needs: "edit",
  input: z.strictObject({ again: z.boolean().optional() }),
  plan: ({ again = false }) => ({ type: "command", purpose: "tests", again }),
});

export const readTestOutputTool = tool({
  name: "read_test_output",
  description:
    "Read what a test run printed, where the excerpt of the run is not enough. `run` is its number; shows up to 150 lines from `from_line`.",
  needs: "read",
  input: z.strictObject({ run: z.int().min(1), from_line: z.int().min(1).default(1) }),
  plan({ run, from_line }, { testOutput }) {
    const text = testOutput?.(run);
    if (text === undefined) return { type: "refused", text: `There is no output of a test run ${run}.` };
    const lines = text.split("\n");
    const shown = lines.slice(from_line - 1, from_line + 149).map((line) => line.slice(0, 400));
    return {
      type: "look",
      text: `Lines ${from_line} to ${from_line - 1 + shown.length} of ${lines.length}\n${shown.join("\n")}`,
      seen: [],
    };
  },
});

export interface TestCommand {
  readonly argv: readonly string[];
  /** Where it comes from, in words: "found in package.json", "as you said". */
  readonly found_in: string;
}

/** A command as a person types it. What needs a shell gets one; `PYTHONPATH=src pytest` is started through `env`. */
export function commandOf(text: string): string[] {
  const line = text.trim();
  if (/[|&;<>()$"'\\*?~#\n]/.test(line)) return ["sh", "-c", line];
  const words = line.split(/\s+/);
  return isSetting(words[0]) ? ["env", ...words] : words;
}

/** The same for a list of words, as `config.json` holds them. */
export function commandOfWords(words: readonly string[]): readonly string[] {
  return isSetting(words[0]) ? ["env", ...words] : words;
}

/** The command as a person would type it: `["sh", "-c", "cd a && make"]` → "cd a && make". A shell reads it back. */
export function typed(argv: readonly string[]): string {
  if (argv.length === 3 && argv[0] === "sh" && argv[1] === "-c") return argv[2]!;
  const words = argv[0] === "env" && isSetting(argv[1]) ? argv.slice(1) : argv;
  return words.map((word) => (/^[A-Za-z_]\w*=[\w./@%+=:,-]*$/.test(word) ? word : quoted(word))).join(" ");
}

function isSetting(word: string | undefined): boolean {
  return /^[A-Za-z_]\w*=/.test(word ?? "");
}

/**
 * The command in the words of a person who was asked for one: "no, use `make check`" → "make check". Undefined where the
 * words name none, or not plainly.
 */
export function commandIn(words: string): string | undefined {
  const quoted = [...words.matchAll(/`([^`\n]+)`/g)];
  if (quoted.length > 0) return quoted.length === 1 ? quoted[0]![1]!.trim() : undefined;
  const line = words
    .trim()
    .replace(leadIn, "")
    .replace(/(?<!\.)[.!]$/, "");
  const isPlain =
    startsRunner.test(line) && !/[.,;] |\?$|^make (?:sure|it|the|them|that)\b|^go (?!test|run|tool|vet)/i.test(line);
  if (isPlain) return line;
  // "npm test is broken, run: npx mocha": the last part may be the command, unless something is forbidden.
  const [last = "", ...before] = words.split(/[,;:.]\s+/).reverse();
  return before.length > 0 && !/\b(?:not|never|no longer)\b|n't\b/i.test(words) ? commandIn(last) : undefined;
}

/** The command where the words say by themselves that they are about the tests: "Run the tests with make check." */
export function testCommandIn(words: string): string | undefined {
  const found =
    /(?:^|[.!;,\n]\s*)(?:(?:please )?run )?(?:the |my |our )?tests? (?:are |is |should |must )?(?:be )?(?:run )?(?:with|by|using|command(?: is|:)?):? ([^\n]+)$/i.exec(
      words.trim(),
    );
  return found ? commandIn(found[1]!) : undefined;
}

const leadIn =
  /^(?:(?:no|nope|please|instead|rather|use|run|try|with|take|it is|it's|the tests?|tests|them|are|is|run|command)\b[\s,:]*)*/i;
const startsRunner =
  /^(?:[A-Za-z_]\w*=\S*\s+)*(?:\.{0,2}\/\S+|vendor\/\S+|(?:npm|npx|pnpm|yarn|bunx?|node|deno|python[\d.]*|pytest|tox|nox|uv|poetry|hatch|make|just|task|cargo|go|php|phpunit|composer|mvn|gradle|dotnet|rake|bundle|rspec|mix|ctest|bazel|sh|bash|mocha|jest|vitest|ava|tap)(?=\s|$)|cd \S+ && )/;

/** The command that runs the tests, as the project's own files tell it. */
export async function findTestCommand(workspace: Workspace): Promise<TestCommand | undefined> {
  const holds = (path: string, pattern: RegExp) => {
    const found = workspace.read(path);
    return found.type === "text" && pattern.test(found.text);
  };
  if (hasTestScript(workspace)) return { argv: ["npm", "test", "--silent"], found_in: "found in package.json" };
  const pytest = ["python3", "-m", "pytest", "-q"];
  if (holds("pytest.ini", /^/)) return { argv: pytest, found_in: "found in pytest.ini" };
  if (holds("pyproject.toml", /^\s*\[tool\.pytest/m)) return { argv: pytest, found_in: "found in pyproject.toml" };
  if ((await workspace.list(["tests/*.py"])).length > 0) return { argv: pytest, found_in: "found in tests/*.py" };
  for (const [file, pattern, ...argv] of commands) {
    if (holds(file, pattern)) return { argv, found_in: `found in ${file}` };
  }
  return undefined;
}

const commands: [string, RegExp, ...string[]][] = [
  ["phpunit.xml", /^/, "vendor/bin/phpunit"],
  ["phpunit.xml.dist", /^/, "vendor/bin/phpunit"],
  ["Cargo.toml", /^/, "cargo", "test", "--quiet"],
  ["go.mod", /^/, "go", "test", "./..."],
  ["Makefile", /^test\s*:(?!=)/m, "make", "test"],
];

/** `npm init` writes a test script that only says there is none. */
function hasTestScript(workspace: Workspace): boolean {
  const found = workspace.read("package.json");
  const parsed = found.type === "text" ? parseJson(found.text) : undefined;
  const scripts = isRecord(parsed) ? parsed["scripts"] : undefined;
  const test = isRecord(scripts) ? scripts["test"] : undefined;
  return typeof test === "string" && !test.includes("no test specified");
}
