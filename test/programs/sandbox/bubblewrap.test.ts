import { spawnSync } from "node:child_process";
import { quote } from "@anthropic-ai/sandbox-runtime/dist/utils/shell-quote.js";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { planOf, wordsOf } from "../../../src/programs/sandbox/bubblewrap.ts";
import { quoted } from "../../../src/util/quoting.ts";
import { cleanUp, folderWith } from "../../support/folders.ts";

test("any word reaches a command as it is", () => {
  const words = fc.array(
    fc.string({ unit: "grapheme" }).map((word) => word.replaceAll("\0", "")),
    { minLength: 1 },
  );
  fc.assert(
    fc.property(words, (argv) => {
      const script = `printf '%s\\0' ${argv.map(quoted).join(" ")}`;
      expect(spawnSync("/bin/sh", ["-c", script], { encoding: "utf8" }).stdout).toBe(`${argv.join("\0")}\0`);
    }),
    { numRuns: 60, examples: [[["'", "''", "$HOME", "`id`", "\n", "\\", "!!", "", "-n", "é"]]] },
  );
});

test("the words of the runtime's call are read as it wrote them", () => {
  const words = fc.array(fc.string({ unit: "grapheme" }), { minLength: 1 });
  fc.assert(
    fc.property(words, (argv) => {
      expect(wordsOf(quote(argv))).toEqual(argv);
    }),
    { examples: [[["a b", "'", "it's 'quoted'", "", "\n", '"', "-- "]]] },
  );
  expect(() => wordsOf("two  spaces")).toThrow("These are no quoted words");
});

test("a call that looks otherwise than it is known to is not run", () => {
  const session = { own: folderWith({}), group: null };
  const inner = "'SRT_X=0 /bin/apply-seccomp /bin/sh -c command'";
  expect(
    planOf({ call: `bwrap --die-with-parent -- /bin/sh -c ${inner}`, mounts: "" }, session).argv.slice(-4),
  ).toEqual(["--", "/bin/apply-seccomp", "/bin/sh", "-c"]);
  for (const call of [
    "command",
    `bwrap -- /bin/sh -c ${inner}`,
    "bwrap --die-with-parent -- /bin/sh -c command",
    `bwrap --die-with-parent -- /bin/sh -c -- ${inner}`,
  ]) {
    expect(() => planOf({ call, mounts: "" }, session)).toThrow(/^Not a call of bubblewrap as it is known here: /);
  }
  cleanUp();
});
