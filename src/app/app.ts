import { existsSync, realpathSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import type { Mode } from "../permissions/judge.ts";
import type { ChainStore } from "../chain/ownership.ts";
import { pathOutside } from "../tools/path_outside.ts";
import type { Listener } from "../chain/open.ts";
import type { Deps, Progress } from "../chain/deps.ts";
import type { Actor } from "../store/journal.ts";
import { readTextIfThere } from "../util/files.ts";
import { sha256 } from "../util/hash.ts";
import type { World } from "../util/world.ts";
import { chooseModel, noModel } from "./choose_model.ts";
import type { Config } from "./config.ts";
import { permissionOf } from "./permission.ts";
import { clockNotes } from "./settings.ts";
import { deniedBy, sandboxIn } from "./sandbox.ts";
import { temporaryFolder } from "../sandbox/session_folder.ts";
import { isInside } from "../tools/place.ts";
import { keyFolder, movesOf, userSeal, type UserSeal } from "./key.ts";
import {
  findHome,
  homePath,
  makeHome,
  ownFolders,
  packageFolder,
  rulesFiles,
  rulesName,
  userFolders,
  type Home,
} from "./places.ts";
import { readDotEnv } from "./settings.ts";
import { isTrusted, trust, untrusted } from "./trust.ts";

/** What a door brings along: where it stands, who speaks, and who listens. */
export interface Caller {
  readonly cwd: string;
  readonly world: World;
  readonly by: Actor;
  readonly signal: AbortSignal;
  readonly listen: Listener;
  readonly progress: (sign: Progress) => void;
}

/** Flags that every operation takes. */
export interface CommonFlags {
  readonly home?: string | undefined;
  readonly model?: string | undefined;
  readonly replay?: string | undefined;
  readonly record?: string | undefined;
  readonly trust?: boolean | undefined;
  readonly permission?: Mode | undefined;
  readonly unsandboxed?: boolean | undefined;
  readonly project_models?: "use" | "ignore" | undefined;
}

/** What is looked at without being trusted keeps its chains with its user: nothing is taken from there, or put. */
export function locateHome(caller: Caller, flags: CommonFlags): Home {
  const { env } = caller.world;
  const home = findHome(caller.cwd, flags.home, env);
  if (flags.home !== undefined || env["CLAUDE_EXEC_HOME"] || flags.trust || isTrusted(home.workspace, env)) return home;
  const path = join(userFolders(env).state, "looked-at", sha256(home.workspace).slice(0, 12));
  const exists = existsSync(path);
  return flags.permission === "read" || (!home.exists && exists) ? { ...home, path, exists } : home;
}

export function contextsOf(home: Home): string {
  return join(home.path, "contexts");
}

/** The chains of a home. `make` makes the key of a user who has none yet. */
export function chainStoreOf(home: Home, env: World["env"], make = false): ChainStore & UserSeal {
  const moves = movesOf(env);
  const movedTo = (path: string) => moves.get(path);
  return { contexts: contextsOf(home), home: homePath(home), movedTo, ...userSeal(env, make) };
}

/** The prompts that were run on their own: each is a chain of one prompt, in a folder within the home. */
export function runsOf(store: ChainStore): ChainStore {
  const movedTo = (path: string) => {
    const to = store.movedTo(dirname(path));
    return to && join(to, "runs");
  };
  return { ...store, contexts: join(store.contexts, "runs"), home: join(store.home, "runs"), movedTo };
}

/** What lies in a project is not what we mean by git or rg: npm puts its node_modules/.bin first. */
export function keepProgramsOutside({ workspace }: Home): void {
  process.env["PATH"] = pathOutside(workspace, process.env["PATH"] ?? "");
}

/** Everything a chain needs, wired once. No model: this is said before anything else is looked at. */
export async function wire(
  caller: Caller,
  flags: CommonFlags,
  workspace?: string,
  /** A worktree that the chain works in, in place of the workspace itself. */
  folder?: string,
): Promise<{ deps: Deps; config: Config; home: Home }> {
  const { world } = caller;
  const located = locateHome(caller, flags);
  const home = workspace === undefined ? located : { ...located, workspace };
  const known = isTrusted(home.workspace, world.env);
  const mayRead = known || flags.trust === true;
  const looksOnly = !mayRead && flags.permission === "read";
  const ready = flags.replay !== undefined || !!world.env["ANTHROPIC_API_KEY"];
  const dotEnv: Record<string, string> = mayRead && home.exists ? await readDotEnv(home) : {};
  if (!ready && !dotEnv["ANTHROPIC_API_KEY"]) throw noModel(home, known);
  if (flags.permission !== "read") temporaryFolder();
  if (!mayRead && !looksOnly) throw untrusted(home.workspace, ". Only to look: --permission read");

  const env = { ...dotEnv, ...Object.fromEntries(Object.entries(world.env).filter(([, value]) => value !== "")) };
  const model = await chooseModel(world, flags, env["ANTHROPIC_API_KEY"] ?? "");
  if (!known && !looksOnly) trust(home.workspace, world.env);
  const { agreeToModels, readSettings } = await import("./read_settings.ts");
  const { openPrompts, promptFolders } = await import("./library.ts");
  // What is only looked at has no say.
  const own = looksOnly ? undefined : home;
  const given = { env: world.env, dotEnv, now: world.now() };
  const settings = readSettings(own?.path, userFolders(env).config, given);
  const config =
    flags.model === undefined ? agreeToModels(settings, home.workspace, flags.project_models, env) : settings.config;
  for (const line of [...settings.notes, ...clockNotes(world.now())]) caller.progress({ type: "notice", line });
  const hide = alsoIn(folder, home, ownFolders(home));
  const hidden = hide.map((path) => relative(home.workspace, path)).filter((path) => !path.startsWith(".."));
  const permission = permissionOf(config, flags, { trusted: mayRead, hidden, env: world.env });
  makeHome(home);
  const { openWorkspace } = await import("../tools/workspace.ts");
  const { rulesOf } = await import("./project_rules.ts");
  keepProgramsOutside(home);
  const prompts = promptFolders(home, config, env).map(({ path }) => path);
  const protect = alsoIn(folder, home, [...rulesFiles(home), ...prompts]);
  // Made before the first command runs, so that the sandbox closes it.
  userSeal(world.env, true);
  const key = [keyFolder(world.env)].filter((path) => existsSync(path)).map((path) => realpathSync(path));
  const root = realpathSync(folder ?? home.workspace);
  const isDenied = deniedBy(permission.rules);
  const denies = (path: string) => isDenied(path) || key.some((closed) => isInside(closed, join(root, path)));
  const opened = openWorkspace(folder ?? home.workspace, { hide: [...hide, ...key], protect, denies });
  const closedToAll = [userFolders(env).config, ...key];
  const closed = { protect: [...hide, ...protect, ...closedToAll], conceal: [contextsOf(home), ...closedToAll] };
  const sandbox = sandboxIn({ root: opened.root, ...closed }, permission.rules, caller);
  const route = (name: "fast" | "default" | "smart") => flags.model ?? config.models[name];
  return {
    home,
    config,
    deps: {
      world,
      model,
      routes: { fast: route("fast"), default: route("default"), smart: route("smart") },
      maxTokens: config.limits.max_tokens_per_prompt,
      contextWindow: config.limits.context_window,
      warningThreshold: config.limits.warning_threshold,
      prices: config.prices,
      library: await openPrompts(own, config, env),
      catalogueCore: config.prompts.core,
      workspace: opened,
      permission,
      sandbox,
      rules: (own && rulesOf(own, caller.progress)) || (readTextIfThere(join(packageFolder, rulesName)) ?? ""),
      testTimeoutMs: config.tests.timeout_seconds * 1000,
      progress: caller.progress,
    },
  };
}

/** A worktree holds what is committed of a home too: there it is closed as it is in the workspace. */
function alsoIn(worktree: string | undefined, { workspace }: Home, paths: readonly string[]): readonly string[] {
  if (worktree === undefined) return paths;
  return paths.flatMap((path) =>
    isInside(workspace, path) ? [path, join(worktree, relative(workspace, path))] : [path],
  );
}
