"""A real mongod that is made to fail, and the words for it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from barograph.ops.cluster.folder import Member
from barograph.ops.cluster.processes import is_alive, launch, running, stop
from barograph.ops.mongod import Mongod
from barograph.ops.mongod_log import how_it_ended, last_words, tail
from tests.ops.test_mongod import script
from tests.support.replica_set import free_port


@pytest.fixture(scope="module")
def used(mongod: Mongod, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a member that has run and was shut down."""
    member = Member(0, free_port(), tmp_path_factory.mktemp("used") / "member0")
    assert launch(mongod, [member], None)[0].ending is None
    assert stop([member], running([member])) == []
    return member.folder


@pytest.fixture
def member(used: Path, tmp_path: Path) -> Iterator[Member]:
    """A copy of it."""
    made = Member(0, free_port(), Path(shutil.copytree(used, tmp_path / "member0")))
    yield made
    for pid in running([made]).values():
        os.kill(pid, signal.SIGKILL)


def ending(mongod: Mongod, member: Member, key_file: Path | None = None) -> tuple[str, str]:
    """What and hint of a start that fails."""
    found = launch(mongod, [member], key_file)[0].ending
    assert found is not None
    return found.what, found.hint


def test_the_port_is_taken(mongod: Mongod, member: Member) -> None:
    """By the exit code 48, and before the data are touched."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", member.port))
        other.listen()
        what, hint = ending(mongod, member)
    assert what == f"port {member.port} is taken by another program"
    assert f":{member.port}" in hint


def test_the_data_are_in_use(mongod: Mongod, member: Member, tmp_path: Path) -> None:
    """Another mongod holds the lock of the data folder, here by another name of it."""
    assert launch(mongod, [member], None)[0].ending is None
    (tmp_path / "alias").symlink_to(member.folder)
    what, _ = ending(mongod, Member(0, free_port(), tmp_path / "alias"))
    assert what == "another mongod runs on its data folder"
    # The pid file is now that of the one that failed; the member is still known.
    assert list(running([member])) == [0]


def test_the_data_are_of_another_version(mongod: Mongod, member: Member) -> None:
    """WiredTiger's files of a version that this one does not know."""
    turtle = member.data / "WiredTiger.turtle"
    text = turtle.read_bytes()
    turtle.write_bytes(text.replace(b"version=(major=1,minor=1)", b"version=(major=9,minor=0)"))
    assert turtle.read_bytes() != text
    what, hint = ending(mongod, member)
    assert what == "its data were written by another version of MongoDB"
    assert "BAROGRAPH_MONGOD" in hint


@pytest.mark.parametrize("name", ["WiredTiger.turtle", "_mdb_catalog.wt", "WiredTiger.wt"])
def test_the_data_are_damaged(mongod: Mongod, member: Member, name: str) -> None:
    """A file of the storage engine was cut, or overwritten."""
    path = member.data / name
    path.write_bytes(b"" if name != "WiredTiger.wt" else b"\xff" * path.stat().st_size)
    what, hint = ending(mongod, member)
    assert what == "its data are damaged"
    assert "copies it again" in hint


def test_too_few_files_may_be_opened(mongod: Mongod, member: Member, tmp_path: Path) -> None:
    """A limit of the shell, as of a service."""
    limited = script(tmp_path / "mongod", f'ulimit -n 20\nexec {mongod.path} "$@"')
    what, hint = ending(Mongod(limited, mongod.version), member)
    assert what == "it may not open enough files"
    assert "ulimit -n" in hint


def test_the_key_file_is_for_everybody(mongod: Mongod, member: Member, tmp_path: Path) -> None:
    """mongod refuses a key that others may read."""
    key = tmp_path / "key"
    key.write_text("abcdefgh\n", encoding="ascii")
    key.chmod(0o644)
    what, hint = ending(mongod, member, key)
    assert what == "it cannot use the key file"
    assert "0600" in hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_the_data_may_not_be_written(mongod: Mongod, member: Member) -> None:
    """The data belong to somebody else."""
    member.data.chmod(0o500)
    try:
        assert ending(mongod, member)[0] == "it may not write its files"
    finally:
        member.data.chmod(0o700)


def test_an_option_is_not_known(mongod: Mongod, member: Member, tmp_path: Path) -> None:
    """Another build of mongod may lack an option; its own words tell which."""
    odd = script(tmp_path / "mongod", f'exec {mongod.path} --no-such-option "$@"')
    assert "unrecognised option '--no-such-option'" in ending(Mongod(odd, mongod.version), member)[0]


FULL = """
import subprocess, sys
from pathlib import Path
from barograph.ops import mongod_log
from barograph.ops.cluster.folder import Member
from barograph.ops.cluster.processes import launch
from barograph.ops.mongod import find_mongod

mount, elsewhere, port = Path(sys.argv[1]), sys.argv[2] == "elsewhere", int(sys.argv[3])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(mount)], check=True)
member = Member(0, port, mount / "member0")
member.data.mkdir(parents=True)
if elsewhere:
    member.log.symlink_to(mount.parent / "elsewhere.log")
    # Now mongod's words have to do.
    mongod_log.FULL = 0
try:
    with (mount / "filler").open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
except OSError as error:
    assert error.strerror == "No space left on device"
ending = launch(find_mongod(), [member], None)[0].ending
print("no ending" if ending is None else ending.what)
"""


@pytest.mark.parametrize("log", ["here", "elsewhere"])
def test_the_disk_is_full(mongod: Mongod, tmp_path: Path, log: str) -> None:
    """A real full file system, of our own; its log has no room either, or is elsewhere."""
    outside = ["unshare", "--user", "--map-root-user", "--mount"]
    mount = tmp_path / "mount"
    mount.mkdir()
    if (
        shutil.which("unshare") is None
        or subprocess.run(
            [*outside, "mount", "-t", "tmpfs", "none", str(mount)], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("this user may not mount a file system of their own")
    # In a namespace of processes of its own, too: whatever runs in it ends with it.
    inside = [*outside, "--pid", "--fork", "--kill-child", "--mount-proc"]
    program = [sys.executable, "-c", FULL, str(mount), log, str(free_port())]
    told = subprocess.run([*inside, *program], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert told.stdout.strip() == "the disk is full"


def test_the_words_of_an_end(mongod: Mongod, member: Member) -> None:
    """A log tells whether a member was shut down, failed, or was killed; another's log, and none, are no error."""
    assert how_it_ended(tail(member.log)) == "was shut down"
    assert launch(mongod, [member], None)[0].ending is None
    pid = running([member])[0]
    os.kill(pid, signal.SIGKILL)
    while is_alive(pid):
        time.sleep(0.01)
    assert how_it_ended(tail(member.log)) == "ended without a word in its log: killed, or the machine went down"
    begin = member.log.stat().st_size
    with socket.socket() as other:
        other.bind(("127.0.0.1", member.port))
        other.listen()
        ending(mongod, member)
    said = tail(member.log, begin)
    assert how_it_ended(said) == "ended with exit code 48: Error setting up listener: Address already in use"
    assert last_words(said) == "Error setting up listener: Address already in use"
    member.log.write_text("not\nJSON\n", encoding="utf-8")
    assert how_it_ended(tail(member.log)) == "its log is empty"
    assert tail(member.folder / "nothing") == ""
