"""The job: sync (sources -> landing), ingest (landing -> decode -> quality -> store), run (both), rebuild, verify."""

from barograph.pipeline.job import Job, ingest, rebuild, run, sync
from barograph.pipeline.progress import NoProgress, Progress
from barograph.pipeline.resetting import forget_state
from barograph.pipeline.verify import Difference, VerifyReport, verify

__all__ = [
    "Difference",
    "Job",
    "NoProgress",
    "Progress",
    "VerifyReport",
    "forget_state",
    "ingest",
    "rebuild",
    "run",
    "sync",
    "verify",
]
