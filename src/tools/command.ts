import { z } from "zod";
import { tool } from "./tool.ts";

export const runCommandTool = tool({
  name: "run_command",
  description:
    "Run a command line in the workspace, in a sandbox without network. For the tests use run_tests. A person may be asked first; git stays theirs.",
  needs: "run",
  input: z.strictObject({ command: z.string().trim().min(1).max(4000) }),
  plan: ({ command }) => ({ type: "command", purpose: "command", line: command }),
});
