import { expect, test } from "vitest";
import { fitsTiny, isRunByOthers, looksLikeTest, solutionHash } from "../../src/chain/solution.ts";
import { base, solution } from "./lines.ts";

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

test("one file of code with a test and a document at most, or one document, fits a tiny task", () => {
  const files = (...roles: ("code" | "test" | "doc")[]) =>
    fitsTiny({
      ...solution,
      files: roles.map((role, index) => ({ path: `${index}`, role, change: "edit", lines: 0 })),
    });
  expect([
    files("code"),
    files("code", "test"),
    files("test", "code"),
    files("doc"),
    files("doc", "code", "test"),
  ]).toEqual(Array(5).fill(true));
  expect([files(), files("test"), files("code", "code"), files("doc", "doc"), files("code", "test", "test")]).toEqual(
    Array(5).fill(false),
  );
});

test("manifests, scripts and pipelines show in their names", () => {
  const run = [
    "package.json",
    "web/pyproject.toml",
    ".github/workflows/ci.yml",
    "scripts/release.ts",
    "deploy.sh",
    "Dockerfile.dev",
    "bin/x",
  ];
  const others = ["src/package.ts", "docs/scripts.md", "src/product.js", "src/binary/x.ts"];
  expect([run.filter(isRunByOthers), others.filter(isRunByOthers)]).toEqual([run, []]);
});
