"""Fixtures for every test: servers to talk to, and how hypothesis looks for examples. How many processes run them."""

from __future__ import annotations

import os

import pytest

pytest_plugins = [
    "tests.support.fixtures_documentdb",
    "tests.support.fixtures_replica_set",
    "tests.support.fixtures_servers",
    "tests.support.hypothesis_profiles",
    "tests.support.scripted",
]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """What `-n auto` means: one process more than cores, since many tests wait for servers (766 s, not 887, on two)."""
    return (os.cpu_count() or 1) + 1
