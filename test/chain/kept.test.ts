import * as fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { apply } from "../../src/chain/apply.ts";
import type { Context } from "../../src/chain/context.ts";
import { digest } from "../../src/chain/epoch.ts";
import { event, type Body, type ChainEvent } from "../../src/chain/events.ts";
import { missingFrom } from "../../src/chain/kept.ts";
import { withLedger } from "../../src/chain/open.ts";
import { cleanUp } from "../support/folders.ts";
import { firstKey, report, wholeWay, wholeWayAnswers } from "../support/script.ts";
import { after, approved, changed, engine, line, presented, recorded } from "./lines.ts";
import { workbench } from "./workbench.ts";

afterEach(cleanUp);

const state = { type: "file", sha256: "x", mode: 0o644 } as const;

/** What a step can be; each writes down in `kept` what must never be lost, by a word that occurs nowhere else. */
const steps = {
  decide: (word: string, kept: Kept) => {
    kept.decisions.set(`key_${word.length}`, word);
    return [recorded("chain_planner", { decisions: [{ key: `key_${word.length}`, choice: `${word} "or\nso"` }] })];
  },
  doubt: (word: string, kept: Kept) => {
    kept.doubts.add(word);
    return [recorded("mapper", { uncertainties: [{ area: word, confidence: 0.5, blocking: true, resolved: false }] })];
  },
  resolve: (_: string, kept: Kept) => {
    const [area] = kept.doubts;
    if (area === undefined) return [];
    kept.doubts.delete(area);
    const uncertainties = [{ area, confidence: 1, blocking: false, resolved: true, resolution: "looked up" }];
    return [recorded("mapper", { uncertainties })];
  },
  approve: (_: string, kept: Kept) => {
    kept.words.add("approved");
    return [presented(), approved];
  },
  reject: (word: string, kept: Kept) => {
    kept.words.add(word);
    return [presented(), event("approval_refused", { solution: "abc123abc123", reason: word })];
  },
  change: (word: string, kept: Kept) => {
    kept.words.add(word);
    return [presented(), event("changes_requested", { solution: "abc123abc123", request: word })];
  },
  write: (word: string, kept: Kept) => {
    kept.files.add(`src/${word}.js`);
    return [changed(`src/${word}.js`, "code")];
  },
  touch: (word: string, kept: Kept) => {
    kept.files.add(`out/${word}.js`);
    const touched = [{ path: `out/${word}.js`, before: null, after: state }];
    return [event("files_touched", { key: "k", argv: ["make"], touched: touched as never, meant: true })];
  },
  read: (word: string) => [recorded("mapper", { discovered: [{ key: word, value: "seen" }] })],
} satisfies Record<string, (word: string, kept: Kept) => ChainEvent[]>;

interface Kept {
  decisions: Map<string, string>;
  doubts: Set<string>;
  words: Set<string>;
  files: Set<string>;
}

test("chains of 500 steps through many epochs lose no decision, open doubt, approval or touched file", () => {
  const names = Object.keys(steps) as (keyof typeof steps)[];
  const step = fc.tuple(fc.constantFrom(...names), fc.integer({ min: 0, max: 29 }));
  fc.assert(
    fc.property(fc.array(step, { minLength: 500, maxLength: 500 }), (walk) => {
      const kept: Kept = { decisions: new Map(), doubts: new Set(), words: new Set(), files: new Set() };
      let context: Context = after();
      const add = (bodies: readonly Body[]) => {
        for (const body of bodies) context = apply(context, line(body));
      };
      let epochs = 0;
      const opened = () => {
        const parts = { tools: "", system: [], schema: null, bytes: 0 };
        add([event("epoch_opened", { number: ++epochs, ...parts, digest: digest(context, "It was full.", "") })]);
      };
      for (const [at, [name, chance]] of walk.entries()) {
        add(withLedger(engine, steps[name](`w${at}_`, kept)).bodies);
        if (chance === 0) opened();
      }
      const missing = missingFrom(context);
      if (missing.length > 0) add([event("ledger_extended", { text: missing.join("\n") })]);
      expect(missingFrom(context)).toEqual([]);
      for (const isFresh of [false, true]) {
        if (isFresh) opened();
        const told = context.engine.ledger.map(({ text }) => text).join("\n");
        const all = [...kept.decisions.values(), ...kept.doubts, ...kept.words, ...kept.files];
        expect(all.filter((word) => !told.includes(word))).toEqual([]);
      }
      expect(epochs).toBeGreaterThan(1);
    }),
    { numRuns: 30 },
  );
});

test("what the ledger does not hold is told before a solution is judged, once", async () => {
  const bench = await workbench(wholeWay);
  const edit = { path: ["decisions", "by_hand"], before: undefined, after: "a map" };
  await bench.chain.append({ by: engine, bodies: [event("context_edited", { changes: [edit] })] });
  await bench.run({ answers: wholeWayAnswers });
  await bench.run({ answers: wholeWayAnswers });
  await bench.chain.close();
  const told = bench.chain.context.engine.ledger.filter(({ text }) => text.startsWith("## Kept by the engine"));
  expect(told.map(({ text }) => text)).toEqual([expect.stringContaining("- decided by_hand: a map")]);
});

test("a request that fills half of the window is condensed before a solution is judged, and not before that", async () => {
  const long = { account: "x".repeat(60_000) };
  const replies = {
    ...wholeWay,
    "context-building/1/2-dependency_analyzer/turn-1": report("No dependencies.", long),
    "solution-approval/0/0-context_preservation/turn-1": report("Nothing.", { account: "Nothing beside the digest" }),
  };
  const condensed = async (contextWindow: number) => {
    const bench = await workbench(replies, { deps: { contextWindow } });
    const ending = await bench.run({ answers: wholeWayAnswers });
    await bench.chain.close();
    const opened = bench.events().findLast((one) => one.event === "epoch_opened");
    return [ending.type, opened?.event === "epoch_opened" && opened.number, bench.chain.context.current_phase];
  };
  expect(await condensed(70_000)).toEqual(["needs_approval", 2, "solution-approval"]);
  expect(await condensed(200_000)).toEqual(["needs_approval", 1, "solution-approval"]);
});

test("at 80 % of the window a record is condensed also where each report names the next prompt", async () => {
  const again = (at: number) => ({
    type: "run_prompts",
    prompts: [{ name: "uncertainty_resolver", inputs: [{ name: "question", value: `again ${at}` }] }],
  });
  const long = { account: "x".repeat(40_000) };
  const replies: Record<string, unknown> = { [`${firstKey}/turn-1`]: report("Clear.", {}, again(1)) };
  for (const at of [1, 2, 3, 4, 5]) {
    const next = at < 5 ? again(at + 1) : { type: "give_up", reason: "x" };
    const stem = "requirements-clarification";
    replies[`${stem}/${at + 1}/1-uncertainty_resolver/turn-1`] = report("Looked.", long, next);
    replies[`${stem}/${at + 1}/0-context_preservation/turn-1`] = report("Nothing.", { account: "Nothing more." });
  }
  const bench = await workbench(replies, { deps: { contextWindow: 60_000 } });
  await bench.run();
  await bench.chain.close();
  const steps = bench.requests.map(({ key }) => key.split("/").slice(1, 3).join("/"));
  expect(steps.slice(0, 5)).toEqual([
    "1/1-requirement_disambiguator",
    "2/1-uncertainty_resolver",
    "3/1-uncertainty_resolver",
    "4/0-context_preservation",
    "4/1-uncertainty_resolver",
  ]);
  expect(bench.events().filter(({ event: name }) => name === "epoch_opened").length).toBeGreaterThan(1);
});
