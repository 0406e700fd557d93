import { z } from "zod";
import { modes } from "../programs/permissions/judge.ts";

/** A flag that was given an empty value, as by an unset variable of a script, is not taken for one left out. */
export const text = z.string().regex(/\S/, "is empty");

/** What a session is opened with: the same for everything that is asked of it. */
export const sessionOptions = z.object({
  home: text.optional().describe("Folder that keeps the chains"),
  model: text.optional().describe("Use this model for every route"),
  backend: z
    .enum(["api", "claude-cli"], "is neither api nor claude-cli")
    .optional()
    .describe("claude-cli: your own Claude Code, with its login, is the model"),
  replay: text.optional().describe("Play the replies of a recorded run instead of asking a model"),
  record: text.optional().describe("Write the replies of this run to a file that can be played again"),
  trust: z.boolean().optional().describe("Trust this folder from now on, also to run its code in the sandbox"),
  project_models: z
    .enum(["use", "ignore"], "is neither use nor ignore")
    .optional()
    .describe("Use or ignore this project's more expensive models. The answer is remembered."),
  permission: z
    .enum(modes, `is none of ${modes.join(", ")}`)
    .optional()
    .describe("read: look only. ask: show all first. edits: write unasked. full: run unasked"),
  unsandboxed: z.boolean().optional().describe("Run commands also where there is no sandbox"),
});
export type SessionOptions = z.infer<typeof sessionOptions>;
