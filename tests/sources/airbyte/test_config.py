"""[connections.NAME] of the kind: what is refused when the file is read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from barograph.config import Settings, child_environment, load
from barograph.errors import ConfigError
from barograph.query.overview import rows_of

STATION = '[stations.ST1]\ntimezone = "Europe/Paris"\n'


def read(folder: Path, *lines: str) -> Settings:
    text = "\n".join([STATION, "[connections.c]", 'source = "airbyte"', *lines])
    (folder / "b.toml").write_text(text, encoding="utf-8")
    return load(folder / "b.toml", environ={})


def test_relative_paths_start_at_the_files_folder(tmp_path: Path) -> None:
    """The connector itself where it has a slash, and texts of its config that begin with local:."""
    connection = read(
        tmp_path,
        'connector = "bin/fake"',
        'config = { url = "local:exports/a.xlsx", other = "exports/b", deep = [{ path = "local:c" }] }',
    ).connections["c"]
    assert connection.options["connector"] == str(tmp_path / "bin" / "fake")
    assert connection.options["config"] == {
        "url": str(tmp_path / "exports" / "a.xlsx"),
        "other": "exports/b",
        "deep": [{"path": str(tmp_path / "c")}],
    }
    assert read(tmp_path, 'connector = "source-file"').connections["c"].options["connector"] == "source-file"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("config = { }",), "connector is missing"),
        (('connector = "a"', 'decoder = "magic"'), "decoder = 'magic' is not known.*infoclimat.*none"),
        (('connector = "a"', 'decoder = "airbyte"'), "decoder = 'airbyte' is not known"),
        (('connector = "a"', 'sync_mode = "often"'), "sync_mode = 'often' is not known.*full_refresh"),
        (('connector = "a"', 'decoder = "wunderground-table"'), "station is missing"),
        (('connector = "a"', 'config = "x"'), "config must be a table"),
        (('connector = "a"', "idle_timeout = -1"), "must not be negative"),
        (('connector = "a"', 'streams = ["../x"]'), "is not a folder name"),
    ],
)
def test_what_cannot_work_is_refused_at_load(tmp_path: Path, lines: tuple[str, ...], message: str) -> None:
    """With what may stand there."""
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, *lines)


def test_a_decoder_of_a_table_takes_its_station(tmp_path: Path) -> None:
    """As the kind itself would."""
    connection = read(
        tmp_path, 'connector = "a"', 'decoder = "wunderground-table"', 'station = "ST1"', "first_day = 2024-10-01"
    ).connections["c"]
    assert (connection.decoder, str(connection.first_day)) == ("wunderground-table", "2024-10-01")


def test_a_foreign_program_sees_no_secret_of_ours() -> None:
    """Neither barograph's variables nor the cloud's; only pip hears where packages are."""
    environ = {
        "PATH": "p", "HOME": "h", "https_proxy": "x", "LC_ALL": "C", "PIP_INDEX_URL": "i",
        "BAROGRAPH_STORE": "s", "AWS_SECRET_ACCESS_KEY": "k", "PYTHONPATH": "y", "TOKEN": "t",
    }  # fmt: skip
    assert set(child_environment(environ=environ)) == {"PATH", "HOME", "https_proxy", "LC_ALL"}
    assert set(child_environment(installing=True, environ=environ)) == {
        "PATH", "HOME", "https_proxy", "LC_ALL", "PIP_INDEX_URL"
    }  # fmt: skip


def test_where_several_streams_are_landed(tmp_path: Path) -> None:
    """An operator sees each folder that a connector writes to, prefix and all."""
    lines = ('connector = "source-faker"', 'streams = ["users", "purchases"]', 'stream_prefix = "faker_"')
    settings = replace(read(tmp_path, *lines), landing_url="s3://zone", landing_prefix="meteo_sync")
    (row,) = rows_of(settings, {}, datetime(2026, 11, 25, tzinfo=UTC))
    assert row.destination == "s3://zone/meteo_sync/{faker_users,faker_purchases}"
    assert row.as_dict()["streams"] == ["faker_users", "faker_purchases"]
