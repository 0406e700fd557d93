import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { placeWith, type Place } from "../support/cli.ts";
import { callerAt, operate } from "../support/inside.ts";
import { recordingAt } from "../support/script.ts";
import { rewriteJournal } from "../support/sealed.ts";
import { asksFirst, quickApp, tiny, tinyWay } from "../support/ways.ts";

let place: Place;
const report = async (input: object = {}) =>
  (await operate("cost-report", input, callerAt(place.workspace, place.env))).data;
const usd = async (chain: string) =>
  (await operate("chain-cost", { chain }, callerAt(place.workspace, place.env))).data["usd"] as number;

beforeAll(async () => {
  place = placeWith(quickApp);
  const test_command = tiny.at(-1)!.split("=")[1];
  const begin = { task: "Add it", size: "tiny", trust: true, approve_policy: "auto", test_command };
  const caller = callerAt(place.workspace, place.env);
  for (const way of [tinyWay, asksFirst])
    await operate("new", { ...begin, replay: recordingAt(place.beside, way) }, caller);
});

test("a home without chains has spent nothing", async () => {
  const empty = placeWith({});
  const { data } = await operate("cost-report", {}, callerAt(empty.workspace, empty.env));
  expect(data).toMatchObject({ chains: 0, total: { usd: 0 }, groups: [], advice: [], forecast: null, unread: [] });
  expect(existsSync(empty.home)).toBe(false);
});

test("the report adds up to what chain-cost says of each chain, whatever it is grouped by", async () => {
  const sum = (await usd("1")) + (await usd("2"));
  expect(await report()).toMatchObject({
    chains: 2,
    endings: { succeeded: 1, open: 1, rate: 1 },
    foreign: 0,
    unread: [],
  });
  for (const by of ["phase", "prompt", "model", "chain", "day"]) {
    const { total, groups } = await report({ by });
    expect((total as { usd: number }).usd).toBeCloseTo(sum, 8);
    expect((groups as { usd: number }[]).reduce((all, group) => all + group.usd, 0)).toBeCloseTo(sum, 8);
  }
});

test("an index that was deleted or damaged is made anew, and the report stays the same", async () => {
  const before = await report();
  const caches = join(place.beside, "cache");
  const again = async () => {
    const caller = callerAt(place.workspace, { ...place.env, XDG_CACHE_HOME: caches });
    return (await operate("cost-report", {}, caller)).data;
  };
  expect(await again()).toEqual(before);
  const folder = join(caches, "claude-exec");
  for (const file of readdirSync(folder)) writeFileSync(join(folder, file), "This is no database. ".repeat(500));
  expect(await again()).toEqual(before);
  const kept = join(
    folder,
    readdirSync(folder).find((name) => name.endsWith(".figures"))!,
  );
  const newer = readFileSync(kept, "latin1").replace(/^\d+:/, "999:").replaceAll("Add it", "Changed");
  writeFileSync(kept, newer, "latin1");
  expect(await again()).toEqual(before);
  rmSync(folder, { recursive: true });
  expect(await again()).toEqual(before);
});

test("a clock that went backwards changes nothing of the sum", async () => {
  const caller = callerAt(place.workspace, place.env);
  const world = { ...caller.world, now: () => Date.parse("2026-01-01T00:00:00Z") };
  const { data } = await operate("cost-report", {}, { ...caller, world });
  expect(data).toMatchObject({ chains: 2, total: (await report())["total"], calls_in_future: 5 });
});

test("prices that a person changes count from the next report on", async () => {
  const saved = async () => ((await report())["total"] as { saved_usd: number }).saved_usd;
  const before = await saved();
  const price = { input: 400, output: 1, cache_read: 1, cache_write_5m: 1, cache_write_1h: 1 };
  place.configure({ prices: { "claude-opus-5-5": { prices: [price] } } });
  expect(await saved()).toBeGreaterThan(before * 10);
  place.configure({});
  expect(await saved()).toBe(before);
});

test("as comma-separated values it is one row a group, and as text it says what is counted", async () => {
  const csv = (await place.run(["cost-report", "--csv", "--by=chain"])).stdout.trimEnd().split("\n");
  expect(csv[0]).toMatch(/^chain,calls,tokens,input,output,cache_read,cache_write,usd,unpriced,saved_usd,.*,share$/);
  expect(csv.slice(1).map((row) => row.split(",")[0])).toEqual(["001", "002"]);
  const { stdout, code } = await place.run(["cost-report", "--days", "1"]);
  expect(code).toBe(0);
  expect(stdout).toContain("- Total chains: 2\n");
  expect(stdout).toContain(
    "- Wasted: $0.00 (0%): 0 unusable replies $0.00, 0 calls taken back by rewind $0.00, 0 lost calls $0.00\n",
  );
  expect((await place.run(["cost-report", "--days", "0"])).code).toBe(64);
});

test("a foreign chain and one that cannot be read are named and not counted", async () => {
  const journal = (id: string) => join(place.home, "contexts", "journal", `${id}.jsonl`);
  rewriteJournal(journal("001"), undefined, (line) => (line["n"] === 1 ? { ...line, key: undefined } : line));
  writeFileSync(journal("002"), "damaged\n", { flag: "a" });
  const { chains, foreign, unread } = await report();
  expect([chains, foreign, unread]).toEqual([0, 1, [expect.stringContaining("The journal of chain 002 is damaged")]]);
});
