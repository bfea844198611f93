"""The units of the EC2 instance: barograph's own with their drop-ins, held against systemd where it is installed."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import time
from pathlib import Path
from typing import Final

import pytest

from deploy.aws.host_files import HOST, PLACES, SCRIPT, UNITS, filled, values_of
from deploy.aws.metrics import BACKUP_AGE, DRILL_AGE, RUN_AGE, STATION_AGE
from deploy.aws.settings import Settings
from tests.aws.stacks import VARIANTS, Stack, as_list, context
from tests.cli.conftest import call
from tests.support import booted, emf
from tests.support.s3_server import S3Server
from tests.support.secure_server import SecureServer

SAID: Final = Settings.from_context(context({**VARIANTS["closed"], "run_at": "01:30"}))
VALUES: Final = values_of(
    SAID,
    image="registry.example/barograph:0.1.0",
    registry="registry.example",
    log_group="/barograph/job",
    drill="backup drill --scratch sqlite:////tmp/drill.db",
    user_secret="arn:user",
    drill_secret="arn:drill",
    config_secret="arn:config",
    variables_secret="arn:variables",
)
JOBS: Final = ("barograph-run.service", "barograph-drill.service", "barograph-alert@.service")
EXPOSURE: Final = 2.0
"""As for the units without the drop-ins (tests/ops/test_systemd.py)."""

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The folder of units as the first start leaves it, asked of the program with that script's own words."""
    words = re.search(
        r"\$image (install-service .*?) \|", (HOST / "first-start").read_text(encoding="utf-8"), re.DOTALL
    )
    assert words is not None
    asked = shlex.split(re.sub(r"\$(\w+)", lambda match: VALUES[match[1]], words[1].replace("\\\n", "")))
    made = call(*asked)
    assert made.exit_code == 0, made.stderr
    for name, text in json.loads(made.stdout).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    for name, (place, _) in PLACES.items():
        if place.startswith(UNITS):
            path = tmp_path / Path(place).relative_to(UNITS)
            path.parent.mkdir(exist_ok=True)
            path.write_text(filled(name, VALUES), encoding="utf-8")
    return tmp_path


def analyze(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False, timeout=60)


@needs_systemd
def test_systemd_takes_units_and_drop_ins(units: Path) -> None:
    """`systemd-analyze verify` has nothing to say but that this machine has none of the instance's programs."""
    names = [*JOBS, "barograph-run.timer", "barograph-drill.timer", "job-secrets.service"]
    done = analyze("verify", "--man=no", *(units / name for name in names))
    known = ("/usr/local/sbin/job-secrets", "/opt/barograph/bin/barograph")
    assert [line for line in done.stderr.splitlines() if not any(word in line for word in known)] == []
    broken = units / "barograph-.service.d" / "50-image.conf"
    broken.write_text(broken.read_text(encoding="utf-8").replace("RootDirectory", "RootFolder"), encoding="utf-8")
    assert "RootFolder" in analyze("verify", "--man=no", units / JOBS[0]).stderr, "the drop-ins were read"


@needs_systemd
@pytest.mark.parametrize("name", [*JOBS, "job-secrets.service"])
def test_the_sandbox_stays(units: Path, name: str) -> None:
    """With its drop-ins each service keeps below the threshold; what would open it is seen."""
    rated = ("security", "--offline=yes", f"--threshold={EXPOSURE * 10:.0f}", units / name)
    done = analyze(*rated)
    assert done.returncode == 0, done.stdout[-400:]
    folder = units / f"{name}.d"
    folder.mkdir(exist_ok=True)
    (folder / "99-open.conf").write_text("[Service]\nPrivateUsers=no\nSystemCallFilter=\n", encoding="utf-8")
    assert analyze(*rated).returncode != 0, "the drop-ins are rated as well"


@needs_systemd
def test_the_nightly_timer_says_what_the_settings_say(units: Path) -> None:
    """Half past one on the clocks of Paris, in place of the default, and made up for after a downtime."""
    text = (units / "barograph-run.timer").read_text(encoding="utf-8")
    assert "Persistent=true" in text
    (when,) = re.findall(r"^OnCalendar=(.*)$", text, re.MULTILINE)
    done = analyze("calendar", "--base-time", "2026-07-01 12:00:00 UTC", when)
    assert done.returncode == 0, done.stderr
    assert "23:30:00 UTC" in done.stdout


def test_what_differs_is_the_program_and_its_secrets(units: Path) -> None:
    """Drop-ins change the commands, where they run, and where secrets and lines go: nothing of limits and sandbox."""
    changed = set()
    for path in units.glob("*.d/*.conf"):
        changed |= set(re.findall(r"^(\w+)=", path.read_text(encoding="utf-8"), re.MULTILINE))
    assert changed == {
        *("Requires", "After", "RootDirectory", "MountAPIVFS", "BindReadOnlyPaths", "Environment", "EnvironmentFile"),
        *("LoadCredential", "StandardOutput", "StandardError", "ExecStart"),
    }


def test_every_secret_that_a_unit_reads_is_laid_out(units: Path, tmp_path: Path) -> None:
    """The script, run: six files for root alone, the units' credentials; the drill reads those of its own user."""
    text = filled("job-secrets", VALUES)
    (tmp_path / "script").write_text(text, encoding="utf-8")
    programs, laid = tmp_path / "bin", tmp_path / "run"
    programs.mkdir()
    laid.mkdir()
    # The command line of AWS is not installed here: what it answers for each secret.
    (programs / "aws").write_text(
        '#!/bin/bash\n[[ "$*" == "secretsmanager get-secret-value --region eu-west-3 --secret-id "*'
        '" --query SecretString --output text" ]] || exit 9\n'
        'case $6 in arn:user) echo \'{"username": "job", "password": "a b"}\' ;;\n'
        'arn:drill) echo \'{"username": "drill", "password": "c"}\' ;; *) echo "text of $6" ;; esac\n',
        encoding="utf-8",
    )
    (programs / "aws").chmod(0o755)
    environ = {"PATH": f"{programs}:/usr/bin:/bin", "RUNTIME_DIRECTORY": str(laid)}
    done = subprocess.run(
        ["bash", tmp_path / "script"], env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert {path.name: path.read_text(encoding="utf-8").rstrip() for path in laid.iterdir()} == {
        "DB_USERNAME": "job",
        "DB_PASSWORD": "a b",
        "DRILL_USERNAME": "drill",
        "DRILL_PASSWORD": "c",
        "CONFIG": "text of arn:config",
        "VARIABLES": "text of arn:variables",
    }
    assert {oct(path.stat().st_mode & 0o777) for path in laid.iterdir()} == {"0o600"}
    asked = {
        name: set(re.findall(r"%d/job_(\w+)", path.read_text(encoding="utf-8")))
        for path in units.glob("*.d/*.conf")
        for name in [path.parent.name]
    }
    assert set().union(*asked.values()) == {path.name for path in laid.iterdir()}
    assert asked["barograph-drill.service.d"] == {"DRILL_USERNAME", "DRILL_PASSWORD"}


START: Final = """
useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin barograph
systemctl daemon-reload
for unit in run drill; do
    systemctl start barograph-$unit.service
    echo "$unit: $?"
done
systemctl start barograph-alert@barograph-run.service.service
echo "alert: $?"
cp /var/log/barograph/job.log /out/job.log
ls /run/job-secrets /var/lib/barograph
"""


@pytest.mark.timeout(240)
def test_units_and_drop_ins_work(units: Path, tmp_path: Path, secure_server: SecureServer, s3_server: S3Server) -> None:
    """Under a real systemd, with the image's root: a night and a drill on S3 and a MongoDB over TLS, lines, metrics."""
    if (reason := booted.why_not()) is not None:
        pytest.skip(reason)
    place = tmp_path / "boot"
    feeds = place / "image-files" / "srv" / "feeds"
    assert call("simulate", str(feeds), "--days", "2").exit_code == 0
    config = (feeds / "barograph.toml").read_text(encoding="utf-8").replace('url = "', 'url = "/srv/feeds/')
    secure_server.add_user("meteo_job", ("readWrite", "awshost"))
    for bucket in ("aws-host-landing", "aws-host-backups"):
        s3_server.create_bucket(bucket)
    store = secure_server.uri("meteo_job", "awshost", retryWrites="false", tlsCAFile=SAID.ca_file)
    environment = {
        **s3_server.environment,
        "BAROGRAPH_BACKUPS": "s3://aws-host-backups/nightly",
        "BAROGRAPH_DATA_DIR": "/var/lib/barograph",
        "BAROGRAPH_LANDING": "s3://aws-host-landing",
        "BAROGRAPH_LOG_FORMAT": "json",
    }
    answers = {
        "arn:user": json.dumps({"username": "job", "password": "p"}),
        "arn:drill": json.dumps({"username": "drill", "password": "p"}),
        "arn:config": config,
        "arn:variables": json.dumps({"BAROGRAPH_STORE": store}),
    }
    host = {
        f"{UNITS}/{path.relative_to(units)}": (path.read_text(encoding="utf-8"), 0o644)
        for path in units.rglob("*")
        if path.is_file() and "boot" not in path.relative_to(units).parts
    }
    host["/usr/local/sbin/job-secrets"] = (filled("job-secrets", VALUES), 0o755)
    # The command line of AWS, which this machine has not.
    host["/usr/local/bin/aws"] = ('#!/bin/bash\ncat "/srv/answers/$6"\n', 0o755)
    host |= {f"/srv/answers/{arn}": (text, 0o600) for arn, text in answers.items()}
    host["/etc/barograph/environment"] = ("".join(f"{key}={value}\n" for key, value in environment.items()), 0o644)
    host["/var/log/barograph/.keep"] = ("", 0o644)
    image = {
        "/opt/job/nightly.py": (SCRIPT.read_text(encoding="utf-8"), 0o644),
        SAID.ca_file: (secure_server.authority.ca_file.read_text(encoding="utf-8"), 0o644),
    }
    try:
        said = booted.boot(place, START, host, image)
    finally:
        with secure_server.admin() as client:
            client["awshost"].command("dropDatabase")
            client["admin"].command("dropUser", "meteo_job")
    log = (place / "out" / "job.log").read_text(encoding="utf-8")
    assert re.findall(r"^(?:run|drill|alert): \d+$", said, re.MULTILINE) == ["run: 0", "drill: 0", "alert: 0"], log
    found = {(one.name, one.dimensions): one.value for one in emf.read(log.splitlines(), time.time() * 1000)}
    for watched in (RUN_AGE, BACKUP_AGE, DRILL_AGE):
        assert 0 <= found[watched.name, watched.dimensions] < 1
    assert found[STATION_AGE.name, ()] > 1000, "the simulated feeds are of 2024"
    assert "barograph-run.service failed" in log
    assert "DB_PASSWORD" in said


def test_the_first_start_is_sound(closed: Stack) -> None:
    """Its script is one for a shell as the template has it, and puts each file where it belongs."""
    parts = closed.one("EC2::Instance")["UserData"]["Fn::Base64"]["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else "reference" for part in parts)
    done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert text.startswith("#!/bin/bash -eu\nset -o pipefail\n")
    for place, mode in PLACES.values():
        assert f"install -D -m {mode} /dev/stdin {place} <<'END_OF_FILE'\n" in text
    assert re.findall(r"\$[a-z_]+", re.sub(r"(?s)nightly\.py <<'END_OF_FILE'.*?\nEND_OF_FILE\n", "", text)) == []
    assert "systemctl enable --now barograph-run.timer barograph-drill.timer\n" in text
    assert "useradd --uid 10001 " in text
    before = Settings.from_context(context({**VARIANTS["closed"], "master_secret_arn": ""}))
    assert "systemctl" not in values_of(before)["enable"], "there is no database user yet"


def test_an_instance_that_is_gone_is_told(closed: Stack) -> None:
    """Checks that fail, or that nobody makes any more."""
    (alarm,) = [item for item in closed.all("CloudWatch::Alarm").values() if item["AlarmName"] == "barograph-host"]
    assert (alarm["MetricName"], alarm["TreatMissingData"]) == ("StatusCheckFailed", "breaching")


def test_the_host_reads_its_secrets_and_no_others(closed: Stack) -> None:
    """Its own four: the two users, the configuration, the variables. The master's stays where it is."""
    statement = closed.statements("HostRolePolicy")["Secrets"]
    names = {item["Ref"].rstrip("0123456789ABCDEF") for item in as_list(statement["Resource"])}
    assert names <= {"JobUser", "DrillUser", "Config", "Variables"}
    assert len(as_list(statement["Resource"])) == 4
