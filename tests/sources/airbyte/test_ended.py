"""barograph itself ends in the middle of a sync: the connector, and everything that it started, ends with it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.sources.airbyte.lab import Lab, eventually

CONFIG = """
[landing]
prefix = "p"

[connections.c]
source = "airbyte"
connector = "./fake"
stream = "s"
config = {config}
"""

MAIN = """
from barograph.faces.cli.main import main
from barograph.landing import write

write.BATCH_BYTES = 1
main()
"""


@contextmanager
def started(lab: Lab, mode: str, **config: object) -> Iterator[subprocess.Popen[bytes]]:
    """`barograph sync` of the connection in a process of its own."""
    body = {"mode": mode, "pids": str(lab.folder / "pids"), **config}
    inline = "{ " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in body.items()) + " }"
    (lab.folder / "b.toml").write_text(CONFIG.format(config=inline), encoding="utf-8")
    command = [sys.executable, "-c", MAIN, "--config", str(lab.folder / "b.toml")]
    command += ["--data-dir", str(lab.folder), "--landing", lab.job.zone.url, "sync"]
    with subprocess.Popen(command, cwd=lab.folder, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as barograph:
        try:
            yield barograph
        finally:
            barograph.kill()
            barograph.communicate()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_connector_does_not_outlive_barograph(lab: Lab, number: int) -> None:
    """Not even when barograph is killed by SIGKILL: no process, and no file with its configuration, stays."""
    with started(lab, "family", hang=True) as barograph:
        eventually(lambda: len({pid for pid, _ in lab.pids()}) == 3)
        config = Path(lab.pids()[-1][1]) / "config"
        assert config.stat().st_mode & 0o777 == 0o600
        assert config.parent.stat().st_mode & 0o777 == 0o700
        barograph.send_signal(number)
        barograph.communicate(timeout=60)
    eventually(lambda: lab.left() == [])


@pytest.mark.parametrize("until", [1, 2, 5])
def test_killed_in_mid_sync_three_syncs_equal_one(lab: Lab, until: int) -> None:
    """Each state is landed at once; killed behind one, the next sync goes on there: no record lost, none doubled."""
    with started(lab, "slow", until=until) as barograph:
        eventually(lambda: (lab.folder / "pidsslow").exists() and lab.ids() == list(range(1, until)))
        # The state comes behind the records: without it a kill may fall between the two, which is test_sync_killed's.
        eventually(lambda: lab.at() == (until - 1 or None))
        barograph.kill()
        barograph.communicate(timeout=60)
    eventually(lambda: lab.left() == [])
    assert lab.at() == (until - 1 or None)
    assert lab.sync(until=5).status == "landed"
    assert lab.sync(until=7).status == "landed"
    assert lab.sync(until=7).status == "unchanged"
    assert lab.ids() == [1, 2, 3, 4, 5, 6, 7]
    assert lab.at() == 7
