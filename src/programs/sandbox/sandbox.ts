import fs from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { messageOf, systemCode, UserError } from "../../util/errors.ts";
import { quoted, quotedLine } from "../../util/quoting.ts";
import { knownProcessors, planOf } from "./bubblewrap.ts";
import type { Plan } from "./bubblewrap.ts";
import { closedFinder } from "../../workspace/closed_paths.ts";
import { userSecrets } from "./user_secrets.ts";
import { holdGitName } from "../../workspace/git_name.ts";
import { follow, isInside, statsOf } from "../../workspace/place.ts";
import { envOutside } from "../../workspace/path_outside.ts";
import { environment, findProgram } from "../run_command.ts";
import { cleanCopies } from "./git_settings.ts";
import { pipeFinder } from "./named_pipes.ts";
import { readOnlyView } from "./read_only_view.ts";
import { wrapWithRuntime, type Runtime } from "./runtime.ts";
import { proveSandbox } from "./sandbox_proof.ts";
import { openSessionFolder } from "./session_folder.ts";
import type { Lack, Sandbox, SandboxOptions } from "./types.ts";
import type { SessionFolder } from "./session_folder.ts";

export function sandboxLine(sandbox: Pick<Sandbox, "on" | "detail" | "hint">): string {
  if (sandbox.on) return `sandbox: on (${sandbox.detail})`;
  return ["sandbox: OFF", sandbox.detail, sandbox.hint].filter((part) => part !== null).join(" – ");
}

/** Opens one that has just proved itself; where it cannot, it is off and says why. */
export async function openSandbox(asked: SandboxOptions): Promise<Sandbox> {
  const options = { ...asked, world: { ...asked.world, env: envOutside(asked.root, asked.world.env) } };
  if (options.tries && process.platform !== "linux") {
    return off({ detail: "commands can be tried on Linux only", hint: "Use Linux or WSL2" });
  }
  const runtime = findRuntime(environment(options.world.env));
  if ("detail" in runtime) return off(runtime);
  const session = openSessionFolder(processLimitOf(options));
  const sandbox = sandboxOf(runtime, options, session);
  const failed = await proveSandbox(sandbox, options, session);
  if (failed === undefined) return sandbox;
  await sandbox.close();
  return off(failed);
}

function off({ detail, hint }: Lack): Sandbox {
  return {
    on: false,
    detail,
    hint,
    wrap: async (argv) => argv,
    release: () => undefined,
    close: async () => undefined,
  };
}

function findRuntime(env: Record<string, string>): Runtime | Lack {
  const { platform, arch } = process;
  if (platform !== "linux" && platform !== "darwin") {
    return { detail: `there is none for ${platform}`, hint: "Use Linux, macOS or WSL2" };
  }
  if (platform === "linux" && !knownProcessors.includes(arch)) {
    return { detail: `there is none for ${arch} processors`, hint: `Use ${knownProcessors.join(" or ")}` };
  }
  const [bubblewrap, nothingToDo] = ["bwrap", "true"].map((name) => findProgram(name, env, "/"));
  if (platform === "linux" && bubblewrap === undefined) {
    return { detail: "bubblewrap is not installed", hint: "Debian and Ubuntu: apt install bubblewrap" };
  }
  try {
    const file = createRequire(import.meta.url).resolve("@anthropic-ai/sandbox-runtime");
    // What its own search would find is found by us: it begins at this process's folder, not at the workspace.
    const search = { command: nothingToDo ?? "true" };
    const programs = bubblewrap === undefined ? {} : { bwrapPath: bubblewrap };
    const settings = { network: noNetwork, filesystem: nothing, ripgrep: search, ...programs };
    return { file, settings, env };
  } catch (error) {
    if (systemCode(error) !== "MODULE_NOT_FOUND") throw error;
    return {
      detail: "the package @anthropic-ai/sandbox-runtime is not installed",
      hint: "npm install --global claude-exec",
    };
  }
}

const nothing = { denyRead: [], allowRead: [], allowWrite: [], denyWrite: [] };

/**
 * The runtime is never initialised: that would start the proxy through which it lets some domains be reached, and
 * without one nothing leaves the sandbox.
 */
function sandboxOf(runtime: Runtime, options: SandboxOptions, session: SessionFolder): Sandbox {
  const { root, protect, conceal, world, tries = false } = options;
  const findClosed = closedFinder(root);
  const findPipes = pipeFinder(root, world.env);
  const secrets = [...userSecrets(world.env), ...conceal, join(session.own, "secret")];
  // Where the runtime is installed in the workspace itself, no command may change it.
  const runtimeFolder = join(dirname(runtime.file), "..");
  const kept = [join(root, ".git"), join(root, ".env"), session.own, runtimeFolder, ...protect];
  const running = new WeakMap<readonly string[], () => void>();
  let known: { plan: Plan; key: string } | undefined;

  const access = () => {
    const found = findClosed();
    const [link] = [...found.links, ...protect.filter((path) => isInside(root, path) && isLink(path))];
    if (link !== undefined) throw refused(`${link} is a symbolic link, and nothing would keep it in its place`);
    const unreadable = [...secrets, ...found.unreadable, ...findPipes()];
    // A workspace can lie in a concealed folder, e.g. a worktree in our state folder: there it stays writable.
    const beside = unreadable.filter((path) => !isInside(path, root));
    const unwritable = [...kept, ...found.unwritable, ...beside];
    const gits = found.unwritable.filter((path) => basename(path).toLowerCase() === ".git");
    // A repository can name any folder as its own: what is concealed there must not come to light by a copy.
    const isOpen = (path: string) =>
      !(isInside(root, path) ? beside : unreadable).some((closed) => isInside(closed, path));
    const copies = cleanCopies(root, gits, world.env["HOME"] ?? "/", session.own).filter(({ of }) => isOpen(of));
    return { unreadable, unwritable, copies };
  };
  const callFor = async (
    script: string,
    { unreadable, unwritable }: Record<"unreadable" | "unwritable", readonly string[]>,
  ) => {
    const filesystem = {
      denyRead: unreadable.map(literal),
      allowRead: [],
      allowWrite: tries ? [] : [root, session.temporary].map(literal),
      denyWrite: unwritable.map(literal),
    };
    try {
      return await wrapWithRuntime(runtime, script, filesystem);
    } catch (error) {
      throw refused(messageOf(error));
    }
  };
  const planNow = async (): Promise<Plan> => {
    const { unreadable, unwritable, copies } = access();
    const keyOf = (targets: readonly string[]) =>
      `${stateOf(root, [...unwritable, ...targets])}\n${JSON.stringify(copies)}`;
    if (known !== undefined && known.key === keyOf(known.plan.targets)) return known.plan;
    const call = await callFor("command", { unreadable, unwritable });
    const viewFor = (program: string) => readOnlyView(root, world.env, [program, process.execPath]);
    const plan = planOf(call, session, copies, tries ? viewFor : undefined);
    known = { plan, key: keyOf(plan.targets) };
    return plan;
  };
  return {
    on: true,
    detail: detailOf(session),
    hint: null,
    async wrap(argv) {
      const script = scriptOf(argv, options, session);
      if (process.platform !== "linux") return ["/bin/sh", "-c", (await callFor(script, access())).call];
      const release = tries ? () => undefined : holdGitName(root);
      try {
        const wrapped = [...(await planNow()).argv, script];
        running.set(wrapped, release);
        return wrapped;
      } catch (error) {
        release();
        throw error;
      }
    },
    release(wrapped) {
      running.get(wrapped)?.();
      running.delete(wrapped);
    },
    async close() {
      session.close();
    },
    at: (folder) => openSandbox({ ...options, root: folder, conceal: [...conceal, ...findClosed().unreadable] }),
  };
}

function refused(why: string): UserError {
  return new UserError(
    "sandbox_failed",
    `The sandbox cannot be set up: ${why}.`,
    "No command was run. Remove the cause.",
  );
}

/** All that a plan depends on: where each path leads, how far it exists, and who may make what is missing. */
function stateOf(root: string, paths: readonly string[]): string {
  const lines = paths.map((path) => {
    // Outside the workspace no command can make what is missing.
    if (statsOf(path) === undefined && !isInside(root, path)) return path;
    const way = follow(path);
    if (typeof way === "string") return `${path} ${way}`;
    const { mode, uid } = fs.statSync(way.real);
    return [path, way.real, way.missing.join("/"), mode, uid].join(" ");
  });
  return [process.cwd(), ...lines].join("\n");
}

const noNetwork = { allowedDomains: [], deniedDomains: [] };

const literal = (path: string) => ({ path, literal: true as const });

const isLink = (path: string) => fs.lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;

const processLimitOf = ({ tries }: SandboxOptions) => (tries ? 512 : 2048);
const fileLimitBytes = 2 ** 31;

/** Shells name the limit on processes by different letters. What is bounded more tightly already stays so. */
function scriptOf(argv: readonly string[], options: SandboxOptions, session: SessionFolder): string {
  const { root, world, tries } = options;
  const temporary = tries ? "/tmp" : session.temporary;
  const folder = (name: string, ...way: string[]) => `export ${name}=${quoted(join(temporary, ...way))}`;
  const view = tries ? readOnlyView(root, world.env, []) : undefined;
  const processLimit = processLimitOf(options);
  return [
    ...(view ? [`export PATH=${quoted(view.path)}`] : []),
    ...(view?.home === undefined ? [] : [`export HOME=${quoted(view.home)}`]),
    folder("TMPDIR"),
    folder("GOCACHE", "go-build"),
    "ulimit -c 0",
    `ulimit -f ${fileLimitBytes / 512} 2>/dev/null`,
    `{ ulimit -u ${processLimit} || ulimit -p ${processLimit}; } 2>/dev/null`,
    `exec ${quotedLine(argv)}`,
  ].join("\n");
}

/** The same for both sandboxes, so that it is told once. */
function detailOf(session: SessionFolder): string {
  const by = process.platform === "linux" ? "bubblewrap" : "seatbelt";
  const unbounded = process.getuid?.() === 0 && session.group === null ? ", number of processes not bounded" : "";
  return `${by}, no network; commands write only here, and only once you approve${unbounded}`;
}
