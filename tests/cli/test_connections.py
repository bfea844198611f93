"""What an operator does with connections: list, filter, show, switch, trigger, reset."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from barograph.config import load
from barograph.landing import StreamWriter, open_landing
from barograph.model import RunReport, SyncReport
from barograph.pipeline.locks import connection_lock
from barograph.store import open_store
from tests.cli.conftest import Cli, call


def configure(cli: Cli, old: str, new: str) -> None:
    text = cli.config.read_text(encoding="utf-8")
    assert old in text
    cli.config.write_text(text.replace(old, new, 1), encoding="utf-8")


def schedule(cli: Cli, name: str, text: str, **more: str) -> None:
    lines = "".join(f"{key} = {value}\n" for key, value in {"schedule": f'"{text}"', **more}.items())
    configure(cli, f"[connections.{name}]\n", f"[connections.{name}]\n{lines}")


@pytest.fixture
def plain_cli(own_cli: Cli) -> Cli:
    """Without the schedules and tags that the simulated network comes with."""
    text = own_cli.config.read_text(encoding="utf-8")
    own_cli.config.write_text(
        re.sub(r"^(schedule|tags|enabled) *=.*\n", "", text, flags=re.MULTILINE), encoding="utf-8"
    )
    return own_cli


def test_the_list(plain_cli: Cli) -> None:
    """Every column for a script: the last sync's length, records and bytes, when it is due, and its health."""
    schedule(plain_cli, "meteo_ichtegem", "0 0 1 1 *", tags='["coast", "be"]')
    plain_cli("run")
    found = {item["name"]: item for item in plain_cli.json("connections")}
    one = found["meteo_ichtegem"]
    year = datetime.now(UTC).year + 1
    assert (one["frequency"], one["next_due"], one["tags"]) == ("0 0 1 1 *", f"{year}-01-01T00:00:00Z", ["coast", "be"])
    assert (one["state"], one["enabled"], one["error"]) == ("unchanged", True, None)
    assert one["seconds"] >= 0
    assert one["health"]["strip"] == "+="
    assert one["health"]["verdict"] == "good"
    window = one["health"]["windows"]["24h"]
    assert (window["syncs"], window["failures"], window["success"]) == (2, 0, 1.0)
    assert window["records"] > 0
    assert window["bytes"] > 0
    others = [item for name, item in found.items() if name != "meteo_ichtegem"]
    assert {item["next_due"] for item in others} == {None}
    line = next(line for line in plain_cli("connections").stdout.splitlines() if line.startswith("meteo_ichtegem"))
    assert re.search(rf"0 0 1 1 \* +{year}-01-01 00:00Z +coast, be +yes .* unchanged +good \+=$", line)


def test_tags(plain_cli: Cli) -> None:
    """--tag shows only what has it, and several ask for all of them."""
    schedule(plain_cli, "meteo_ichtegem", "daily", tags='["coast", "be"]')
    schedule(plain_cli, "meteo_madeleine", "daily", tags='["fr", "coast"]')

    def names(*words: str) -> list[str]:
        return [item["name"] for item in plain_cli.json("connections", *words)]

    assert names("--tag", "coast") == ["meteo_ichtegem", "meteo_madeleine"]
    assert names("--tag", "coast", "--tag", "fr") == ["meteo_madeleine"]
    assert names("--tag", "nope") == []
    assert "no connection has nope" in plain_cli("connections", "--tag", "nope").stderr


def test_show(plain_cli: Cli) -> None:
    """The windows, and the last syncs with their runs."""
    plain_cli("run")
    told = plain_cli("connections", "show", "meteo_ichtegem").stdout
    assert re.search(r"\n24h +2 +0 +100.0% +[\d,]+ ", told)
    assert "\nLast syncs (2 of 2)\n" in told
    run = plain_cli.json("runs", "--limit", "1")[0]["run_id"]
    assert run in told
    found = plain_cli.json("connections", "show", "meteo_ichtegem", "--limit", "1")
    assert [(one["run_id"], one["status"]) for one in found["syncs"]] == [(run, "unchanged")]
    assert "no connection 'nope'" in plain_cli("connections", "show", "nope", code=2).stderr
    assert "without another command" in plain_cli("connections", "--json", "show", "meteo_ichtegem", code=2).stderr


def test_no_secret_is_shown(tmp_path: Path) -> None:
    """A token in the address is masked, in the text and in the JSON."""
    config = tmp_path / "barograph.toml"
    url = "https://u:hunter2@example.org/opendata?token=abc123&start=2024-10-01"
    config.write_text(f'[connections.a]\nsource = "infoclimat"\nurl = "{url}"\n', encoding="utf-8")
    told = "".join(
        call(*words).output for words in (("connections", "show", "a"), ("connections", "show", "a", "--json"))
    )
    assert "start=2024-10-01" in told
    assert "hunter2" not in told
    assert "abc123" not in told


def test_disable_and_enable(plain_cli: Cli) -> None:
    """A run leaves a disabled connection out, and takes it again afterwards."""
    assert plain_cli("connections", "disable", "meteo_ichtegem").stdout == "meteo_ichtegem is disabled\n"
    assert plain_cli("connections", "disable", "meteo_ichtegem").stdout == "meteo_ichtegem was disabled already\n"
    assert "meteo_ichtegem" not in [one["connection"] for one in plain_cli.json("sync")["connections"]]
    assert plain_cli("connections", "enable", "meteo_ichtegem").stdout == "meteo_ichtegem is enabled\n"
    assert "meteo_ichtegem" in [one["connection"] for one in plain_cli.json("sync")["connections"]]
    plain_cli.config.chmod(0o444)
    told = plain_cli("connections", "disable", "meteo_ichtegem", code=2).stderr
    assert "barograph.toml: is read-only" in told


def test_nothing_to_switch() -> None:
    """Without a configuration there is no connection."""
    assert "no connection 'a'" in call("connections", "enable", "a").stderr


def test_trigger(plain_cli: Cli) -> None:
    """A disabled connection is synced and ingested all the same, which is said; it stays disabled."""
    plain_cli("connections", "disable", "meteo_ichtegem")
    shutil.rmtree(plain_cli.data_dir)
    result = plain_cli("connections", "trigger", "meteo_ichtegem", code=3)
    assert "meteo_ichtegem is disabled, and is synced this once" in result.stderr
    assert "Ingested" in result.stdout
    found = {item["name"]: item for item in plain_cli.json("connections")}
    assert (found["meteo_ichtegem"]["state"], found["meteo_ichtegem"]["enabled"]) == ("landed", False)
    assert {item["state"] for name, item in found.items() if name != "meteo_ichtegem"} == {"never"}


def test_reset(plain_cli: Cli) -> None:
    """The state of an incremental stream is forgotten once; a connection under way is left alone."""
    words = ("connections", "reset", "meteo_ichtegem", "--yes")
    assert plain_cli(*words).stdout == "meteo_ichtegem: there is no state to forget\n"
    settings = load(plain_cli.config, data_dir=plain_cli.data_dir, environ={})
    zone = open_landing(settings.landing_url, settings.landing_prefix)
    writer = StreamWriter(zone, "ichtegem", started=datetime.now(UTC))
    writer.add({"Time": "00:04:00"})
    writer.checkpoint({"day": "2026-11-25"})
    writer.finish()
    writer.close()
    with connection_lock(plain_cli.data_dir, "meteo_ichtegem"):
        assert "is under way already" in plain_cli(*words, code=1).stderr
    assert "the state of stream ichtegem is forgotten" in plain_cli(*words).stdout
    assert plain_cli(*words).stdout == "meteo_ichtegem: there is no state to forget\n"


def synced(cli: Cli, name: str, ago: timedelta) -> None:
    """A run in the past that synced one connection."""
    began = datetime.now(UTC) - ago
    report = SyncReport(name, "s", "unchanged", began, began)
    store = open_store(f"sqlite:///{cli.data_dir / 'meteo.db'}")
    store.put_run(RunReport(f"{began:%Y%m%dT%H%M%S}", "run", began, began, "done", connections=(report,)))
    store.close()


@pytest.mark.parametrize(
    ("text", "ago", "late"),
    [
        ("daily", timedelta(hours=25), False),
        ("daily", timedelta(hours=27), True),
        ("* * * * *", timedelta(minutes=5), False),
        ("* * * * *", timedelta(minutes=15), True),
        ("manual", timedelta(days=300), False),
    ],
)
def test_status_tells_what_is_late(plain_cli: Cli, text: str, ago: timedelta, *, late: bool) -> None:
    """By each connection's own schedule, with the command that makes up for it."""
    schedule(plain_cli, "meteo_ichtegem", text)
    store = plain_cli.data_dir / "meteo.db"
    for file in store.parent.glob("meteo.db*"):
        file.unlink()
    synced(plain_cli, "meteo_ichtegem", ago)
    problems = plain_cli.json("status", code=3)["problems"]
    found = [item for item in problems if "meteo_ichtegem is late" in item["what"]]
    assert len(found) == late
    if late:
        assert found[0]["command"].endswith(" run meteo_ichtegem")
