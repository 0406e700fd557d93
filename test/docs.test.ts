import { globSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { expect, test } from "vitest";
import { flagsOf, type Order, readArguments } from "../src/clients/cli/arguments.ts";
import { operations } from "../src/operations/operations.ts";
import { configSchema } from "../src/session/config.ts";
import { countOffline } from "../src/costs/estimate.ts";
import { formats } from "../src/library/exchange/format.ts";
import { lintPrompts } from "../src/library/lint/lint.ts";
import { scopes } from "../src/library/names.ts";
import { frontMatter } from "../src/library/prompt.ts";
import { readPrompt } from "../src/library/read_prompt.ts";
import { exitCodes } from "../src/util/errors.ts";
import { placeWith } from "./support/cli.ts";
import { callerAt, operate } from "./support/inside.ts";

const pages = [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync("docs")
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];
const text = (page: string) => readFileSync(page, "utf8");

test.each(pages)("every command in %s can be given as it stands there", (page) => {
  for (const command of commandsIn(page)) expect(() => read(command), command).not.toThrow();
});

test("every command in the table of commands can be given as it stands there", () => {
  const rows = text("docs/commands.md").matchAll(/^\| (`[^|]+) \|/gm);
  const cells = [...rows].flatMap(([, cell = ""]) => [...cell.matchAll(/`(?:claude-exec )?([^`]+)`/g)]);
  expect(cells.length).toBeGreaterThan(operations.length);
  for (const [, command = ""] of cells) expect(() => read(command), command).not.toThrow();
});

test("the commands page names every command and every exit code", () => {
  const page = text("docs/commands.md");
  for (const { name } of operations) expect(page).toContain(name);
  for (const code of Object.values(exitCodes)) expect(page).toMatch(new RegExp(`\\b${code}\\b`));
});

test("the configuration page names every key with its default", () => {
  const page = text("docs/configuration.md");
  const { limits, models, prompts, tests } = configSchema.parse({});
  for (const [key, value] of Object.entries({ ...limits, ...models, timeout_seconds: tests.timeout_seconds })) {
    expect(page).toContain(key);
    expect(page).toContain(value === null ? "none" : String(value));
  }
  for (const [key, value] of Object.entries(prompts)) {
    const shown = Array.isArray(value) ? "none" : typeof value === "string" ? `\`${value}\`` : String(value);
    expect(page).toContain(`| \`prompts.${key}\` | ${shown} |`);
  }
});

test("every flag a page mentions exists", () => {
  const flags = new Set([
    ...operations.flatMap(flagsOf).map(({ flag }) => flag),
    "json",
    "stream-json",
    "plain",
    "help",
  ]);
  const foreign = new Set(["save-dev", "global", "silent", "test"]);
  const mentioned = pages.flatMap((page) =>
    [...text(page).matchAll(/(?<!-)--([a-z][a-z-]+)/g)].map((match) => match[1] ?? ""),
  );
  expect(mentioned.filter((flag) => !flags.has(flag) && !foreign.has(flag))).toEqual([]);
});

test("every page that a page links to is there", () => {
  for (const page of pages) {
    const folder = page.includes("/") ? "docs/" : "";
    for (const [, target = ""] of text(page).matchAll(/\]\((?!http)([^)#]+)/g))
      expect(
        () =>
          readdirSync(".").includes(target) ||
          readFileSync(`${folder}${target}`.replace(/\/$/, "/001-dependencies.md")),
        `${page} → ${target}`,
      ).not.toThrow();
  }
});

const promptsPage = text("docs/prompts.md");

test("each decision has a number of its own", () => {
  const numbers = readdirSync("docs/decisions").map((name) => name.slice(0, 3));
  expect(numbers).toEqual([...new Set(numbers)]);
});

test("the prompts page says who calls each prompt, in the words of the prompt itself", () => {
  const files = globSync("prompts/{system,meta,stack_context}/*.md");
  expect(files.length).toBe(25);
  for (const file of files) {
    const caller = /^caller: (.*)$/m.exec(text(file))?.[1] ?? `${file} names no caller`;
    expect(promptsPage).toContain(`| \`${basename(file, ".md")}\` | ${caller} |\n`);
  }
});

test("the pages count the shipped prompts as they are", () => {
  const files = globSync("prompts/*/*.md").filter((file) => !/^prompts\/(?:templates|custom)\//.test(file));
  const folders = new Set(files.map((file) => dirname(file)));
  expect(text("README.md")).toContain(`${files.length} prompts in ${folders.size} folders, each `);
  expect(promptsPage).toContain(`${files.length} come with the program, in ${folders.size} folders `);
  for (const file of files) expect(readdirSync(dirname(file))).toContain(`${basename(file, ".md")}.tests.yaml`);
});

test("the prompts page explains every key, input type, scope, format and lint rule there is", () => {
  const rows = new Set([...promptsPage.matchAll(/^\| `?([\w-]+)`? \|/gm)].map(([, first]) => first));
  const { type } = frontMatter.shape.inputs.unwrap().valueType.def.in.shape;
  const wanted = [...Object.keys(frontMatter.shape), ...type.unwrap().options, ...scopes, ...formats, ...lintRules()];
  expect(wanted.filter((word) => !rows.has(word))).toEqual([]);
});

function lintRules(): string[] {
  const sources = globSync("src/library/lint/*.ts").map((file) => text(file));
  const named = sources.flatMap((source) => [...source.matchAll(/\brule(?: =|:)([^,;\n]*)/g)]);
  const rules = named.flatMap(([, value = ""]) => [...value.matchAll(/"([a-z-]+)"/g)].map(([, rule = ""]) => rule));
  expect(rules.length).toBeGreaterThan(10);
  return [...new Set(rules)];
}

test("the prompt and the test cases on the prompts page are read by the real parser and linted without errors", async () => {
  const [, prompt = ""] = /````markdown\n(.*?)````/s.exec(promptsPage) ?? [];
  const [, cases = ""] = /```yaml\n(.*?)```/s.exec(promptsPage) ?? [];
  const { workspace } = placeWith({ "time_zone_finder.md": prompt, "time_zone_finder.tests.yaml": cases });
  const place = { file: join(workspace, "time_zone_finder.md"), folder: "", scope: "custom" } as const;
  expect(Object.keys((await readPrompt(place)).extra)).toEqual([]);
  const shipped = globSync("prompts/*/*.md").map((file) => basename(file, ".md"));
  const findings = await lintPrompts([place], new Set(shipped), countOffline);
  // It is an example of the form, and so shorter than a prompt should be.
  expect(findings.map(({ severity, rule }) => `${severity} ${rule}`)).toEqual(["warning length"]);
});

test("the commands on the prompts page name each command there is, and do what they say, one after the other", async () => {
  const [, block = ""] = /```sh\n(.*?)```/s.exec(promptsPage) ?? [];
  const orders = block
    .trim()
    .split("\n")
    .map((line) => read(line.replace(/^claude-exec /, "")) as Order);
  const group = operations.map(({ name }) => name).filter((name) => name.startsWith("prompts "));
  expect([...new Set(orders.map(({ operation }) => operation.name))].sort()).toEqual(group.sort());
  const { workspace, env } = placeWith({
    ".claude/commands/review.md": "Review $ARGUMENTS as if it were to run tonight.\n",
    "crash.log": "TypeError: id is undefined\n    at load (src/auth.js:4:9)\n",
  });
  for (const { operation, input } of orders) {
    const asksModel = operation.name === "prompts run" || ("from" in input && operation.name === "prompts new");
    if (asksModel) continue;
    const { exit, data } = await operate(operation.name, input, callerAt(workspace, env));
    // A new prompt has no purpose yet; its person writes one before the next command.
    if (operation.name === "prompts new") fillIn(data["file"] as string);
    expect(exit, `${operation.name} ${JSON.stringify(input)}`).toBe(exitCodes.done);
  }
  expect(readdirSync(join(workspace, "elsewhere")).sort()).toEqual(["code-reviewer", "review", "trace-payment-flow"]);
});

function fillIn(file: string): void {
  writeFileSync(file, text(file).replace('purpose: ""', "purpose: Trace a payment"));
}

/** What stands behind `claude-exec`, in blocks and within sentences; there a command's bare name only speaks of it. */
function commandsIn(page: string): string[] {
  const found = text(page).matchAll(/(^|`|: )claude-exec ((?:"[^"]+"|[a-z-]+)[^`\n]*)/gm);
  return [...found]
    .filter(([, before, command = ""]) => before !== "`" || !operations.some(({ name }) => name === command))
    .map(([, , command = ""]) => command)
    .filter((command) => !command.startsWith("<command>"));
}

/** Reads a command of a page; a name in <> stands for some word, and <id> for a chain's number. */
function read(command: string) {
  const argv = words(command.replace(/ {2,}#.*| {3,}.*$/, ""));
  const given = argv.map((word) =>
    word
      .replace("<id>", "001")
      .replace(/<(.+)>/, "$1")
      .replace("…", "some words"),
  );
  return readArguments(given, operations);
}

/** Splits a line as a shell would, as far as our pages need it. */
function words(command: string): string[] {
  return [...command.trim().matchAll(/[^\s"]*"[^"]*"|\S+/g)].map(([word]) => word.replaceAll('"', ""));
}
