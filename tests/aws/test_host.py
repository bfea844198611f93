"""The units of the EC2 instance, held against systemd itself where this machine has it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.aws.settings import Settings
from tests.aws.stacks import VARIANTS, context

FILES = Path(__file__).resolve().parents[2] / "deploy" / "aws" / "host"


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units as the instance has them."""
    said = Settings.from_context(context(VARIANTS["closed"]))
    values = {
        "image": f"registry.example/{said.image}",
        "region": said.region,
        "log_group": "/barograph/job",
        "run_at": said.run_at,
        "timezone": said.timezone,
        "user": "10001",
        "data": "/var/lib/barograph",
    }
    for path in FILES.glob("barograph-nightly.*"):
        text = path.read_text(encoding="utf-8")
        for name, value in values.items():
            text = text.replace(f"${name}", value)
        assert "$" not in text
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    return tmp_path


def systemd(*words: str | Path) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze on this machine")
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False, timeout=60)


def test_systemd_takes_the_units(units: Path) -> None:
    """`systemd-analyze verify` has nothing to say but that this machine has no docker."""
    done = systemd("verify", "--man=no", *sorted(units.iterdir()))
    known = ("docker", "barograph-secrets")
    assert [line for line in done.stderr.splitlines() if not any(word in line for word in known)] == []


def test_the_timer_is_midnight_in_paris(units: Path) -> None:
    """And a night that was missed is made up for."""
    text = (units / "barograph-nightly.timer").read_text(encoding="utf-8")
    assert "Persistent=true" in text
    (line,) = [line for line in text.splitlines() if line.startswith("OnCalendar=")]
    done = systemd("calendar", "--base-time", "2026-07-01 12:00:00 UTC", line.removeprefix("OnCalendar="))
    assert done.returncode == 0, done.stderr
    assert "2026-07-01 22:00:00 UTC" in done.stdout or "22:00:00 UTC" in done.stdout


def test_secrets_are_laid_into_memory(tmp_path: Path) -> None:
    """The script is sound for a shell, and writes nowhere but under /run."""
    text = (FILES / "barograph-secrets").read_text(encoding="utf-8").replace("$$", "$")
    script = tmp_path / "script"
    script.write_text(text, encoding="utf-8")
    assert subprocess.run(["bash", "-n", script], capture_output=True, check=False).returncode == 0
    assert "cd /run/barograph" in text
    assert "umask 077" in text
