import { expect, test } from "vitest";
import { commandIn, commandOf, commandOfWords, testCommandIn, typed } from "../../src/tools/test_command.ts";

test("a test command is its words, and one that begins with NAME=value is started through env", () => {
  expect(commandOf(" npm  test ")).toEqual(["npm", "test"]);
  expect(commandOf("PYTHONPATH=src TZ=UTC python3 -m pytest -q")).toEqual([
    "env",
    "PYTHONPATH=src",
    "TZ=UTC",
    "python3",
    "-m",
    "pytest",
    "-q",
  ]);
  expect(commandOf("make test V=1")).toEqual(["make", "test", "V=1"]);
  expect(commandOfWords(["CI=1", "npm", "test"])).toEqual(["env", "CI=1", "npm", "test"]);
});

test("what needs a shell gets one", () => {
  expect(commandOf("cd api && npm test")).toEqual(["sh", "-c", "cd api && npm test"]);
  expect(commandOf('pytest -k "a or b"')).toEqual(["sh", "-c", 'pytest -k "a or b"']);
});

test.for(["npm test", "PYTHONPATH=src python3 -m pytest -q", "cd api && npm test", 'pytest -k "a or b"', "make V=1"])(
  "%s is shown as it was typed",
  (line) => expect(typed(commandOf(line))).toBe(line),
);

test.for([
  ["make check", "make check"],
  ["no, use make check.", "make check"],
  ["No: it's `npm run test:unit`, please", "npm run test:unit"],
  ["run the tests with PYTHONPATH=src pytest -q", "PYTHONPATH=src pytest -q"],
  ["try ./run-tests.sh", "./run-tests.sh"],
  ["cd api && npm test", "cd api && npm test"],
  ["go test ./...", "go test ./..."],
  ["npm test is broken, run: npx mocha --check-leaks test/", "npx mocha --check-leaks test/"],
  ["npm test is broken; instead use make check.", "make check"],
  ["that needs a database, so don't: npm test", undefined],
  ["go on", undefined],
  ["make sure that nothing breaks", undefined],
  ["node is not installed, so use something else", undefined],
  ["either `make a` or `make b`", undefined],
  ["yes", undefined],
] as const)("%s names the command %s", ([words, command]) => expect(commandIn(words)).toBe(command));

test.for([
  ["Run the tests with make check", "make check"],
  ["Yes, it may throw. Tests run with npm run unit", "npm run unit"],
  ["the test command is: `cargo test -q`", "cargo test -q"],
  ["make check", undefined],
  ["the tests should be faster", undefined],
  ["test with real data", undefined],
] as const)("%s says by itself that the tests run with %s", ([words, command]) =>
  expect(testCommandIn(words)).toBe(command),
);
