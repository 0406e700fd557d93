import type { ChainLine, Progress } from "../app/operation.ts";
import { percent } from "./narrate.ts";
import { harmless, type Screen } from "./terminal.ts";

export interface Live {
  sign(sign: Progress): void;
  line(line: ChainLine): void;
  /** Takes the lines away, until there is another sign of life. */
  stop(): void;
}

interface Doing {
  readonly text: string;
  readonly since: number;
  /** How much of the reply is there. */
  readonly characters: number;
}

const shownAtOnce = 3;

/** Lines below the story: what is being done now, and what it has cost and brought so far. */
export function openLive(screen: Screen, now: () => number): Live {
  /** By the step's key: several prompts may think at the same time. */
  const doing = new Map<string, Doing>();
  const told = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let spent = 0;
  let tokens = 0;
  let budget: number | null = null;
  let confidence = "";
  let frame = 0;
  const draw = () => {
    if (doing.size === 0) return screen.live([]);
    const money = `$${spent.toFixed(2)}${budget === null ? "" : ` of $${budget.toFixed(2)}`} · ${tokens.toLocaleString("en")} tokens${confidence ? ` · confidence ${confidence}` : ""}`;
    const spinner = frames[frame++ % frames.length];
    const shown = [...doing.values()].slice(0, shownAtOnce).map((one) => `  ${spinner} ${doingText(one, now())}`);
    const more = doing.size > shown.length ? [`    and ${doing.size - shown.length} more`] : [];
    screen.live([...shown, ...[...more, `    ${money}`].map((line) => screen.style("dim", line))]);
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
        case "retrying":
          screen.print(`  ! ${harmless(sign.reason)} Trying again in ${Math.ceil(sign.delay_ms / 1000)} s.`);
          return begin(sign.key, `waiting ${Math.ceil(sign.delay_ms / 1000)} s`);
        case "receiving": {
          const known = doing.get(sign.key);
          if (known) doing.set(sign.key, { ...known, characters: sign.characters });
          return undefined;
        }
        case "notice":
        case "sandbox": {
          if (told.has(sign.line)) return undefined;
          told.add(sign.line);
          const style = sign.type === "notice" || sign.line.startsWith("sandbox: OFF") ? "yellow" : "dim";
          return screen.print(screen.style(style, `  ${harmless(sign.line)}`));
        }
      }
    },
    line(line) {
      if (line.type === "result" && line.effect === "model") {
        spent += line.booked.usd ?? 0;
        const { input, output, cacheRead, cacheWrite5m, cacheWrite1h } = line.booked.usage;
        tokens += input + output + cacheRead + cacheWrite5m + cacheWrite1h;
      }
      // What is begun next is drawn over it before the next tick, so that nothing flickers.
      if (line.type === "result") doing.delete(line.key);
      if (line.type !== "event") return;
      if (line.event === "chain_started") budget = line.limits.budget_usd;
      if (line.event === "report_recorded" && line.counted.length > 0)
        confidence = line.counted.map(({ area, score }) => `${area} ${percent(score)}`).join(", ");
    },
    stop() {
      clearInterval(timer);
      timer = undefined;
      doing.clear();
      draw();
    },
  };
}

function doingText({ text, since, characters }: Doing, now: number): string {
  const seconds = Math.round((now - since) / 1000);
  const time = seconds > 1 ? `  ${seconds} s` : "";
  return `${text}${time}${characters > 0 ? `  ${characters.toLocaleString("en")} characters` : ""}`;
}

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
