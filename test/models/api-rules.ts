import type { RequestBody } from "./messages-server.ts";

/** What the API refuses of every current model. */
export function complaintAbout({
  system = [],
  messages,
  ...rest
}: RequestBody): { type: string; message: string } | undefined {
  const invalid = (message: string) => ({ type: "invalid_request_error", message });
  for (const name of ["temperature", "top_p", "top_k", "thinking"]) {
    if (name in rest) return invalid(`${name}: not supported on this model`);
  }
  const marks = [...system, ...messages.flatMap(({ content }) => content)].flatMap(
    ({ cache_control }) => cache_control ?? [],
  );
  if (marks.length > 4) return invalid("A maximum of 4 blocks with cache_control may be provided.");
  const ttls = marks.map(({ ttl = "5m" }) => ttl);
  if (ttls.lastIndexOf("1h") > ttls.indexOf("5m") && ttls.includes("5m")) {
    return invalid("a ttl='1h' cache_control block must not come after a ttl='5m' one");
  }
  const results = messages.flatMap(({ content }) => content).filter(({ type }) => type === "tool_result");
  const calls = messages.flatMap(({ content }) => content).filter(({ type }) => type === "tool_use");
  const stray = results.find((result) => !calls.some((call) => call["id"] === result["tool_use_id"]));
  if (stray) return invalid("tool_result without a tool_use before it");
  return messages.some(({ content }) => content.length === 0)
    ? invalid("messages: content must not be empty")
    : undefined;
}
