"""The state of the whole: what was found (`model`), how it is looked up (`collect`), what is wrong (`problems`)."""

from barograph.ops.status.collect import collect
from barograph.ops.status.model import Kept, Problem, StationRow, Status

__all__ = ["Kept", "Problem", "StationRow", "Status", "collect"]
