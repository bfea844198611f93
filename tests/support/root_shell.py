"""One bash in a root of its own: commands one after the other, in namespaces that end with it and all it started."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

STEPS: Final = "mnt"
"""The root's folder in which commands and outputs lie."""

# The first process is not in the root, so that systemctl sees that it is, and asks for no running systemd.
_INSIDE: Final = r"""
set -eu
root=$1; shift
mount --make-rprivate /
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
# Clock, kernel and power are the whole machine's, whatever namespace asks: nothing in the root may set them.
setpriv --bounding-set=-sys_time,-sys_module,-sys_boot,-sys_rawio --inh-caps=-all \
    chroot "$root" /usr/bin/env -i "$@" /bin/bash --noprofile --norc /mnt/driver
"""

# $? is that of the command before, as it is for who types; a command finds no input, and its variables stay.
_DRIVER: Final = r"""
code=0
while IFS= read -r step; do
    (exit "$code")
    . "/mnt/$step" </dev/null >"/mnt/$step.out" 2>&1
    code=$?
    printf '%s %s\n' "$step" "$code"
done
"""

_PASSED: Final = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


@dataclass(frozen=True, slots=True)
class Said:
    """A command's exit code and what it wrote, stdout and stderr in their order."""

    code: int
    text: str


def can_enter() -> str | None:
    """Why no root can be entered here; None where one can."""
    if os.geteuid() != 0:
        return "needs root: mounts, and users of its own"
    done = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "sh", "-c", "mount --make-rprivate / && mount -t tmpfs tmpfs /mnt"],
        capture_output=True,
        text=True,
        check=False,
    )
    return None if done.returncode == 0 else f"needs mount namespaces: {done.stderr.strip()}"


class RootShell:
    """A root's bash, as a context. Its end ends every process in the root and every mount; ports are the machine's."""

    def __init__(self, root: Path, environment: Mapping[str, str]) -> None:
        self._steps = root / STEPS
        self._number = 0
        (self._steps / "driver").write_text(_DRIVER, encoding="utf-8")
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        words = [f"PATH={path}", "HOME=/root", "LANG=C.UTF-8", "TERM=dumb", "DEBIAN_FRONTEND=noninteractive"]
        words += [f"{name}={os.environ[name]}" for name in _PASSED if name in os.environ]
        words += [f"{name}={value}" for name, value in environment.items()]
        self._process = subprocess.Popen(
            [
                "unshare",
                "--mount",
                "--pid",
                "--uts",
                "--ipc",
                "--fork",
                "--kill-child",
                "sh",
                "-c",
                _INSIDE,
                "sh",
                str(root),
                *words,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def __call__(self, command: str, *, seconds: float = 300) -> Said:
        """Run a command. AssertionError where it has not ended in that time, or has ended the shell."""
        assert self._process.stdin is not None
        self._number += 1
        step = f"{self._number:04d}"
        (self._steps / step).write_text(command + "\n", encoding="utf-8")
        self._process.stdin.write(f"{step}\n".encode())
        self._process.stdin.flush()
        answer = self._answer(time.monotonic() + seconds)
        out = self._steps / f"{step}.out"
        text = out.read_text(encoding="utf-8", errors="replace") if out.exists() else ""
        assert answer is not None, f"not done after {seconds:.0f} s:\n{text}"
        name, _, code = answer.rpartition(" ")
        assert name == step, f"the shell ended: {answer}\n{text}"
        return Said(int(code), text)

    def _answer(self, until: float) -> str | None:
        """The next line that the shell says; "" where it has ended, None where it is late."""
        assert self._process.stdout is not None
        told = b""
        while not told.endswith(b"\n"):
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                return None
            if not (more := os.read(self._process.stdout.fileno(), 4096)):
                break
            told += more
        return told.decode(errors="replace").strip()
