import type { ResultOf } from "../../operations/operations.ts";
import type { Input } from "../../util/next.ts";
import { count } from "../../util/count.ts";
import { quoted } from "../../util/quoting.ts";
import { wholeReport } from "./report_lines.ts";
import { timeText } from "./status_report.ts";
import { effectText } from "./narrate.ts";
import { flagsText, nextLines } from "./next.ts";
import { money, path } from "./values.ts";

/** The library's results as a person reads them. */
export function listText(data: ResultOf<"prompts list">, flags: Input): string {
  const { prompts, problems, untrusted } = data;
  const folders = [...new Set(prompts.map((prompt) => prompt.folder))].sort();
  const width = Math.max(0, ...prompts.map((prompt) => prompt.name.length));
  const listed = folders.flatMap((folder) => [
    folder === "" ? "(no folder)" : `${folder}/`,
    ...prompts
      .filter((prompt) => prompt.folder === folder)
      .map(
        (prompt) =>
          `  ${prompt.name.padEnd(width)}  ${prompt.purpose}${prompt.scope === "builtin" ? "" : `  (${prompt.scope})`}`,
      ),
  ]);
  const none = prompts.length === 0 ? ["No prompt is like that. All of them: claude-exec prompts list"] : [];
  return [
    ...listed,
    ...none,
    ...problems.flatMap((problem) => [
      `! ${path(problem.message)}`,
      ...nextLines(problem.next, flags).map((line) => `  ${line}`),
    ]),
    ...(untrusted === null ? [] : [`! ${untrusted} is not trusted: its own prompts are left out\n  claude-exec trust`]),
  ].join("\n");
}

export function searchText(data: ResultOf<"prompts search">): string {
  const taken = Object.entries(data.taken_for).map(
    ([asked, meant]) => `No prompt says "${asked}"; looked for "${meant}".`,
  );
  const { hits } = data;
  const found = hits.flatMap((hit) => [
    `${hit.name}  ${hit.purpose}${hit.scope === "builtin" ? "" : `  (${hit.scope})`}`,
    `    ${hit.line}: ${hit.text}`,
  ]);
  const none =
    hits.length > 0 ? [] : [`Nothing fits "${data.query.slice(0, 80)}". All prompts: claude-exec prompts list`];
  return [...taken, ...found, ...none].join("\n");
}

export function promptText(data: ResultOf<"prompts show">): string {
  const caller = data.extra["caller"];
  return [
    `${data.name}: ${data.purpose}`,
    `${data.scope}, ${data.file}`,
    ...data.hides.map((hidden) => `  hides ${hidden.scope}, ${hidden.file}`),
    `cost ${data.cost_estimate}, about ${data.tokens} tokens; tools ${data.tools}; model ${data.model}; phases ${data.phases.join(", ") || "any"}`,
    ...(data.good_for.length > 0 ? [`good for: ${data.good_for.join("; ")}`] : []),
    ...(typeof caller === "string" ? [`called by: ${caller}`] : []),
    ...(data.tags.length > 0 ? [`tags ${data.tags.join(", ")}`] : []),
    ...Object.entries(data.inputs).map(
      ([name, input]) => `input ${name} (${input.type}${input.required ? ", required" : ""}): ${input.description}`,
    ),
    "",
    data.body.trim(),
  ].join("\n");
}

export function openedText(data: ResultOf<"prompts new">): string {
  const { file, name, generated } = data;
  const how = generated
    ? `${generated.summary}\nWritten by a model, for you to judge: ${file}`
    : data.copied_from
      ? `A copy of your own, which now stands for the shipped one: ${file}`
      : "copied_from" in data
        ? file
        : `A new prompt; write yours over the example in it: ${file}`;
  const cost = generated ? `\nCost: ${money(generated.cost.usd)}` : "";
  const check = `claude-exec prompts lint ${quoted(file)}`;
  return `${how}\nCheck it: ${check}\nTry it:   claude-exec prompts run ${name}${cost}`;
}

type Promotion = Exclude<ResultOf<"prompts promote">, { busy: true }>;

export function promotedText(data: Promotion, flags: Input): string {
  if ("waiting" in data) {
    if (data.waiting.length === 0) return "No prompt waits to be promoted.";
    const standing = (word: string) => (word === "kept" ? "kept in its chain" : "waits for your review");
    const lines = data.waiting.map(
      (one) => `${one.name}  ${standing(one.standing)}  chain ${one.chain}  ${effectText(one)}\n    ${one.purpose}`,
    );
    return [...lines, `Look at one: claude-exec prompts promote <name>${flagsText(flags)}`].join("\n");
  }
  const { name, chain, diff, file, promoted, next } = data;
  if (promoted) return `${name} is in the library now: ${file}`;
  const about = `${name} of chain ${chain}: ${effectText(data)}. It would be written to ${file}`;
  return [diff, about, ...nextLines(next, flags)].join("\n");
}

export function lintText(data: ResultOf<"prompts lint">): string {
  const lines = data.findings.flatMap((one) => [
    `${path(one.file)}:${one.line}  ${one.severity}  ${one.rule}  ${path(one.what)}`,
    `    why:  ${one.why}`,
    `    mend: ${one.mend}`,
  ]);
  const sum = `${count(data.files, "file")}: ${count(data.errors, "error")}, ${count(data.warnings, "warning")}.`;
  return [...lines, sum].join("\n");
}

export function ranText(data: ResultOf<"prompts run">): string {
  const { cost } = data;
  const lines = wholeReport(data);
  lines.push("", `Cost: ${money(cost.usd)}, ${cost.tokens.toLocaleString("en")} tokens. Record: ${data.record}`);
  return lines.join("\n");
}

export function statsText(data: ResultOf<"prompts stats">): string {
  const { prompts: rows } = data;
  const unread = data.unread.map((why) => `! ${why}`);
  if (rows.length === 0)
    return [
      `${data.name || "No prompt"} has ${data.name ? "not " : ""}run in a chain of this home yet.`,
      ...unread,
    ].join("\n");
  const table = [
    ["prompt", "runs", "uncertainty", "tokens a run", "time a run", "cost", "rating", "repairs", "last used"],
    ...rows.map(({ prompt, runs, reduction, rating, ...row }) => [
      prompt,
      String(runs),
      reduction ? uncertaintyText(reduction) : "–",
      row.tokens_per_run.toLocaleString("en"),
      timeText(row.ms_per_run),
      money(row.usd),
      rating ? rating.mean.toFixed(1) : "–",
      String(row.repairs),
      row.last_used,
    ]),
  ];
  const widths = table[0]!.map((_, at) => Math.max(...table.map((cells) => cells[at]!.length)));
  const line = (cells: string[]) =>
    cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join("  ");
  return [count(data.chains, "chain"), ...table.map(line), ...unread].join("\n");
}

/** "−35 % ± 12": by how much a run lowered the uncertainty of the areas that it scored. */
function uncertaintyText({ mean, low, high }: NonNullable<ResultOf<"prompts stats">["prompts"][number]["reduction"]>) {
  const half = low === null || high === null ? "" : ` ± ${Math.round(((high - low) / 2) * 100)}`;
  return `${mean < 0 ? "+" : "−"}${Math.round(Math.abs(mean) * 100)} %${half}`;
}

export function importedText({ imported, ...data }: ResultOf<"prompts import">): string {
  const lines = imported.map(({ file, to, format, unchanged, asked_for }) => {
    const less = asked_for.length > 0 ? `  (asked for ${asked_for.join(", ")}; may read at most)` : "";
    return `${file} → ${to}  ${format}${unchanged ? ", unchanged" : ""}${less}`;
  });
  return [...lines, ...sumOf(data, imported)].join("\n");
}

export function exportedText({ exported, ...data }: ResultOf<"prompts export">): string {
  const lines = exported.map(({ file, files, format, lost, unchanged }) => {
    const less = lost.length > 0 ? `, without your ${lost.join(", ")}` : "";
    return `${file} → ${files.join(", ")}  ${format}${less}${unchanged ? ", unchanged" : ""}`;
  });
  const own = data.skipped.some((one) => one.why === "it was never imported");
  const more = own
    ? ["What was never imported has no original: name a format to write it in, such as --format ours"]
    : [];
  return [...lines, ...sumOf(data, exported), ...more].join("\n");
}

function sumOf(
  { skipped, dry_run, to }: Pick<ResultOf<"prompts export">, "skipped" | "dry_run" | "to">,
  done: readonly { readonly unchanged: boolean }[],
): string[] {
  const verb = dry_run ? "would be written" : "written";
  const same = done.filter((one) => one.unchanged).length;
  return [
    ...skipped.map((one) => `- ${one.file}: ${one.why}`),
    `${done.length - same} ${verb} below ${to}${same > 0 ? `, ${same} there already` : ""}, ${skipped.length} left out.`,
  ];
}
