import { cpSync, mkdtempSync, readdirSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { exitCodes, messageOf, systemCode, UserError } from "../util/errors.ts";
import { isFolder, makeFolder } from "../util/files.ts";
import { contextsOf, locateHome, type Caller } from "./app.ts";
import { newOperation } from "./chains.ts";
import { baseUrlOf } from "./choose_model.ts";
import { libraryOf, openIndex } from "./library.ts";
import { common, permitting, text } from "./flags.ts";
import { operation } from "./operation.ts";
import { ownFolders, packageFolder, packageVersion, userFolders } from "./places.ts";
import { isTrusted, trust } from "./trust.ts";
import { readDotEnv } from "./settings.ts";

export const trustOperation = operation({
  name: "trust",
  summary: "Say that you know what is in a folder: its prompts, rules and settings count from then on",
  permission: "change",
  positional: ["folder"],
  input: z.object({ folder: z.string().default(".").describe("The folder; this one if left out") }),
  run(input, caller) {
    const folder = resolve(caller.cwd, input.folder);
    if (!isFolder(folder)) {
      throw new UserError(
        "no_folder",
        `${folder} is not a folder. Nothing was trusted.`,
        "Name one: claude-exec trust <folder>",
        exitCodes.usage,
      );
    }
    const path = trust(folder, caller.world.env);
    return Promise.resolve({ exit: exitCodes.done, data: { schema_version: 1 as const, trusted: path } });
  },
});

export const demoTask = "Add JWT authentication to my app";

export const demoOperation = operation({
  name: "demo",
  summary: "A rehearsal without any key: a recorded model, a small real app, real files and tests",
  permission: "run",
  positional: [],
  input: z.object({
    answers: text.optional().describe("JSON file with answers to questions"),
    approve_policy: z
      .enum(["ask", "auto"], "is neither ask nor auto")
      .default("ask")
      .describe("auto approves without asking"),
    folder: text.optional().describe("Empty folder for the copy of the app (a temporary one if left out)"),
    permission: permitting.permission,
  }),
  async run(input, caller) {
    const folder =
      input.folder === undefined
        ? mkdtempSync(join(tmpdir(), "claude-exec-demo-"))
        : emptyFolder(resolve(caller.cwd, input.folder));
    cpSync(join(packageFolder, "examples", "session-app"), folder, { recursive: true });
    const given = newOperation.input.parse({
      task: demoTask,
      home: join(folder, ".claude-exec"),
      replay: join(packageFolder, "examples", "recordings", "jwt.json"),
      answers: input.answers,
      approve_policy: input.approve_policy,
      permission: input.permission ?? (input.approve_policy === "auto" ? "edits" : "ask"),
      // What runs are the tests of the app that is shipped, in a copy of it.
      unsandboxed: true,
      trust: true,
    });
    const answer = await newOperation.run(given, { ...caller, cwd: folder });
    return { ...answer, data: { ...answer.data, rehearsal: true, folder: realpathSync(folder) } };
  },
});

/** Somebody's own files must not be overwritten by those of the demo. */
function emptyFolder(path: string): string {
  makeFolder(path, 0o777);
  if (readdirSync(path).length === 0) return path;
  const hint = "Name an empty folder, or leave --folder out.";
  throw new UserError("no_folder", `${path} is not empty. Nothing was copied.`, hint, exitCodes.usage);
}

export const demoAnswers = join(packageFolder, "examples", "recordings", "jwt.answers.json");

export const doctorOperation = operation({
  name: "doctor",
  summary: "What this machine and this folder have and lack, and what to do about it",
  permission: "read",
  positional: [],
  input: z.object({ home: common.home }),
  async run(input, caller) {
    const checks = await examine(caller, input);
    const failed = checks.some(({ ok }) => ok === "no");
    return {
      exit: failed ? exitCodes.notConfigured : exitCodes.done,
      data: { schema_version: 1, version: packageVersion(), checks },
    };
  },
});

type Check = { what: string; ok: "yes" | "no" | "optional"; found: string; hint: string | null };

async function examine(caller: Caller, input: { home?: string | undefined }): Promise<Check[]> {
  const { env } = caller.world;
  const home = locateHome(caller, input);
  const trusted = isTrusted(home.workspace, env);
  const { readSettings } = await import("./read_settings.ts");
  const check = (what: string, ok: Check["ok"], found: string, hint: string | null = null): Check => ({
    what,
    ok,
    found,
    hint: ok === "yes" ? null : hint,
  });
  const attempt = async (what: string, work: () => Promise<Check>): Promise<Check> => {
    try {
      return await work();
    } catch (error) {
      return check(what, "no", messageOf(error), error instanceof Error && "hint" in error ? String(error.hint) : null);
    }
  };
  return [
    check("Node", "yes", process.version),
    await attempt("model", async () => {
      const dotEnv: Record<string, string> = trusted && home.exists ? await readDotEnv(home) : {};
      const key = env["ANTHROPIC_API_KEY"] || dotEnv["ANTHROPIC_API_KEY"];
      const address = baseUrlOf(env);
      const where = address ? ` at ${address}` : "";
      return key
        ? check("model", "yes", `a key is set${where}`)
        : check("model", "no", "no key", "export ANTHROPIC_API_KEY=…, or try: claude-exec demo");
    }),
    check(
      "trust",
      trusted ? "yes" : "optional",
      trusted ? `${home.workspace} is trusted` : `${home.workspace} is not trusted`,
      "claude-exec trust",
    ),
    check(
      "home",
      home.exists ? "yes" : "optional",
      home.exists ? contextsOf(home) : "none yet",
      "It is made with the first task.",
    ),
    await attempt("config", async () => {
      const dotEnv = trusted && home.exists ? await readDotEnv(home) : {};
      const given = { env, dotEnv, now: caller.world.now() };
      const { notes } = readSettings(trusted ? home.path : undefined, userFolders(env).config, given);
      const read = trusted ? "read" : "the defaults (a folder that is not trusted sets nothing)";
      return check("config", "yes", [read, ...notes].join("; "));
    }),
    await attempt("prompts", async () => {
      const { prompts, problems } = await (await libraryOf(caller, input)).library.all();
      const [first] = problems;
      return first
        ? check(
            "prompts",
            "no",
            `${prompts.length}, and ${problems.length} that cannot be read: ${first.message}`,
            first.hint,
          )
        : check("prompts", "yes", `${prompts.length}`);
    }),
    await attempt("index", async () => {
      const { path, trouble } = (await openIndex(trusted && home.exists ? home : undefined, env)).standing();
      return trouble === undefined
        ? check("index", "yes", path)
        : check(
            "index",
            "optional",
            `in memory only: ${trouble}`,
            "Every command reads all prompts anew; nothing else.",
          );
    }),
    await attempt("sandbox", async () => {
      const { openSandbox } = await import("../sandbox/sandbox.ts");
      const options = { root: home.workspace, protect: ownFolders(home), conceal: [], world: caller.world };
      const sandbox = await openSandbox(options);
      await sandbox.close();
      return check("sandbox", sandbox.on ? "yes" : "optional", sandbox.detail, sandbox.hint);
    }),
    await program("git", "optional", "Listings then leave out only node_modules and .git, not what .gitignore names."),
    await program("rg", "optional", "Searching works without it, and is quicker with it: install ripgrep."),
  ];
}

async function program(name: string, ok: Check["ok"], hint: string): Promise<Check> {
  const { execa } = await import("execa");
  const ran = await execa(name, ["--version"], { reject: false, stdin: "ignore" });
  const [line = ""] = ran.stdout.split("\n");
  if (ran.exitCode === 0) return { what: name, ok: "yes", found: line, hint: null };
  return { what: name, ok, found: systemCode(ran.cause) === "ENOENT" ? "not installed" : "does not run", hint };
}
