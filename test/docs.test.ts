import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { flagsOf, readArguments } from "../src/cli/arguments.ts";
import { operations } from "../src/app/operations.ts";
import { configSchema } from "../src/app/config.ts";
import { exitCodes } from "../src/util/errors.ts";

const pages = [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync("docs")
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];
const text = (page: string) => readFileSync(page, "utf8");

test.each(pages)("every command in %s can be given as it stands there", (page) => {
  const commands = [...text(page).matchAll(/(?:^|`|: )claude-exec ((?:"[^"]+"|[a-z-]+)[^`\n]*)/gm)].map(
    (match) => match[1] ?? "",
  );
  for (const command of commands) {
    const argv = words(command.replace(/ {2,}#.*| {3,}.*$/, ""));
    if (argv.some((word) => /^<[^>]+>$/.test(word)) && argv[0] === "<command>") continue;
    expect(
      () =>
        readArguments(
          argv.map((word) => word.replace(/^<(.+)>$/, "$1").replace("…", "some words")),
          operations,
        ),
      command,
    ).not.toThrow();
  }
});

test("the commands page names every command and every exit code", () => {
  const page = text("docs/commands.md");
  for (const { name } of operations) expect(page).toContain(name);
  for (const code of Object.values(exitCodes)) expect(page).toMatch(new RegExp(`\\b${code}\\b`));
});

test("the configuration page names every key with its default", () => {
  const page = text("docs/configuration.md");
  const { limits, models, tests } = configSchema.parse({});
  for (const [key, value] of Object.entries({ ...limits, ...models, timeout_seconds: tests.timeout_seconds })) {
    expect(page).toContain(key);
    expect(page).toContain(value === null ? "none" : String(value));
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
  const foreign = new Set(["save-dev", "global", "silent"]);
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

/** Splits a line as a shell would, as far as our pages need it. */
function words(command: string): string[] {
  return [...command.trim().matchAll(/[^\s"]*"[^"]*"|\S+/g)].map(([word]) => word.replaceAll('"', ""));
}
