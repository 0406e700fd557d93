import { basename, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { exitCodeOfStop, exitCodes, UserError } from "../util/errors.ts";
import { sha256 } from "../util/hash.ts";
import type { World } from "../util/world.ts";
import { quoted, quotedLine } from "../util/quoting.ts";
import { asJson, type Json } from "../util/json.ts";
import { paddedId, chainPaths, dropMessage, type Inbox } from "../store/chains.ts";
import { adoptChain } from "../chain/adopt.ts";
import type { Context } from "../chain/context.ts";
import { renewedRequest } from "../chain/consent.ts";
import { isEditable, misfit } from "../chain/edits.ts";
import { event, type ChainLine, type Edit, type Limits, type WorkMode } from "../chain/events.ts";
import { objection, type PersonMessage } from "../chain/inbox.ts";
import { lostKeys } from "../chain/lost.ts";
import { readChain } from "../chain/inspect.ts";
import { openChain, withLedger, type Beginning, type Chain } from "../chain/open.ts";
import type { ChainStore } from "../chain/ownership.ts";
import { runTurn, type Ending, type Policy } from "../chain/run.ts";
import type { Deps } from "../chain/deps.ts";
import { readAnswers } from "./answers.ts";
import type { Config } from "./config.ts";
import { shownChange } from "./changes.ts";
import { locateHome, chainStoreOf, wire, type Caller, type CommonFlags } from "./app.ts";
import { plainAmount, type Running } from "./flags.ts";
import type { Answer } from "./operation.ts";
import { keyFolder } from "./key.ts";
import { ownChain } from "./own.ts";
import { packageVersion, userFolders, type Home } from "./places.ts";
import { flagsAgain, resumable } from "./trouble.ts";

/** Says something to a chain, and goes on with it. Where another process is at work, that one takes it in. */
export async function tell(
  input: Running & { chain: string },
  caller: Caller,
  message: PersonMessage,
  until?: (chain: Chain) => boolean,
): Promise<Answer> {
  const own = await ownChain(input, caller);
  const { home, deps } = await wire(caller, input, own.workspace);
  const store = chainStoreOf(home, caller.world.env);
  const { context, lines } = readChain(store, own.id);
  const objected = objection(context, message);
  if (objected) throw objected;
  const folder = (await folderOf(own.workspace, context, caller)) ?? deps.workspace.root;
  const request = message.type === "allow" && renewedRequest(context, folder);
  if (request) {
    // The chain asks anew, so that the id in the refusal is one that can be allowed.
    await goOn(input, caller, {}, () => true);
    throw objection({ ...context, engine: { ...context.engine, request } }, message);
  }
  dropMessage(inboxOf(store, own.id, lines), { by: caller.by, message }, caller.world.now());
  try {
    return await goOn(input, caller, {}, until);
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== "locked") throw error;
    return { exit: exitCodes.done, data: { schema_version: 1, chain_id: own.id, delivered: true } };
  }
}

/** A person says what lost calls really cost. No chain goes on by it; another process that has the chain takes it in. */
export async function enterLostCost(
  input: { chain: string; home?: string | undefined },
  caller: Caller,
  amount: string,
): Promise<"entered" | "delivered"> {
  if (!plainAmount.test(amount)) {
    const hint = "Write what the provider charged for the lost calls, in dollars: --lost 0.07";
    throw new UserError("wrong_amount", `--lost is "${amount}", which is not an amount.`, hint, exitCodes.usage);
  }
  const usd = Number(amount);
  const message = { type: "lost_cost" as const, usd };
  const check = (context: Context) => {
    const objected = objection(context, message);
    if (objected) throw objected;
  };
  const { home, id } = await ownChain(input, caller);
  const begun = beginning(caller, home);
  const enter = () => {
    const { chain, edits } = openChain(begun, id);
    try {
      check(chain.context);
      chain.append({ by: caller.by, bodies: [event("lost_cost_entered", { usd })] });
      if (edits.length === 0) chain.writeView(true);
    } finally {
      chain.close();
    }
  };
  for (let tries = 40; ; tries--) {
    try {
      enter();
      return "entered";
    } catch (error) {
      if (!(error instanceof UserError) || error.code !== "locked") throw error;
    }
    if (tries === 0) break;
    // Another `chain-cost` holds the chain for a moment only, and takes no messages in.
    await setTimeout(50);
  }
  const { context, lines } = readChain(begun, id);
  check(context);
  const named = { ...message, calls: lostKeys(context.cost_tracking) };
  dropMessage(inboxOf(begun, id, lines), { by: caller.by, message: named }, caller.world.now());
  return "delivered";
}

function inboxOf({ contexts, seal }: ChainStore, id: string, lines: readonly ChainLine[]): Inbox {
  return { folder: chainPaths(contexts, id).inbox, seal, chain: lines[0]?.hash ?? "" };
}

interface GoingOn {
  readonly accept_edit?: boolean | undefined;
  readonly discard_edit?: boolean | undefined;
  readonly mode?: WorkMode | undefined;
  /** A foreign chain may be adopted, where a person says so. */
  readonly mayAdopt?: boolean;
}

export async function goOn(
  input: Running & { chain: string },
  caller: Caller,
  edit: GoingOn,
  until?: (chain: Chain) => boolean,
): Promise<Answer> {
  const own = await ownChain(input, caller, edit);
  const { deps, config, home } = await wire(caller, input, own.workspace);
  const policy = policyOf(input);
  const settings = { size: "normal" as const, ...(await settingsOf(deps, config, input)) };
  const begun = beginning(caller, home);
  const { chain, edits } = own.adopts
    ? adoptChain(begun, own.id, { ...settings, mode: edit.mode ?? "tdd" })
    : openChain(begun, own.id);
  return turn(chain, caller, input, async () => {
    if (edits.length > 0) settleEdits(chain, edits, edit, caller);
    const limits = limitsOf(input);
    const folder = await folderOf(own.workspace, chain.context, caller);
    const there = folder === null ? deps : (await wire(caller, input, own.workspace, folder)).deps;
    const mode = edit.mode === undefined || edit.mode === chain.context.mode ? {} : { mode: edit.mode };
    const changed = {
      limits,
      ...mode,
      ...(input.test_command === undefined ? {} : { test_command: input.test_command.split(/\s+/) }),
    };
    const asked = Object.keys({ ...limits, ...mode }).length > 0 || input.test_command !== undefined;
    const { type } = chain.context.state;
    const planned = type === "completed" && chain.context.mode === "plan-only" && "mode" in mode;
    if (type === "parked" || planned || (type === "running" && asked)) {
      chain.append({ by: caller.by, bodies: [event("resumed", changed)] });
    }
    return runTurn(chain, there, policy, caller.signal, until);
  });
}

/** What a chain begins with, beside its task. */
export async function settingsOf(
  { workspace }: Deps,
  config: Config,
  input: Running & { test_command?: string | undefined },
) {
  const { findTestCommand } = await import("../tools/run.ts");
  const configured = input.test_command?.split(/\s+/) ?? config.tests.command;
  const { budget_usd, budget_tokens, cost_alert_usd, turns, turns_per_prompt, rounds, repeats } = config.limits;
  const limits = { budget_usd, budget_tokens, cost_alert_usd, turns, turns_per_prompt, rounds, repeats };
  return {
    workspace: workspace.root,
    gates: config.gates,
    limits: { ...limits, ...limitsOf(input) },
    test_command: (await findTestCommand(workspace, configured))?.argv ?? null,
  };
}

/** A context file that was edited by hand is taken over or written anew, but only on somebody's word. */
function settleEdits(
  chain: Chain,
  edits: readonly Edit[],
  choice: { accept_edit?: boolean | undefined; discard_edit?: boolean | undefined },
  caller: Caller,
): void {
  if (choice.discard_edit) return chain.writeView(true);
  const possible = edits.filter(isEditable);
  const wrong = misfit(chain.context, possible);
  const mayBeTaken = possible.length === edits.length && wrong === undefined;
  if (choice.accept_edit && mayBeTaken) {
    chain.append(withLedger(caller.by, [event("context_edited", { changes: possible })]));
    return chain.writeView(true);
  }
  const show = (value: Json | undefined) => (value === undefined ? "nothing" : JSON.stringify(value));
  const lines = edits.map(
    (edit) =>
      `  ${edit.path.join(".")}: ${show(edit.before)} → ${show(edit.after)}${isEditable(edit) ? "" : "   (the engine's own record: cannot be changed)"}`,
  );
  const again = `claude-exec resume ${chain.id}`;
  throw new UserError(
    "context_edited",
    `The context file of chain ${chain.id} was edited by hand:\n${lines.join("\n")}\n${wrong ? `It cannot be taken over like this: ${wrong}.\n` : ""}Nothing was taken over, and nothing was overwritten.`,
    mayBeTaken
      ? `Take it over: ${again} --accept-edit. Or undo it: ${again} --discard-edit`
      : `Undo it: ${again} --discard-edit`,
    exitCodes.waiting,
  );
}

export async function turn(
  chain: Chain,
  caller: Caller,
  flags: CommonFlags,
  run: () => Promise<Ending>,
): Promise<Answer> {
  try {
    const ending = await run();
    const shown =
      ending.type === "needs_permission"
        ? { diff: null, proposed: null, ...shownChange(chain.context, chain.blobs) }
        : {};
    const answer = answerOf(chain.context, chain.viewPath, { ...ending, ...shown }, flags);
    return ending.type === "interrupted" ? { ...answer, exit: exitCodeOfStop(caller.signal) } : answer;
  } catch (error) {
    throw resumable(error, chain.id, flags);
  } finally {
    chain.close();
  }
}

export function answerOf(context: Context, contextFile: string, ending: Ending, flags: CommonFlags): Answer {
  const {
    chain_id,
    goal,
    current_phase,
    confidence_scores,
    cost_tracking: costs,
    session_memory: memory,
    solution,
    evidence,
  } = context;
  const again = flagsAgain(flags);
  const plain = asJson({
    ...ending,
    ...("hint" in ending ? { hint: ending.hint.replaceAll("{id}", chain_id + again) } : {}),
  });
  return {
    exit: exitOf(ending),
    data: {
      schema_version: 1,
      chain_id,
      goal,
      ending: plain,
      phase: current_phase,
      confidence: { ...confidence_scores },
      cost: {
        usd: costs.estimated_cost,
        tokens: costs.tokens_used,
        unpriced_calls: costs.unpriced_calls,
        lost_calls: asJson(costs.lost_calls),
      },
      files: memory.files_modified.map((path) => ({
        path,
        new: context.engine.files[path]?.before === null,
        deleted: context.engine.files[path]?.after === null,
      })),
      mode: context.mode,
      tests_changed: [...evidence.changed_after_red],
      not_checked: [...context.not_checked],
      touched: [...context.touched],
      worktree:
        context.worktree === null
          ? null
          : {
              ...context.worktree,
              commands: worktreeCommands(context, context.worktree.path),
              advice: context.git_advice,
            },
      test_runs: evidence.runs.map(({ verdict, exit_code, why }) => ({ verdict, exit_code, ...(why ? { why } : {}) })),
      solution_hash: solution?.hash ?? null,
      context_file: contextFile,
      again,
    },
  };
}

/** Committing is the user's to do: these show how, from wherever they stand. */
function worktreeCommands({ chain_id: id, workspace, goal }: Context, path: string): string[] {
  const there = quotedLine(["git", "-C", path]);
  return [
    `${there} add --all`,
    `${there} diff --cached`,
    `${there} switch --create chain-${id}`,
    `${there} commit --message ${quoted(goal)}`,
    quotedLine(["git", "-C", workspace, "worktree", "remove", path]),
  ];
}

function exitOf(ending: Ending): number {
  switch (ending.type) {
    case "completed":
    case "reached":
      return exitCodes.done;
    case "needs_answers":
    case "needs_approval":
    case "needs_permission":
      return exitCodes.waiting;
    case "parked":
      return ending.exit;
    case "interrupted":
      return exitCodes.interrupted;
  }
}

export function policyOf(input: Running): Policy {
  return { answers: input.answers === undefined ? {} : readAnswers(input.answers), approve: input.approve_policy };
}

export function limitsOf(input: Running): Partial<Limits> {
  const amount = (name: "budget_usd" | "budget_tokens") => {
    const text = input[name];
    if (text === undefined) return {};
    if (text === "none") return { [name]: null };
    return { [name]: Number(text) };
  };
  return {
    ...amount("budget_usd"),
    ...amount("budget_tokens"),
    ...(input.turns === undefined ? {} : { turns: input.turns }),
    ...(input.turns_per_prompt === undefined ? {} : { turns_per_prompt: input.turns_per_prompt }),
  };
}

export function beginning(caller: Caller, home: Home): Beginning {
  const { world, by, listen, progress } = caller;
  const store = chainStoreOf(home, world.env, true);
  const onBegin = () => {
    const why = store.notStoredBecause;
    if (why !== undefined) progress({ type: "notice", line: keyNotStored(why, world.env) });
  };
  return { ...store, engine: packageVersion(), by, now: world.now, listen, onBegin };
}

function keyNotStored(why: string, env: World["env"]): string {
  return `Your key could not be stored in ${keyFolder(env)}: ${why}. Other processes will call this chain foreign. Set CLAUDE_EXEC_KEY to a secret of your own to avoid that.`;
}

export function readOne(input: { chain: string; home?: string | undefined }, caller: Caller) {
  return readChain(chainStoreOf(locateHome(caller, input), caller.world.env), paddedId(input.chain)).context;
}

/** Where a chain works beside its user's files; it is there before the chain begins. */
export async function inWorktree(deps: Deps, input: CommonFlags, caller: Caller) {
  const { addWorktree } = await import("../tools/worktree.ts");
  const root = deps.workspace.root;
  const name = `${basename(root)}-${sha256(root).slice(0, 6)}-${caller.world.now().toString(36)}`;
  const made = await addWorktree(root, join(worktreesOf(caller), name));
  if ("type" in made) {
    throw new UserError("no_worktree", made.text, "Leave --worktree out, or mend that first.", exitCodes.usage);
  }
  const { path, folder, head, dirty } = made;
  return { deps: (await wire(caller, input, root, folder)).deps, worktree: { path, folder, head, dirty } };
}

function worktreesOf({ world }: Caller): string {
  return join(userFolders(world.env).state, "worktrees");
}

/** The folder of a chain's worktree, or null where it has none: only one that we made in our own folder, and for this repository, counts. */
export async function folderOf(workspace: string, { worktree }: Context, caller: Caller): Promise<string | null> {
  if (worktree === null) return null;
  const { path } = worktree;
  const { ownWorktree } = await import("../tools/git_folder.ts");
  const folder = ownWorktree(workspace, path, worktreesOf(caller));
  if (typeof folder === "string") return folder;
  throw new UserError(
    "not_our_worktree",
    `${path} does not count as this chain's worktree: ${folder.text} Nothing was done.`,
    'Begin again: claude-exec new "…" --worktree',
    exitCodes.conflict,
  );
}
