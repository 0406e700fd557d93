import { z } from "zod";
import type { ToolDefinition } from "../models/types.ts";
import { deleteFileTool, editFileTool, writeFileTool } from "./change.ts";
import { runCommandTool, tryCommandTool } from "./command.ts";
import { readDependenciesTool } from "./dependencies.ts";
import { findPromptsTool } from "./find_prompts.ts";
import { gitBlameTool, gitDiffTool, gitLogTool } from "./git.ts";
import { listFilesTool, readFileTool, searchFilesTool } from "./look.ts";
import { readTestOutputTool, runTestsTool } from "./test_command.ts";
import type { Tool } from "./types.ts";

/** Sorted by name, and always all of them: a request's prefix stays the same whatever is allowed now. */
export const tools: readonly Tool[] = [
  deleteFileTool,
  editFileTool,
  findPromptsTool,
  gitBlameTool,
  gitDiffTool,
  gitLogTool,
  listFilesTool,
  readDependenciesTool,
  readFileTool,
  readTestOutputTool,
  runCommandTool,
  runTestsTool,
  searchFilesTool,
  tryCommandTool,
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
