import fs from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { sha256 } from "../../src/util/hash.ts";
import { realWorld } from "../../src/util/world.ts";
import type { World } from "../../src/util/world.ts";
import { findTestCommand } from "../../src/tools/test_command.ts";
import { runCommand, shortened } from "../../src/programs/run_command.ts";
import type { CommandRun } from "../../src/programs/run_command.ts";
import type { Sandbox } from "../../src/programs/sandbox/types.ts";
import { openWorkspace } from "../../src/workspace/workspace.ts";
import { cleanUp, folderWith } from "../support/folders.ts";
import { lacking, processesAt, sandboxAt, unlessLacking } from "./sandbox/sandboxes.ts";

afterEach(cleanUp);

const env = { PATH: process.env["PATH"], HOME: "/home/someone" };
const minute = 60_000;

/** The real clock, ten times as fast. */
const fastWorld: World = { ...realWorld(env), sleep: (ms, signal) => realWorld().sleep(ms / 10, signal) };

function run(
  argv: readonly string[],
  {
    folder = folderWith({}),
    timeoutMs = minute,
    signal = new AbortController().signal,
    world = fastWorld,
    sandbox,
  }: { folder?: string; timeoutMs?: number; signal?: AbortSignal; world?: World; sandbox?: Sandbox } = {},
): Promise<CommandRun> {
  return runCommand(openWorkspace(folder, { env: process.env, hide: [] }), argv, { timeoutMs, signal, world, sandbox });
}

/** Whether a process runs: a zombie nobody collects does not. */
function alive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

test("a command runs in the workspace without a shell, and its end is told", async () => {
  const folder = folderWith({});
  const times = [1000, 3500];
  const world = { ...realWorld(env), now: () => times.shift() ?? 0 };
  const script =
    "process.stdout.write(process.cwd() + process.argv[1]); process.stderr.write('!'); process.exitCode = 3";
  const argv = ["node", "-e", script, " $HOME;`id`"];
  const output = `${folder} $HOME;\`id\`!`;
  expect(await run(argv, { folder, world })).toEqual({
    argv,
    exit_code: 3,
    duration_ms: 2500,
    timed_out: false,
    sandboxed: false,
    output,
    output_sha256: sha256(output),
  });
});

test("a command gets a minimal environment, no input, and its colours are taken out", async () => {
  const secrets = {
    ANTHROPIC_API_KEY: "x",
    NODE_OPTIONS: "--bad",
    npm_config_x: "x",
    MY_TOKEN: "x",
    LANG: "C",
  };
  const world = { ...fastWorld, env: { ...env, ...secrets } };
  const script =
    "console.log(JSON.stringify(process.env)); console.log('\\x1b[31mred\\x1b[0m', require('fs').readFileSync(0).length)";
  const { output } = await run(["node", "-e", script], { world });
  const [first = "", second] = output.split("\n");
  expect(JSON.parse(first)).toEqual({
    PATH: env.PATH,
    HOME: env.HOME,
    LANG: "C",
    TMPDIR: "/tmp",
    TERM: "dumb",
    CI: "1",
  });
  expect(second).toBe("red 0");
});

test("a program that is missing or may not be started is a result", async () => {
  const folder = folderWith({ "plain.txt": "x" });
  const missing = await run(["no-such-program", "x"], { folder, world: { ...fastWorld, env: { PATH: "/usr/bin" } } });
  expect(missing).toMatchObject({ exit_code: undefined, timed_out: false, output_sha256: sha256("") });
  expect(missing.output).toBe('["no-such-program" could not be started: ENOENT]');
  const plain = await run(["./plain.txt"], { folder });
  expect(plain).toMatchObject({
    exit_code: undefined,
    output: '["./plain.txt" could not be started: EACCES]',
  });
});

test("a command that ends by a signal says by which", async () => {
  const killed = await run(["sh", "-c", "echo before; kill -SEGV $$"]);
  expect(killed).toMatchObject({
    exit_code: undefined,
    timed_out: false,
    output: "before\n\n[ended by SIGSEGV]",
  });
});

test("of a flood of output remain head, tail, and a hash over all of it", async () => {
  const script = `const line = Buffer.alloc(100000, "0123456789abcde\\n"); let n = 0;
    const more = () => { while (n < 1000) { n += 1; if (!process.stdout.write(line)) return process.stdout.once("drain", more); } };
    more();`;
  const flood = await run(["node", "-e", script]);
  const line = Buffer.alloc(100_000, "0123456789abcde\n").toString();
  expect(flood.exit_code).toBe(0);
  expect(flood.output_sha256).toBe(sha256(line.repeat(1000)));
  expect(flood.output).toBe(
    `${line.slice(0, 8192)}\n[${100_000_000 - 8192 - 2_000_000} bytes left out]\n${line.repeat(21).slice(-2_000_000)}`,
  );
});

test("a flood of output does not fill the memory while it runs", async () => {
  let most = 0;
  const timer = setInterval(() => (most = Math.max(most, process.memoryUsage().arrayBuffers)), 5);
  const flood = await run(["head", "-c", "500000000", "/dev/zero"], { timeoutMs: 10 * minute });
  clearInterval(timer);
  expect(flood).toMatchObject({ exit_code: 0, timed_out: false });
  expect(most).toBeLessThan(250_000_000);
});

test("what is shown of a long output is its head and its tail", () => {
  const long = "é".repeat(50_000);
  expect(shortened(long)).toBe(
    `${"é".repeat(8192)}\n[${50_000 - 8192 - 24_576} bytes left out]\n${"é".repeat(24_576)}`,
  );
  expect(shortened("short")).toBe("short");
});

test("letters cut in two by the bounds leave no broken ones behind", async () => {
  const { output } = await run(["node", "-e", "process.stdout.write('x' + 'é'.repeat(1_500_000))"]);
  expect(output).toMatch(/^xé+\n\[\d+ bytes left out\]\né+$/);
});

test("a command that takes too long is ended, also when it ignores the polite signal, with all it started", async () => {
  const folder = folderWith({});
  const script =
    "trap '' TERM; echo $$ > pid; (trap '' TERM; while :; do sleep 0.05; done) & echo $! > child; echo up; while :; do sleep 0.05; done";
  const late = await run(["sh", "-c", script], { folder, timeoutMs: 5000 });
  expect(late).toMatchObject({ exit_code: undefined, timed_out: true, output: "up\n\n[stopped after 5 s]" });
  const pids = ["pid", "child"].map((file) => Number(fs.readFileSync(join(folder, file), "utf8")));
  while (pids.some(alive)) await wait(5);
});

test("a command that ends politely is given the time to do so", async () => {
  const script =
    "process.on('SIGTERM', () => { console.log('bye'); process.exit(5); }); setInterval(() => {}, 9); console.log('up')";
  const late = await run(["node", "-e", script], { timeoutMs: 5000 });
  expect(late).toMatchObject({
    exit_code: undefined,
    timed_out: true,
    output: "up\nbye\n\n[stopped after 5 s]",
  });
});

test("a grandchild that holds the output open does not hold us, and is ended too", async () => {
  const folder = folderWith({});
  const held = await run(["sh", "-c", "sleep 1000 & echo $! > pid; echo done"], { folder });
  expect(held).toMatchObject({ exit_code: 0, timed_out: false, output: "done\n" });
  const pid = Number(fs.readFileSync(join(folder, "pid"), "utf8"));
  while (alive(pid)) await wait(5);
});

test("somebody who left the group and holds the output open is not waited for", async () => {
  const folder = folderWith({});
  const script = "setsid sh -c 'echo $$ > pid; exec sleep 1000' & while [ ! -s pid ]; do sleep 0.01; done; echo done";
  const held = await run(["sh", "-c", script], { folder });
  expect(held).toMatchObject({ exit_code: 0, timed_out: false, output: "done\n" });
  process.kill(Number(fs.readFileSync(join(folder, "pid"), "utf8")));
});

test("a command is ended when it is cancelled, before or while it runs", async () => {
  const controller = new AbortController();
  const folder = folderWith({});
  const running = run(["sh", "-c", "echo up; touch up; sleep 1000"], { folder, signal: controller.signal });
  while (!fs.existsSync(join(folder, "up"))) await wait(5);
  controller.abort();
  expect(await running).toMatchObject({
    exit_code: undefined,
    timed_out: false,
    output: "up\n\n[cancelled]",
  });
  expect(await run(["sleep", "1000"], { signal: AbortSignal.abort() })).toMatchObject({
    exit_code: undefined,
  });
});

test.skipIf(lacking)(`in the sandbox, too, all that a command started ends with it${unlessLacking}`, async () => {
  const folder = folderWith({});
  const sandbox = await sandboxAt(folder);
  const stubborn = "trap '' TERM HUP INT; while :; do sleep 0.01; done";
  const starts = [
    `(${stubborn}) & (setsid sh -c "${stubborn}" &) ; (nohup sh -c "(${stubborn}) &" >/dev/null 2>&1 &); ${stubborn}`,
    `(setsid sh -c "(${stubborn}) &" &) ; sleep 1000`,
    `(setsid sh -c "(${stubborn}) &" &) ; echo done`,
  ];
  const ends: CommandRun[] = [];
  for (const script of starts)
    ends.push(await run(["sh", "-c", `echo up; ${script}`], { folder, sandbox, timeoutMs: 5000 }));
  expect(ends).toMatchObject([
    { exit_code: undefined, timed_out: true, sandboxed: true, output: "up\n\n[stopped after 5 s]" },
    { exit_code: undefined, timed_out: true, sandboxed: true, output: "up\n\n[stopped after 5 s]" },
    { exit_code: 0, timed_out: false, sandboxed: true, output: "up\ndone\n" },
  ]);
  while (processesAt(folder).length > 0) await wait(5);
});

test.skipIf(lacking)(`in the sandbox, too, a command is ended when it is cancelled${unlessLacking}`, async () => {
  const folder = folderWith({});
  const controller = new AbortController();
  const sandbox = await sandboxAt(folder);
  const running = run(["sh", "-c", "echo up; touch up; sleep 1000"], { folder, sandbox, signal: controller.signal });
  while (!fs.existsSync(join(folder, "up"))) await wait(5);
  controller.abort();
  expect(await running).toMatchObject({ exit_code: undefined, timed_out: false, output: "up\n\n[cancelled]" });
  while (processesAt(folder).length > 0) await wait(5);
});

test.skipIf(lacking)(`in the sandbox, too, the end of a command is told as it was${unlessLacking}`, async () => {
  const folder = folderWith({});
  const sandbox = await sandboxAt(folder);
  const ends = await Promise.all(
    ["exit 7", "kill -SEGV $$", "cd /; printf %s $OLDPWD; echo ! >&2"].map((script) =>
      run(["sh", "-c", script], { folder, sandbox }),
    ),
  );
  expect(ends).toMatchObject([
    { exit_code: 7, output: "" },
    { exit_code: 139, output: "" },
    { exit_code: 0, output: `${folder}!\n` },
  ]);
});

test.skipIf(lacking)(`in the sandbox, too, a flood of output is bounded${unlessLacking}`, async () => {
  const folder = folderWith({});
  const flood = await run(["head", "-c", "100000000", "/dev/zero"], { folder, sandbox: await sandboxAt(folder) });
  expect(flood).toMatchObject({ exit_code: 0, output_sha256: sha256(Buffer.alloc(100_000_000)) });
  expect(flood.output.length).toBeLessThan(2_100_000);
});

test.skipIf(lacking)(`processes are bounded where the sandbox says nothing else${unlessLacking}`, async (context) => {
  const folder = folderWith({});
  const sandbox = await sandboxAt(folder);
  if (sandbox.detail.includes("not bounded")) return context.skip(sandbox.detail);
  const bomb = `my $made = 0; $SIG{TERM} = "IGNORE";
    while ($made < 5000) { my $pid = fork; last unless defined $pid; if (!$pid) { sleep 1000; exit } $made++ } print $made; exit`;
  const { output } = await run(["perl", "-e", bomb], { folder, sandbox });
  expect(Number(output)).toBeGreaterThan(1000);
  expect(Number(output)).toBeLessThan(2048);
  while (processesAt(folder).length > 0) await wait(5);
});

test("the test command is what is configured, else what the project's files tell", async () => {
  const script = (test: string) => JSON.stringify({ scripts: { test } });
  const npm = { argv: ["npm", "test", "--silent"], found_in: "found in package.json" };
  const pytest = ["python3", "-m", "pytest", "-q"];
  const cases: [Record<string, string>, unknown][] = [
    [{}, undefined],
    [{ "package.json": script("vitest run"), "pytest.ini": "" }, npm],
    [{ "package.json": script('echo "Error: no test specified" && exit 1') }, undefined],
    [
      { "package.json": "{ broken", "go.mod": "" },
      { argv: ["go", "test", "./..."], found_in: "found in go.mod" },
    ],
    [
      { "pytest.ini": "", "Cargo.toml": "" },
      { argv: pytest, found_in: "found in pytest.ini" },
    ],
    [{ "pyproject.toml": "[tool.pytest.ini_options]\n" }, { argv: pytest, found_in: "found in pyproject.toml" }],
    [
      { "pyproject.toml": "[tool.black]\n", "tests/test_a.py": "" },
      { argv: pytest, found_in: "found in tests/*.py" },
    ],
    [
      { "phpunit.xml": "", Makefile: "test:\n" },
      { argv: ["vendor/bin/phpunit"], found_in: "found in phpunit.xml" },
    ],
    [
      { "Cargo.toml": "", "go.mod": "" },
      { argv: ["cargo", "test", "--quiet"], found_in: "found in Cargo.toml" },
    ],
    [{ Makefile: "all:\n\ttrue\ntest: all\n" }, { argv: ["make", "test"], found_in: "found in Makefile" }],
    [{ Makefile: "tests:\n\ttrue\ntest := 1\n" }, undefined],
  ];
  for (const [files, expected] of cases) {
    expect(await findTestCommand(openWorkspace(folderWith(files), { env: process.env, hide: [] }))).toEqual(expected);
  }
});
