import { relative } from "node:path";
import type { Caller, ChainLine, Progress } from "../../operations/operation.ts";
import { count } from "../../util/count.ts";
import { isBeforeApproval } from "./narrate.ts";
import { harmless, wrap, type Screen } from "./terminal.ts";
import { percent } from "./values.ts";

export interface Live {
  sign(sign: Progress): void;
  line(line: ChainLine, context: Totals): void;
  /** What the prompt of a report looked at in this run: " (read 4 files, 2 searches)". */
  looked(line: ChainLine): string;
  /** Takes the lines away, until there is another sign of life. */
  stop(): void;
}

/** What is known of the whole chain after a line: also of its runs before this one. */
type Totals = Pick<Parameters<Caller["listen"]>[1], "cost_tracking" | "confidence_scores" | "engine">;

interface Doing {
  readonly text: string;
  readonly since: number;
  /** How much of the reply is there. */
  readonly characters: number;
}

const shownAtOnce = 3;

/** Lines below the story: what is being done now, and what it has cost and brought so far. */
export function openLive(screen: Screen, now: () => number, cwd: string): Live {
  /** By the step's key: several prompts may think at the same time. */
  const doing = new Map<string, Doing>();
  const told = new Set<string>();
  const looks = new Map<string, Set<string>>();
  let timer: NodeJS.Timeout | undefined;
  let totals = "";
  let frame = 0;
  const draw = () => {
    if (doing.size === 0) return screen.live([]);
    const spinner = frames[frame++ % frames.length];
    const shown = [...doing.values()].slice(0, shownAtOnce).map((one) => `  ${spinner} ${doingText(one, now())}`);
    const more = doing.size > shown.length ? [`    and ${doing.size - shown.length} more`] : [];
    screen.live([
      ...shown,
      ...[...more, ...(totals ? [`    ${totals}`] : [])].map((line) => screen.style("dim", line)),
    ]);
  };
  const begin = (key: string, text: string) => {
    doing.set(key, { text: harmless(text), since: now(), characters: 0 });
    timer ??= setInterval(draw, 120).unref();
    draw();
  };
  return {
    sign(sign) {
      switch (sign.type) {
        case "thinking":
          return begin(sign.key, `${sign.prompt} · ${sign.model}`);
        case "using":
          return begin(sign.key, `${sign.tool} ${sign.input}`.trimEnd());
        case "waiting":
          return begin(
            sign.key,
            `limits.requests_per_minute: waiting ${Math.ceil(sign.delay_ms / 1000)} s for its turn`,
          );
        case "retrying":
          screen.print(`  ! ${harmless(sign.reason)} Trying again in ${Math.ceil(sign.delay_ms / 1000)} s.`);
          return begin(sign.key, `waiting ${Math.ceil(sign.delay_ms / 1000)} s`);
        case "receiving": {
          const known = doing.get(sign.key);
          if (known) doing.set(sign.key, { ...known, characters: sign.characters });
          return undefined;
        }
        case "chain": {
          const file = relative(cwd, sign.context_file);
          const line = `Chain ${sign.id}: ${file.startsWith("..") ? sign.context_file : file}`;
          if (told.has(line)) return undefined;
          told.add(line);
          return screen.print(screen.style("dim", `  ${harmless(line)}`));
        }
        case "notice":
        case "sandbox": {
          if (told.has(sign.line)) return undefined;
          told.add(sign.line);
          const style = sign.type === "notice" || sign.line.startsWith("sandbox: OFF") ? "yellow" : "dim";
          return screen.print(screen.style(style, wrap(harmless(sign.line), screen.columns, "  ")));
        }
      }
    },
    line(line, { cost_tracking: costs, confidence_scores: scores, engine }) {
      const { budget_usd: budget } = engine.limits;
      const tokens = costs.tokens_used.toLocaleString("en");
      totals = `$${costs.estimated_cost.toFixed(2)}${budget === null ? "" : ` of $${budget.toFixed(2)}`} · ${tokens} tokens${scores["overall"] ? ` · confidence ${percent(scores["overall"])}` : ""}`;
      // What is begun next is drawn over it before the next tick, so that nothing flickers.
      if (line.type === "result") doing.delete(line.key);
      if (line.type !== "result" || line.effect === "model") return;
      const seen =
        line.effect === "tool"
          ? line.seen.map(({ kind, ref }) => `${kind} ${ref.replace(/:\d+-\d+$/, "")}`)
          : isTried(line)
            ? [`command ${line.call}`]
            : [];
      looks.set(line.key, new Set([...(looks.get(line.key) ?? []), ...seen]));
    },
    looked(line) {
      const seen = [...("key" in line ? (looks.get(line.key) ?? []) : [])];
      const many = (kind: string) => seen.filter((one) => one.startsWith(`${kind} `)).length;
      const [files, searches, tried] = [many("file"), many("search"), many("command")];
      const counts = [
        ...(files ? [`read ${count(files, "file")}`] : []),
        ...(searches ? [count(searches, "search", "searches")] : []),
        ...(tried ? [`tried ${count(tried, "command")}`] : []),
      ];
      return counts.length > 0 ? ` (${counts.join(", ")})` : "";
    },
    stop() {
      clearInterval(timer);
      timer = undefined;
      doing.clear();
      draw();
    },
  };
}

/** A command that a prompt tried before anything was approved, where it could write nothing. */
export function isTried(line: ChainLine): boolean {
  return line.type === "result" && line.effect === "command" && line.told !== undefined && isBeforeApproval(line);
}

function doingText({ text, since, characters }: Doing, now: number): string {
  const seconds = Math.round((now - since) / 1000);
  const time = seconds > 1 ? `  ${seconds} s` : "";
  return `${text}${time}${characters > 0 ? `  ${characters.toLocaleString("en")} characters` : ""}`;
}

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
