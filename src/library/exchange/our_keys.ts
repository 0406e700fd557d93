import { type Format, readTools } from "./format.ts";
import type { Variables } from "./variables.ts";
import { oneLine, shorten } from "../../util/shorten.ts";
import type { Input, Prompt } from "../prompt.ts";

interface ForeignPrompt {
  readonly format: Format;
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly body: string;
  readonly variables: Variables;
}

/** Our keys for a prompt of another tool, and the tools that it asks for and does not get: it may read at most. */
export function ourKeys({ format, name, data, body, variables }: ForeignPrompt) {
  const hint = typeof data["argument-hint"] === "string" ? oneLine(data["argument-hint"]) : "";
  const { tools, asked_for } = rightsFor(format, data);
  const models: Record<string, Prompt["model"]> = { haiku: "fast", opus: "smart" };
  const model = typeof data["model"] === "string" && Object.hasOwn(models, data["model"]) && models[data["model"]];
  const inputs = Object.entries(variables).map(([input, literal]): [string, Omit<Input, "required">] => [
    input,
    literal === "$ARGUMENTS" || literal === ""
      ? { type: "text", description: hint || "What the prompt is to work on", default: "" }
      : { type: "text", description: "Stands in the text as it is", default: literal },
  ]);
  const keys = {
    purpose: purposeOf(data["description"], body, format) || name.replaceAll("_", " "),
    ...(inputs.length > 0 && { inputs: Object.fromEntries(inputs) }),
    tools,
    ...(model && { model }),
  };
  return { keys, asked_for };
}

/** What the tools that a prompt names come to here, and those it does not get. */
function rightsFor(format: Format, data: ForeignPrompt["data"]): { tools: "none" | "read"; asked_for: string[] } {
  const listed = [data["allowed-tools"], data["tools"]].find((it) => it !== undefined && it !== null);
  if (listed === undefined && format === "claude-agents") return { tools: "read", asked_for: ["all tools"] };
  const names = toolNames(listed);
  const isRead = (name: string) => looks.has(name.replace(/\(.*$/s, "").trim());
  const stronger = names.filter((name) => !isRead(name));
  const everything = stronger.some((name) => name === "*" || name === "all");
  return { tools: everything || names.some(isRead) ? "read" : "none", asked_for: [...new Set(stronger)] };
}

const looks = new Set([...readTools, "LS", "NotebookRead"]);

/** Both `Read, Bash(git log:*)` and a list of such; a comma or a space within brackets ends nothing. */
function toolNames(listed: unknown): string[] {
  if (listed === undefined) return [];
  const texts = Array.isArray(listed) ? listed : [listed];
  return texts
    .map((it) => (typeof it === "string" ? it : JSON.stringify(it)))
    .flatMap((it) => it.match(/(?:\([^)]*\)?|[^\s,(])+/g) ?? []);
}

function purposeOf(description: unknown, body: string, format: Format): string {
  const told = typeof description === "string" ? firstSentence(description) : "";
  const lines = body.split(/\r\n|\n|\r/).filter((line) => /[\p{L}\p{N}]/u.test(line));
  // The first heading of a pattern is the same in all of them.
  const first = lines.find((line) => format !== "fabric" || !line.startsWith("#")) ?? lines[0] ?? "";
  return told || firstSentence(first.replace(/^#{1,6}\s+|^[-*>]\s+/, "").replace(/\s#+\s*$/, ""));
}

function firstSentence(text: string): string {
  const line = oneLine(text);
  return shorten(/^.*?(?:[.!?](?= )|[。！？])/u.exec(line)?.[0] ?? line, 120);
}

export function costOf(tokens: number): Prompt["cost_estimate"] {
  const all = tokens + 700;
  return all < 100 ? "minimal" : all < 1000 ? "low" : all < 5000 ? "medium" : "high";
}
