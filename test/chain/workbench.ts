import { readFileSync } from "node:fs";
import { join } from "node:path";
import { configSchema } from "../../src/session/config.ts";
import type { Deps, Progress } from "../../src/chain/deps.ts";
import type { ChainEvent, ChainLine, Gates, Limits, Size, WorkMode } from "../../src/chain/events.ts";
import type { PersonMessage } from "../../src/chain/inbox.ts";
import { createChain, type Beginning } from "../../src/chain/open.ts";
import { runTurn, type Ending, type Policy } from "../../src/chain/run.ts";
import { openLibrary } from "../../src/library/library.ts";
import { promptLinter } from "../../src/session/library.ts";
import { openRecorded } from "../../src/models/recorded.ts";
import type { Model, ModelRequest } from "../../src/models/types.ts";
import { dropMessage } from "../../src/store/chains.ts";
import { compile } from "../../src/programs/permissions/judge.ts";
import { openSandbox } from "../../src/programs/sandbox/sandbox.ts";
import { openWorkspace } from "../../src/workspace/workspace.ts";
import { realWorld } from "../../src/util/world.ts";
import { storeAt } from "../support/sealed.ts";
import { recordingAt, type Replies } from "../support/script.ts";
import { quickApp } from "../support/ways.ts";
import { folderWith } from "../support/folders.ts";
import { ada, noon } from "./lines.ts";

const { gates, limits: usual } = configSchema.parse({});
const { max_tokens_per_prompt: maxTokens, context_window, warning_threshold, ...limits } = usual;

interface Wishes {
  readonly files?: Record<string, string>;
  readonly size?: Size;
  readonly mode?: WorkMode;
  readonly limits?: Partial<Limits>;
  readonly gates?: Partial<Gates>;
  readonly test_command?: readonly string[] | null;
  readonly deps?: Partial<Deps>;
}

/** A chain in a folder of its own, whose model answers from a script; everything else is real. */
export async function workbench(replies: Replies, wishes: Wishes = {}) {
  const folder = folderWith(wishes.files ?? quickApp);
  const contexts = join(folder, ".claude-exec", "contexts");
  let clock = Date.parse(noon);
  const now = () => (clock += 1000);
  const world = { ...realWorld({ PATH: process.env["PATH"], HOME: "/home/ada" }), now };
  const { model, requests } = listening(openRecorded(recordingAt(folder, replies, "replies.json"), world));
  const lines: ChainLine[] = [];
  const signs: Progress[] = [];
  const beginning: Beginning = {
    ...storeAt(contexts),
    engine: "0.1.0",
    by: ada,
    now,
    listen: (line) => lines.push(line),
  };
  const library = openLibrary([{ scope: "builtin", path: "prompts" }]);
  const deps: Deps = {
    world,
    model,
    routes: { fast: "claude-haiku-5-5", default: "claude-opus-5-5", smart: "claude-opus-5-5" },
    maxTokens,
    contextWindow: context_window,
    warningThreshold: warning_threshold,
    catalogueCore: 150,
    prices: {},
    library,
    lintPrompt: promptLinter(library),
    workspace: openWorkspace(folder, {
      env: process.env,
      hide: [join(folder, ".claude-exec"), join(folder, "replies.json")],
    }),
    rules: "# Rules\nPlain code.",
    testTimeoutMs: 60_000,
    permission: { mode: "edits", rules: compile({ allow: [], ask: [], deny: [] }), unsandboxed: true },
    sandbox: { open: () => noSandbox(folder), close: () => Promise.resolve() },
    tries: "No sandbox was opened for this.",
    progress: (sign) => signs.push(sign),
    ...wishes.deps,
  };
  const settings = {
    size: wishes.size ?? "normal",
    mode: wishes.mode ?? "tdd",
    workspace: folder,
    gates: { ...gates, ...wishes.gates },
    limits: { ...limits, ...wishes.limits },
    test_command: wishes.test_command === undefined ? ["sh", "check.sh"] : wishes.test_command,
  };
  const chain = await createChain(beginning, { goal: "Add a product function", ...settings });
  return {
    folder,
    contexts,
    chain,
    deps,
    requests,
    lines,
    signs,
    beginning,
    settings,
    runWith: (own: Partial<Deps>): Promise<Ending> =>
      runTurn(chain, { ...deps, ...own }, { answers: {}, approve: "ask" }, new AbortController().signal),
    run: (policy: Partial<Policy> = {}, signal = new AbortController().signal): Promise<Ending> =>
      runTurn(chain, deps, { answers: {}, approve: "ask", ...policy }, signal),
    runUntil: (until: () => boolean): Promise<Ending> =>
      runTurn(chain, deps, { answers: {}, approve: "ask" }, new AbortController().signal, until),
    say: (message: PersonMessage) => dropMessage(chain.inbox, { by: ada, message }, now()),
    file: (path: string) => readFileSync(join(folder, path), "utf8"),
    events: () => lines.flatMap((line) => (line.type === "event" ? [line] : [])) as (ChainLine & ChainEvent)[],
  };
}

/** Passes everything through, and keeps what each request said when it was made. */
export function listening(model: Model): { model: Model; requests: ModelRequest[] } {
  const requests: ModelRequest[] = [];
  const ask: Model["ask"] = (request, signal) => {
    const { mayRetry: _mayRetry, ...said } = request;
    requests.push(structuredClone(said));
    return model.ask(request, signal);
  };
  return { model: { ...model, ask }, requests };
}

/** Off, as on a machine that has no programs for one: most of what chains do is the same without, and quicker. */
async function noSandbox(root: string) {
  return openSandbox({ root, protect: [], conceal: [], world: realWorld({ PATH: "/nowhere" }) });
}
