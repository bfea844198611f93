"""A set of three: up, used by the job, wounded and mended, down and up again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from barograph.simulate import simulate
from barograph.store import open_store
from barograph.store.base import DayKey
from tests.cli.conftest import call
from tests.support.days import DAY, day_of
from tests.support.local_set import LocalSet
from tests.support.old_schema import make_version_1

KEY = DayKey("IICHTE19", DAY)


@pytest.fixture(scope="module", autouse=True)
def _a_day_in_it(three: LocalSet) -> None:
    store = open_store(three.uri())
    try:
        assert store.save_days([day_of(temperature=[10.0, 11.0])]) == set()
    finally:
        store.close()


def holds_the_day(three: LocalSet) -> bool:
    store = open_store(three.uri())
    try:
        return store.load_days([KEY]).keys() == {KEY}
    finally:
        store.close()


def a_secondary(three: LocalSet) -> int:
    states = [member["state"] for member in three.status()["members"]]
    assert states.count("PRIMARY") == 1
    return states.index("SECONDARY")


def test_up_again_starts_nothing(three: LocalSet) -> None:
    """`up` on a running set says so, and touches no process and no file."""
    before = three.pids, {path: path.stat().st_mtime_ns for path in three.path.iterdir() if path.name != "lock"}
    told = three("up")
    assert "all were running" in told.stdout
    after = three.pids, {path: path.stat().st_mtime_ns for path in three.path.iterdir() if path.name != "lock"}
    assert after == before


def test_status(three: LocalSet) -> None:
    """Each member with its process, state, data and uptime; healthy is exit 0."""
    found = three.status()
    assert found["result"] == "healthy"
    assert sorted(member["state"] for member in found["members"]) == ["PRIMARY", "SECONDARY", "SECONDARY"]
    assert [member["pid"] for member in found["members"]] == list(three.pids.values())
    assert all(member["data_bytes"] > 1_000_000 and member["uptime_seconds"] >= 0 for member in found["members"])
    assert f"127.0.0.1:{three.plan.ports[2]}" in three("status").stdout


def test_members_are_detached(three: LocalSet) -> None:
    """Members live in sessions of their own, without our folder or terminal: they outlive the command's shell."""
    for pid in three.pids.values():
        assert os.getsid(pid) != os.getsid(0)
        assert os.getpgid(pid) != os.getpgid(0)


def test_secrets_are_kept(three: LocalSet) -> None:
    """Files with a secret are 0600 in a folder of 0700, and no password is in output, arguments or logs."""
    assert three.path.stat().st_mode & 0o777 == 0o700
    for name in ("keyfile", "credentials", "uri", "uri.admin", "uri.reader", "cluster.json"):
        assert (three.path / name).stat().st_mode & 0o777 == 0o600, name
    passwords = set(three.folder.passwords().values())
    assert len(passwords) == 3
    assert min(map(len, passwords)) >= 32
    said = [three("up").output, three("status").output, str(three.status())]
    said += [subprocess.run(["ps", "-Aww", "-o", "args"], capture_output=True, text=True, check=True).stdout]
    said += [path.read_text(errors="replace") for member in three.members for path in member.folder.glob("*.*")]
    assert len(said) >= 13
    key = three.folder.key_file.read_text(encoding="ascii").strip()
    assert [secret for secret in (*passwords, key) for text in said if secret in text] == []


@pytest.mark.parametrize(
    ("user", "allowed", "refused"),
    [
        (
            "barograph",
            [{"find": "reports"}, {"listCollections": 1}, {"dbStats": 1}],
            [{"dropDatabase": 1}, {"drop": "reports"}, {"usersInfo": 1}],
        ),
        (
            "reader",
            [{"find": "reports"}, {"find": "report_rows"}],
            [{"insert": "reports", "documents": [{"_id": "x"}]}, {"create": "x"}],
        ),
        ("admin", [{"find": "reports"}, {"usersInfo": 1}], []),
    ],
)
def test_rights(three: LocalSet, user: str, allowed: list[dict[str, Any]], refused: list[dict[str, Any]]) -> None:
    """Each user may do what is theirs, in `meteo`, and nothing more."""
    with MongoClient[dict[str, Any]](three.uri(user)) as client:
        database = client.get_default_database()
        assert database.name == "meteo"
        for command in allowed:
            assert database.command(command)["ok"]
        if user == "barograph":
            assert client.admin.command("replSetGetStatus")["set"] == "barograph"
        for command in refused:
            with pytest.raises(OperationFailure, match="not authorized"):
                database.command(command)
        if user != "admin":
            with pytest.raises(OperationFailure, match="not authorized"):
                client["elsewhere"].command({"find": "x"})


def test_nobody_else_gets_in(three: LocalSet) -> None:
    """Without a password nothing is read, and a wrong one is refused in a line."""
    bare = three.uri().replace(three.uri().partition("//")[2].partition("@")[0] + "@", "")
    with MongoClient[dict[str, Any]](bare) as client, pytest.raises(OperationFailure, match="requires authentication"):
        client["meteo"].command({"find": "reports"})
    wrong = three.uri().replace("barograph:", "barograph:x")
    told = call("--store", wrong, "stations")
    assert told.exit_code == 1
    assert "authentication failed" in told.stderr
    assert three.folder.passwords()["barograph"] not in told.output


def test_the_job_runs_with_its_rights(three: LocalSet, tmp_path: Path) -> None:
    """run, verify, rebuild, a migration and the questions work with the job's user."""
    make_version_1(three.uri("admin"))
    with MongoClient[dict[str, Any]](three.uri("admin")) as client:
        database = client.get_default_database()
        database.command({"collMod": "logs", "validator": {}})
        database.command({"collMod": "report_rows", "viewOn": "reports", "pipeline": []})
    network = simulate(tmp_path / "feeds", days=2, stations=3)
    words = ("--config", str(network.config), "--data-dir", str(tmp_path / "data"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BAROGRAPH_STORE_FILE", str(three.path / "uri"))
        for command in (
            ["migrate"],
            ["run"],
            ["verify"],
            ["rebuild", "--yes"],
            ["status"],
            ["runs"],
            ["logs"],
            ["stations"],
        ):
            told = call(*words, *command)
            assert told.exit_code == 0, f"{command}: {told.output}"
        patch.setenv("BAROGRAPH_STORE_FILE", str(three.path / "uri.reader"))
        for command in (["query", "IICHTE19", "2024-10-01"], ["access-time", "IICHTE19", "2024-10-01"], ["stations"]):
            told = call(*words, *command)
            assert told.exit_code == 0, f"{command}: {told.output}"
        told = call(*words, "rebuild", "--yes")
        assert told.exit_code == 1
        assert "not allowed" in told.stderr
    with MongoClient[dict[str, Any]](three.uri("admin")) as client:
        found = {item["name"]: item["options"] for item in client["meteo"].list_collections()}
        assert found["logs"]["validator"]
        assert found["report_rows"]["pipeline"]
    store = open_store(three.uri())
    try:
        store.save_days([day_of(temperature=[10.0, 11.0])])
    finally:
        store.close()


def test_a_killed_member_is_mended(three: LocalSet) -> None:
    """SIGKILL for the primary: the others go on, status says degraded and how it ended, `up` starts it again."""
    states = [member["state"] for member in three.status()["members"]]
    victim = states.index("PRIMARY")
    others = {number: pid for number, pid in three.pids.items() if number != victim}
    three.kill(victim)
    # The others need their election; the URI's user waits for it.
    assert holds_the_day(three)
    found = three.status(code=1)
    assert found["result"] == "degraded"
    assert found["members"][victim]["state"] == "DOWN"
    assert "killed, or the machine went down" in found["members"][victim]["note"]
    assert "cluster up" in three("status", code=1).stdout
    told = three("up")
    assert f": 3 members, member{victim} started;" in told.stdout
    assert three.status()["result"] == "healthy"
    assert others.items() <= three.pids.items()


def test_a_wiped_member_is_made_again(three: LocalSet) -> None:
    """The folder of a member is gone: `up` starts it empty, and it copies everything from the others."""
    victim = a_secondary(three)
    member = three.members[victim]
    three.kill(victim)
    shutil.rmtree(member.folder)
    assert three.status(code=1)["members"][victim]["note"] == "has no data"
    three("up")
    assert three.status()["result"] == "healthy"
    password = three.folder.passwords()["admin"]
    with MongoClient[dict[str, Any]](
        member.address, directConnection=True, username="admin", password=password
    ) as client:
        assert client["meteo"]["reports"].find_one({"_id": str(KEY)}) is not None


def test_a_member_whose_port_was_taken(three: LocalSet) -> None:
    """Another program has a member's port: the error names it, the others run on, and the port freed mends it."""
    victim = a_secondary(three)
    port = three.plan.ports[victim]
    three.kill(victim)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        told = three("up", code=1)
    assert f"member{victim} does not start: port {port} is taken by another program" in told.stderr
    assert f"ss -ltnp 'sport = :{port}'" in told.stderr
    assert three.status(code=1)["result"] == "degraded"
    three("up")
    assert three.status()["result"] == "healthy"


def test_down_and_up_again(three: LocalSet) -> None:
    """`down` ends all, the primary last, and keeps the data; down again is no error; `up` brings the same set back."""
    states = {member["name"]: member["state"] for member in three.status()["members"]}
    told = three("down")
    ended = told.stdout.partition(": ")[2].partition(" stopped")[0].split(", ")
    assert [states[name] for name in ended] == ["SECONDARY", "SECONDARY", "PRIMARY"]
    assert "killed" not in told.output
    assert three.pids == {}
    found = three.status(code=2)
    assert found["result"] == "down"
    assert {member["note"] for member in found["members"]} == {"was shut down"}
    assert "nothing was running" in three("down").stdout
    ports, passwords = three.plan.ports, three.folder.passwords()
    # As after a reboot: the numbers in the files belong to somebody else now.
    for member in three.members:
        member.pid_file.write_text(f"{os.getpid()}\n", encoding="ascii")
    three("up")
    assert (three.plan.ports, three.folder.passwords()) == (ports, passwords)
    assert os.getpid() not in three.pids.values()
    assert holds_the_day(three)
