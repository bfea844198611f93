"""Three nights on a replica set of three: a good one, a bad one, and the next good one, as an operator sees them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from barograph.config import load
from barograph.ops.mongod import Mongod
from barograph.simulate import simulate
from tests.cli.conftest import Cli
from tests.support.http_server import HttpServer, plain
from tests.support.prometheus import fired, measured, needs_promtool
from tests.support.replica_set import ReplicaSet

HOOK = "/hooks/night"


def problems(cli: Cli, code: int) -> list[str]:
    """What `status` finds wrong."""
    return [one["what"] for one in cli.json("status", code=code)["problems"]]


def verdict(cli: Cli) -> str:
    """What the replica set is said to be, at this moment."""
    return str(json.loads(cli.tried("replica", "status", "--json").stdout)["verdict"])


def told(hook: HttpServer) -> list[str]:
    """What the last alert named."""
    said: dict[str, Any] = json.loads(hook.requests_to(HOOK)[-1].body)
    return [one["what"] for one in said["problems"]]


@needs_promtool
def test_a_bad_night_is_told_and_the_next_good_one_clears_it(
    mongod: Mongod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source that is gone, a corrupt object, a member that is down: the run exits 3 and everything else is stored.

    `status`, the alert of the unit and Prometheus' rules each name exactly these three. When they are mended, the next
    run exits 0, and all three are silent.
    """
    first_day = (datetime.now(UTC) - timedelta(days=2)).date()
    network = simulate(tmp_path / "feeds", start=first_day, days=2, stations=4)
    cli = Cli(network.config, tmp_path / "data")
    with HttpServer() as hook, ReplicaSet(mongod.path) as servers:
        monkeypatch.setenv("BAROGRAPH_STORE", servers.uri_of("nights"))
        monkeypatch.setenv("BAROGRAPH_ALERT_URL", hook.on(HOOK, plain("ok")))

        def alerts() -> set[tuple[str, str]]:
            return fired(measured(load(cli.config, data_dir=cli.data_dir)), tmp_path)

        cli("run")
        cli("backup", "create")
        cli("backup", "drill")
        assert problems(cli, code=0) == []
        assert alerts() == set()

        export = Path(load(cli.config).connections["meteo_ichtegem"].url)
        hidden = export.rename(export.with_suffix(".gone"))
        corrupt = cli.data_dir / "landing" / "meteo_sync" / "madeleine" / "2026_01_01_1767225600000_0.csv"
        corrupt.write_bytes(b"PK\x03\x04 not a table")
        down = (servers.wait_for_primary() + 1) % 3
        servers.kill(down)
        servers.until(lambda: verdict(cli) == "degraded", "the primary misses the member")
        night = cli.json("run", code=3)
        assert night["status"] == "incomplete"
        assert [one["connection"] for one in night["connections"] if one["status"] == "failed"] == ["meteo_ichtegem"]
        broken = [one["object"] for one in night["objects"] if one["status"] == "failed"]
        assert broken == [f"meteo_sync/madeleine/{corrupt.name}"]
        found = problems(cli, code=3)
        cli("alert", "barograph-run.service")
        for named in (found, told(hook)):
            replica, connection, objects = named
            assert replica.startswith("the replica set is degraded: ")
            assert connection.startswith("connection meteo_ichtegem failed: ")
            assert objects == "1 landed object cannot be read"
        screen = cli("status", code=3).stdout
        assert "2 of 3 members answer" in screen
        assert "meteo_ichtegem" in screen
        assert corrupt.name in screen
        assert alerts() == {
            ("BarographConnectionFailing", "meteo_ichtegem"),
            ("BarographObjectsFailed", ""),
            ("BarographReplicaDegraded", ""),
        }

        hidden.rename(export)
        corrupt.unlink()
        servers.restart(down)
        servers.wait_for_primary()
        assert cli.json("run")["status"] == "done"
        servers.until(lambda: verdict(cli) == "healthy", "the member is back")
        assert problems(cli, code=0) == []
        assert alerts() == set()
        cli("verify")
