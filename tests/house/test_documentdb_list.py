"""docs/documentdb-5.0.toml: every group has its source, and nothing is allowed that is known to be missing."""

from __future__ import annotations

import re
import tomllib
from typing import Final

import pytest

from tests.support.documentdb_list import ALLOWED, PATH

TEXT: Final = PATH.read_text(encoding="utf-8")
MISSING: Final = {
    ("aggregation", "stages"): (
        "$merge $replaceWith $bucket $bucketAuto $set $unset $setWindowFields $facet $unionWith $sortByCount"
        " $graphLookup $planCacheStats $listSessions $densify $fill $documents"
    ),
    ("expressions", "operators"): (
        "$dateTrunc $round $trunc $dateFromParts $dateToParts $pow $rand $isNumber $getField $setField $sortArray $sin"
        " $bsonSize $binarySize $function $sampleRate"
    ),
    (
        "expressions",
        "accumulators",
    ): "$percentile $median $accumulator $count $stdDevPop $stdDevSamp $top $bottom $firstN",
    ("expressions", "variables"): "REMOVE CURRENT NOW",
    ("query", "top"): "$where $text",
    ("query", "field"): "$near $geoWithin $where",
    ("index", "options"): "collation hidden v storageEngine wildcardProjection clustered",
    ("concerns", "read"): "linearizable snapshot",
    ("command-fields", "any"): "txnNumber collation",
}
"""What AWS's tables say No to in the column 5.0, or what came with a later engine."""


@pytest.mark.parametrize("place", sorted(MISSING), ids=".".join)
def test_what_is_missing_in_5_0_is_not_allowed(place: tuple[str, str]) -> None:
    """The known gaps of 5.0, each in the list where it would have to stand."""
    assert ALLOWED.names(*place) & set(MISSING[place].split()) == set()


@pytest.mark.parametrize("command", ["find", "aggregate", "count", "distinct", "insert", "update", "delete", "create"])
def test_no_command_has_what_5_0_lacks_everywhere(command: str) -> None:
    """Collation, let, capped, time-series and clustered collections, expiry of collections, views."""
    absent = {"collation", "let", "capped", "timeseries", "clusteredIndex", "expireAfterSeconds", "viewOn", "pipeline"}
    assert ALLOWED.commands[command] & absent == ({"pipeline"} if command == "aggregate" else set())


def test_no_command_is_allowed_that_5_0_lacks() -> None:
    """As AWS's tables have it."""
    absent = "mapReduce createView convertToCapped getParameter connPoolStats features refreshSessions copydb filemd5"
    assert ALLOWED.commands.keys() & set(absent.split()) == set()


def test_every_group_names_its_source() -> None:
    """Each table has a comment that names one of [sources], or what was seen; so has each part of [commands]."""
    sources = tomllib.loads(TEXT)["sources"].keys()
    named = re.compile(r"\[(" + "|".join(sources) + r")\]|[Ss]een on a cluster")
    tables = re.split(r"^\[+([\w-]+)\]+$", TEXT, flags=re.MULTILINE)[1:]
    without = [
        name
        for name, body in zip(tables[::2], tables[1::2], strict=True)
        if name not in ("sources", "local") and not named.search(body)
    ]
    assert without == []


def test_what_may_be_tried_has_evidence_and_a_way_without() -> None:
    """Each entry of [[optional]] says why it is doubtful and what barograph does instead; it is not allowed already."""
    assert len(ALLOWED.optional) >= 4
    for entry in ALLOWED.optional:
        assert entry.evidence
        assert entry.without.endswith(".")
        for path in entry.paths:
            command, _, option = path.partition(".")
            if not option:
                assert command not in ALLOWED.commands, path
            elif option in ("viewOn", "pipeline"):
                assert option not in ALLOWED.commands[command], path
