"""A unit file as values: sections of settings, each with the reason why it stands there."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap
from typing import Final

WIDTH: Final = 110


@dataclass(frozen=True, slots=True)
class Setting:
    """`key=value`, and why."""

    key: str
    value: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit file: its name and its sections in order."""

    name: str
    sections: tuple[tuple[str, tuple[Setting, ...]], ...]

    def text(self) -> str:
        """The file, a comment before each setting that has a reason."""
        lines = []
        for title, settings in self.sections:
            lines.append(f"[{title}]")
            for setting in settings:
                lines += [f"# {line}" for line in wrap(setting.why, WIDTH)]
                lines.append(f"{setting.key}={setting.value}")
            lines.append("")
        return "\n".join(lines)
