import { join } from "node:path";
import type { Context } from "../chain/context.ts";
import type { Deps } from "../chain/deps.ts";
import type { Beginning } from "../chain/open.ts";
import type { ChainStore } from "../chain/ownership.ts";
import type { Library } from "../library/library.ts";
import type { IndexFile } from "../store/index_file.ts";
import { paddedId } from "../store/chains.ts";
import { exitCodes, UserError } from "../util/errors.ts";
import type { World } from "../util/world.ts";
import { envOutside } from "../workspace/path_outside.ts";
import type { Workspace } from "../workspace/workspace.ts";
import type { Caller } from "./caller.ts";
import { chooseModel, modelLacking, noModel } from "./choose_model.ts";
import type { Config } from "./config.ts";
import type { Engine } from "./engine.ts";
import type { HomeFigures } from "./figures.ts";
import { chainStoreOf, locateHome } from "./home.ts";
import { keyFolder, userSeal, type UserSeal } from "./key.ts";
import { openIndex, openPrompts, promptFolders } from "./library.ts";
import { foreignTo, ownChain, type Foreign, type OwnChain } from "./own.ts";
import type { SessionOptions } from "./options.ts";
import type { Sandbox } from "../programs/sandbox/types.ts";
import { makeHome, ownFolders, packageVersion, userFolders, type Home } from "./places.ts";
import { clockNotes, readDotEnv } from "./settings.ts";
import { isTrusted, mayTry, trust, untrusted } from "./trust.ts";

export interface Opening {
  readonly cwd: string;
  readonly world: World;
  readonly options: SessionOptions;
  /** What is to be told once, whoever asked. */
  readonly progress: Deps["progress"];
}

/** The prompts as they count for whoever only looks: a home's own ones where its folder is trusted. */
export interface OpenLibrary {
  readonly library: Library;
  readonly trusted: boolean;
  /** Undefined where it does not count, or is not there yet. */
  readonly home: Home | undefined;
  readonly config: Config;
  readonly folders: ReturnType<typeof promptFolders>;
}

type Opened = { readonly deps: Deps; readonly config: Config };

/** All that one client has open: the home of its chains, and whatever they need. Each part is opened once, when it is asked for. */
export interface Session {
  readonly cwd: string;
  readonly world: World;
  readonly options: SessionOptions;
  readonly home: Home;
  /** The chains of this home. */
  readonly store: ChainStore & UserSeal;
  isTrusted(workspace?: string): boolean;
  trust(folder: string, tries?: boolean): string;
  /** Whether code of this folder may run before anything is approved; undefined where nobody was asked. */
  mayTry(): boolean | undefined;
  /** Trusts the folder if the session was opened with that word; else throws where it is not trusted. */
  needsTrust(workspace: string): void;
  makeHome(): void;
  foreign(): Promise<Foreign>;
  ownChain(chain: string, saying?: { adopt?: boolean | undefined; mayAdopt?: boolean }): Promise<OwnChain>;
  index(): Promise<IndexFile>;
  /** What was spent in this home, and how its prompts did. */
  figures(): Promise<HomeFigures>;
  library(): Promise<OpenLibrary>;
  /** What a chain needs for its steps, here or in a worktree. `keyless`: it goes on as far as it needs no model. */
  engine(caller: Caller, workspace?: string, worktree?: string | null, keyless?: boolean): Promise<Opened>;
  /** The sandbox of this workspace on its own, for whoever asks whether there is one. */
  sandbox(): Promise<Sandbox>;
  /** The user's files, for putting them back: nothing is run in there. */
  filesOf(workspace: string, worktree: string | null): Promise<Workspace>;
  readonly worktrees: string;
  /** The folder of a chain's worktree, or null where it has none. */
  worktreeOf(workspace: string, context: Context): Promise<string | null>;
  beginning(caller: Caller): Beginning;
  close(): Promise<void>;
}

export function openSession({ cwd, world, options, progress }: Opening): Session {
  const { env } = world;
  const told = new Set<string>();
  const notice = (line: string) => {
    if (!told.has(line)) progress({ type: "notice", line });
    told.add(line);
  };
  let home: Home | undefined;
  const homeNow = () => (home ??= locateHome(cwd, options, env));
  const store = (make: boolean) => chainStoreOf(homeNow(), env, make);
  /** Its folder counts from now on, or is there from now on: what was opened without it is opened anew. */
  const forgetHome = () => {
    home = undefined;
    library.forget();
  };
  const trustFolder = (folder: string, tries?: boolean) => {
    const real = trust(folder, env, tries);
    forgetHome();
    return real;
  };

  const index = once(() => openIndex(homeNow(), env));
  const settings = async (workspaceHome: Home | undefined, dotEnv: World["env"]) => {
    const { readSettings } = await import("./read_settings.ts");
    const read = readSettings(workspaceHome?.path, userFolders(env).config, { env, dotEnv, now: world.now() });
    for (const line of read.notes) notice(line);
    return read;
  };
  const library = once(async (): Promise<OpenLibrary> => {
    if (options.trust && !isTrusted(homeNow().workspace, env)) trustFolder(homeNow().workspace);
    const place = homeNow();
    const trusted = isTrusted(place.workspace, env);
    const { config } = await settings(trusted ? place : undefined, {});
    const counts = trusted && place.exists ? place : undefined;
    const folders = promptFolders(counts, config, env);
    const opened = await openPrompts(folders, config, await index.get());
    return { library: opened, trusted, home: counts, config, folders };
  });

  const sandbox = once(async () => {
    const { openSandbox } = await import("../programs/sandbox/sandbox.ts");
    const place = homeNow();
    return openSandbox({ root: place.workspace, protect: ownFolders(place), conceal: [], world });
  });
  const model = once((apiKey: string, claudeEnv: World["env"] | undefined) =>
    chooseModel(world, options, apiKey, claudeEnv),
  );
  const engines = new Map<string, Once<Engine, [boolean]>>();
  const engineIn = (place: Home, worktree: string | undefined) => {
    const name = JSON.stringify([place.workspace, worktree ?? null]);
    const known = engines.get(name) ?? once((keyless: boolean) => openEngineIn(place, worktree, keyless));
    engines.set(name, known);
    return known.get;
  };
  /** No model: this is said before anything else is looked at. */
  const openEngineIn = async (place: Home, worktree: string | undefined, keyless: boolean): Promise<Engine> => {
    const known = isTrusted(place.workspace, env);
    const mayRead = known || options.trust === true;
    const looksOnly = !mayRead && options.permission === "read";
    const dotEnv: Record<string, string> = mayRead && place.exists ? await readDotEnv(place, env) : {};
    const { keyPrintedBy, ownConnection } = await import("./connection.ts");
    const { backend, keyCommand } = ownConnection(env);
    const usesClaude = options.replay === undefined && (options.backend ?? backend) === "claude-cli";
    const set = env["ANTHROPIC_API_KEY"] || dotEnv["ANTHROPIC_API_KEY"] || undefined;
    const command = set || usesClaude ? [] : keyCommand;
    const has = options.replay !== undefined || usesClaude || set !== undefined || command.length > 0;
    const lacking = has ? undefined : noModel(place, known);
    if (lacking && !(keyless && known)) throw lacking;
    const { temporaryFolder } = await import("../programs/sandbox/session_folder.ts");
    if (options.permission !== "read") temporaryFolder();
    if (!mayRead && !looksOnly)
      throw untrusted(place.workspace, [{ input: { permission: "read" }, why: "Only to look" }]);
    const printed = command.length > 0 ? await keyPrintedBy(command, envOutside(place.workspace, env)) : undefined;
    const key = printed ?? set ?? "";
    const claudeEnv = { ...envOutside(place.workspace, env), ...(set ? { ANTHROPIC_API_KEY: set } : {}) };
    const chosen = lacking ? modelLacking(lacking) : await model.get(key, usesClaude ? claudeEnv : undefined);
    const isToldAnew = options.trust === true && mayTry(place.workspace, env) !== true;
    if ((!known && !looksOnly) || isToldAnew) trustFolder(place.workspace);
    const { agreeToModels } = await import("./read_settings.ts");
    const { openEngine } = await import("./engine.ts");
    const read = await settings(looksOnly ? undefined : place, dotEnv);
    const own = printed === undefined ? {} : { ANTHROPIC_API_KEY: printed };
    const all = { ...dotEnv, ...Object.fromEntries(Object.entries(env).filter(([, value]) => value !== "")), ...own };
    const config =
      options.model === undefined ? agreeToModels(read, place.workspace, options.project_models, all) : read.config;
    for (const line of clockNotes(world.now())) notice(line);
    makeHome(place);
    forgetHome();
    // Made before the first command runs, so that the sandbox closes it.
    userSeal(env, true);
    return openEngine({
      world: { ...world, env: envOutside(place.workspace, env) },
      options,
      home: place,
      isTrusted: mayRead,
      mayTry: mayRead && mayTry(place.workspace, env) === true,
      env: all,
      config,
      model: chosen,
      library: (await library.get()).library,
      worktree,
      progress,
      figures,
    });
  };

  const figures = async () => {
    const { figuresOfHome } = await import("./figures.ts");
    const { prices } = (await library.get()).config;
    const foreign = await foreignTo(homeNow(), store(false), env);
    return figuresOfHome(homeNow(), store(false), foreign, prices, world);
  };

  const worktrees = () => join(userFolders(env).state, "worktrees");
  return {
    cwd,
    world,
    options,
    get home() {
      return homeNow();
    },
    get store() {
      return store(false);
    },
    isTrusted: (workspace) => isTrusted(workspace ?? homeNow().workspace, env),
    trust: trustFolder,
    mayTry: () => mayTry(homeNow().workspace, env),
    needsTrust(workspace) {
      if (options.trust) trustFolder(workspace);
      if (!isTrusted(workspace, env)) throw untrusted(workspace);
    },
    makeHome() {
      makeHome(homeNow());
      forgetHome();
    },
    foreign: () => foreignTo(homeNow(), store(false), env),
    ownChain: (chain, saying) =>
      ownChain({ home: homeNow(), store: store(false), env, notice }, paddedId(chain), saying),
    index: index.get,
    figures,
    library: library.get,
    async engine(caller, workspace, worktree, keyless = false) {
      const place = workspace === undefined ? homeNow() : { ...homeNow(), workspace };
      const { deps, config } = await engineIn(place, worktree ?? undefined)(keyless);
      if (deps.model.lacking && !keyless) throw deps.model.lacking;
      return { config, deps: { ...deps, progress: caller.progress } };
    },
    sandbox: () => sandbox.get(),
    async filesOf(workspace, worktree) {
      const { openWorkspace } = await import("../workspace/workspace.ts");
      const hide = worktree === null ? ownFolders(homeNow()) : [];
      return openWorkspace(worktree ?? workspace, { hide, env: envOutside(workspace, env) });
    },
    get worktrees() {
      return worktrees();
    },
    async worktreeOf(workspace, { worktree }) {
      if (worktree === null) return null;
      const { ownWorktree } = await import("../programs/git/git_folder.ts");
      // Only one that we made in our own folder, and for this repository, counts.
      const folder = ownWorktree(workspace, worktree.path, worktrees());
      if (typeof folder === "string") return folder;
      throw new UserError(
        "not_our_worktree",
        `${worktree.path} does not count as this chain's worktree: ${folder.text} Nothing was done.`,
        { operation: "new", input: { task: "…", worktree: true }, why: "Begin again" },
        exitCodes.conflict,
      );
    },
    beginning({ by, listen }) {
      const chains = store(true);
      const onBegin = () => {
        const why = chains.notStoredBecause;
        if (why !== undefined) notice(keyNotStored(why, env));
      };
      return { ...chains, engine: packageVersion(), by, now: world.now, listen, onBegin };
    },
    async close() {
      for (const engine of engines.values()) {
        const { sandbox: ofEngine, tries } = (await engine.opened())?.deps ?? {};
        await ofEngine?.close();
        if (typeof tries === "object") await tries.close();
      }
      await (await sandbox.opened())?.close();
      (await index.opened())?.close();
    },
  };
}

function keyNotStored(why: string, env: World["env"]): string {
  return `Your key could not be stored in ${keyFolder(env)}: ${why}. Other processes will call this chain foreign. Set CLAUDE_EXEC_KEY to a secret of your own to avoid that.`;
}

interface Once<T, Given extends unknown[] = []> {
  readonly get: (...given: Given) => Promise<T>;
  /** What is open now; undefined where nothing is. */
  readonly opened: () => Promise<T | undefined>;
  readonly forget: () => void;
}

/** Something that is opened when it is first asked for. What failed to open is tried again by the next who asks. */
function once<T, Given extends unknown[]>(open: (...given: Given) => Promise<T>): Once<T, Given> {
  let opening: Promise<T> | undefined;
  const forget = () => {
    opening = undefined;
  };
  return {
    get: (...given) =>
      (opening ??= open(...given).catch((error: unknown) => {
        forget();
        throw error;
      })),
    opened: async () => opening,
    forget,
  };
}
