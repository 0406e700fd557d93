import type { Handler, Script, WireBlock } from "../models/messages-server.ts";

/** What a model says that cannot call tools: its calls stand in the text, between words and a fence. */
function inWords(content: readonly WireBlock[]): WireBlock[] {
  const calls = content.flatMap((block) =>
    block.type === "tool_use" ? [{ name: block["name"], input: block["input"] }] : [],
  );
  if (calls.length === 0) return [...content];
  return [{ type: "text", text: `I look first.\n\`\`\`json\n${JSON.stringify({ use_tools: calls })}\n\`\`\`` }];
}

/** The same replies from a model without tools. */
export function withoutTools(handler: Handler): Handler {
  return async (request): Promise<Script> => {
    const script = await handler(request);
    return script.type === "reply"
      ? {
          ...script,
          content: inWords(script.content),
          stop_reason: script.stop_reason === "tool_use" ? "end_turn" : (script.stop_reason ?? "end_turn"),
        }
      : script;
  };
}
