"""The roles of docs/mongodb-security.md, as they stand there, on a real server that wants TLS and passwords."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner, Result
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from barograph.faces.cli.main import root
from barograph.simulate import SimulatedNetwork, simulate
from tests.docs.pages import DOCS, blocks
from tests.support.secure_server import PASSWORD, SecureServer

PAGE: Final = DOCS / "mongodb-security.md"
COMMAND: Final = re.compile(r'db\.getSiblingDB\("(\w+)"\)\.runCommand\((\{.*?\})\)$', re.MULTILINE | re.DOTALL)
MONITOR: Final = "meteo_monitor"


def commands() -> list[tuple[str, dict[str, Any]]]:
    """Database and command of each mongosh line of the page, in its order."""
    found = []
    for block in blocks(PAGE):
        for database, command in COMMAND.findall(block.text):
            found.append((database, json.loads(command.replace("passwordPrompt()", json.dumps(PASSWORD)))))
        assert block.text.count("runCommand") == len(COMMAND.findall(block.text))
    return found


@dataclass(frozen=True, slots=True)
class Site:
    """A network to run, and the command line as one of the page's users."""

    server: SecureServer
    network: SimulatedNetwork
    data_dir: Path

    def __call__(self, user: str, *words: str) -> Result:
        source = "admin" if user == MONITOR else None
        options = ["--config", str(self.network.config), "--data-dir", str(self.data_dir)]
        environment = {"BAROGRAPH_STORE": self.server.uri(user, authSource=source)}
        result = CliRunner().invoke(root, [*options, *words], prog_name="barograph", env=environment)
        assert "s3cret" not in result.output
        return result

    def refused(self, user: str, *words: str, said: str) -> None:
        """The command ends with one line and a hint that names the rights."""
        result = self(user, *words)
        assert result.exit_code == 1
        lines = result.stderr.splitlines()
        error = next(place for place, line in enumerate(lines) if line.startswith("error: "))
        assert "this user is not allowed to do that" in lines[error]
        assert said in lines[error]
        assert lines[error + 1 :] == [lines[-1]]
        assert "grant it" in lines[-1]
        assert "docs/mongodb-security.md" in lines[-1]


@pytest.fixture
def site(secure_server: SecureServer, tmp_path: Path) -> Iterator[Site]:
    """The server with exactly the roles and users of the page; they and the database are gone afterwards."""
    with secure_server.admin() as client:
        for database, command in commands():
            client[database].command(command)
        try:
            yield Site(secure_server, simulate(tmp_path / "feeds", days=1, stations=2), tmp_path / "data")
        finally:
            client.drop_database("meteo")
            for database, command in reversed(commands()):
                (name, value), *_ = command.items()
                client[database].command(name.replace("create", "drop"), value)


def test_the_roles_of_the_page_suffice(site: Site) -> None:
    """Job, readers, monitor and rebuild do their work with the roles of the page, and with nothing beyond them."""
    first = site("meteo_job", "run")
    assert first.exit_code == 0, first.output
    with site.server.admin() as client:
        # As an older version may have left it.
        client.meteo.command({"collMod": "logs", "validator": {}})
        client.meteo.command({"collMod": "report_rows", "viewOn": "reports", "pipeline": []})
        client.meteo.logs.drop_indexes()
        client.meteo.meta.drop()
        client.meteo.reports.create_index("day", name="station_day")
        assert site("meteo_job", "run").exit_code == 1
        migrated = site("meteo_rebuild", "migrate")
        assert migrated.exit_code == 0, migrated.output
        assert site("meteo_job", "run").exit_code == 0
        assert len(list(client.meteo.logs.list_indexes())) > 1
        assert "validator" in next(client.meteo.list_collections(filter={"name": "logs"}))["options"]
    assert site("meteo_job", "verify").exit_code == 0
    station = next(iter(site.network.station_reports))
    for words in (
        ("query", station, "2024-10-01"),
        ("stations",),
        ("sql", "SELECT COUNT(*) FROM reports"),
        ("export",),
        ("runs",),
        ("logs",),
        ("status",),
    ):
        told = site("meteo_reader", *words)
        assert told.exit_code == 0, told.output
    status = site(MONITOR, "replica", "status", "--json")
    assert status.exit_code == 0, status.output
    assert json.loads(status.stdout)["unseen"] == []
    rebuilt = site("meteo_rebuild", "rebuild", "--yes")
    assert rebuilt.exit_code == 0, rebuilt.output
    assert f"{site.network.reports:,} new" in rebuilt.stdout
    for user, part in (("meteo_job", ["create"]), ("meteo_restore", ["restore", "--force"]), ("meteo_job", ["verify"])):
        done = site(user, "backup", *part)
        assert done.exit_code == 0, done.output


def test_the_roles_of_the_page_give_no_more(site: Site) -> None:
    """The job deletes nothing, readers write nothing, the monitor reads nothing; each is told in words."""
    assert site("meteo_job", "run").exit_code == 0
    site.refused(
        "meteo_job", "rebuild", "--yes", said="(empty the ledger: not authorized on meteo.objects to execute delete)"
    )
    site.refused("meteo_reader", "ingest", said="not authorized on meteo")
    site.refused(MONITOR, "stations", said="(list stations: not authorized on meteo.meta to execute find)")
    with site.server.admin() as client:
        (known,) = client.meteo.command("usersInfo", "meteo_job")["users"]
        assert [role["role"] for role in known["roles"]] == ["barographJob"]
    with MongoClient[dict[str, Any]](site.server.uri("meteo_job", authSource=None)) as job:
        for deed in (
            lambda: job.meteo.reports.delete_many({}),
            lambda: job.meteo.logs.update_many({}, {"$set": {"msg": "nothing happened"}}),
            job.meteo.reports.drop,
            job.meteo.reports.drop_indexes,
            job.elsewhere.anything.find_one,
        ):
            with pytest.raises(OperationFailure) as caught:
                deed()
            assert caught.value.code == 13
