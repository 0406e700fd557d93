import { editDistance } from "../../util/distance.ts";
import { fencedParts } from "../fences.ts";
import { positionsOf, type Remark } from "./finding.ts";

/** Makes the check of names in running text against the prompts there are. */
export function referenceCheck(known: ReadonlySet<string>): (text: ReferringText) => Remark[] {
  const nearest = nearestIn(known);
  return ({ front, body, bodyLine }) => {
    const at = positionsOf(body, bodyLine);
    const own = new Set(Array.from(front.matchAll(snakeCase), ([word]) => word));
    const reported = new Set<string>();
    return sectionsOf(body).flatMap(({ text, from, notFor }) =>
      Array.from(text.matchAll(snakeCase)).flatMap(({ 0: word, index }): Remark[] => {
        if (known.has(word) || own.has(word) || engineWords.has(word)) return [];
        const near = nearest(word);
        const { line } = at(from + index);
        if ((near === undefined && !notFor) || reported.has(`${line} ${word}`)) return [];
        reported.add(`${line} ${word}`);
        return [remark(word, line, near)];
      }),
    );
  };
}

export interface ReferringText {
  readonly front: string;
  readonly body: string;
  readonly bodyLine: number;
}

/** Not the names of files, functions or fields of something. */
const snakeCase = /(?<![\w.])[a-z][a-z0-9]*(?:_[a-z0-9]+)+(?!\w|\(|\.\w)/g;

/** Words that are not prompts and that every prompt may speak of: parts of the reply, areas, actions and tools. */
export const engineWords: ReadonlySet<string> = new Set(
  [
    "mistake_corrected pattern_identified not_checked technical_approach implementation_details",
    "run_prompts ask_user report_gap present_solution go_back give_up prompt_kind key_questions",
    "success_criteria remaining_concerns if_wrong tool_calls args_json",
    "delete_file edit_file find_prompts git_blame git_diff git_log list_files read_dependencies",
    "read_file read_test_output run_command run_tests search_files try_command write_file",
  ]
    .join(" ")
    .split(" "),
);

function remark(word: string, line: number, near: string | undefined): Remark {
  return {
    line,
    rule: "dead-reference",
    severity: "warning",
    what: near === undefined ? `no prompt is called ${word}` : `no prompt is called ${word}; ${near} is`,
    why: "Who follows the name finds nothing, and the work it was to hand over is done by nobody.",
    mend: near === undefined ? "Name a prompt of the library, or take the name out." : `Write ${near}.`,
  };
}

/** The nearest name at most two letters away (one, where the word is short). */
function nearestIn(known: ReadonlySet<string>): (word: string) => string | undefined {
  const names = [...known].filter((name) => name.includes("_")).sort();
  const answers = new Map<string, string | undefined>();
  return (word) => {
    if (!answers.has(word)) {
      const limit = word.length < 8 ? 1 : 2;
      const distances = names.map((name) => ({ name, distance: editDistance(word, name, limit) }));
      const near = distances.filter(({ distance }) => distance <= limit).sort((a, b) => a.distance - b.distance);
      answers.set(word, near[0]?.name);
    }
    return answers.get(word);
  };
}

interface Section {
  readonly text: string;
  readonly from: number;
  readonly notFor: boolean;
}

/** Running text, cut at its headings. What lies below "Not for" belongs to it, down to the next heading as high. */
function sectionsOf(body: string): Section[] {
  let level = Infinity;
  return fencedParts(body)
    .filter(({ fence }) => fence === undefined)
    .flatMap(({ text, from }) =>
      [...text.matchAll(/^ {0,3}(#{1,6})[ \t][^\n]*$|[^\n]+/gm)].map(({ 0: line, 1: marks, index }) => {
        if (marks && /\bnot for\b/i.test(line)) level = marks.length;
        else if (marks && marks.length <= level) level = Infinity;
        return { text: line, from: from + index, notFor: level < Infinity };
      }),
    );
}
