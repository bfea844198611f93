"""deploy/admin/barograph, with which root runs barograph as the units do; docs/runbook.md is run with it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from barograph.config.credentials import adopt_credentials
from barograph.ops.systemd import Machine

ROOT: Final = Path(__file__).resolve().parents[2]
SCRIPT: Final = ROOT / "deploy/admin/barograph"


def inside(tmp_path: Path) -> Path:
    """The script with its folders in another place, and a program that tells its environment instead of barograph."""
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$*"; env\n', encoding="utf-8")
    program.chmod(0o755)
    text = SCRIPT.read_text(encoding="utf-8")
    text = text.replace("/etc/barograph/credentials", str(tmp_path / "credentials"))
    text, found = re.subn(r"exec setpriv .* /opt/barograph/bin/barograph", f"exec {program}", text)
    assert found == 1
    text = text.replace("exec /opt/barograph/bin/barograph", f"exec {program} as-root")
    script = tmp_path / "script"
    script.write_text(text.replace("$(id -u)", "0"), encoding="utf-8")
    script.chmod(0o755)
    return script


def test_the_script_is_that_of_the_default_machine() -> None:
    """The program, user, configuration, data and secrets of `install-service`'s defaults."""
    text, machine = SCRIPT.read_text(encoding="utf-8"), Machine()
    for path in (machine.program, machine.config, machine.data_dir, machine.credentials):
        assert str(path) in text
    assert f"--reuid {machine.user} --regid {machine.user}" in text
    assert os.access(SCRIPT, os.X_OK)


def test_secrets_become_variables_as_in_a_unit(tmp_path: Path) -> None:
    """The same files give the same variables as systemd's credentials do; what is set already stands; words pass."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    for name, text in {
        "BAROGRAPH_STORE": "mongodb://u:p%40$(x) 'y'@h/meteo\nsecond line\n",
        "TOKEN_2": "no line end",
        "EMPTY": "",
        "EMPTY_LINE": "\nsecond line\n",
        "BLANKS": "  within  blanks \n",
        "SET": "of the file",
        ".new": "half",
        "notes.txt": "nothing",
        "aBC": "nothing",
    }.items():
        (folder / name).write_text(text, encoding="utf-8")
    told = subprocess.run(
        [str(inside(tmp_path)), "logs", "--type", "a b"],
        env={"PATH": os.environ["PATH"], "SET": "of the shell"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert told[0] == "logs --type a b"
    shown = dict(line.split("=", 1) for line in told[1:])
    wanted = {"SET": "of the shell", "CREDENTIALS_DIRECTORY": str(folder)}
    adopt_credentials(wanted)
    del wanted["CREDENTIALS_DIRECTORY"]
    names = {"BAROGRAPH_STORE", "TOKEN_2", "SET", "EMPTY", "EMPTY_LINE", "BLANKS", "aBC", "new"}
    assert {name: shown[name] for name in names & shown.keys()} == wanted
    assert shown["BAROGRAPH_CONFIG"] == "/etc/barograph/barograph.toml"
    assert shown["BAROGRAPH_DATA_DIR"] == "/var/lib/barograph"


def test_units_are_written_by_root_itself(tmp_path: Path) -> None:
    """`install-service` stays root's, and no secret reaches it."""
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "TOKEN").write_text("secret\n", encoding="utf-8")
    words = [str(inside(tmp_path)), "install-service", "--timezone", "UTC"]
    told = subprocess.run(words, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True).stdout
    assert told.startswith("as-root install-service --timezone UTC\n")
    assert "secret" not in told


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root, to become somebody else")
def test_others_are_told(tmp_path: Path) -> None:
    """Who is not root is told why, instead of running without the secrets."""
    script = Path(shutil.copy(SCRIPT, tmp_path / "barograph"))
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-s", "status"],
        input=script.read_text(encoding="utf-8"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: only root reads the secrets")
