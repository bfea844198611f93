"""A local replica set as a person sees it: `barograph cluster …` on a data folder, and the files in it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from click.testing import CliRunner, Result

from barograph.faces.cli.main import root
from barograph.ops.cluster.folder import ClusterFolder, Member, Plan
from barograph.ops.cluster.processes import is_alive, running

KILLED: Final = """
import os, signal, sys
from pymongo import monitoring

_, when, name, *words = sys.argv

class Killer(monitoring.CommandListener):
    def at(self, event, here):
        if event.command_name == name and here == when:
            os.kill(os.getpid(), signal.SIGKILL)
    def started(self, event): self.at(event, "before")
    def succeeded(self, event): self.at(event, "after")
    def failed(self, event): self.at(event, "failed")

monitoring.register(Killer())
from barograph.faces.cli.main import main
sys.argv = ["barograph", *words]
main()
"""


@dataclass(frozen=True, slots=True)
class LocalSet:
    """The set of a data folder, whether or not it is there."""

    data_dir: Path

    @property
    def path(self) -> Path:
        return self.data_dir / "cluster"

    @property
    def folder(self) -> ClusterFolder:
        return ClusterFolder(self.path)

    @property
    def plan(self) -> Plan:
        plan = self.folder.plan()
        assert plan is not None
        return plan

    @property
    def members(self) -> list[Member]:
        return self.folder.members(self.plan)

    @property
    def pids(self) -> dict[int, int]:
        return running(self.members)

    def __call__(self, *words: str, code: int = 0) -> Result:
        line = ("--data-dir", str(self.data_dir), "cluster", *words)
        result = CliRunner().invoke(root, line, prog_name="barograph")
        assert result.exit_code == code, result.output
        return result

    def killed(self, when: str, name: str, *words: str) -> None:
        """A command killed "after" the first command `name` to a server was answered, or "before" it is sent."""
        line = ["--data-dir", str(self.data_dir), "cluster", *words]
        dead = subprocess.run([sys.executable, "-c", KILLED, when, name, *line], capture_output=True, check=False)
        assert dead.returncode == -signal.SIGKILL, (when, name, dead)

    def status(self, code: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self("status", "--json", code=code).stdout)
        return found

    def uri(self, user: str = "barograph") -> str:
        return self.folder.uri_file(user).read_text(encoding="utf-8").strip()

    def kill(self, *numbers: int) -> None:
        """As a crash does it, or all at once as a power cut."""
        pids = self.pids
        for number in numbers or tuple(pids):
            os.kill(pids[number], signal.SIGKILL)
        while any(is_alive(pids[number]) for number in numbers or tuple(pids)):
            time.sleep(0.01)

    def end(self) -> None:
        """Whatever a test has left."""
        if self.folder.exists:
            for pid in self.pids.values():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.data_dir, ignore_errors=True)
