/**
 * An upper bound of what a text costs in tokens, for free: real text runs at 2.5 bytes a token and more. Only
 * where this bound would forbid a call is it worth counting (`countOffline`, or the provider's own count).
 */
export function tokensAtMost(bytes: number): number {
  return Math.ceil(bytes / 2.4);
}

/** tiktoken is not Claude's tokenizer: on English markdown Claude counts about this much more. */
const claudeFactor = 1.6;

/** A better estimate, without asking anybody. Loads a tokenizer of 90 MB, so it is used where it decides something. */
export async function countOffline(text: string): Promise<number> {
  return withCounter((count) => count(text));
}

/** The same for many texts, with the tokenizer loaded once. */
export async function withCounter<Result>(
  work: (count: (text: string) => Promise<number>) => Promise<Result>,
): Promise<Result> {
  const { get_encoding } = await import("tiktoken");
  const encoding = get_encoding("o200k_base");
  try {
    return await work((text) => Promise.resolve(Math.ceil(encoding.encode(text, [], []).length * claudeFactor)));
  } finally {
    encoding.free();
  }
}
