"""`enabled` is changed in barograph.toml, and nothing else is: comments, order, line endings, mode, owner."""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path

import pytest

from barograph.config import set_enabled
from barograph.errors import ConfigError

PLAIN = """\
# The network of the coast.
[store]
patience = 5  # seconds

[connections.a]  # the first
source = "infoclimat"
tags = [
    "coast",  # as it is called
]

# About b: it is slow.
[connections.b]
source = "infoclimat"
enabled   =  true   # until May
url = "b.json"
"""


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write(tmp_path / "barograph.toml", PLAIN)


def test_only_the_setting_changes(config: Path) -> None:
    """A new key goes to the end of its table, before the comment of the next; an old one keeps its comment."""
    assert set_enabled(config, ["b", "a"], enabled=False) == ["b", "a"]
    expected = PLAIN.replace("]\n\n# About", "]\nenabled = false\n\n# About").replace("=  true   #", "=  false   #")
    assert config.read_text(encoding="utf-8") == expected
    assert set_enabled(config, ["b"], enabled=True) == ["b"]
    assert config.read_text(encoding="utf-8") == expected.replace("=  false   #", "=  true   #")


def test_what_is_so_already_is_left_alone(config: Path) -> None:
    """The file is not even replaced."""
    before = config.stat()
    assert set_enabled(config, ["a", "b"], enabled=True) == []
    assert config.stat() == before


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        '[connections]\na = { source = "x", url = "y" }\nb.source = "x"\n',
        'connections.a.source = "x"\nconnections.b.source = "x"\n[store]\npatience = 2\n',
        '[connections.a]\nsource = "x"\n\n[connections.a.columns]\nt = 1\n\n[connections.b]\nsource = "x"',
        '[connections.b]\nsource = "x"\n[store]\npatience = 2\n[connections."a"]\nsource = "y"\nenabled = true\n',
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_however_the_table_is_written(tmp_path: Path, text: str, newline: str) -> None:
    """Inline, dotted, out of order, without a last line's end: what is read afterwards differs in `enabled` alone."""
    config = write(tmp_path / "barograph.toml", text.replace("\n", newline))
    expected = tomllib.loads(text)
    for name in ("a", "b"):
        expected["connections"][name]["enabled"] = False
    assert set_enabled(config, ["a", "b"], enabled=False) == ["a", "b"]
    edited = config.read_bytes().decode()
    assert tomllib.loads(edited) == expected
    assert "\n" not in edited.replace(newline, "")


def test_mode_owner_and_link_stay(config: Path, tmp_path: Path) -> None:
    """A link stays a link, and the file behind it keeps its rights; nothing is left beside it."""
    config.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(config, 12345, 54321)
    before = config.stat()
    (tmp_path / "etc").mkdir()
    link = tmp_path / "etc" / "link.toml"
    link.symlink_to(config)
    assert set_enabled(link, ["a"], enabled=False) == ["a"]
    assert link.is_symlink()
    after = config.stat()
    assert stat.S_IMODE(after.st_mode) == 0o640
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["barograph.toml", "etc"]


def test_a_read_only_file_is_told(config: Path) -> None:
    """Nothing is changed, also for root, and nothing is left beside it."""
    config.chmod(0o444)
    with pytest.raises(ConfigError, match="is read-only") as caught:
        set_enabled(config, ["a"], enabled=False)
    assert caught.value.where == str(config)
    assert config.read_text(encoding="utf-8") == PLAIN
    assert [item.name for item in config.parent.iterdir()] == ["barograph.toml"]


def test_an_unknown_name_is_told(config: Path) -> None:
    """With those that there are, and nothing is changed for the others."""
    with pytest.raises(ConfigError, match="no connection 'c'") as caught:
        set_enabled(config, ["a", "c"], enabled=False)
    assert "a, b" in caught.value.hint
    assert config.read_text(encoding="utf-8") == PLAIN
