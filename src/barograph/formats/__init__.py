"""Bytes -> raw rows: workbooks, lines, CSV records, long JSON answers. Knows neither Airbyte nor meteorology."""
