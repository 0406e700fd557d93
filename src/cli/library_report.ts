import { isRecord } from "../util/json.ts";
import { percent } from "./narrate.ts";
import { quoted } from "../util/quoting.ts";
import { type Data, list, money, number, path, record, word } from "./values.ts";

/** The library's results as a person reads them. */
export function listText(data: Data): string {
  const prompts = list(data["prompts"]).map(record);
  const folders = [...new Set(prompts.map((prompt) => word(prompt["folder"])))].sort();
  const width = Math.max(0, ...prompts.map((prompt) => word(prompt["name"]).length));
  const listed = folders.flatMap((folder) => [
    folder === "" ? "(no folder)" : `${folder}/`,
    ...prompts
      .filter((prompt) => prompt["folder"] === folder)
      .map(
        (prompt) =>
          `  ${word(prompt["name"]).padEnd(width)}  ${word(prompt["purpose"])}${prompt["scope"] === "builtin" ? "" : `  (${word(prompt["scope"])})`}`,
      ),
  ]);
  const problems = list(data["problems"]).map(record);
  const none = prompts.length === 0 ? ["No prompt is like that. All of them: claude-exec prompts list"] : [];
  const untrusted = word(data["untrusted"]);
  return [
    ...listed,
    ...none,
    ...problems.map((problem) => `! ${path(problem["message"])}\n  ${word(problem["hint"])}`),
    ...(untrusted === "" ? [] : [`! ${untrusted} is not trusted: its own prompts are left out\n  claude-exec trust`]),
  ].join("\n");
}

export function searchText(data: Data): string {
  const taken = Object.entries(record(data["taken_for"])).map(
    ([asked, meant]) => `No prompt says "${asked}"; looked for "${word(meant)}".`,
  );
  const hits = list(data["hits"]).map(record);
  const found = hits.flatMap((hit) => [
    `${word(hit["name"])}  ${word(hit["purpose"])}${hit["scope"] === "builtin" ? "" : `  (${word(hit["scope"])})`}`,
    `    ${number(hit["line"])}: ${word(hit["text"])}`,
  ]);
  const none =
    hits.length > 0
      ? []
      : [`Nothing fits "${word(data["query"]).slice(0, 80)}". All prompts: claude-exec prompts list`];
  return [...taken, ...found, ...none].join("\n");
}

export function promptText(data: Data): string {
  const hides = list(data["hides"]).map(record);
  return [
    `${word(data["name"])}: ${word(data["purpose"])}`,
    `${word(data["scope"])}, ${word(data["file"])}`,
    ...hides.map((hidden) => `  hides ${word(hidden["scope"])}, ${word(hidden["file"])}`),
    `cost ${word(data["cost_estimate"])}, about ${number(data["tokens"])} tokens; tools ${word(data["tools"])}; model ${word(data["model"])}; phases ${list(data["phases"]).map(word).join(", ") || "any"}`,
    ...(list(data["good_for"]).length > 0 ? [`good for: ${list(data["good_for"]).map(word).join("; ")}`] : []),
    ...(record(data["extra"])["caller"] ? [`called by: ${word(record(data["extra"])["caller"])}`] : []),
    ...(list(data["tags"]).length > 0 ? [`tags ${list(data["tags"]).map(word).join(", ")}`] : []),
    ...Object.entries(record(data["inputs"])).map(
      ([name, input]) =>
        `input ${name} (${word(record(input)["type"])}${record(input)["required"] ? ", required" : ""}): ${word(record(input)["description"])}`,
    ),
    "",
    word(data["body"]).trim(),
  ].join("\n");
}

export function openedText(data: Data): string {
  const file = word(data["file"]);
  const name = word(data["name"]);
  const problem = record(data["problem"]);
  const how = data["generated"]
    ? `${word(data["summary"])}\nWritten by a model, for you to judge: ${file}`
    : data["copied_from"]
      ? `A copy of your own, which now stands for the shipped one: ${file}`
      : "copied_from" in data
        ? file
        : `A new prompt; write yours over the example in it: ${file}`;
  const cost = isRecord(data["cost"]) ? `\nCost: ${money(record(data["cost"])["usd"])}` : "";
  if (data["problem"]) {
    return `${how}\nIt cannot be used as it is: ${word(problem["message"])}\n${word(problem["hint"])}\nThen check it: claude-exec prompts lint ${quoted(file)}${cost}`;
  }
  return `${how}\nCheck it: claude-exec prompts lint ${quoted(file)}\nTry it:   claude-exec prompts run ${name}${cost}`;
}

export function lintText(data: Data): string {
  const findings = list(data["findings"]).map(record);
  const count = (what: number, one: string) => `${what} ${one}${what === 1 ? "" : "s"}`;
  const lines = findings.flatMap((one) => [
    `${path(one["file"])}:${number(one["line"])}  ${word(one["severity"])}  ${word(one["rule"])}  ${path(one["what"])}`,
    `    why:  ${word(one["why"])}`,
    `    mend: ${word(one["mend"])}`,
  ]);
  const sum = `${count(number(data["files"]), "file")}: ${count(number(data["errors"]), "error")}, ${count(number(data["warnings"]), "warning")}.`;
  return [...lines, sum].join("\n");
}

export function ranText(data: Data): string {
  const report = record(data["report"]);
  const cost = record(data["cost"]);
  const lines = [`${word(data["prompt"])}: ${word(report["summary"])}`];
  if (report["findings"]) lines.push("", word(report["findings"]).trim());
  for (const one of list(report["discovered"]).map(record)) {
    lines.push(`- ${word(one["key"])}: ${list(one["value"]).map(word).join(", ") || word(one["value"])}`);
  }
  for (const one of list(report["uncertainties"]).map(record)) {
    lines.push(
      `? ${word(one["area"])} (${percent(number(one["confidence"]))}${one["blocking"] ? ", blocking" : ""})${one["question"] ? `: ${word(one["question"])}` : ""}`,
    );
  }
  for (const one of list(report["decisions"]).map(record)) {
    lines.push(
      `→ ${word(one["key"])}: ${word(one["choice"])}${one["because"] ? `, because ${word(one["because"])}` : ""}`,
    );
  }
  for (const one of list(report["notes"]).map(record)) lines.push(`  ${word(one["text"])}`);
  for (const one of [...list(report["scores"]), ...list(report["confidence"])].map(record)) {
    const [what, value] =
      "area" in one ? [one["area"], percent(number(one["score"]))] : [one["name"], number(one["value"])];
    lines.push(`= ${word(what)}: ${value}${one["scale"] ? ` (${word(one["scale"])})` : ""}`);
  }
  for (const one of list(report["questions"]).map(record)) lines.push(`? ${word(one["question"])}`);
  for (const one of list(report["artifacts"]).map(record)) {
    lines.push("", `--- ${word(one["name"])}`, word(one["content"]).trim());
  }
  lines.push(
    "",
    `Cost: ${money(cost["usd"])}, ${number(cost["tokens"]).toLocaleString("en")} tokens. Record: ${word(data["record"])}`,
  );
  return lines.join("\n");
}

export function statsText(data: Data): string {
  const rows = list(data["prompts"]).map(record);
  const unread = list(data["unread"]).map((why) => `! ${word(why)}`);
  if (rows.length === 0)
    return [
      `${word(data["name"]) || "No prompt"} has ${data["name"] ? "not " : ""}run in a chain of this home yet.`,
      ...unread,
    ].join("\n");
  const width = Math.max(...rows.map((row) => word(row["prompt"]).length));
  const cell = (text: string, size: number) => text.padStart(size);
  const signed = (value: number) => `${value >= 0 ? "+" : ""}${value.toFixed(2)}`;
  return [
    `${number(data["chains"])} ${number(data["chains"]) === 1 ? "chain" : "chains"}`,
    `${"prompt".padEnd(width)}  ${cell("runs", 5)}  ${cell("tokens a run", 12)}  ${cell("cost", 8)}  ${cell("confidence", 10)}  ${cell("repairs", 7)}`,
    ...rows.map(
      (row) =>
        `${word(row["prompt"]).padEnd(width)}  ${cell(String(number(row["runs"])), 5)}  ${cell(number(row["tokens_per_run"]).toLocaleString("en"), 12)}  ${cell(money(row["usd"]), 8)}  ${cell(signed(number(row["confidence_moved"])), 10)}  ${cell(String(number(row["repairs"])), 7)}`,
    ),
    ...unread,
  ].join("\n");
}

export function exchangedText(data: Data): string {
  const imported = "imported" in data;
  const done = list(data[imported ? "imported" : "exported"]).map(record);
  const lines = done.map((one) => {
    const to = imported ? word(one["to"]) : list(one["files"]).map(word).join(", ");
    const asked = list(one["asked_for"]).map(word);
    const less = asked.length > 0 ? `  (asked for ${asked.join(", ")}; may read at most)` : "";
    const kept = one["edited"] ? ", its front matter as it was imported" : "";
    return `${word(one["file"])} → ${to}  ${word(one["format"])}${kept}${one["unchanged"] ? ", unchanged" : ""}${less}`;
  });
  const skipped = list(data["skipped"]).map(record);
  const verb = data["dry_run"] ? "would be written" : "written";
  const same = done.filter((one) => one["unchanged"]).length;
  const own = skipped.some((one) => one["why"] === "it was never imported");
  return [
    ...lines,
    ...skipped.map((one) => `- ${word(one["file"])}: ${word(one["why"])}`),
    `${done.length - same} ${verb} below ${word(data["to"])}${same > 0 ? `, ${same} there already` : ""}, ${skipped.length} left out.`,
    ...(own ? ["What was never imported has no original: name a format to write it in, such as --format ours"] : []),
  ].join("\n");
}
