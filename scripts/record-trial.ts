// Makes a recording of a trial for `npm run bench ceremony`: what the model replied, and the project it worked on, without
// anything other people wrote. Of a file that was only read, the lengths of its lines are kept; lines that a search found
// or an edit names are kept with their words made unreadable, and the edits are written in the same way.
//
//   node scripts/record-trial.ts PLAN.json      PLAN: see Plan below
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { unreadable } from "../bench/filler.ts";
import type { RecordedTrial } from "../bench/ceremony.ts";
import { stepOf, type RequestBody } from "../test/models/messages-server.ts";

interface Plan extends Pick<RecordedTrial, "title" | "date" | "agent" | "commands" | "answers" | "tests"> {
  /** The folder of requests and replies: NNNN-raw.json and NNNN-reply.json. */
  readonly replies: string;
  /** Which of them belong to the trial: the first and the last. */
  readonly from?: number;
  readonly to?: number;
  /** The project as a git repository, and its commit before the trial. */
  readonly project: string;
  readonly commit: string;
  readonly output: string;
}

type Call = { readonly name: string; readonly input: Record<string, string | undefined> };

const plan = JSON.parse(readFileSync(process.argv[2], "utf8")) as Plan;
const numbers = readdirSync(plan.replies)
  .flatMap((name) => (name.endsWith("-reply.json") ? [Number(name.slice(0, 4))] : []))
  .filter((number) => number >= (plan.from ?? 0) && number <= (plan.to ?? Infinity))
  .sort((one, other) => one - other);
const read = (number: number, end: string): unknown =>
  JSON.parse(readFileSync(join(plan.replies, `${String(number).padStart(4, "0")}-${end}.json`), "utf8"));
const said = numbers.map((number) => ({
  request: read(number, "raw") as RequestBody,
  reply: read(number, "reply") as { text?: string; json?: unknown; tools?: Call[] },
}));

const git = (...args: string[]) =>
  execFileSync("git", ["-C", plan.project, ...args], { encoding: "utf8", maxBuffer: 1 << 28 });
const tracked = git("ls-tree", "-r", "--name-only", plan.commit).split("\n").filter(Boolean);
const calls = said.flatMap(({ reply }) => reply.tools ?? []);
const edited = calls.flatMap(({ name, input }) => (name === "edit_file" ? [input["old"]] : [])).join("\n");
const results = JSON.stringify(said.map(({ request }) => request.messages));
const found = [...results.matchAll(/"type":"tool_result".*?"content":("(?:[^"\\]|\\.)*")/g)]
  .map(([, text]) => JSON.parse(text) as string)
  .filter((text) => / match(?:es)? in /.test(text.slice(0, 80)))
  .join("\n");
const isTouched = (path: string) =>
  results.includes(path) && calls.some(({ input }) => covers(input["path"] ?? "", path));
const outside = [...new Set(calls.map(({ input }) => input["path"] ?? ""))].filter((path) =>
  path.startsWith("node_modules/"),
);

const files: RecordedTrial["files"] = {};
for (const path of tracked) files[path] = isTouched(path) ? linesOf(git("show", `${plan.commit}:${path}`)) : [];
for (const path of outside) files[path] = linesOf(readIfText(join(plan.project, path)));

const turns = new Map<string, number>();
const replies: RecordedTrial["replies"] = {};
for (const { request, reply } of said) {
  const { key } = stepOf(request);
  const turn = (turns.get(key) ?? 0) + 1;
  turns.set(key, turn);
  const text = reply.json === undefined ? reply.text : JSON.stringify(reply.json);
  replies[`${key}/turn-${turn}`] = {
    outcome: "replied",
    stop: reply.tools?.length ? "tool_use" : "end_turn",
    content: [
      ...(text ? [{ type: "text" as const, text }] : []),
      ...(reply.tools ?? []).map(({ name, input }, index) => ({
        type: "tool_use" as const,
        id: `call_${key.replaceAll(/[^a-z0-9]/g, "_")}_${turn}_${index}`,
        name,
        input: hidden({ name, input }),
      })),
    ],
    usage: null,
  };
}

const { title, date, agent, commands, answers, tests } = plan;
const trial: RecordedTrial = { title, date, agent, commands, answers, tests, files, replies };
writeFileSync(plan.output, `${JSON.stringify(trial)}\n`);
console.log(
  `${numbers.length} replies, ${Object.keys(files).length} files, ${JSON.stringify(trial).length} characters.`,
);

function covers(named: string, path: string): boolean {
  return path === named || path.startsWith(`${named}/`) || found.includes(path);
}

function readIfText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function linesOf(text: string): (number | string)[] {
  return text.split("\n").map((line) => {
    const bare = line.trim();
    return bare.length > 1 && (edited.includes(bare) || found.includes(bare)) ? unreadable(line) : line.length;
  });
}

/** What a call says of other people's text is made unreadable as that text is. */
function hidden({ name, input }: Call): unknown {
  const isForeign = files[input["path"] ?? ""] !== undefined;
  if (name === "edit_file" && isForeign)
    return { ...input, old: unreadable(input["old"] ?? ""), new: unreadable(input["new"] ?? "") };
  if (name === "search_files" && input["pattern"] !== undefined)
    return { ...input, pattern: unreadable(input["pattern"]) };
  return input;
}
