import type { Context } from "../../src/chain/context.ts";
import { durations } from "../../src/chain/view.ts";
import type { OperationName, Outcome } from "../../src/operations/operations.ts";

const nothingLost = { lost_calls: [] };

/** What an operation gives where there is nothing to tell: a test says only what it is about. */
function plain(operation: OperationName, data: Record<string, unknown>): Record<string, unknown> {
  if (operation === "status") {
    const chains = (data["chains"] as Record<string, unknown>[]).map(plainChain);
    return { all: false, ...data, chains };
  }
  if (operation === "chain-cost")
    return { waiting_ms: 0, foreign: null, problem: null, next: [], ...nothingLost, ...data };
  if (operation === "diff") return { foreign: null, problem: null, next: [], ...data };
  if (operation === "rewind") return { files_only: false, next: [], ...data };
  if (operation === "prompts list") return { problems: [], untrusted: null, ...data };
  if (operation === "prompts show")
    return { hides: [], phases: [], good_for: [], extra: {}, tags: [], inputs: {}, ...data };
  if (!("ending" in data)) return data;
  const worktree = data["worktree"] ? { advice: null, ...data["worktree"] } : null;
  const tests = { command: "npm test", found_in: "found in package.json", confirmed: false };
  const doubts = { open: [], settled: 0 };
  const lists = { files: [], findings: [], touched: [], test_runs: [], not_checked: [], tests_changed: [] };
  return {
    tests,
    doubts,
    ...lists,
    mode: "tdd",
    ...data,
    worktree,
    cost: { ...nothingLost, ...(data["cost"] as object) },
  };
}

function plainChain(chain: Record<string, unknown>): Record<string, unknown> {
  if (!("goal" in chain)) return { next: [], ...chain };
  const costs = { estimated_cost: 0, ...nothingLost, ...(chain["cost_tracking"] as object) };
  const status = { state: "stopped", waiting_for: null, next: [], ...(chain["status"] as object) };
  const evidence = { runs: [] };
  const visits = (chain["phase_history"] ?? []) as Context["phase_history"];
  const times = { durations: durations({ phase_history: visits }, []) };
  const beside = {
    ...times,
    questions: [],
    findings: [],
    phase_history: [],
    evidence,
    confidence_scores: {},
    foreign: null,
    problem: null,
    next: [],
    context_file: null,
  };
  return { ...beside, ...chain, cost_tracking: costs, status };
}

export function outcome(operation: OperationName, data: object): Outcome {
  return { operation, exit: 0, data: plain(operation, { ...data }) } as unknown as Outcome;
}
