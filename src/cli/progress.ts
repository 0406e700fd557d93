import type { ChainLine, Progress } from "../app/operation.ts";
import { percent } from "./narrate.ts";
import { harmless, type Screen } from "./terminal.ts";

export interface Live {
  sign(sign: Progress): void;
  line(line: ChainLine): void;
  stop(): void;
}

/** Two lines below the story: what is being done now, and what it has cost and brought so far. */
export function openLive(screen: Screen, now: () => number): Live {
  let doing = "";
  let since = now();
  let spent = 0;
  let tokens = 0;
  let budget: number | null = null;
  let confidence = "";
  let frame = 0;
  const draw = () => {
    if (!doing) return screen.live([]);
    const seconds = Math.round((now() - since) / 1000);
    const money = `$${spent.toFixed(2)}${budget === null ? "" : ` of $${budget.toFixed(2)}`} · ${tokens.toLocaleString("en")} tokens${confidence ? ` · confidence ${confidence}` : ""}`;
    screen.live([
      `  ${frames[frame++ % frames.length]} ${doing}${seconds > 1 ? `  ${seconds} s` : ""}`,
      screen.style("dim", `    ${money}`),
    ]);
  };
  const timer = setInterval(draw, 120);
  timer.unref();
  const begin = (text: string) => {
    doing = harmless(text);
    since = now();
    draw();
  };
  return {
    sign(sign) {
      switch (sign.type) {
        case "thinking":
          return begin(`${sign.prompt} · ${sign.model}`);
        case "using":
          return begin(`${sign.tool} ${sign.input}`);
        case "retrying":
          screen.print(`  ! ${harmless(sign.reason)} Trying again in ${Math.ceil(sign.delay_ms / 1000)} s.`);
          return begin(`waiting ${Math.ceil(sign.delay_ms / 1000)} s`);
        case "receiving":
          return undefined;
      }
    },
    line(line) {
      if (line.type === "result" && line.effect === "model") {
        spent += line.booked.usd ?? 0;
        const { input, output, cacheRead, cacheWrite5m, cacheWrite1h } = line.booked.usage;
        tokens += input + output + cacheRead + cacheWrite5m + cacheWrite1h;
      }
      if (line.type !== "event") return;
      if (line.event === "chain_started") budget = line.limits.budget_usd;
      if (line.event === "report_recorded" && line.counted.length > 0)
        confidence = line.counted.map(({ area, score }) => `${area} ${percent(score)}`).join(", ");
    },
    stop() {
      clearInterval(timer);
      doing = "";
      screen.live([]);
    },
  };
}

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
