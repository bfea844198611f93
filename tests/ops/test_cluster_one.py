"""Sets of one member, which come up in a second: making them, killed at any instant, refused, removed."""

from __future__ import annotations

import json
import os
import pty
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from barograph.config import cluster_port, load
from barograph.ops.cluster import processes
from barograph.ops.cluster.ports import is_free
from barograph.store import open_store
from barograph.store.base import DayKey
from tests.cli.conftest import call
from tests.support.days import DAY, day_of
from tests.support.local_set import LocalSet

KEY = DayKey("IICHTE19", DAY)
ONE = ("up", "--members", "1")
PROGRAM = (sys.executable, "-m", "barograph")


def save_a_day(made: LocalSet) -> None:
    store = open_store(made.uri())
    try:
        revision = store.load_days([KEY])[KEY].revision if KEY in store.load_days([KEY]) else 0
        assert store.save_days([day_of(temperature=[10.0, 11.0], revision=revision)]) == set()
    finally:
        store.close()


def holds_the_day(made: LocalSet) -> bool:
    store = open_store(made.uri())
    try:
        return store.load_days([KEY]).keys() == {KEY}
    finally:
        store.close()


def is_whole(made: LocalSet) -> bool:
    """Healthy, with users who can do what they are for, and nothing else."""
    save_a_day(made)
    assert holds_the_day(made)
    with MongoClient[dict[str, Any]](made.uri("admin")) as client:
        users = {user["user"] for user in client.admin.command("usersInfo", 1)["users"]}
    with MongoClient[dict[str, Any]](made.uri("reader")) as client:
        assert client["meteo"]["reports"].find_one() is not None
    return users == {"admin", "barograph", "reader"} and made.status()["result"] == "healthy"


def test_killed_between_two_commands(empty: LocalSet) -> None:
    """`up` killed around any command to the server is completed by the next one, which is killed a little later.

    Each gets as far as its own end only if it has completed what the one before it left.
    """
    passwords = None
    for when, name in (
        ("after", "hello"),
        ("before", "replSetInitiate"),
        ("after", "replSetInitiate"),
        ("before", "createUser"),
        ("after", "createUser"),  # admin
        ("after", "createRole"),
        ("after", "createUser"),  # barograph
        ("after", "createUser"),  # reader
    ):
        empty.killed(when, name, *ONE)
        assert empty.folder.passwords() == (passwords or empty.folder.passwords())
        passwords = empty.folder.passwords()
    empty("up")
    assert empty.folder.passwords() == passwords
    assert is_whole(empty)


def test_killed_while_it_writes_and_starts(empty: LocalSet) -> None:
    """`up` killed as soon as a file has appeared is completed by the next one, which is killed at the next file."""
    words = [*PROGRAM, "--data-dir", str(empty.data_dir), "cluster", *ONE]
    member = ("member0/start.out", "member0/mongod.log", "member0/data/mongod.lock")
    for there in ("lock", "cluster.json", "keyfile", "credentials", *member, "uri.admin", "uri.reader"):
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as killed:
            while not (empty.path / there).exists() and killed.poll() is None:
                pass
            killed.kill()
        assert (empty.path / there).exists()
    empty(*ONE)
    assert is_whole(empty)


def test_two_ups_at_once(empty: LocalSet) -> None:
    """Two make one set: the second waits for the first, and finds everything running."""
    words = [*PROGRAM, "--data-dir", str(empty.data_dir), "cluster", *ONE]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert sorted("member0 started" in out for out, _ in told) == [False, True]
    assert is_whole(empty)


def test_two_sets_at_once(mongod: object, tmp_path: Path) -> None:
    """Two folders, at the same time, and one free port after the other: each gets its own."""
    sets = [LocalSet(tmp_path / name) for name in ("one", "two")]
    try:
        words = [[*PROGRAM, "--data-dir", str(made.data_dir), "cluster", *ONE] for made in sets]
        all_of_them = [subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for line in words]
        told = [process.communicate()[0] for process in all_of_them]
        assert [process.returncode for process in all_of_them] == [0, 0], told
        assert len({made.plan.ports for made in sets}) == 2
        assert all(made.status()["result"] == "healthy" for made in sets)
    finally:
        for made in sets:
            made.end()


def test_back_after_a_power_cut_in_another_place(single: LocalSet, tmp_path: Path) -> None:
    """Killed without warning, the folder moved, its pids now somebody else's: `up` finds the data."""
    save_a_day(single)
    single.kill()
    moved = LocalSet(tmp_path / "moved")
    shutil.move(single.data_dir, moved.data_dir)
    try:
        for path in (moved.members[0].pid_file, moved.members[0].data / "mongod.lock"):
            path.write_text(f"{os.getpid()}\n", encoding="ascii")
        assert "DOWN" in moved("status", code=2).stdout
        assert "nothing was running" in moved("down").stdout
        moved("up")
        assert holds_the_day(moved)
        moved.kill()
    finally:
        shutil.move(moved.data_dir, single.data_dir)
    single("up")


def test_a_member_that_hangs(single: LocalSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that runs and answers nobody is seen; `down` waits for it, then kills it and says so."""
    save_a_day(single)
    pid = single.pids[0]
    os.kill(pid, signal.SIGSTOP)
    monkeypatch.setattr("barograph.ops.cluster.talk.ANSWER_MS", 300)
    assert single.status(code=2)["members"][0]["state"] == "NO ANSWER"
    monkeypatch.setattr("barograph.ops.cluster.up.ANSWER_SECONDS", 0.5)
    told = single("up", code=1)
    assert f"member0 does not answer on port {single.plan.ports[0]}, though it runs (pid {pid})" in told.stderr
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.5)
    told = single("down")
    assert "member0 did not end when told to, and was killed" in told.stdout
    assert single.pids == {}
    monkeypatch.undo()
    single("up")
    assert holds_the_day(single)


def test_the_lines_that_up_prints_work(single: LocalSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line for the shell, and the two for barograph.toml, lead to the set as they stand."""
    told = single("up").stdout.splitlines()
    export = next(line for line in told if line.startswith("  export "))
    name, _, value = shlex.split(export)[1].partition("=")
    table = told[told.index("  [store]") :]
    config = tmp_path / "barograph.toml"
    config.write_text("\n".join(table), encoding="utf-8")
    assert load(config, environ={}).store_url == load(environ={name: value}).store_url == single.uri()
    monkeypatch.setenv(name, value)
    assert call("stations").exit_code == 0


def test_a_set_keeps_how_it_was_made(single: LocalSet) -> None:
    """Members, port and passwords are for life: other options are refused, the same ones are not."""
    port = single.plan.ports[0]
    single("up", "--members", "1", "--port", str(port))
    for words, said in (
        (["--members", "3"], "this set was made with --members 1"),
        (["--port", str(port + 1)], f"this set was made with --port {port}"),
        (["--no-auth"], "this set was made with passwords"),
    ):
        assert said in single("up", *words, code=1).stderr


def test_files_that_went_missing(single: LocalSet) -> None:
    """Without the credentials nobody can be let in: said in a line, and put back they serve again."""
    credentials = single.path / "credentials"
    kept = credentials.read_text(encoding="utf-8")
    credentials.unlink()
    assert "is missing, and the members do not tell passwords" in single("up", code=1).stderr
    credentials.write_text(kept[:-10], encoding="utf-8")
    told = single("up", code=1)
    assert "is not what `cluster up` wrote" in told.stderr
    wrong = dict.fromkeys(json.loads(kept), "wrong")
    credentials.write_text(json.dumps(wrong), encoding="utf-8")
    assert "the password of admin is not the one that the members know" in single("up", code=1).stderr
    credentials.write_text(kept, encoding="utf-8")
    key = single.folder.key_file
    key.rename(single.path / "key.away")
    assert "is missing while members run that know it" in single("up", code=1).stderr
    (single.path / "key.away").rename(key)
    # Of a set that is down, the others have nothing to hold against a new one.
    single("up")
    assert is_whole(single)


def test_a_changed_password_is_set_again(single: LocalSet) -> None:
    """Files are the truth: a user whose password or role differs is mended by `up`."""
    with MongoClient[dict[str, Any]](single.uri("admin")) as client:
        client.admin.command("updateUser", "barograph", pwd="another", roles=[])
        client.admin.command("dropUser", "reader")
        client.admin.command("updateRole", "barographJob", privileges=[])
    single("up")
    assert is_whole(single)


def test_data_that_went_missing(empty: LocalSet) -> None:
    """A set whose members have all lost their data is not quietly begun anew; `destroy` and `up` do that."""
    empty(*ONE)
    empty.kill()
    shutil.rmtree(empty.members[0].folder)
    assert "no member has its data any more" in empty("up", code=1).stderr
    assert empty.pids == {}
    empty.members[0].data.mkdir(parents=True)
    (empty.members[0].data / "WiredTiger").write_text("", encoding="utf-8")
    empty("destroy", "--yes")
    empty(*ONE)
    assert is_whole(empty)


def test_without_passwords(empty: LocalSet) -> None:
    """--no-auth: no key file, no credentials, and the same files with URIs; status and down know it."""
    told = empty(*ONE, "--no-auth")
    assert "@" not in told.stdout
    assert not (empty.path / "keyfile").exists()
    assert not (empty.path / "credentials").exists()
    assert empty.uri() == empty.uri("admin") == f"mongodb://127.0.0.1:{empty.plan.ports[0]}/meteo?replicaSet=barograph"
    save_a_day(empty)
    assert empty.status()["auth"] is False
    empty("up")
    empty("down")
    empty("destroy", "--yes")
    assert not empty.path.exists()


def test_where_there_is_no_proc(single: LocalSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Members are known by what ps shows, too, as on a system without /proc; also where the files with pids lie."""
    known = single.pids
    monkeypatch.setattr(processes, "_PROC", tmp_path / "none")
    assert single.pids == known
    for path in (single.members[0].pid_file, single.members[0].data / "mongod.lock"):
        path.write_text(f"{os.getpid()}\n", encoding="ascii")
    assert single.pids == known
    assert "member0 stopped" in single("down").stdout
    assert single.pids == {}
    monkeypatch.undo()
    single("up")


def test_destroy_asks(single: LocalSet) -> None:
    """Nothing is removed without a yes; where nobody can be asked, --yes has to say it."""
    told = single("destroy", code=1)
    assert "nobody is there to be asked" in told.stderr
    assert single.status()["result"] == "healthy"


def test_destroy_asks_on_a_terminal(empty: LocalSet) -> None:
    """A no leaves everything as it was, a yes removes it."""
    empty(*ONE)
    words = [*PROGRAM, "--data-dir", str(empty.data_dir), "cluster", "destroy"]
    for answer, code in (("n", 1), ("y", 0)):
        ours, theirs = pty.openpty()
        os.write(ours, f"{answer}\n".encode())
        done = subprocess.run(words, stdin=theirs, capture_output=True, text=True, check=False)
        os.close(ours)
        os.close(theirs)
        assert done.returncode == code, done.stderr
        assert f"Stop the replica set in {empty.path} and remove all its data?" in done.stderr
        assert empty.folder.exists == (answer == "n")
    assert not empty.path.exists()


def test_destroy_leaves_what_is_not_its_own(empty: LocalSet) -> None:
    """Only what `cluster up` made is removed."""
    empty(*ONE)
    (empty.path / "notes.txt").write_text("mine", encoding="utf-8")
    empty("destroy", "--yes")
    assert [path.name for path in empty.path.iterdir()] == ["notes.txt"]
    told = empty(*ONE, code=1)
    assert "is not empty, and no `cluster up` made it" in told.stderr


def test_there_is_no_set(empty: LocalSet) -> None:
    """Status says none, with exit 2; down and destroy say what makes one; nothing is made by asking."""
    assert empty.status(code=2) == {
        "result": "none",
        "set": "barograph",
        "folder": str(empty.path),
        "auth": False,
        "uri": "",
        "uri_file": None,
        "members": [],
    }
    assert f"none: there is no local replica set in {empty.path}" in empty("status", code=2).stdout
    for words in (["down"], ["destroy", "--yes"]):
        assert "`barograph cluster up` makes one" in empty(*words, code=1).stderr
    assert not empty.data_dir.exists()


@pytest.mark.parametrize("count", ["0", "2", "4", "9"])
def test_a_number_of_members_that_is_not_supported(empty: LocalSet, count: str) -> None:
    """An even number, or more than may vote, is refused before anything is made."""
    told = empty("up", "--members", count, code=2)
    assert f"a set of {count} members is not supported" in told.stderr
    assert not empty.data_dir.exists()


def test_ports(empty: LocalSet) -> None:
    """The first free port is taken; one that is asked for and taken is refused by name, and leaves nothing."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert not is_free(port)
        told = empty(*ONE, "--port", str(port), code=1)
        assert f"port {port} is taken by another program" in told.stderr
        assert "choose another with --port" in told.stderr
    assert not empty.folder.exists
    told = empty(*ONE, "--port", "70000", code=2)
    assert "port 70000" in told.stderr
    empty(*ONE)
    assert empty.plan.ports[0] >= cluster_port()
    assert not is_free(empty.plan.ports[0])


def test_files_of_another_barograph(empty: LocalSet) -> None:
    """A newer format and a damaged file are told apart, and never overwritten."""
    empty.path.mkdir(parents=True)
    file = empty.path / "cluster.json"
    newer = {"format": 2, "regions": ["north", "south"]}
    for text, said in ((json.dumps(newer), "a newer barograph made this set"), ("{", "is not what `cluster up` wrote")):
        file.write_text(text, encoding="utf-8")
        for words in (["up"], ["status"], ["down"]):
            assert said in empty(*words, code=1).stderr
        assert file.read_text(encoding="utf-8") == text
    file.unlink()


def test_the_configuration_may_name_the_uri_before_it_is_there(empty: LocalSet, tmp_path: Path) -> None:
    """[store] url_file of a set that is still to be made does not keep `cluster` from making it."""
    config = tmp_path / "barograph.toml"
    config.write_text(f'[store]\nurl_file = "{empty.path}/uri"\n', encoding="utf-8")
    words = ("--config", str(config), "--data-dir", str(empty.data_dir))
    assert call(*words, "cluster", "status").exit_code == 2
    refused = call(*words, "stations")
    assert refused.exit_code == 2
    assert "url_file" in refused.stderr
    assert "`barograph cluster up`" in refused.stderr
    assert call(*words, "cluster", *ONE).exit_code == 0
    assert call(*words, "stations").exit_code == 0


def test_a_long_log_is_put_aside(single: LocalSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs do not grow for ever: beyond a size one is kept aside when its member is started."""
    monkeypatch.setattr(processes, "LOG_BYTES", 1000)
    single.kill()
    before = single.members[0].log.read_bytes()
    single("up")
    aside = single.members[0].folder / "mongod.log.1"
    assert aside.read_bytes() == before
    # Each line has its instant: the new log has none of the old ones, however long its start made it.
    assert not set(before.splitlines()) & set(single.members[0].log.read_bytes().splitlines())
