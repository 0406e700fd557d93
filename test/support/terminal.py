"""Runs a program in a pseudo-terminal and types what a script says: {argv, cwd, env, steps: [[expected, typed]], seconds}.

Each text is typed once what is expected has been shown after the step before. Instead of a text:
`null` closes the terminal; `signal:<name>` sends a signal to the program, `signal:<name>:<n>` to its descendant of the
n-th generation; `ended:<text>` types the text once all descendants that lived at the last signal have ended.
Prints {code, output, end, echo, missed} as JSON: an exit code, or the name of the signal that ended the program. `end` is
how the output ends with the codes that move the cursor and clear lines, which `output` does not have.
"""

import fcntl, json, os, pty, re, select, signal, struct, subprocess, sys, termios, time

order = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    os.chdir(order["cwd"])
    os.execve(order["argv"][0], order["argv"], order["env"])
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 120, 0, 0))

output, seen, steps, watched = "", 0, list(order["steps"]), []
deadline = time.monotonic() + order["seconds"]
plain = lambda text: re.sub(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[()][A-Z0-9]|\r", "", text)


def running():
    """Pairs of process and parent; a process that has ended and that nobody waited for does not count."""
    rows = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True).stdout.splitlines()
    return [(int(row.split()[0]), int(row.split()[1])) for row in rows if not row.split()[2].startswith("Z")]


def descendants(parent, all):
    children = [child for child, of in all if of == parent]
    return children + [found for child in children for found in descendants(child, all)]


while time.monotonic() < deadline:
    ready, _, _ = select.select([terminal], [], [], 0.2)
    if ready:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        output += piece.decode("utf-8", "replace")
    shown = plain(output)
    while steps and (at := shown.find(steps[0][0], seen)) >= 0:
        typed = steps[0][1] or ""
        if typed.startswith("ended:") and any(process in watched for process, _ in running()):
            break
        seen = at + len(steps[0][0])
        if steps.pop(0)[1] is None:
            os.close(terminal)
            terminal = None
            break
        if typed.startswith("signal:"):
            _, name, *generation = typed.split(":")
            target, all = pid, running()
            watched = descendants(pid, all)
            for _ in range(int(generation[0]) if generation else 0):
                target = next(child for child, of in all if of == target)
            os.kill(target, getattr(signal, name))
        else:
            os.write(terminal, typed.removeprefix("ended:").encode())
    if terminal is None:
        break
else:
    os.kill(pid, signal.SIGKILL)

_, status = os.waitpid(pid, 0)
code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else signal.Signals(os.WTERMSIG(status)).name
echo = terminal and bool(termios.tcgetattr(terminal)[3] & termios.ECHO)
print(json.dumps({"code": code, "output": plain(output), "end": output[-20:], "echo": echo, "missed": [step[0] for step in steps]}))
