"""A workbook through dlt: `PYTHON_OF_DLT benchmarks/dlt_load.py WORKBOOK FOLDER`. Prints the number of rows.

A resource that yields the rows, and the filesystem destination with JSON lines, as dlt's documentation shows them. The
sheet's title is kept, since it alone names the day.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt  # type: ignore[import-not-found,unused-ignore]  # it lives in an environment of its own
import openpyxl


def main(workbook: Path, folder: Path) -> None:
    """Load it."""
    count = 0

    @dlt.resource(name="observations", write_disposition="append")  # type: ignore[untyped-decorator,unused-ignore]
    def rows() -> Iterator[dict[str, Any]]:
        nonlocal count
        for sheet in openpyxl.load_workbook(workbook, read_only=True, data_only=True):
            lines = sheet.iter_rows(values_only=True)
            header = next(lines, ())
            for line in lines:
                count += 1
                yield {"Sheet": sheet.title, **dict(zip(map(str, header), line, strict=True))}

    pipeline = dlt.pipeline(
        "barograph_bench",
        destination=dlt.destinations.filesystem(bucket_url=folder.as_uri()),
        dataset_name="meteo_sync",
        pipelines_dir=str(folder / "pipelines"),
    )
    pipeline.run(rows(), loader_file_format="jsonl").raise_on_failed_jobs()
    print(count)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
