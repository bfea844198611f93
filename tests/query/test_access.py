"""What access-time measures."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from barograph.errors import NotFound
from barograph.model import Station
from barograph.query import Durations, Query, access_time
from barograph.store import open_store
from tests.query.conftest import lesquin
from tests.query.stores import sqlite


def test_durations_are_those_of_the_rounds() -> None:
    """The first is the first round's; p95 is a value that was measured, not one between two."""
    found = Durations.of([9.0, 1.0, 3.0, 2.0])
    assert found == Durations(first=9.0, minimum=1.0, median=2.5, p95=9.0)
    assert Durations.of([float(value) for value in range(100, 0, -1)]).p95 == 95.0
    assert Durations.of([7.0]) == Durations(7.0, 7.0, 7.0, 7.0)


def test_what_was_measured_is_the_query_of_every_face(tmp_path: Path) -> None:
    """As many reports as the query gives, from as many documents as it needs, each round on its own."""
    url = sqlite(tmp_path, {Station("07015", timezone="Europe/Paris"): lesquin()})
    with closing(open_store(url)) as store:
        query = Query(store)
        span = query.span("07015", "2024-10-06")
        found = access_time(store, "07015", span, rounds=7)
        assert (found.reports, found.rounds) == (query.reports("07015", span).height, 7) == (24, 7)
        assert found.documents == 2, "a local day lies on two UTC days"
        assert found.bytes > 24 * 8
        assert found.first_document is not None
        assert 0 < found.first_document.median < found.in_hand.p95
        assert found.cursor is None
        assert found.plan == store.explain("07015", span.start, span.end)
        empty = access_time(store, "07015", query.span("07015", "1999"), rounds=1)
        assert (empty.reports, empty.documents, empty.first_document) == (0, 0, None)
        with pytest.raises(NotFound):
            access_time(store, "nowhere", span, rounds=1)
