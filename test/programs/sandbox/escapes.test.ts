import { execFileSync, spawn, spawnSync } from "node:child_process";
import type { ChildProcess, SpawnOptionsWithStdioTuple } from "node:child_process";
import dgram from "node:dgram";
import { once } from "node:events";
import fs from "node:fs";
import { createServer, type Server } from "node:net";
import { basename, dirname, join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { afterAll, expect, test, type TestContext } from "vitest";
import type { CommandRun } from "../../../src/programs/run_command.ts";
import { runCommand } from "../../../src/programs/run_command.ts";
import { openWorkspace } from "../../../src/workspace/workspace.ts";
import { sha256 } from "../../../src/util/hash.ts";
import { realWorld } from "../../../src/util/world.ts";
import { rows, type Row } from "./escape_rows.ts";
import { cleanUp, folderWith } from "../../support/folders.ts";
import { lacking, unlessLacking } from "./sandboxes.ts";

const root = process.geteuid?.() === 0;
const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
const secret = `hunter-${sha256(String(process.pid)).slice(0, 20)}`;
const program = new URL("escaping.ts", import.meta.url).pathname;
const shared = `/dev/shm/claude-exec-${process.pid}`;

afterAll(() => {
  cleanUp();
  fs.rmSync(shared, { force: true });
});

const inPackages = [
  ".env",
  "plain/.env",
  "plain/node_modules/inner/.env",
  "@scope/one/.env.local",
  ".pnpm/one@1.0.0/node_modules/one/.env",
];

/** Where tools keep keys and what was typed. */
const inHome = `.ssh/id_ed25519 .aws/credentials .npmrc .netrc .config/gh/hosts.yml .docker/config.json .kube/config
  .config/gcloud/credentials.db .azure/accessTokens.json .terraform.d/credentials.tfrc.json .cargo/credentials.toml
  .gem/credentials .pypirc .m2/settings.xml .gradle/gradle.properties .git-credentials .config/op/config
  .password-store/a.gpg .local/share/keyrings/login.keyring .psql_history .mysql_history .rediscli_history
  .node_repl_history .python_history .sqlite_history .local/share/fish/fish_history .config/glab-cli/config.yml
  .config/rclone/rclone.conf .config/doctl/config.yaml .config/stripe/config.toml .oci/config .s3cfg .fly/config.yml
  .kaggle/kaggle.json .cache/huggingface/token .codex/auth.json .config/github-copilot/hosts.json .irb_history
  .bundle/config .config/containers/auth.json .lesshst .viminfo .thunderbird/profiles.ini .config/pip/pip.conf
  .mylogin.cnf .config/Signal/config.json .local/state/claude-exec/key .local/share/claude-exec/a`.split(/\s+/);

/** A machine in small: what lies around a workspace, and who listens there. */
async function placeFor(who: readonly string[]) {
  const base = folderWith({
    "ws/src/a.ts": "export {};\n",
    "ws/.env": `KEY=${secret}\n`,
    "ws/deep/.env.production": secret,
    "ws/deep/server.key": secret,
    "ws/module/.git": "gitdir: ../.git/modules/module\n",
    "outside/file": "as it was\n",
    "hidden/file": secret,
    "hidden/config": `[one]\n\tpassword = x\n\tkept = ${secret}\n`,
    "home/.bashrc": "",
    ...Object.fromEntries(inPackages.map((name) => [`ws/node_modules/${name}`, secret])),
    ...Object.fromEntries(inHome.map((name) => [`home/${name}`, secret])),
    "home/.npm/_logs/log": "",
    "home/.claude/debug/log": "",
  });
  const ws = join(base, "ws");
  for (const folder of ["ws/scratch", "tmp"]) fs.mkdirSync(join(base, folder));
  for (const args of [
    ["init", "--quiet"],
    ["add", "src"],
    ["commit", "--quiet", "-m", "start"],
  ]) {
    execFileSync("git", ["-c", "user.name=x", "-c", "user.email=x@x", ...args], { cwd: ws });
  }
  const remote = `url = https://me:${secret}@example.com/x\n`;
  const header = `extraheader = "AUTHORIZATION: basic ${secret}"\n`;
  fs.appendFileSync(join(ws, ".git/config"), `[remote "one"]\n\t${remote}[http "https://x/"] ${header}`);
  for (const [name, text] of [
    [".git/modules/one/config", `[remote "one"]\n\t${remote}`],
    ["named/.git", `gitdir: ${join(base, "hidden")}\n`],
    [".git/modules/one/HEAD", "ref: refs/heads/main\n"],
    ["../home/.gitconfig", `[credential]\n\thelper = "!f() { echo \\\n\tpassword=${secret}; }; f"\n`],
  ] as const) {
    fs.mkdirSync(dirname(join(ws, name)), { recursive: true });
    fs.writeFileSync(join(ws, name), text);
  }
  fs.linkSync(join(ws, ".env"), join(ws, "notes.txt"));
  fs.linkSync(join(ws, "deep/.env.production"), join(ws, "src/deep.txt"));
  // What is looked up in the workspace runs outside of it.
  for (const name of ["which", "true", "bwrap", "rg", "socat", "npm"]) {
    const file = join(ws, "node_modules/.bin", name);
    fs.mkdirSync(dirname(file), { recursive: true });
    fs.writeFileSync(file, `#!/bin/sh\necho ${name} >> ${join(base, "outside/file")}\n`, { mode: 0o755 });
  }
  fs.writeFileSync(shared, secret);
  if (who.length > 0) execFileSync("chown", ["-R", "65534:65534", base, shared]);
  fs.chmodSync(base, 0o755);

  const heard: string[] = [];
  const listening = async (where: object) => {
    const server = createServer((socket) => (heard.push(JSON.stringify(where)), socket.destroy()));
    server.listen(where);
    await once(server, "listening");
    return server;
  };
  const abstract = `claude-exec-${process.pid}-${basename(base)}`;
  const servers = await Promise.all([
    listening({ host: "127.0.0.1", port: 0 }),
    listening({ path: join(base, "socket") }),
    listening({ path: `\0${abstract}` }),
  ]);
  fs.chmodSync(join(base, "socket"), 0o777);
  const udp = dgram.createSocket("udp4").on("message", () => heard.push("a datagram"));
  udp.bind(0, "127.0.0.1");
  await once(udp, "listening");
  const datagrams = spawn("perl", ["-MSocket", "-e", hearing, join(base, "datagrams")]);
  datagrams.stdout.on("data", (text: Buffer) => heard.push(String(text)));
  await once(datagrams.stdout, "data");
  heard.length = 0;
  fs.chmodSync(join(base, "datagrams"), 0o777);
  const pipes = [join(base, "home/.npm/fifo"), join(base, "home/fifo")].map((path) => openPipe(path));
  const [sleep, ...rest] = [...who, "sleep", "7420"];
  const other = spawn(sleep, rest, { stdio: "ignore" });
  const variables: Record<string, string | number | undefined> = {
    OUT: join(base, "outside/file"),
    HIDDEN: join(base, "hidden"),
    HOME: join(base, "home"),
    NAME: basename(shared),
    SOCKET: join(base, "socket"),
    DATAGRAMS: join(base, "datagrams"),
    ABSTRACT: abstract,
    FIFO: join(base, "home/.npm/fifo"),
    PID: other.pid,
    PORT: portOf(servers[0]),
    UDP: udp.address().port,
  };
  const close = () => {
    other.kill("SIGKILL");
    for (const server of servers) server.close();
    udp.close();
    datagrams.kill("SIGKILL");
    for (const pipe of pipes) fs.closeSync(pipe);
  };
  const written = () => pipes.map((pipe) => textIn(pipe)).join("");
  return { base, ws, variables, heard, written, other, close, before: stateOf(base) };
}

/** A server for datagrams, which Node has none of in the file system. */
const hearing = `$| = 1; my $text; socket(my $own, AF_UNIX, SOCK_DGRAM, 0);
  bind($own, pack_sockaddr_un($ARGV[0])) or die; print "ready\\n";
  print "a datagram: $text\\n" while defined recv($own, $text, 99, 0)`;

/** Opened for reading and writing, a named pipe can be written by anybody at once, and read without waiting. */
function openPipe(path: string): number {
  execFileSync("mkfifo", ["-m", "666", path]);
  fs.chmodSync(path, 0o666);
  return fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
}

function textIn(pipe: number): string {
  const bytes = Buffer.alloc(100);
  try {
    return bytes.toString("utf8", 0, fs.readSync(pipe, bytes));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EAGAIN") return "";
    throw error;
  }
}

/** Descriptors as `exec 30<> file` in a shell leaves them open: a file and a folder outside of the workspace. */
function leftOpen(base: string): { stdio: ("ignore" | number)[]; close: () => void } {
  const file = fs.openSync(join(base, "outside/file"), "r+");
  const folder = fs.openSync(join(base, "outside"), "r");
  const stdio = Array.from({ length: 198 }, (): "ignore" | number => "ignore");
  for (const at of [17, 30, 200]) stdio[at - 3] = file;
  stdio[31 - 3] = folder;
  return { stdio, close: () => [file, folder].forEach((one) => fs.closeSync(one)) };
}

type Place = Awaited<ReturnType<typeof placeFor>>;

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Everything below a folder but what may change, by path, mode, kind and content. */
function stateOf(base: string): string[] {
  const free = ["tmp", "ws/scratch"];
  const paths = fs.readdirSync(base, { recursive: true, encoding: "utf8" });
  const kept = paths.filter((path) => !free.some((folder) => path === folder || path.startsWith(`${folder}/`)));
  return kept.toSorted().map((path) => {
    const stats = fs.lstatSync(join(base, path));
    const content = stats.isFile() ? `${sha256(fs.readFileSync(join(base, path)))} ${stats.mtimeMs}` : "";
    return `${path} ${stats.mode.toString(8)} ${stats.uid} ${content}`;
  });
}

/** What is not as it was, or came to light. */
function harmOf(place: Place, { output }: CommandRun): string[] {
  const harm: string[] = [];
  const after = stateOf(place.base);
  harm.push(...after.filter((line) => !place.before.includes(line)).map((line) => `new or changed: ${line}`));
  const names = new Set(after.map((line) => line.split(" ")[0]));
  harm.push(...place.before.filter((line) => !names.has(line.split(" ")[0])).map((line) => `gone: ${line}`));
  harm.push(...place.heard.splice(0).map((what) => `heard: ${what}`));
  const written = place.written();
  if (written !== "") harm.push(`written to a named pipe: ${written}`);
  if (output.includes(secret)) harm.push("a secret was told");
  if (output.includes("ESCAPED")) harm.push(`it says it got out: ${output}`);
  if (fs.readFileSync(shared, "utf8") !== secret) harm.push("shared memory was changed");
  if (!runs(place.other)) harm.push("another process was ended");
  for (const [kind, option] of Object.entries({ shm: "-M", msg: "-Q", sem: "-S" })) {
    if (!fs.readFileSync(`/proc/sysvipc/${kind}`, "utf8").includes(String(0x5eed0001))) continue;
    harm.push(`${kind} was made`);
    execFileSync("ipcrm", [option, "0x5eed0001"]);
  }
  harm.push(
    ...commandLines()
      .filter((line) => line.includes("sleep 7421"))
      .map((line) => `still runs: ${line}`),
  );
  return harm;
}

/** A zombie that nobody has collected yet does not run. */
function runs({ pid }: ChildProcess): boolean {
  const status = `/proc/${pid}/status`;
  return fs.existsSync(status) && !/^State:\s+Z/m.test(fs.readFileSync(status, "utf8"));
}

function commandLines(): string[] {
  return fs.readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      return [fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")];
    } catch {
      return []; // It has ended since.
    }
  });
}

function scriptOf(row: Row, variables: Place["variables"]): string {
  const exported = Object.entries(variables).map(([name, value]) => `export ${name}='${value}'`);
  return [...exported, row.script].join("\n");
}

/** Runs each row as `who`, one after the other; what came of it, by idea. */
async function attempt(who: readonly string[], context: TestContext): Promise<Record<string, string[]>> {
  const place = await placeFor(who);
  const { base, ws } = place;
  const env = {
    PATH: [join(ws, "node_modules/.bin"), dirname(process.execPath), process.env["PATH"]].join(":"),
    HOME: join(base, "home"),
    TMPDIR: join(base, "tmp"),
    ANTHROPIC_API_KEY: secret,
    AWS_SECRET_ACCESS_KEY: secret,
    GITHUB_TOKEN: secret,
    FOO_SECRET: secret,
  };
  const order = { root: ws, protect: [join(ws, ".claude-exec")], conceal: [join(base, "hidden")] };
  const [command, ...rest] = [...who, process.execPath, program, JSON.stringify(order)];
  const left = leftOpen(base);
  const options = { env, cwd: ws, stdio: ["pipe", "pipe", "inherit", ...left.stdio] as const };
  const child = spawn(command, rest, options as unknown as SpawnOptionsWithStdioTuple<"pipe", "pipe", "inherit">);
  left.close();
  const lines = linesOf(createInterface({ input: child.stdout }));
  try {
    const opened = (await lines()) as { on: boolean; line: string } | undefined;
    if (who.length > 0 && opened?.line.includes("it does not start")) context.skip(opened.line);
    expect(opened).toMatchObject({ on: true });
    const found: Record<string, string[]> = {};
    for (const row of rows) {
      const script = scriptOf(row, { ...place.variables, PARENT: child.pid });
      child.stdin.write(`${JSON.stringify({ script })}\n`);
      const ran = (await lines()) as CommandRun | undefined;
      if (ran === undefined) throw new Error(`It ended at: ${row.idea}`);
      const harm = [...harmOf(place, ran), ...(ran.sandboxed ? [] : ["it ran bare"])];
      if (harm.length > 0) found[row.idea] = harm;
      place.before = stateOf(base);
      emptied(join(ws, "scratch"));
    }
    child.stdin.end();
    await once(child, "exit");
    const left = fs.readdirSync(join(base, "tmp"));
    return left.length === 0 ? found : { ...found, "what is left behind": left };
  } finally {
    child.kill("SIGKILL");
    place.close();
  }
}

function emptied(folder: string): void {
  for (const name of fs.readdirSync(folder)) fs.rmSync(join(folder, name), { recursive: true, force: true });
}

function linesOf(reader: Interface): () => Promise<unknown> {
  const iterator = reader[Symbol.asyncIterator]();
  return async () => {
    const { value, done } = await iterator.next();
    return done === true ? undefined : (JSON.parse(value) as unknown);
  };
}

test("there are more than forty ways out to be tried, each by another idea", () => {
  expect(new Set(rows.map((row) => row.idea)).size).toBe(rows.length);
  expect(rows.length).toBeGreaterThanOrEqual(60);
});

const skipped = root ? unlessLacking : " (skipped: only root can be root)";

test.skipIf(lacking ?? !root)(`root gets out by none of them${skipped}`, async (context) => {
  expect(await attempt([], context)).toEqual({});
});

test.skipIf(lacking)(`an ordinary user gets out by none of them${unlessLacking}`, async (context) => {
  if (root && spawnSync(nobody[0] ?? "", [...nobody.slice(1), process.execPath, program]).status === null)
    context.skip("There is no setpriv.");
  expect(await attempt(root ? nobody : [], context)).toEqual({});
});

test.skipIf(lacking ?? !root)(`those that can be tried bare do their harm then${skipped}`, async () => {
  const harmless: string[] = [];
  const path = [dirname(process.execPath), process.env["PATH"]].join(":");
  for (const row of rows.filter(({ bites }) => bites)) {
    const place = await placeFor([]);
    const holder = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], {
      env: { KEY: secret },
      stdio: "ignore",
    });
    const signal = new AbortController().signal;
    const world = realWorld({ PATH: path, HOME: join(place.base, "home"), TMPDIR: join(place.base, "tmp") });
    const script = scriptOf(row, { ...place.variables, PARENT: holder.pid });
    const options = { timeoutMs: 20_000, signal, world };
    const ran = await runCommand(
      openWorkspace(place.ws, { env: process.env, hide: [] }),
      ["/bin/sh", "-c", script],
      options,
    );
    // What was sent has to be heard.
    await new Promise((resolve) => setImmediate(resolve));
    if (harmOf(place, ran).length === 0) harmless.push(row.idea);
    holder.kill("SIGKILL");
    place.close();
  }
  expect(harmless).toEqual([]);
});
