"""docs/runbook.md on a bare Debian: every command that needs no systemd and no AWS, in order, by a bash of root."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Final

import pytest

from barograph.config import cluster_port
from barograph.ops.mongod import Mongod
from tests.docs.console import commands, hold
from tests.docs.pages import DOCS, ROOT, Block, anchors, blocks
from tests.support.bare_root import NoMirror, ask_index, connect, make_root, place
from tests.support.release import make_release, version
from tests.support.root_shell import RootShell, can_enter

PAGE: Final = DOCS / "runbook.md"
NEXT: Final = "0.2.0"
"""The version to which the page upgrades: this one with another number, and a schema of one version more."""
PORTS_AWAY: Final = 3000
ALERTS: Final = ROOT / "deploy/monitoring/alerts.yml"


def why_not() -> str | None:
    """What this machine lacks; None where the page can be run."""
    if missing := [
        name for name in ("mmdebstrap", "apt-config", "unshare", "setpriv", "chroot", "git") if not shutil.which(name)
    ]:
        return f"needs {', '.join(missing)}"
    return can_enter()


@pytest.fixture
def machine() -> Iterator[Path]:
    """A fresh machine as a folder, gone afterwards."""
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="barograph-runbook-", dir=place()))
    try:
        folder.chmod(0o755)
        root = folder / "root"
        try:
            ask_index(folder)
            make_root(root)
            connect(root)
        except NoMirror as error:
            pytest.skip(str(error))
        yield root
    finally:
        shutil.rmtree(folder)


def run(shell: RootShell, block: Block) -> None:
    """Each command of a block ends with 0, unless the next one asks how it ended, and says what the page shows."""
    known = commands(block)
    for at, (number, line, expected) in enumerate(known):
        said = shell(line)
        where = f"{block.page.name}:{number}: $ {line}"
        asked = at + 1 < len(known) and known[at + 1][1] == "echo $?"
        assert said.code == 0 or asked, f"{where}\nended with {said.code}:\n{said.text}"
        if expected:
            try:
                hold(where, expected, said.text)
            except AssertionError as error:
                raise AssertionError(f"{error}\nall of it was\n{said.text}") from None


@pytest.mark.timeout(460)  # less than faulthandler's, which would end the whole run
def test_the_runbook_does_what_it_says(machine: Path, mongod: Mongod) -> None:
    """From the installation on a bare Debian 12 to the tearing down, every block that is run gives what it shows.

    What the page says is brought to the machine, is: the releases, and for the drill of a failover a mongod.
    """
    make_release(machine / "root", version())
    later = {
        "pyproject.toml": (f'version = "{version()}"', f'version = "{NEXT}"'),
        "src/barograph/store/schema.py": (
            "VERSION: Final = 2\n\nTITLES: Final[dict[int, str]] = {\n",
            'VERSION: Final = 3\n\nTITLES: Final[dict[int, str]] = {\n    3: "a step of the test",\n',
        ),
    }
    make_release(machine / "root", NEXT, later)
    shutil.copy(mongod.path, machine / "usr/local/bin/mongod")
    # Not the ports on which other tests, and people, have their sets: a member that is down must find its own again.
    port = cluster_port(os.environ) + PORTS_AWAY
    with RootShell(machine, {"BAROGRAPH_CLUSTER_PORT": str(port)}) as shell:
        for block in blocks(PAGE):
            if block.language == "console" and block.not_run is None:
                run(shell, block)


def test_the_page_installs_this_version() -> None:
    """And its next one is newer, so that the commands can be copied."""
    assert f"barograph-{version()}.tar.gz" in PAGE.read_text(encoding="utf-8")
    assert f"new={NEXT}\n" in PAGE.read_text(encoding="utf-8")
    assert version() != NEXT


def above(block: Block) -> str:
    """The prose between a block and the one before it."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()[: block.line - 2]
    return "\n".join(takewhile(lambda line: line != "```", reversed(lines)))


def test_only_systemd_aws_and_other_machines_are_not_run() -> None:
    """What is marked as not run has one of these reasons, and the text above it says so too."""
    marked = [block for block in blocks(PAGE) if block.not_run is not None]
    page = PAGE.read_text(encoding="utf-8")
    first, last = (page[: page.index(f"\n## {title}")].count("\n") + 2 for title in ("Installation on AWS", "Upgrade"))
    aws = range(first, last)  # said once, of the whole section
    assert {block.not_run for block in blocks(PAGE) if block.line in aws} == {"needs an AWS account"}
    reasons = {block.not_run for block in marked}
    assert reasons == {"needs a running systemd", "needs an AWS account", "on another machine"}
    for block in marked:
        assert block.language == "console"
        if block.not_run == "needs a running systemd":
            assert re.search(r"^\$ .*(systemctl|journalctl)", block.text, re.MULTILINE), block.line
        if block.line not in aws:
            assert "not run" in above(block), block.line


def test_each_alert_leads_to_a_section() -> None:
    """An alert rule names the section of the runbook that ends it, and the page's table leads there as well."""
    page = PAGE.read_text(encoding="utf-8")
    rules = ALERTS.read_text(encoding="utf-8").split("- alert: ")[1:]
    assert len(rules) == 12
    for rule in rules:
        name = rule.split("\n", 1)[0]
        (section,) = re.findall(r"^ +runbook: docs/runbook\.md#(\S+)$", rule, re.MULTILINE)
        assert section in anchors(PAGE), name
        assert re.search(rf"^\|.*`{name}`.*\(#{section}\) \|$", page, re.MULTILINE), name
