import { join, relative } from "node:path";
import { expect, test } from "vitest";
import { lintPrompts } from "../../../src/library/lint/lint.ts";
import { lintPlaces } from "../../../src/library/lint/places.ts";

const words = (text: string) => Promise.resolve(text.split(/\s+/).length);

async function lint(sample: string): Promise<string[]> {
  const root = join(import.meta.dirname, "samples", sample);
  const found = await lintPrompts(lintPlaces([root]), new Set(["code_reviewer"]), words);
  return found.map(({ file, line, rule, what }) => {
    return `${relative(root, file)}:${line} ${rule}: ${what.replaceAll(`${root}/`, "")}`;
  });
}

test("a collection of patterns in folders, each a system.md", async () => {
  expect(await lint("fabric")).toEqual([
    "explain_contract/system.md:1 schema: purpose: is missing",
    'explain_contract/system.md:3 weak-wording: "You are an expert" says nothing',
    'explain_contract/system.md:5 weak-wording: "step-by-step" says nothing',
    'explain_contract/system.md:19 weak-wording: "Ensure that" says nothing',
    'explain_contract/system.md:21 weak-wording: "various" says nothing',
    "tidy_minutes/system.md:1 schema: purpose: is missing",
  ]);
});

test("commands, agents and skills of a coding assistant", async () => {
  expect(await lint("claude_code")).toEqual([
    "agents/query-doctor.md:1 schema: purpose: is missing",
    "commands/changelog.md:1 schema: purpose: is missing",
    'commands/changelog.md:13 weak-wording: "Please" says nothing',
    "skills/release-notes/SKILL.md:1 schema: the file's name is none for a prompt",
    'skills/release-notes/SKILL.md:10 weak-wording: "make sure" says nothing',
  ]);
});

test("a list of plain texts to act by", async () => {
  expect(await lint("awesome")).toEqual([
    "prompts/Recipe Halver.md:1 schema: the file's name is none for a prompt",
    'prompts/Recipe Halver.md:2 weak-wording: "etc" says nothing',
    "prompts/chess_coach.md:1 schema: purpose: is missing",
    "prompts/chess_trainer.md:1 near-duplicate: 85% of this text and prompts/chess_coach.md are the same",
    "prompts/chess_trainer.md:1 schema: purpose: is missing",
  ]);
});
