import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { event } from "../../src/chain/events.ts";
import { createChain } from "../../src/chain/open.ts";
import { offerRecovery, recoverChain } from "../../src/chain/recover.ts";
import { storeAt } from "../support/sealed.ts";
import { cleanUp, folderWith } from "../support/folders.ts";
import { ada, engine, noon, started } from "./lines.ts";

afterEach(cleanUp);

test("the last phase is not run again where a change may be the user's own, and nothing is touched", async () => {
  const contexts = join(folderWith({}), "contexts");
  const now = () => Date.parse(noon);
  const beginning = { ...storeAt(contexts), engine: "0.1.0", by: ada, now, listen: () => undefined };
  const { type: _type, event: _event, slug: _slug, ...begun } = started;
  const chain = await createChain(beginning, begun);
  const file = { type: "file" as const, sha256: "0".repeat(64), mode: 0o644, size: 1 };
  const touched = [{ path: "src/a.js", before: null, after: file }];
  await chain.append({
    by: engine,
    bodies: [event("files_touched", { key: "k", argv: ["make"], touched, unsure: true })],
  });
  await chain.close();
  const end = join(contexts, "journal-ends", "001.json");
  writeFileSync(end, JSON.stringify({ n: 9, hash: "f".repeat(64), calls: 2 }));
  expect(offerRecovery(beginning, "001").lost).toEqual({ lines: 5, calls: 2, reports: [] });

  const journal = join(contexts, "journal", "001.jsonl");
  const before = readFileSync(journal);
  const never = () => Promise.reject(new Error("No workspace is opened."));
  await expect(recoverChain(beginning, "001", "phase", never)).rejects.toMatchObject({
    code: "not_sure",
    message:
      "A command of this phase was cut short. Nobody can tell whether it or you changed src/a.js. Nothing was changed.",
    exitCode: 14,
  });
  expect(readFileSync(journal)).toEqual(before);
  expect((await recoverChain(beginning, "001", "continue", never))?.id).toBe("001");
});
