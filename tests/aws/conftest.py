"""Each variant of the stack, synthesised once."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from pathlib import Path

import pytest

from deploy.aws.settings import Settings
from tests.aws.stacks import VARIANTS, Stack, context, need_venv, synthesise

_MADE: dict[str, Stack] = {}


def _stack(name: str, factory: pytest.TempPathFactory) -> Stack:
    need_venv()
    if name not in _MADE:
        folder = _shared(factory) / f"stack-{name}"
        with (_shared(factory) / f"stack-{name}.lock").open("w") as lock:
            # Several processes run these tests; the first makes it, 4 s, for all.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.is_dir():
                made = factory.mktemp(name)
                done = synthesise(made, VARIANTS[name])
                assert done.returncode == 0, done.stderr[-3000:]
                shutil.copytree(made, folder)
        path, report, noted = (
            folder / name for name in ("barograph.template.json", "validation-report.json", "barograph.metadata.json")
        )
        settings = Settings.from_context(context(VARIANTS[name]))
        documents = (json.loads(item.read_text(encoding="utf-8")) for item in (path, report, noted))
        _MADE[name] = Stack(name, path, settings, *documents)
    return _MADE[name]


def _shared(factory: pytest.TempPathFactory) -> Path:
    """A folder of this run of the tests, whichever of its processes asks."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(params=list(VARIANTS))
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """Every variant in turn."""
    return _stack(request.param, tmp_path_factory)


@pytest.fixture
def small(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """The small profile, as it comes."""
    return _stack("small", tmp_path_factory)


@pytest.fixture
def production(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """The production profile, with everything that is optional but the instance."""
    return _stack("production", tmp_path_factory)


@pytest.fixture
def closed(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """Without a way to the Internet, run on an EC2 instance."""
    return _stack("closed", tmp_path_factory)
