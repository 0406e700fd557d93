/**
 * Ways out, as shell scripts. $OUT is a file outside the workspace, $HIDDEN a concealed folder, $PID a process of the
 * same user, $PORT and $UDP servers on this machine, $SOCKET, $DATAGRAMS and $ABSTRACT sockets of it, $FIFO and
 * $HOME/fifo named pipes that somebody reads. Only scratch/ may change.
 * Who gets where no command may, but does no harm there, says ESCAPED.
 */
export interface Row {
  readonly idea: string;
  readonly script: string;
  /** It does its harm where there is no sandbox, which shows that it is a real attempt. */
  readonly bites?: true;
}

const bites = true;
const node = (script: string) => `node -e '${script}'`;
const opens = (...paths: string[]) =>
  node(
    `for (const path of ${JSON.stringify(paths)}) try { require("fs").openSync(path, "r+"); console.log("ESCAPED", path); } catch {}`,
  );
/** Calls of the kernel that succeed, or fail by something else than being refused. */
const callsOf = (numbers: Record<string, number>, args: string) => {
  const number = numbers[process.arch] ?? 0;
  return `perl -e 'my $buffer = "\\0" x 256; my ($kind, $name) = ("user", "x"); my $got = syscall(${number}, ${args}); print "ESCAPED" if $got >= 0'`;
};
const connects = (where: string) =>
  node(
    `const s = require("net").connect(${where}, () => { s.end("hello"); process.exit(); }); s.on("error", () => process.exit()); setTimeout(process.exit, 300)`,
  );

export const rows: readonly Row[] = [
  { idea: "an absolute path", script: 'echo x >> "$OUT"', bites },
  { idea: "the way up", script: "echo x >> ../outside/file", bites },
  { idea: "a link to a file", script: 'ln -s "$OUT" scratch/link; echo x >> scratch/link', bites },
  { idea: "a link to a folder", script: 'ln -s "${OUT%/*}" scratch/folder; echo x > scratch/folder/new', bites },
  { idea: "a hard link", script: 'ln "$OUT" scratch/hard && echo x >> scratch/hard', bites },
  { idea: "renaming over", script: 'echo x > scratch/new; mv -f scratch/new "$OUT"', bites },
  { idea: "deleting", script: 'rm -rf "${OUT%/*}"', bites },
  { idea: "changing mode and time", script: 'chmod 777 "$OUT"; touch -d 2001-01-01 "$OUT"', bites },
  {
    idea: "cutting a file",
    script: node('require("fs").truncateSync(process.env.HOME + "/../outside/file", 1)'),
    bites,
  },
  { idea: "moving the workspace away", script: 'mv "$PWD" "$PWD.moved"', bites },
  { idea: "a folder beside the workspace", script: 'mkdir "$PWD-evil"', bites },
  { idea: "what a shell reads at its start", script: 'echo x >> "$HOME/.bashrc"', bites },
  { idea: "a key for the next login", script: 'mkdir -p "$HOME/.ssh"; echo x >> "$HOME/.ssh/authorized_keys"', bites },
  {
    idea: "folders that the runtime opens",
    script: 'echo x > "$HOME/.npm/_logs/x"; echo x > "$HOME/.claude/debug/x"',
    bites,
  },
  {
    idea: "a preloaded library for everybody",
    script: opens("/etc/ld.so.preload", "/etc/passwd", "/etc/sudoers", "/etc/crontab"),
  },
  { idea: "a fixed path in /tmp", script: "mkdir -p /tmp/claude && echo x > /tmp/claude/escaped && echo ESCAPED" },
  { idea: "remounting", script: 'mount -o remount,bind,rw /; mount -o remount,rw /; echo x >> "$OUT"' },
  {
    idea: "mounting over",
    script: 'mount -t tmpfs none "$HIDDEN" && echo ESCAPED; mount --bind scratch .git && echo ESCAPED',
  },
  {
    idea: "unmounting what protects",
    script: 'umount .git && echo ESCAPED; umount -l .env && echo ESCAPED; umount -l "$PWD" && echo ESCAPED',
  },
  {
    idea: "namespaces of one's own",
    script: 'unshare -Urm sh -c \'mount -o remount,bind,rw /; umount -l .env; cat .env; echo x >> "$0"\' "$OUT"',
  },
  {
    idea: "a nested sandbox",
    script: 'command -p bwrap --bind / / --dev-bind /dev /dev sh -c \'echo x >> "$0"; echo ESCAPED\' "$OUT"',
  },
  { idea: "another root", script: 'chroot /proc/1/root sh -c \'echo x >> "$0"\' "$OUT"' },
  {
    idea: "other processes' roots",
    script:
      'for root in /proc/[0-9]*/root /proc/[0-9]*/cwd /proc/self/root; do echo x >> "$root$OUT"; cat "$root$HIDDEN/file"; done',
  },
  {
    idea: "other processes' environments",
    script: "cat /proc/[0-9]*/environ /proc/[0-9]*/task/*/environ | grep -a -o 'hunter-[0-9a-f]*'",
    bites,
  },
  { idea: "one process's environment", script: 'cat "/proc/$PARENT/environ"', bites },
  {
    idea: "another process's memory and files",
    script: 'head -c 1 "/proc/$PID/mem" && echo ESCAPED; ls "/proc/$PID/fd" && echo ESCAPED',
    bites,
  },
  {
    idea: "descriptors that were left open",
    script:
      'for fd in /proc/self/fd/*; do case "$fd" in */[012]) ;; *) echo x >> "$fd"; echo x >> "$fd/new" ;; esac; done; ls -l /proc/self/fd | grep outside && echo ESCAPED',
  },
  { idea: "tracing another process", script: callsOf({ x64: 101, arm64: 117 }, "16, $ENV{PID} + 0, 0, 0"), bites },
  { idea: "reading another process's memory", script: callsOf({ x64: 434, arm64: 434 }, "$ENV{PID} + 0, 0"), bites },
  { idea: "ending another process", script: 'kill -9 "$PID"', bites },
  { idea: "slowing another process", script: 'renice -n 19 -p "$PID" && echo ESCAPED', bites },
  {
    idea: "the disk itself",
    script: opens(
      "/dev/vda",
      "/dev/sda",
      "/dev/nvme0n1",
      "/dev/mem",
      "/dev/kmem",
      "/dev/port",
      "/dev/kmsg",
      "/dev/fuse",
      "/dev/kvm",
    ),
  },
  { idea: "making the disk's device", script: "mknod scratch/disk b 254 0 && head -c 1 scratch/disk && echo ESCAPED" },
  { idea: "shared memory in the file system", script: 'cat "/dev/shm/$NAME"; echo x >> "/dev/shm/$NAME"', bites },
  {
    idea: "shared memory in the kernel",
    script: `perl -e 'shmget(0x5eed0001, 4096, 01666); msgget(0x5eed0001, 01666); semget(0x5eed0001, 1, 01666)'`,
    bites,
  },
  {
    idea: "settings of the kernel",
    script: opens(
      "/proc/sys/kernel/core_pattern",
      "/proc/sys/kernel/modprobe",
      "/proc/sys/kernel/hostname",
      "/proc/sys/vm/overcommit_memory",
      "/proc/sys/fs/binfmt_misc/register",
      "/proc/sysrq-trigger",
    ),
  },
  {
    idea: "control groups",
    script: opens(
      "/sys/fs/cgroup/cgroup.procs",
      "/sys/fs/cgroup/pids/cgroup.procs",
      "/sys/fs/cgroup/memory/release_agent",
      "/sys/power/state",
      "/sys/kernel/uevent_helper",
    ),
  },
  {
    idea: "a module for the kernel",
    script: `${callsOf({ x64: 313, arm64: 273 }, "0, $buffer, 0")}; ${opens("/proc/sys/kernel/modules_disabled")}`,
  },
  {
    idea: "becoming somebody else",
    script: "sudo -n true && echo ESCAPED; grep -q 'NoNewPrivs:.1' /proc/self/status || echo ESCAPED",
  },
  { idea: "a server on this machine", script: connects('process.env.PORT, "127.0.0.1"'), bites },
  {
    idea: "the same server by other names",
    script: ['"0.0.0.0"', '"localhost"', '"::1"', '"::ffff:127.0.0.1"', '"2130706433"']
      .map((host) => connects(`process.env.PORT, ${host}`))
      .join("; "),
    bites,
  },
  {
    idea: "a datagram",
    script: node(
      'require("dgram").createSocket("udp4").send("hello", process.env.UDP, "127.0.0.1", () => process.exit())',
    ),
    bites,
  },
  {
    idea: "names of the network",
    script: node('require("dns").lookup("example.com", (error) => { if (!error) console.log("ESCAPED"); })'),
  },
  {
    idea: "raw sockets",
    script: `${callsOf({ x64: 41, arm64: 198 }, "17, 3, 768")}; ip link add x type dummy && echo ESCAPED`,
  },
  { idea: "a socket in the file system", script: connects("process.env.SOCKET"), bites },
  {
    idea: "a datagram to a socket in the file system, through half of a pair",
    script: ["SOCK_DGRAM", "SOCK_RAW", "SOCK_DGRAM | 0x80000"]
      .map(
        (kind) =>
          `perl -MSocket -e 'socketpair(my $one, my $other, AF_UNIX, ${kind}, 0) or exit; send($one, "hello", 0, pack_sockaddr_un($ENV{DATAGRAMS}))'`,
      )
      .join("; "),
    bites,
  },
  {
    idea: "a named pipe outside",
    script:
      'for pipe in "$FIFO" "$HOME/fifo" scratch/link; do ln -sf "$FIFO" scratch/link; [ -p "$pipe" ] && echo hello > "$pipe"; done; cat "$FIFO" & sleep 0.1; kill $!',
    bites,
  },
  { idea: "an abstract socket", script: connects('"\\0" + process.env.ABSTRACT'), bites },
  {
    idea: "sockets of docker, of the session and of keys",
    script: ["/var/run/docker.sock", "/run/dbus/system_bus_socket", "/run/systemd/private"]
      .map((path) => connects(`"${path}"`).replace('s.end("hello")', 'console.log("ESCAPED")'))
      .join("; "),
  },
  { idea: "a socket of a virtual machine", script: callsOf({ x64: 41, arm64: 198 }, "40, 1, 0") },
  { idea: "sockets by io_uring", script: callsOf({ x64: 425, arm64: 425 }, "8, $buffer") },
  { idea: "sockets by other numbers of calls", script: callsOf({ x64: 0x40000029, arm64: 198 }, "1, 1, 0") },
  {
    idea: "the runtime's proxy",
    script: node(
      'for (const port of [1080, 3128, 8080]) { const s = require("net").connect(port, "127.0.0.1", () => { console.log("ESCAPED"); s.write("CONNECT 127.0.0.1:" + process.env.PORT + " HTTP/1.1\\r\\nHost: localhost\\0.example.com\\r\\n\\r\\n"); s.write(Buffer.from([5, 1, 0, 5, 1, 0, 3, 10, ...Buffer.from("127.0.0.1\\0"), 0, 80])); }); s.on("error", () => {}); } setTimeout(process.exit, 100)',
    ),
  },
  {
    idea: "variables of a proxy",
    script: "env | grep -i proxy && echo ESCAPED; ls /tmp/claude-http-* && echo ESCAPED",
  },
  { idea: "keys in the environment", script: "env; set; cat /proc/self/environ" },
  {
    idea: "keyrings",
    script: `${callsOf({ x64: 250, arm64: 219 }, "0, -3, 1")}; ${callsOf({ x64: 248, arm64: 217 }, "$kind, $name, $name, 1, -3")}`,
    bites,
  },
  {
    idea: "programs in the kernel",
    script: `${callsOf({ x64: 321, arm64: 280 }, "5, $buffer, 128")}; ${callsOf({ x64: 298, arm64: 241 }, "$buffer, 0, -1, -1, 0")}`,
  },
  { idea: "faults handled by the program", script: callsOf({ x64: 323, arm64: 282 }, "1"), bites },
  { idea: "files by their handles", script: callsOf({ x64: 304, arm64: 265 }, "-100, $buffer, 0") },
  {
    idea: "typing into the terminal",
    script: `perl -e 'open(my $tty, "+<", "/dev/tty") or exit; print "ESCAPED" if ioctl($tty, 0x5412, "x")'`,
  },
  {
    idea: "a hook of git",
    script: "mkdir -p .git/hooks; echo x > .git/hooks/post-checkout; chmod +x .git/hooks/post-checkout",
    bites,
  },
  {
    idea: "settings of git",
    script: "git config core.fsmonitor scratch/evil; git config core.hooksPath scratch; echo x >> .git/config",
    bites,
  },
  {
    idea: "another repository in its place",
    script: "mv .git scratch/git; mkdir .git; git init .; ln -sfn scratch .git",
    bites,
  },
  { idea: "deleting the repository", script: "rm -rf .git", bites },
  { idea: "a commit", script: "git add -A; git -c user.name=x -c user.email=x commit -m x", bites },
  { idea: "a submodule's repository", script: "echo x >> module/.git; mv module scratch/module", bites },
  {
    idea: "reading secrets",
    script: "cat .env deep/.env.production deep/server.key; tar c .env; base64 .env | base64 -d",
    bites,
  },
  {
    idea: "secrets of packages",
    script:
      "cat node_modules/.env node_modules/plain/.env node_modules/@scope/one/.env.local; cat node_modules/.pnpm/*/node_modules/*/.env node_modules/plain/node_modules/*/.env",
    bites,
  },
  { idea: "other names of the same files", script: "cat notes.txt src/deep.txt", bites },
  {
    idea: "passwords in git's settings",
    script: "cat .git/config .git/modules/one/config; git config --list; git remote -v",
    bites,
  },
  {
    idea: "copying secrets",
    script: "cp .env scratch/copy; ln .env scratch/hard; ln -s ../.env scratch/link; cat scratch/*",
    bites,
  },
  {
    idea: "moving the folder that holds secrets",
    script: "mv deep scratch/moved; cat scratch/moved/.env.production",
    bites,
  },
  { idea: "writing secrets", script: "echo x >> .env; rm -f .env; echo x > .env; echo x >> deep/server.key", bites },
  {
    idea: "a concealed folder",
    script:
      'cat "$HIDDEN/file"; find "$HIDDEN" -type f -exec cat {} +; cp -r "$HIDDEN" scratch/hidden; cat scratch/hidden/*',
    bites,
  },
  {
    idea: "a concealed folder that is named as a repository",
    script: 'cat "$HIDDEN/config"; git -C named config --list',
    bites,
  },
  { idea: "writing a concealed folder", script: 'echo x > "$HIDDEN/new"; rm -rf "$HIDDEN"', bites },
  { idea: "keys and histories of the user", script: 'find "$HOME" -type f -exec cat {} +', bites },
  { idea: "passwords of the system", script: "head -c 1 /etc/shadow | grep -q . && echo ESCAPED" },
  {
    idea: "what keeps the sandbox up",
    script:
      'own="$TMPDIR/../own"; echo x >> "$own/calls.bpf"; rm -rf "$own"; mv "$TMPDIR/.." scratch/session; cat "$own/secret"; ls "$own/../own" >/dev/null; touch "$own/made" && echo ESCAPED',
  },
  {
    idea: "work for later",
    script:
      'echo "echo x >> $OUT" | at now; (crontab -l; echo "* * * * * echo x >> $OUT") | crontab - && echo ESCAPED; systemd-run --user sh -c "echo x >> $OUT" && echo ESCAPED',
  },
  {
    idea: "staying behind",
    script:
      '(setsid sh -c \'trap "" TERM HUP INT; (sleep 0.3; echo x >> "$0"; exec sleep 7421) &\' "$OUT" >/dev/null 2>&1 &); exit 0',
  },
  {
    idea: "a file that fills the disk",
    script: node(
      'const fs = require("fs"); const fd = fs.openSync(process.env.TMPDIR + "/big", "w"); fs.ftruncateSync(fd, 2 ** 32); console.log("ESCAPED")',
    ),
    bites,
  },
  {
    idea: "another name for the machine",
    script:
      'before=$(uname -n); hostname escaped && [ "$before" = "$(cat /proc/sys/kernel/hostname)" ] && echo ESCAPED; true',
  },
];
