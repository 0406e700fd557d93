import fs from "node:fs";
import { createServer, type Server } from "node:net";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { UserError } from "../../util/errors.ts";
import { parseJson } from "../../util/json.ts";
import { onlyOutput } from "../descriptors.ts";
import { environment } from "../run_command.ts";
import { writableBytes } from "./read_only_view.ts";
import type { Lack, Sandbox, SandboxOptions } from "./types.ts";
import type { SessionFolder } from "./session_folder.ts";

/** Starts one program inside, which tries what must fail, and what must work. Undefined: everything is as it must be. */
export async function proveSandbox(
  sandbox: Sandbox,
  { root, world, tries = false }: SandboxOptions,
  { own }: SessionFolder,
): Promise<Lack | undefined> {
  const canary = randomUUID();
  fs.writeFileSync(join(own, "canary"), canary);
  fs.writeFileSync(join(own, "secret"), canary);
  const tcp = await listening({ host: "127.0.0.1", port: 0 });
  const unix = await listening({ path: join(own, "socket") });
  const address = tcp.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  const question = {
    own,
    root,
    port,
    probe: `.claude-exec-probe-${canary}`,
    namespaces: namespaces(),
    tries,
    writableBytes,
  };
  try {
    const wrapped = await sandbox.wrap([process.execPath, "-e", attempts, JSON.stringify(question)]);
    const { execa } = await import("execa");
    const [program = "", ...rest] = wrapped;
    const streams = { stdio: onlyOutput(), reject: false, timeout: 20_000, killDescendants: true } as const;
    const env = environment(world.env);
    const ran = await execa(program, rest, { ...streams, cwd: root, env, extendEnv: false });
    sandbox.release(wrapped);
    const answer = reply.safeParse(parseJson(ran.stdout));
    if (!answer.success) return { detail: `it does not start: ${lastLine(ran.stderr)}`, hint: toStart };
    const [first] = answer.data.wrong;
    return first === undefined ? undefined : { detail: `its test failed: ${first}`, hint: toTrust };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { detail: error.message.replace(/\.$/, ""), hint: "Remove the cause; until then every command asks" };
  } finally {
    tcp.close();
    unix.close();
  }
}

const reply = z.object({ wrong: z.array(z.string()) });

const toStart =
  "In a container, allow user namespaces (docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined); " +
  "on Ubuntu: sysctl kernel.apparmor_restrict_unprivileged_userns=0";
const toTrust = "This system lets commands out; run claude-exec in a container or a virtual machine";

function listening(where: { host: string; port: number } | { path: string }): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", reject);
    server.listen(where, () => resolve(server));
  });
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) || "it says nothing";
}

function namespaces(): Record<string, string> {
  if (process.platform !== "linux") return {};
  const names = ["ipc", "mnt", "net", "pid", "user"];
  return Object.fromEntries(names.map((name) => [name, fs.readlinkSync(`/proc/self/ns/${name}`)]));
}

/** Run by Node inside the sandbox. A connection that is not made within a second is none. */
const attempts = `
const fs = require("fs"), net = require("net");
const { own, root, port, probe, namespaces, tries, writableBytes } = JSON.parse(process.argv[1]);
const wrong = [];
const never = (what, work) => { try { work(); wrong.push(what); } catch {} };
never("a file outside the workspace could be written", () => fs.appendFileSync(own + "/canary", "x"));
never("a file outside the workspace could be made", () => fs.writeFileSync(own + "/made", "x"));
never("a concealed file could be read", () => { if (!fs.readFileSync(own + "/secret").length) throw 0; });
never("the folder of git could be written", () => { fs.mkdirSync(root + "/.git", { recursive: true }); fs.writeFileSync(root + "/.git/" + probe, ""); });
never("the kernel's settings could be written", () => fs.openSync("/proc/sys/kernel/core_pattern", "r+"));
for (const [name, id] of Object.entries(namespaces))
  if (fs.readlinkSync("/proc/self/ns/" + name) === id) wrong.push("the " + name + " namespace is shared");
if (tries) {
  never("the workspace could be written", () => { fs.writeFileSync(root + "/" + probe, ""); fs.unlinkSync(root + "/" + probe); });
  never("a file outside the workspace could be read", () => fs.readFileSync(own + "/canary"));
  const spaces = new Map([process.env.TMPDIR, process.env.HOME, "/dev/shm"].filter((path) => path && fs.existsSync(path)).map((path) => [fs.statSync(path).dev, fs.statfsSync(path)]));
  spaces.delete(fs.statSync(root).dev);
  if ([...spaces.values()].reduce((sum, { blocks, bsize }) => sum + blocks * bsize, 0) > writableBytes) wrong.push("the temporary space has no limit");
  for (const path of ["/", "/dev", "/etc", "/usr"]) never(path + " could be written", () => { fs.writeFileSync(path + "/" + probe, ""); fs.unlinkSync(path + "/" + probe); });
} else try { fs.writeFileSync(root + "/" + probe, ""); fs.unlinkSync(root + "/" + probe); } catch (error) { wrong.push("the workspace cannot be written (" + error.code + ")"); }
try { fs.writeFileSync(process.env.TMPDIR + "/" + probe, ""); fs.unlinkSync(process.env.TMPDIR + "/" + probe); } catch (error) { wrong.push("the temporary folder cannot be written (" + error.code + ")"); }
const reaches = (where) => new Promise((resolve) => {
  const socket = net.connect(where, () => resolve(true));
  socket.once("error", () => resolve(false));
  setTimeout(resolve, 1000, false).unref();
});
Promise.all([reaches({ host: "127.0.0.1", port }), reaches({ path: own + "/socket" })]).then(([tcp, unix]) => {
  if (tcp) wrong.push("a server on this machine could be reached");
  if (unix) wrong.push("a socket in the file system could be reached");
  console.log(JSON.stringify({ wrong }));
  process.exit();
});`;
