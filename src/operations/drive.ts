import { basename, join } from "node:path";
import { adoptChain } from "../chain/adopt.ts";
import { renewedRequest } from "../chain/consent.ts";
import type { Deps } from "../chain/deps.ts";
import { isEditable, misfit } from "../chain/edits.ts";
import { event, type ChainLine, type Edit, type WorkMode } from "../chain/events.ts";
import { objection, type PersonMessage } from "../chain/inbox.ts";
import { readChain } from "../chain/inspect.ts";
import { nextStep } from "../chain/next.ts";
import { tookOf } from "../chain/pattern.ts";
import { openChain, withLedger, type Chain } from "../chain/open.ts";
import type { ChainStore } from "../chain/ownership.ts";
import { durations } from "../chain/view.ts";
import { runTurn, type Ending } from "../chain/run.ts";
import type { Caller } from "../session/caller.ts";
import type { Config } from "../session/config.ts";
import type { OwnChain } from "../session/own.ts";
import type { Session } from "../session/session.ts";
import { rememberTestCommand, rememberedTestCommand } from "../session/test_commands.ts";
import { chainPaths, dropMessage, type Inbox } from "../store/chains.ts";
import { commandOf } from "../tools/test_command.ts";
import { exitCodeOfStop, exitCodes, UserError } from "../util/errors.ts";
import { sha256 } from "../util/hash.ts";
import type { Json } from "../util/json.ts";
import type { Input } from "../util/next.ts";
import { answerOf, approvalEnding, busyAnswer, decidedSince, type ChainResult } from "./chain_answer.ts";
import type { RunningChain } from "./flags.ts";
import { limitsOf, policyOf, settingsOf } from "./limits.ts";
import type { Answer } from "./operation.ts";
import { resumable } from "./trouble.ts";
import { shownChange } from "./waiting_change.ts";

/** Says something to a chain, and lets it go on. Where another process is at work, that one takes it in. */
export async function tellChain(
  input: RunningChain,
  session: Session,
  caller: Caller,
  message: PersonMessage,
  until?: (chain: Chain) => boolean,
): Promise<Answer<ChainResult>> {
  const own = await session.ownChain(input.chain, input);
  const { deps } = await session.engine(caller, own.workspace, null, true);
  const { context, lines } = readChain(session.store, own.id);
  const objected = objection(context, message);
  if (objected) throw objected;
  const folder = (await session.worktreeOf(own.workspace, context)) ?? deps.workspace.root;
  const request = message.type === "allow" && renewedRequest(context, folder);
  if (request) {
    // The chain asks anew, so that the id in the refusal is one that can be allowed.
    await goOnWith(own, input, session, caller, {}, () => true);
    throw objection({ ...context, engine: { ...context.engine, request } }, message);
  }
  await dropMessage(inboxOf(session.store, own.id, lines), { by: caller.by, message }, session.world.now());
  const delivered = { chain_id: own.id, delivered: true as const };
  const { lacking } = deps.model;
  // Without a key it goes on up to where a model is asked.
  const asksModel = (chain: Chain) => ["call_model", "together"].includes(nextStep(chain.context).type);
  const answer = await goOnWith(own, input, session, caller, {}, lacking ? asksModel : until);
  if (!lacking || !answer || !("ending" in answer.data) || answer.data.ending.type !== "reached")
    return answer ?? { exit: exitCodes.done, data: delivered };
  const text = `There is no model to think with. What you said is kept in chain ${own.id}.`;
  const keys = lacking.next.filter(({ operation }) => operation === undefined);
  const goOn = { operation: "resume", input: { chain: own.id }, why: "Then go on" };
  throw new UserError(lacking.code, text, [...keys, goOn], lacking.exitCode);
}

export function inboxOf({ contexts, seal }: ChainStore, id: string, lines: readonly ChainLine[]): Inbox {
  return { folder: chainPaths(contexts, id).inbox, seal, chain: lines[0]?.hash ?? "" };
}

interface Choice {
  readonly accept_edit?: boolean | undefined;
  readonly discard_edit?: boolean | undefined;
  readonly mode?: WorkMode | undefined;
}

/** Lets a chain go on where it stopped, until it waits, stops or ends. A foreign chain is adopted first, where a person says so. */
export async function resumeChain(
  input: RunningChain,
  session: Session,
  caller: Caller,
  choice: Choice = {},
): Promise<Answer<ChainResult>> {
  const own = await session.ownChain(input.chain, { adopt: input.adopt, mayAdopt: true });
  await session.engine(caller, own.workspace);
  return (await goOnWith(own, input, session, caller, choice)) ?? busyAnswer(own.id);
}

/** Undefined: another process works on the chain. */
async function goOnWith(
  own: OwnChain,
  input: RunningChain,
  session: Session,
  caller: Caller,
  choice: Choice,
  until?: (chain: Chain) => boolean,
): Promise<Answer<ChainResult> | undefined> {
  const { deps, config } = await session.engine(caller, own.workspace, null, true);
  const policy = policyOf(input, caller);
  const remembered = rememberedTestCommand(deps.workspace.root, config.tests.command, session.world.env);
  const settings = { size: "normal" as const, ...(await settingsOf(deps, config, input, remembered)) };
  const begun = session.beginning(caller);
  const opened = own.adopts
    ? await adoptChain(begun, own.id, { ...settings, mode: choice.mode ?? "tdd" })
    : openChain(begun, own.id);
  if (!opened) return undefined;
  const { chain, edits } = opened;
  return driveChain(chain, { session, config }, caller, async () => {
    if (edits.length > 0) await settleEdits(chain, edits, choice, caller);
    const limits = limitsOf(input);
    const worktree = await session.worktreeOf(own.workspace, chain.context);
    const there = worktree === null ? deps : (await session.engine(caller, own.workspace, worktree, true)).deps;
    const mode = choice.mode === undefined || choice.mode === chain.context.mode ? {} : { mode: choice.mode };
    const changed = {
      limits,
      ...mode,
      ...(input.test_command === undefined ? {} : { test_command: commandOf(input.test_command) }),
    };
    const asked = Object.keys({ ...limits, ...mode }).length > 0 || input.test_command !== undefined;
    const { type } = chain.context.state;
    const planned = type === "completed" && chain.context.mode === "plan-only" && "mode" in mode;
    if (type === "parked" || planned || (type === "running" && asked)) {
      await chain.append({ by: caller.by, bodies: [event("resumed", changed)] });
    }
    return runTurn(chain, there, policy, caller.signal, until);
  });
}

/** Runs a chain that this process holds, says how it stands in the end, and closes it. */
export async function driveChain(
  chain: Chain,
  { session, config }: { readonly session: Session; readonly config: Config },
  caller: Caller,
  run: () => Promise<Ending>,
): Promise<Answer<ChainResult>> {
  try {
    caller.progress({ type: "chain", id: chain.id, context_file: chain.viewPath });
    const ending = await run();
    const { workspace, engine } = chain.context;
    if (engine.tests.confirmed && engine.test_command)
      rememberTestCommand(workspace, engine.test_command, config.tests.command, session.world);
    const shown =
      ending.type === "needs_permission"
        ? { ...ending, diff: null, proposed: null, since: null, ...shownChange(chain.context, chain.blobs) }
        : ending.type === "needs_approval"
          ? approvalEnding(chain.context, ending.presented)
          : ending;
    const isOver = ending.type === "completed" || ending.type === "accepted";
    const answer = answerOf(chain.context, chain.viewPath, shown, isOver ? chain.blobs : undefined);
    if (isOver && "ending" in answer.data) {
      const { lines } = readChain(session.store, chain.id);
      answer.data.durations = durations(chain.context, lines);
      const { solution } = chain.context;
      if (solution?.standing === "approved") answer.data.decided = decidedSince(lines, solution);
      const { applied } = chain.context.engine;
      if (applied) {
        const { title, took } = applied.pattern;
        answer.data.applied = { title, before: took, took: tookOf(chain.context, lines) };
      }
    }
    return ending.type === "interrupted" ? { ...answer, exit: exitCodeOfStop(caller.signal) } : answer;
  } catch (error) {
    throw resumable(error, chain.id);
  } finally {
    await chain.close();
  }
}

/** Where a chain works beside its user's files; it is there before the chain begins. */
export async function inWorktree(deps: Deps, session: Session, caller: Caller) {
  const { addWorktree } = await import("../programs/git/worktree.ts");
  const root = deps.workspace.root;
  const name = `${basename(root)}-${sha256(root).slice(0, 6)}-${session.world.now().toString(36)}`;
  const made = await addWorktree(deps.workspace, join(session.worktrees, name));
  if ("type" in made) {
    const next = { input: { worktree: null }, why: "Mend that first, or work in the folder itself" };
    throw new UserError("no_worktree", made.text, next, exitCodes.usage);
  }
  const { path, folder, head, dirty } = made;
  return { deps: (await session.engine(caller, root, folder)).deps, worktree: { path, folder, head, dirty } };
}

/** A context file that was edited by hand is taken over or written anew, but only on somebody's word. */
async function settleEdits(chain: Chain, edits: readonly Edit[], choice: Choice, caller: Caller): Promise<void> {
  if (choice.discard_edit) return chain.writeView(true);
  const possible = edits.filter(isEditable);
  const wrong = misfit(chain.context, possible);
  const mayBeTaken = possible.length === edits.length && wrong === undefined;
  if (choice.accept_edit && mayBeTaken) {
    await chain.append(withLedger(caller.by, [event("context_edited", { changes: possible })]));
    return chain.writeView(true);
  }
  const show = (value: Json | undefined) => (value === undefined ? "nothing" : JSON.stringify(value));
  const lines = edits.map(
    (edit) =>
      `  ${edit.path.join(".")}: ${show(edit.before)} → ${show(edit.after)}${isEditable(edit) ? "" : "   (the engine's own record: cannot be changed)"}`,
  );
  const resume = (how: Input, why: string) => ({ operation: "resume", input: { chain: chain.id, ...how }, why });
  throw new UserError(
    "context_edited",
    `The context file of chain ${chain.id} was edited by hand:\n${lines.join("\n")}\n${wrong ? `It cannot be taken over like this: ${wrong}.\n` : ""}Nothing was taken over, and nothing was overwritten.`,
    mayBeTaken
      ? [resume({ accept_edit: true }, "Take it over"), resume({ discard_edit: true }, "Or undo it")]
      : resume({ discard_edit: true }, "Undo it"),
    exitCodes.waiting,
  );
}
