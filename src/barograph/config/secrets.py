"""`${VARIABLE}` in the texts of a connection: the environment holds the secret, the file names it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_REFERENCE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def references(value: Any) -> Iterator[str]:
    """The names of the variables that a setting refers to, in its texts at any depth."""
    if isinstance(value, str):
        yield from _REFERENCE.findall(value)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from references(item)


def is_reference(text: str) -> bool:
    """Whether a text is one reference and nothing else."""
    return _REFERENCE.fullmatch(text) is not None


def substitute(value: Any, known: Mapping[str, str]) -> Any:
    """`value` with every reference replaced. Raises KeyError with the name of a variable that is not set."""
    if isinstance(value, str):
        return _REFERENCE.sub(lambda match: known[match[1]], value)
    if isinstance(value, Mapping):
        return {key: substitute(item, known) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [substitute(item, known) for item in value]
    return value
