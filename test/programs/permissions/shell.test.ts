import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { parseShell, withStarted } from "../../../src/programs/permissions/shell.ts";
import type { ShellCommand } from "../../../src/programs/permissions/shell.ts";
import { cleanUp, folderWith } from "../../support/folders.ts";

afterEach(cleanUp);

function commandsOf(line: string): readonly ShellCommand[] {
  const shell = parseShell(line);
  if (shell.type === "opaque") throw new Error(`${JSON.stringify(line)} is opaque: ${shell.why}`);
  return shell.commands;
}

/** Every command with all it starts, as words. */
function argvs(line: string): readonly (readonly string[])[] {
  return commandsOf(line)
    .flatMap(withStarted)
    .map(({ argv }) => argv);
}

/** The commands of a line that do not say what they do. */
function opaqueCommands(line: string): readonly ShellCommand[] {
  return commandsOf(line)
    .flatMap(withStarted)
    .filter(({ isOpaque }) => isOpaque);
}

function whyOpaque(line: string): string {
  const shell = parseShell(line);
  return shell.type === "opaque" ? shell.why : `known: ${JSON.stringify(shell.commands.map(({ argv }) => argv))}`;
}

test("a command is its words, its assignments and the files of its redirections", () => {
  expect(parseShell(`A=1 B="x y" git log -n 1 'a b' c\\ d < in >> out 2>/dev/null 2>&1`)).toEqual({
    type: "commands",
    commands: [
      {
        argv: ["git", "log", "-n", "1", "a b", "c d"],
        globs: [],
        assignments: [
          ["A", "1"],
          ["B", "x y"],
        ],
        writes: ["out", "/dev/null"],
        reads: ["in"],
        isOpaque: false,
        starts: [],
      },
    ],
  });
});

test.each([
  ["a; b & c && d || e | f |& g\nh", [["a"], ["b"], ["c"], ["d"], ["e"], ["f"], ["g"], ["h"]]],
  ["(a; (b)) && { c; } | d", [["a"], ["b"], ["c"], ["d"]]],
  ["! a && ! b", [["a"], ["b"]]],
  ["a && # and then\n\n b # the end", [["a"], ["b"]]],
  ["a\\\nb c\\\n d", [["ab", "c", "d"]]],
  ["a b#c '#d' \\#e", [["a", "b#c", "#d", "#e"]]],
  ["a {} } ! \\; [ ']' \"$\" $", [["a", "{}", "}", "!", ";", "[", "]", "$", "$"]]],
  [`a "b\\"c\\$d\\e" '' ""`, [["a", 'b"c$d\\e', "", ""]]],
  ["\\if a", [["if", "a"]]],
  ["'A=1' b", [["A=1", "b"]]],
  ["a HEAD~1 x~ y", [["a", "HEAD~1", "x~", "y"]]],
  ["a é 日本", [["a", "é", "日本"]]],
  ["", []],
  [" \n # nothing\n", []],
])("%j is read as a shell reads it", (line, expected) => {
  expect(argvs(line)).toEqual(expected);
});

test.each([
  ["a $b", "it holds a variable"],
  ['a "$b"', "it holds a variable"],
  ["a ${b}", "it holds a variable"],
  ["a $IFS", "it holds a variable"],
  ["$(a)", "it holds a command substitution"],
  ['"$(a)"', "it holds a command substitution"],
  ["a `b`", "it holds a command substitution"],
  ['a "`b`"', "it holds a command substitution"],
  ["a $'\\x72'", "it holds a $' quote"],
  ['a $"b"', 'it holds a $" quote'],
  ["/bin/r?", "a pattern of file names stands for the program"],
  ["sh -c *", "a pattern of file names stands among the words of a shell"],
  ["a {b,c}", "braces may stand for several words"],
  ["{a,b}", "braces may stand for several words"],
  ["a ~/b", "~ stands for a folder that only the shell knows"],
  ["a b=~c:d", "~ stands for a folder that only the shell knows"],
  ["A=~ b", "~ stands for a folder that only the shell knows"],
  ["=a", "a word begins with = and may stand for a program"],
  ["a << b\nc\nb", "a here-document feeds it"],
  ["a <<- b\nc\nb", "a here-document feeds it"],
  ["a <<< b", "a here-string feeds it"],
  ["a <(b)", "it holds a process substitution"],
  ["a >(b)", "it holds a process substitution"],
  ["a() { b; }", "a word runs into a bracket: a function, a list or a pattern"],
  ["a () { b; }", "a word runs into a bracket: a function, a list or a pattern"],
  ["a=(b)", "a word runs into a bracket: a function, a list or a pattern"],
  ["a @(b)", "a word runs into a bracket: a function, a list or a pattern"],
  ["function a { b; }", "it holds the keyword function"],
  ["if a; then b; fi", "it holds the keyword if"],
  ["for a in b; do c; done", "it holds the keyword for"],
  ["while a; do b; done", "it holds the keyword while"],
  ["case a in b) c;; esac", "it holds a case"],
  ["[[ a ]]", "it holds the keyword [["],
  ["((a))", "it holds arithmetic"],
  ["a !b", "it may refer to the history of the shell (!)"],
  ["!!", "it may refer to the history of the shell (!)"],
  ["a 'b", "a quote is not closed"],
  ['a "b', "a quote is not closed"],
  ["a \\", "it ends in a backslash"],
  ["a\0b", "it holds a NUL character"],
  ["a\rb", "it holds a carriage return"],
  ["a\u001bb", "it holds a control character"],
  ["a\u00a0b", "it holds a blank or an invisible character that is no plain space"],
  ["a\u2028b", "it holds a blank or an invisible character that is no plain space"],
  ["a\u200bb", "it holds a blank or an invisible character that is no plain space"],
  ["a \u202eb", "it holds a blank or an invisible character that is no plain space"],
  ["a\u3000b", "it holds a blank or an invisible character that is no plain space"],
  ["a \ud800", "it is no valid text"],
  ["a >", "a redirection names no file"],
  ["a > *", "a redirection names a pattern of files"],
  ["a >& b", "shells do not agree on what its redirection names"],
  ["a 12> b", "shells do not agree on a number before a redirection"],
  ["a &> b c", "shells do not agree on what stands behind its redirection"],
  ["'' a", "the name of the program is empty"],
  ["eval a", "eval changes the shell that runs what follows"],
  [". ./a", ". changes the shell that runs what follows"],
  ["command source a", "source changes the shell that runs what follows"],
  ["alias a=b", "alias changes the shell that runs what follows"],
  ["trap a EXIT", "trap changes the shell that runs what follows"],
  ["bash -c 'a $b'", "it holds a variable"],
  ["export a=b", "export changes the shell that runs what follows"],
  [`a ${"b".repeat(20_000)}`, "it is longer than 20,000 characters"],
])("%j is opaque, with its reason", (line, why) => {
  expect(whyOpaque(line)).toBe(why);
});

test.each(["a &&", "a; ; b", "| a", "(a", "a)", "(a) b", "} a", "{ a", "a\n&& b", "(a) >x b", "! {", "{ ( } a )"])(
  "of %j, which is no complete line, every command is read that a shell could still run",
  (line) => {
    const words = line.match(/[ab]/g) ?? [];
    expect(argvs(line).filter((argv) => argv.length > 0)).toEqual(words.map((word) => [word]));
  },
);

test("no command is dropped, however many there are", () => {
  const line = Array.from({ length: 2000 }, (_, at) => `c${at}`).join("; ");
  expect(argvs(line)).toEqual(Array.from({ length: 2000 }, (_, at) => [`c${at}`]));
  expect(argvs(`${"nohup ".repeat(2000)}c`).at(-1)).toEqual(["c"]);
});

test.each([
  "env -i rm x",
  "env -- A=1 rm x",
  "nohup rm x",
  "nice -n 5 rm x",
  "nice -5 rm x",
  "time -p rm x",
  "timeout -k 5 --signal=KILL 10s rm x",
  "stdbuf -oL -e 0 rm x",
  "command -p rm x",
  "builtin rm x",
  "exec -a ls rm x",
  "sh -c 'rm x'",
  "bash -exc 'a; rm x'",
  "nohup env -u A timeout 5 nice sh -c 'a && rm x'",
])("%s is read through: what it starts is known", (line) => {
  expect(argvs(line)).toContainEqual(["rm", "x"]);
  expect(opaqueCommands(line)).toEqual([]);
});

test("git is read through the options that change nothing", () => {
  expect(argvs("git --no-pager -P log")).toContainEqual(["git", "log"]);
});

test("looking a program up starts nothing", () => {
  expect(argvs("command -v rm")).toEqual([["command", "-v", "rm"]]);
  expect(opaqueCommands("command -v rm")).toEqual([]);
});

test.each([
  "python3 -c 'x'",
  "python3 -Ic 'x'",
  "python3",
  "python3 -",
  "python3 /dev/stdin",
  "node -e 'x'",
  "node --eval=x",
  "node -r ./a.js b.js",
  "node",
  "deno eval x",
  "perl -e 'x'",
  "ruby -rx y",
  "php -r 'x'",
  "bash",
  "sh -s x",
  "bash --rcfile x",
  "awk 'BEGIN { system(\"x\") }'",
  "awk '{ print > \"x\" }'",
  "awk -f x",
  "sed 's/a/b/e'",
  "sed 's/a/b/w x'",
  "sed '1e x'",
  "sed -i s/a/b/ x",
  "sed -f x",
  "vim -c x",
  "ssh host x",
  "rsync -e x a b",
  "tar xf a --checkpoint-action=exec=x",
  "tar xf a --checkpoint-a=exec=x",
  "tar -I x -cf a b",
  "tar xIf x a",
  "git -c core.pager=x log",
  "git --exec-path=x log",
  "git -C x status",
  "git log --output=x",
  "git log --outp=x",
  "git grep -Ox y",
  "git ls-remote --upload-pack=x y",
  "git lg",
  "npm test --script-shell=x",
  "npm test --script-s=x",
  "npm test -script-shell x",
  "npm --prefix x test",
  "make SHELL=x test",
  "make -f x",
  "go test -exec x",
  "sort --compress-program=x a",
  "rg --pre x y",
  "find . -fprintf x y",
  "printf -v 'a[$(x)]' y",
  "test -v 'a[$(x)]'",
  "man -P x y",
  "timeout --unheard-of 10 rm x",
  "/usr/bin/timeout 10 rm x",
  "env r* x",
  "time ! rm x",
  "time A=1 rm x",
  "xargs rm x",
  "xargs -- rm x",
  "find . -exec rm x +",
  "find -- . -exec rm x +",
  "find . -delete",
  "fd -x rm x",
  "busybox rm x",
  "watch rm x",
  "setsid rm x",
  "make -- A=1",
  "bash --norc -c 'rm x'",
  "/bin/sh -c 'rm x'",
])("%s is opaque: it starts other programs, or it is given code", (line) => {
  expect(opaqueCommands(line)).toHaveLength(1);
});

test.each([
  "python3 -m pytest -q",
  "python3 x.py -c y",
  "node x.js -e y",
  "node --test",
  "bash x.sh",
  "perl x.pl",
  "awk -F: '{ print $1 }' x",
  "sed -n 1,20p x",
  "sed 's/a/b/g' x",
  "tar tf x",
  "git log --oneline -5",
  "git diff -- --output=x",
  "npm test",
  "npm run build -- -c x",
  "go test -v ./...",
  "make test",
  "[ -f x ]",
  "find . -name '*.ts'",
  "xargs -n 1",
  "fd x",
  "env",
])("%s is known by its words", (line) => {
  expect(opaqueCommands(line)).toEqual([]);
});

const word = fc
  .string({ unit: "binary", maxLength: 8 })
  .filter((text) => parseShell(`a '${text.replaceAll("'", "")}'`).type !== "opaque");

const quoters: ((word: string) => string)[] = [
  (word) => `'${word.replaceAll("'", `'\\''`)}'`,
  (word) => `"${word.replace(/[$`"\\]/g, "\\$&").replaceAll("!", `"'!'"`)}"`,
  (word) =>
    word
      .replace(/\n/g, "'\n'")
      .replace(/[^\w\n']/gu, "\\$&")
      .replaceAll("'\n'", "\0")
      .replaceAll("'", "\\'")
      .replaceAll("\0", "'\n'") || "''",
];

test("words that were quoted correctly come back as they were", () => {
  const quoted = fc.tuple(word, fc.constantFrom(...quoters));
  fc.assert(
    fc.property(fc.array(quoted, { maxLength: 6 }), (words) => {
      const line = ["printf", ...words.map(([word, quote]) => quote(word))].join(" ");
      expect(argvs(line)).toEqual([["printf", ...words.map(([word]) => word)]]);
    }),
    { numRuns: 1000 },
  );
});

test("a shell agrees on the words", () => {
  const sample = fc.sample(fc.tuple(word, fc.constantFrom(...quoters)), 300).filter(([word]) => !word.includes("\0"));
  const line = `printf '%s\\0' ${sample.map(([word, quote]) => quote(word)).join(" ")}`;
  const [argv = []] = argvs(line);
  for (const shell of ["bash", "sh"]) {
    const printed = execFileSync(shell, ["-c", line], { encoding: "utf8" });
    expect(
      argv
        .slice(2)
        .map((word) => `${word}\0`)
        .join(""),
    ).toBe(printed);
  }
});

const pieces = [
  ..."ab \n;&|(){}'\"\\#!=~$*?[]<>-1\t%^é".split(""),
  ..."a ,b ,; b ,| b ,&& b ,\nb ,&&,||,|&,{ ,! ,x=1 ,>x ,<x ,2>x ,&>x ,>&1,>&-,12>,$$,\\\n".split(","),
  ..."time ,env ,nohup ,exec ,sh -c ',bash -c \",'b',\"a b\"".split(","),
];

test("whatever a shell runs of a line, and whatever file it writes, had been read from it", () => {
  const folder = folderWith({});
  const bin = join(folder, "bin");
  fs.mkdirSync(bin);
  const script = `#!/bin/sh\nprintf '%s\\0' "\${0##*/}" "$@" > "$RECORD/$$"\n`;
  for (const name of ["a", "b", "x"]) fs.writeFileSync(join(bin, name), script, { mode: 0o755 });
  let count = 0;
  const ranIn = (shell: string, line: string) => {
    const [cwd, record] = [join(folder, `cwd-${(count += 1)}`), join(folder, `record-${count}`)];
    for (const made of [cwd, record]) fs.mkdirSync(made);
    fs.writeFileSync(join(cwd, "x"), "");
    const env = { PATH: `${bin}:/usr/bin:/bin`, RECORD: record, HOME: cwd };
    // The fourth stays open until all have ended, those in the background too.
    spawnSync(shell, ["-c", line], { cwd, env, input: "", stdio: ["pipe", "pipe", "pipe", "pipe"], timeout: 20_000 });
    const ran = fs
      .readdirSync(record)
      .map((file) => fs.readFileSync(join(record, file), "utf8").split("\0").slice(0, -1));
    return { ran, wrote: fs.readdirSync(cwd).filter((file) => file !== "x" && file !== "nohup.out") };
  };
  const lines = fc
    .array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 9 })
    .map((parts) => `a ${parts.join("")}`);
  fc.assert(
    fc.property(
      lines.filter((line) => parseShell(line).type === "commands" && opaqueCommands(line).length === 0),
      (line) => {
        const known = commandsOf(line).flatMap(withStarted);
        for (const shell of ["bash", "sh"]) {
          const { ran, wrote } = ranIn(shell, line);
          const unknown = ran.filter((words) => !known.some((command) => isOf(command, words)));
          expect({ shell, unknown }).toEqual({ shell, unknown: [] });
          expect(known.flatMap(({ writes }) => writes)).toEqual(expect.arrayContaining(wrote));
        }
      },
    ),
    { numRuns: 40 },
  );
});

/** A pattern of file names may have become any words. */
function isOf({ argv, globs }: ShellCommand, words: readonly string[]): boolean {
  const sure = globs[0] ?? argv.length;
  return argv.slice(0, sure).every((word, at) => word === words[at]) && (globs.length > 0 || words.length === sure);
}
