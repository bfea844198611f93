"""The job's commands: what they print and how they end."""

from __future__ import annotations

import json
import re
from pathlib import Path

from barograph.simulate import SimulatedNetwork
from tests.cli.conftest import Cli


def test_run_tells_what_arrived_what_was_stored_and_what_was_rejected(
    network: SimulatedNetwork, tmp_path: Path
) -> None:
    """The first run of a network with faults: counts, each rejection with its place, value and reason, exit 3."""
    result = Cli(network.config, tmp_path / "data")("run", code=3)
    told = result.stdout
    assert re.search(r"meteo_ichtegem +landed +\d", told)
    assert "incomplete in" in told
    assert f"{network.reports:,} new, 0 changed, 0 unchanged, {network.rejected} rejected" in told
    assert "25:61" in told
    assert "not a time of day" in told
    assert re.search(r"sheet \d{6}, row \d+, line \d+", told)
    assert "exit 3: " in told
    assert "\x1b" not in result.output
    assert "ingest: 3 objects" in result.stderr


def test_run_json(network: SimulatedNetwork, tmp_path: Path) -> None:
    """The run report for scripts: totals, and the same per object; nothing but JSON on stdout."""
    cli = Cli(network.config, tmp_path / "data")
    first = cli.json("run", code=3)
    assert first["status"] == "incomplete"
    assert first["reports"]["new"] == network.reports == sum(item["reports"]["new"] for item in first["objects"])
    assert first["reports"]["rejected"] == network.rejected == len(first["rejections"])
    assert {item["status"] for item in first["connections"]} == {"landed"}
    second = cli.json("run")
    assert second["status"] == "done"
    assert set(second["reports"].values()) == {0}
    assert {item["status"] for item in second["connections"]} == {"unchanged"}


def test_sync_then_ingest(network: SimulatedNetwork, tmp_path: Path) -> None:
    """sync only lands, of one connection where one is named; ingest then stores what stands there."""
    cli = Cli(network.config, tmp_path / "data")
    told = cli("sync", "meteo_ichtegem").stdout
    assert "meteo_ichtegem" in told
    assert "meteo_madeleine" not in told
    assert "1 of 1 connection brought something new" in told
    assert cli.json("stations") == []
    report = cli.json("ingest", code=3)
    assert len(report["objects"]) == 1
    assert report["reports"]["new"] == network.station_reports["IICHTE19"]


def test_a_failed_connection_costs_only_itself(own_cli: Cli) -> None:
    """One export is gone: the run finishes, says which and why, and exits 3; status tells the command that mends it."""
    (own_cli.config.parent / "ILAMAD25.xlsx").unlink()
    result = own_cli("run", code=3)
    assert re.search(r"meteo_ichtegem +unchanged", result.stdout)
    assert re.search(r"meteo_madeleine +failed", result.stdout)
    assert "connection meteo_madeleine: " in result.stdout
    status = own_cli("status", code=3).stdout
    assert "connection meteo_madeleine failed: " in status
    assert f"barograph --config {own_cli.config} --data-dir {own_cli.data_dir} run meteo_madeleine" in status


def test_nothing_works_exits_1(own_cli: Cli) -> None:
    """When every connection fails, the run has failed."""
    for path in own_cli.config.parent.glob("I*"):
        path.unlink()
    (own_cli.config.parent / "infoclimat.json").unlink()
    assert "exit 1: " in own_cli("run", code=1).stdout
    assert own_cli.json("status", code=1)["result"] == "failed"


def test_an_unreadable_object_is_told_and_retried(own_cli: Cli) -> None:
    """A landed object that is no table: failed with its name, exit not 0, and status names it."""
    key = "meteo_sync/ichtegem/2031_01_01_1925000000000_0.csv"
    (own_cli.data_dir / "landing" / key).write_bytes(b"garbage\nmore garbage\n")
    result = own_cli("run", code=3)
    assert re.search(rf"{key} +failed", result.stdout)
    assert "failed" in own_cli("ingest", code=3).stdout
    status = own_cli.json("status", code=3)
    assert list(status["failed_objects"]) == [key]


def test_rebuild_asks_only_on_a_terminal(own_cli: Cli, network: SimulatedNetwork) -> None:
    """Without a terminal, rebuild does its work and gives the same record."""
    before = own_cli("export").stdout
    assert own_cli.json("rebuild", code=3)["reports"]["new"] == network.reports
    assert own_cli("export").stdout == before


def test_verify(own_cli: Cli, network: SimulatedNetwork) -> None:
    """A record that follows from the landing zone is proven; an object that was stored nowhere is found, exit 1."""
    assert own_cli("verify").stdout.startswith(f"proven: {network.reports:,} reports")
    assert own_cli.json("verify")["proven"] is True
    late = own_cli.data_dir / "landing" / "meteo_sync" / "ichtegem" / "2031_01_01_1925000000000_0.csv"
    fields = {"Time": "00:04:00", "Date": "2024-09-01", "Temperature": "50.0 °F"}
    data = json.dumps(fields, ensure_ascii=False).replace('"', '""')
    late.write_text(
        f'_airbyte_raw_id,_airbyte_extracted_at,_airbyte_data\nx,1925000000000,"{data}"\n', encoding="utf-8"
    )
    told = own_cli("verify", code=1).stdout
    assert "not proven: 1 difference" in told
    assert re.search(r"missing +IICHTE19 +2024-08-31 22:04Z", told)
    found = own_cli.json("verify", code=1)
    assert (found["proven"], found["total"], found["differences"][0]["kind"]) == (False, 1, "missing")


def test_many_rejections_of_a_kind_stand_on_one_line(tmp_path: Path) -> None:
    """A whole sheet without a date is one line with its rows; the command that shows every entry shows every entry."""
    from barograph.simulate import simulate

    network = simulate(tmp_path / "feeds", days=2, stations=1, faults=["sheet-title"])
    cli = Cli(network.config, tmp_path / "data")
    told = cli("run", code=3).stdout
    assert re.search(r"sheet Feuil1, rows 3–\d+, lines \d+–\d+", told)
    assert told.partition("\nRejected: ")[2].partition("\n\n")[0].count("sheet Feuil1") == 1
    entries = cli.json("logs", "--type", "error", "--limit", "0")
    assert sum(entry["msg"].startswith("rejected: ") for entry in entries) == network.rejected


def test_warnings_are_told(own_cli: Cli) -> None:
    """What a run only warned of (objects that no connection names) is on the screen too, not just in the log."""
    folder = own_cli.data_dir / "landing" / "meteo_sync" / "strange"
    folder.mkdir()
    (folder / "2031_01_01_1925000000000_0.csv").write_text("x\n", encoding="utf-8")
    told = own_cli("ingest").stdout
    assert "Warnings (1)\n- stream 'strange' has 1 object" in told
