import type {
  MessageCountTokensParams,
  MessageParam,
  TextBlockParam,
  Tool,
} from "@anthropic-ai/sdk/resources/messages";
import type { Message, ModelRequest, TextBlock } from "./types.ts";

type BlockParam = Exclude<MessageParam["content"], string>[number];

/**
 * A request's input as it goes over the wire. A model that is not Claude sits behind a compatible server, which
 * knows neither cache marks nor output formats: it is told the schema in words.
 */
export function toInput(request: ModelRequest): MessageCountTokensParams {
  const { model, tools } = request;
  const native = model.startsWith("claude-");
  const system = request.system.map((block) => toText(block, native));
  const messages = request.messages.map((message) => ({
    role: message.role,
    content: toBlocks(message, native),
  }));
  if (native) markEnd(system, messages);
  else system.push({ type: "text", text: inWords(request) });
  return wellFormed({
    model,
    tools: tools.map(({ name, description, input_schema }) => ({
      name,
      description,
      input_schema: input_schema as Tool.InputSchema,
    })),
    system,
    messages,
    ...(native && { output_config: outputOf(request) }),
  });
}

/** Half a letter (a lone surrogate) in any text would make a provider refuse the whole request: it becomes "\ufffd". */
function wellFormed<Input>(input: Input): Input {
  const json = JSON.stringify(input);
  if (!/\\ud[89a-f]/.test(json)) return input;
  const replaced = json.replaceAll(/\\(?:ud[89a-f]..|.)/g, (escape) => (escape.length > 2 ? "\ufffd" : escape));
  return JSON.parse(replaced) as Input;
}

function outputOf({ model, schema, effort }: ModelRequest): NonNullable<MessageCountTokensParams["output_config"]> {
  const knowsEffort = !/^claude-(haiku|sonnet)-4-5(-|$)/.test(model);
  return { format: { type: "json_schema", schema }, ...(knowsEffort && { effort }) };
}

function inWords({ schema, tools }: ModelRequest): string {
  const when = tools.length > 0 ? "When you call no tool, answer" : "Answer";
  return `${when} with one JSON object and nothing around it. It must satisfy this JSON schema:\n${JSON.stringify(schema)}`;
}

function toText({ text, cache }: TextBlock, native: boolean): TextBlockParam {
  return { type: "text", text, ...(native && cache && { cache_control: { type: "ephemeral", ttl: cache } }) };
}

function toBlocks(message: Message, native: boolean): BlockParam[] {
  return message.content.flatMap((block): BlockParam[] => {
    switch (block.type) {
      case "text":
        // A provider may send an empty text, but refuses to get it back.
        return block.text === "" ? [] : [toText(block, native)];
      case "tool_use":
      case "tool_result":
        return [{ ...block }];
      case "thinking":
        // Without its signature a thought is refused; servers of other models know no signatures.
        return native && !(block.value as { signature?: string }).signature ? [] : [block.value as BlockParam];
      default:
        return [block.value as BlockParam];
    }
  });
}

/**
 * Once a conversation goes on, its next turn reads what this one sent. A provider looks for the end of what it has only
 * twenty blocks back, and a turn can hold more, so the end of the turn before is marked too. A request has four marks at
 * most.
 */
function markEnd(system: TextBlockParam[], messages: { content: BlockParam[] }[]): void {
  const blocks = [...system, ...messages.flatMap(({ content }) => content)];
  let free = 4 - blocks.filter((block) => "cache_control" in block && block.cache_control).length;
  const [last, before] = [messages.at(-1)?.content.at(-1), messages.at(-3)?.content.at(-1)];
  for (const end of messages.length > 1 ? [last, before] : []) {
    if (free <= 0 || (end?.type !== "tool_result" && end?.type !== "text") || end.cache_control) continue;
    end.cache_control = { type: "ephemeral", ttl: "5m" };
    free -= 1;
  }
}
