"""The only read path of every face.

`spans` says when, `read` answers for stations, `sql` for any question; `access` tells how long an answer takes.
"""

from barograph.query.access import AccessTime, Durations, access_time
from barograph.query.read import REPORTS_SCHEMA, STATIONS_SCHEMA, Query, check_variables
from barograph.query.spans import Span, local_day, parse_span
from barograph.query.sql import lazy, sql

__all__ = [
    "REPORTS_SCHEMA",
    "STATIONS_SCHEMA",
    "AccessTime",
    "Durations",
    "Query",
    "Span",
    "access_time",
    "check_variables",
    "lazy",
    "local_day",
    "parse_span",
    "sql",
]
