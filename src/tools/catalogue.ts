import { z } from "zod";
import type { ToolDefinition } from "../models/types.ts";
import { editFileTool, writeFileTool } from "./change.ts";
import { findPromptsTool } from "./find_prompts.ts";
import { listFilesTool, readFileTool, searchFilesTool } from "./look.ts";
import { runTestsTool } from "./run.ts";
import type { Tool } from "./types.ts";

/** Sorted by name, and always all of them: a request's prefix stays the same whatever is allowed now. */
export const tools: readonly Tool[] = [
  editFileTool,
  findPromptsTool,
  listFilesTool,
  readFileTool,
  runTestsTool,
  searchFilesTool,
  writeFileTool,
];

export function definitions(): ToolDefinition[] {
  return tools.map(({ name, description, input }) => {
    const { $schema: _, ...schema } = z.toJSONSchema(input);
    return { name, description, input_schema: schema };
  });
}

export function toolNamed(name: string): Tool | undefined {
  return tools.find((tool) => tool.name === name);
}
