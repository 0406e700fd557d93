import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { placeWith, type Place } from "../support/cli.ts";
import { wholeWay } from "../support/script.ts";
import { asksFirst, quickApp, quickTests, task, tiny, tinyWay } from "../support/ways.ts";

let place: Place;
let file: string;

beforeAll(async () => {
  place = placeWith(quickApp);
  const flags = ["--trust", quickTests, "--approve-policy=auto", `--answers=${place.answers}`];
  expect((await place.run([task, ...flags, place.replay(wholeWay)])).code).toBe(0);
  file = join(place.home, "patterns", "product-beside-sum.yaml");
});

test("a finished chain is shown as a pattern, and is saved only on a person's word", async () => {
  const shown = await place.run(["save-pattern"]);
  expect(shown.code).toBe(10);
  for (const line of [
    'Found pattern: "A product beside the sum"',
    "goal: Add a product function",
    "strategy: One more pure function.",
    "  - choice: a function of its own\n    because: sum stays as it is",
    "    question: Must big integers work?\n    options:\n      - yes\n      - no\n    answered: no\n",
    "prompts:\n  - component_mapper\n  - dependency_analyzer\n  - uncertainty_analysis\n  - uncertainty_resolver\n",
    "  - The new tests failed before the code was there.",
    "  - Reviewed by code_reviewer, security_scanner, simplicity_checker.",
    "confidence: 0% → 32% → 70% → 92%",
    'took:\n  - chain: "001"\n    calls: 20\n    questions: 3\n    approval_rounds: 1\n',
    `Nothing was saved yet. It would go to ${file}`,
    "Save it: claude-exec save-pattern 001 --name 'A product beside the sum' --yes",
  ])
    expect(shown.stdout).toContain(line);
  expect(existsSync(file)).toBe(false);
});

test("what was saved is listed and shown, and a person may edit it", async () => {
  expect(await place.run(["save-pattern", "1", "--yes"])).toMatchObject({
    code: 0,
    stdout: `Pattern saved: "A product beside the sum"\nIn ${file}\nSee it: claude-exec patterns show product-beside-sum\n`,
  });
  writeFileSync(file, readFileSync(file, "utf8").replace("A product beside the sum", "Product"));
  expect((await place.run(["patterns"])).stdout).toMatch(
    /^product-beside-sum {2}"Product": 20 calls, \$\S+, \S+ min, 3 questions \(chain 001\)\n$/,
  );
  expect((await place.run(["patterns", "show", "product"])).stdout).toContain("goal: Add a product function");
  expect((await place.run(["patterns", "show", "nothing"])).stderr).toContain('There is no pattern "nothing" here.');
});

test("the same chain is saved again with the words that a person added; another pattern is not written over", async () => {
  writeFileSync(file, readFileSync(file, "utf8").replace(/notes: .*/, "notes: Mind the rounding."));
  await place.run(["save-pattern", "1", "--yes"]);
  expect(readFileSync(file, "utf8")).toContain("notes: Mind the rounding.");
  writeFileSync(file, readFileSync(file, "utf8").replace('"001"', '"999"'));
  const kept = readFileSync(file, "utf8");
  expect(await place.run(["save-pattern", "1", "--yes"])).toMatchObject({ code: 14 });
  expect(readFileSync(file, "utf8")).toBe(kept);
  rmSync(file);
  expect((await place.run(["save-pattern", "1", "--yes"])).code).toBe(0);
});

test("a chain that is not finished, and one that only answered, have no pattern", async () => {
  const other = placeWith(quickApp);
  await other.run([...tiny, other.replay(asksFirst)]);
  expect(await other.run(["save-pattern", "1", "--yes"])).toMatchObject({
    code: 64,
    stderr: expect.stringContaining("Chain 001 has not finished a change") as string,
  });
});

test("files that are no patterns are named with the reason and skipped; secrets do not get into one", async () => {
  const folder = join(place.home, "patterns");
  const text = readFileSync(file, "utf8");
  const wrong = {
    "nonsense.yaml": "{{{",
    "other-key.yaml": `${text}\napprove: everything\n`,
    "bomb.yaml": `a: &a [x, x]\nb: &b [*a, *a]\nc: [*b]\n`,
    "huge.yaml": `${text}${"# more\n".repeat(10_000)}`,
    "number.yaml": text.replace(/calls: \d+/, "calls: many"),
    "js.yaml": `---js\nprocess.exit()\n---\n`,
  };
  for (const [name, content] of Object.entries(wrong)) writeFileSync(join(folder, name), content);
  symlinkSync("/etc/passwd", join(folder, "link.yaml"));
  const { stdout, code } = await place.run(["patterns"]);
  expect(code).toBe(0);
  for (const name of [...Object.keys(wrong), "link.yaml"]) {
    expect(stdout).toMatch(new RegExp(`! .*/${name.replace(".", "\\.")} is not used: .+\\.\n`));
    rmSync(join(folder, name));
  }
  expect(stdout).toMatch(/^product-beside-sum {2}/);
  const key = `sk-ant-${"a1B2c3".repeat(6)}`;
  await place.run(["save-pattern", "1", "--name", `With ${key}`, "--yes"]);
  expect((await place.run(["patterns"])).stdout).not.toContain(key);
});

test("a folder of patterns that is a link is neither read nor written to", async () => {
  const other = placeWith(quickApp);
  await other.run([...tiny, other.replay(tinyWay), "--approve-policy=auto"]);
  mkdirSync(join(other.beside, "elsewhere"));
  symlinkSync(join(other.beside, "elsewhere"), join(other.home, "patterns"));
  expect((await other.run(["save-pattern", "1", "--yes"])).code).toBe(14);
  writeFileSync(join(other.beside, "elsewhere", "product.yaml"), readFileSync(file, "utf8"));
  expect((await other.run(["patterns"])).stdout).toContain("There is no pattern in");
});
