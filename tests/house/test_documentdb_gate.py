"""The DocumentDB gate sees what barograph sends, wherever it sends it from, and a run that sends too much fails."""

from __future__ import annotations

import ast
import multiprocessing
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
from pymongo import MongoClient

from barograph.store.mongo import MongoStore
from tests.e2e.scenario import CLI, environment
from tests.support.documentdb_gate import FOLDER, SITE, VIOLATION, Gate, install, made_by_barograph

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCE: Final = ROOT / "src" / "barograph"
FORBIDDEN: Final = {"aggregate": "logs", "pipeline": [{"$facet": {"a": []}}, {"$sort": {"_id": 1}}], "cursor": {}}


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """A gate of the test's own in place of the session's, in this process and in those it starts."""
    folder = tmp_path / "gate"
    folder.mkdir()
    monkeypatch.setenv(FOLDER, str(folder))
    own = Gate(folder)
    # Around the session's one: what a test sends on purpose must not reach that.
    original = MongoClient.__init__
    while hasattr(original, "__wrapped__"):
        original = original.__wrapped__
    monkeypatch.setattr(MongoClient, "__init__", original)
    undo = install(own)
    yield own
    undo()


def test_what_the_product_sends_is_seen(gate: Gate, mongo_url: str) -> None:
    """A violation in a client that a store has made is told once, with its place."""
    with closing(MongoStore(mongo_url)) as store:
        store.stations()
        store._link.database.command(FORBIDDEN)
    assert gate.settle() == ["aggregate.pipeline[0].$facet: $facet is not on the list"]
    assert gate.settle() == []
    assert gate.commands["find"] >= 1
    assert gate.commands["aggregate"] == 1


def test_what_the_tests_send_is_their_own_business(gate: Gate, mongo_url: str) -> None:
    """A plain client of a test carries no gate."""
    with MongoClient[dict[str, Any]](mongo_url) as client:
        client.get_default_database().command(FORBIDDEN)
    assert (gate.settle(), gate.commands) == ([], {})


def test_what_may_be_tried_is_counted(gate: Gate, mongo_url: str) -> None:
    """The view is created here, and noted as what DocumentDB would refuse."""
    with closing(MongoStore(mongo_url)) as store:
        store.delete_objects()
    assert gate.settle() == []
    assert gate.optional["the view report_rows"] == 1
    assert "tried, and not needed: " in gate.summary()
    assert "the view report_rows (1)" in gate.summary()


def test_a_gate_that_cannot_read_a_command_says_so(gate: Gate) -> None:
    """The driver swallows what a listener raises; here it is a violation."""
    gate.saw("aggregate", {"aggregate": "a", "pipeline": [None]})
    (told,) = gate.settle()
    assert told.startswith("aggregate: the gate cannot read it (AttributeError")


def module(name: str, code: str, **names: Any) -> ModuleType:
    made = ModuleType(name)
    made.__dict__.update(names)
    exec(compile(textwrap.dedent(code), name, "exec"), made.__dict__)  # noqa: S102 - functions of a module of this name
    return made


def asked(through: Callable[[Any], Any]) -> bool:
    """What the gate takes a call for that comes from here through `through`."""
    asking = module("pymongo.asking", "def ask(): return made(sys._getframe(1))", made=made_by_barograph, sys=sys)
    answer: bool = through(asking.ask)
    return answer


def test_who_makes_a_client() -> None:
    """The nearest of barograph and the tests decides; a module with a mongod of its own is exempt with all it calls."""
    call = "def call(ask): return ask()"
    product, store = module("barograph.ops.backup", call), module("barograph.store.mongo_client", call)
    assert asked(product.call)
    assert not asked(module("tests.e2e.somewhere", call).call)
    assert asked(lambda ask: module("tests.support.x", call).call(lambda: store.call(ask)))
    for name in ("barograph.ops.cluster", "barograph.ops.cluster.members"):
        through = module(name, "def call(ask): return store.call(ask)", store=store)
        assert not asked(through.call)
    assert asked(module("barograph.ops.clustering", call).call)


STORE_AND_SEND: Final = """
    from barograph.store.mongo import MongoStore
    store = MongoStore({url!r})
    store._link.database.command({command!r})
    {end}
"""


def code(url: str, end: str = "store.close()") -> str:
    return textwrap.dedent(STORE_AND_SEND.format(url=url, command=FORBIDDEN, end=end))


@pytest.mark.parametrize("end", ["store.close()", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"])
def test_processes_are_gated(gate: Gate, mongo_url: str, tmp_path: Path, end: str) -> None:
    """Any Python process that a test starts, in any folder, and also one that is killed right after it has sent."""
    subprocess.run([sys.executable, "-c", code(mongo_url, end)], cwd=tmp_path, check=False)
    (told,) = gate.settle()
    assert told.startswith("aggregate.pipeline[0].$facet: $facet is not on the list (in: ")
    assert gate.commands["aggregate"] == 1
    assert gate.processes == 1
    assert gate.folder is not None
    assert list(gate.folder.iterdir()) == []


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forks_are_gated(gate: Gate, mongo_url: str) -> None:
    """A fork has the listener of its parent, and tells it by file."""
    with closing(MongoStore(mongo_url)):
        fork = multiprocessing.get_context("fork").Process(target=_send, args=(mongo_url,))
        fork.start()
        fork.join()
    assert [told.partition(" (in")[0] for told in gate.settle()] == [
        "aggregate.pipeline[0].$facet: $facet is not on the list"
    ]


def _send(url: str) -> None:
    with closing(MongoStore(url)) as store:
        store._link.database.command(FORBIDDEN)


@pytest.mark.parametrize(
    "command",
    [CLI, (sys.executable, "-m", "barograph"), (sys.executable, "-m", "tests.e2e.slowed"),
     (sys.executable, "-m", "tests.e2e.measured"), (sys.executable, "-m", "tests.e2e.killed", "run", "9", "after")],
    ids=lambda command: command[-1][:20],
)  # fmt: skip
def test_every_way_that_tests_start_the_program_is_gated(gate: Gate, mongo_url: str, command: tuple[str, ...]) -> None:
    """The program's commands are counted, whichever module of the tests starts it."""
    done = subprocess.run(
        [*command, "--store", mongo_url, "stations", "--json"],
        cwd=ROOT, env={**environment(), "PYTHONPATH": os.environ["PYTHONPATH"]}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert gate.settle() == []
    assert gate.commands["find"] >= 1
    assert gate.processes == 1


def test_a_process_without_mongodb_pays_nothing() -> None:
    """The hook alone imports neither the driver nor the gate."""
    asking = "import sys; print(sorted(n for n in sys.modules if n.split('.')[0] in ('pymongo', 'tests', 'tomllib')))"
    told = subprocess.run([sys.executable, "-c", asking], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"
    assert str(SITE) in os.environ["PYTHONPATH"].split(os.pathsep)


INNER: Final = """
    import pytest
    from barograph.store.mongo import MongoStore

    def send(command):
        store = MongoStore({url!r})
        try:
            store._link.database.command(command)
        finally:
            store.close()

    @pytest.fixture(scope="module")
    def shared():
        send({command!r})

    @pytest.fixture
    def untidy():
        yield
        send({command!r})

    def test_good():
        send({{"ping": 1}})

    def test_in_the_test():
        send({command!r})

    def test_in_a_fixture(shared):
        pass

    def test_after(shared):
        pass

    def test_in_the_teardown(untidy):
        pass
"""
OUTSIDE: Final = """
    def pytest_sessionfinish():
        from barograph.store.mongo import MongoStore
        store = MongoStore({url!r})
        store._link.database.command({command!r})
        store.close()
"""


def pytest_run(folder: Path) -> subprocess.CompletedProcess[str]:
    """A run of its own with the plugin, outside of this run's gate."""
    alone = {name: value for name, value in os.environ.items() if name not in (FOLDER, "PYTHONPATH")}
    alone["PYTHONPATH"] = os.pathsep.join(part for part in sys.path if part and part != str(SITE))
    words = ["-q", "-p", "no:cacheprovider", "-p", "tests.support.fixtures_documentdb", "--rootdir", str(folder)]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *words, "-c", os.devnull, str(folder)],
        cwd=folder, env=alone, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_test_that_sends_too_much_fails(tmp_path: Path, mongo_url: str) -> None:
    """In the test: it fails. In a fixture: its setup or teardown is an error. The others pass; the summary counts."""
    (tmp_path / "test_inner.py").write_text(textwrap.dedent(INNER.format(url=mongo_url, command=FORBIDDEN)))
    done = pytest_run(tmp_path)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "1 failed, 3 passed, 2 errors" in done.stdout
    assert "FAILED test_inner.py::test_in_the_test" in done.stdout
    assert "ERROR test_inner.py::test_in_a_fixture" in done.stdout
    assert "ERROR test_inner.py::test_in_the_teardown" in done.stdout
    assert "aggregate.pipeline[0].$facet: $facet is not on the list" in done.stdout
    assert "DocumentDB 5.0 gate: " in done.stdout
    assert "aggregate 3" in done.stdout


def test_what_is_sent_outside_of_a_test_fails_the_run(tmp_path: Path, mongo_url: str) -> None:
    """At the end of the session, when no test is left to fail."""
    (tmp_path / "test_inner.py").write_text("def test_nothing(): pass\n")
    (tmp_path / "conftest.py").write_text(textwrap.dedent(OUTSIDE.format(url=mongo_url, command=FORBIDDEN)))
    done = pytest_run(tmp_path)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    assert "sent to MongoDB outside of a test" in done.stdout


def test_no_client_escapes_the_gate() -> None:
    """barograph makes its clients with the class that the gate changes, not with the asynchronous one."""
    made = []
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pymongo"):
                assert not [name.name for name in node.names if name.name.startswith("Async")], path
                made += [path.name for name in node.names if name.name == "MongoClient"]
    assert "mongo_client.py" in made


def test_violations_are_sorted_out_by_kind() -> None:
    """A violation waits for the next settling; nothing else does."""
    gate = Gate()
    gate.note("command", "find")
    gate.note("optional", "a view")
    gate.note(VIOLATION, "x")
    assert (gate.settle(), gate.settle()) == (["x"], [])
    assert gate.summary().startswith("DocumentDB 5.0 gate: 1 commands of 1 names")
