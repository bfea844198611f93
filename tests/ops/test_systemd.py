"""systemd's units: what systemd itself says of them, and the nightly command line in a sandbox like theirs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from barograph.errors import UsageError
from barograph.ops.systemd import Machine, install, units_of
from barograph.ops.systemd.unit import Unit
from tests.cli.conftest import call

ROOT: Final = Path(__file__).resolve().parents[2]
SHIPPED: Final = ROOT / "deploy" / "systemd"
EXPOSURE: Final = 2.0
"""`systemd-analyze security` rates from 0 (safe) to 10."""
SERVICES: Final = sorted(unit.name for unit in units_of(Machine()) if unit.name.endswith(".service"))
TIMERS: Final = sorted(unit.name for unit in units_of(Machine()) if unit.name.endswith(".timer"))

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)


def setting(unit: Unit, key: str) -> list[str]:
    return [one.value for _, settings in unit.sections for one in settings if one.key == key]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The units of a machine on which the program exists."""
    program = tmp_path / "barograph"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    folder = tmp_path / "units"
    install(units_of(Machine(program=program)), folder)
    return folder


def test_the_shipped_units_are_those_of_the_default_machine() -> None:
    """deploy/systemd is what `install-service` writes, file for file."""
    made = {unit.name: unit.text() for unit in units_of(Machine())}
    assert {path.name: path.read_text(encoding="utf-8") for path in SHIPPED.iterdir()} == made


@needs_systemd
def test_systemd_takes_them(written: Path) -> None:
    """No unknown setting, no wrong value, no missing unit."""
    done = analyze("verify", "--man=no", *(str(path) for path in sorted(written.iterdir())))
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_exposure(written: Path, name: str) -> None:
    """Each service stays below the threshold of exposure, by systemd's own rating."""
    done = analyze("security", "--offline=yes", f"--threshold={EXPOSURE * 10:.0f}", str(written / name))
    assert done.returncode == 0, done.stdout[-400:]


@needs_systemd
@pytest.mark.parametrize("name", TIMERS)
def test_calendar(name: str) -> None:
    """Each timer's time is one; the nightly job's is midnight in France, which is another UTC hour in summer."""
    unit = next(unit for unit in units_of(Machine()) if unit.name == name)
    (when,) = setting(unit, "OnCalendar")
    done = analyze("calendar", "--base-time=2026-07-01 12:00:00 UTC", when)
    assert done.returncode == 0, done.stderr
    assert "Europe/Paris" in when
    assert setting(unit, "Persistent") == ["true"], "a machine that was off catches up"
    if name == "barograph-run.timer":
        assert "2026-07-01 22:00:00 UTC" in done.stdout


def test_every_service_says_who_how_long_and_what_then() -> None:
    """No root, no unbounded memory, no silent failure; secrets come as credentials."""
    for unit in units_of(replace(Machine(), user="meteo")):
        if not unit.name.endswith(".service"):
            continue
        assert setting(unit, "User") == ["meteo"], unit.name
        assert setting(unit, "MemoryMax") == ["2G"] or unit.name.startswith("barograph-alert")
        assert setting(unit, "LoadCredential") == ["barograph:/etc/barograph/credentials"]
        if not unit.name.startswith("barograph-alert"):
            assert setting(unit, "OnFailure") == ["barograph-alert@%n.service"]
        if setting(unit, "Type") == ["oneshot"]:
            assert setting(unit, "TimeoutStartSec")


def test_every_command_exists() -> None:
    """What the units start is a command of the program, with options that it has."""
    commands = {line for unit in units_of(Machine()) for line in setting(unit, "ExecStart")}
    for line in sorted(commands):
        words = line.split()[1:]
        assert words[:2] == ["--config=/etc/barograph/barograph.toml", "--data-dir=/var/lib/barograph"]
        assert call(*words[2:], "--help").exit_code == 0, line


FORBID: Final = """
import ctypes, os, sys
if ctypes.CDLL(None, use_errno=True).prctl(65, 1, 0, 0, 0):  # PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN: Linux 6.3
    sys.exit(77)
os.execve(sys.executable, [sys.executable, "-m", "barograph", *sys.argv[1:]], os.environ)
"""


def test_no_code_is_made_while_it_runs(tmp_path: Path) -> None:
    """MemoryDenyWriteExecute by the kernel's own switch: with the units' environment a night works, without it none."""
    feeds = tmp_path / "feeds"
    assert call("simulate", str(feeds), "--days", "1").exit_code == 0
    (run,) = (unit for unit in units_of(Machine()) if unit.name == "barograph-run.service")
    assert setting(run, "MemoryDenyWriteExecute") == ["yes"]
    given = dict(pair.split("=", 1) for line in setting(run, "Environment") for pair in line.split())
    base = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    words = ("--config", str(feeds / "barograph.toml"), "--data-dir", str(tmp_path / "data"), "run")
    codes = [
        subprocess.run(
            [sys.executable, "-c", FORBID, *words], env={**base, **more}, capture_output=True, check=False, timeout=110
        ).returncode
        for more in (given, {})
    ]
    if 77 in codes:
        pytest.skip("this kernel cannot forbid it")
    assert codes[0] == 0
    assert codes[1] != 0, "polars no longer makes code: the line in the units can go"


def test_writing_them_again_changes_nothing(tmp_path: Path) -> None:
    """The second time says so; a changed option changes the files that it concerns."""
    folder = tmp_path / "units"
    assert {each.state for each in install(units_of(Machine()), folder)} == {"new"}
    assert {each.state for each in install(units_of(Machine()), folder)} == {"unchanged"}
    later = install(units_of(replace(Machine(), run_at="01:30")), folder)
    assert [each.path.name for each in later if each.state == "changed"] == ["barograph-run.timer"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"user": "Root!"},
        {"timezone": "Europe/Pari"},
        {"run_at": "24:00"},
        {"memory": "lots"},
        {"config": Path("barograph.toml")},
        {"data_dir": Path("/var/lib/my data")},
    ],
)
def test_what_systemd_would_misread_is_refused(wrong: dict[str, object]) -> None:
    """Before anything is written."""
    with pytest.raises(UsageError):
        Machine(**wrong)  # type: ignore[arg-type]


def test_the_command_writes_and_tells_what_to_do_next(tmp_path: Path) -> None:
    """`install-service` writes eight files and prints the commands that follow; --print writes nothing."""
    done = call("install-service", "--to", str(tmp_path / "units"), "--user", "meteo")
    assert done.exit_code == 0, done.stderr
    assert len(list((tmp_path / "units").iterdir())) == 8
    assert "systemctl enable --now barograph-run.timer" in done.stdout
    assert "useradd --system --no-create-home --shell /usr/sbin/nologin meteo" in done.stdout
    printed = call("install-service", "--print", "--to", str(tmp_path / "none"))
    assert "# Never root" in printed.stdout
    assert not (tmp_path / "none").exists()


# ------------------------------------------------------------------------------------------------------- the sandbox

SANDBOX: Final = r"""
set -eu
data=$1; feeds=$2; python=$3; packages=$4; project=$5; credentials=$6; shift 6
# The whole file system read-only, as ProtectSystem=strict has it.
mount --make-rprivate /
findmnt -rno TARGET | grep -v -e '^/proc' -e '^/sys' -e '^/dev' | while read -r target; do
    mount -o remount,bind,ro "$target" 2>/dev/null || true
done
# PrivateTmp and ProtectHome; what the test itself needs of them comes back, read-only, under a name of its own.
stage=/mnt
mount -t tmpfs tmpfs $stage
mkdir $stage/data $stage/feeds $stage/python $stage/packages $stage/project $stage/credentials
mount --bind "$data" $stage/data
mount -o remount,bind,rw $stage/data
for part in feeds python packages project credentials; do
    eval "from=\$$part"
    mount --rbind "$from" $stage/$part
done
mount -o remount,ro $stage
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=1777 tmpfs /var/tmp
mount -t tmpfs -o mode=000 tmpfs /home
mount -t tmpfs -o mode=755 tmpfs /root
exec "$@"
"""


def can_sandbox() -> bool:
    """Root, with mount namespaces and setpriv."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "setpriv", "findmnt"))):
        return False
    done = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.skipif(not can_sandbox(), reason="needs root, mount namespaces and setpriv")
def test_the_nightly_command_in_a_sandbox(tmp_path: Path) -> None:
    """The service's very command line works for a user without rights, home or a writable file system.

    The sandbox is made by unshare, mount and setpriv as the unit's settings say (User, ProtectSystem=strict,
    ProtectHome, PrivateTmp, StateDirectory, CapabilityBoundingSet, NoNewPrivileges, UMask, LoadCredential), so that it
    is tried also where no systemd can be booted (test_systemd_booted.py). The store's URL comes from a credential.
    """
    feeds, data, credentials = tmp_path / "feeds", tmp_path / "data", tmp_path / "credentials"
    assert call("simulate", str(feeds)).exit_code == 0
    data.mkdir()
    os.chown(data, 65534, 65534)
    credentials.mkdir()
    (credentials / "barograph_BAROGRAPH_STORE").write_text("sqlite:////mnt/data/secret.db\n", encoding="utf-8")
    prefix = Path(sys.base_prefix)
    packages = next(path for path in map(Path, sys.path) if path.name == "site-packages")
    (nightly,) = (setting(unit, "ExecStart") for unit in units_of(Machine()) if unit.name == "barograph-run.service")
    words = [
        {"--config=/etc/barograph/barograph.toml": "--config=/mnt/feeds/barograph.toml",
         "--data-dir=/var/lib/barograph": "--data-dir=/mnt/data"}.get(word, word)
        for word in nightly[0].split()[1:]
    ]  # fmt: skip
    script = tmp_path / "sandbox.sh"
    script.write_text(SANDBOX, encoding="utf-8")
    done = subprocess.run(
        [
            *("unshare", "--mount", "--ipc", "--uts", "sh", str(script)),
            *map(str, (data, feeds, prefix, packages, ROOT / "src", credentials)),
            *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"),
            *("--no-new-privs", "env", "-i", "PATH=/usr/bin:/bin", "PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1"),
            *("CREDENTIALS_DIRECTORY=/mnt/credentials", "PYTHONPATH=/mnt/project:/mnt/packages"),
            # Where Python is built with a shared library, that lies under the home which the sandbox hides.
            *("LD_LIBRARY_PATH=/mnt/python/lib",),
            *("sh", "-c", 'umask 0077; touch /mnt/project/x /etc/x 2>/dev/null && exit 99; cd /; exec "$@"', "sh"),
            *(f"/mnt/python/bin/python{sys.version_info[0]}.{sys.version_info[1]}", "-m", "barograph", *words),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert (data / "secret.db").exists(), "the store that the credential names"
    assert (data / "secret.db").stat().st_mode & 0o077 == 0
    assert call("--store", f"sqlite:///{data / 'secret.db'}", "stations", "--json").stdout.count("station_id") == 6
