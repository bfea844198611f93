"""The process log: what a command does, one line an event, on stderr, through Python's logging.

The events of a run come from its journal, which writes the same entries to the store's `logs`; libraries' warnings and
the error a command ends with come beside them. Whatever leaves passes the `Masks`.
"""

from barograph.logs.formats import FORMATS, LEVELS, HumanFormatter, JsonFormatter
from barograph.logs.handler import LineHandler
from barograph.logs.masks import MASK, SHORTEST, Known, Masks, is_secret_name, mask_pair, url_secrets
from barograph.logs.process import COMMANDS, EVENTS, ProcessLog, emit, is_journal

__all__ = [
    "COMMANDS",
    "EVENTS",
    "FORMATS",
    "LEVELS",
    "MASK",
    "SHORTEST",
    "HumanFormatter",
    "JsonFormatter",
    "Known",
    "LineHandler",
    "Masks",
    "ProcessLog",
    "emit",
    "is_journal",
    "is_secret_name",
    "mask_pair",
    "url_secrets",
]
