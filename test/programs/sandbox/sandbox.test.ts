import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { runCommand } from "../../../src/programs/run_command.ts";
import { envOutside } from "../../../src/workspace/path_outside.ts";
import { sandboxLine } from "../../../src/programs/sandbox/sandbox.ts";
import type { Sandbox } from "../../../src/programs/sandbox/types.ts";
import { openWorkspace } from "../../../src/workspace/workspace.ts";
import { realWorld } from "../../../src/util/world.ts";
import { cleanUp, folderWith } from "../../support/folders.ts";
import { lacking, processesAt, sandboxAt, unlessLacking } from "./sandboxes.ts";

const path = process.env["PATH"];
const ours = (name: string) => name.startsWith(`claude-exec-sandbox-${process.pid}-`);

afterEach(cleanUp);

function run(sandbox: Sandbox, root: string, argv: readonly string[]) {
  const options = { timeoutMs: 60_000, signal: new AbortController().signal, world: realWorld(), sandbox };
  return runCommand(openWorkspace(root, { env: process.env, hide: [] }), argv, options);
}

/** A folder of programs for PATH: those of this machine by name, others by their text. */
function programs(names: readonly string[], scripts: Record<string, string> = {}): string {
  const folder = folderWith({});
  for (const name of names) {
    const found = (path ?? "").split(delimiter).find((at) => fs.existsSync(join(at, name)));
    if (found !== undefined) fs.symlinkSync(join(found, name), join(folder, name));
  }
  for (const [name, text] of Object.entries(scripts)) fs.writeFileSync(join(folder, name), text, { mode: 0o755 });
  return folder;
}

const findingOnly = (folder: string) => realWorld({ ...process.env, PATH: folder });

test.skipIf(lacking)(`a sandbox says in one line what it is${unlessLacking}`, async () => {
  expect(sandboxLine(await sandboxAt(folderWith({})))).toMatch(
    /^sandbox: on \((bubblewrap|seatbelt), no network; commands write only here, and only once you approve(, number of processes not bounded)?\)$/,
  );
});

test("without bubblewrap it is off, and says how to get it", async () => {
  const sandbox = await sandboxAt(folderWith({}), { world: findingOnly(programs(["sh", "true", "which"])) });
  expect(sandboxLine(sandbox)).toBe(
    "sandbox: OFF – bubblewrap is not installed – Debian and Ubuntu: apt install bubblewrap",
  );
  const argv = ["echo", "as it is"];
  expect(await sandbox.wrap(argv)).toBe(argv);
});

test("without its package it is off, and says how to get it", () => {
  const place = folderWith({ "package.json": '{"type":"module"}' });
  fs.cpSync("src", join(place, "src"), { recursive: true });
  fs.mkdirSync(join(place, "node_modules"));
  for (const name of ["zod", "execa", "fast-glob"]) {
    fs.symlinkSync(join(process.cwd(), "node_modules", name), join(place, "node_modules", name));
  }
  const script = `
    const { openSandbox, sandboxLine } = await import(${JSON.stringify(join(place, "src/programs/sandbox/sandbox.ts"))});
    const { realWorld } = await import(${JSON.stringify(join(place, "src/util/world.ts"))});
    const sandbox = await openSandbox({ root: ${JSON.stringify(place)}, protect: [], conceal: [], world: realWorld() });
    console.log(sandboxLine(sandbox));`;
  const env = { PATH: programs(["sh", "true"], { bwrap: "#!/bin/sh\n" }) };
  const ran = spawnSync(process.execPath, ["--input-type=module", "-e", script], { cwd: place, env, encoding: "utf8" });
  expect(ran).toMatchObject({
    stdout:
      "sandbox: OFF – the package @anthropic-ai/sandbox-runtime is not installed – npm install --global claude-exec\n",
    stderr: "",
  });
});

const needsLinux = process.platform === "linux" ? "" : " (skipped: needs Linux)";

test.skipIf(needsLinux)(`a bubblewrap that may not make namespaces is told in its own words${needsLinux}`, async () => {
  const refusing = "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n";
  const world = findingOnly(programs(["sh", "true", "which"], { bwrap: refusing }));
  expect(sandboxLine(await sandboxAt(folderWith({}), { world }))).toBe(
    "sandbox: OFF – it does not start: bwrap: No permissions to create new namespace – In a container, allow user namespaces (docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined); on Ubuntu: sysctl kernel.apparmor_restrict_unprivileged_userns=0",
  );
});

test.skipIf(lacking)(
  `a bubblewrap that holds nothing back is found out before any command runs${unlessLacking}`,
  async () => {
    const open = '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift\nexec "$@"\n';
    const world = findingOnly(programs(["sh", "true", "which"], { bwrap: open }));
    const root = folderWith({ ".git/HEAD": "ref: refs/heads/main\n" });
    expect(sandboxLine(await sandboxAt(root, { world }))).toBe(
      "sandbox: OFF – its test failed: a file outside the workspace could be written – This system lets commands out; run claude-exec in a container or a virtual machine",
    );
  },
);

test.skipIf(lacking ?? needsLinux)(
  `no thread is left of a sandbox, nor of one that fails${unlessLacking || needsLinux}`,
  async () => {
    const threads = () => fs.readdirSync("/proc/self/task").length;
    await sandboxAt(folderWith({}));
    const before = threads();
    const world = findingOnly(programs(["sh", "true", "which"], { bwrap: "#!/bin/sh\nexit 1\n" }));
    expect([await sandboxAt(folderWith({})), await sandboxAt(folderWith({}), { world })]).toMatchObject([
      { on: true },
      { on: false },
    ]);
    const root = folderWith({ "elsewhere/HEAD": "" });
    const sandbox = await sandboxAt(root, { world: findingOnly(programs(["sh", "true", "bwrap"])) });
    expect(sandbox.detail).toMatch(/^The sandbox cannot be set up: .*not found/);
    expect(threads()).toBe(before);
  },
);

test.skipIf(lacking)(`a sandbox that nobody closes does not keep its process alive${unlessLacking}`, () => {
  const root = folderWith({});
  const script = `
    import { openSandbox } from ${JSON.stringify(join(process.cwd(), "src/programs/sandbox/sandbox.ts"))};
    import { realWorld } from ${JSON.stringify(join(process.cwd(), "src/util/world.ts"))};
    const sandbox = await openSandbox({ root: ${JSON.stringify(root)}, protect: [], conceal: [], world: realWorld() });
    sandbox.release(await sandbox.wrap(["true"]));
    console.log(sandbox.on);`;
  const argv = ["--input-type=module", "-e", script];
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, { encoding: "utf8" });
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "true\n", stderr: "" });
});

test.skipIf(lacking)(
  `a repository named by a link cannot be protected, so there is no sandbox${unlessLacking}`,
  async () => {
    const root = folderWith({ "elsewhere/HEAD": "" });
    fs.symlinkSync("elsewhere", join(root, ".git"));
    expect(sandboxLine(await sandboxAt(root))).toBe(
      `sandbox: OFF – The sandbox cannot be set up: ${root}/.git is a symbolic link, and nothing would keep it in its place – Remove the cause; until then every command asks`,
    );
  },
);

test("programs that are run outside are never looked up in the workspace", () => {
  const root = folderWith({ "node_modules/.bin/which": "" });
  const link = join(folderWith({}), "link");
  fs.symlinkSync(join(root, "node_modules/.bin"), link);
  const asked = ["/usr/bin", join(root, "node_modules/.bin"), ".", "", link, root, `${root}-beside`, "/bin"].join(":");
  expect(envOutside(root, { PATH: asked, HOME: root })).toEqual({ PATH: `/usr/bin:${root}-beside:/bin`, HOME: root });
});

test.skipIf(lacking)(`odd words reach a command through the sandbox, too${unlessLacking}`, async () => {
  const root = folderWith({});
  const argv = [
    "node",
    "-e",
    "console.log(JSON.stringify(process.argv.slice(1)))",
    "--",
    "'",
    '"',
    "$HOME `id`\n\\",
    "",
    "é !",
  ];
  expect(await run(await sandboxAt(root), root, argv)).toMatchObject({
    argv,
    exit_code: 0,
    sandboxed: true,
    output: `${JSON.stringify(argv.slice(4))}\n`,
  });
});

test.skipIf(lacking)(
  `a command writes to the workspace and to a folder of its own, which goes with the sandbox${unlessLacking}`,
  async () => {
    const root = folderWith({ "src/a.ts": "a" });
    const sandbox = await sandboxAt(root);
    const script =
      'mkdir -p new/deep; echo b > new/deep/b; rm src/a.ts; echo x > "$TMPDIR/x"; mkdir "$TMPDIR/closed"; touch "$TMPDIR/closed/y"; chmod 0 "$TMPDIR/closed"; printf %s "$TMPDIR"';
    const { output } = await run(sandbox, root, ["sh", "-c", script]);
    expect(fs.readdirSync(root, { recursive: true, encoding: "utf8" }).toSorted()).toEqual([
      "new",
      "new/deep",
      "new/deep/b",
      "src",
    ]);
    expect(fs.readdirSync(output).toSorted()).toEqual(["closed", "x"]);
    await sandbox.close();
    expect(fs.readdirSync(tmpdir()).filter(ours)).toEqual([]);
  },
);

test.skipIf(lacking)(`a command gets a minimal environment and none of our keys${unlessLacking}`, async () => {
  const root = folderWith({});
  const keys = { ANTHROPIC_API_KEY: "x", AWS_SECRET_ACCESS_KEY: "x", GITHUB_TOKEN: "x", FOO_SECRET: "x" };
  Object.assign(process.env, keys);
  try {
    const sandbox = await sandboxAt(root);
    const { output } = await run(sandbox, root, [
      "node",
      "-e",
      "console.log(JSON.stringify(Object.keys(process.env).sort()))",
    ]);
    const known = ["CI", "GOCACHE", "HOME", "LANG", "PATH", "PWD", "TERM", "TMPDIR"];
    expect(JSON.parse(output)).toEqual(known.filter((name) => name !== "HOME" || process.env["HOME"] !== undefined));
  } finally {
    for (const name of Object.keys(keys)) delete process.env[name];
  }
});

test.skipIf(lacking)(`a command may serve and ask itself over its own loopback${unlessLacking}`, async () => {
  const root = folderWith({});
  const script = `const server = require("http").createServer((_, reply) => reply.end("served")).listen(0, "127.0.0.1", async () => {
    console.log(await (await fetch("http://127.0.0.1:" + server.address().port)).text()); server.close(); });`;
  expect(await run(await sandboxAt(root), root, ["node", "-e", script])).toMatchObject({
    output: "served\n",
    exit_code: 0,
  });
});

test.skipIf(lacking)(
  `git can be asked, where there is a repository and where there is none${unlessLacking}`,
  async () => {
    const [plain, repository] = [folderWith({ a: "" }), folderWith({ a: "", ".gitignore": ".*\n" })];
    spawnSync("git", ["init", "--quiet"], { cwd: repository });
    const ask = ["git", "status", "--short"];
    const asked = await run(await sandboxAt(repository), repository, ask);
    expect(asked).toMatchObject({ output: "?? a\n", exit_code: 0 });
    expect(await run(await sandboxAt(plain), plain, ask)).toMatchObject({ exit_code: 128 });
  },
);

test.skipIf(lacking)(`a program that is missing ends as it does without a sandbox${unlessLacking}`, async () => {
  const root = folderWith({});
  expect(await run(await sandboxAt(root), root, ["no-such-program"])).toMatchObject({
    exit_code: undefined,
    sandboxed: true,
    output: '["no-such-program" could not be started: ENOENT]',
  });
});

test.skipIf(lacking)(
  `the name of a missing repository is held while commands run, and nothing else lies about${unlessLacking}`,
  async () => {
    const root = folderWith({ "a.txt": "" });
    const sandbox = await sandboxAt(root, { protect: [join(root, ".claude-exec"), join(root, "deep/home")] });
    const wait = (name: string) => `touch ${name}; while [ -e ${name} ]; do sleep 0.01; done; ls -A`;
    const [first, second] = ["one", "two"].map((name) => run(sandbox, root, ["sh", "-c", wait(name)]));
    while (!["one", "two"].every((name) => fs.existsSync(join(root, name)))) await immediately();
    fs.unlinkSync(join(root, "one"));
    expect((await first)?.exit_code).toBe(0);
    const script = "mkdir .git/hooks; mv .git away; rmdir .git; ln -s /tmp .git/x; ls -A";
    expect((await run(sandbox, root, ["sh", "-c", `{ ${script}; } 2>/dev/null`])).output).toBe(".git\na.txt\ntwo\n");
    fs.unlinkSync(join(root, "two"));
    expect((await second)?.exit_code).toBe(0);
    expect(fs.readdirSync(root)).toEqual(["a.txt"]);
  },
);

test.skipIf(lacking)(`a repository that somebody makes while a command runs stays theirs${unlessLacking}`, async () => {
  const root = folderWith({});
  const sandbox = await sandboxAt(root);
  const running = run(sandbox, root, ["sh", "-c", "touch up; while [ -e up ]; do sleep 0.01; done"]);
  while (!fs.existsSync(join(root, "up"))) await immediately();
  spawnSync("git", ["init", "--quiet"], { cwd: root });
  fs.unlinkSync(join(root, "up"));
  await running;
  expect(fs.existsSync(join(root, ".git/HEAD"))).toBe(true);
  const script = "echo x > .git/config || echo refused";
  expect((await run(sandbox, root, ["sh", "-c", `{ ${script}; } 2>/dev/null`])).output).toBe("refused\n");
});

test.skipIf(lacking)(
  `our whole state folder is hidden, and a worktree below it can be a workspace all the same${unlessLacking}`,
  async () => {
    const home = folderWith({
      ".local/state/claude-exec/key": "hunter2",
      ".local/state/claude-exec/worktrees/other/a": "hunter2",
      ".local/state/claude-exec/worktrees/mine/a": "own",
      "elsewhere/claude-exec/key": "hunter2",
    });
    const root = join(home, ".local/state/claude-exec/worktrees/mine");
    const env = { ...process.env, HOME: home, XDG_STATE_HOME: join(home, "elsewhere") };
    const sandbox = await sandboxAt(root, { world: realWorld(env) });
    const script = `cat a; cat ../../key ../other/a ${home}/elsewhere/claude-exec/key 2>/dev/null; echo new > b; cat b`;
    expect((await run(sandbox, root, ["sh", "-c", script])).output).toBe("ownnew\n");
    expect(fs.readFileSync(join(root, "b"), "utf8")).toBe("new\n");
  },
);

test.skipIf(lacking)(`an empty folder of somebody else stays${unlessLacking}`, async () => {
  const root = folderWith({});
  fs.mkdirSync(join(root, ".git"));
  await run(await sandboxAt(root), root, ["true"]);
  expect(fs.readdirSync(root)).toEqual([".git"]);
});

test.skipIf(lacking)(
  `secrets and repositories that came since the last command are closed for the next${unlessLacking}`,
  async () => {
    const root = folderWith({ "a/b": "" });
    const sandbox = await sandboxAt(root);
    const look = ["sh", "-c", "cat a/.env.local 2>&1; echo x 2>&1 > a/.git/config; cat .env 2>&1; true"];
    expect((await run(sandbox, root, ["sh", "-c", "echo made > a/plain; cat a/plain"])).output).toBe("made\n");
    fs.writeFileSync(join(root, "a/.env.local"), "hunter2");
    fs.writeFileSync(join(root, ".env"), "hunter2");
    fs.mkdirSync(join(root, "a/.git"));
    fs.writeFileSync(join(root, "a/.git/config"), "as it was");
    const { output } = await run(sandbox, root, look);
    expect(output).not.toContain("hunter2");
    expect(fs.readFileSync(join(root, "a/.git/config"), "utf8")).toBe("as it was");
    expect(fs.readFileSync(join(root, ".env"), "utf8")).toBe("hunter2");
    fs.unlinkSync(join(root, ".env"));
    expect((await run(sandbox, root, ["sh", "-c", "ls -A a"])).exit_code).toBe(0);
    expect(fs.readdirSync(root)).toEqual(["a"]);
  },
);

test.skipIf(lacking)(`more closed files than fit on one line are closed, too${unlessLacking}`, async () => {
  const long = "a-long-name".repeat(20);
  const many = Array.from({ length: 150 }, (_, at) => `${long}-${at}/server.key`);
  const root = folderWith(Object.fromEntries(many.map((file) => [file, "hunter2"])));
  const { output, exit_code } = await run(await sandboxAt(root), root, [
    "sh",
    "-c",
    "cat */server.key 2>/dev/null; echo done",
  ]);
  expect({ output, exit_code }).toEqual({ output: "done\n", exit_code: 0 });
});

test.skipIf(lacking)(`two sandboxes keep to their own workspaces${unlessLacking}`, async () => {
  const roots = [folderWith({}), folderWith({})] as const;
  const sandboxes = [await sandboxAt(roots[0]), await sandboxAt(roots[1])] as const;
  const script = `echo x > ${roots[0]}/file; echo x > ${roots[1]}/file; true`;
  await Promise.all(roots.map((root, at) => run(sandboxes[at as 0 | 1], root, ["sh", "-c", `sleep 0.05; ${script}`])));
  for (const [at, root] of roots.entries()) {
    fs.rmSync(join(root, "file"));
    await run(sandboxes[at as 0 | 1], root, ["sh", "-c", script]);
    expect(roots.map((other) => fs.existsSync(join(other, "file")))).toEqual([at === 0, true]);
    fs.rmSync(join(root, "file"));
    if (at === 0) fs.writeFileSync(join(roots[1], "file"), "");
  }
});

test.skipIf(lacking)(
  `a process that is killed takes its commands with it, and the next one clears up${unlessLacking}`,
  async () => {
    const root = folderWith({});
    const program = new URL("escaping.ts", import.meta.url).pathname;
    const order = JSON.stringify({ root, protect: [], conceal: [] });
    const child = spawn(process.execPath, [program, order], { stdio: ["pipe", "pipe", "inherit"] });
    await once(child.stdout, "data");
    const script =
      "trap '' TERM HUP INT; (setsid sh -c 'while :; do echo x > beat; sleep 0.02; done' &) ; touch up; while :; do sleep 1; done";
    child.stdin.write(`${JSON.stringify({ script, timeoutMs: 1e9 })}\n`);
    while (!["beat", "up"].every((name) => fs.existsSync(join(root, name)))) await wait(5);
    child.kill("SIGKILL");
    await once(child, "exit");
    while (processesAt(root).length > 0) await wait(5);
    expect(fs.readdirSync(root).toSorted()).toEqual([".git", "beat", "up"]);
    await sandboxAt(root);
    expect(fs.readdirSync(root).toSorted()).toEqual(["beat", "up"]);
    const left = fs.readdirSync(tmpdir()).filter((name) => name.startsWith(`claude-exec-sandbox-${child.pid}-`));
    expect(left).toEqual([]);
  },
);

test.skipIf(lacking)(`a killed process that its parent never collected counts as ended${unlessLacking}`, async () => {
  const root = folderWith({});
  const program = new URL("escaping.ts", import.meta.url).pathname;
  const order = JSON.stringify({ root, protect: [], conceal: [] });
  const parent = spawn("sh", ["-c", '"$@" & echo $!; exec sleep 1000', "sh", process.execPath, program, order]);
  try {
    const [number] = (await once(parent.stdout, "data")) as [Buffer];
    const pid = Number(String(number).split("\n")[0]);
    const left = () => fs.readdirSync(tmpdir()).filter((name) => name.startsWith(`claude-exec-sandbox-${pid}-`));
    while (left().length === 0) await wait(5);
    process.kill(pid, "SIGKILL");
    while (!/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, "utf8"))) await wait(5);
    await sandboxAt(root);
    expect([left(), fs.readdirSync(root)]).toEqual([[], []]);
  } finally {
    parent.kill("SIGKILL");
  }
});

test.skipIf(lacking)(
  `two processes in one folder both have a sandbox, and the last one lets the name of the repository go${unlessLacking}`,
  async () => {
    const root = folderWith({});
    const program = new URL("escaping.ts", import.meta.url).pathname;
    const order = JSON.stringify({ root, protect: [], conceal: [] });
    const started = ["one", "two"].map(() => spawn(process.execPath, [program, order]));
    const opened = await Promise.all(started.map((child) => once(child.stdout, "data")));
    expect(opened.map(([line]) => (JSON.parse(String(line)) as { on: boolean }).on)).toEqual([true, true]);
    const [one, two] = started;
    if (one === undefined || two === undefined) throw new Error("Nothing was started.");
    const scriptFor = (name: string) =>
      JSON.stringify({ script: `touch ${name}; while [ -e ${name} ]; do sleep 0.01; done` });
    for (const [child, name] of [
      [one, "a"],
      [two, "b"],
    ] as const) {
      child.stdin.write(`${scriptFor(name)}\n`);
      while (!fs.existsSync(join(root, name))) await wait(5);
    }
    fs.unlinkSync(join(root, "a"));
    await once(one.stdout, "data");
    expect(fs.readdirSync(root)).toEqual([".git", "b"]);
    one.stdin.write(`${JSON.stringify({ script: "mkdir .git/hooks 2>&1 || echo refused" })}\n`);
    const [third] = (await once(one.stdout, "data")) as [Buffer];
    expect(JSON.parse(String(third))).toMatchObject({ output: expect.stringMatching(/refused\n$/) as unknown });
    two.kill("SIGKILL");
    await once(two, "exit");
    while (processesAt(root).length > 0) await wait(5);
    fs.unlinkSync(join(root, "b"));
    one.stdin.end(`${JSON.stringify({ script: "true" })}\n`);
    await once(one, "exit");
    expect(fs.readdirSync(root)).toEqual([]);
  },
);

const onlyRoot = process.getuid?.() === 0 ? "" : " (skipped: only root can give a folder to somebody else)";

test.skipIf(lacking ?? onlyRoot)(
  `a folder that only looks left behind, and belongs to another user, stays${onlyRoot || unlessLacking}`,
  async () => {
    const theirs = ["closed", "open"].map((name) => {
      const folder = join(tmpdir(), `claude-exec-sandbox-999999999-${name}-${process.pid}`);
      fs.mkdirSync(folder, { mode: 0o700 });
      return folder;
    });
    const [closed = "", open = ""] = theirs;
    fs.chownSync(closed, 65_534, 65_534);
    fs.chmodSync(open, 0o755);
    try {
      await sandboxAt(folderWith({}));
      expect(theirs.filter((folder) => fs.existsSync(folder))).toEqual(theirs);
    } finally {
      for (const folder of theirs) fs.rmSync(folder, { recursive: true, force: true });
    }
  },
);

const immediately = () => new Promise((resolve) => setImmediate(resolve));
