import { join } from "node:path";
import { expect, test } from "vitest";
import { readAnswers } from "../../src/operations/answers.ts";
import { folderWith } from "../support/script.ts";

const next = [{ why: 'It holds one JSON object: {"refresh_tokens": "yes"}' }];

test("answers are read by their question's id or words", () => {
  const path = join(folderWith({ "a.json": '{"api_name": "product", "Is it big?": "no"}' }), "a.json");
  expect(readAnswers(path)).toEqual({ api_name: "product", "Is it big?": "no" });
});

test("an empty answer in a file is none", () => {
  const path = join(folderWith({ "a.json": '{"api_name": " "}' }), "a.json");
  expect(() => readAnswers(path)).toThrow(`The answer to "api_name" in ${path} is empty.`);
});

test.each([
  ["torn", '{"api_name": "prod'],
  ["a list", '["product"]'],
  ["a number", '{"api_name": 1}'],
  ["nested", '{"api_name": {"answer": "product"}}'],
])("answers that are %s are refused as a whole", (_, text) => {
  const path = join(folderWith({ "a.json": text }), "a.json");
  expect(() => readAnswers(path)).toThrow(
    expect.objectContaining({ code: "answers_invalid", message: `${path} does not hold answers.`, next, exitCode: 64 }),
  );
});

test("a file that is not there, or is none, is named", () => {
  const folder = folderWith({});
  const missing = join(folder, "none.json");
  expect(() => readAnswers(missing)).toThrow(
    expect.objectContaining({ code: "answers_missing", message: `There is no file ${missing}.`, next, exitCode: 64 }),
  );
  expect(() => readAnswers(folder)).toThrow(
    expect.objectContaining({
      code: "answers_unreadable",
      message: `The answers in ${folder} cannot be read: EISDIR: illegal operation on a directory, read`,
      next,
      exitCode: 64,
    }),
  );
});
