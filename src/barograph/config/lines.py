"""On which line of a TOML file each key stands: tables, dotted and quoted keys, inline tables, items of lists."""

from __future__ import annotations

import re
import tomllib
from typing import Final, TypeAlias

Keys: TypeAlias = tuple[str, ...]
"""The keys from the file's top to a value; an item of a list goes by its place, "0"."""

_QUOTED: Final = (r'"(?:\\.|[^"\\])*"', r"'[^']*'")
_STRING: Final = re.compile("|".join((r'"""(?:\\.|[^\\])*?"{3,5}', r"'''.*?'{3,5}", *_QUOTED)), re.DOTALL)
_PART: Final = re.compile("|".join(("[A-Za-z0-9_-]+", *_QUOTED)))
_SPACE: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BLANKS: Final = re.compile(r"[ \t]*")
_PLAIN: Final = re.compile(r"[^,\]}#\n]+")


def key_lines(text: str) -> dict[Keys, int]:
    """The line (1-based) of each key's first place in a file that tomllib has read."""
    scan = _Scan(text)
    scan.run()
    return scan.lines


class _Scan:
    """One pass over the text. Tables of a list [[a]] share one path: the configuration has none."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.lines: dict[Keys, int] = {}

    def run(self) -> None:
        table: Keys = ()
        while self._skip(_SPACE) and self.at < len(self.text):
            start = self.at
            if self.text.startswith("[", start):
                self.at += 2 if self.text.startswith("[[", start) else 1
                table = self._key(())
                self.at = self.text.find("]", self.at) + 1 or len(self.text)
                self._skip(re.compile(r"\]?"))
            else:
                self._pair(table)
            if self.at <= start:
                return

    def _skip(self, pattern: re.Pattern[str]) -> bool:
        match = pattern.match(self.text, self.at)
        self.at = self.at if match is None else match.end()
        return match is not None

    def _key(self, above: Keys) -> Keys:
        """A key, dotted or not; each part of it is noted."""
        path = above
        while True:
            self._skip(_BLANKS)
            part = _PART.match(self.text, self.at)
            if part is None:
                return path
            name = part[0]
            path = (*path, tomllib.loads(f"k = {name}")["k"] if name[0] in "\"'" else name)
            self._note(path, part.start())
            self.at = part.end()
            self._skip(_BLANKS)
            if not self.text.startswith(".", self.at):
                return path
            self.at += 1

    def _note(self, path: Keys, at: int) -> None:
        self.lines.setdefault(path, self.text.count("\n", 0, at) + 1)

    def _pair(self, above: Keys) -> None:
        path = self._key(above)
        if self.text.startswith("=", self.at):
            self.at += 1
            self._value(path)

    def _value(self, path: Keys) -> None:
        self._skip(_SPACE)
        opened = self.text[self.at : self.at + 1]
        if opened not in ("[", "{"):
            if not self._skip(_STRING):
                self._skip(_PLAIN)
            return
        self.at += 1
        place = 0
        while self._skip(_SPACE) and self.at < len(self.text):
            start = self.at
            if self.text[start] in "]}":
                self.at += 1
                return
            if self.text[start] == ",":
                self.at += 1
                continue
            if opened == "{":
                self._pair(path)
            else:
                self._note((*path, str(place)), start)
                self._value((*path, str(place)))
                place += 1
            if self.at <= start:
                return
