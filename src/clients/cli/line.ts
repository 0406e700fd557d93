import { createInterface, type Interface } from "node:readline";
import { openScreen, rowsIn, type Screen } from "./terminal.ts";

/** The line of a session in which its person types, and the screen above that line. */
export interface Line {
  readonly screen: Screen;
  /** What stands before the text that is typed. */
  prompt(text: string): void;
  /** Gives the terminal to another program until `work` has ended. */
  leave<Result>(work: () => Promise<Result>): Promise<Result>;
  close(): void;
}

export interface Typing {
  /** Lines that were pasted together come as one text. */
  text(typed: string): void;
  interrupt(): void;
  end(): void;
  complete(line: string): Promise<[string[], string]>;
  /** A line that is to be found again with the arrow keys. */
  remember(line: string): void;
}

export function openLine(typing: Typing, { plain, history }: { plain: boolean; history: string[] }): Line {
  const output = process.stdout;
  const completer = (text: string, done: (error?: null | Error, found?: [string[], string]) => void) =>
    void typing.complete(text).then((found) => done(null, found), done);
  // Where the row of the cursor is counted from; readline keeps it for itself.
  const rl: Interface & { prevRows?: number } = createInterface({
    input: process.stdin,
    output,
    terminal: true,
    history,
    historySize: 500,
    removeHistoryDuplicates: true,
    completer,
  });
  // A terminal that is made wider or narrower wraps the typed line anew, before readline draws it.
  output.prependListener("resize", () => (rl.prevRows = rl.getCursorPos().rows));
  let prompt = "> ";
  let isAway = false;
  let isClosed = false;
  let lines: string[] = [];
  const held: string[] = [];
  /** The rows of a line that was just entered: the cursor stands below it. */
  let entered = 0;
  const show = () => {
    if (isClosed || isAway) return;
    rl.prevRows = 0;
    rl.prompt(true);
  };
  const rows = () => (isClosed ? 0 : entered || rl.getCursorPos().rows);
  const base = openScreen(output, { plain, quiet: false, typed: { rows, show } });
  const screen: Screen = {
    get columns() {
      return base.columns;
    },
    style: base.style,
    print: (text) => (isAway ? void held.push(text) : base.print(text)),
    live: (now) => isAway || base.live(now),
    close: base.close,
  };
  rl.on("line", (text) => {
    // What goes on stands above the line: the line is put above that.
    entered = rowsIn(prompt + text, output.columns);
    base.print(prompt + text);
    entered = 0;
    lines.push(text);
    if (lines.length > 1) return;
    setImmediate(() => {
      const typed = lines.join("\n");
      lines = [];
      typing.text(typed);
    });
  });
  rl.on("history", (all: string[]) => {
    if (all[0]?.startsWith(" ")) all.shift();
    else if (all[0] !== undefined) typing.remember(all[0]);
  });
  rl.on("SIGINT", () => {
    if (rl.line === "") return typing.interrupt();
    rl.write(null, { ctrl: true, name: "e" });
    rl.write(null, { ctrl: true, name: "u" });
  });
  rl.on("SIGCONT", show);
  rl.on("close", () => {
    isClosed = true;
    typing.end();
  });
  return {
    screen,
    prompt(text) {
      if (text === prompt) return;
      prompt = text;
      rl.setPrompt(prompt);
      if (!isClosed && !isAway) rl.prompt(true);
    },
    async leave(work) {
      screen.live([]);
      isAway = true;
      rl.pause();
      process.stdin.setRawMode(false);
      try {
        return await work();
      } finally {
        isAway = false;
        process.stdin.setRawMode(true);
        show();
        for (const text of held.splice(0)) base.print(text);
      }
    },
    close() {
      base.close();
      output.write("\r\x1b[K");
      rl.close();
    },
  };
}
