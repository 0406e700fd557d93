import { pathToFileURL } from "node:url";
import type { SandboxManager } from "@anthropic-ai/sandbox-runtime";

type Settings = Parameters<typeof SandboxManager.updateConfig>[0];

/** Where the runtime lies, how it is set up, and the variables of its process. */
export interface Runtime {
  readonly file: string;
  readonly settings: Settings;
  readonly env: Record<string, string>;
}

/** A call for a shell. A long call names a file of `mounts`: that file is gone by now. */
export type WrappedCall = Record<"call" | "mounts", string>;

/**
 * The call that runs a script as `@anthropic-ai/sandbox-runtime` writes it, which also keeps the script from what the
 * runtime would let it write by default. The runtime looks for programs in the PATH of `process.env`, so it runs in a
 * process of its own: that has other variables, and gives back its memory, which is tens of megabytes.
 */
export async function wrapWithRuntime(
  { file, settings, env }: Runtime,
  script: string,
  filesystem: Settings["filesystem"],
): Promise<WrappedCall> {
  const { execa } = await import("execa");
  const input = JSON.stringify({ url: pathToFileURL(file).href, settings, script, filesystem });
  const { stdout } = await execa(process.execPath, ["-e", code], { env, extendEnv: false, input });
  const reply = JSON.parse(stdout) as WrappedCall | string;
  if (typeof reply === "string") throw new Error(reply);
  return reply;
}

const code = `
const { readFileSync } = require("node:fs");
const { url, settings, script, filesystem } = JSON.parse(readFileSync(0, "utf8"));
import(url).then(async ({ SandboxManager, getDefaultWritePaths }) => {
  SandboxManager.updateConfig(settings);
  const defaults = getDefaultWritePaths().filter((path) => !path.startsWith("/dev/"));
  filesystem.denyWrite.unshift(...defaults.map((path) => ({ path, literal: true })));
  const call = await SandboxManager.wrapWithSandbox(script, "/bin/sh", { network: settings.network, filesystem });
  const [, file] = /^\\/bin\\/sh -c '[^']*' srt-args (\\S+) /.exec(call) ?? [];
  const mounts = file === undefined ? "" : readFileSync(file, "utf8");
  // The runtime would remove what it thinks was made for this command.
  SandboxManager.cleanupAfterCommand();
  return { call, mounts };
}).catch((error) => String(error.message)).then((reply) => {
  process.stdout.write(JSON.stringify(reply), () => process.exit());
});
`;
