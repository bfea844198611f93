"""The only read path of every face.

`spans` says when, `read` answers for stations, `sql` for any question; `access` tells how long an answer takes,
`completeness` what is missing and why.
"""

from barograph.query.access import AccessTime, Durations, access_time
from barograph.query.causes import CAUSES
from barograph.query.completeness import COMPLETENESS_SCHEMA, completeness, percent, totals
from barograph.query.read import REPORTS_SCHEMA, STATIONS_SCHEMA, Query, check_variables
from barograph.query.spans import Span, local_day, parse_span
from barograph.query.sql import lazy, sql

__all__ = [
    "CAUSES",
    "COMPLETENESS_SCHEMA",
    "REPORTS_SCHEMA",
    "STATIONS_SCHEMA",
    "AccessTime",
    "Durations",
    "Query",
    "Span",
    "access_time",
    "check_variables",
    "completeness",
    "lazy",
    "local_day",
    "parse_span",
    "percent",
    "sql",
    "totals",
]
