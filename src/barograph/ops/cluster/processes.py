"""The members as processes of this machine: which run, starting them detached, stopping them.

A process is taken for a member only when its command line names the member's data folder: a pid file outlives a reboot,
and its number may be anybody's. mongod daemonizes itself (`--fork`): it leaves session and folder of the command that
started it, and its parent returns when it is ready, or ends with its exit code.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from barograph.errors import ClusterError
from barograph.ops.cluster.folder import HOST, SET_NAME, Member
from barograph.ops.mongod import Mongod
from barograph.ops.mongod_log import Ending, tail, why_it_ended

START_SECONDS: Final = 180.0
"""Bound for a member to get ready; 0.5 s is usual, the journal of a crash or a loaded machine takes longer."""
STOP_SECONDS: Final = 90.0
"""Bound for a clean shutdown, 2 s as a rule: a checkpoint on a slow disk."""
PAUSE: Final = 0.05
_PROC: Final = Path("/proc/self")
"""Where it is there, processes need no ps."""
LOG_BYTES: Final = 16 * 1024 * 1024
"""A log beyond this is put aside, as mongod.log.1, when its member is started."""

OPTIONS: Final[dict[str, str]] = {
    "--bind_ip": HOST,
    "--replSet": SET_NAME,
    # Half of the memory by default, for each; days in hand are small, and three members share a machine.
    "--wiredTigerCacheSizeGB": "0.25",
    # At most, in MB. What a member may miss while it is down; after that it copies everything. Ten nights of 600
    # stations, each of which writes two days of 40 kB.
    "--oplogSize": "512",
    # The mongod of the extra was built without zlib, and does not start with the default list.
    "--networkMessageCompressors": "snappy,zstd",
}
PARAMETERS: Final = (
    # 200 MB of diagnostic.data for each member, that MongoDB's support would ask for.
    "diagnosticDataCollectionEnabled=false",
    # 15 s by default, in which a member that is told to end waits for its clients to leave.
    "shutdownTimeoutMillisForSignaledShutdown=1000",
)


def running(members: Iterable[Member]) -> dict[int, int]:
    """Number -> pid of the members that run."""
    found: dict[int, int] = {}
    unknown: list[Member] = []
    for member in members:
        pid = next((pid for pid in _noted(member) if _is_member(_arguments(pid), member)), None)
        if pid is None:
            unknown.append(member)
        else:
            found[member.number] = pid
    # One that has not written its pid yet, or whose pid file another start has overwritten, which then failed.
    if unknown:
        for pid, arguments in _processes():
            found |= {member.number: pid for member in unknown if _is_member(arguments, member)}
    return found


def _noted(member: Member) -> Iterator[int]:
    """The pids that its files name."""
    for path in (member.pid_file, member.data / "mongod.lock"):
        with suppress(OSError, ValueError):
            yield int(path.read_text(encoding="ascii"))


def _is_member(arguments: Sequence[str], member: Member) -> bool:
    return any(pair == ("--dbpath", str(member.data)) for pair in pairwise(arguments))


def _arguments(pid: int) -> list[str]:
    """The command line of a process; empty where there is none, or only its remains."""
    if _PROC.exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "surrogateescape").split("\0")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            # Ended, or somebody else's on a system that hides those.
            return []
    return next(iter(_ps("-p", str(pid))), (pid, []))[1]


def _processes() -> Iterator[tuple[int, list[str]]]:
    """Every process that we may see."""
    if _PROC.exists():
        for entry in _PROC.parent.iterdir():
            if entry.name.isdigit():
                yield int(entry.name), _arguments(int(entry.name))
        return
    yield from _ps("-A")


def _ps(*selection: str) -> list[tuple[int, list[str]]]:
    """Processes as ps shows them. It joins arguments with spaces: a data folder with spaces in it is not recognized."""
    command = ["ps", *selection, "-ww", "-o", "pid=,command="]
    told = subprocess.run(command, capture_output=True, text=True, errors="surrogateescape", check=False)  # noqa: S603
    return [(int(words[0]), words[1:]) for words in map(str.split, told.stdout.splitlines()) if words]


@dataclass(frozen=True, slots=True)
class Launched:
    """What became of a start: None, or why the member does not run."""

    member: Member
    ending: Ending | None


def launch(mongod: Mongod, members: Sequence[Member], key_file: Path | None) -> list[Launched]:
    """Start members at once, and wait until each is ready or has ended, or START_SECONDS have passed."""
    started = [_start(mongod, member, key_file) for member in members]
    deadline = time.monotonic() + START_SECONDS
    return [_await(*item, deadline) for item in started]


def _start(mongod: Mongod, member: Member, key_file: Path | None) -> tuple[Member, subprocess.Popen[bytes], Path, int]:
    """Start one; what it prints goes to a file, because a pipe would break when we are killed."""
    member.data.mkdir(parents=True, exist_ok=True)
    if member.log.exists() and member.log.stat().st_size > LOG_BYTES:
        member.log.replace(member.log.with_suffix(".log.1"))
    begin = member.log.stat().st_size if member.log.exists() else 0
    said = member.folder / "start.out"
    with said.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603 - the mongod that the operator chose
            _command(mongod, member, key_file),
            cwd=member.folder,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return member, process, said, begin


def _command(mongod: Mongod, member: Member, key_file: Path | None) -> list[str]:
    files = {"--dbpath": member.data, "--logpath": member.log, "--pidfilepath": member.pid_file}
    words = [str(mongod.path), "--port", str(member.port)]
    words += [str(word) for pair in (*files.items(), *OPTIONS.items()) for word in pair]
    words += ["--logappend", "--nounixsocket", "--quiet", "--fork"]
    words += [word for parameter in PARAMETERS for word in ("--setParameter", parameter)]
    return [*words, "--keyFile", str(key_file)] if key_file is not None else words


def _await(member: Member, process: subprocess.Popen[bytes], said: Path, log_begin: int, deadline: float) -> Launched:
    try:
        code = process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        # The parent only; the member goes on, and the next `up` finds it.
        process.kill()
        process.wait()
        return Launched(
            member,
            Ending(f"not ready after {START_SECONDS:.0f} s", "its log says what it does; `cluster up` waits again"),
        )
    if code == 0:
        return Launched(member, None)
    free = shutil.disk_usage(member.folder).free
    printed = said.read_text(encoding="utf-8", errors="replace")
    return Launched(member, why_it_ended(code, printed, tail(member.log, log_begin), port=member.port, free=free))


def stop(members: Sequence[Member], pids: Mapping[int, int]) -> list[Member]:
    """Tell members to end, and wait until they have; returns those that had to be killed."""
    ours = [member for member in members if member.number in pids]
    for member in ours:
        _signal(member, pids[member.number], signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    killed = []
    for member in ours:
        pid = pids[member.number]
        if not _gone(member, pid, deadline):
            _signal(member, pid, signal.SIGKILL)
            killed.append(member)
            _gone(member, pid, time.monotonic() + STOP_SECONDS)
    return killed


def _signal(member: Member, pid: int, sign: signal.Signals) -> None:
    try:
        os.kill(pid, sign)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise ClusterError(
            f"{member.name} (pid {pid}) belongs to another user",
            where=str(member.folder),
            hint="use `barograph cluster` as the user who brought it up",
        ) from error


def _gone(member: Member, pid: int, deadline: float) -> bool:
    """Wait for the end of a process, to the deadline; whether it came."""
    while is_alive(pid):
        if time.monotonic() > deadline:
            # Still that one, and not another one that was given its number.
            return not _is_member(_arguments(pid), member)
        time.sleep(PAUSE)
    return True


def is_alive(pid: int) -> bool:
    """Whether a process holds ports and files yet; its command line goes first.

    Of a killed process the first thread may be a zombie while another one still closes the files.
    """
    if not _PROC.exists():
        return bool(_ps("-p", str(pid)))
    try:
        # pid (name) state …, and a name may have anything in it.
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in (b"Z", b"X") or threads > 1
