import fs from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { sha256 } from "../../src/util/hash.ts";
import { deleteFileTool, editFileTool, writeFileTool } from "../../src/tools/change.ts";
import type { Plan, Tool } from "../../src/tools/types.ts";
import { openWorkspace } from "../../src/workspace/workspace.ts";
import { cleanUp, folderWith } from "../support/folders.ts";

afterEach(cleanUp);

function plan(tool: Tool, folder: string, input: unknown): Promise<Plan> {
  const reach = {
    workspace: openWorkspace(folder, { env: process.env, hide: [] }),
    findPrompts: () => Promise.resolve(""),
  };
  return tool.plan(input, reach, new AbortController().signal);
}

async function edited(text: string, input: object): Promise<string> {
  const made = await plan(editFileTool, folderWith({ "a.txt": text }), { path: "a.txt", ...input });
  return made.type === "change" ? (made.change.after?.text ?? "deleted") : (made as { text: string }).text;
}

async function written(text: string, content: string): Promise<string> {
  const made = await plan(writeFileTool, folderWith({ "a.txt": text }), { path: "a.txt", content });
  return made.type === "change" ? (made.change.after?.text ?? "deleted") : (made as { text: string }).text;
}

test("a change is only planned: it tells what is there and what will be, and writes nothing", async () => {
  const folder = folderWith({ "src/a.ts": "let a = 1;\n" });
  fs.chmodSync(join(folder, "src/a.ts"), 0o640);
  const before = { sha256: sha256("let a = 1;\n"), text: "let a = 1;\n", mode: 0o640 };
  expect(await plan(editFileTool, folder, { path: "./src/a.ts", old: "1", new: "$& and $1" })).toEqual({
    type: "change",
    change: {
      path: "src/a.ts",
      before,
      after: { sha256: sha256("let a = $& and $1;\n"), text: "let a = $& and $1;\n" },
    },
  });
  expect(await plan(writeFileTool, folder, { path: "new/b.ts", content: "b" })).toEqual({
    type: "change",
    change: { path: "new/b.ts", before: undefined, after: { sha256: sha256("b"), text: "b" } },
  });
  expect(fs.readFileSync(join(folder, "src/a.ts"), "utf8")).toBe("let a = 1;\n");
  expect(fs.readdirSync(folder)).toEqual(["src"]);
});

test("an edit hits once, or everywhere when it says so", async () => {
  expect(await edited("a b a", { old: "b", new: "" })).toBe("a  a");
  expect(await edited("a b a", { old: "a", new: "aa", all: true })).toBe("aa b aa");
  expect(await edited("a\nb\na\n", { old: "a", new: "c" })).toBe(
    "old occurs 2 times in a.txt (lines 1, 3). Give more of the lines around it, or set all.",
  );
  expect(await edited("a\n".repeat(12), { old: "a", new: "c" })).toContain("(lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …)");
});

test("an edit that misses names the nearest line", async () => {
  const text = "function one() {\n  return twoThings;\n}\n";
  expect(await edited(text, { old: "\treturn twoThings;", new: "" })).toBe(
    'old does not occur in a.txt. The nearest is line 2: "  return twoThings;"',
  );
  expect(await edited(text, { old: "return twoThingz", new: "" })).toBe(
    'old does not occur in a.txt. The nearest is line 2: "  return twoThings;"',
  );
  expect(await edited(text, { old: "zzz", new: "" })).toBe("old does not occur in a.txt.");
});

test("line ends and a byte order mark stay as they are", async () => {
  expect(await edited("one\r\ntwo\r\nthree\r\n", { old: "one\ntwo", new: "1\n2" })).toBe("1\r\n2\r\nthree\r\n");
  expect(await edited("one\r\ntwo\r\n", { old: "one", new: "1\n1" })).toBe("1\r\n1\r\ntwo\r\n");
  expect(await edited("one\r\ntwo\r\n", { old: "one\r\ntwo", new: "1\r\n2" })).toBe("1\r\n2\r\n");
  expect(await edited("one\ntwo\n", { old: "one\ntwo", new: "1\n2" })).toBe("1\n2\n");
  expect(await edited("\uFEFFone\n", { old: "one\n", new: "1\n" })).toBe("\uFEFF1\n");
  expect(await written("\uFEFFone\r\n", "1\n2\n")).toBe("\uFEFF1\r\n2\r\n");
  expect(await written("one\n", "1\r\n")).toBe("1\r\n");
});

test("a change that cannot be is refused in words", async () => {
  const folder = folderWith({ "a.txt": "a", bin: "\0", ".git/config": "x", ".env": "x" });
  const refusals: [Tool, object, string][] = [
    [writeFileTool, { path: "a.txt", content: "a" }, "a.txt already holds exactly this text."],
    [writeFileTool, { path: "b", content: "a\0" }, "The new text for b holds a NUL character."],
    [writeFileTool, { path: "b", content: "x".repeat(2_000_001) }, "The new text for b is larger than 2 MB."],
    [writeFileTool, { path: "../b", content: "" }, '"../b" leads out of the workspace.'],
    [writeFileTool, { path: ".git/hooks/x", content: "" }, '".git/hooks/x" belongs to git and is closed to writing.'],
    [writeFileTool, { path: ".env", content: "" }, '".env" may hold secrets and is closed to writing.'],
    [editFileTool, { path: "bin", old: "a", new: "b" }, '"bin" is binary, not text.'],
    [editFileTool, { path: "none", old: "a", new: "b" }, 'There is no file "none".'],
    [
      editFileTool,
      { path: ".git/config", old: "x", new: "y" },
      '".git/config" belongs to git and is closed to writing.',
    ],
    [editFileTool, { path: "a.txt", old: "a", new: "a" }, "a.txt already holds exactly this text."],
  ];
  for (const [tool, input, text] of refusals)
    expect(await plan(tool, folder, input)).toEqual({ type: "refused", text });
  expect((await plan(editFileTool, folder, { path: "a.txt", old: "", new: "b" })).type).toBe("refused");
});

test("a deletion is planned with what is there, and what cannot be deleted is refused in words", async () => {
  const folder = folderWith({ "src/a.ts": "a", bin: "\0", ".env": "x", ".git/config": "x" });
  fs.chmodSync(join(folder, "src/a.ts"), 0o640);
  fs.symlinkSync("src/a.ts", join(folder, "link"));
  fs.symlinkSync("src", join(folder, "sources"));
  const change = { path: "src/a.ts", before: { sha256: sha256("a"), text: "a", mode: 0o640 }, after: undefined };
  expect(await plan(deleteFileTool, folder, { path: "./src//a.ts" })).toEqual({ type: "change", change });
  expect(await plan(deleteFileTool, folder, { path: "sources/a.ts" })).toEqual({ type: "change", change });
  const refusals: [string, string][] = [
    ["src", '"src" is a folder, not a file.'],
    ["none", 'There is no file "none".'],
    ["link", '"link" is a symbolic link: name the file it leads to.'],
    ["bin", '"bin" is binary, not text.'],
    [".env", '".env" may hold secrets and is closed to writing.'],
    [".git/config", '".git/config" belongs to git and is closed to writing.'],
    ["../a", '"../a" leads out of the workspace.'],
  ];
  for (const [path, text] of refusals)
    expect(await plan(deleteFileTool, folder, { path })).toEqual({ type: "refused", text });
  expect(fs.existsSync(join(folder, "src/a.ts"))).toBe(true);
});

test("a change that is named through a link is planned for the file itself", async () => {
  const folder = folderWith({ "real/a.txt": "a" });
  fs.symlinkSync("real", join(folder, "linked"));
  fs.symlinkSync("real/a.txt", join(folder, "link.txt"));
  const planned = await Promise.all([
    plan(editFileTool, folder, { path: "link.txt", old: "a", new: "b" }),
    plan(writeFileTool, folder, { path: "linked/a.txt", content: "b" }),
    plan(writeFileTool, folder, { path: "linked/new/b.txt", content: "b" }),
  ]);
  expect(planned.map((one) => one.type === "change" && one.change.path)).toEqual([
    "real/a.txt",
    "real/a.txt",
    "real/new/b.txt",
  ]);
});

test("a secret that was taken out on reading is not overwritten by its mark", async () => {
  const value = "k3Jx9Qa7Lm2Zt8Vw4Rb6";
  const text = `api_key=${value}\nport=1\n`;
  expect(await written(text, "api_key=[redacted secret]\nport=2\n")).toBe(
    'The new text would put "[redacted …]" in place of secrets in a.txt: edit_file leaves them as they are.',
  );
  expect(await edited(text, { old: "port=1", new: "port=2" })).toBe(`api_key=${value}\nport=2\n`);
  expect(await written("harmless\n", "[redacted secret]\n")).toBe("[redacted secret]\n");
});
