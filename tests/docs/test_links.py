"""No link leads nowhere."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.docs.pages import DOCS, PAGES, ROOT, anchors, links


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_resolve(page: Path) -> None:
    """A relative link leads to a file of the project and, behind a #, to a heading in it; any other is https."""
    broken = []
    for line, _, target in links(page):
        parts = urlsplit(target)
        if parts.scheme:
            if parts.scheme != "https" or not parts.netloc:
                broken.append((line, target))
            continue
        path = (page.parent / parts.path).resolve() if parts.path else page
        inside = path == ROOT or ROOT in path.parents
        if not inside or not path.exists() or (parts.fragment and parts.fragment not in anchors(path)):
            broken.append((line, target))
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_tests_exist(page: Path) -> None:
    """A link whose text names a test leads to the file that holds it."""
    missing = [
        (line, text)
        for line, text, target in links(page)
        if (name := re.fullmatch(r"`(test_\w+)`", text))
        and f"def {name[1]}(" not in (page.parent / target).read_text(encoding="utf-8")
    ]
    assert missing == []


def test_every_page_and_image_is_linked() -> None:
    """Nothing lies in docs that no page leads to."""
    reached = {(page.parent / urlsplit(target).path).resolve() for page in PAGES for _, _, target in links(page)}
    here = [*DOCS.glob("*.md"), *DOCS.glob("images/*")]
    assert [path.name for path in here if path not in reached] == []


def test_files_named_in_the_text_exist() -> None:
    """A path in backquotes that begins like one of the project's folders is there."""
    pattern = re.compile(r"`((?:src|tests|docs|benchmarks)/[\w./-]+|[a-z]+/[a-z_]+\.py)`")
    missing = [
        (page.name, name)
        for page in PAGES
        for name in pattern.findall(page.read_text(encoding="utf-8"))
        if not any((base / name).exists() for base in (ROOT, ROOT / "src" / "barograph"))
        # Written by `make bench`.
        and name != "benchmarks/results.md"
    ]
    assert missing == []
