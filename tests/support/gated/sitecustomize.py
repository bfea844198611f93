"""Gates the processes that the tests start: Python runs this file at their start, for it is on their PYTHONPATH.

It costs nothing until the driver is imported; then `tests.support.documentdb_gate` is put into it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

FOLDER = "DOCUMENTDB_GATE_FOLDER"
DRIVER = "pymongo.synchronous.mongo_client"


class WhenTheDriverIsImported:
    """An import hook for one module and one time."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module as it would have been found, with the gate put in once it is executed."""
        if name != DRIVER:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_gate(module: ModuleType) -> None:
                execute(module)
                gate()

            setattr(spec.loader, "exec_module", execute_and_gate)  # noqa: B010 - mypy forbids the assignment
        return spec


def gate() -> None:
    """Put the gate into the driver."""
    here = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib would cost every process 2 ms
    root = os.path.dirname(os.path.dirname(os.path.dirname(here)))  # noqa: PTH120 - as above
    sys.path.insert(0, root)
    try:
        from pathlib import Path

        from tests.support.documentdb_gate import Gate, install
    finally:
        sys.path.remove(root)
    install(Gate(Path(os.environ[FOLDER]), child=True))


if FOLDER in os.environ:
    sys.meta_path.insert(0, WhenTheDriverIsImported())
