import { z } from "zod";
import { isRecord, parseJson } from "../util/json.ts";
import type { Ending } from "./attempts.ts";
import type { ModelRequest, ReplyBlock, TextBlock } from "./types.ts";

/** What a server takes of the Messages API beside text. */
export const abilitiesSchema = z.strictObject({
  /** It calls tools by itself. Where it does not, a model asks for one inside its reply. */
  tools: z.boolean(),
  /** It takes a form for the reply. Where it does not, the form is told in words only. */
  format: z.boolean(),
  /** It says what its cache kept, so marks for the cache are of use. */
  cache: z.boolean(),
});
export type Abilities = Readonly<z.infer<typeof abilitiesSchema>>;

/** Anthropic's own models. All others sit behind a server that may know only a part. */
export const isClaude = (model: string) => model.startsWith("claude-");
export const allAbilities: Abilities = { tools: true, format: true, cache: true };

/** What was found out of a server, kept by whoever opened the model. */
export interface KnownAbilities {
  readonly of: (model: string) => Abilities | undefined;
  readonly keep: (model: string, abilities: Abilities) => void;
}

/** One small request that holds all that a server may lack. */
export function probeOf(model: string) {
  const word = { type: "object", properties: { word: { type: "string" } }, required: ["word"] };
  const schema = { ...word, additionalProperties: false };
  const text = { type: "text" as const, cache_control: { type: "ephemeral" as const } };
  return {
    model,
    max_tokens: 2_000,
    stream: true,
    system: [{ ...text, text: "You are asked once what this server can do." }],
    messages: [
      { role: "user" as const, content: [{ type: "text", text: 'Call the tool confirm with the word "ready".' }] },
    ],
    tools: [{ name: "confirm", description: "Says that tools can be called here.", input_schema: schema }],
    output_config: { format: { type: "json_schema" as const, schema } },
  };
}

/** Of a reply to the probe. `counts`: what the reply said of its tokens. */
export function abilitiesShown(content: readonly ReplyBlock[], counts: unknown): Abilities {
  const said = isRecord(counts) ? counts : {};
  return {
    tools: content.some((block) => block.type === "tool_use" && block.name === "confirm"),
    format: true,
    cache: ["cache_creation_input_tokens", "cache_read_input_tokens"].some((key) => typeof said[key] === "number"),
  };
}

/** Of a refusal of the probe: what its words name is not there. Where they name nothing of it, nothing is taken for granted. */
export function abilitiesLeft(words: string): Abilities {
  const lacks = { tools: /\btools?\b/i, format: /output_config|format|schema/i, cache: /cache/i };
  const isNamed = Object.values(lacks).some((name) => name.test(words));
  const has = (name: RegExp) => isNamed && !name.test(words);
  return { tools: has(lacks.tools), format: has(lacks.format), cache: false };
}

/** What a model is told that has to ask for tools in its reply. */
export const askingForTools =
  'To use tools, answer with one JSON object of this form and nothing around it: {"use_tools": [{"name": "…", "input": {…}}]}. The results come with the next message.';

/** A reply of a model without tools: what it asks for in its text are calls. */
export function withCalls(ending: Ending, { messages, tools }: Pick<ModelRequest, "messages" | "tools">): Ending {
  if (ending.type !== "replied" || tools.length === 0) return ending;
  const calls = askedInText(ending.content, `asked_${messages.length}`);
  return calls ? { type: "replied", stop: "tool_use", content: calls } : ending;
}

/** Undefined: it asks for none. */
function askedInText(content: readonly ReplyBlock[], prefix: string): readonly ReplyBlock[] | undefined {
  const text = content.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("");
  const asked = parseJson(text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1));
  const calls = isRecord(asked) && Array.isArray(asked["use_tools"]) ? asked["use_tools"] : [];
  const blocks = calls.flatMap((call: unknown, index): ReplyBlock[] =>
    isRecord(call) && typeof call["name"] === "string"
      ? [{ type: "tool_use", id: `${prefix}_${index + 1}`, name: call["name"], input: call["input"] ?? {} }]
      : [],
  );
  return blocks.length > 0 ? blocks : undefined;
}

/** A call and its result as the text of a conversation that knows no tools. */
export function calledInText(calls: readonly { name: string; input: unknown }[]): TextBlock {
  return { type: "text", text: JSON.stringify({ use_tools: calls.map(({ name, input }) => ({ name, input })) }) };
}
