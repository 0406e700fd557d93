import { PassThrough } from "node:stream";
import { WriteStream } from "node:tty";
import * as fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import { cut, harmless, harmlessJson, openScreen, wrap } from "../../../src/clients/cli/terminal.ts";

afterEach(() => vi.unstubAllEnvs());

/** A stream that says of itself that it is a terminal, and keeps what is written. */
function terminal(isTTY = true, columns = 80) {
  const stream = Object.assign(new PassThrough(), {
    isTTY,
    columns,
    getColorDepth: WriteStream.prototype.getColorDepth,
  });
  const pieces: string[] = [];
  stream.on("data", (piece: Buffer) => pieces.push(piece.toString()));
  return { stream: stream as unknown as NodeJS.WriteStream, written: () => pieces.join("") };
}

function colours(on: boolean) {
  vi.stubEnv("FORCE_COLOR", undefined);
  vi.stubEnv("CI", undefined);
  vi.stubEnv("TERM", "xterm-256color");
  vi.stubEnv("NO_COLOR", on ? undefined : "1");
}

test("a terminal gets colours, unless NO_COLOR is set or plain was asked for", () => {
  const green = (plain: boolean, isTTY = true) =>
    openScreen(terminal(isTTY).stream, { plain, quiet: false }).style("green", "yes");
  colours(true);
  expect(green(false)).toBe("\x1b[32myes\x1b[39m");
  expect(green(true)).toBe("yes");
  expect(green(false, false)).toBe("yes");
  colours(false);
  expect(green(false)).toBe("yes");
});

test("on a terminal the live lines are redrawn below the text that stays", () => {
  const { stream, written } = terminal();
  const screen = openScreen(stream, { plain: false, quiet: false });
  screen.live(["one", "two"]);
  screen.print("stays");
  screen.close();
  const frame = (text: string) => `\x1b[?2026h${text}\x1b[?2026l`;
  expect(written()).toBe(frame("one\ntwo\n") + frame("\x1b[2A\r\x1b[Jstays\none\ntwo\n") + frame("\x1b[2A\r\x1b[J"));
});

test("live lines never wrap and are never more than six, so that redrawing erases them all", () => {
  const { stream, written } = terminal(true, 10);
  const screen = openScreen(stream, { plain: false, quiet: false });
  screen.live(Array.from({ length: 9 }, (_, index) => `${index} is a long line`));
  screen.live([]);
  expect(written()).toContain("0 is a…\n");
  expect(written()).toContain("5 is a…\n");
  expect(written()).not.toContain("6 is");
  expect(written().endsWith("\x1b[?2026h\x1b[6A\r\x1b[J\x1b[?2026l")).toBe(true);
});

test.each([
  ["in a pipe", { isTTY: false, plain: false }],
  ["when plain was asked for", { isTTY: true, plain: true }],
])("%s there are only lines that stay, and no control sequence", (_, { isTTY, plain }) => {
  colours(true);
  const { stream, written } = terminal(isTTY);
  const screen = openScreen(stream, { plain, quiet: false });
  screen.live(["working"]);
  screen.print(screen.style("bold", "stays"));
  screen.close();
  expect(written()).toBe("stays\n");
});

test("without a terminal nothing is wrapped, so that a log collector gets whole lines", () => {
  const log = terminal(false);
  Object.assign(log.stream, { columns: undefined });
  expect(openScreen(log.stream, { plain: false, quiet: false }).columns).toBe(Infinity);
  const unsized = terminal(true);
  Object.assign(unsized.stream, { columns: 0 });
  expect(openScreen(unsized.stream, { plain: false, quiet: false }).columns).toBe(100);
});

test("a quiet screen says nothing", () => {
  const { stream, written } = terminal();
  const screen = openScreen(stream, { plain: false, quiet: true });
  screen.live(["working"]);
  screen.print("stays");
  screen.close();
  expect(written()).toBe("");
});

test.each([
  ["colours", "\x1b[31mred\x1b[0m", "red"],
  ["cursor moves and erasing", "a\x1b[2J\x1b[1;1H\x1b[3Ab", "ab"],
  ["a title, a link, the clipboard", "\x1b]0;t\x07a\x1b]8;;http://x\x1b\\b\x1b]52;c;ZXZpbA==\x07c", "abc"],
  ["single-byte controls", "a\u009b31mb\u0085c\u007f", "abc"],
  ["a bell, backspaces, a carriage return, null", "safe\b\b\b\bevil\r\x07\u0000", "safeevil"],
  ["text turned round", "a\u202etxt.exe\u202c b\u2066c\u2069 \u200e\u200f", "atxt.exe bc "],
  ["a lone escape", "a\x1bb", "ab"],
  ["lines, tabs, letters of the world", "a\n\tb é 日本 🙂 عربي", "a\n\tb é 日本 🙂 عربي"],
])("%s: nothing but the text reaches the terminal", (_, text, shown) => {
  expect(harmless(text)).toBe(shown);
});

const hostile = fc.string({
  unit: fc.oneof(
    fc.constantFrom(
      "\x1b",
      "\u009b",
      "[",
      "]",
      "31m",
      "2J",
      ";",
      "\x07",
      "\u202e",
      "\u2066",
      "\r",
      "\n",
      "\u0000",
      "é",
      "🙂",
      '"',
      "\\",
    ),
    fc.string({ unit: "binary", maxLength: 2 }),
  ),
});
// oxlint-disable-next-line no-control-regex
const dangerous = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

test("whatever the text, nothing that a terminal acts on is left", () => {
  fc.assert(
    fc.property(hostile, (text) => {
      expect(harmless(text)).not.toMatch(dangerous);
    }),
  );
});

test("whatever the text, JSON keeps it whole and shows a terminal nothing to act on", () => {
  fc.assert(
    fc.property(hostile, fc.constantFrom(undefined, 2), (text, indent) => {
      const json = harmlessJson({ [text]: [text] }, indent);
      expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify({ [text]: [text] })));
      expect(json).not.toMatch(dangerous);
      expect(json.split("\n")).toHaveLength(indent === undefined ? 1 : 5);
    }),
  );
});

test("text is wrapped at its words, and lists keep their indent", () => {
  expect(wrap("one two three four five six", 20, "  ")).toBe("  one two three four\n  five six");
  expect(wrap("- one two three four five", 20, "")).toBe("- one two three four\n  five");
  expect(wrap("10. one two three four five", 20, "")).toBe("10. one two three\n    four five");
  expect(wrap("a\n\nb", 40, "│ ")).toBe("│ a\n│\n│ b");
  expect(wrap("日本 日本 日本 日本 日本", 20, "")).toBe("日本 日本 日本 日本\n日本");
});

test("no word is lost by wrapping", () => {
  const words = fc.array(fc.string({ unit: fc.constantFrom("a", "日", "é", "-", "1", ".") }), { maxLength: 40 });
  fc.assert(
    fc.property(words, fc.integer({ min: 1, max: 60 }), (text, width) => {
      const all = (joined: string) => joined.split(/\s+/).filter(Boolean);
      expect(all(wrap(text.join(" "), width, "  "))).toEqual(all(text.join(" ")));
    }),
  );
});

test("a line is cut to the columns it has, colours left whole and wide letters counted twice", () => {
  expect(cut("short", 10)).toBe("short");
  expect(cut("a longer line", 8)).toBe("a longe…");
  expect(cut("\x1b[2ma longer line\x1b[22m", 8)).toBe("\x1b[2ma longe\x1b[22m…");
  expect(cut("日本語です", 6)).toBe("日本…");
});
