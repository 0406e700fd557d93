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
  const tokens = (text: string) => {
    let sum = 0;
    for (const piece of piecesOf(text)) sum += encoding.encode(piece, [], []).length;
    return Math.ceil(sum * claudeFactor);
  };
  try {
    return await work((text) => Promise.resolve(tokens(text)));
  } finally {
    encoding.free();
  }
}

/** Cut where lines or words end: a run without any end costs the tokenizer time that grows with its square. */
function* piecesOf(text: string): Generator<string> {
  for (let start = 0; start < text.length;) {
    const end = start + most >= text.length ? text.length : cutBefore(text, start + most);
    yield text.slice(start, end);
    start = end;
  }
}

const most = 4000;

function cutBefore(text: string, end: number): number {
  const line = text.lastIndexOf("\n", end - 1) + 1;
  if (line > end - most / 2) return line;
  // Never between the two halves of one letter.
  return /[\uD800-\uDBFF]/.test(text[end - 1] ?? "") ? end - 1 : end;
}
