import type { World } from "../../util/world.ts";

/** Opens a file in the person's editor and waits for it; what went wrong, if anything did. */
export async function openEditor(file: string, env: World["env"]): Promise<string | undefined> {
  const { execa } = await import("execa");
  const editor = env["VISUAL"] || env["EDITOR"] || "vi";
  // As git does it: what stands there may have flags, and is the person's own.
  const argv = ["-c", `${editor} "$1"`, "sh", file];
  const { exitCode } = await execa("/bin/sh", argv, { stdio: "inherit", reject: false, env, extendEnv: false });
  if (exitCode === 0) return undefined;
  return exitCode === 126 || exitCode === 127
    ? `${editor} could not be started: name your editor in $EDITOR.`
    : `${editor} did not end well; ${file} is as it left it.`;
}
