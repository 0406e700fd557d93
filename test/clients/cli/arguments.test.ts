import { expect, test } from "vitest";
import { z } from "zod";
import { operation, shapeOf } from "../../../src/operations/operation.ts";
import { operations } from "../../../src/operations/operations.ts";
import { flagsOf, readArguments, usageLine, type Order } from "../../../src/clients/cli/arguments.ts";
import { UserError } from "../../../src/util/errors.ts";
import { printed } from "../../support/printed.ts";

function order(...argv: string[]): Order {
  const read = readArguments(argv, operations);
  if (!("operation" in read)) throw new Error("That asked for help or a session.");
  return read;
}

function refusal(...argv: string[]): Pick<UserError, "code" | "message" | "exitCode"> & { hint: string } {
  try {
    readArguments(argv, operations);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const { code, message, next, exitCode } = error;
    return { code, message, hint: printed(next), exitCode };
  }
  throw new Error("Nothing was refused.");
}

const usage = { code: "wrong_usage", exitCode: 64 };

test("a task is one argument with a space in it, or follows `new`", () => {
  for (const argv of [["Add a function"], ["new", "Add a function"], ["new", "add"]]) {
    const { operation, input } = order(...argv);
    expect([operation.name, input["task"]]).toEqual(["new", argv.at(-1)]);
  }
  expect(order("  Add a function ").input["task"]).toBe("Add a function");
});

test("flags may stand before the command or the task, or after it, with = or without", () => {
  const expected = { task: "Add it now", model: "my model", home: "a b", trust: true, approve_policy: "auto" };
  for (const argv of [
    ["--model", "my model", "--home=a b", "--trust", "--approve-policy", "auto", "Add it now"],
    ["Add it now", "--model=my model", "--home", "a b", "--approve-policy=auto", "--trust"],
    ["--home", "a b", "new", "--trust", "Add it now", "--model", "my model", "--approve-policy=auto"],
  ]) {
    expect(order(...argv).operation.name).toBe("new");
    const { options, input } = order(...argv);
    expect({ ...options, ...input }).toMatchObject(expected);
  }
  expect(order("--json", "status", "all")).toMatchObject({ output: "json", input: { chain: "all" } });
  expect(order("--home", "my folder", "status")).toMatchObject({
    operation: { name: "status" },
    options: { home: "my folder" },
  });
  expect(order("--home", "h", "prompts", "show", "--plain", "code_reviewer")).toMatchObject({
    operation: { name: "prompts show" },
    options: { home: "h" },
    input: { name: "code_reviewer" },
    plain: true,
  });
});

test("what is printed is text, one document or a stream", () => {
  expect(order("status")).toMatchObject({ output: "text", plain: false });
  expect(order("status", "--json")).toMatchObject({ output: "json" });
  expect(order("status", "--stream-json", "--json")).toMatchObject({ output: "stream-json" });
  expect(order("status", "--plain")).toMatchObject({ plain: true });
  expect(order("status", "--home=h", "--json").given).toEqual(new Set(["home", "json"]));
});

test("defaults are filled in, and text becomes what the schema says", () => {
  expect(order("resume", "7", "--turns", "12").input).toEqual({ chain: "7", approve_policy: "ask", turns: 12 });
  expect(order("reject", "7").input).toEqual({ chain: "7", approve_policy: "ask", reason: "" });
  expect(order("answer", "7", "a=b c", "d=e").input).toMatchObject({ chain: "7", answers_given: ["a=b c", "d=e"] });
  expect(order("resume").input).toMatchObject({ chain: "newest" });
  expect(order("answer", "a=b c", "d=e").input).toMatchObject({ chain: "newest", answers_given: ["a=b c", "d=e"] });
  expect(order("waive", "speed", "nobody waits").input).toMatchObject({ chain: "newest", area: "speed" });
  expect(order("waive", "7", "speed", "nobody waits").input).toMatchObject({ area: "speed", reason: "nobody waits" });
});

test("spaces around a test command are no words of it", () => {
  expect(order("resume", "7", "--test-command", "  sh check.sh ").input["test_command"]).toBe("sh check.sh");
});

test("help is asked for in many ways", () => {
  const helped = (...argv: string[]) => {
    const read = readArguments(argv, operations);
    if ("session" in read) return "a session";
    return "help" in read ? (read.help?.name ?? "everything") : `runs ${read.operation.name}`;
  };
  expect(helped()).toBe("a session");
  for (const argv of [["help"], ["--help"], ["-h"]]) expect(helped(...argv)).toBe("everything");
  for (const name of operations.map(({ name }) => name.split(" "))) {
    expect(helped("help", ...name)).toBe(name.join(" "));
    expect(helped("--help", ...name)).toBe(name.join(" "));
    expect(helped(...name, "--help")).toBe(name.join(" "));
    expect(helped(...name, "-h")).toBe(name.join(" "));
  }
  expect(helped("--json", "--help", "status")).toBe("status");
  expect(helped("Add a function", "--help")).toBe("new");
});

test("a slash command is the command of that name, by another name or in plain words", () => {
  expect(order("/status all")).toMatchObject({ operation: { name: "status" }, input: { chain: "all" } });
  expect(order("--home=h", "/prompts", "--json")).toMatchObject({
    operation: { name: "prompts list" },
    output: "json",
  });
  expect(order("/prompts show code_reviewer").operation.name).toBe("prompts show");
  expect(order("/cost --days 3")).toMatchObject({ operation: { name: "cost-report" }, input: { days: 3 } });
  expect(order("/implement 7 --mode direct")).toMatchObject({
    operation: { name: "resume" },
    input: { chain: "7", mode: "direct" },
  });
  expect(order("/new Don't break the app's login --size=tiny").input).toMatchObject({
    task: "Don't break the app's login",
    size: "tiny",
  });
  expect(order('/answer 7 lifetime="15 minutes" A1=no').input["answers_given"]).toEqual([
    "lifetime=15 minutes",
    "A1=no",
  ]);
  expect(order("/etc/hosts should be parsed").input["task"]).toBe("/etc/hosts should be parsed");
  expect(refusal("/switch 7")).toMatchObject({
    ...usage,
    message: "/switch is a command of a session. Nothing was done.",
  });
  expect(refusal("/status 1 2")).toMatchObject({ ...usage, message: '"2" is more than status takes.' });
});

test.each([
  [["stauts"], 'There is no command "stauts".', "Did you mean status? "],
  [["/stauts all"], 'There is no command "stauts".', "Did you mean status? "],
  [["Add"], 'There is no command "Add".', ""],
  [["help", "stauts"], 'There is no command "stauts".', "Did you mean status? "],
])("%j names no command", (argv, message, near) => {
  expect(refusal(...argv)).toEqual({
    code: "unknown_command",
    message,
    hint: `${near}A task is one argument: claude-exec "Add JWT authentication". Commands: claude-exec --help`,
    exitCode: 64,
  });
});

test.each([[["prompts"]], [["prompts", "lst"]], [["help", "prompts"]]])("%j is half a command", (argv) => {
  expect(refusal(...argv)).toEqual({
    code: "unknown_command",
    message: '"prompts" alone is not a command.',
    hint: "It goes on with: list | search | show | new | edit | lint | render | run | stats | import | export | promote",
    exitCode: 64,
  });
});

test.each([
  [
    ["status", "--bogus"],
    "Unknown option '--bogus'.",
    "Usage: claude-exec status [chain] [flags]   More: claude-exec status --help",
  ],
  [
    ["status", "--model", "x"],
    "Unknown option '--model'.",
    "Usage: claude-exec status [chain] [flags]   More: claude-exec status --help",
  ],
  [["--bogus", "status"], "Unknown option '--bogus'.", "Help: claude-exec --help"],
  [
    ["prompts", "list", "--folder"],
    "Option '--folder <value>' argument missing.",
    "Usage: claude-exec prompts list [flags]   More: claude-exec prompts list --help",
  ],
  [["new"], "<task> is missing.", "Usage: claude-exec new <task> [flags]"],
  [["new", " "], "<task> is empty.", "Usage: claude-exec new <task> [flags]"],
  [
    ["new", "Add", "JWT", "now"],
    '"JWT", "now" is more than new takes.',
    "Usage: claude-exec new <task> [flags]   A sentence goes in quotes.",
  ],
  [["answer", "7"], "<answers_given> is missing.", "Usage: claude-exec answer [chain] <answers_given…> [flags]"],
  [["approve", "7"], "<hash> is missing.", "Usage: claude-exec approve [chain] <hash> [flags]"],
  [["resume", "x"], "<chain> is a chain's number, such as 001.", "Usage: claude-exec resume [chain] [flags]"],
  [["status", "x"], "<chain> is a chain's number or `all`.", "Usage: claude-exec status [chain] [flags]"],
  [["new", "x".repeat(100_001)], "<task> is longer than 100000 characters.", "Usage: claude-exec new <task> [flags]"],
  ...["1e308", "0x10", "12345678901", "0.0000000000001"].map((usd): [string[], string, string] => [
    ["resume", "7", `--budget-usd=${usd}`],
    "--budget-usd is neither an amount above 0 nor none.",
    "Usage: claude-exec resume [chain] [flags]",
  ]),
  [["resume", "7", "--test-command=   "], "--test-command is empty.", "Usage: claude-exec resume [chain] [flags]"],
  [["resume", "7", "--turns", "0"], "--turns is not above 0.", "Usage: claude-exec resume [chain] [flags]"],
  [["resume", "7", "--turns", "1.5"], "--turns is not a whole number.", "Usage: claude-exec resume [chain] [flags]"],
  ...["many", "", " 5", "0x10", "1e2", "-1", "9007199254740993"].map((turns): [string[], string, string] => [
    ["resume", "7", `--turns=${turns}`],
    "--turns is not a whole number.",
    "Usage: claude-exec resume [chain] [flags]",
  ]),
  [["demo", "--answers="], "--answers is empty.", "Usage: claude-exec demo [flags]"],
  [["demo", "--folder= "], "--folder is empty.", "Usage: claude-exec demo [flags]"],
  ...["home", "model", "replay", "record", "answers", "test-command"].map((flag): [string[], string, string] => [
    ["resume", "7", `--${flag}=`],
    `--${flag} is empty.`,
    "Usage: claude-exec resume [chain] [flags]",
  ]),
  [
    ["resume", "7", "--approve-policy", "yes"],
    "--approve-policy is neither ask nor auto.",
    "Usage: claude-exec resume [chain] [flags]",
  ],
  [["Do it now", "--size", "small"], "--size is neither normal nor tiny.", "Usage: claude-exec new <task> [flags]"],
])("%j is refused with its usage", (argv, message, hint) => {
  expect(refusal(...argv)).toEqual({ ...usage, message, hint });
});

test("every operation's flags are the fields of its schema that are not given by position", () => {
  for (const known of operations) {
    const fields = Object.keys(shapeOf(known));
    expect(known.positional.every((field) => fields.includes(field))).toBe(true);
    const expected = fields
      .filter((field) => !known.positional.includes(field))
      .map((field) => field.replaceAll("_", "-"));
    expect(flagsOf(known).map(({ flag }) => flag)).toEqual(expected);
    expect(flagsOf(known).filter(({ description }) => description === "")).toEqual([]);
    const words = known.positional.map((field) => ({ chain: "1", into: "claude" })[field] ?? "a=b");
    for (const { flag, takes } of flagsOf(known)) {
      const value = takes === "" ? [] : [takes === "…" ? "1" : takes.split("|")[0]!];
      const { given, input, options } = order(...known.name.split(" "), ...words, `--${flag}`, ...value);
      expect([...given]).toEqual([flag]);
      expect({ ...options, ...input }[flag.replaceAll("-", "_")]).toBeDefined();
    }
  }
});

test("no two operations share a name, and a flag means the same kind of thing everywhere", () => {
  expect(new Set(operations.map(({ name }) => name)).size).toBe(operations.length);
  const kinds = new Map<string, string>();
  for (const { flag, takes } of operations.flatMap(flagsOf))
    expect(takes).toBe(kinds.set(flag, kinds.get(flag) ?? takes).get(flag));
});

test("a new operation has a surface at once", () => {
  const input = z.object({
    first: z.string(),
    rest: z.array(z.string()).default([]),
    dry_run: z.boolean().optional().describe("Only say"),
    depth: z.enum(["low", "high"]).default("low").describe("How deep"),
  });
  const made = operation({
    name: "try out",
    summary: "",
    permission: "read",
    positional: ["first", "rest"],
    options: [],
    result: () => Promise.resolve(z.never()),
    input: () => input,
    run: () => Promise.reject(new Error("not run")),
  });
  expect(usageLine(made)).toBe("claude-exec try out <first> [rest…] [flags]");
  expect(flagsOf(made)).toEqual([
    { flag: "dry-run", takes: "", description: "Only say" },
    { flag: "depth", takes: "low|high", description: "How deep" },
  ]);
  const read = readArguments(["try", "out", "a", "--dry-run", "b", "c"], [made]);
  expect("input" in read && read.input).toEqual({ first: "a", rest: ["b", "c"], dry_run: true, depth: "low" });
});
