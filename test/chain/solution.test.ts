import { expect, test } from "vitest";
import { event } from "../../src/chain/events.ts";
import type { Solution } from "../../src/chain/reply.ts";
import { fitsTiny, looksLikeTest, solutionHash, solutionText } from "../../src/chain/solution.ts";
import { after, base, inEngine, recorded, solution } from "./lines.ts";

test("what a person approves is told whole, with the assumptions and areas set aside that they approve too", () => {
  const context = after(
    recorded("component_mapper", {}, { assumptions: ["storage (50% sure): Redis"] }),
    event("area_waived", { area: "performance", reason: "one user" }),
  );
  expect(solutionText({ ...solution, remaining_concerns: ["big numbers"] }, context)).toBe(
    `A product beside the sum

Architecture:
One more pure function.

Key decisions:
- a function of its own because sum stays as it is

Tradeoffs:
- two functions instead of one with a mode

Implementation approach:
1. write the test
2. write the function

Risks:
- a wrong import → the test imports it

Success criteria:
- product(2, 3) is 6

Files:
- new  src/product.js (code)
- new  test/product.test.js (test)

Proof:
- tests first, run with: npm test (node --test)

Assumptions to confirm:
- storage (50% sure): Redis

Areas set aside:
- performance: one user

Remaining concerns:
- big numbers

Confidence: 95%`,
  );
});

test("what a solution leaves out leaves no empty headings", () => {
  const bare: Solution = {
    title: "Less",
    architecture: "None.",
    decisions: [{ choice: "keep it", because: "" }],
    tradeoffs: [],
    steps: [],
    risks: [{ risk: "none", mitigation: "" }],
    success_criteria: [],
    confidence: 0.5,
    remaining_concerns: [],
    files: [{ path: "README.md", role: "doc", change: "edit" }],
    verification: { kind: "substitute", check: "read it aloud" },
  };
  expect(solutionText(bare, after())).toBe(
    `Less

Architecture:
None.

Key decisions:
- keep it

Risks:
- none

Files:
- edit README.md (doc)

Proof:
- nothing here can fail in a test; checked instead: read it aloud
- the tests there are run too, with: npm test

Confidence: 50%`,
  );
  const noCommand = solutionText(
    { ...bare, verification: { kind: "tests", check: "" } },
    inEngine(after(), { test_command: null }),
  );
  expect(noCommand).toContain("- the tests there are, and no new ones, run with: no command found\n");
});

test("who approves a tiny solution reads that nothing of it is reviewed", () => {
  const text = (size: "normal" | "tiny") => solutionText(solution, { ...after(), size });
  expect(text("tiny")).toContain(
    "(node --test)\n\nSize:\n- tiny: one file and its test, and no reviews\n\nConfidence:",
  );
  expect(text("normal")).not.toContain("Size:");
});

test("a test shows in its name or its folder", () => {
  const tests = [
    "test/product.js",
    "src/product.test.ts",
    "src/__tests__/product.js",
    "test_product.py",
    "product_test.go",
    "spec/product_spec.rb",
    "src/ProductTest.java",
    "src/ProductTests.cs",
    "Tests/Product.php",
  ];
  const others = ["src/product.js", "src/latest.js", "src/contest/main.js", "src/inspector.ts", "src/testimonials.ts"];
  expect(["e2e/login.cy.ts", "features/login.feature", "conftest.py"].every(looksLikeTest)).toBe(true);
  expect([tests.filter(looksLikeTest), others.filter(looksLikeTest)]).toEqual([tests, []]);
});

test("an approval is bound to the text and to the files as they are", () => {
  const hash = solutionHash("text", base);
  expect(hash).toMatch(/^[0-9a-f]{12}$/);
  expect(solutionHash("text", { ...base })).toBe(hash);
  const others = [
    solutionHash("text.", base),
    solutionHash("text", { ...base, "src/product.js": "changed" }),
    solutionHash("text", { "src/product.js": null }),
  ];
  expect(new Set([hash, ...others]).size).toBe(4);
});

test("one file and at most one test of it fit a tiny task", () => {
  const files = (...roles: ("code" | "test" | "doc")[]) =>
    fitsTiny({ ...solution, files: roles.map((role, index) => ({ path: `${index}`, role, change: "edit" })) });
  expect([files("code"), files("code", "test"), files("test", "code"), files("doc"), files("doc", "test")]).toEqual(
    Array(5).fill(true),
  );
  expect([files(), files("test"), files("code", "code"), files("code", "doc"), files("code", "test", "test")]).toEqual(
    Array(5).fill(false),
  );
});
