import type { Context, PresentedSolution } from "../chain/context.ts";
import type { ChainLine } from "../chain/events.ts";
import { pageOf, withReason } from "../chain/page.ts";
import type { z } from "zod";
import type { Blobs } from "../store/blobs.ts";
import { typed } from "../tools/test_command.ts";
import { diffSize, unifiedDiff } from "../util/diff.ts";
import { exitCodes } from "../util/errors.ts";
import { quoted, quotedLine } from "../util/quoting.ts";
import type { Answer } from "./operation.ts";
import type { busy, chainResult, chainStands } from "./results.ts";

export type ChainResult = z.infer<typeof chainResult>;
export type ShownEnding = z.infer<typeof chainStands>["ending"];

/** How a chain stands, at the end of a turn or as it was left. */
export function answerOf(context: Context, file: string, ending: ShownEnding, blobs?: Blobs): Answer<ChainResult> {
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
  return {
    exit: exitOf(ending),
    data: {
      chain_id,
      goal,
      ending,
      phase: current_phase,
      confidence: confidence_scores,
      doubts: doubtsOf(context),
      cost: {
        usd: costs.estimated_cost,
        tokens: costs.tokens_used,
        unpriced_calls: costs.unpriced_calls,
        notional_usd: costs.notional_cost ?? 0,
        lost_calls: costs.lost_calls,
      },
      // A screen shows the first of them: the code, and then its tests.
      files: testsLast(memory.files_modified, context).map((path) => ({
        path,
        new: context.engine.files[path]?.before === null,
        deleted: context.engine.files[path]?.after === null,
        ...(blobs && { lines: changedLines(context, path, blobs) }),
      })),
      mode: context.mode,
      tests_changed: evidence.changed_after_red,
      findings: openFindings(context),
      not_checked: stillUnchecked(context),
      touched: context.touched,
      worktree:
        context.worktree === null
          ? null
          : {
              ...context.worktree,
              commands: worktreeCommands(context, context.worktree.path),
              advice: context.git_advice,
            },
      tests: {
        command: context.engine.test_command && typed(context.engine.test_command),
        found_in: context.engine.tests.found_in,
        confirmed: context.engine.tests.confirmed,
      },
      test_runs: testRunsOf(evidence),
      solution_hash: solution?.hash ?? null,
      context_file: file,
    },
  };
}

function testsLast(paths: readonly string[], { engine }: Context): string[] {
  const isTest = (path: string) => Number(engine.files[path]?.role === "test");
  return paths.toSorted((one, other) => isTest(one) - isTest(other));
}

/** From what a file was at first to what the chain wrote last. */
function changedLines({ engine }: Context, path: string, blobs: Blobs) {
  const { before = null, after = null } = engine.files[path] ?? {};
  const text = (hash: string | null) => (hash === null ? null : blobs.get(hash));
  return diffSize(unifiedDiff(text(before), text(after), path));
}

/** What is still in doubt, and how many areas no longer are. */
function doubtsOf({ confidence_scores: { overall: _, ...scores }, uncertainties, waived, engine }: Context) {
  const areas = [...new Set([...Object.keys(scores), ...uncertainties.map(({ area }) => area)])];
  const open = areas.flatMap((area) => {
    const { confidence, resolved, blocking = false } = uncertainties.find((one) => one.area === area) ?? {};
    const score = scores[area] ?? confidence ?? 0;
    const isOpen = resolved === false || (area in scores && score < engine.gates.overall);
    return isOpen && !(area in waived) ? [{ area, confidence: score, blocking: blocking && !resolved }] : [];
  });
  return { open, settled: areas.length - open.length, gap: engine.gap };
}

/** What prompts decided after the approval, and what was approved does not hold. */
export function decidedSince(lines: readonly ChainLine[], { solution }: PresentedSolution): string[] {
  const approved = lines.findLastIndex((line) => line.type === "event" && line.event === "approval_given");
  return lines.slice(approved).flatMap((line) => {
    if (line.type !== "event" || line.event !== "report_recorded") return [];
    const others = (line.report.decisions ?? []).filter((one) =>
      solution.decisions.every((it) => it.choice !== one.choice),
    );
    return others.map(({ choice, because = "" }) => withReason(choice, because));
  });
}

export function openFindings({ findings }: Context) {
  return findings.flatMap(({ standing, ...finding }) => (standing === "open" ? [finding] : []));
}

/** In the words of whoever could not look, without those who spoke before the change was made: reviewers looked since. */
function stillUnchecked({ not_checked: notes, engine: { reported, changes } }: Context): string[] {
  return notes.flatMap((note) => {
    const by = note.slice(0, note.indexOf(": "));
    if (!Object.hasOwn(reported, by)) return [note];
    return changes > 0 && reported[by] === 0 ? [] : [note.slice(by.length + 2)];
  });
}

/** What a person is shown of the solution that waits for them, or that they approved. */
export function approvalEnding(context: Context, presented: PresentedSolution): ShownEnding {
  const { engine } = context;
  const page = engine.page ?? { now: pageOf(presented.solution, presented.base, context), before: null, confirmed: [] };
  const { now: sections, before, confirmed } = page;
  const shown = { sections, before, confirmed, asked: engine.asked, expected_usd: expectedCost(context, presented) };
  return { type: "needs_approval", presented, page: shown };
}

/** Fitted to four recorded trials: building cost a quarter of what was spent before the approval, and 7 % more a file. */
function expectedCost({ cost_tracking: { estimated_cost, by_phase } }: Context, { solution }: PresentedSolution) {
  const spent = estimated_cost - (by_phase["implementation"] ?? 0);
  return spent > 0 ? spent * (0.25 + 0.07 * solution.files.length) : null;
}

export function testRunsOf({ runs }: Context["evidence"]) {
  return runs.map(({ verdict, exit_code, why, in_words }) => ({
    verdict,
    exit_code,
    ...(why ? { why } : {}),
    ...(in_words ? { in_words } : {}),
  }));
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

function exitOf(ending: ShownEnding): number {
  switch (ending.type) {
    case "completed":
    case "answered":
    case "accepted":
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

/** Nothing was done: another process works on the chain. */
export function busyAnswer(id: string): Answer<z.infer<typeof busy>> {
  const next = [{ operation: "status", input: { chain: id }, why: "Watch it" }];
  return { exit: exitCodes.conflict, data: { chain_id: id, busy: true, next } };
}
