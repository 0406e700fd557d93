import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openFindings } from "../../src/chain/gates.ts";
import { afterEach, expect, test } from "vitest";
import { event, type Body, type ChainEvent } from "../../src/chain/events.ts";
import { objection, takeInbox, type PersonMessage } from "../../src/chain/inbox.ts";
import { openChain } from "../../src/chain/open.ts";
import { ledgerText } from "../../src/chain/ledger.ts";
import { dropMessage, waitingMessages } from "../../src/store/chains.ts";
import { cleanUp } from "../support/folders.ts";
import { ada, after, approved, phase, presented, started } from "./lines.ts";
import { workbench } from "./workbench.ts";
import { printed } from "../support/printed.ts";

afterEach(cleanUp);

const asked = event("questions_asked", {
  questions: [
    { id: "name", question: "What is it called?" },
    { id: "big", question: "Big numbers?" },
  ],
});
const epoch = event("epoch_opened", { number: 1, tools: "", system: [], schema: null, bytes: 0, digest: null });
const hash = "abc123abc123";

/** What taking in a message adds to a chain's journal. */
async function takenIn(message: PersonMessage, ...before: Body[]): Promise<ChainEvent[]> {
  const { chain, deps, lines, say } = await workbench({});
  await chain.append({ by: ada, bodies: [epoch, ...before] });
  const known = lines.length;
  await say(message);
  const [{ name } = { name: "" }] = await waitingMessages(chain.inbox);
  await takeInbox(chain, deps.workspace);
  await chain.close();
  expect(readdirSync(chain.inbox.folder)).toEqual([]);
  const events = lines.slice(known).map(({ n: _n, at: _at, by, hash: _hash, more: _more, ...body }) => {
    expect(by).toEqual(ada);
    return { ...body, ...("from" in body && body.from === name ? { from: "this message" } : {}) } as ChainEvent;
  });
  const ledger = events.filter((one) => one.event === "ledger_extended");
  const said = events.filter((one) => one.event !== "ledger_extended");
  expect(ledger.map(({ text }) => text)).toEqual([ledgerText(said)].filter(Boolean));
  return said;
}

const from = "this message";
const ignored = (reason: string) => [event("message_ignored", { reason, from })];

test("answers are taken in one by one", async () => {
  expect(await takenIn({ type: "answer", answers: { name: "product", big: "no" } }, asked)).toEqual([
    event("question_answered", { id: "name", answer: "product", from }),
    event("question_answered", { id: "big", answer: "no", from }),
  ]);
});

test("an approval opens the implementation, where it names what is presented now", async () => {
  const base = { "src/product.js": null, "test/product.test.js": null };
  const now = { ...presented(), base };
  const shown = phase("solution-approval", "uncertainty-analysis");
  expect(await takenIn({ type: "approve", hash }, shown, now)).toEqual([
    event("approval_given", { solution: hash, from }),
    event("phase_changed", {
      from: "solution-approval",
      to: "implementation",
      reason: "A person approved the solution.",
      focus: "",
    }),
  ]);
  expect(await takenIn({ type: "approve", hash: "other" }, shown, now)).toEqual(
    ignored(`What is presented now is ${hash}, not other. Nothing was approved.`),
  );
  expect(await takenIn({ type: "approve", hash }, shown)).toEqual(ignored("Chain 001 presents no solution now."));
  expect(await takenIn({ type: "approve", hash }, shown, now, approved)).toEqual(
    ignored("Chain 001 presents no solution now."),
  );
});

test("an approval of files that somebody changed meanwhile is not one", async () => {
  const base = { "src/sum.js": "another hash", "src/product.js": null };
  const reason = "src/sum.js changed after the solution was presented.";
  expect(await takenIn({ type: "approve", hash }, { ...presented(), base })).toEqual([
    ...ignored(reason),
    event("approval_voided", { reason }),
  ]);
});

const queued = (key: string, name: string, inputs: Record<string, string>, why: string) =>
  event("prompts_queued", { why, prompts: [{ key, name, inputs }] });

test("a rejection runs requirement_disambiguator to understand it, a change request goes to the controller", async () => {
  expect(await takenIn({ type: "reject", reason: "too much" }, presented())).toEqual([
    event("approval_refused", { solution: hash, reason: "too much", from }),
    queued(
      "requirements-clarification/1/1-requirement_disambiguator",
      "requirement_disambiguator",
      { focus: "understand_rejection" },
      "Another solution is looked for.",
    ),
  ]);
  expect(await takenIn({ type: "change", request: "less" }, presented())).toEqual([
    event("changes_requested", { solution: hash, request: "less", from }),
  ]);
  expect(await takenIn({ type: "reject", reason: "" })).toEqual(ignored("Chain 001 presents no solution now."));
  expect(await takenIn({ type: "change", request: "less" }, presented(), approved)).toEqual(
    ignored("Chain 001 presents no solution now."),
  );
});

test("a question is looked into at once, also while the chain waits for answers itself", async () => {
  const question = "Do negative numbers work?";
  const resolver = queued(
    "requirements-clarification/1/1-uncertainty_resolver",
    "uncertainty_resolver",
    { question },
    "The question is looked into.",
  );
  expect(await takenIn({ type: "ask", question }, presented())).toEqual([
    event("more_info_asked", { solution: hash, question, from }),
    resolver,
  ]);
  expect((await takenIn({ type: "ask", question }, asked)).map((one) => one.event)).toEqual([
    "more_info_asked",
    "prompts_queued",
  ]);
});

test("an empty answer is none, and a replaced one voids what was presented", async () => {
  expect(objection(after(asked), { type: "answer", answers: { name: "  " } })).toMatchObject({
    code: "empty_answer",
    exitCode: 64,
  });
  const answered = [asked, event("question_answered", { id: "name", answer: "product" }), presented()];
  const answer = async (text: string) =>
    (await takenIn({ type: "answer", answers: { name: text } }, ...answered)).map((one) => one.event);
  expect(await answer("product")).toEqual(["question_answered"]);
  expect(await answer("times")).toEqual(["question_answered", "approval_voided"]);
});

test("what a person says to a parked chain wakes it", async () => {
  const parked = event("parked", { code: "no_movement", exit: 11, message: "Stuck.", next: [{ why: "Help." }] });
  const wakes = async (message: PersonMessage) => (await takenIn(message, parked))[0];
  expect([
    await wakes({ type: "ask", question: "?" }),
    await wakes({ type: "waive", area: "requirements", reason: "one user" }),
    await wakes({ type: "check" }),
  ]).toEqual(Array(3).fill(event("resumed", {})));
});

test("one finding is set aside by its name, and an area also by the words that a person reads", async () => {
  const finding = (id: string) => ({ id, severity: "blocking" as const, where: "a.js:1", what: "w", trigger: "t" });
  const report = { summary: "Two.", findings: [finding("empty_key"), finding("late")] };
  const reviewed = event("report_recorded", {
    key: "implementation/1/1-code_reviewer",
    prompt: "code_reviewer",
    report,
    counted: [],
    assumptions: [],
    moved: true,
    grounded: true,
  });
  expect(await takenIn({ type: "waive", area: "empty_key", reason: "one user" }, reviewed)).toEqual([
    event("area_waived", { area: "empty_key", reason: "one user", from }),
  ]);
  expect(await takenIn({ type: "waive", area: "technical approach", reason: "one user" })).toEqual([
    event("area_waived", { area: "technical_approach", reason: "one user", from }),
  ]);
  const waived = event("area_waived", { area: "empty_key", reason: "one user" });
  expect(openFindings(after(reviewed, waived)).map(({ id }) => id)).toEqual(["late"]);
});

test("an area is set aside with its reason, and a measurement is queued", async () => {
  expect(await takenIn({ type: "waive", area: "technical_approach", reason: "one user" })).toEqual([
    event("area_waived", { area: "technical_approach", reason: "one user", from }),
  ]);
  expect(objection(after(), { type: "waive", area: "speed", reason: "one user" })).toMatchObject({
    code: "unknown_area",
    next: [{ why: "It has: requirements, technical_approach, implementation_details." }],
    exitCode: 64,
  });
  expect(await takenIn({ type: "check" })).toEqual([
    {
      ...queued(
        "requirements-clarification/1/1-uncertainty_analysis",
        "uncertainty_analysis",
        {},
        "A person asked for a measurement.",
      ),
      from,
    },
  ]);
});

test("a message that a crash left behind, although it was taken in, does not count twice", async () => {
  const { chain, deps, lines, say } = await workbench({});
  await say({ type: "waive", area: "speed", reason: "one user" });
  const path = join(chain.inbox.folder, (await waitingMessages(chain.inbox))[0]!.name);
  const left = readFileSync(path);
  await takeInbox(chain, deps.workspace);
  const known = lines.length;
  writeFileSync(path, left);
  await takeInbox(chain, deps.workspace);
  await chain.close();
  expect([lines.length, readdirSync(chain.inbox.folder)]).toEqual([known, []]);
});

test("a message counts once, also after the chain went back to before it was taken in", async () => {
  const { chain, deps, lines, say, beginning } = await workbench({});
  const to = lines.length;
  await say({ type: "waive", area: "requirements", reason: "one user" });
  const path = join(chain.inbox.folder, (await waitingMessages(chain.inbox))[0]!.name);
  const left = readFileSync(path);
  await takeInbox(chain, deps.workspace);
  expect(chain.context.waived).toEqual({ requirements: "one user" });
  const back = event("rewound", { to, step: "the beginning", files: [], files_only: false });
  await chain.append({ by: ada, bodies: [back] });
  await chain.close();
  const { chain: again } = openChain(beginning, chain.id)!;
  const known = lines.length;
  writeFileSync(path, left);
  await takeInbox(again, deps.workspace);
  await again.close();
  expect([again.context.waived, lines.length, readdirSync(chain.inbox.folder)]).toEqual([{}, known, []]);
});

test("a message that counted does not count again, however many came after it", async () => {
  const { chain, deps, events, say } = await workbench({});
  await say({ type: "waive", area: "requirements", reason: "It is small." });
  const [name = ""] = readdirSync(chain.inbox.folder);
  const path = join(chain.inbox.folder, name);
  const sealed = readFileSync(path);
  for (let count = 0; count < 120; count++) await say({ type: "check" });
  await takeInbox(chain, deps.workspace);
  writeFileSync(path, sealed);
  await takeInbox(chain, deps.workspace);
  await chain.close();
  expect(events().filter((one) => one.event === "area_waived")).toHaveLength(1);
  expect(readdirSync(chain.inbox.folder)).toEqual([]);
});

test("what is no message is put aside aloud, and the next one is taken in", async () => {
  const { chain, deps, events, say } = await workbench({});
  await dropMessage(chain.inbox, { by: ada, message: { type: "dance" } }, 1);
  await dropMessage(chain.inbox, { by: { kind: "engine", name: "x", door: "x" }, message: { type: "check" } }, 2);
  writeFileSync(join(chain.inbox.folder, "000000000000003-x.json"), "{");
  await say({ type: "check" });
  await takeInbox(chain, deps.workspace);
  await chain.close();
  const [first, second, third, ...rest] = events().slice(2);
  const unread = { event: "message_ignored", reason: "It could not be read.", by: { name: "unknown", door: "inbox" } };
  const reason = "A message in the inbox is not sealed with your key for this chain. It was ignored.";
  expect([first, second, third]).toMatchObject([unread, unread, { ...unread, reason }]);
  expect(rest.map((one) => one.event)).toEqual(["prompts_queued"]);
});

test("what cannot be meant now is said before it is sent", () => {
  const said = (message: PersonMessage, ...before: Body[]) => {
    const error = objection(after(...before), message);
    return error && [error.code, error.message, printed(error.next), error.exitCode];
  };
  const stranger: PersonMessage = { type: "answer", answers: { nam: "x" } };
  expect(said(stranger, asked)).toEqual([
    "unknown_question",
    'Chain 047 has no question "nam".',
    "Open questions: name, big.",
    64,
  ]);
  expect(said(stranger)).toEqual(["unknown_question", 'Chain 047 has no question "nam".', "No question is open.", 64]);
  expect(said({ type: "approve", hash: "x" }, presented())).toEqual([
    "other_solution",
    `What is presented now is ${hash}, not x. Nothing was approved.`,
    "Read it first: claude-exec present-solution 047",
    14,
  ]);
  expect(said({ type: "reject", reason: "" })).toEqual([
    "nothing_presented",
    "Chain 047 presents no solution now.",
    "See where it stands: claude-exec status 047",
    14,
  ]);
  expect(said({ type: "check" }, event("completed", { summary: "" }))).toEqual([
    "completed",
    "Chain 047 is completed.",
    'Begin another: claude-exec new "…"',
    14,
  ]);
  expect(said({ type: "answer", answers: { name: "x" } }, asked)).toBeUndefined();
  expect(said({ type: "approve", hash }, presented())).toBeUndefined();
  expect(said({ type: "check" }, started)).toBeUndefined();
});
