"""Runs one connector and never outlives its purpose: a script of its own, started with `python -I -S`.

    supervise.py GRACE FOLDER COMMAND...

stdin is a pipe whose other end is held by the process that wants the connector. When it closes, for whatever reason
(that process may have been killed by SIGKILL), the connector's process group gets SIGTERM and, GRACE seconds later,
SIGKILL. What the connector has started, in whatever group or session, ends with it: this process is its subreaper
(Linux). At the end FOLDER, which holds the configuration with its secrets, is removed. The exit code is the
connector's, or 128 + the number of the signal that ended it.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
CANNOT_START = 126
SWEEPS = 200


def prctl(option: int, value: int) -> None:
    """Linux's prctl; elsewhere nothing happens."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def start(command: list[str]) -> int:
    """The connector's process, leader of a group of its own; it dies with this process."""
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(CANNOT_START)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.execv(command[0], command)  # noqa: S606 - the connector is an executable, no shell line
    except OSError as error:
        os.write(2, f"cannot be started: {error.strerror}: {command[0]}\n".encode())
    os._exit(CANNOT_START)


class Connector:
    """The process, and everything that it leaves behind."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.code: int | None = None

    def reap(self) -> bool:
        """Take leave of every process that has ended; False when none is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self.pid:
                code = os.waitstatus_to_exitcode(status)
                self.code = 128 - code if code < 0 else code

    def signal(self, number: int) -> None:
        """To its whole group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def sweep(self) -> None:
        """Kill what is left, also what has left the group; orphans come to the subreaper, so the loop ends."""
        for _ in range(SWEEPS):
            self.signal(signal.SIGKILL)
            for pid in children(os.getpid()):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            if not self.reap():
                return
            time.sleep(0.01)


def children(parent: int) -> list[int]:
    """The processes whose parent is `parent`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            # The name, in parentheses, may hold blanks and parentheses.
            if int(entry.read_bytes().rpartition(b")")[2].split()[1]) == parent:
                found.append(int(entry.parent.name))
    return found


def main(grace: float, folder: str, command: list[str]) -> int:
    """Run the command; its exit code."""
    awake, wake = os.pipe()
    os.set_blocking(wake, False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(wake)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    connector = Connector(start(command))
    # The reader of the connector's output must see its end.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    deadline: float | None = None
    while connector.reap() and connector.code is None:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            break
        watched = [awake] if deadline is not None else [awake, 0]
        ready = select.select(watched, [], [], left)[0]
        ended = 0 in ready and not os.read(0, 4096)
        asked = awake in ready and set(os.read(awake, 4096)) & {signal.SIGTERM, signal.SIGINT}
        if deadline is None and (ended or asked):
            deadline = time.monotonic() + grace
            connector.signal(signal.SIGTERM)
    connector.sweep()
    shutil.rmtree(folder, ignore_errors=True)
    return 128 + signal.SIGKILL if connector.code is None else connector.code


if __name__ == "__main__":
    # Not sys.exit: nothing of ours is open, and an interpreter's end takes time.
    os._exit(main(float(sys.argv[1]), sys.argv[2], sys.argv[3:]))
