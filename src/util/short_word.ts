/** What a short word means where a person is asked for a yes or a no; undefined: the text says more than that. */
export function shortWord(text: string): "yes" | "no" | "stop" | undefined {
  return meanings.get(
    text
      .trim()
      .toLowerCase()
      .replace(/[.!]+$/, ""),
  );
}

const meanings = new Map<string, "yes" | "no" | "stop">([
  ...["y", "yes", "yep", "yeah", "ok", "okay", "sure", "fine", "right", "correct", "agreed"].map(
    (word) => [word, "yes"] as const,
  ),
  ...["n", "no", "nope", "never"].map((word) => [word, "no"] as const),
  ...["stop", "quit", "exit", "cancel", "pause"].map((word) => [word, "stop"] as const),
]);
