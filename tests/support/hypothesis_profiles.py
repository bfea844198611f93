"""Hypothesis profiles, as a pytest plugin: `ci` gives the same examples on every run, `dev` looks for new ones.

Neither has a deadline per example: on a loaded machine that would report the load.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True, database=None)
settings.register_profile("dev", deadline=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
