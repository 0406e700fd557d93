import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { runCommand } from "../../../src/programs/run_command.ts";
import { sandboxLine } from "../../../src/programs/sandbox/sandbox.ts";
import { openWorkspace } from "../../../src/workspace/workspace.ts";
import { realWorld } from "../../../src/util/world.ts";
import { cleanUp, folderWith } from "../../support/folders.ts";
import { sandboxAt } from "./sandboxes.ts";

afterEach(cleanUp);

const tried = await sandboxAt(folderWith({}), { tries: true });
const lacking = tried.on ? null : sandboxLine(tried);
const unlessLacking = lacking === null ? "" : ` (skipped: ${lacking})`;
const secret = "hunter-1234567890";

/** A user's machine in small: a workspace in their home, and what lies around it. */
function machine() {
  const base = folderWith({
    "home/ws/src/a.js": "export {};\n",
    "home/ws/.env": `KEY=${secret}\n`,
    "home/ws/.git/HEAD": "ref: refs/heads/main\n",
    "home/ws/.git/hooks/keep": "",
    "home/.ssh/id_ed25519": secret,
    "home/.bashrc": secret,
    "home/other/notes.txt": secret,
    "home/.local/share/keyrings/login": secret,
    "home/go/bin/tool": "#!/bin/sh\n",
    "home/go/src/mine.txt": secret,
    "home/.cargo/registry/crate.rs": "a crate",
    "home/.cargo/credentials.toml": secret,
    "elsewhere/store/dependency.txt": "a module",
    "elsewhere/file": secret,
    "tools/bin/hello": "#!/bin/sh\ncat ${0%/*}/../lib/words\n",
    "tools/lib/words": "hello from PATH\n",
    "tools/secret.txt": secret,
    "installed/v2/bin/real": '#!/bin/sh\ncat "$(dirname "$(readlink -f "$0")")/../lib/words"\n',
    "installed/v2/lib/words": "hello through links\n",
    "installed/v2/secret.txt": secret,
    "home/my/tool": "#!/bin/sh\necho my tool\n",
    "home/my/notes.txt": secret,
    "home/.versions/shims/chosen": '#!/bin/sh\nexec "$(dirname "$0")/../versions/3/bin/chosen"\n',
    "home/.versions/versions/3/bin/chosen": "#!/bin/sh\necho version 3\n",
  });
  const shims = ["home/.versions/shims/chosen", "home/.versions/versions/3/bin/chosen"];
  for (const name of ["tools/bin/hello", "installed/v2/bin/real", "home/my/tool", ...shims])
    fs.chmodSync(join(base, name), 0o755);
  // tools/bin/real → installed/now/bin/real, where now → v2; and tools/bin/run → ../run → ../installed/v2/bin/real.
  fs.symlinkSync("v2", join(base, "installed/now"));
  fs.symlinkSync(join(base, "installed/now/bin/real"), join(base, "tools/bin/real"));
  fs.symlinkSync("installed/v2/bin/real", join(base, "run"));
  fs.symlinkSync("../../run", join(base, "tools/bin/run"));
  fs.symlinkSync(join(base, "home/my/tool"), join(base, "tools/bin/mine"));
  fs.mkdirSync(join(base, "home/go/pkg"), { recursive: true });
  fs.symlinkSync(join(base, "elsewhere/store"), join(base, "home/go/pkg/mod"));
  fs.symlinkSync(join(base, "elsewhere"), join(base, "home/ws/link"));
  return { base, root: join(base, "home/ws"), home: join(base, "home") };
}

async function trying() {
  const { base, root, home } = machine();
  const PATH = `${join(base, "tools/bin")}:${join(home, "go/bin")}:${join(home, ".versions/shims")}:${home}:${process.env["PATH"]}`;
  const world = realWorld({ ...process.env, HOME: home, PATH });
  const sandbox = await sandboxAt(root, { tries: true, world });
  const options = { timeoutMs: 60_000, signal: new AbortController().signal, world, sandbox };
  const workspace = openWorkspace(root, { env: process.env, hide: [] });
  const run = (line: string) => runCommand(workspace, ["sh", "-c", line], options);
  return { base, root, home, run, sandbox };
}

function contentOf(folder: string): string[] {
  return fs.readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
}

test.skipIf(lacking)(
  `it says the same line as the other sandbox, so that it is told once${unlessLacking}`,
  async () => {
    expect(sandboxLine(tried)).toBe(sandboxLine(await sandboxAt(folderWith({}))));
  },
);

test.skipIf(lacking)(`programs, toolchains and dependencies are there${unlessLacking}`, async () => {
  const { run } = await trying();
  const ran = await run(
    'cat src/a.js; hello; cat ~/.cargo/registry/crate.rs; echo; cat ~/go/pkg/mod/*; node -p "1 + 1"',
  );
  expect(ran).toMatchObject({
    exit_code: 0,
    sandboxed: true,
    output: "export {};\nhello from PATH\na crate\na module2\n",
  });
  const wrote = await run(
    'echo a > ~/a && echo b > "$TMPDIR/b" && echo c > /dev/shm/c && cat ~/a "$TMPDIR/b" /dev/shm/c',
  );
  expect(wrote).toMatchObject({ exit_code: 0, output: "a\nb\nc\n" });
  expect((await run('ls -A "$TMPDIR" /dev/shm; cat ~/a')).exit_code, "each command begins with empty folders").not.toBe(
    0,
  );
});

test.skipIf(lacking)(`a link in PATH leads to its program, with the folder lib beside it${unlessLacking}`, async () => {
  const { base, home, run } = await trying();
  expect(await run("real && run && mine")).toMatchObject({
    exit_code: 0,
    output: "hello through links\nhello through links\nmy tool\n",
  });
  expect(await run("chosen"), "a version manager starts its versions").toMatchObject({ output: "version 3\n" });
  const hidden = [`${base}/installed/v2/secret.txt`, `${home}/my/notes.txt`];
  expect((await run(`cat ${hidden.join(" ")}`)).output).not.toContain(secret);
});

const writing = [
  "echo x > new.txt",
  "echo x >> src/a.js",
  "rm -rf src",
  "chmod 777 src/a.js",
  "mkdir -p .git/hooks && echo evil > .git/hooks/pre-commit",
  "ln -s /etc/passwd out",
  "echo x >> link/file",
  "ln -s .. up; echo x > up/escaped",
  "ln src/a.js hard",
  "mv src moved",
  "echo x >> ~/.cargo/registry/crate.rs",
  "echo x > ~/go/pkg/mod/new",
  "mount -o remount,rw .; mount -o remount,bind,rw /; echo x > new.txt",
  "unshare -rm sh -c 'mount -o remount,bind,rw . && echo x > new.txt'",
  "echo x > /etc/new; echo x > /usr/new; echo x > /new; echo x > /dev/new; echo x > /sys/fs/cgroup/new",
];

test.skipIf(lacking)(`nothing of the workspace or the machine can be written${unlessLacking}`, async () => {
  const { base, run } = await trying();
  const before = contentOf(base);
  const texts = () => before.map((path) => [path, statText(join(base, path))]);
  const was = texts();
  expect(await run("echo x > new.txt")).toMatchObject({ exit_code: 2, output: expect.stringContaining("Read-only") });
  for (const line of writing) {
    await run(line);
    expect([line, contentOf(base), texts()]).toEqual([line, before, was]);
  }
});

function statText(path: string): string {
  const stats = fs.lstatSync(path);
  return `${stats.mode} ${stats.nlink} ${stats.isFile() ? fs.readFileSync(path, "utf8") : ""}`;
}

test.skipIf(lacking)(`nothing else of the user can be read, and no credentials${unlessLacking}`, async () => {
  const { base, run } = await trying();
  const reads = [
    "cat .env ~/.ssh/id_ed25519 ~/.bashrc ~/other/notes.txt ~/.local/share/keyrings/login ~/go/src/mine.txt ~/.cargo/credentials.toml",
    `cat link/file ../other/notes.txt ${base}/elsewhere/file ${base}/tools/secret.txt`,
    `grep -rs ${secret} /tmp /root /home /etc /dev/shm`,
    "cat /proc/[0-9]*/environ /proc/1/root/etc/shadow | tr '\\0' '\\n' | grep -i secret",
  ];
  for (const line of reads) expect((await run(line)).output).not.toContain(secret);
  expect((await run("ls -A ~")).output.trim().split("\n").sort()).toEqual([".cargo", ".versions", "go", "my", "ws"]);
});

test.skipIf(lacking)(`there is no network${unlessLacking}`, async () => {
  const { run } = await trying();
  const connect = `require("net").connect({ host: "1.1.1.1", port: 53 }).once("error", ({ code }) => console.log(code))`;
  expect((await run(`node -e '${connect}'`)).output).toMatch(/ENETUNREACH|EPERM|EACCES/);
  expect((await run("ls /sys/class/net 2>/dev/null; cat /proc/net/dev | tail -n +3 | grep -v lo:")).output).not.toMatch(
    /\beth0:/,
  );
});

test.skipIf(lacking)(`300 MB cannot be written, wherever they go${unlessLacking}`, async () => {
  const { run } = await trying();
  const places = '~/big "$TMPDIR/big" /dev/shm/big';
  const fill = `for place in ${places}; do head -c 300000000 /dev/zero > $place; done; du -cb ${places} | tail -1`;
  const { output } = await run(fill);
  expect(output).toContain("No space left on device");
  const total = Number(/(\d+)\ttotal/.exec(output)?.[1]);
  expect(total).toBeGreaterThan(200_000_000);
  expect(total).toBeLessThanOrEqual(256 * 2 ** 20);
});

const unbounded = /not bounded/.test(tried.detail) ? " (skipped: this machine bounds no processes)" : "";

test.skipIf(lacking ?? unbounded)(`no more than 512 processes run at once${unlessLacking || unbounded}`, async () => {
  const { run } = await trying();
  const script = `
      const { spawn } = require("child_process");
      let [started, refused] = [0, 0];
      for (let n = 0; n < 700; n += 1) {
        const child = spawn("/bin/sleep", ["20"], { stdio: "ignore" });
        if (child.pid === undefined) refused += 1; else started += 1;
        child.on("error", () => undefined);
      }
      console.log(started, refused);
      process.exit();`;
  const { output } = await run(`node -e '${script}'`);
  const [started = 0, refused = 0] = output.trim().split(" ").map(Number);
  expect(started).toBeLessThanOrEqual(512);
  expect(started).toBeGreaterThan(300);
  expect(started + refused).toBe(700);
});

test.skipIf(lacking)(`no folder .git is made to hold the name${unlessLacking}`, async () => {
  const root = folderWith({ "a.txt": "" });
  const sandbox = await sandboxAt(root, { tries: true });
  const options = { timeoutMs: 20_000, signal: new AbortController().signal, world: realWorld(), sandbox };
  await runCommand(openWorkspace(root, { env: process.env, hide: [] }), ["sh", "-c", "ls -A"], options);
  expect(fs.readdirSync(root)).toEqual(["a.txt"]);
});

test.skipIf(lacking)(`what it needs is removed when it is closed${unlessLacking}`, async () => {
  const ours = () => fs.readdirSync(tmpdir()).filter((name) => name.startsWith(`claude-exec-sandbox-${process.pid}-`));
  const before = ours().length;
  const sandbox = await sandboxAt(folderWith({}), { tries: true });
  expect(ours()).toHaveLength(before + 1);
  await sandbox.close();
  expect(ours()).toHaveLength(before);
});
