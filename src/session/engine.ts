import { existsSync, realpathSync } from "node:fs";
import { join, relative } from "node:path";
import type { Deps } from "../chain/deps.ts";
import { figureLines } from "../costs/prompt_figures.ts";
import type { Library } from "../library/library.ts";
import type { Model } from "../models/types.ts";
import type { World } from "../util/world.ts";
import { printedBy } from "../programs/program.ts";
import { openPace } from "../store/request_pace.ts";
import { readTextIfThere } from "../util/files.ts";
import { sha256 } from "../util/hash.ts";
import { isInside } from "../workspace/place.ts";
import { openWorkspace } from "../workspace/workspace.ts";
import type { Config } from "./config.ts";
import type { HomeFigures } from "./figures.ts";
import { contextsOf } from "./home.ts";
import { keyFolder } from "./key.ts";
import { promptFolders, promptLinter } from "./library.ts";
import type { SessionOptions } from "./options.ts";
import { permissionOf } from "./permission.ts";
import { ownFolders, packageFolder, rulesFiles, rulesName, userFolders, type Home } from "./places.ts";
import { rulesOf } from "./project_rules.ts";
import { sumWatch } from "./sum_watch.ts";
import { deniedBy, sandboxIn } from "./sandbox.ts";

/** All that a chain needs to take its steps, but for whoever listens to them. */
export interface Engine {
  readonly config: Config;
  readonly deps: Omit<Deps, "progress">;
}

export interface EngineParts {
  /** With the variables that programs get: what lies in the workspace is not what we mean by git or rg. */
  readonly world: World;
  readonly options: SessionOptions;
  readonly home: Home;
  /** False where the folder is only looked at: then nothing in it has a say. */
  readonly isTrusted: boolean;
  /** Whether code of the folder may run in the sandbox before anything is approved. */
  readonly mayTry: boolean;
  /** The environment with the variables of the home's .env. */
  readonly env: World["env"];
  readonly config: Config;
  readonly model: Model;
  readonly library: Library;
  /** A worktree that chains work in, in place of the workspace itself. */
  readonly worktree: string | undefined;
  readonly progress: Deps["progress"];
  readonly figures: () => Promise<HomeFigures>;
}

export function openEngine(parts: EngineParts): Engine {
  const { world, options, home, isTrusted, env, config, model, library, worktree, progress } = parts;
  const hide = alsoIn(worktree, home, ownFolders(home));
  const hidden = hide.map((path) => relative(home.workspace, path)).filter((path) => !path.startsWith(".."));
  const permission = permissionOf(config, options, { trusted: isTrusted, hidden, env: world.env });
  const prompts = promptFolders(home, config, env).map(({ path }) => path);
  const protect = alsoIn(worktree, home, [...rulesFiles(home), ...prompts]);
  const key = [keyFolder(world.env)].filter((path) => existsSync(path)).map((path) => realpathSync(path));
  const root = realpathSync(worktree ?? home.workspace);
  const isDenied = deniedBy(permission.rules);
  const denies = (path: string) => isDenied(path) || key.some((closed) => isInside(closed, join(root, path)));
  const workspace = openWorkspace(root, { hide: [...hide, ...key], protect, denies, env: world.env });
  const closedToAll = [userFolders(env).config, ...key];
  const closed = {
    root: workspace.root,
    protect: [...hide, ...protect, ...closedToAll],
    conceal: [contextsOf(home), ...closedToAll],
  };
  const route = (name: "fast" | "default" | "smart") => options.model ?? config.models[name];
  const { requests_per_minute: perMinute } = config.limits;
  const { state } = userFolders(world.env);
  const homeName = `${sha256(home.path).slice(0, 16)}.json`;
  const [program, ...argv] = config.alerts.command;
  const alert = async (facts: object) => {
    const { PATH = "", HOME = "" } = world.env;
    const bounds = { cwd: userFolders(world.env).config, env: { PATH, HOME }, bytes: 100_000, ms: 10_000 };
    const { end, code } = await printedBy(program!, argv, { ...bounds, input: JSON.stringify(facts) });
    if (code === 0) return undefined;
    const why = { exited: `exit ${code ?? "none"}`, missing: "no such program", cut: "much output", late: "over 10 s" };
    return `alerts.command failed (${why[end]}). The chain goes on.`;
  };
  const rules = isTrusted ? rulesOf(home, { world, progress }) : "";
  return {
    config,
    deps: {
      world,
      model,
      routes: { fast: route("fast"), default: route("default"), smart: route("smart") },
      maxTokens: config.limits.max_tokens_per_prompt,
      contextWindow: config.limits.context_window,
      warningThreshold: config.limits.warning_threshold,
      prices: config.prices,
      promptFigures: async () => figureLines((await parts.figures()).figures),
      passedSums: sumWatch(
        config.limits,
        join(state, "alerts", sha256(home.path).slice(0, 16)),
        parts.figures,
        world.now,
      ),
      alert: program === undefined ? undefined : alert,
      ...(perMinute === null ? {} : { pace: openPace(join(state, "requests", homeName), perMinute, world.now) }),
      library,
      lintPrompt: promptLinter(library),
      catalogueCore: config.prompts.core,
      workspace,
      permission,
      sandbox: sandboxIn(closed, permission.rules, { world, progress }),
      tries: parts.mayTry ? sandboxIn({ ...closed, tries: true }, permission.rules, { world, progress }) : notToTry,
      rules: rules || (readTextIfThere(join(packageFolder, rulesName)) ?? ""),
      testTimeoutMs: config.tests.timeout_seconds * 1000,
    },
  };
}

const notToTry = "A person has not said yet that code of this folder may run. Trusting the folder again says so.";

/** A worktree holds what is committed of a home too: there it is closed as it is in the workspace. */
function alsoIn(worktree: string | undefined, { workspace }: Home, paths: readonly string[]): readonly string[] {
  if (worktree === undefined) return paths;
  return paths.flatMap((path) =>
    isInside(workspace, path) ? [path, join(worktree, relative(workspace, path))] : [path],
  );
}
