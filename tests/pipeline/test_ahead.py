"""Working one item ahead."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.pipeline.ahead import Ahead


@given(st.lists(st.integers()))
def test_the_items_come_in_order(items: list[int]) -> None:
    """All of them, once."""
    with Ahead(items) as ahead:
        assert list(ahead) == items


def test_an_error_comes_after_the_items_before_it() -> None:
    """As if there were no thread."""

    def failing() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("third")

    seen: list[int] = []
    with pytest.raises(ValueError, match="third"), Ahead(failing()) as ahead:
        seen.extend(ahead)
    assert seen == [1, 2]


def test_leaving_early_leaves_no_thread() -> None:
    """Even when the source would never end."""

    def endless() -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    with Ahead(endless()) as ahead:
        assert next(iter(ahead)) == 0
    assert "barograph-ahead" not in {thread.name for thread in threading.enumerate()}
