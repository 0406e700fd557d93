import { cpSync, mkdtempSync, readdirSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { exitCodes, messageOf, systemCode, UserError } from "../util/errors.ts";
import type { World } from "../util/world.ts";
import { envOutside } from "../workspace/path_outside.ts";
import { isFolder, makeFolder } from "../util/files.ts";
import { nextList, type Advice, type Next } from "../util/next.ts";
import type { Session } from "../session/session.ts";
import { contextsOf } from "../session/home.ts";
import { text } from "../session/options.ts";
import { newOperation } from "./chains.ts";
import { baseUrlOf } from "../session/choose_model.ts";
import { operation } from "./operation.ts";
import { packageFolder, packageVersion, userFolders } from "../session/places.ts";
import { rememberedTestCommand } from "../session/test_commands.ts";
import { typed } from "../tools/test_command.ts";
import { readDotEnv } from "../session/settings.ts";

export const trustOperation = operation({
  name: "trust",
  summary: "Trust a folder: its prompts, rules and settings count, and its code may run in the sandbox",
  permission: "change",
  positional: ["folder"],
  result: async () => (await import("./results.ts")).trustResult,
  options: [],
  input: () => z.object({ folder: z.string().default(".").describe("The folder; this one if left out") }),
  run(input, session) {
    const folder = resolve(session.cwd, input.folder);
    if (!isFolder(folder)) {
      throw new UserError(
        "no_folder",
        `${folder} is not a folder. Nothing was trusted.`,
        { operation: "trust", input: { folder: "<folder>" }, why: "Name one" },
        exitCodes.usage,
      );
    }
    const path = session.trust(folder);
    return Promise.resolve({ exit: exitCodes.done, data: { trusted: path } });
  },
});

export const demoTask = "Add JWT authentication to my app";

export const demoOperation = operation({
  name: "demo",
  summary: "A rehearsal without any key: a recorded model, a small real app, real files and tests",
  permission: "run",
  positional: [],
  result: async () => (await import("./results.ts")).chainResult,
  options: ["permission"],
  input: () =>
    z.object({
      answers: text.optional().describe("JSON file with answers to questions"),
      approve_policy: z
        .enum(["ask", "auto"], "is neither ask nor auto")
        .default("ask")
        .describe("auto approves without asking"),
      folder: text.optional().describe("Empty folder for the copy of the app (a temporary one if left out)"),
    }),
  prepare(input, cwd, { permission }) {
    const folder =
      input.folder === undefined
        ? mkdtempSync(join(tmpdir(), "claude-exec-demo-"))
        : emptyFolder(resolve(cwd, input.folder));
    cpSync(join(packageFolder, "examples", "session-app"), folder, { recursive: true });
    return {
      cwd: folder,
      options: {
        home: join(folder, ".claude-exec"),
        replay: join(packageFolder, "examples", "recordings", "jwt.json"),
        permission: permission ?? (input.approve_policy === "auto" ? "edits" : "ask"),
        // What runs are the tests of the app that is shipped, in a copy of it.
        unsandboxed: true,
        trust: true,
      },
    };
  },
  async run({ answers, approve_policy }, session, caller) {
    const given = newOperation.input.parse({ task: demoTask, answers, approve_policy });
    const answer = await newOperation.run(given, session, caller);
    if (!("ending" in answer.data)) return answer;
    return { ...answer, data: { ...answer.data, rehearsal: { folder: realpathSync(session.cwd) } } };
  },
});

/** Somebody's own files must not be overwritten by those of the demo. */
function emptyFolder(path: string): string {
  makeFolder(path, 0o777);
  if (readdirSync(path).length === 0) return path;
  const next = { input: { folder: null }, why: "Name an empty folder, or take a temporary one" };
  throw new UserError("no_folder", `${path} is not empty. Nothing was copied.`, next, exitCodes.usage);
}

export const demoAnswers = join(packageFolder, "examples", "recordings", "jwt.answers.json");

export const doctorOperation = operation({
  name: "doctor",
  summary: "What this machine and this folder have and lack, and what to do about it",
  permission: "read",
  positional: [],
  result: async () => (await import("./results.ts")).doctorResult,
  options: ["home"],
  input: () => z.object({}),
  async run(_, session) {
    const checks = await examine(session);
    const failed = checks.some(({ ok }) => ok === "no");
    return {
      exit: failed ? exitCodes.notConfigured : exitCodes.done,
      data: { version: packageVersion(), checks },
    };
  },
});

type Check = { what: string; ok: "yes" | "no" | "optional"; found: string; next: readonly Next[] };

async function examine(session: Session): Promise<Check[]> {
  const { home } = session;
  const env = envOutside(home.workspace, session.world.env);
  const trusted = session.isTrusted();
  const { readSettings } = await import("../session/read_settings.ts");
  const dotEnv = async (): Promise<Record<string, string>> =>
    trusted && home.exists ? await readDotEnv(home, env) : {};
  const settings = async () => {
    const given = { env, dotEnv: await dotEnv(), now: session.world.now() };
    return readSettings(trusted ? home.path : undefined, userFolders(env).config, given);
  };
  const check = (what: string, ok: Check["ok"], found: string, next: Advice = []): Check => ({
    what,
    ok,
    found,
    next: ok === "yes" ? [] : nextList(next),
  });
  const attempt = async (what: string, work: () => Promise<Check>): Promise<Check> => {
    try {
      return await work();
    } catch (error) {
      return check(what, "no", messageOf(error), error instanceof UserError ? error.next : []);
    }
  };
  return [
    check("Node", "yes", process.version),
    await attempt("model", async () => {
      const key = env["ANTHROPIC_API_KEY"] || (await dotEnv())["ANTHROPIC_API_KEY"];
      const address = baseUrlOf(env);
      const at = address ? ` at ${address}` : "";
      const { claudeProgram, ownConnection } = await import("../session/connection.ts");
      const { backend, keyCommand } = ownConnection(env);
      if (backend === "claude-cli") return check("model", "yes", claudeProgram(env));
      if (key) return check("model", "yes", `a key is set${at}`);
      const [command] = keyCommand;
      if (command) return check("model", "yes", `${command} prints the key${at}`);
      return check("model", "no", "no key", { operation: "demo", why: "export ANTHROPIC_API_KEY=…, or try" });
    }),
    trusted
      ? check("trust", "yes", `${home.workspace} is trusted`)
      : check("trust", "optional", `${home.workspace} is not trusted`, {
          operation: "trust",
          why: "If you know what is in it",
        }),
    home.exists
      ? check("home", "yes", contextsOf(home))
      : check("home", "optional", "none yet", "It is made with the first task."),
    await attempt("config", async () => {
      const { notes } = await settings();
      const read = trusted ? "read" : "the defaults (a folder that is not trusted sets nothing)";
      return check("config", "yes", [read, ...notes].join("; "));
    }),
    await attempt("tests", async () => {
      const { config } = await settings();
      const known = rememberedTestCommand(home.workspace, config.tests.command, env);
      return known
        ? check("tests", "optional", `${typed(known.argv)} (${known.found_in})`, {
            operation: "new",
            input: { task: "…", test_command: "…" },
            why: "Name another command with your next task",
          })
        : check("tests", "yes", "no command is confirmed yet; it is shown before you are asked anything");
    }),
    await attempt("prompts", async () => {
      const { prompts, problems } = await (await session.library()).library.all();
      const [first] = problems;
      if (!first) return check("prompts", "yes", `${prompts.length}`);
      const found = `${prompts.length}, and ${problems.length} that cannot be read: ${first.message}`;
      return check("prompts", "no", found, first.next);
    }),
    await attempt("index", async () => {
      const { path, trouble } = (await session.index()).location();
      if (trouble === undefined) return check("index", "yes", path);
      const effect = "Every command reads all prompts anew; nothing else.";
      return check("index", "optional", `in memory only: ${trouble}`, effect);
    }),
    await attempt("sandbox", async () => {
      const sandbox = await session.sandbox();
      return check("sandbox", sandbox.on ? "yes" : "optional", sandbox.detail, sandbox.hint ?? []);
    }),
    await program("git", env, "Listings then leave out only node_modules and .git, not what .gitignore names."),
    await program("rg", env, "Searching works without it, and is quicker with it: install ripgrep."),
  ];
}

async function program(name: string, env: World["env"], why: string): Promise<Check> {
  const { execa } = await import("execa");
  const ran = await execa(name, ["--version"], { env, extendEnv: false, reject: false, stdin: "ignore" });
  const [line = ""] = ran.stdout.split("\n");
  if (ran.exitCode === 0) return { what: name, ok: "yes", found: line, next: [] };
  const found = systemCode(ran.cause) === "ENOENT" ? "not installed" : "does not run";
  return { what: name, ok: "optional", found, next: [{ why }] };
}
