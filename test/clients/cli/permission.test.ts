import { spawn, spawnSync } from "node:child_process";
import { chmodSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { beforeAll, beforeEach, expect, test } from "vitest";
import type { Request } from "../../../src/clients/cli/diff_view.ts";
import { textBefore } from "../../../src/clients/cli/permission.ts";
import { unifiedDiff } from "../../../src/util/diff.ts";
import { followed, placeWith, program, userEnv } from "../../support/cli.ts";
import { quickApp, tiny, tinyWay } from "../../support/ways.ts";
import { temporaryFolder } from "../../support/temporary.ts";

const texts = fc.string({
  unit: fc.oneof(
    fc.constantFrom("a", "b", "\n", "\n", "\r\n", "\t", "--- ", "+++ ", "@@ ", "\\ "),
    fc.string({ maxLength: 1 }),
  ),
});

test("what lies there now is known from the proposed text and its diff, whatever both hold", () => {
  const known = (before: string | null, after: string) => {
    const { request, diff } = change({ before, proposed: after });
    return textBefore(request, diff, after);
  };
  fc.assert(
    fc.property(texts, texts, (one, other) => {
      fc.pre(one !== other);
      expect(known(one, other)).toBe(one);
    }),
  );
  const many = (word: string) => Array.from({ length: 5_000 }, (_, index) => `${word} ${index}\n`).join("");
  expect(known(many("old"), many("new"))).toBe(many("old"));
  expect(known(null, "new\n")).toBe(null);
});

const python = spawnSync("python3", ["-c", "import pty"]).status === 0;
beforeEach(({ skip }) => skip(!python, "Without python3 there is no terminal to type into."));
const driver = join(import.meta.dirname, "..", "..", "support", "terminal.py");
const root = join(import.meta.dirname, "..", "..", "..");

let beside: string;
beforeAll(() => {
  beside = temporaryFolder("claude-exec-ask-");
});

/** Asks as the program does, and prints what was said; a text to write is read from its file, which then is removed. */
const script = `
if (process.env.BUSY) {
  const busy = setInterval(() => {}, 1000);
  await new Promise((done) => { process.once("SIGUSR2", done); console.log("BUSY"); });
  clearInterval(busy);
}
import { existsSync, readFileSync, statSync } from "node:fs";
import { askPermission } from "${root}/src/clients/cli/permission.ts";
import { clackAsker } from "${root}/src/clients/cli/clack.ts";
import { openScreen } from "${root}/src/clients/cli/terminal.ts";
const stop = new AbortController();
process.on("SIGINT", () => stop.abort());
const screen = openScreen(process.stderr, { plain: false, quiet: false });
const ending = { since: null, ...JSON.parse(readFileSync(process.argv[1], "utf8")) };
const next = await askPermission(ending, { screen, asker: clackAsker(stop.signal), env: process.env });
const { operation: name, after, input = {} } = next ?? {};
const { edited, ...more } = input;
const rest = next ? { name, ...more } : { left: true };
const text = edited && { name: edited.split("/").at(-1), mode: (statSync(edited).mode & 0o777).toString(8), text: readFileSync(edited, "utf8") };
after?.();
if (edited && existsSync(edited)) console.log("LEFT " + edited);
console.log("SAID " + JSON.stringify({ ...rest, ...(text ? { edited: text } : {}) }));
`;

type Typed = readonly [expected: string, typed: string];

async function ask(ending: object, steps: readonly Typed[], env: Record<string, string> = {}) {
  const folder = temporaryFolder("one-", beside);
  const file = join(folder, "ending.json");
  writeFileSync(file, JSON.stringify(ending));
  const temporary = temporaryFolder("tmp-", folder);
  const argv = ["--input-type=module", "-e", script, file];
  const output = await type(argv, folder, { ...userEnv(folder), TMPDIR: temporary, ...env }, steps);
  const said = /^SAID (.*)$/m.exec(output)?.[1];
  expect(readdirSync(temporary), "what was made to be edited").toEqual([]);
  return { output, next: said === undefined ? output : (JSON.parse(said) as unknown) };
}

async function type(argv: readonly string[], cwd: string, env: Record<string, string>, steps: readonly Typed[]) {
  const order = {
    argv: [process.execPath, ...argv],
    cwd,
    env: { ...env, TERM: "xterm-256color" },
    steps,
    seconds: 30,
  };
  const child = spawn("python3", [driver, JSON.stringify(order)], { stdio: ["ignore", "pipe", "pipe"] });
  const { stdout, stderr } = await followed(child).ended;
  expect(stderr).toBe("");
  const { output, missed } = JSON.parse(stdout) as { output: string; missed: string[] };
  expect({ missed, output: missed.length > 0 ? output : "" }).toEqual({ missed: [], output: "" });
  return output;
}

const enter = "\r";
const ctrlC = "\x03";
const write = "◆  Write src/sum.js? (+1) [Y/n/edit/ask/all], or say what should be different";
const again = "◆  Write your text to src/sum.js? (+";
const why = "◆  Why not?";
const what = "◆  What would you like to know?";

const before = "export const sum = (a, b) => a + b;\n";
const proposed = `${before}export const product = (a, b) => a * b;\n`;

function change(texts: { before: string | null; proposed: string | null }, said = "") {
  const hash = (text: string | null) => (text === null ? null : "h");
  const request: Extract<Request, { kind: "change" }> = {
    kind: "change",
    id: "abc123",
    key: "implementation/1/controller/c",
    said,
    path: "src/sum.js",
    role: "code",
    before: hash(texts.before),
    after: hash(texts.proposed),
  };
  const diff = unifiedDiff(texts.before, texts.proposed, request.path);
  return { type: "needs_permission", request, diff, proposed: texts.proposed };
}

const plain = change({ before, proposed });

function command(line: string, reason = "") {
  const request: Request = {
    kind: "command",
    id: "abc123",
    key: "k",
    said: "I build it.",
    line,
    why: reason,
    sandboxed: false,
  };
  return { type: "needs_permission", request, diff: null, proposed: null };
}

/** An editor that writes this over whatever it was given. */
function editorWith(text: string, exit = 0): Record<string, string> {
  const folder = temporaryFolder("editor-", beside);
  const editor = join(folder, "editor");
  writeFileSync(join(folder, "text"), text);
  writeFileSync(editor, `#!/bin/sh\ncp '${join(folder, "text")}' "$1"\nexit ${exit}\n`);
  chmodSync(editor, 0o755);
  return { EDITOR: editor, VISUAL: "" };
}

test("a change is shown with what was said, its size and its lines, before it is asked about", async () => {
  const { output, next } = await ask(change({ before, proposed }, "I add\nthe product."), [[write, enter]]);
  expect(next).toEqual({ name: "allow", request: "abc123" });
  expect(output).toMatch(/◇ {2}Write src\/sum\.js\? \(\+1\) \[Y\/n\/edit\/ask\/all\]/);
  expect(output).toContain(
    [
      "  │ I add",
      "  │ the product.",
      "",
      "  ~ src/sum.js (code)  +1, under a minute to read",
      "  @@ -1,1 +1,2 @@",
      "   export const sum = (a, b) => a + b;",
      "  +export const product = (a, b) => a * b;",
      "",
    ].join("\n"),
  );
});

test.each<[string, Typed[], object]>([
  ["all", [[write, `all${enter}`]], { name: "allow", request: "abc123", always: true }],
  [
    "no with a reason",
    [
      [write, `n${enter}`],
      [why, `Too long${enter}`],
    ],
    { name: "reject", reason: "Too long", request: "abc123" },
  ],
  [
    "no without one",
    [
      [write, `n${enter}`],
      [why, enter],
    ],
    { name: "reject", reason: "", request: "abc123" },
  ],
  ["a sentence", [[write, `Call it times${enter}`]], { name: "reject", reason: "Call it times", request: "abc123" }],
  [
    "a question",
    [
      [write, `ask${enter}`],
      [what, `Why here?${enter}`],
    ],
    { name: "ask", question: "Why here?", request: "abc123" },
  ],
])("%s at a change becomes what it means", async (_, steps, next) => {
  expect((await ask(plain, steps)).next).toEqual(next);
});

test.each<[string, Typed[]]>([
  ["Ctrl+C", [[write, ctrlC]]],
  ["a signal", [[write, "signal:SIGINT"]]],
  [
    "Ctrl+C at the reason",
    [
      [write, `n${enter}`],
      [why, ctrlC],
    ],
  ],
  [
    "Ctrl+C at the question",
    [
      [write, `ask${enter}`],
      [what, ctrlC],
    ],
  ],
  [
    "the end of the input, and Ctrl+C",
    [
      [write, "\x04"],
      ["", ctrlC],
    ],
  ],
])("%s is never a yes", async (_, steps) => {
  expect((await ask(plain, steps)).next).toEqual({ left: true });
});

test("what was typed before it was asked is no yes", async () => {
  const steps: Typed[] = [
    ["BUSY", `${enter}${enter}`],
    ["", "signal:SIGUSR2"],
    [write, `n${enter}`],
    [why, enter],
  ];
  expect((await ask(plain, steps, { BUSY: "1" })).next).toEqual({ name: "reject", reason: "", request: "abc123" });
});

test("a mistyped word is asked again", async () => {
  const { output, next } = await ask(plain, [
    [write, `yse${enter}`],
    ["Type y, n, edit, ask, all or a sentence; Ctrl+C pauses.", `\x7f\x7f\x7fn${enter}`],
    [why, enter],
  ]);
  expect(next).toEqual({ name: "reject", reason: "", request: "abc123" });
  expect(output).toContain("all: also every further change of this approval");
});

test("a deletion is asked about as one, and cannot be edited", async () => {
  const { output, next } = await ask(change({ before, proposed: null }), [
    ["◆  Delete src/sum.js? (−1) [Y/n/ask/all], or say what should be different", `edit${enter}`],
    ["Type y, n, ask, all or a sentence", `\x7f\x7f\x7f\x7f${enter}`],
  ]);
  expect(next).toEqual({ name: "allow", request: "abc123" });
  expect(output).toContain("  - src/sum.js (code)  −1, under a minute to read\n");
});

test("a document that the solution does not name is marked, and asked about alone", async () => {
  const { request, ...shown } = change({ before, proposed });
  const asked = { ...shown, request: { ...request, path: "README.md", role: "doc", unplanned: true } };
  const { output } = await ask(asked, [
    ["◆  Write README.md? (+1) [Y/n/edit/ask], or say what should be different", enter],
  ]);
  expect(output).toContain(
    "  ~ README.md (doc)  +1, under a minute to read\n    This is not part of the approved solution.\n",
  );
});

test("of what does not fit the rest is named, and shown when asked for", async () => {
  const long = Array.from({ length: 200 }, (_, index) => `line ${index}\n`).join("");
  const ending = change({ before: null, proposed: `${"x".repeat(2000)}END\n${long}` });
  const { output, next } = await ask(ending, [
    ["◆  Write src/sum.js? (+201) [Y/n/edit/ask/all/s]", `s${enter}`],
    ["◆  Write src/sum.js? (+201) [Y/n/edit/ask/all], or say", enter],
  ]);
  expect(next).toEqual({ name: "allow", request: "abc123" });
  const [first = "", rest = ""] = output.split("  … 82 more lines, 1 line is cut: s shows the rest\n");
  expect(first).not.toContain("line 199");
  expect(first).toContain("  +line 117\n");
  expect(rest).not.toContain("  +line 117\n");
  expect(first).not.toContain("END");
  expect(rest).toContain("  +line 199\n");
  expect(rest.replaceAll("\n", "")).toContain("xEND");
});

test("the version after one that was turned down is shown as a difference to it, and whole when asked for", async () => {
  const first = `${before}export const product = (a, b) => a + b;\n`;
  const second = `${before}export const product = (a, b) => a * b;\n`;
  const ending = { ...change({ before, proposed: second }), since: unifiedDiff(first, second, "src/sum.js") };
  const { output, next } = await ask(ending, [
    ["◆  Write src/sum.js? (+1) [Y/n/edit/ask/all/s]", `s${enter}`],
    [write, enter],
  ]);
  expect(next).toEqual({ name: "allow", request: "abc123" });
  const [shown = "", rest = ""] = output.split("  … s shows the whole change\n");
  expect(shown).toContain("    Different from the version before:\n");
  expect(shown).toContain("  -export const product = (a, b) => a + b;\n");
  expect(rest).not.toContain("  -export");
});

test("what is edited is shown against what lies there, and handed on in a private file", async () => {
  const own = `${before}export const times = (a, b) => a * b;\n`;
  const { output, next } = await ask(
    plain,
    [
      [write, `edit${enter}`],
      [again, enter],
    ],
    editorWith(own),
  );
  expect(next).toEqual({
    name: "allow",
    request: "abc123",
    edited: { name: "proposed.js", mode: "600", text: own },
  });
  expect(output).not.toContain("LEFT ");
  expect(output).toContain(
    "  @@ -1,1 +1,2 @@\n   export const sum = (a, b) => a + b;\n  +export const times = (a, b) => a * b;\n",
  );
});

test("a text that is set aside is not written, and what was proposed is asked about again", async () => {
  const { output, next } = await ask(
    plain,
    [
      [write, `edit${enter}`],
      [again, `n${enter}`],
      ["Your text is set aside; this is what was proposed.", ""],
      [write, enter],
    ],
    editorWith("mine\n"),
  );
  expect(next).toEqual({ name: "allow", request: "abc123" });
  expect(output.split("  +export const product")).toHaveLength(3);
});

test("a text that comes back unchanged is asked about as it was, and allowed as it is", async () => {
  const { output, next } = await ask(
    plain,
    [
      [write, `edit${enter}`],
      [write, enter],
    ],
    editorWith(proposed),
  );
  expect(next).toEqual({ name: "allow", request: "abc123" });
  expect(output).toContain("  The text is as it was.\n");
});

test("without an editor it is said how to name one, and asked again", async () => {
  const { output, next } = await ask(
    plain,
    [
      [write, `edit${enter}`],
      [write, `n${enter}`],
      [why, enter],
    ],
    { EDITOR: "no-such-editor", VISUAL: "" },
  );
  expect(next).toEqual({ name: "reject", reason: "", request: "abc123" });
  expect(output).toContain("  ! no-such-editor could not be started: name your editor in $EDITOR.\n");
});

test("an edited text is read from nowhere but the editor: what it wrote before it failed is shown first", async () => {
  const { output, next } = await ask(
    plain,
    [
      [write, `edit${enter}`],
      [again, ctrlC],
    ],
    editorWith("half\n", 1),
  );
  expect(next).toEqual({ left: true });
  expect(output).toContain("  +half\n");
});

test("a command is shown as it would run, with what was said and why it is asked about", async () => {
  const run = "◆  Run make? [Y/n/ask/always], or say what should be different";
  const { output, next } = await ask(command("npm run build\nrm -rf dist", "There is no sandbox."), [
    ["◆  Run npm run build (+1 line)? [Y/n/ask/always]", enter],
  ]);
  expect(next).toEqual({ name: "allow", request: "abc123" });
  expect(output).toContain("  │ I build it.\n\n  $ npm run build\n    rm -rf dist\n    There is no sandbox.\n");
  const said = async (...steps: Typed[]) => (await ask(command("make"), steps)).next;
  expect(await said([run, `always${enter}`])).toEqual({ name: "allow", request: "abc123", always: true });
  expect(await said([run, `n${enter}`], [why, `No${enter}`])).toEqual({
    name: "reject",
    reason: "No",
    request: "abc123",
  });
  expect(await said([run, `ask${enter}`], [what, `Why?${enter}`])).toEqual({
    name: "ask",
    question: "Why?",
    request: "abc123",
  });
  expect(await said([run, `Use make -n${enter}`])).toEqual({
    name: "reject",
    reason: "Use make -n",
    request: "abc123",
  });
  expect(await said([run, ctrlC])).toEqual({ left: true });
});

test("the program asks before each change as it was told to, writes what was made of it, and comes to the end", async () => {
  const place = placeWith(quickApp);
  const argv = [program, ...tiny, place.replay(tinyWay), "--permission=ask", "--unsandboxed"];
  const steps: Typed[] = [
    ["◆  Approve this approach?", enter],
    ["◆  Write test/product.test.js? (+4) [", `edit${enter}`],
    ["◆  Write your text to test/product.test.js? (+5) [", enter],
    ["◆  Write src/product.js? (+", enter],
  ];
  const output = await type(argv, place.workspace, { ...place.env, EDITOR: "sed -i '1i // by hand'" }, steps);
  expect(output).toContain("  + test/product.test.js (test)  +5, under a minute to read\n");
  expect(output).toContain("with changes of their own.\n");
  expect(output).toContain("Chain 001 is done.");
  expect(output).not.toContain("Waits for permission");
  expect(readFileSync(join(place.workspace, "test/product.test.js"), "utf8")).toMatch(/^\/\/ by hand\n/);
  expect(place.events("permission_given").map(({ edited }) => edited !== undefined)).toEqual([true, false]);
});

test("who leaves at a change finds it waiting, and without a terminal it is printed with what answers it", async () => {
  const place = placeWith(quickApp);
  const replay = place.replay(tinyWay);
  const flags = [replay, "--permission=ask", "--unsandboxed"];
  const steps: Typed[] = [
    ["◆  Approve this approach?", enter],
    ["◆  Write test/product.test.js? (+4) [", ctrlC],
  ];
  await type([program, ...tiny, ...flags], place.workspace, place.env, steps);
  const waits = await place.run(["resume", "1", ...flags]);
  expect(waits.code).toBe(10);
  const id = place.events("permission_asked")[0]?.request.id;
  const same = `001 ${replay.replace("=", " ")} --permission ask --unsandboxed`;
  expect(waits.stdout).toContain(`Allow:   claude-exec allow ${same} ${id}\n`);
  expect(waits.stdout).toContain("  +import { product }");
  const went = await place.run(["allow", "1", id ?? "", ...flags]);
  expect(went.stderr).toMatch(
    / {2}✓ Allowed by \S+\n.* {2}\? Waits for permission to write src\/product\.js \(code\)\n/s,
  );
});

test("tests that no longer run are named, and each answer is about exactly these", async () => {
  const request: Request = { kind: "lost_tests", id: "abc123", key: "k", said: "", lost: ["test/a.test.js", "adds"] };
  const ending = { type: "needs_permission", request, diff: null, proposed: null };
  const go = "◆  Go on without them? [Y/n/ask], or say what should be different";
  const { output, next } = await ask(ending, [[go, enter]]);
  expect(next).toEqual({ name: "allow", request: "abc123" });
  expect(output).toContain("  These tests were there and no longer run:\n  - test/a.test.js\n  - adds\n");
  const skipped = { ...request, lost: ["4 tests that ran before are skipped now (state 1a2b3c4d)"] };
  const shown = await ask({ ...ending, request: skipped }, [[go, enter]]);
  expect(shown.output).toContain("\n  - 4 tests that ran before are skipped now\n");
  expect((await ask(ending, [[go, `Put them back${enter}`]])).next).toEqual({
    name: "reject",
    reason: "Put them back",
    request: "abc123",
  });
});
