import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import build from "../test/support/built.ts";
import { recordingAt, smallApp, wholeWay, wholeWayAnswers } from "../test/support/script.ts";
import { folderOnDisk, spread, type Table } from "./measure.ts";

/** How much memory a whole task takes: the most that our own process ever held, its children apart. */
export async function bench({ runs = 5 }: { runs?: number } = {}): Promise<Table> {
  build();
  const peaks = Array.from({ length: runs }, oneRun);
  return Promise.resolve({
    title: "Memory of a whole task",
    columns: ["command", "peak MB", "min-max"],
    rows: [[existsSync(rehearsal) ? "claude-exec demo" : "claude-exec on a small app", ...spread(peaks)]],
    limits: [{ what: "peak of any run, MB", value: Math.max(...peaks), most: 150 }],
    notes: [`${runs} runs without a terminal. Peak resident memory of our process, as the kernel noted it.`],
  });
}

const root = new URL("..", import.meta.url).pathname;
const rehearsal = join(root, "examples", "recordings", "jwt.json");

function oneRun(): number {
  const folder = folderOnDisk();
  try {
    const argv = existsSync(rehearsal) ? ["demo", "--folder", join(folder.path, "demo")] : taskIn(folder.path);
    const out = join(folder.path, "peak");
    const noted = `data:text/javascript,${encodeURIComponent(noteAtExit(out))}`;
    const program = join(root, "bin", "claude-exec.js");
    const env = { PATH: process.env["PATH"], HOME: folder.path };
    const ran = spawnSync(process.execPath, ["--import", noted, program, ...argv], {
      cwd: folder.path,
      env,
      encoding: "utf8",
    });
    if (ran.status !== 0) throw new Error(`${argv.join(" ")} ended with ${ran.status}: ${ran.stderr}${ran.stdout}`);
    if (ran.stderr.includes("running the sources")) throw new Error("The sources changed since they were built.");
    return Number(readFileSync(out, "utf8"));
  } finally {
    folder.remove();
  }
}

/** getrusage would count what our parent held when it forked; VmHWM begins anew with the program. */
function noteAtExit(path: string): string {
  return `
    import { existsSync, readFileSync, writeFileSync } from "node:fs";
    process.on("exit", () => {
      const status = existsSync("/proc/self/status") ? readFileSync("/proc/self/status", "utf8") : "";
      const kilobytes = /VmHWM:\\s+(\\d+)/.exec(status)?.[1] ?? process.resourceUsage().maxRSS;
      writeFileSync(${JSON.stringify(path)}, String(Number(kilobytes) / 1024));
    });`;
}

function taskIn(folder: string): string[] {
  for (const [path, text] of Object.entries(smallApp)) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const answers = join(folder, "answers.json");
  writeFileSync(answers, JSON.stringify(wholeWayAnswers));
  const flags = [
    "--trust",
    "--permission",
    "edits",
    "--unsandboxed",
    "--replay",
    recordingAt(folder, wholeWay),
    "--answers",
    answers,
    "--approve-policy",
    "auto",
  ];
  return ["Add a product function", ...flags];
}
