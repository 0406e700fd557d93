import { beforeAll, expect, test } from "vitest";
import { openChain } from "../../src/chain/open.ts";
import { objection, takeInbox } from "../../src/chain/inbox.ts";
import { spent, type Costs } from "../../src/costs/books.ts";
import { openWorkspace } from "../../src/workspace/workspace.ts";
import { replayHandler, startMessagesServer, type Script } from "../models/messages-server.ts";
import { placeWith, type Place } from "../support/cli.ts";
import { callerAt, operate, refusal, sessionAt } from "../support/inside.ts";
import { recordingAt } from "../support/script.ts";
import { asksFirst, quickApp, tiny, tinyWay } from "../support/ways.ts";

const costsOf = (place: Place) => place.context()["cost_tracking"] as Costs;

/** A chain whose first reply never comes: it breaks off before anything is said of its usage. */
async function losing(replies: typeof tinyWay, lost: (number: number) => boolean, ...argv: string[]) {
  const place = placeWith(quickApp);
  const replay = replayHandler(recordingAt(place.beside, replies));
  const page: Script = { type: "status", status: 200, text: "<html>Log in</html>" };
  let asked = 0;
  const server = await startMessagesServer((request) => (lost(++asked) ? page : replay(request)));
  const env = { ANTHROPIC_API_KEY: "sk-test", ANTHROPIC_BASE_URL: server.url };
  const run = (...words: string[]) => place.run(words, { env });
  return { place, server, run, ran: await run(...tiny, "--approve-policy=auto", ...argv) };
}

let place: Place;
let stdout: string;
let before: Costs;
const cost = (input: object) => operate("chain-cost", { chain: "1", ...input }, callerAt(place.workspace, place.env));

beforeAll(async () => {
  const { ran, server, ...chain } = await losing(tinyWay, (number) => number === 2);
  await server.close();
  ({ place } = chain);
  expect(ran.code).toBe(0);
  stdout = ran.stdout;
  before = costsOf(place);
});

test("a dropped connection is booked at what was expected, and the final report says what it can be at most", () => {
  const [lost, ...more] = before.lost_calls;
  expect(more).toEqual([]);
  expect(lost?.most_usd).toBeGreaterThan(5 * (lost?.usd ?? 1));
  const known = 4 * 0.0166;
  expect(before.estimated_cost).toBeGreaterThan(lost?.usd ?? 1);
  expect(before.estimated_cost - (lost?.usd ?? 0)).toBeLessThan(known * 2);
  expect(stdout).toContain(
    `\nThis includes $${lost?.usd?.toFixed(3)}, our estimate for one call whose reply was lost. That call cost $${lost?.most_usd?.toFixed(2)} at most.\nEnter what the provider charged: claude-exec chain-cost 001 --lost <dollars>\n`,
  );
});

test("a completed chain reserves nothing for lost calls, and keeps what is booked for them", async () => {
  expect(spent(before)).toEqual({ usd: before.estimated_cost, tokens: expect.any(Number) as number, reserved: 0 });
  const planned = await losing(tinyWay, (number) => number === 1, "--mode=plan-only");
  expect(planned.ran.code).toBe(0);
  const [lost] = costsOf(planned.place).lost_calls;
  expect(lost?.most_usd).toBeGreaterThan(0.4);
  // What is left of this budget would not do if the most that the lost call can have cost were still reserved.
  const built = await planned.run("resume", "1", "--mode=tdd", "--budget-usd=0.52", "--approve-policy=auto");
  await planned.server.close();
  expect(built.stdout).not.toContain("stay reserved for what lost calls may have cost");
  expect(built.code).toBe(0);
});

test("status and chain-cost say the same, also as JSON", async () => {
  const line = /^This includes .* at most\.$/m.exec(stdout)?.[0] ?? "none";
  for (const argv of [
    ["status", "1"],
    ["chain-cost", "1"],
  ]) {
    expect((await place.run(argv)).stdout).toContain(line);
    const data = JSON.parse((await place.run([...argv, "--json"])).stdout) as { chains?: [{ cost_tracking: Costs }] };
    expect((data.chains?.[0].cost_tracking ?? data) as Costs).toMatchObject({ lost_calls: before.lost_calls });
  }
});

test.for(["", " ", "much", "-1", "NaN", "Infinity", "0,07", "$1", "0x1", "0b1", "1e308", "1e2", "12345678901"])(
  "%j is not what a lost call cost",
  async (lost) => {
    expect(await refusal(cost({ lost }))).toEqual({
      code: "wrong_amount",
      message: `The cost of the lost calls is "${lost}", which is not an amount.`,
      hint: "Write what the provider charged for the lost calls, in dollars: --lost 0.07",
      exit: 64,
    });
    expect(place.events("lost_cost_entered")).toEqual([]);
  },
);

test("more than the call can have cost in all its attempts is refused", async () => {
  const most = (before.lost_calls[0]?.most_usd ?? 0) * 6;
  expect(await refusal(cost({ lost: String(Math.ceil(most) + 1) }))).toEqual({
    code: "lost_too_much",
    message: `The lost calls of chain 001 cannot have cost $${Math.ceil(most) + 1}, but $${most.toFixed(2)} at most. Nothing was changed.`,
    hint: "Enter what the provider charged for all of them together: claude-exec chain-cost 001 --lost 0.07",
    exit: 64,
  });
  expect(place.events("lost_cost_entered")).toEqual([]);
});

test("the cost that a person enters is the chain's from then on, once, also after it has ended", async () => {
  const ran = await place.run(["chain-cost", "1", "--lost", "0.07"]);
  expect(ran).toMatchObject({ code: 0, stderr: "  · The lost calls cost $0.07 together.\n" });
  const after = costsOf(place);
  const usd = before.estimated_cost - (before.lost_calls[0]?.usd ?? 0) + 0.07;
  expect(after).toMatchObject({ unknown_calls: 0, lost_calls: [] });
  expect(after.estimated_cost).toBeCloseTo(usd, 4);
  expect(ran.stdout).toContain(`  - Estimated cost: $${usd.toFixed(2)}\n  - Duration`);
  const sum = Object.values(after.by_prompt).reduce((total, prompt) => total + prompt.usd, 0);
  expect(sum).toBeCloseTo(usd, 3);
  expect(await refusal(cost({ lost: "0.07" }))).toEqual({
    code: "nothing_lost",
    message: "Chain 001 has no lost call whose cost is open. Nothing was changed.",
    hint: "See what it cost: claude-exec chain-cost 001",
    exit: 14,
  });
  expect(place.events("lost_cost_entered")).toMatchObject([{ usd: 0.07 }]);
});

test("while a process has the chain, the cost is delivered to it, and taken in once", async () => {
  const { place: busy, server } = await losing(asksFirst, (number) => number === 1);
  await server.close();
  const caller = callerAt(busy.workspace, busy.env);
  const { chain } = openChain(sessionAt(caller).beginning(caller), "001")!;
  expect(chain.context.cost_tracking.lost_calls).toHaveLength(1);
  const told = await busy.run(["chain-cost", "1", "--lost", "0.05"]);
  expect(told).toEqual({
    code: 0,
    stdout: "Delivered. Another process is at work on chain 001 and takes it in.\n",
    stderr: "",
  });
  await busy.run(["chain-cost", "1", "--lost", "0.06"]);
  await takeInbox(chain, openWorkspace(busy.workspace, { env: process.env, hide: [] }));
  await chain.close();
  expect(busy.events("lost_cost_entered")).toMatchObject([{ usd: 0.05, from: expect.any(String) }]);
  expect(busy.events("message_ignored")).toMatchObject([
    { reason: "Chain 001 has no lost call whose cost is open. Nothing was changed." },
  ]);
});

test("a cost that finds the chain taken for a moment is entered after that, and not delivered to nobody", async () => {
  const { place: busy, server } = await losing(asksFirst, (number) => number === 1);
  await server.close();
  const caller = callerAt(busy.workspace, busy.env);
  const { chain } = openChain(sessionAt(caller).beginning(caller), "001")!;
  const entering = operate("chain-cost", { chain: "1", lost: "0.04" }, caller);
  setTimeout(() => void chain.close(), 200);
  expect((await entering).data).not.toHaveProperty("delivered");
  expect(busy.events("lost_cost_entered")).toMatchObject([{ usd: 0.04 }]);
});

test("a cost that was delivered for one lost call never counts for another", async () => {
  const { place: busy, server } = await losing(asksFirst, (number) => number === 1);
  await server.close();
  const caller = callerAt(busy.workspace, busy.env);
  const { chain } = openChain(sessionAt(caller).beginning(caller), "001")!;
  const [lost] = chain.context.cost_tracking.lost_calls;
  const message = { type: "lost_cost" as const, usd: 0.05, calls: ["another/turn-1"] };
  expect(objection(chain.context, message)?.message).toContain("Other calls of chain 001 are lost now");
  expect(objection(chain.context, { ...message, calls: [String(lost?.key)] })).toBeUndefined();
  await chain.close();
});

test("what lost calls may have cost stays reserved until a person enters what they did cost", async () => {
  const lost = await losing(asksFirst, (number) => number === 1, "--budget-usd=0.5");
  const { place: tight, run, server } = lost;
  expect(lost.ran.code).toBe(1);
  expect(costsOf(tight).lost_calls).toHaveLength(1);
  const kept = await run("resume", "1");
  expect(kept.code).toBe(12);
  expect(kept.stdout).toMatch(
    /are left\. Nothing was sent\. \$0\.\d\d stay reserved for what lost calls may have cost\.\n/,
  );
  expect((await run("chain-cost", "1", "--lost", "0.01")).code).toBe(0);
  expect((await run("resume", "1")).code).toBe(10);
  await server.close();
});
