"""Writes the tables of docs/aws.md from the code: settings, alarms, costs.

    .venv/bin/python -m deploy.aws.tables             writes
    .venv/bin/python -m deploy.aws.tables --check     exits 1 where the page is behind the code

A table stands between `<!-- from deploy/aws: NAME -->` and `<!-- end -->`. Needs no CDK.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Final

from deploy.aws.alarm_table import AlarmSpec, alarms
from deploy.aws.cost import PARIS, WORKLOADS, bill, in_paris
from deploy.aws.metrics import NAMESPACE
from deploy.aws.settings import GIB, PREFIX, PROFILES, Settings

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "aws.md"
MARK: Final = re.compile(r"(<!-- from deploy/aws: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def example(profile: str) -> Settings:
    """A profile as it comes."""
    given = {"account": "123456789012", "image": "barograph:0.1.0", "alert_email": "m@example.org", "profile": profile}
    return Settings.from_context({f"{PREFIX}{name}": value for name, value in given.items()})


SMALL: Final = example("small")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def settings() -> str:
    """Every setting, with what the profiles make of it."""
    rows = []
    for item in fields(Settings):
        own = [profile.get(item.name) for profile in PROFILES.values()]
        if any(value is not None for value in own):
            default = " / ".join(_code(value) for value in own) + " †"
        else:
            default = "" if item.default in (MISSING, "", ()) else _code(item.default)
        rows.append((_code(item.name), default, item.metadata["help"]))
    return table(("setting", "default", "meaning"), rows)


def _code(value: Any) -> str:
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


SILENCE: Final = {"breaching": "raised", "notBreaching": "not raised", "ignore": "stays"}


def alarm_rows() -> str:
    """Every alarm, with the thresholds of the small profile."""
    rows = [(_code(spec.name), _raised(spec), SILENCE[spec.silence], spec.meaning, spec.cure) for spec in alarms(SMALL)]
    return table(("alarm", "raised when", "without data", "meaning", "do"), rows)


def _raised(spec: AlarmSpec) -> str:
    """The comparison in words: of which series, which value, and for how long."""
    of = "".join(f" of `{value}`" for _, value in spec.dimensions) if spec.namespace == NAMESPACE else ""
    value = spec.threshold / GIB if spec.unit == "GiB" else spec.threshold
    unit = f" {spec.unit}" if spec.unit else ""
    return f"{_code(spec.metric)}{of} {spec.beyond} {f'{value:,.3f}'.rstrip('0').rstrip('.')}{unit}, {spec.reach}"


def cost(profile: str) -> str:
    """The arithmetic of a profile's month."""
    lines = bill(example(profile), WORKLOADS[profile])
    rows = [
        (line.what, f"{line.quantity:,.4g} {line.unit}", f"{line.price:g}", f"{line.amount:,.2f}") for line in lines
    ]
    total = sum(line.amount for line in lines)
    rows.append(("sum", "", "", f"{total:,.2f}"))
    rows.append((f"**with {(PARIS - 1) * 100:.0f} % for Paris**", "", "", f"**{in_paris(lines):,.0f}**"))
    return table((profile, "quantity a month", "$ each", "$ a month"), rows)


TABLES: Final[dict[str, Callable[[], str]]] = {
    "settings": settings,
    "alarms": alarm_rows,
    "cost-small": lambda: cost("small"),
    "cost-production": lambda: cost("production"),
}


def made(text: str) -> str:
    """The page with its tables as they should be."""
    return MARK.sub(lambda match: f"{match[1]}\n{TABLES[match[2]]()}\n{match[3]}", text)


def main() -> int:
    """Write the page, or with --check only say whether it is behind."""
    text = PAGE.read_text(encoding="utf-8")
    fresh = made(text)
    if fresh == text:
        return 0
    sys.stdout.write("docs/aws.md\n")
    if "--check" in sys.argv:
        return 1
    PAGE.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
