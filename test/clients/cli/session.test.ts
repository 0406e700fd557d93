import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { isProbe, replayHandler, startMessagesServer, stepOf, type RequestBody } from "../../models/messages-server.ts";
import { placeWith, type Place } from "../../support/cli.ts";
import { firstKey, recordingAt, type Replies } from "../../support/script.ts";
import { hasTmux, openTerminal, type Terminal } from "../../support/tmux.ts";
import { asksFirst, present, quickApp, quickTests, task, tiny, tinyWay } from "../../support/ways.ts";

beforeEach(({ skip }) => skip(!hasTmux, "Without tmux there is no terminal to type into."));

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function session(place: Place, argv: readonly string[] = [], options: Parameters<typeof openTerminal>[2] = {}) {
  const terminal = await openTerminal(place, ["--size=tiny", quickTests, ...argv], options);
  open.push(terminal);
  await terminal.shows("or /help.");
  return terminal;
}

async function enter(terminal: Terminal, text: string): Promise<void> {
  await terminal.type(text);
  await terminal.press("Enter");
}

/** A place whose model is a server that replies only when it is let. */
async function placeWithSlowModel(replies: Replies) {
  const place = placeWith(quickApp);
  const reply = replayHandler(recordingAt(place.beside, replies));
  const gate: { hold: boolean; bodies: RequestBody[] } = { hold: false, bodies: [] };
  const server = await startMessagesServer(async (request) => {
    if (isProbe(request.body)) return reply(request);
    gate.bodies.push(request.body);
    while (gate.hold) await wait(20);
    return reply(request);
  });
  open.push(server);
  const env = { ...place.env, ANTHROPIC_API_KEY: "sk-test", ANTHROPIC_BASE_URL: server.url };
  return { place: { ...place, env }, gate };
}

const withQuestions: Replies = { ...tinyWay, ...asksFirst, "requirements-clarification/2/controller/turn-1": present };

/** What the first prompt proposes was thought before the user spoke; the controller presents it. */
const hears: Replies = { ...tinyWay, "requirements-clarification/2/controller/turn-1": present };

test("a text begins a task, a text answers, a slash command is a command wherever it is typed, and Enter approves", async () => {
  const place = placeWith(quickApp);
  const terminal = await session(place, [place.replay(withQuestions)]);
  await enter(terminal, task);
  await terminal.shows("Do you know what is in it?");
  await enter(terminal, "y");
  await terminal.shows("? What is it called?");
  await enter(terminal, "/status");
  await terminal.shows(/Waiting for you: answers to 2 questions[\s\S]*\? What is it called\?/);
  await enter(terminal, "product");
  await terminal.shows("2. no");
  await enter(terminal, "/frobnicate");
  await terminal.shows(/no command \/frobnicate[\s\S]*answer >\s*$/);
  await enter(terminal, "1");
  await terminal.shows(/Cost \$0\.\d+ so far[\s\S]*\? Approve this approach\?/);
  await terminal.press("Enter");
  await terminal.shows("Chain 001 is done. The test passes.");
  await enter(terminal, "/quit");
  expect(await terminal.shows("left with")).toContain("left with 0");
  expect(place.context()).toMatchObject({
    questions: [{ answer: "product" }, { answer: "yes" }],
    approval_history: [{ user_response: "approved" }],
  });
  const said = await terminal.all();
  expect(said).toContain("Look at the changes: /diff 001");
});

test("what is typed during a run is kept, and the next decision is a call that is told it in the user's words", async () => {
  const { place, gate } = await placeWithSlowModel(hears);
  const terminal = await session(place, ["--trust"]);
  gate.hold = true;
  await enter(terminal, task);
  await terminal.shows("⠋ requirement_disambiguator");
  await enter(terminal, "Use BigInt for it");
  await terminal.shows("Kept for chain 001");
  gate.hold = false;
  await terminal.shows("? Approve this approach?");
  const [first, decision] = gate.bodies.map((body) => JSON.stringify(body));
  expect(first).not.toContain("BigInt");
  expect(decision).toContain("The user says: Use BigInt for it");
  expect(gate.bodies.map((body) => stepOf(body).key)).toEqual([firstKey, "requirements-clarification/2/controller"]);
});

test("Ctrl+C stops the run and keeps the session; a second one quits with 130", async () => {
  const { place, gate } = await placeWithSlowModel(hears);
  const terminal = await session(place, ["--trust"]);
  gate.hold = true;
  await enter(terminal, task);
  await terminal.shows("⠋ requirement_disambiguator");
  await terminal.press("C-c");
  await terminal.shows(/Paused\. Everything up to here is kept[\s\S]*\/resume 001/);
  await enter(terminal, "/status");
  await terminal.shows("Stopped: Ctrl+C.");
  await terminal.press("C-c");
  await terminal.shows("Ctrl+C again quits");
  await terminal.press("C-c");
  expect(await terminal.shows("left with")).toContain("left with 130");
});

test("a second chain begins while the first is at work; the first says in one line that it waits, and /switch asks for it", async () => {
  const { place, gate } = await placeWithSlowModel(tinyWay);
  const terminal = await session(place, ["--trust"]);
  gate.hold = true;
  await enter(terminal, task);
  await terminal.shows("⠋ requirement_disambiguator");
  await enter(terminal, "/new Divide two numbers");
  await terminal.shows("002 · requirements");
  await enter(terminal, "/switch 1");
  await terminal.shows("001 · requirements");
  gate.hold = false;
  await terminal.shows("? Approve this approach?");
  await terminal.shows("Chain 002 waits for approval: /switch 002");
  await enter(terminal, "/switch 2");
  await terminal.shows(/Chain 002: Divide two numbers[\s\S]*002 · solution · .* answer >/);
  await enter(terminal, "/quit");
  await terminal.shows("left with 0");
  expect([place.events("chain_started", "002").length, place.events("approval_given").length]).toEqual([1, 0]);
});

test("Tab completes commands, chains, flags and their values; lines come back, but not those that begin with a space", async () => {
  const place = placeWith(quickApp);
  await place.run([task, ...tiny.slice(1), place.replay(withQuestions)]);
  const terminal = await session(place, [place.replay(withQuestions)]);
  expect(await terminal.shows("waits for")).toContain("Chain 001 waits for answers to 2 questions: /switch 001");
  await enter(terminal, "status");
  expect(await terminal.shows("Did you mean")).toContain('"status" alone begins no task.\nDid you mean /status?');
  await enter(terminal, " /status 7");
  await terminal.shows("No chain 7.");
  await terminal.press("Up");
  await terminal.shows(/> status$/m);
  await terminal.press("C-c");
  await terminal.type("/swi");
  await terminal.press("Tab");
  await terminal.shows(/> \/switch$/m);
  await terminal.press("Tab", "C-c");
  await terminal.type("/res");
  await terminal.press("Tab");
  await terminal.type("--mod");
  await terminal.press("Tab");
  await terminal.type("p");
  await terminal.press("C-u");
  await terminal.type("/resume --mode=p");
  await terminal.press("Tab");
  await terminal.shows(/> \/resume --mode=plan-only$/m);
  await terminal.press("C-u", "C-d");
  await terminal.shows("left with 0");
  const history = join(place.beside, "state", "claude-exec", "history");
  expect(readFileSync(history, "utf8")).toBe("status\n");
  expect(statSync(history).mode & 0o777).toBe(0o600);
});

test("60 columns, a resize and NO_COLOR: what was printed stays, and no row is lost or shown twice", async () => {
  const { place, gate } = await placeWithSlowModel(tinyWay);
  const terminal = await session(place, ["--trust"], { columns: 60, rows: 24, env: { NO_COLOR: "1" } });
  gate.hold = true;
  await enter(terminal, task);
  await terminal.shows("⠋ requirement_disambiguator");
  await terminal.type("a text that nobody has entered yet and that is longer than a row");
  await terminal.resize(100, 24);
  await terminal.shows(/entered yet and that is longer than a row$/m);
  await terminal.resize(60, 24);
  await terminal.type("!");
  await terminal.shows(/a row!$/m);
  await terminal.press("C-c");
  gate.hold = false;
  await terminal.shows(/Approve this approach\?[\s\S]*answer >/);
  const screen = (await terminal.all())
    .replace(/chain-001[\s\S]*?\.json/, "chain-001-….json")
    .replace(/^ {4}\$.*\n/gm, "");
  await expect(screen).toMatchFileSnapshot("./screens/session-60.txt");
  expect(await terminal.all(true)).not.toContain("\x1b[");
  await enter(terminal, "/quit");
  await terminal.shows("left with 0");
});

test("with ACCESSIBLE nothing moves: the same lines, without a spinner", async () => {
  const place = placeWith(quickApp);
  const env = { ACCESSIBLE: "1" };
  const terminal = await session(place, ["--trust", place.replay(tinyWay)], { env });
  await enter(terminal, task);
  await terminal.shows(/Approve this approach\?[\s\S]*answer >/);
  await terminal.press("Enter");
  const screen = await terminal.shows("Chain 001 is done.");
  expect(screen).not.toMatch(/[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]/);
  expect(await terminal.all(true)).not.toContain("\x1b[");
});
