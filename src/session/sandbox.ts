import { join } from "node:path";
import type { Deps } from "../chain/deps.ts";
import { judgePath, type Rules } from "../programs/permissions/judge.ts";
import type { LookedAt } from "../programs/program.ts";
import type { Sandbox, SandboxOptions } from "../programs/sandbox/types.ts";

/** Opened once, when somebody first asks for it, and told in one line. */
export function sandboxIn(
  options: Pick<SandboxOptions, "root" | "protect" | "conceal" | "tries">,
  rules: Rules,
  { world, progress }: Pick<Deps, "world" | "progress">,
): Deps["sandbox"] {
  let opening: Promise<Sandbox> | undefined;
  const open = async () => {
    const { openSandbox, sandboxLine } = await import("../programs/sandbox/sandbox.ts");
    const conceal = [...options.conceal, ...(await closedByRules({ root: options.root, env: world.env }, rules))];
    const opened = await openSandbox({ ...options, conceal, world });
    progress({ type: "sandbox", line: sandboxLine(opened) });
    return opened;
  };
  // Whoever asked is told why it did not open; there is nothing to close, and the next one may try again.
  const forget = (error: unknown): never => {
    opening = undefined;
    throw error;
  };
  return {
    open: () => (opening ??= open().catch(forget)),
    async close() {
      await (await opening)?.close();
      opening = undefined;
    },
  };
}

/** Whether a rule of the user closes a path to reading. */
export function deniedBy(rules: Rules): (path: string) => boolean {
  if (!rules.deny.some(({ type }) => type === "read")) return () => false;
  return (path) => judgePath(path, "read", rules).verdict === "deny";
}

/** What rules deny to read is not to be read by commands either; what they make anew is theirs. */
async function closedByRules(at: LookedAt, rules: Rules): Promise<string[]> {
  if (!rules.deny.some(({ type }) => type === "read")) return [];
  const { listNames } = await import("../workspace/listing.ts");
  const denies = deniedBy(rules);
  const names = await listNames(at, (path) => !denies(path));
  return names.map((name) => join(at.root, name));
}
