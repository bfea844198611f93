"""Airbyte connectors as a source: programs of their own, in virtual environments of their own, one process a sync.

The protocol is Airbyte's, version 0.2: `spec`, `check`, `discover` and `read`, a JSON object a line of stdout.
"""
