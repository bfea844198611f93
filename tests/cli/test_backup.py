"""`backup` and `migrate` on the command line: what they tell, in text and in JSON, and how they end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, call
from tests.support.old_schema import make_version_1


@pytest.fixture
def place(tmp_path: Path) -> list[str]:
    return ["--backups", str(tmp_path / "elsewhere")]


def test_a_backup_s_life(own_cli: Cli, place: list[str]) -> None:
    """Taken, listed, verified, drilled, refused, restored, pruned; each step tells what a script needs."""
    made = own_cli.json("backup", "create", *place)
    name = made["backup_id"]
    assert re.fullmatch(r"\d{8}T\d{9}Z", name)
    assert made["run"]["status"] == "incomplete"
    assert own_cli.json("backup", "verify", name, *place) == made
    (listed,) = own_cli.json("backup", "list", *place)
    assert (listed["backup_id"], listed["drill"], listed["problem"]) == (name, None, None)
    drilled = own_cli.json("backup", "drill", *place)
    assert (drilled["current"], drilled["content"]) == (True, made["content"])
    assert own_cli.json("backup", "list", *place)[0]["drill"]["ok"]
    refused = own_cli("backup", "restore", *place, code=1)
    assert "the store is not empty" in refused.stderr
    assert "--force" in refused.stderr.splitlines()[-1]
    restored = own_cli.json("backup", "restore", "--force", *place)
    assert (restored["written"], restored["content"]) == (made["content"]["days"], made["content"])
    part = own_cli.json("backup", "restore", "--station", "07015", "--from", "2024-10-02", *place)
    assert (part["written"], part["unchanged"]) == (0, 1)
    assert own_cli.json("backup", "prune", *place) == {"removed": [], "kept": [name], "dry_run": False}
    assert "passed" in own_cli("backup", "list", *place).stdout


def test_a_damaged_backup_fails(own_cli: Cli, place: list[str], tmp_path: Path) -> None:
    """Exit code 1, the object that is damaged, and what to do."""
    made = own_cli.json("backup", "create", *place)
    (tmp_path / "elsewhere" / made["backup_id"] / "logs-00000.bson.zst").unlink()
    for words in (["verify"], ["drill"], ["restore", "--force"]):
        told = own_cli("backup", *words, *place, code=1).stderr
        assert f"{made['backup_id']}/logs-00000.bson.zst: the backup is damaged: it is missing" in told
    own_cli("query", "07015", "2024-10-01")
    assert "failed" in own_cli("backup", "list", *place).stdout


def test_there_is_no_backup(own_cli: Cli, place: list[str]) -> None:
    """Of nothing, and of a store that no run has made."""
    assert "there is no backup" in own_cli("backup", "verify", *place, code=1).stderr
    assert own_cli.json("backup", "list", *place) == []
    told = call("--data-dir", "nowhere", "backup", "create", *place)
    assert told.exit_code == 1
    assert "there is no record yet" in told.stderr
    assert not Path("nowhere/meteo.db").exists()


def test_a_command_that_is_not_there() -> None:
    """A group names what it has."""
    told = call("backup", "make")
    assert told.exit_code == 2
    assert "create, list, verify, restore, drill, prune" in told.stderr


def test_an_older_schema_is_migrated_on_purpose(own_cli: Cli) -> None:
    """The job stops with what to do; --dry-run tells, the command does, and then there is nothing to do."""
    make_version_1(f"sqlite:///{own_cli.data_dir / 'meteo.db'}")
    told = own_cli("run", code=1).stderr
    assert "its schema has version 1, this barograph writes 2" in told
    assert "`barograph migrate`" in told
    own_cli("query", "07015", "2024-10-01")
    assert [step[:10] for step in own_cli.json("migrate", "--dry-run")["steps"]] == ["version 2:"]
    assert own_cli.json("migrate")["version"] == 2
    assert own_cli.json("migrate")["steps"] == []
    assert "nothing to do" in own_cli("migrate").stdout
    own_cli("run")
