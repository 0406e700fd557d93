import { join } from "node:path";
import type { Deps } from "../chain/deps.ts";
import { judgePath, type Rules } from "../permissions/judge.ts";
import type { Sandbox, SandboxOptions } from "../sandbox/sandbox.ts";
import type { Caller } from "./app.ts";

/** Opened once, when somebody first asks for it, and told in one line. */
export function sandboxIn(
  options: Pick<SandboxOptions, "root" | "protect" | "conceal">,
  rules: Rules,
  { world, progress }: Caller,
): Deps["sandbox"] {
  let opening: Promise<Sandbox> | undefined;
  const open = async () => {
    const { openSandbox, sandboxLine } = await import("../sandbox/sandbox.ts");
    const conceal = [...options.conceal, ...(await closedByRules(options.root, rules))];
    const opened = await openSandbox({ ...options, conceal, world });
    progress({ type: "sandbox", line: sandboxLine(opened) });
    return opened;
  };
  return {
    open: () => (opening ??= open()),
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
async function closedByRules(root: string, rules: Rules): Promise<string[]> {
  if (!rules.deny.some(({ type }) => type === "read")) return [];
  const { listNames } = await import("../tools/listing.ts");
  const denies = deniedBy(rules);
  const names = await listNames(root, (path) => !denies(path));
  return names.map((name) => join(root, name));
}
