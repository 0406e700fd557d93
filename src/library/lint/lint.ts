import { isUtf8 } from "node:buffer";
import { basename } from "node:path";
import { UserError } from "../../util/errors.ts";
import { readSmallFile } from "../../util/small_file.ts";
import { type ComparedText, nearDuplicates } from "./alike.ts";
import { type Finding, frontLine, type Remark } from "./finding.ts";
import { hiddenUnicode } from "./hidden.ts";
import { inputUses } from "./inputs.ts";
import { referenceCheck } from "./references.ts";
import { secrets } from "./secrets.ts";
import { costClass, lengths } from "./size.ts";
import { checkTests } from "./tests.ts";
import { weakWording } from "./words.ts";
import { promptName } from "../names.ts";
import type { Place, Prompt } from "../prompt.ts";
import { readPrompt } from "../read_prompt.ts";

export type LintFile = Place;

/**
 * What is wrong with prompt files, sorted by file, line and rule. Whatever a file holds is a finding and never thrown.
 * `others` are prompts that the files may be too much like. `known` are the names of prompts that may be referred to, beside the files' own; `count` counts tokens.
 */
export async function lintPrompts(
  files: readonly LintFile[],
  known: ReadonlySet<string>,
  count: (text: string) => Promise<number>,
  others: readonly LintFile[] = [],
): Promise<Finding[]> {
  const own = files.map(({ file }) => promptName(basename(file, ".md"))).filter((name) => name !== undefined);
  const references = referenceCheck(new Set([...known, ...own]));
  const findings: Finding[] = [];
  const texts: ComparedText[] = [];
  const waiting = files.values();
  const work = async () => {
    for (const place of waiting) {
      const seen = await lookAt(place);
      const remarks = [...seen.remarks, ...checkText(seen)];
      if (seen.prompt) {
        const { prompt, front } = seen;
        remarks.push(...references(seen), ...inputUses(prompt, front), ...lengths(prompt, front));
        remarks.push(...costClass(prompt, front, await count(prompt.body)));
      }
      findings.push(...remarks.map((remark) => ({ file: place.file, ...remark })));
      findings.push(...lintTests(place.file, seen.prompt));
      if (seen.body !== "") texts.push({ file: place.file, body: seen.body, bodyLine: seen.bodyLine });
    }
  };
  await Promise.all(Array.from({ length: 16 }, work));
  const beside = await Promise.all(others.filter(({ file }) => !isAmong(file, files)).map(comparable));
  return shortened([...findings, ...nearDuplicates(texts, beside.flat())].sort(byPlace));
}

/** By its name too: a copy of one's own that stands for a shipped prompt may well be like it. */
function isAmong(file: string, files: readonly LintFile[]): boolean {
  return files.some((one) => one.file === file || basename(one.file) === basename(file));
}

async function comparable(place: LintFile): Promise<ComparedText[]> {
  const { body, bodyLine } = await lookAt(place);
  return body === "" ? [] : [{ file: place.file, body, bodyLine }];
}

interface Seen {
  readonly remarks: readonly Remark[];
  readonly text: string;
  /** The part above the body, and the line on which the body begins. */
  readonly front: string;
  readonly body: string;
  readonly bodyLine: number;
  readonly prompt?: Prompt;
}

/** A file that is no prompt keeps its text: what is said in it can still be looked at. */
async function lookAt(place: LintFile): Promise<Seen> {
  const read = readSmallFile(place.file, 300 * 1024);
  const text = "bytes" in read ? read.bytes.toString() : "";
  try {
    const prompt = await readPrompt(place);
    const { body, bodyLine } = prompt;
    return { remarks: [], text, front: text.slice(0, text.length - body.length), body, bodyLine, prompt };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const [, line = "1", what = error.message] = /^:(\d+): ([^]*)$/.exec(error.message.slice(place.file.length)) ?? [];
    const exact = "bytes" in read && isUtf8(read.bytes);
    const remark: Remark = {
      line: Number(line),
      rule: exact ? "schema" : "unreadable",
      severity: "error",
      what,
      why: "What cannot be read as a prompt is not in the library: nobody can choose or run it.",
      mend: error.next.map(({ why }) => why).join(" "),
    };
    const [front] = /^---[^\n]*\n(?:[^]*?\n)??---[ \t\r]*(?:\n|$)/.exec(text) ?? [""];
    return { remarks: [remark], text, front, body: text.slice(front.length), bodyLine: front.split("\n").length };
  }
}

function checkText({ text, front, body, bodyLine, prompt }: Seen): Remark[] {
  const purpose = prompt ? weakWording(prompt.purpose, frontLine(front, "purpose")) : [];
  // What an escape in YAML writes is seen only once it is read.
  const written = prompt ? [prompt.purpose, prompt.title ?? "", ...prompt.tags, ...prompt.good_for] : [];
  const escaped = written.flatMap((words) => (text.includes(words) ? [] : hiddenUnicode(words)));
  return [
    ...hiddenUnicode(text),
    ...escaped.map((remark) => ({ ...remark, line: 1 })),
    ...secrets(text),
    ...purpose,
    ...weakWording(body, bodyLine),
  ];
}

function lintTests(prompt: string, known: Prompt | undefined): Finding[] {
  const file = `${prompt.replace(/\.md$/, "")}.tests.yaml`;
  const read = readSmallFile(file, 256 * 1024);
  if ("trouble" in read && read.isMissing) return [];
  if ("bytes" in read && isUtf8(read.bytes)) {
    const text = read.bytes.toString();
    const seen = [...hiddenUnicode(text), ...secrets(text)].map((remark) => ({ file, ...remark }));
    return [...checkTests(text, file, known?.inputs), ...seen];
  }
  const what = "trouble" in read ? read.trouble : "the file is not UTF-8 text";
  const why = "Tests that cannot be read prove nothing.";
  return [{ file, line: 1, rule: "tests", severity: "error", what, why, mend: "Put a plain YAML file here." }];
}

function byPlace(a: Finding, b: Finding): number {
  const order = (one: string, other: string) => (one < other ? -1 : Number(one > other));
  return order(a.file, b.file) || a.line - b.line || order(a.rule, b.rule) || order(a.what, b.what);
}

/** Of one rule in one file, 20 findings show what the rest is like; how many more there are is said. */
function shortened(findings: readonly Finding[]): Finding[] {
  const alike = Map.groupBy(findings, ({ file, rule, severity }) => `${file}\n${rule}\n${severity}`);
  const kept = [...alike.values()].flatMap((group) => {
    const [first, ...rest] = group.slice(20);
    return first ? [...group.slice(0, 20), { ...first, what: `${rest.length + 1} more like those above` }] : group;
  });
  return kept.sort(byPlace);
}
