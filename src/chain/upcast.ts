import { noUsage, tokensOf, type Booking } from "../costs/books.ts";
import type { Line } from "../store/journal.ts";
import { isRecord } from "../util/json.ts";
import type { Next } from "../util/next.ts";
import type { ChainLine } from "./events.ts";
import type { Solution } from "./reply.ts";

/**
 * A line of any earlier version in the shape of today; whoever changes a shape adds a case here. A foreign journal can
 * hold anything, so nothing is expected of the fields of a line.
 */
export function upcast(old: ChainLine | WorktreeOpened): ChainLine {
  switch (old.type) {
    case "header":
      return filled(old, { parent: null });
    case "intent":
      if (old.effect !== "model") return old;
      // The rights of a prompt were not frozen, and of its cost only the most that it can be was known.
      return filled({ ...old, prompt: filled(old.prompt, { tools: "none" }) }, { expected: old.reserved });
    case "result":
      return old.effect === "model" ? { ...old, booked: upcastBooking(old.booked) } : old;
    case "event":
      return upcastEvent(old);
    default:
      return old;
  }
}

function upcastEvent(old: Extract<ChainLine, { type: "event" }> | WorktreeOpened): ChainLine {
  switch (old.event) {
    case "chain_started":
      return filled({ ...old, limits: filled(old.limits, { cost_alert_usd: null }) }, { mode: "tdd" });
    case "imported":
      return filled(old, { parts: [] });
    case "epoch_opened":
      return filled(old, { schema: null });
    case "report_recorded": {
      // The account of a report was called its findings, before these were a list of their own.
      const { report } = old;
      if (!isRecord(report)) return old;
      const solved = isRecord(report.solution) ? { ...report, solution: upcastSolution(report.solution) } : report;
      if (typeof solved.findings !== "string") return { ...old, report: solved };
      const { findings, ...rest } = solved;
      return { ...old, report: { ...rest, account: findings } };
    }
    case "solution_presented": {
      const { solution } = old;
      return isRecord(solution) ? { ...old, solution: upcastSolution(solution) } : old;
    }
    case "permission_asked": {
      // What was asked before sandboxes counted is allowed inside a sandbox only.
      const { request } = old;
      return request?.kind === "command" ? { ...old, request: filled(request, { sandboxed: true }) } : old;
    }
    case "worktree_opened": {
      const { path, ...rest } = old;
      return { ...rest, event: "ledger_extended", text: `The chain works in the git worktree ${path}.` };
    }
    case "parked": {
      if (!("hint" in old) || typeof old.hint !== "string") return old;
      const { hint, ...rest } = old;
      return { ...rest, next: nextIn(hint) };
    }
    default:
      return old;
  }
}

/** A solution had no assumptions of its own, then none that say what they cover. */
function upcastSolution(old: Solution): Solution {
  const verification = filled(old.verification, { command: "" });
  const whole = filled(old, { assumptions: [], dropped: [], commands: [] });
  const assumptions = Array.isArray(whole.assumptions)
    ? whole.assumptions.map((one) => filled(one, { covers: [] }))
    : [];
  return { ...whole, assumptions, verification };
}

/** "Raise it: claude-exec resume {id} --budget-usd 5" → resume with budget_usd 5, why "Raise it". */
function nextIn(hint: string): [Next] {
  const [, flags] = /claude-exec resume \{id\}((?: --[a-z-]+ \S+)*)$/.exec(hint) ?? [];
  const why = hint.replaceAll(/ \(claude-exec [^)]*\)/g, "").replace(/: claude-exec .*$/, "");
  if (flags === undefined) return [{ why }];
  const given = [...flags.matchAll(/ --([a-z-]+) "?([^\s"]+)/g)];
  const input = Object.fromEntries(given.map(([, flag = "", value = ""]) => [flag.replaceAll("-", "_"), value]));
  return [{ operation: "resume", ...(given.length > 0 ? { input } : {}), why }];
}

/** Chains say in their first event now in which worktree they work. */
type WorktreeOpened = Line<{ type: "event"; event: "worktree_opened"; path: string }>;

/** A call of unknown fate was booked at the most that it can have cost. */
function upcastBooking(old: Booking & { readonly unknown?: boolean }): Booking {
  if (!old?.unknown) return old;
  const { unknown: _unknown, ...booked } = old;
  const tokens = tokensOf(booked.usage);
  const lost = { calls: 1, usd: booked.usd, most_usd: booked.usd, tokens, most_tokens: tokens };
  return { ...booked, usage: noUsage, lost };
}

/** What is there keeps its place: a context file is written byte for byte as before. */
function filled<Part extends object>(part: Part, missing: Partial<Part>): Part {
  return isRecord(part) ? { ...part, ...missing, ...part } : part;
}
