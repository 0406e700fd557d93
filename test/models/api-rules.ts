import type { RequestBody, WireBlock } from "./messages-server.ts";

/** What the API refuses of every current model. The first rule that is broken decides. */
export function complaintAbout(body: RequestBody): { type: string; message: string } | undefined {
  const message = rules.map((rule) => rule(body)).find((complaint) => complaint !== undefined);
  return message === undefined ? undefined : { type: "invalid_request_error", message };
}

type Rule = (body: RequestBody) => string | undefined;

const rules: readonly Rule[] = [
  (body) => {
    const { optional, unions } = countSchema(
      (body["output_config"] as { format?: { schema?: unknown } })?.format?.schema,
    );
    if (optional > 24) return `output_config.format.schema: too many optional parameters (${optional}, at most 24)`;
    return unions > 16
      ? `output_config.format.schema: too many parameters with union types (${unions}, at most 16)`
      : undefined;
  },
  (body) => {
    const name = ["temperature", "top_p", "top_k", "thinking"].find((name) => name in body);
    return name && `${name}: not supported on this model`;
  },
  ({ system = [], messages }) => {
    const blocks = [...system, ...messages.flatMap(({ content }) => content)];
    const ttls = blocks.flatMap(({ cache_control }) => (cache_control ? [cache_control.ttl ?? "5m"] : []));
    if (ttls.length > 4) return "A maximum of 4 blocks with cache_control may be provided.";
    return ttls.lastIndexOf("1h") > ttls.indexOf("5m") && ttls.includes("5m")
      ? "a ttl='1h' cache_control block must not come after a ttl='5m' one"
      : undefined;
  },
  (body) => (stringsIn(body).every((text) => text.isWellFormed()) ? undefined : "The request body is not valid JSON"),
  ({ messages }) => {
    if (messages.length === 0) return "messages: at least one message is required";
    // The API itself joins messages of one role; servers that are compatible with it need not.
    if (messages.some(({ role }, index) => role !== (index % 2 === 0 ? "user" : "assistant"))) {
      return "messages: roles must alternate between user and assistant, beginning with user";
    }
    return messages.at(-1)?.role === "user" ? undefined : "This model does not support assistant message prefill.";
  },
  ({ messages }) => {
    const index = messages.findIndex(({ content }) => content.length === 0);
    return index < 0 ? undefined : `messages.${index}: all messages must have non-empty content`;
  },
  ({ system = [], messages }) => {
    const texts = [...system, ...messages.flatMap(({ content }) => content)].filter(({ type }) => type === "text");
    if (texts.some(({ text }) => text === "")) return "messages: text content blocks must be non-empty";
    return texts.some(({ text }) => typeof text !== "string" || isBlank(text))
      ? "messages: text content blocks must contain non-whitespace text"
      : undefined;
  },
  ({ messages }) => {
    const said = messages.flatMap(({ role, content }) => (role === "assistant" ? [content] : []));
    if (said.some((content) => isThinking(content.at(-1)))) {
      return "The final block in an assistant message cannot be `thinking`";
    }
    const unsigned = said.flat().find(({ type, signature }) => type === "thinking" && !signature);
    return unsigned && "messages: thinking.signature: Field required";
  },
  ({ messages }) => {
    const calls = messages.flatMap(({ content }) => content).filter(({ type }) => type === "tool_use");
    const ids = calls.map(({ id }) => String(id));
    if (ids.some((id) => !/^[a-zA-Z0-9_-]+$/.test(id))) {
      return "tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'";
    }
    if (new Set(ids).size < ids.length) return "messages: `tool_use` ids must be unique";
    if (calls.some(({ name }) => !/^[a-zA-Z0-9_-]{1,64}$/.test(String(name)))) {
      return "tool_use.name: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'";
    }
    const odd = calls.find(({ input }) => typeof input !== "object" || input === null || Array.isArray(input));
    return odd && "tool_use.input: Input should be a valid dictionary";
  },
  ({ messages }) => {
    for (const [index, { role, content }] of messages.entries()) {
      const answers = content.filter(({ type }) => type === "tool_result").map((block) => block["tool_use_id"]);
      const before = index > 0 ? callsIn(messages[index - 1]?.content) : [];
      if (answers.some((id) => !before.includes(id))) return "tool_result without a tool_use before it";
      if (new Set(answers).size < answers.length) return "each tool_use must have a single result";
      if (role === "user" && before.some((id) => !answers.includes(id))) {
        return `messages.${index}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after`;
      }
      if (content.slice(0, answers.length).some(({ type }) => type !== "tool_result")) {
        return `messages.${index}: \`tool_result\` blocks must come first`;
      }
    }
    return undefined;
  },
];

const callsIn = (content: readonly WireBlock[] = []) =>
  content.filter(({ type }) => type === "tool_use").map(({ id }) => id);

const isThinking = (block: WireBlock | undefined) => block?.type === "thinking" || block?.type === "redacted_thinking";

/** What either Python or JavaScript takes for white space, and more. */
function isBlank(text: string): boolean {
  return /^[\s\p{Cc}]*$/u.test(text);
}

function stringsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [key, ...stringsIn(inner)]);
}

/** What a provider limits in a schema: fields that may be left out, and unions. */
function countSchema(schema: unknown): { optional: number; unions: number } {
  if (typeof schema !== "object" || schema === null) return { optional: 0, unions: 0 };
  const {
    properties = {},
    required = [],
    anyOf,
  } = schema as { properties?: object; required?: string[]; anyOf?: object };
  const inner = Object.values(schema).map(countSchema);
  const own = Object.keys(properties).filter((name) => !required.includes(name)).length;
  return {
    optional: inner.reduce((sum, { optional }) => sum + optional, own),
    unions: inner.reduce((sum, { unions }) => sum + unions, anyOf ? 1 : 0),
  };
}
