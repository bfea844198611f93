"""What the pages show is what happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from barograph.store.mongo_schema import VALIDATORS
from barograph.variables import NAMES
from tests.docs.console import Session
from tests.docs.pages import DOCS, PAGES, Block, blocks

RUN = ("console", "python", "toml")
ELSEWHERE = ("mongodb.md", "runbook.md")
"""Run by tests of their own: test_mongodb.py, test_runbook.py."""


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.name not in ELSEWHERE and any(b.language in RUN for b in blocks(page))],
    ids=lambda p: p.name,
)
def test_examples(
    page: Path, demo: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Every console, Python and toml block of the page, from top to bottom in one folder, gives what it shows.

    A block that is not run says why in a comment above it; one that names a file is saved under its name.
    """
    if any("$ barograph cluster up" in block.text for block in blocks(page)):
        request.getfixturevalue("mongod")
    session = Session(demo[0], monkeypatch, demo[1])
    for block in blocks(page):
        if block.file is not None:
            (demo[0] / block.file).write_text(block.text, encoding="utf-8")
        if block.language in RUN and block.not_run is None:
            session.run(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_says_its_language(page: Path) -> None:
    """A block without a language would be neither run nor coloured."""
    known = {*RUN, "text", "json", "js", "mermaid"}
    assert [(block.line, block.language) for block in blocks(page) if block.language not in known] == []


def json_blocks(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.language == "json"]


@pytest.mark.parametrize("page", [page for page in PAGES if json_blocks(page)], ids=lambda page: page.name)
def test_json_is_json(page: Path) -> None:
    """Documents can be copied."""
    for block in json_blocks(page):
        json.loads(block.text)


def test_the_shown_day_has_the_shape_that_the_database_holds() -> None:
    """The example of a MongoDB document has the fields of the validator, no other, and every one that is required."""
    documents = [json.loads(block.text) for block in json_blocks(DOCS / "stores.md")]
    document = next(found for found in documents if "revision" in found)
    schema = VALIDATORS["reports"]
    assert set(schema["required"]) <= document.keys() <= schema["properties"].keys()
    assert list(document["reports"]) == ["utc_time", *(name for name in NAMES if name in document["reports"])]
    assert {len(cells) for cells in document["reports"].values()} == {3}


def test_pictures_can_be_made_again(tmp_path: Path) -> None:
    """docs/make_images.sh makes each picture of the pages, of the same size, from simulated data and kept figures."""
    barograph = tmp_path / "barograph"
    barograph.write_text(f'#!/bin/sh\nexec {sys.executable} -m barograph "$@"\n', encoding="utf-8")
    barograph.chmod(0o755)
    (tmp_path / "images").mkdir()
    script = [str(DOCS / "make_images.sh"), str(tmp_path / "images")]
    environment = {**os.environ, "BAROGRAPH": str(barograph), "IMAGES_PYTHON": sys.executable}
    subprocess.run(script, env=environment, capture_output=True, check=True)
    assert sizes(tmp_path / "images") == sizes(DOCS / "images")


def sizes(folder: Path) -> dict[str, tuple[int, int]]:
    """Width and height of each PNG: the two numbers of its IHDR chunk."""
    heads = {path.name: path.read_bytes()[16:24] for path in folder.glob("*.png")}
    return {name: (int.from_bytes(head[:4]), int.from_bytes(head[4:])) for name, head in heads.items()}
