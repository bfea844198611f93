"""A real systemd, booted in namespaces of its own on a throw-away layer over this machine's file system.

Everything that it writes lies in a tmpfs that goes with it. It sees no process but its own, sits in a cgroup of its
own, and cannot write to /proc/sys or /sys; none of the machine's services is started. barograph is there as
/opt/barograph/bin/barograph, run by this Python from this tree.
"""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Thread
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
SYSTEMD: Final = Path("/lib/systemd/systemd")
CGROUPS: Final = tuple(map(Path, ("/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd")))
IMAGE: Final = "/srv/barograph"
"""Where a second root with the program lies, for units with RootDirectory=."""
PYTHON: Final = f"python{sys.version_info[0]}.{sys.version_info[1]}"

_BOOT: Final = r"""
set -eu
place=$1; prefix=$2; packages=$3; project=$4
mount --make-rprivate /
mkdir -p "$place/layer"
mount -t tmpfs tmpfs "$place/layer"
cd "$place/layer"
mkdir host-upper host-work host image-upper image-work image
cp -a ../host-files/. host-upper/
cp -a ../image-files/. image-upper/
for root in host image; do
    mkdir -p $root-upper/opt/{python,packages,project}
    mount -t overlay overlay -o lowerdir=/,upperdir=$root-upper,workdir=$root-work $root
    mount --bind "$prefix" $root/opt/python
    mount --bind "$packages" $root/opt/packages
    mount --bind "$project" $root/opt/project
done
mount --rbind image host/srv/barograph
cd host
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
if [ -f /sys/fs/cgroup/cgroup.procs ]; then
    mount -t cgroup2 cgroup2 sys/fs/cgroup
else
    mount -t tmpfs tmpfs sys/fs/cgroup
    mkdir sys/fs/cgroup/unified sys/fs/cgroup/systemd
    mount -t cgroup2 cgroup2 sys/fs/cgroup/unified
    mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
fi
mount -t tmpfs tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs tmpfs dev
for device in null zero full random urandom tty; do
    touch dev/$device
    mount --bind /dev/$device dev/$device
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
touch dev/console
mount --bind "$(tty)" dev/console
mount --bind "$place/out" out
mkdir old
pivot_root . old
umount -l old
# As container managers have it: what systemd mounts for one unit is seen by the others.
mount --make-rshared /
exec env -i container=other PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=try.target --log-target=console --show-status=no
"""
_ENTER: Final = r"""
name=$1; shift
for cgroup in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
    if [ -f $cgroup/cgroup.procs ]; then mkdir $cgroup/$name; echo $$ >$cgroup/$name/cgroup.procs; fi
done
exec unshare --mount --pid --fork --kill-child --cgroup --uts --ipc bash "$@"
"""
_PROGRAM: Final = f"""#!/bin/sh
LD_LIBRARY_PATH=/opt/python/lib PYTHONPATH=/opt/project:/opt/packages exec /opt/python/bin/{PYTHON} -m barograph "$@"
"""
_PYTHON3: Final = f"""#!/bin/sh
LD_LIBRARY_PATH=/opt/python/lib exec /opt/python/bin/{PYTHON} "$@"
"""
_TARGET: Final = "[Unit]\nDefaultDependencies=no\nWants=try.service\n"
_SERVICE: Final = """[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/bin/bash /try.sh
ExecStopPost=/bin/systemctl --no-pager exit
StandardOutput=append:/out/log
StandardError=append:/out/log
"""


class CannotBootError(Exception):
    """systemd did not come up; holds what it said."""


def boot(
    place: Path,
    script: str,
    host: Mapping[str, tuple[str, int]],
    image: Mapping[str, tuple[str, int]] | None = None,
    *,
    seconds: float = 100,
) -> str:
    """Boot, run a script of bash as root under systemd, and shut down; what the script printed.

    `host` and `image` are files (text, mode) by their absolute paths, of the machine and of the root in IMAGE. What
    lies in /out afterwards is in `place` / "out".
    """
    for name, files in (("host-files", host), ("image-files", image or {})):
        root = place / name
        for folder in (root, root / "out", root / "srv" / "barograph", root / "var" / "lib" / "barograph"):
            folder.mkdir(parents=True, exist_ok=True)
        every = {
            **files,
            "/opt/barograph/bin/barograph": (_PROGRAM, 0o755),
            "/opt/barograph/bin/python3": (_PYTHON3, 0o755),
        }
        if root.name == "host-files":
            every |= {
                "/etc/fstab": ("", 0o644),
                "/etc/systemd/system/try.target": (_TARGET, 0o644),
                "/etc/systemd/system/try.service": (_SERVICE, 0o644),
                "/try.sh": (script, 0o755),
            }
            _mask(root)
        for path, (text, mode) in every.items():
            file = root / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            file.chmod(mode)
    (place / "out").mkdir()
    (place / "boot.sh").write_text(_BOOT, encoding="utf-8")
    said = _run(place, seconds)
    log = place / "out" / "log"
    if not log.exists():
        raise CannotBootError(said[-2000:])
    return log.read_text(encoding="utf-8")


def _mask(root: Path) -> None:
    """The machine's own units that every service would bring with it are not there."""
    units = root / "etc" / "systemd" / "system"
    units.mkdir(parents=True, exist_ok=True)
    for base in ("/lib/systemd/system", "/etc/systemd/system"):
        for target in ("sysinit", "local-fs", "sockets", "timers", "basic", "paths"):
            for wanted in Path(base, f"{target}.target.wants").glob("*"):
                mask = units / wanted.name
                if not mask.is_symlink():
                    mask.symlink_to("/dev/null")


def _run(place: Path, seconds: float) -> str:
    packages = next(path for path in map(Path, sys.path) if path.name == "site-packages")
    name = f"barograph-test-{os.getpid()}"
    outer, inner = pty.openpty()
    said = bytearray()

    def listen() -> None:
        with suppress(OSError):
            while part := os.read(outer, 65_536):
                said.extend(part)

    words = ("bash", "-euc", _ENTER, "enter", name, str(place / "boot.sh"), str(place))
    parts = (sys.base_prefix, str(packages), str(ROOT / "src"))
    listener = Thread(target=listen, daemon=True)
    try:
        with subprocess.Popen(
            [*words, *parts], stdin=inner, stdout=inner, stderr=inner, start_new_session=True
        ) as process:
            os.close(inner)
            listener.start()
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                said.extend(b"\nit took too long")
        listener.join(5)
    finally:
        os.close(outer)
        for cgroup in CGROUPS:
            _remove(cgroup / name)
    return said.decode(errors="replace")


def _remove(cgroup: Path) -> None:
    """Remove a cgroup with those in it; the kernel has none to remove where it was not made."""
    for folder, _, _ in os.walk(cgroup, topdown=False):
        with suppress(OSError):
            Path(folder).rmdir()


@cache
def why_not() -> str | None:
    """Why systemd cannot be booted here; None where it can."""
    if os.geteuid() != 0:
        return "needs root"
    if not SYSTEMD.exists() or not all(map(shutil.which, ("unshare", "pivot_root", "useradd", "bash", "tty"))):
        return "needs systemd, unshare, pivot_root and useradd"
    with tempfile.TemporaryDirectory(prefix="barograph-boot-") as place:
        try:
            boot(Path(place), "systemctl --version", {}, seconds=60)
        except CannotBootError as error:
            return f"systemd cannot be booted in namespaces here: {error}"
    return None
