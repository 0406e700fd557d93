import { z } from "zod";
import { tool } from "./tool.ts";

export const findPromptsTool = tool({
  name: "find_prompts",
  description:
    "Search the whole library of prompts, also those that the catalogue does not list. `query` is a few words of what is needed. Shows the best, one a line: name — purpose [inputs].",
  needs: "none",
  input: z.strictObject({ query: z.string().min(1).max(300) }),
  async plan({ query }, { findPrompts }) {
    return { type: "look", text: await findPrompts(query), seen: [] };
  },
});
