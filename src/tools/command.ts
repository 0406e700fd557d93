import { z } from "zod";
import { tool } from "./tool.ts";

const line = z.string().trim().min(1).max(4000);

export const tryCommandTool = tool({
  name: "try_command",
  description:
    "Run a command line that changes nothing, also before a solution is approved, to check what would otherwise be guessed. The workspace is read-only and there is no network. Write to $TMPDIR or $HOME: at most 256 MB, gone after the command. Ends after 60 seconds, and shows the exit code and the last 4 KB of the output. `why`: what it decides.",
  needs: "try",
  input: z.strictObject({ command: line, why: z.string().min(1).max(500) }),
  plan: ({ command }) => ({ type: "command", purpose: "try", line: command }),
});

export const runCommandTool = tool({
  name: "run_command",
  description:
    "Run a command line in the workspace, in a sandbox without network. For the tests use run_tests. A person may be asked first. Git commands that change something are refused.",
  needs: "run",
  input: z.strictObject({ command: line }),
  plan: ({ command }) => ({ type: "command", purpose: "command", line: command }),
});
