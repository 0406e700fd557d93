import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { flagsOf } from "../../src/clients/cli/arguments.ts";
import { operations } from "../../src/operations/operations.ts";

const files = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
const outside = files.filter((file) => !file.startsWith("clients/"));
const names = new Set<string>(operations.map(({ name }) => name));
const flags = new Set(operations.flatMap(flagsOf).map(({ flag }) => `--${flag}`));

const excepted: Record<string, readonly string[]> = {
  // The flag of git log.
  "tools/git.ts": ["--format"],
  // The option of bubblewrap.
  "programs/sandbox/read_only_view.ts": ["--size"],
  // The flag of npm pack.
  "programs/permissions/probes.ts": ["--dry-run"],
  // The flag of Claude Code.
  "models/claude_cli.ts": ["--model", "--verbose"],
  // It reads what earlier versions wrote into journals.
  "chain/upcast.ts": ["claude-exec resume"],
};

test.each(outside)("%s contains no command of ours, and no flag", (file) => {
  const code = withoutComments(readFileSync(join("src", file), "utf8"));
  const commands = [...code.matchAll(/claude-exec ([a-z-]+)(?: ([a-z-]+))?/g)].filter(
    ([, first = "", second = ""]) => names.has(first) || names.has(`${first} ${second}`),
  );
  const ours = [...code.matchAll(/(?<![\w-])--[a-z][a-z-]*/g)].filter(([flag]) => flags.has(flag));
  const found = [...commands, ...ours].map(([text]) => text);
  expect(found.filter((text) => !excepted[file]?.includes(text))).toEqual([]);
});

test("what a text can name is found: a command, a command of two words, a flag", () => {
  expect(names).toContain("prompts lint");
  expect(flags).toContain("--budget-usd");
  expect(withoutComments('a("--home"); // --model\n/* claude-exec new */ b("http://x");')).toBe(
    'a("--home"); \n b("http://x");',
  );
});

test.each(outside)("%s names only operations that there are", (file) => {
  const named = readFileSync(join("src", file), "utf8").matchAll(/\boperation: "([^"]+)"/g);
  expect([...named].map(([, name]) => name).filter((name) => !names.has(name ?? ""))).toEqual([]);
});

function withoutComments(code: string): string {
  return code.replaceAll(/\/\*[^]*?\*\/|(?<=^|\s)\/\/ .*$/gm, "");
}
