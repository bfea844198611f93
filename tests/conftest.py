"""Fixtures for every test: servers to talk to, and how hypothesis looks for examples."""

pytest_plugins = [
    "tests.support.fixtures_documentdb",
    "tests.support.fixtures_replica_set",
    "tests.support.fixtures_servers",
    "tests.support.hypothesis_profiles",
    "tests.support.scripted",
]
