import { execa } from "execa";
import type { World } from "../util/world.ts";

/** Opens a file in the person's editor and waits for it; false where there is none that works. */
export async function openEditor(file: string, env: World["env"]): Promise<boolean> {
  const editor = env["VISUAL"] || env["EDITOR"] || "vi";
  // As git does it: what stands there may have flags, and is the person's own.
  const { exitCode } = await execa("sh", ["-c", `${editor} "$1"`, "sh", file], { stdio: "inherit", reject: false });
  return exitCode === 0;
}
