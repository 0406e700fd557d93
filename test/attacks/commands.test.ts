import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { openChain } from "../../src/chain/open.ts";
import { restoreFiles, touchedSince } from "../../src/chain/rewind.ts";
import { runTurn } from "../../src/chain/run.ts";
import { compile } from "../../src/programs/permissions/judge.ts";
import type { Sandbox } from "../../src/programs/sandbox/types.ts";
import { workbench } from "../chain/workbench.ts";
import { placeWith } from "../support/cli.ts";
import { action, report, uses } from "../support/script.ts";
import { productTest, quickApp, tiny, tinyWay } from "../support/ways.ts";
import { cleanUp, folderWith } from "../support/folders.ts";
import { lacking, sandboxAt, unlessLacking } from "../programs/sandbox/sandboxes.ts";
import { user } from "./as_user.ts";
import { noSandbox, pictureOf } from "./attacker.ts";

/** What sleepers are known by. */
const mark = `98765.${process.pid}`;

afterEach(() => {
  for (const pid of sleepers()) process.kill(pid, "SIGKILL");
  cleanUp();
});

function sleepers(): number[] {
  const found = spawnSync("pgrep", ["-f", `^sleep ${mark}`], { encoding: "utf8" });
  return found.stdout.split("\n").filter(Boolean).map(Number);
}

const step = "implementation/1/1-tdd_flow_controller";
const givesUp = action("I stop.", { type: "give_up", reason: "Enough is seen." });
const runsBad: Call[] = [["run_command", { command: "sh bad.sh" }]];
type Call = [tool: string, input: object];

interface Doing {
  readonly files: Record<string, string>;
  readonly sandboxed: boolean;
  readonly calls?: Call[];
  readonly seconds?: number;
}

/** A chain whose model makes these calls once, in the sandbox or without one. */
async function running({ files, sandboxed, calls = runsBad, seconds = 60 }: Doing) {
  const replies = {
    ...tinyWay,
    [`${step}/turn-1`]: uses(...calls),
    [`${step}/turn-2`]: report("I saw how it ends."),
    "implementation/2/controller/turn-1": givesUp,
  };
  let opened: Promise<Sandbox> | undefined;
  const permission = { mode: "full" as const, rules: compile({ allow: [], ask: [], deny: [] }), unsandboxed: true };
  const bench = await workbench(replies, {
    files: { ...quickApp, ...files },
    size: "tiny",
    deps: { permission, testTimeoutMs: seconds * 1000 },
  });
  const closed = { protect: [join(bench.folder, ".claude-exec")], conceal: [bench.contexts] };
  const open = async () => {
    const sandbox = await (sandboxed ? sandboxAt(bench.folder, closed) : noSandbox(bench.folder));
    expect(sandbox.on, sandbox.detail).toBe(sandboxed);
    return sandbox;
  };
  const deps = { ...bench.deps, sandbox: { open: () => (opened ??= open()), close: () => Promise.resolve() } };
  const turn = (chain: typeof bench.chain, until?: () => boolean) =>
    runTurn(chain, deps, { answers: {}, approve: "auto" }, new AbortController().signal, until);
  const answers = () =>
    bench.lines.flatMap((line) => (line.type === "result" && line.effect === "tool" ? [textOf(line.content)] : []));
  const textOf = (content: { text: string } | { blob: string }) =>
    "text" in content ? content.text : bench.chain.blobs.get(content.blob);
  // Folders that hold nothing are to nobody what they are to git.
  const isOurs = (line: string) => /^(?:\.claude-exec|\.git|replies\.json)/.test(line) || / 16\d{3} /.test(line);
  const picture = () => pictureOf(bench.folder).filter((line) => !isOurs(line));
  return {
    ...bench,
    deps,
    turn,
    answers,
    picture: () => picture().map((line) => line.replace(/^(.*? \d+) \d+ /, "$1 ")),
  };
}

type Bench = Awaited<ReturnType<typeof running>>;

/** Each call in a life of the chain of its own; one more goes on to its end, and then all is taken back. */
async function whole(bench: Bench, calls = 1): Promise<{ answer: string; touched: string[] }[]> {
  const before = bench.picture();
  const told = [];
  let { chain } = bench;
  for (let call = 1; call <= calls; call += 1) {
    const earlier = bench.events().length;
    expect((await bench.turn(chain, () => bench.answers().length === call)).type).toBe("reached");
    await chain.close();
    const events = bench.events().slice(earlier);
    const touched = events.flatMap((one) => (one.event === "files_touched" ? one.touched : []));
    told.push({ answer: bench.answers().at(-1) ?? "", touched: touched.map(({ path }) => path).sort() });
    ({ chain } = openChain(bench.beginning, chain.id)!);
  }
  try {
    expect(await bench.turn(chain)).toMatchObject({ type: "parked", code: "gave_up" });
    const { not_kept } = restoreFiles(chain.id, bench.deps.workspace, chain.blobs, touchedSince(bench.lines, 0));
    expect([not_kept, bench.picture()]).toEqual([[], before]);
  } finally {
    await chain.close();
  }
  return told;
}

const misdeeds: [does: string, script: string, says: RegExp, touches: string[]][] = [
  [
    "forks",
    `i=0; while [ $i -lt 300 ]; do sleep ${mark} & i=$((i+1)); done; echo forked; exit 3`,
    /^command \d+: exit 3\nforked\n$/,
    [],
  ],
  ["leaves somebody who closed all", `sleep ${mark} <&- >&- 2>&- & exit 0`, /^command \d+: exit 0\n$/, []],
  [
    "floods",
    "yes | head -c $BYTES; echo over",
    /^command \d+: exit 0\ny\n(?:y\n)*\n?\[9\d+ bytes left out\]\n(?:y?\n)*over\n$/,
    [],
  ],
  ["makes a gigabyte", "truncate -s 1G huge", /^command \d+: exit 0\n\n\[It changed huge\]$/, ["huge"]],
  ["kills what started it", "kill -9 $PPID; sleep 60", /^command \d+: exit (?:none|\d+)\n/, []],
  [
    "changes rights",
    "chmod 777 src/sum.js; chmod 0 package.json; chmod 4755 check.sh",
    /^command \d+: exit 0/,
    ["check.sh", "package.json", "src/sum.js"],
  ],
  [
    "puts links and folders in the place of files, and the other way round",
    "rm src/sum.js package.json; ln -s /etc/passwd src/sum.js; mkdir package.json; echo > package.json/in; ln -sfn . check.sh",
    /\[It changed check\.sh, package\.json, package\.json\/in, src\/sum\.js\]$/,
    ["check.sh", "package.json", "package.json/in", "src/sum.js"],
  ],
  [
    "deletes",
    "rm -rf src huge check.sh package.json",
    /\[It changed check\.sh, huge, package\.json\/in, src\/sum\.js\]$/,
    ["check.sh", "huge", "package.json/in", "src/sum.js"],
  ],
];

const ways = [
  { how: "without a sandbox", sandboxed: false, why: "" },
  { how: "in the sandbox", sandboxed: true, why: unlessLacking },
];

describe.for(ways)(`as ${user}, $how`, ({ sandboxed, why }) => {
  const skipped = sandboxed && lacking !== null;

  test.skipIf(skipped)(
    `what a command does is told as it was, goes on in another life, and is taken back exactly${why}`,
    async () => {
      // Without a sandbox whoever started it would be this very process.
      const done = misdeeds.filter(([does]) => sandboxed || does !== "kills what started it");
      const bytes = sandboxed ? 1_000_000_000 : 99_000_000;
      const scripts = done.map(([, script], at) => [`bad-${at}.sh`, script.replace("$BYTES", `${bytes}`)] as const);
      const calls = scripts.map(([name]): Call => ["run_command", { command: `sh ${name}` }]);
      const bench = await running({ files: Object.fromEntries(scripts), sandboxed, calls });
      const before = process.memoryUsage().rss;
      const told = await whole(bench, done.length);
      expect(process.memoryUsage().rss - before).toBeLessThan(300_000_000);
      for (const [at, [does, , says, touches]] of done.entries()) {
        expect([does, told[at]]).toEqual([does, { answer: expect.stringMatching(says), touched: touches }]);
        expect(told[at]?.answer.length).toBeLessThan(40_000);
      }
      expect(sleepers()).toEqual([]);
      process.stdout.write(`${done.length} commands that misbehave as ${user}, each told and taken back\n`);
    },
  );

  test.skipIf(skipped)(
    `a command that never ends is ended with all it started, whatever it ignores and closes${why}`,
    async () => {
      // Without a sandbox nothing holds whoever leaves the group.
      const leaving = sandboxed ? "setsid " : "";
      const script = `trap '' TERM; echo begun; ${leaving}sleep ${mark} & exec >&- 2>&-; while :; do sleep ${mark}; done`;
      const bench = await running({ files: { "bad.sh": script }, sandboxed, seconds: 2 });
      const answer = "command 1: exit none (timed out)\nbegun\n\n[stopped after 2 s]";
      expect(await whole(bench)).toEqual([{ answer, touched: [] }]);
      expect(sleepers()).toEqual([]);
    },
  );

  test.skipIf(skipped)(`a daemon is not waited for, and what it does is known to the next step${why}`, async () => {
    const bench = await running({ files: { "bad.sh": `setsid sleep ${mark} <&- >&- 2>&- & echo left` }, sandboxed });
    expect(await whole(bench)).toEqual([{ answer: "command 1: exit 0\nleft\n", touched: [] }]);
    // Without a sandbox nothing holds whoever leaves the group.
    expect(sandboxed ? sleepers() : []).toEqual([]);
  });

  test.skipIf(skipped).for([
    ["a rule", "hid/"],
    ["a rule that covers itself", "*"],
  ])(`a command cannot hide files from git behind %s${why}`, async ([, rule]) => {
    const files = { "bad.sh": `mkdir -p hid/in; echo '${rule}' > .gitignore; echo evil > hid/in/evil.js` };
    const bench = await running({ files, sandboxed });
    spawnSync("sh", ["-c", "git init --quiet && git add src check.sh package.json bad.sh"], { cwd: bench.folder });
    const answer = "command 1: exit 0\n\n[It changed .gitignore, hid/in/evil.js]";
    expect(await whole(bench)).toEqual([{ answer, touched: [".gitignore", "hid/in/evil.js"] }]);
  });

  test.skipIf(skipped)(
    `what a command makes under a name that is closed, or that other programs obey, is moved away${why}`,
    async () => {
      const names = [".env", ".vscode", ".idea", ".claude", ".mcp.json", ".gitmodules", ".bashrc"];
      const make =
        "mkdir .vscode .idea .claude; for file in .env .mcp.json .gitmodules .bashrc; do echo evil > $file; done";
      const files = { "bad.sh": `${make}; echo evil > .vscode/tasks.json; echo evil > .claude/settings.json` };
      const bench = await running({ files, sandboxed });
      const told = `[It made ${names.join(", ")}, which is closed, and was moved away]`;
      expect(await whole(bench)).toEqual([{ answer: `command 1: exit 0\n\n${told}`, touched: [] }]);
      const moved = fs.readdirSync(bench.chain.aside, { recursive: true, encoding: "utf8" });
      expect(moved.filter((name) => name.includes("/")).sort()).toEqual([
        "claude-1/settings.json",
        "vscode-1/tasks.json",
      ]);
    },
  );

  test.skipIf(skipped)(`a command cannot hide files behind names like ours${why}`, async () => {
    const files = { "bad.sh": "echo evil > src/.evil.claude-exec.tmp" };
    const answer = "command 1: exit 0\n\n[It changed src/.evil.claude-exec.tmp]";
    expect(await whole(await running({ files, sandboxed }))).toEqual([
      { answer, touched: ["src/.evil.claude-exec.tmp"] },
    ]);
  });
});

describe(`as ${user}`, () => {
  test.for([
    ["changes", "echo tampered >> test/product.test.js"],
    ["deletes", "rm test/product.test.js"],
    ["replaces by a link", "rm test/product.test.js; ln -s /etc/passwd test/product.test.js"],
    ["replaces by a folder", "rm test/product.test.js; mkdir test/product.test.js; echo > test/product.test.js/in"],
    ["gives other rights to", "chmod 700 test/product.test.js"],
    ["writes ahead", "mkdir -p src; echo 'export const product = 1;' > src/product.js"],
  ])(`a run of the tests that %s an approved file proves nothing`, async ([, script]) => {
    const files = { "check.sh": `if [ -e test/product.test.js ]; then ${script}; exit 1; fi\n` };
    const bench = await running({
      files,
      sandboxed: false,
      calls: [
        ["write_file", productTest],
        ["run_tests", {}],
      ],
    });
    const before = bench.picture();
    await bench.turn(bench.chain, () => bench.answers().length > 1);
    expect(bench.answers()[1]).toContain(
      "exit 1, recorded as broken\nThe run changed approved files, so it proves nothing about them.",
    );
    expect(bench.chain.context.evidence.red).toBe(false);
    restoreFiles(bench.chain.id, bench.deps.workspace, bench.chain.blobs, touchedSince(bench.lines, 0));
    expect(bench.picture()).toEqual(before);
    await bench.chain.close();
  });
});

/** The programs a chain needs, and no bubblewrap: there is no sandbox. */
function pathWithoutSandbox(): string {
  const folder = folderWith({});
  for (const name of ["sh", "git", "sleep", "touch", "kill", "grep"]) {
    const { stdout } = spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" });
    if (stdout.startsWith("/")) fs.symlinkSync(stdout.trim(), join(folder, name));
  }
  return folder;
}

function appearing(folder: string, name: string): Promise<void> {
  return new Promise((resolve) => {
    const watcher = fs.watch(folder, (_, changed) => {
      if (changed !== name) return;
      watcher.close();
      resolve();
    });
  });
}

/** Once a test is written, its tests change a file and are in the middle of something when our process is killed; the next time they pass. */
const tests = (middle: string) => `if [ -e test/product.test.js ]; then
  echo changed > src/sum.js; echo new > made
  if [ ! -e begun ]; then touch begun; ${middle}; fi
fi
${quickApp["check.sh"]}`;

test.for([
  ["by somebody else", `sleep ${mark}`, true],
  ["by the command itself", "kill -9 $PPID; sleep 5", false],
] as const)(
  `as ${user}: what a command changed is known, and taken back, when our process is killed in the middle %s`,
  async ([, middle, fromOutside]) => {
    const place = placeWith({ ...quickApp, "check.sh": tests(middle) }, { sandbox: fromOutside });
    const env = fromOutside ? {} : { PATH: pathWithoutSandbox() };
    const replay = place.replay(tinyWay);
    const begun = appearing(place.workspace, "begun");
    const started = place.start([...tiny, replay, "--approve-policy=auto"], { env });
    if (fromOutside) {
      await Promise.race([begun, started.ended]);
      started.child.kill("SIGKILL");
    }
    expect((await started.ended).code).toBe("SIGKILL");
    for (const pid of sleepers()) process.kill(pid, "SIGKILL");

    const resumed = await place.run(["resume", "1", replay, "--approve-policy=auto"], { env });
    expect(resumed.stderr).toContain(
      "sh check.sh was cut short. Since it began, these changed: begun, made, src/sum.js\n",
    );
    expect(resumed.code).toBe(0);
    const [touched] = place.events("files_touched");
    expect([touched?.argv, touched?.unsure]).toEqual([["sh", "check.sh"], true]);
    expect(touched?.touched.map(({ path }) => path)).toEqual(["begun", "made", "src/sum.js"]);
    expect((await place.run(["rewind", "1", "--yes"], { env })).code).toBe(14);
    expect((await place.run(["rewind", "1", "--also-unsure", "--yes"], { env })).code).toBe(0);
    expect(fs.readFileSync(join(place.workspace, "src/sum.js"), "utf8")).toBe(quickApp["src/sum.js"]);
    expect(fs.readdirSync(place.workspace).sort()).toEqual([".claude-exec", "check.sh", "package.json", "src"]);
  },
);
