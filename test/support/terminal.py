"""Runs a program in a pseudo-terminal and types what a script says: {argv, cwd, env, steps: [[expected, typed]], seconds}.

Each text is typed once what is expected has been shown after the step before. `null` instead of a text closes the
terminal, and `signal:<name>` sends a signal. Prints {code, output, missed} as JSON: an exit code, or the name of the signal that ended the program.
"""

import fcntl, json, os, pty, re, select, signal, struct, sys, termios, time

order = json.loads(sys.argv[1])
pid, terminal = pty.fork()
if pid == 0:
    os.chdir(order["cwd"])
    os.execve(order["argv"][0], order["argv"], order["env"])
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 120, 0, 0))

output, seen, steps = "", 0, list(order["steps"])
deadline = time.monotonic() + order["seconds"]
plain = lambda text: re.sub(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[()][A-Z0-9]|\r", "", text)
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
        seen = at + len(steps[0][0])
        typed = steps.pop(0)[1]
        if typed is None:
            os.close(terminal)
            terminal = None
            break
        if typed.startswith("signal:"):
            os.kill(pid, getattr(signal, typed.removeprefix("signal:")))
        else:
            os.write(terminal, typed.encode())
    if terminal is None:
        break
else:
    os.kill(pid, signal.SIGKILL)

_, status = os.waitpid(pid, 0)
code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else signal.Signals(os.WTERMSIG(status)).name
print(json.dumps({"code": code, "output": plain(output), "missed": [step[0] for step in steps]}))
