import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { gitBlameTool } from "../../src/tools/git.ts";
import { listFilesTool, readFileTool, searchFilesTool } from "../../src/tools/look.ts";
import type { Plan, Tool } from "../../src/tools/types.ts";
import { openWorkspace } from "../../src/workspace/workspace.ts";
import { cleanUp, folderWith } from "../support/folders.ts";

afterEach(() => {
  vi.unstubAllEnvs();
  cleanUp();
});

const { signal } = new AbortController();

function plan(tool: Tool, folder: string, input: unknown): Promise<Plan> {
  const workspace = openWorkspace(folder, { env: process.env, hide: ["home"] });
  return tool.plan(input, { workspace, findPrompts: () => Promise.resolve("") }, signal);
}

test("a listing names the files below a folder that fit a pattern", async () => {
  const folder = folderWith({ "src/a.ts": "", "src/b.js": "", "srcs/c.ts": "", "home/d.ts": "" });
  expect(await plan(listFilesTool, folder, {})).toEqual({
    type: "look",
    text: "3 files in the workspace.\nsrc/a.ts\nsrc/b.js\nsrcs/c.ts",
    seen: [{ kind: "list", ref: "." }],
  });
  expect(await plan(listFilesTool, folder, { path: "./src/", pattern: "*.ts" })).toEqual({
    type: "look",
    text: "1 file in src like *.ts.\nsrc/a.ts",
    seen: [{ kind: "list", ref: "src *.ts" }],
  });
  expect(await plan(listFilesTool, folder, { path: "../" })).toEqual({
    type: "refused",
    text: '"../" leads out of the workspace.',
  });
});

test("a search or a list where nothing is listed says that it did not look there, and why", async () => {
  const folder = folderWith({
    ".gitignore": "build\n*.log\n",
    "build/sub/a.ts": "needle",
    "src/a.ts": "needle",
    "src/a[1].log": "needle",
    "node_modules/x/a.ts": "needle",
    "inner/a.ts": "needle",
    "home/a.ts": "needle",
    ".env": "needle",
  });
  fs.mkdirSync(join(folder, "empty"));
  fs.symlinkSync("src", join(folder, "link"));
  for (const top of [folder, join(folder, "inner")]) spawnSync("git", ["init", "-q"], { cwd: top });
  const ignored = "git ignores it. read_file still shows a single file there.";
  const answers = {
    build: `"build" was not searched: ${ignored}`,
    "build/sub": `"build/sub" was not searched: ${ignored}`,
    "build/sub/a.ts": `"build/sub/a.ts" was not searched: ${ignored}`,
    "src/a[1].log": `"src/a[1].log" was not searched: ${ignored}`,
    none: 'There is no file or folder "none".',
    "none/at/all": 'There is no file or folder "none/at/all".',
    "node_modules/x":
      '"node_modules/x" was not searched: it lies in node_modules. read_file still shows a single file there.',
    inner: '"inner" was not searched: it is a git repository of its own.',
    link: '"link" was not searched: it is a symbolic link. Use "src" instead.',
    empty: '"empty" was not searched: there is no file that may be listed.',
    home: '"home" was not searched: there is no file that may be listed.',
  };
  const closed = { type: "refused", text: '".env" may hold secrets and is closed.' };
  expect(await plan(searchFilesTool, folder, { pattern: "needle", path: ".env" })).toEqual(closed);
  for (const [path, text] of Object.entries(answers)) {
    expect(await plan(searchFilesTool, folder, { pattern: "needle", path })).toEqual({ type: "refused", text });
    expect(await plan(listFilesTool, folder, { path })).toEqual({
      type: "refused",
      text: text.replace("was not searched", "was not listed"),
    });
  }
  expect(await plan(searchFilesTool, folder, { pattern: "needle", path: "src" })).toMatchObject({ type: "look" });
  expect(await plan(listFilesTool, folder, { path: "src", pattern: "*.css" })).toMatchObject({
    text: "0 files in src like *.css.",
  });
});

test("more than 250 files are counted by folder, two levels deep, and the way to their names is told", async () => {
  const many = (count: number, name: (at: number) => string) =>
    Array.from({ length: count }, (_, at) => [name(at), ""]);
  const files = [
    ...many(150, (at) => `src/deep/down/f${at}.ts`),
    ...many(100, (at) => `src/other/f${at}.${["ts", "md", "json", "css"][at % 4]}`),
    ["src/Makefile", ""],
  ];
  const folder = folderWith(Object.fromEntries(files));
  expect(await plan(listFilesTool, folder, {})).toEqual({
    type: "look",
    text: [
      "251 files in the workspace, too many to name and so counted by folder: narrow path or pattern to see names.",
      "src/ 251: 175 .ts, 25 .md, 25 .json, 26 others",
      "  deep/ 150: 150 .ts",
      "  other/ 100: 25 .ts, 25 .md, 25 .json, 25 others",
    ].join("\n"),
    seen: [{ kind: "list", ref: "." }],
  });
  const below = (await plan(listFilesTool, folder, { path: "src", pattern: "*.md" })) as { text: string };
  expect(below.text.split("\n")).toHaveLength(26);
});

test("a count by folder is itself short, and says what it leaves out", async () => {
  const wide = Array.from({ length: 50 * 11 }, (_, at) => [`a${at % 50}/b${Math.floor(at / 50)}/f`, ""]);
  const flat = Array.from({ length: 60 }, (_, at) => [`f${String(at).padStart(2, "0")}`, ""]);
  const look = await plan(listFilesTool, folderWith(Object.fromEntries([...wide, ...flat])), {});
  const lines = (look as { text: string }).text.split("\n");
  expect(lines.length).toBeLessThan(210);
  expect(lines.slice(40, 45)).toEqual([
    "f39",
    "(20 more files right here)",
    "a0/ 11: 11 without an ending",
    "  b0/ 1: 1 without an ending",
    "  b1/ 1: 1 without an ending",
  ]);
  expect(lines[45]).toBe("  (9 more folders: 9 files)");
  expect(lines.at(-1)).toBe("(10 more folders: 110 files)");
});

test("a file is shown with line numbers, and vouched for line by line", async () => {
  const folder = folderWith({ "a.txt": "\uFEFFone\r\ntwo\r\nthree\r\n", "empty.txt": "" });
  expect(await plan(readFileTool, folder, { path: "./a.txt" })).toEqual({
    type: "look",
    text: "a.txt, lines 1 to 3 of 3.\n1\tone\n2\ttwo\n3\tthree",
    seen: [{ kind: "file", ref: "a.txt:1-3" }],
  });
  expect(await plan(readFileTool, folder, { path: "a.txt", from: 2, to: 2 })).toEqual({
    type: "look",
    text: "a.txt, lines 2 to 2 of 3.\n2\ttwo",
    seen: [{ kind: "file", ref: "a.txt:2-2" }],
  });
  expect(await plan(readFileTool, folder, { path: "empty.txt" })).toEqual({
    type: "look",
    text: "empty.txt is empty.",
    seen: [{ kind: "file", ref: "empty.txt:0-0" }],
  });
});

test("a long file is cut at 400 lines or 40 KB, and says how to read on", async () => {
  const lines = Array.from({ length: 1000 }, (_, at) => `line ${at + 1}`).join("\n");
  const folder = folderWith({
    "long.txt": lines,
    "wide.txt": `${"é".repeat(900)}\n`.repeat(100),
    "one.txt": "x".repeat(9000),
  });
  const long = await plan(readFileTool, folder, { path: "long.txt", from: 101 });
  expect(long).toMatchObject({ seen: [{ kind: "file", ref: "long.txt:101-500" }] });
  expect((long as { text: string }).text.split("\n")[0]).toBe(
    "long.txt, lines 101 to 500 of 1000. Cut here; read on with from: 501.",
  );
  const wide = await plan(readFileTool, folder, { path: "wide.txt" });
  expect(wide).toMatchObject({ seen: [{ kind: "file", ref: "wide.txt:1-22" }] });
  const one = await plan(readFileTool, folder, { path: "one.txt" });
  expect((one as { text: string }).text).toBe(
    `one.txt, lines 1 to 1 of 1.\n1\t${"x".repeat(2000)} [line cut: 9000 characters]`,
  );
});

test("what cannot be read is refused in words, wrong input as well", async () => {
  const folder = folderWith({ "a.txt": "a", ".env": "KEY=1" });
  const texts = await Promise.all(
    [{ path: ".env" }, { path: "none" }, { path: "a.txt", from: 2 }, { path: "a.txt", from: 3, to: 2 }].map((input) =>
      plan(readFileTool, folder, input),
    ),
  );
  expect(texts).toEqual([
    { type: "refused", text: '".env" may hold secrets and is closed.' },
    { type: "refused", text: 'There is no file "none".' },
    { type: "refused", text: "a.txt has only 1 line." },
    { type: "refused", text: "from (3) lies behind to (2)." },
  ]);
  const wrong = await plan(readFileTool, folder, { file: "a.txt", from: "1" });
  expect(wrong.type).toBe("refused");
  expect(wrong).toMatchObject({
    text: expect.stringMatching(/^The input of read_file does not fit\. .*path/s),
  });
});

const git = spawnSync("sh", ["-c", "command -v git"]).stdout.toString().trim();
const hasRipgrep = spawnSync("rg", ["--version"]).status === 0;

/** With only git on the PATH there is no ripgrep to find. */
function withoutRipgrep(): void {
  const folder = folderWith({});
  fs.symlinkSync(git, join(folder, "git"));
  vi.stubEnv("PATH", folder);
}

describe.each(["ripgrep", "our own search"])("searching with %s", (searcher) => {
  const search = (folder: string, input: unknown, { skip }: { skip: (why: string) => void }) => {
    if (searcher === "ripgrep" && !hasRipgrep) skip("ripgrep is not on the PATH");
    if (searcher !== "ripgrep") withoutRipgrep();
    return plan(searchFilesTool, folder, input);
  };

  test("matches are shown by file with their lines and what is around them", async (context) => {
    const folder = folderWith({
      "src/a.ts": "one\ntwo needle\r\nthree\nfour\nfive\nneedle\n",
      "src/b.ts": "no\n",
      ".dot/c.ts": "\uFEFFneedle",
      "--pre=x": "needle",
    });
    expect(await search(folder, { pattern: "^needle$|needle$", context: 1 }, context)).toEqual({
      type: "look",
      text: [
        "4 matches in 4 files searched.",
        "",
        "--pre=x",
        "1:needle",
        "",
        ".dot/c.ts",
        "1:needle",
        "",
        "src/a.ts",
        "1-one",
        "2:two needle",
        "3-three",
        "--",
        "5-five",
        "6:needle",
      ].join("\n"),
      seen: [{ kind: "search", ref: "^needle$|needle$" }],
    });
    const narrow = { pattern: "(?i)NEEDLE", path: "src", glob: "*.ts" };
    expect(await search(folder, narrow, context)).toMatchObject({
      text: "2 matches in 2 files searched.\n\nsrc/a.ts\n2:two needle\n6:needle",
    });
    expect(await search(folder, { pattern: "-e|two(?= need)" }, context)).toMatchObject({
      text: "1 match in 4 files searched.\n\nsrc/a.ts\n2:two needle",
    });
  });

  test("closed, hidden, binary and ignored files are not searched, nor what a link leads to", async (context) => {
    const folder = folderWith({
      ".env": "needle",
      "home/x": "needle",
      bin: "needle\0",
      "ignored/x": "needle",
      ".gitignore": "ignored\n",
      broken: Buffer.from([0xff, ...Buffer.from("needle")]),
      kept: "needle",
    });
    fs.symlinkSync("/etc/passwd", join(folder, "passwd"));
    spawnSync("git", ["init", "-q"], { cwd: folder });
    const found = await search(folder, { pattern: "needle|root" }, context);
    expect(found).toMatchObject({
      text: expect.stringMatching(/^1 match in \d files searched\.\n\nkept\n1:needle$/),
    });
  });

  test("results are cut at 100 matches and at 20 KB, and say so", async (context) => {
    const folder = folderWith({
      "a/many": "needle\n".repeat(101),
      "b/wide": `needle ${"é".repeat(290)}\n`.repeat(50),
    });
    const many = (await search(folder, { pattern: "needle", path: "a" }, context)) as { text: string };
    expect(many.text.split("\n")).toEqual([
      "100 matches in 1 file searched. Cut here, there is more: narrow pattern, path or glob.",
      "",
      "a/many",
      ...Array.from({ length: 100 }, (_, at) => `${at + 1}:needle`),
    ]);
    const wide = (await search(folder, { pattern: "needle", path: "b/wide" }, context)) as { text: string };
    expect(wide.text.split("\n")[0]).toBe(
      "50 matches in 1 file searched. Cut here, there is more: narrow pattern, path or glob.",
    );
    expect(Buffer.byteLength(wide.text)).toBeLessThan(20_200);
  });

  test("what is no regular expression is refused", async (context) => {
    expect(await search(folderWith({}), { pattern: "a(" }, context)).toEqual({
      type: "refused",
      text: "The pattern is not a regular expression: Invalid regular expression: /a(/: Unterminated group.",
    });
  });
});

test("a pattern that would backtrack for ever is stopped, and what was found until then is shown", async () => {
  withoutRipgrep();
  const folder = folderWith({ "a.txt": "aa\n", "b.txt": `${"a".repeat(60)}!\n` });
  expect(await plan(searchFilesTool, folder, { pattern: "^(\\w+\\s?)*$" })).toMatchObject({
    text: "1 match in 2 files searched. Stopped early, the pattern takes too long: make it simpler.\n\na.txt\n1:aa",
  });
});

test.skipIf(!git)(
  "reading, searching and blaming count the lines of a file alike, however it ends (needs git)",
  async () => {
    for (const end of ["", "\n", "\r\n", "\n\n"]) {
      const folder = folderWith({ "a.txt": `\uFEFFone\r\ntwo\nlast${end}` });
      const as = ["-c", "user.name=a", "-c", "user.email=a@b.c"];
      const commands = [
        ["init", "-q"],
        ["add", "a.txt"],
        [...as, "commit", "-qm", "first"],
      ];
      for (const argv of commands) spawnSync("git", argv, { cwd: folder });
      const lines = end === "\n\n" ? 4 : 3;
      expect(await plan(readFileTool, folder, { path: "a.txt" })).toMatchObject({
        seen: [{ ref: `a.txt:1-${lines}` }],
      });
      const every = await plan(searchFilesTool, folder, { pattern: "^" });
      expect(every).toMatchObject({ text: expect.stringContaining(`${lines} matches in 1 file searched.`) });
      const blame = await plan(gitBlameTool, folder, { path: "a.txt" });
      expect(blame).toMatchObject({ text: expect.stringContaining(`lines 1 to ${lines}, by commit.`) });
    }
  },
);
