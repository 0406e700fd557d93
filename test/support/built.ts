import { spawnSync } from "node:child_process";

/** Tests run the program as it is shipped: built. An old build is renewed first. */
export default function build(): void {
  const { stderr } = spawnSync(process.execPath, ["bin/claude-exec.js", "--help"], { encoding: "utf8" });
  if (!stderr.includes("running the sources")) return;
  const built = spawnSync(process.execPath, ["scripts/build.js"], { stdio: "inherit" });
  if (built.status !== 0) throw new Error("The build failed.");
}
