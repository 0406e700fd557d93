import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { tryLock } from "../../src/store/lock.ts";
import { placeWith, type Place } from "../support/cli.ts";
import { report } from "../support/script.ts";
import { asksFirst, quickApp, quickTests, task } from "../support/ways.ts";

/** The context file that the specification of the chain system prints, word for word. */
const printed = {
  chain_id: "047",
  goal: "Add JWT authentication",
  current_phase: "uncertainty-analysis",
  phase_history: [
    {
      phase: "requirements-clarification",
      duration: "3 minutes",
      clarifications: ["Redis vs MongoDB for tokens", "Session migration needed"],
    },
    { phase: "context-building", iterations: 2, prompts_executed: ["trace_existing_flow", "dependency_analyzer"] },
  ],
  discovered: {
    stack: "node-express-mongo",
    existing_auth: "session-based",
    user_model: "models/User.js",
    routes: ["POST /api/login", "POST /api/register"],
    ambiguities_resolved: ["Refresh tokens required: YES", "Session migration approach: Parallel run"],
  },
  uncertainties: [
    { area: "refresh_token_storage", confidence: 0.85, resolved: true, resolution: "User confirmed Redis for tokens" },
    { area: "backward_compatibility", confidence: 0.6, resolved: false, blocking: true },
  ],
  confidence_scores: { overall: 0.82, requirements: 0.95, technical_approach: 0.85, implementation_details: 0.65 },
  decisions: {
    auth_strategy: "JWT with refresh tokens",
    token_storage: "Redis",
    expiry: "15min access, 7day refresh",
    migration: "Parallel session/JWT for 30 days",
  },
  generated_prompts: [
    {
      name: "session_jwt_migrator",
      reason: "No existing prompt for dual-auth migration",
      effectiveness: 0.89,
    },
  ],
  approval_history: [
    {
      phase: "solution-approval",
      presented: "JWT with Redis and parallel migration",
      user_response: "approved",
      timestamp: "2024-01-16-14:35:22",
    },
  ],
  session_memory: {
    files_modified: ["routes/auth.js", "middleware/auth.js"],
    tests_written: ["auth.test.js", "token.test.js"],
    mistakes_corrected: ["Removed synchronous bcrypt calls"],
    patterns_identified: ["Express middleware pattern works well"],
    context_health: 8.5,
  },
  cost_tracking: {
    tokens_used: 12450,
    estimated_cost: 0.37,
    by_phase: { requirements: 0.05, context_building: 0.18, uncertainty_analysis: 0.08, implementation: 0.06 },
  },
};

/** What its shell script, its Python program and its server each begin a chain with. */
const begun = {
  "chain-001-Add-user-authentication-2024-01-16-14-22-05.json": {
    chain_id: "001",
    goal: "Add user authentication",
    started: "2024-01-16-14-22-05",
    uncertainties: [],
    decisions: {},
    prompts_executed: [],
    cost_tracking: { tokens_used: 1200, estimated_cost: 0 },
    last_response: "I will look first.",
  },
  "chain-002-2024-01-16T14-22-05.123Z.json": {
    chain_id: 2,
    goal: "Add a rate limit",
    started: "2024-01-16T14-22-05.123Z",
    uncertainties: [],
    decisions: {},
  },
};

const name = "chain-047-jwt-auth-2024-01-16-14-22.json";
const takingOver = "To take over what it knows and what it cost, but none of its approvals and permissions";

function placeWithContexts(files: Record<string, unknown>): Place {
  const place = placeWith({ ...quickApp, ".claude-exec/.gitignore": "*\n" });
  mkdirSync(join(place.home, "contexts"), { recursive: true });
  for (const [file, content] of Object.entries(files)) {
    writeFileSync(join(place.home, "contexts", file), typeof content === "string" ? content : JSON.stringify(content));
  }
  return place;
}

test("a context file of the specification is read by status and chain-cost before it is taken over", async () => {
  const place = placeWithContexts({ [name]: printed });
  const path = join(place.home, "contexts", name);
  await place.run(["trust"]);
  expect(await place.run(["status", "47"])).toEqual({
    code: 0,
    stderr: "",
    stdout: [
      "This chain is foreign: it has only a context file, which anybody could have written. Nothing is done with it.",
      "Chain 047: Add JWT authentication",
      "✓ Requirements clarified (3 min)",
      "✓ Context built",
      "→ Uncertainty analysis",
      "Total time: 3 min",
      "Total cost: $0.37",
      "Confidence: 82%",
      "Stopped.",
      `${takingOver}: claude-exec resume 047 --adopt`,
      `Context: ${path}`,
      "",
    ].join("\n"),
  });
  expect(await place.run(["chain-cost", "47"])).toEqual({
    code: 0,
    stderr: "",
    stdout: [
      "This chain is foreign: it has only a context file, which anybody could have written. Nothing is done with it.",
      "Chain 047 (Add JWT authentication):",
      "  - Total tokens: 12,450",
      "  - Estimated cost: $0.37",
      "  - Duration: 3 min",
      "  - Prompts executed: 2, calls: not known",
      "",
      "By phase:",
      "  requirements          $0.050",
      "  context_building      $0.18",
      "  uncertainty_analysis  $0.080",
      "  implementation        $0.060",
      "",
      "By prompt:",
      "",
    ].join("\n"),
  });
  expect((await place.run(["status", "all"])).stdout).toBe(
    "047  foreign    Add JWT authentication  (it has only a context file, which anybody could have written)\n",
  );
  expect(existsSync(join(place.home, "contexts", "journal", "047.jsonl"))).toBe(false);
});

test("resume takes over a context file of the specification: phase, costs, generated prompts, approvals as history", async () => {
  const place = placeWithContexts({ [name]: printed });
  const measures = report("I measure.", { questions: [{ id: "expiry", question: "How long?" }] });
  const replay = place.replay({ "uncertainty-analysis/1/1-uncertainty_analysis/turn-1": measures });
  const ran = await place.run(["resume", "47", "--adopt", "--trust", quickTests, replay]);
  expect([ran.code, ran.stderr]).toEqual([10, expect.stringContaining("What a context file knows is taken over.")]);
  expect(place.context("047")).toMatchObject({
    current_phase: "uncertainty-analysis",
    phase_history: [
      { ...printed.phase_history[0] },
      { ...printed.phase_history[1] },
      { phase: "uncertainty-analysis" },
    ],
    generated_prompts: printed.generated_prompts,
    approval_history: printed.approval_history,
    solution: null,
    confidence_scores: { requirements: 0.6, technical_approach: 0.6, implementation_details: 0.6 },
    discovered: printed.discovered,
    decisions: printed.decisions,
    session_memory: printed.session_memory,
  });
  const costs = place.context("047")["cost_tracking"] as typeof printed.cost_tracking;
  expect([costs.tokens_used, costs.by_phase.context_building]).toEqual([12_450 + 5_600, 0.18]);
  expect(costs.estimated_cost).toBeGreaterThan(0.37);
  const shown = (await place.run(["status", "47"])).stdout + (await place.run(["chain-cost", "47"])).stdout;
  expect(shown).toContain("✓ Requirements clarified (3 min)\n");
  expect(shown).not.toMatch(/NaN|undefined|null/);
});

test("for a chain that has only a context file every command that acts says the same", async () => {
  const place = placeWithContexts({ [name]: printed });
  await place.run(["trust"]);
  const replay = place.replay(asksFirst);
  const told = (flags: string) =>
    [
      "Chain 047 is foreign: it has only a context file, which anybody could have written. Nothing was done with it.",
      "Look at it: claude-exec status 047",
      `${takingOver}: claude-exec resume 047 --adopt${flags}`,
      "",
    ].join("\n");
  for (const argv of [
    ["resume", "47", replay],
    ["answer", "47", "x=y", replay],
    ["rewind", "47"],
    ["present-solution", "47", replay],
    ["chain-cost", "47", "--lost=0.07"],
    ["recover", "47"],
    ["prompts", "run", "chain_debugger", "--chain=47", replay],
  ]) {
    const stderr = told(argv.includes(replay) ? ` ${replay.replace("=", " ")}` : "");
    expect([argv, await place.run(argv)]).toEqual([argv, { code: 10, stdout: "", stderr }]);
  }
});

test("the short context files of the specification's programs are read and taken over", async () => {
  const place = placeWithContexts(begun);
  const replay = place.replay(asksFirst);
  const looks = async () => {
    const ran = [];
    for (const argv of [
      ["status", "1"],
      ["status", "2"],
      ["status", "all"],
      ["chain-cost", "1"],
      ["chain-cost", "2"],
    ])
      ran.push(await place.run(argv));
    return ran;
  };
  await place.run(["trust"]);
  const before = await looks();
  expect(before.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0]);
  expect(before[0]?.stdout).toContain("→ Requirements clarification\nTotal time: not known\n");
  for (const id of ["1", "2"]) expect((await place.run(["resume", id, "--adopt", replay, quickTests])).code).toBe(10);
  const all = [...before, ...(await looks())].map(({ stdout }) => stdout).join("");
  expect(all).not.toMatch(/NaN|undefined|null/);
});

test("context files that are none, or hold nonsense, are named one by one, and hide nothing else", async () => {
  const place = placeWithContexts({
    [name]: printed,
    "chain-048-a.json": "[]",
    "chain-049-b.json": "{torn",
    "chain-050-c.json": { goal: 7 },
    "chain-051-d.json": { goal: "Odd", phase_history: "x", cost_tracking: [1], status: 5, confidence_scores: null },
    "chain-052-e.json": {
      goal: "Dates",
      phase_history: [{ phase: "context-building", started: "soon", ended: 5, duration: "ages" }],
      cost_tracking: { estimated_cost: "much" },
    },
  });
  mkdirSync(join(place.home, "contexts", "chain-053-folder.json"));
  mkdirSync(join(place.home, "contexts", "journal", "054.jsonl"), { recursive: true });
  await place.run(["trust"]);
  const { code, stdout } = await place.run(["status", "all"]);
  const ids = stdout.split("\n").map((line) => line.slice(0, 14));
  expect([code, ids]).toEqual([
    0,
    [
      "047  foreign  ",
      "048  damaged  ",
      "049  damaged  ",
      "050  damaged  ",
      "051  foreign  ",
      "052  foreign  ",
      "053  damaged  ",
      "054  damaged  ",
      "",
    ],
  ]);
  for (const id of ["48", "51", "52", "53", "54"]) {
    const one = await place.run(["status", id]);
    expect([id, one.code, /NaN|undefined/.test(one.stdout), one.stderr]).toEqual([id, 0, false, ""]);
  }
});

/** A chain that waits, and its context file as it was before its last lines. */
async function withOldFile() {
  const place = placeWith(quickApp);
  expect((await place.run([task, "--trust", quickTests, place.replay(asksFirst), "--turns=1"])).code).toBe(10);
  const file = place.contextFile();
  const old = readFileSync(file, "utf8");
  expect((await place.run(["answer", "1", "api_name=product", place.replay(asksFirst), "--turns=1"])).code).toBe(10);
  const now = readFileSync(file, "utf8");
  expect(now).not.toBe(old);
  return { place, file, old, now };
}

test("whatever reads a chain rewrites a context file that is older than its journal", async () => {
  const { place, file, old, now } = await withOldFile();
  for (const argv of [
    ["status", "1"],
    ["status", "all"],
    ["chain-cost", "1"],
    ["diff", "1"],
  ]) {
    writeFileSync(file, old);
    // As it is after a kill: the journal was written last.
    const journal = join(place.home, "contexts", "journal", "001.jsonl");
    writeFileSync(journal, readFileSync(journal));
    const ran = await place.run(argv);
    expect([argv, ran.code, readFileSync(file, "utf8") === now]).toEqual([argv, 0, true]);
  }
});

test("a context file is left alone while somebody works on the chain, and where it was edited by hand", async () => {
  const { place, file, old } = await withOldFile();
  writeFileSync(file, old);
  const lock = tryLock(join(place.home, "contexts", "journal", "001.lock"));
  const status = await place.run(["status", "1"]);
  lock?.release();
  expect([status.stdout.includes("Waiting for you: answers to 1 question"), readFileSync(file, "utf8")]).toEqual([
    true,
    old,
  ]);
  for (const edited of [old.replace("product function", "quotient function"), old.slice(0, 300)]) {
    writeFileSync(file, edited);
    expect((await place.run(["status", "1"])).code).toBe(0);
    expect((await place.run(["diff", "1"])).code).toBe(0);
    expect(readFileSync(file, "utf8")).toBe(edited);
  }
});

test.skipIf(process.geteuid?.() === 0)(
  "a folder that may only be read is no error (root may write everywhere)",
  async () => {
    const { place, file, old } = await withOldFile();
    writeFileSync(file, old);
    rmSync(join(place.home, "contexts", "journal", "001.lock"));
    const folders = [join(place.home, "contexts"), join(place.home, "contexts", "journal")];
    for (const folder of folders) chmodSync(folder, 0o500);
    try {
      const ran = await place.run(["status", "1"]);
      expect([ran.code, ran.stdout.includes("Waiting for you: answers to 1 question"), ran.stderr]).toEqual([
        0,
        true,
        "",
      ]);
      expect(readFileSync(file, "utf8")).toBe(old);
      expect(statSync(folders[0]!).mode & 0o777).toBe(0o500);
    } finally {
      for (const folder of folders) chmodSync(folder, 0o700);
    }
  },
);
