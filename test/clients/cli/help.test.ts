import { expect, test } from "vitest";
import { shapeOf } from "../../../src/operations/operation.ts";
import { operations } from "../../../src/operations/operations.ts";
import { helpText } from "../../../src/clients/cli/help.ts";
import { exitCodes } from "../../../src/util/errors.ts";

test("the overview names every command once with its summary, and every exit code", () => {
  const lines = helpText(undefined).split("\n");
  const commands = lines.slice(lines.indexOf("Commands") + 1, lines.indexOf("Commands") + 1 + operations.length);
  expect(commands.map((line) => /^ {2}(.*?) {2,}(.*)$/.exec(line)?.slice(1))).toEqual(
    operations.map(({ name, summary }) => [name, summary]),
  );
  const codes = lines.slice(-3).join(" ").match(/\d+/g)?.map(Number);
  expect(codes?.sort((a, b) => a - b)).toEqual(Object.values(exitCodes).sort((a, b) => a - b));
});

test("the help of a command says how it is used, what it does, and every word and flag", () => {
  const status = operations.find(({ name }) => name === "status");
  expect(helpText(status)).toBe(
    [
      "claude-exec status [chain] [flags]",
      "",
      "Where a chain stands; without a number the newest, with `all` every one.",
      "",
      "  <chain>   A chain's number, or all",
      "  --home …  Folder that keeps the chains",
    ].join("\n"),
  );
});

test("the help of every command lists exactly the fields of its schema", () => {
  for (const known of operations) {
    const listed = helpText(known)
      .split("\n")
      .flatMap((line) => /^ {2}(?:<(\w+)>|--([\w-]+))/.exec(line)?.slice(1).filter(Boolean) ?? [])
      .map((name) => name.replaceAll("-", "_"));
    const fields = [...new Set([...known.positional, ...Object.keys(shapeOf(known))])];
    const flags = fields.filter((field) => !known.positional.includes(field));
    expect(listed).toEqual([...known.positional, ...flags]);
  }
});

test("no line of any help is wider than a common terminal", () => {
  for (const known of [undefined, ...operations]) {
    expect(
      helpText(known)
        .split("\n")
        .filter((line) => line.length > 112),
    ).toEqual([]);
  }
});
