import { Lexer, Parser } from "yaml";

/** Where the text nests deeper than that. Its parser would run out of stack, or out of time. */
export function depthBeyond(text: string, depth: number): number | undefined {
  // Each level takes one of these, and most texts have too few to be looked at twice.
  if ((text.match(/[[{]|[-?:](?=\s)/g) ?? []).length <= depth) return undefined;
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(text)) {
    for (const _ of parser.next(lexeme)) continue;
    if (parser.stack.length > depth) return parser.offset;
  }
  return undefined;
}
