import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { openPace } from "../../src/store/request_pace.ts";
import { cleanUp, folderWith } from "../support/folders.ts";
import { child, wholeOutput } from "./children.ts";

afterEach(cleanUp);

const minute = 60_000;

/** A pace of two requests in a minute, whose clock the test turns. */
function paceOfTwo() {
  const path = join(folderWith({}), "state", "requests.json");
  const clock = { now: 1_000_000_000_000 };
  return { path, clock, pace: openPace(path, 2, () => clock.now) };
}

test("as many requests as the limit go at once, and each further one when a minute has passed since the one before that", () => {
  const { clock, pace } = paceOfTwo();
  expect(pace()).toBe(0);
  clock.now += 20_000;
  expect([pace(), pace(), pace()]).toEqual([0, minute - 20_000, minute - 20_000]);
  clock.now += 40_000;
  expect([pace(), pace()]).toEqual([0, 20_000]);
});

test("a clock that is turned back makes nobody wait longer than a minute, and lets no more through", () => {
  const { clock, pace } = paceOfTwo();
  expect([pace(), pace()]).toEqual([0, 0]);
  clock.now -= 365 * 24 * 60 * minute;
  expect(pace()).toBe(minute);
  clock.now += minute;
  expect([pace(), pace(), pace()]).toEqual([0, 0, minute]);
});

test("a file that holds anything else counts as one without requests", () => {
  const { path, pace } = paceOfTwo();
  expect(pace()).toBe(0);
  for (const text of ["", "no JSON", '{"a": 1}', '["x", null]']) {
    writeFileSync(path, text);
    expect(pace()).toBe(0);
    expect(JSON.parse(readFileSync(path, "utf8"))).toHaveLength(1);
  }
});

test("two processes together send no more than the limit, and one that is killed holds nobody up", async () => {
  const path = join(folderWith({}), "requests.json");
  // Their clocks stand still, so that only so many requests may ever go. Whoever finds the lock taken asks again.
  const asking = `const pace = ours.openPace(${JSON.stringify(path)}, 25, () => 1e12);
    let sent = 0;
    for (let at = 0; at < 40; at++) { let wait; do wait = pace(); while (wait === 10); if (wait === 0) sent++; }
    console.log(sent);`;
  const file = ["store/request_pace.ts"];
  const holding = child(
    ["store/lock.ts"],
    `ours.tryLock(${JSON.stringify(`${path}.lock`)}); console.log("held"); setInterval(() => {}, 1000);`,
  );
  for await (const _ of holding.stdout!) break;
  const both = [child(file, asking), child(file, asking)].map(wholeOutput);
  expect(existsSync(path)).toBe(false);
  holding.kill("SIGKILL");
  const sent = (await Promise.all(both)).map(Number);
  expect(sent[0]! + sent[1]!).toBe(25);
});
