"""The DocumentDB gate over the whole test session, and a stand-in for a DocumentDB endpoint, as a pytest plugin."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.documentdb_gate import FOLDER, SITE, Gate, install
from tests.support.documentdb_server import DocumentDBServer
from tests.support.replica_set import ReplicaSet

GATE = pytest.StashKey[Gate]()
LEFT = pytest.StashKey[list[str]]()
"""Violations outside of any test."""
WORKER = "documentdb-gate"
HOWTO = "not in docs/documentdb-5.0.toml, which docs/documentdb.md explains"


def pytest_configure(config: pytest.Config) -> None:
    """From here on barograph's clients carry the gate, in this process and in those it starts."""
    folder = Path(tempfile.mkdtemp(prefix="barograph-documentdb-gate-"))
    gate = config.stash[GATE] = Gate(folder)
    config.stash[LEFT] = []
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    if config.getoption("dist", "no") != "no" and not hasattr(config, "workerinput"):
        # With pytest-xdist the processes that this one starts do so for themselves; it runs no test.
        return
    before = {name: os.environ.get(name) for name in (FOLDER, "PYTHONPATH")}
    os.environ[FOLDER] = str(folder)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(SITE), before["PYTHONPATH"])))
    config.add_cleanup(install(gate))
    config.add_cleanup(lambda: _restore(before))


def _restore(before: dict[str, str | None]) -> None:
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _settle(item: pytest.Item) -> None:
    """Fail the test that is running if it sent what DocumentDB does not know."""
    if found := item.config.stash[GATE].settle():
        pytest.fail(f"sent to MongoDB, {HOWTO}:\n" + "\n".join(sorted(set(found))), pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """A fixture that is shared belongs to the test that asked for it first."""
    yield
    _settle(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A test that fails anyway tells its own reason first; the teardown adds ours."""
    yield
    _settle(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Clients of fixtures close here."""
    yield
    _settle(item)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """What came outside of a test fails the run; one of several processes tells the one that has started them."""
    gate = session.config.stash[GATE]
    session.config.stash[LEFT] += gate.settle()
    left = session.config.stash[LEFT]
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output[WORKER] = {"left": left, **gate.counts()}
    elif left and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A process of tests has ended (pytest-xdist)."""
    said = dict(getattr(node, "workeroutput", {}).get(WORKER, {}))
    node.config.stash[LEFT] += said.pop("left", [])
    node.config.stash[GATE].add(**said)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """One line of what was seen, where anything was, and what is left over."""
    gate, left = config.stash[GATE], config.stash[LEFT]
    if left:
        terminalreporter.section(f"sent to MongoDB outside of a test, {HOWTO}", red=True)
        terminalreporter.line("\n".join(sorted(set(left))))
    if gate.commands:
        terminalreporter.line(gate.summary())


@pytest.fixture(scope="session")
def documentdb_server(replica_set: ReplicaSet) -> Iterator[DocumentDBServer]:
    """A stand-in for an endpoint of DocumentDB 5.0, before the replica set."""
    with DocumentDBServer(replica_set.uri) as server:
        yield server


@pytest.fixture
def documentdb_url(documentdb_server: DocumentDBServer, replica_set: ReplicaSet) -> Iterator[str]:
    """The URI of a fresh database behind the stand-in, dropped after the test."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield documentdb_server.uri_of(name)
    replica_set.drop(name)
