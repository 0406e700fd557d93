import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ChainLine } from "../../src/chain/events.ts";
import { operationNamed, perform } from "../../src/operations/operations.ts";
import type { Session } from "../../src/session/session.ts";
import { replayHandler, startMessagesServer } from "../models/messages-server.ts";
import { placeWith, type Place } from "../support/cli.ts";
import { callerAt, sessionAt } from "../support/inside.ts";
import { recordingAt } from "../support/script.ts";
import { productCode, quickApp, task, tinyWay } from "../support/ways.ts";

/** A server whose first replies come only once two chains have asked: those of one chain alone never do. */
async function meetingOfTwo(place: Place) {
  const replay = replayHandler(recordingAt(place.beside, tinyWay));
  let arrived = 0;
  let letGo = () => {};
  const both = new Promise<void>((resolve) => (letGo = resolve));
  return startMessagesServer(async (request) => {
    if (++arrived === 2) letGo();
    await both;
    return replay(request);
  });
}

async function begin(session: Session, place: Place, goal = task) {
  const lines: ChainLine[] = [];
  const caller = callerAt(place.workspace, {}, { listen: (line) => lines.push(line) });
  const begun = operationNamed("new");
  const said = { task: goal, size: "tiny", approve_policy: "auto", test_command: "sh check.sh" };
  const answer = await perform(begun, begun.input.parse(said), session, caller);
  return { answer, lines };
}

function open(place: Place, url: string): Session {
  const env = { ...place.env, ANTHROPIC_API_KEY: "sk-test", ANTHROPIC_BASE_URL: url };
  return sessionAt(callerAt(place.workspace, env), { trust: true, permission: "edits", unsandboxed: true });
}

test("two sessions of two homes run a chain each at the same time, in one process", async () => {
  const places = [placeWith(quickApp, { sandbox: true }), placeWith(quickApp, { sandbox: true })];
  const server = await meetingOfTwo(places[0]!);
  const before = { ...process.env };
  const sessions = places.map((place) => open(place, server.url));
  const ran = await Promise.all(places.map((place, at) => begin(sessions[at]!, place)));
  for (const session of sessions) await session.close();
  await server.close();
  for (const [at, place] of places.entries()) {
    expect(ran[at]?.answer).toMatchObject({ exit: 0, data: { chain_id: "001", ending: { type: "completed" } } });
    expect(readFileSync(join(place.workspace, "src/product.js"), "utf8")).toBe(productCode.content);
    // Each listener heard its own chain, and nothing of the other.
    expect(ran[at]?.lines.map(({ hash }) => hash)).toEqual(place.journal().map(({ hash }) => hash));
  }
  expect({ ...process.env }).toEqual(before);
});

test("one session runs two chains of one home at the same time", async () => {
  const place = placeWith(quickApp);
  const server = await meetingOfTwo(place);
  const session = open(place, server.url);
  const goals = [task, "Add a quotient function"];
  const ran = await Promise.all(goals.map((goal) => begin(session, place, goal)));
  await session.close();
  await server.close();
  const ids = ran.map(({ answer }) => ("chain_id" in answer.data ? answer.data.chain_id : ""));
  // Which of the two is the first is not promised.
  expect(ids.toSorted()).toEqual(["001", "002"]);
  for (const [at, { lines }] of ran.entries()) {
    expect(lines.map(({ hash }) => hash)).toEqual(place.journal(ids[at]).map(({ hash }) => hash));
    expect(place.events("chain_started", ids[at])).toMatchObject([{ goal: goals[at] }]);
    expect(lines.some((line) => line.type === "result")).toBe(true);
  }
  // Both write the same file: one of them at most finds it as it was when it looked.
  expect(ran.some(({ answer }) => answer.exit === 0)).toBe(true);
});
