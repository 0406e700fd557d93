import fs from "node:fs";

/** O_CLOEXEC of fcntl.h on x64 and arm64: the kernel closes such a descriptor when another program starts. */
const closesOnStart = 0o2000000;

/**
 * The descriptors of a program to start: no input, its output to us, and `/dev/null` over each descriptor that whoever
 * started us left open (`exec 30< file` in a shell). A sandbox does not hold what is already open.
 */
export function onlyOutput(): readonly ["ignore", "pipe", "pipe", ...("ignore" | 9)[]] {
  const open = leftOpen();
  const beyond: ("ignore" | 9)[] = Array.from({ length: Math.max(2, ...open) - 2 }, () => "ignore");
  for (const descriptor of open) beyond[descriptor - 3] = nullDevice();
  return ["ignore", "pipe", "pipe", ...beyond];
}

let opened: number | undefined;

/** The types of execa know no descriptor above 9. */
function nullDevice(): 9 {
  return (opened ??= fs.openSync("/dev/null", "r+")) as 9;
}

/** What Node opens is closed when another program starts. On macOS Node has everything closed that it does not name. */
function leftOpen(): number[] {
  if (process.platform !== "linux") return [];
  const beyond = fs.readdirSync("/proc/self/fdinfo").map(Number);
  return beyond.filter((descriptor) => descriptor > 2 && !closes(descriptor));
}

/** The listing itself was open while it was read, and is no more. */
function closes(descriptor: number): boolean {
  const file = `/proc/self/fdinfo/${descriptor}`;
  if (!fs.existsSync(file)) return true;
  const [, flags = "0"] = /^flags:\s+(\d+)$/m.exec(fs.readFileSync(file, "utf8")) ?? [];
  return (Number.parseInt(flags, 8) & closesOnStart) !== 0;
}
