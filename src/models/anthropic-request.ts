import type {
  MessageCountTokensParams,
  MessageParam,
  TextBlockParam,
  Tool,
} from "@anthropic-ai/sdk/resources/messages";
import { type Abilities, allAbilities, askingForTools, calledInText, isClaude } from "./abilities.ts";
import type { Message, ModelRequest, ReplyBlock, TextBlock } from "./types.ts";

type BlockParam = Exclude<MessageParam["content"], string>[number];

/** A request's input as it goes over the wire, with no more than the server takes: it may be told the schema and the tools in words. */
export function toInput(request: ModelRequest, abilities: Abilities = allAbilities): MessageCountTokensParams {
  const { model, tools } = request;
  const native = isClaude(model);
  const system = request.system.map((block) => toText(block, abilities.cache));
  const said = abilities.tools ? request.messages : request.messages.map(withoutCalls(request.messages));
  const messages = said.map((message) => ({ role: message.role, content: toBlocks(message, native, abilities.cache) }));
  if (!native || !abilities.format) system.push({ type: "text", text: inWords(request, abilities) });
  if (abilities.cache) markEnd(system, messages);
  return wellFormed({
    model,
    ...(abilities.tools && {
      tools: tools.map(({ name, description, input_schema }) => ({
        name,
        description,
        input_schema: input_schema as Tool.InputSchema,
      })),
    }),
    system,
    messages,
    ...(abilities.format && { output_config: outputOf(request, native) }),
  });
}

/** The calls and results of a conversation as text. */
function withoutCalls(messages: readonly Message[]): (message: Message) => Message {
  const calls = messages.flatMap(({ content }) =>
    content.flatMap((block) => (block.type === "tool_use" ? [block] : [])),
  );
  const names = new Map(calls.map(({ id, name }) => [id, name]));
  return ({ role, content }) => {
    const own = content.flatMap((block) => (block.type === "tool_use" ? [block] : []));
    const rest = content.flatMap((block): (TextBlock | ReplyBlock)[] => {
      if (block.type === "tool_use") return [];
      if (block.type !== "tool_result") return [block];
      const what = block.is_error ? "Error" : "Result";
      return [{ type: "text", text: `${what} of ${names.get(block.tool_use_id) ?? "a tool"}: ${block.content}` }];
    });
    return { role, content: own.length > 0 ? [...rest, calledInText(own)] : rest } as Message;
  };
}

/** Half a letter (a lone surrogate) in any text would make a provider refuse the whole request: it becomes "\ufffd". */
function wellFormed<Input>(input: Input): Input {
  const json = JSON.stringify(input);
  if (!/\\ud[89a-f]/.test(json)) return input;
  const replaced = json.replaceAll(/\\(?:ud[89a-f]..|.)/g, (escape) => (escape.length > 2 ? "\ufffd" : escape));
  return JSON.parse(replaced) as Input;
}

function outputOf(
  { model, schema, effort }: ModelRequest,
  native: boolean,
): NonNullable<MessageCountTokensParams["output_config"]> {
  const knowsEffort = native && !/^claude-(haiku|sonnet)-4-5(-|$)/.test(model);
  return { format: { type: "json_schema", schema }, ...(knowsEffort && { effort }) };
}

function inWords({ schema, tools }: ModelRequest, abilities: Abilities): string {
  const when = tools.length > 0 ? "When you call no tool, answer" : "Answer";
  const form = `${when} with one JSON object and nothing around it. It must satisfy this JSON schema:\n${JSON.stringify(schema)}`;
  if (abilities.tools || tools.length === 0) return form;
  return `# Tools\n\n${askingForTools}\n\n${tools.map((tool) => JSON.stringify(tool)).join("\n")}\n\n${form}`;
}

function toText({ text, cache }: TextBlock, marked: boolean): TextBlockParam {
  return { type: "text", text, ...(marked && cache && { cache_control: { type: "ephemeral", ttl: cache } }) };
}

function toBlocks(message: Message, native: boolean, marked: boolean): BlockParam[] {
  return message.content.flatMap((block): BlockParam[] => {
    switch (block.type) {
      case "text":
        // A provider may send an empty text, but refuses to get it back.
        return block.text === "" ? [] : [toText(block, marked)];
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
