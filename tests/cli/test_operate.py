"""What an operator sees: connections, runs, logs, status."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from barograph.simulate import SimulatedNetwork
from tests.cli.conftest import Cli

AIRBYTE = [
    "name",
    "source",
    "destination",
    "frequency",
    "next due",
    "tags",
    "enabled",
    "last sync",
    "duration",
    "records",
    "bytes",
    "state",
    "health",
]


def test_connections(own_cli: Cli) -> None:
    """The columns of Airbyte's page; a connection that is switched off and never ran says so."""
    text = own_cli.config.read_text(encoding="utf-8")
    more = '\n[connections.spare]\nsource = "infoclimat"\nurl = "x.json"\nenabled = false\ntags = ["later", "fr"]\n'
    own_cli.config.write_text(text + more, encoding="utf-8")
    lines = own_cli("connections").stdout.splitlines()
    assert re.split(r"  +", lines[0]) == AIRBYTE
    assert re.search(r"manual +later, fr +no +never +never +unknown$", lines[-1])
    found = {item["name"]: item for item in own_cli.json("connections")}
    assert found["meteo_ichtegem"]["state"] == "landed"
    assert found["meteo_ichtegem"]["destination"].endswith("landing/meteo_sync/ichtegem")
    assert abs((datetime.fromisoformat(found["meteo_ichtegem"]["last_sync"]) - datetime.now(UTC)).days) <= 1
    assert (found["spare"]["last_sync"], found["spare"]["tags"], found["spare"]["enabled"]) == (
        None,
        ["later", "fr"],
        False,
    )


def test_runs_and_logs(cli: Cli, network: SimulatedNetwork) -> None:
    """The first run, its status, and every rejection under its id."""
    first = cli.json("runs")[-1]
    assert (first["command"], first["status"]) == ("run", "incomplete")
    assert re.search(rf"{first['run_id']} +run +.* incomplete +{network.reports:,} ", cli("runs").stdout)
    errors = cli.json("logs", "--type", "error", "--run", first["run_id"], "--limit", "0")
    rejected = [entry for entry in errors if entry["msg"].startswith("rejected: ")]
    assert len(rejected) == network.rejected
    assert {entry["context"]["value"] for entry in rejected} >= {"25:61"}
    assert len(cli.json("logs", "--limit", "2")) == 2
    assert cli.json("logs", "--run", "nope") == []
    assert re.match(r"time +type +message\n20", cli("logs", "--run", "last").stdout)


def test_logs_show_no_control_characters(own_cli: Cli) -> None:
    """What a feed says may be anything; a terminal gets it escaped."""
    key = "meteo_sync/ichtegem/2031_01_01_1925000000000_0.csv"
    data = '{""Time"":""00:04:00"",""Date"":""2024-09-01"",""Temperature"":""\\u001b[31mred""}'
    text = f'_airbyte_raw_id,_airbyte_extracted_at,_airbyte_data\nx,1925000000000,"{data}"\n'
    (own_cli.data_dir / "landing" / key).write_text(text, encoding="utf-8")
    assert "\x1b" not in own_cli("ingest", code=3).output
    assert "\x1b" not in own_cli("logs").output


def test_status(own_cli: Cli, network: SimulatedNetwork) -> None:
    """What is wrong, with the command that tells more; exit 3 until a run ends well, then 0."""
    told = own_cli("status", code=3).stdout
    assert told.startswith("needs attention\n")
    assert f"the last run rejected {network.rejected} rows" in told
    assert "logs --type error --run last --limit 0" in told
    own_cli("run")
    found = own_cli.json("status")
    assert (found["result"], found["problems"], found["failed_objects"]) == ("ok", [], {})
    assert {item["station_id"]: item["reports"] for item in found["stations"]} == network.station_reports
    assert own_cli("status").stdout.startswith("all is well\n")


def test_status_knows_old_stations(own_cli: Cli) -> None:
    """--max-age makes an old record a problem."""
    own_cli("run")
    found = own_cli.json("status", "--max-age", "36", code=3)
    assert len(found["problems"]) == len(found["stations"])
    assert "the last report is" in found["problems"][0]["what"]


def test_status_before_the_first_run(tmp_path: object, network: SimulatedNetwork) -> None:
    """Nothing has run: say so, and how to begin."""
    found = Cli(network.config, network.out_dir / "nothing").json("status", code=3)
    assert (found["last_run"], [item["what"] for item in found["problems"]]) == (None, ["no run yet"])
    assert found["problems"][0]["command"].endswith(" run")
