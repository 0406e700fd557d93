import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { event, type ChainLine } from "../../src/chain/events.ts";
import { readChain } from "../../src/chain/inspect.ts";
import { adoptChain } from "../../src/chain/adopt.ts";
import {
  createChain,
  openChain,
  slugOf,
  withLedger,
  type Beginning,
  type Chain,
  type OpenedChain,
} from "../../src/chain/open.ts";
import { UserError } from "../../src/util/errors.ts";
import { storeAt } from "../support/sealed.ts";
import { cleanUp, folderWith } from "../support/folders.ts";
import { ada, after, engine, noon, recorded, started } from "./lines.ts";
import { printed } from "../support/printed.ts";

afterEach(cleanUp);

const { type: _type, event: _event, slug: _slug, ...begun } = started;
const { goal: _goal, ...settings } = begun;

function place(): Beginning & { heard: ChainLine[] } {
  const heard: ChainLine[] = [];
  const contexts = join(folderWith({}), "contexts");
  return {
    ...storeAt(contexts),
    engine: "0.1.0",
    by: ada,
    now: () => Date.parse(noon),
    listen: (line) => heard.push(line),
    heard,
  };
}

/** A new chain with its context file, as it is once it runs. */
async function create(beginning: Beginning): Promise<Chain> {
  const chain = await createChain(beginning, begun);
  chain.writeView(true);
  return chain;
}

function open(beginning: Beginning, id = "001"): OpenedChain {
  const opened = openChain(beginning, id);
  if (!opened) throw new Error(`Another process works on chain ${id}.`);
  return opened;
}

async function caught(work: () => unknown): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    if (error instanceof UserError) return [error.code, error.message, printed(error.next), error.exitCode];
    throw error;
  }
  return "nothing";
}

test("a chain begins with its header, its task and what the model is told of it, and a context file of its own", async () => {
  const beginning = place();
  const chain = await create(beginning);
  await chain.close();
  expect(beginning.heard.map(({ hash: _, ...line }) => line)).toEqual([
    {
      n: 1,
      at: noon,
      by: ada,
      type: "header",
      format: 2,
      chain_id: "001",
      engine: "0.1.0",
      parent: null,
      key: beginning.seal.id,
      home: beginning.home,
      more: 2,
    },
    { n: 2, at: noon, by: ada, ...started, more: 1 },
    {
      n: 3,
      at: noon,
      by: ada,
      ...event("ledger_extended", {
        text: "## Task\nAdd a product function\nSize: normal. Mode: tdd. Tests run with: npm test.",
      }),
    },
  ]);
  expect(chain.viewPath).toBe(join(beginning.contexts, "chain-001-product-function-2026-11-20-12-00.json"));
  expect(JSON.parse(readFileSync(chain.viewPath, "utf8"))).toMatchObject({ chain_id: "001", journal: { n: 3 } });
});

test("lines are on disk and in the context before anybody hears of them", async () => {
  const beginning = place();
  const seen: unknown[] = [];
  const chain = await create(beginning);
  await chain.close();
  const { chain: again } = open({
    ...beginning,
    listen: (line) => seen.push([line.n, readChain(beginning, "001").lines.length, again.context.goal]),
  });
  await again.append({
    by: engine,
    bodies: [event("gap_reported", { gaps: [] }), event("gap_reported", { gaps: [] })],
  });
  await again.close();
  expect(seen).toEqual([
    [4, 5, "Add a product function"],
    [5, 5, "Add a product function"],
  ]);
});

test("what two decide at the same time is decided by one after the other", async () => {
  const beginning = place();
  const chain = await create(beginning);
  const seen: number[] = [];
  const waive = () =>
    chain.append((context) => {
      seen.push(Object.keys(context.waived).length);
      const fields = { area: "speed", reason: "one user" };
      return "speed" in context.waived ? [] : [{ by: ada, bodies: [event("area_waived", fields)] }];
    });
  const contexts = await Promise.all([waive(), waive(), waive()]);
  await chain.close();
  expect([seen, readChain(beginning, "001").lines.length]).toEqual([[0, 1, 1], 4]);
  expect(contexts).toEqual([chain.context, chain.context, chain.context]);
});

test("a decision that fails writes nothing, and the next one is taken", async () => {
  const beginning = place();
  const chain = await create(beginning);
  const failing = chain.append(() => {
    throw new Error("no");
  });
  const waived = { by: ada, bodies: [event("area_waived", { area: "speed", reason: "one user" })] };
  const next = chain.append(waived);
  await expect(failing).rejects.toThrow("no");
  expect((await next).waived).toEqual({ speed: "one user" });
  // A chain is closed once everything is written that it was given.
  const last = chain.append(waived);
  await chain.close();
  await last;
  expect(readChain(beginning, "001").lines.map(({ n }) => n)).toEqual([1, 2, 3, 4, 5]);
});

test("a chain that is opened again is what its journal says", async () => {
  const beginning = place();
  const chain = await create(beginning);
  await chain.append(
    withLedger(engine, [recorded("component_mapper", { discovered: [{ key: "stack", value: "node" }] })]),
  );
  chain.writeView(true);
  await chain.close();
  const again = open(beginning);
  expect([again.chain.context, again.edits, again.chain.viewPath]).toEqual([chain.context, [], chain.viewPath]);
  expect(again.chain.context.discovered).toEqual({ stack: "node" });
  await again.chain.close();
  expect(readChain(beginning, "001").context).toEqual(chain.context);
});

test("a context file that is missing or old is written anew from the journal", async () => {
  const beginning = place();
  const chain = await create(beginning);
  const old = readFileSync(chain.viewPath, "utf8");
  await chain.append(withLedger(engine, [recorded("component_mapper")]));
  chain.writeView(true);
  await chain.close();
  const whole = readFileSync(chain.viewPath, "utf8");
  const mended: string[] = [];
  for (const harm of [
    () => rmSync(chain.viewPath),
    () => writeFileSync(chain.viewPath, old),
    () => writeFileSync(chain.viewPath, "{"),
  ]) {
    harm();
    await open(beginning).chain.close();
    mended.push(readFileSync(chain.viewPath, "utf8"));
  }
  expect(mended).toEqual([whole, whole, whole]);
});

test("a context file that somebody edited is left as it is, and the edits are told", async () => {
  const beginning = place();
  const chain = await create(beginning);
  await chain.close();
  const edited = readFileSync(chain.viewPath, "utf8").replace("Add a product function", "Add a quotient function");
  writeFileSync(chain.viewPath, edited);
  const again = open(beginning);
  await again.chain.close();
  expect(again.edits).toEqual([{ path: ["goal"], before: "Add a product function", after: "Add a quotient function" }]);
  expect(readFileSync(chain.viewPath, "utf8")).toBe(edited);
  expect(again.chain.context.goal).toBe("Add a product function");
});

test("while a chain runs its context file is rewritten at most once a second; when it stops, always", async () => {
  const times = [0, 400, 1_400, 1_500, 2_300, 2_400];
  let clock = 0;
  const beginning = { ...place(), now: () => Date.parse(noon) + clock };
  const chain = await create(beginning);
  const written: number[] = [];
  for (const time of times) {
    clock = time;
    await chain.append({ by: engine, bodies: [event("gap_reported", { gaps: [] })] });
    chain.writeView(time === 2_400);
    written.push((JSON.parse(readFileSync(chain.viewPath, "utf8")) as { journal: { n: number } }).journal.n);
  }
  await chain.close();
  expect(written).toEqual([3, 3, 6, 6, 6, 9]);
});

test("a chain that somebody holds cannot be opened, and can be read", async () => {
  const beginning = place();
  const chain = await create(beginning);
  expect(openChain(beginning, "001")).toBeUndefined();
  expect(readChain(beginning, "001").context.goal).toBe("Add a product function");
  await chain.close();
  await open(beginning).chain.close();
});

test("a chain that is not there is said not to be, and leaves nothing behind", async () => {
  const beginning = place();
  await (await create(beginning)).close();
  const missing = ["no_chain", "No chain 404.", "List chains with: claude-exec status all", 1];
  expect(await caught(() => open(beginning, "404"))).toEqual(missing);
  expect(await caught(() => readChain(beginning, "404"))).toEqual(missing);
  expect(readdirSync(join(beginning.contexts, "journal")).sort()).toEqual(["001.jsonl", "001.lock"]);
});

test("a damaged journal is refused with the line and what can be done, and its lock is free again", async () => {
  const beginning = place();
  const chain = await create(beginning);
  await chain.append({ by: ada, bodies: [event("area_waived", { area: "speed", reason: "one user" })] });
  await chain.close();
  const path = join(beginning.contexts, "journal", "001.jsonl");
  const damaged = readFileSync(path, "utf8").replace("one user", "two users");
  writeFileSync(path, damaged);
  const refused = [
    "journal_damaged",
    "The journal of chain 001 is damaged at line 4: its content does not match its hash. The 3 lines before it are whole.",
    `Restore ${path} from a backup, or choose how to go on: claude-exec recover 001`,
    14,
  ];
  expect(await caught(() => readChain(beginning, "001"))).toEqual(refused);
  expect([await caught(() => open(beginning)), await caught(() => open(beginning))]).toEqual([refused, refused]);
  expect(readFileSync(path, "utf8")).toBe(damaged);
});

test("a context file without a journal becomes a chain, and the file it came from is kept", async () => {
  const beginning = place();
  const file = {
    chain_id: "012",
    goal: "Add JWT authentication",
    discovered: { stack: "node" },
    cost_tracking: { tokens_used: 5 },
  };
  const folder = beginning.contexts;
  await (await create(beginning)).close();
  const path = join(folder, "chain-012-jwt-auth-2024-01-16-14-22.json");
  writeFileSync(path, JSON.stringify(file));
  expect(await caught(() => open(beginning, "012"))).toContain("foreign");
  const { chain, edits } = (await adoptChain(beginning, "012", settings))!;
  await chain.close();
  expect([chain.context.goal, chain.context.discovered, chain.context.cost_tracking.tokens_used, edits]).toEqual([
    "Add JWT authentication",
    { stack: "node" },
    5,
    [],
  ]);
  expect([chain.context.engine.limits, chain.context.workspace]).toEqual([started.limits, "/home/ada/sum"]);
  expect(JSON.parse(readFileSync(`${path}.imported`, "utf8"))).toEqual(file);
  const again = open(beginning, "012");
  await again.chain.close();
  expect([again.chain.context, again.edits]).toEqual([chain.context, []]);
});

test("a file that is no context is not taken up, and stays as it is", async () => {
  const beginning = place();
  await (await create(beginning)).close();
  const path = join(beginning.contexts, "chain-012-x.json");
  for (const text of ["[]", "{", '{"goal": 7}']) {
    writeFileSync(path, text);
    expect(await caught(() => adoptChain(beginning, "012", settings))).toEqual([
      "context_unreadable",
      `Chain 012 has no journal that is yours, and ${path} is not a context that could be taken up.`,
      'Begin anew: claude-exec new "…"',
      1,
    ]);
    expect([readFileSync(path, "utf8"), existsSync(`${path}.imported`)]).toEqual([text, false]);
  }
});

test("the name of a context file is made of the telling words of its task", () => {
  const slugs = {
    "Add JWT authentication to my Express app": "jwt-authentication-express",
    "Please make the login faster, and add tests for it": "login-faster-tests-it",
    "Füge eine Suche für Kunden hinzu": "fuge-eine-suche-fur",
    "добавь поиск": "добавь-поиск",
    "!!!": "task",
    "../../etc/passwd": "etc-passwd",
    [`${"x".repeat(38)} y z`]: `${"x".repeat(38)}-y`,
    [`${"x".repeat(39)} y z`]: "x".repeat(39),
  };
  expect(Object.keys(slugs).map(slugOf)).toEqual(Object.values(slugs));
});

test("what a batch of events tells the model stands behind them, where it tells anything", () => {
  const parked = event("prompts_queued", { why: "x", prompts: [] });
  const gap = event("gap_reported", { gaps: [{ description: "x", prompt_kind: "y" }] });
  expect(withLedger(ada, [parked])).toEqual({ by: ada, bodies: [parked] });
  expect(withLedger(ada, [gap, parked])).toEqual({
    by: ada,
    bodies: [gap, parked, event("ledger_extended", { text: "A gap is reported: x" })],
  });
  expect(after(gap).engine.ledger).toEqual([]);
});
