import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { placeWith } from "../support/cli.ts";
import { callerAt, operate } from "../support/inside.ts";
import { action, firstKey, recordingAt, report } from "../support/script.ts";
import { quickApp, runs, task } from "../support/ways.ts";

test("the prompt that chooses between prompts is told how each of them did here", async () => {
  const place = placeWith(quickApp);
  const measured = { confidence: [{ area: "technical_approach", score: 0.5, evidence: [] }] };
  const { do: next } = JSON.parse(
    (runs("prompt_selector", [{ name: "need", value: "who calls sum" }]).content as { text: string }[])[0]!.text,
  ).action as { do: { type: string } };
  const replay = recordingAt(place.beside, {
    [`${firstKey}/turn-1`]: report("It is clear.", measured, next),
    "requirements-clarification/1/1-prompt_selector/turn-1": report("None fits."),
    "requirements-clarification/2/controller/turn-1": action("I ask.", { type: "stop", reason: "enough" }),
  });
  await operate("new", { task, trust: true, replay }, callerAt(place.workspace, place.env)).catch(() => undefined);
  const journal = readFileSync(join(place.home, "contexts", "journal", "001.jsonl"), "utf8")
    .trim()
    .split("\n");
  const intent = journal
    .map((line) => JSON.parse(line) as { prompt?: { name: string }; request?: { tail?: string } })
    .find(({ prompt }) => prompt?.name === "prompt_selector");
  expect(intent?.request?.tail).toMatch(
    /By how much each prompt lowered .+:\n- requirement_disambiguator: 50 % in 1 of 1 runs, \$\d\.\d\d a run\n/,
  );
});
