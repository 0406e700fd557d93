import fs from "node:fs";
import { basename, join } from "node:path";
import { statsOf } from "../../workspace/place.ts";
import type { CleanCopy } from "./git_settings.ts";
import { withReadOnlyView, type ReadOnlyView } from "./read_only_view.ts";
import type { WrappedCall } from "./runtime.ts";

/**
 * A call of bubblewrap as `@anthropic-ai/sandbox-runtime` writes it, ready for any command. What it leaves open is
 * closed here: messages and memory that processes share (System V), the keyrings of the user, and, for root, the
 * settings of the kernel.
 */
export interface Plan {
  /** The last word is missing: the script of a command. */
  readonly argv: readonly string[];
  /** All that is mounted over. */
  readonly targets: readonly string[];
}

/**
 * `call` runs the script "command". Where nothing is there, nothing is mounted: bubblewrap would make an empty file or
 * folder there and leave it behind. `over` is mounted last. With `viewFor`, given the program that the call needs,
 * nothing but this view is there.
 */
export function planOf(
  { call, mounts }: WrappedCall,
  session: { own: string; group: string | null },
  over: readonly CleanCopy[] = [],
  viewFor?: (program: string) => ReadOnlyView,
): Plan {
  const words = inline(wordsOf(call), mounts);
  const end = words.indexOf("--");
  // bwrap … -- /bin/sh -c 'NAME=value apply-seccomp /bin/sh -c command'
  const [setting = "", ...inner] = wordsOf(words.at(-1) ?? "");
  const [name = "", value = ""] = setting.split("=");
  if (
    !words.includes("--die-with-parent") ||
    end !== words.length - 4 ||
    inner.slice(1).join(" ") !== "/bin/sh -c command"
  ) {
    throw new Error(`Not a call of bubblewrap as it is known here: ${call}`);
  }
  const empty = join(session.own, "empty");
  const filter = join(session.own, "calls.bpf");
  fs.mkdirSync(empty, { recursive: true });
  fs.writeFileSync(filter, callFilter(process.arch));
  const own = words.slice(0, end).map((word) => (basename(word).startsWith("claude-empty-") ? empty : word));
  const more = ["--setenv", name, value, "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--seccomp", "8"];
  if (process.geteuid?.() === 0) more.push(...kernelSettings.flatMap((path) => ["--ro-bind-try", path, path]));
  const copies = over.flatMap(({ of, copy }) => ["--ro-bind", copy, of]);
  const targets: string[] = [];
  for (let at = own.indexOf("--ro-bind"); at !== -1; at = own.indexOf("--ro-bind", at + 1)) {
    const [source = "", target = ""] = own.slice(at + 1);
    targets.push(target);
    if ((source === "/dev/null" || source === empty) && statsOf(target) === undefined) own.splice(at--, 3);
  }
  const all = viewFor
    ? [...withReadOnlyView([...own, ...copies], viewFor(inner[0] ?? ""), empty), ...more]
    : [...own, ...more, ...copies];
  return {
    argv: ["/bin/sh", "-c", enter, "sh", filter, session.group ?? "", ...all, "--", ...inner.slice(0, -1)],
    targets,
  };
}

/** Without what it was told to do first, it does not go on. */
const enter =
  'exec 8<"$1" || exit 70; if [ -n "$2" ]; then echo $$ >"$2/cgroup.procs" || exit 70; fi; shift 2; exec "$@"';

/** Whoever is root may write these also without any capability. */
const kernelSettings = ["sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi"].map((name) => `/proc/${name}`);

/** A long call has its mounts in a file: sh -c … srt-args <file> bwrap … --args 9 … */
function inline(words: string[], mounts: string): string[] {
  if (words[3] !== "srt-args") return words;
  const at = words.indexOf("--args");
  return [...words.slice(5, at), ...mounts.split("\0").slice(0, -1), ...words.slice(at + 2)];
}

/** The inverse of quoting for a shell, for the few forms that the runtime writes. */
export function wordsOf(text: string): string[] {
  const words = text.match(/(?:[^\s'"]|'[^']*'|"'")+/g) ?? [];
  if (words.join(" ") !== text) throw new Error(`These are no quoted words: ${text}`);
  return words.map((word) => word.replace(/'([^']*)'|"(')"/g, (_, inner: string | undefined) => inner ?? "'"));
}

interface Calls {
  /** AUDIT_ARCH_* of linux/audit.h. */
  readonly arch: number;
  /** add_key, request_key, keyctl, bpf, perf_event_open, userfaultfd */
  readonly refused: readonly number[];
  readonly socketpair: number;
}

const calls: Readonly<Record<string, Calls>> = {
  x64: { arch: 0xc000003e, refused: [248, 249, 250, 321, 298, 323], socketpair: 53 },
  arm64: { arch: 0xc00000b7, refused: [217, 218, 219, 280, 241, 282], socketpair: 199 },
};

export const knownProcessors = Object.keys(calls);

/**
 * A seccomp program (struct sock_filter): EPERM for the refused calls, and for all by another machine's numbers. Half
 * of a pair of datagram sockets (SOCK_DGRAM, or SOCK_RAW, which is the same here) can send to any socket in the file
 * system, so such pairs are refused as well.
 */
function callFilter(processor: string): Buffer {
  const { arch, refused, socketpair } = calls[processor] ?? { arch: 0, refused: [], socketpair: 0 };
  const [load, equal, atLeast, and, end] = [0x20, 0x15, 0x35, 0x54, 0x06];
  const refuse = refused.length + 10;
  const program = [
    [load, 0, 0, 4], // the kind of machine
    [equal, 0, refuse - 2, arch],
    [load, 0, 0, 0], // the number of the call
    [atLeast, refuse - 4, 0, 0x40000000], // the numbers of x32
    ...refused.map((number, at) => [equal, refuse - 5 - at, 0, number]),
    [equal, 0, 4, socketpair],
    [load, 0, 0, 24], // the second argument: the kind of socket, and flags
    [and, 0, 0, 0xf],
    [equal, 2, 0, 2],
    [equal, 1, 0, 3],
    [end, 0, 0, 0x7fff0000], // allow
    [end, 0, 0, 0x00050001], // refuse with EPERM
  ];
  const bytes = Buffer.alloc(8 * program.length);
  for (const [at, [code = 0, yes = 0, no = 0, value = 0]] of program.entries()) {
    bytes.writeUInt16LE(code, 8 * at);
    bytes.writeUInt8(yes, 8 * at + 2);
    bytes.writeUInt8(no, 8 * at + 3);
    bytes.writeUInt32LE(value, 8 * at + 4);
  }
  return bytes;
}
