"""Hypothesis profiles, as a pytest plugin: `ci` gives the same examples on every run, `dev` looks for new ones.

Neither has a deadline per example: on a loaded machine that would report the load. `ci` shrinks a failure but does not
explain it: with an example that ingests a landing zone, explaining took more than four minutes.
"""

from __future__ import annotations

import os

from hypothesis import Phase, settings

settings.register_profile(
    "ci",
    database=None,
    deadline=None,
    derandomize=True,
    phases=[phase for phase in Phase if phase is not Phase.explain],
    print_blob=True,
)
settings.register_profile("dev", deadline=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
