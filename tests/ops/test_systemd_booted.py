"""The units under a real systemd: what only shows when it runs them, with every line of their sandbox in force."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any, Final

import pytest

from barograph.ops.systemd import Machine, units_of
from tests.cli.conftest import call
from tests.support import booted

pytestmark = [pytest.mark.timeout(240)]
LOG: Final = "[Service]\nStandardOutput=append:/out/job.log\nStandardError=append:/out/job.log\n"
SCRIPT: Final = """
alert=barograph-alert@barograph-run.service.service
useradd --system --no-create-home --shell /usr/sbin/nologin barograph
systemctl daemon-reload
for unit in run backup drill; do
    systemctl start barograph-$unit.service
    echo "$unit: $?"
done
systemctl start barograph-run.timer
TZ=UTC systemctl show -p NextElapseUSecRealtime barograph-run.timer
cp -a /var/lib/barograph /out/data

# One source is gone: exit 3, no second try, and the alert.
mv /srv/feeds/IICHTE19.xlsx /srv/gone
systemctl start barograph-run.service
echo "bad run: $?"
systemctl show -p Result,ExecMainStatus,ActiveState barograph-run.service
for second in $(seq 60); do
    systemctl show -p ExecMainExitTimestampMonotonic $alert | grep -q '=[1-9]' && break
    sleep 1
done
systemctl show -p Result $alert | sed 's/^/alert: /'

# The sandbox is in force: without the line that it needs, polars cannot start.
mkdir -p /etc/systemd/system/barograph-drill.service.d
printf '[Service]\\nUnsetEnvironment=POLARS_SKIP_CPU_CHECK\\n' >/etc/systemd/system/barograph-drill.service.d/unset.conf
systemctl daemon-reload
systemctl start barograph-drill.service
echo "without: $?"
"""


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, tuple[str, int]]:
    """The files of a machine on which barograph was installed: units, configuration, a credential, its sources."""
    if (reason := booted.why_not()) is not None:
        pytest.skip(reason)
    feeds = tmp_path / "host-files" / "srv" / "feeds"
    assert call("simulate", str(feeds), "--days", "2").exit_code == 0
    config = (feeds / "barograph.toml").read_text(encoding="utf-8").replace('url = "', 'url = "/srv/feeds/')
    return {
        **{f"/etc/systemd/system/{unit.name}": (unit.text(), 0o644) for unit in units_of(Machine())},
        "/etc/systemd/system/barograph-.service.d/log.conf": (LOG, 0o644),
        "/etc/barograph/barograph.toml": (config, 0o644),
        "/etc/barograph/credentials/BAROGRAPH_STORE": ("sqlite:////var/lib/barograph/secret.db\n", 0o600),
    }


def test_the_units_work(machine: dict[str, tuple[str, int]], tmp_path: Path) -> None:
    """Run, backup and drill end well for a user without rights; a bad night is told by the alert, and not repeated."""
    said = booted.boot(tmp_path, SCRIPT, machine)
    job = (tmp_path / "out" / "job.log").read_text(encoding="utf-8")
    assert re.findall(r"^(?:run|backup|drill): \d+$", said, re.MULTILINE) == ["run: 0", "backup: 0", "drill: 0"], job
    data = tmp_path / "out" / "data"
    assert (data / "secret.db").stat().st_mode & 0o777 == 0o600, "the credential's store, for its user alone"
    assert (data / "secret.db").stat().st_uid != 0
    (note,) = (data / "backups").glob("*/drill.json")
    told: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
    assert told["ok"] is True
    assert re.search(r"^NextElapseUSecRealtime=\w+ .*(22|23):00:00 UTC$", said, re.MULTILINE), said
    assert "bad run: 1" in said
    assert {"Result=exit-code", "ExecMainStatus=3", "ActiveState=failed"} <= set(said.splitlines())
    assert "alert: Result=success" in said
    assert "barograph-run.service failed" in job
    assert "barograph run meteo_" in job, "it names what failed and what mends it"
    assert re.search(r"^without: [1-9]", said, re.MULTILINE)
    shutil.rmtree(data)
