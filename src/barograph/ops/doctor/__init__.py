"""Is everything as the job needs it? Each check is a small function that gives findings, a module for each concern."""

from barograph.ops.doctor.examine import examine
from barograph.ops.doctor.finding import Finding, worst

__all__ = ["Finding", "examine", "worst"]
