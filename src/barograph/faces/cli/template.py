"""The configuration that `init` writes: every setting with its meaning, and examples to be changed."""

from __future__ import annotations

from typing import Any, Final

from barograph.config import ENVIRONMENT, TABLES, Option

_HEAD: Final = """\
# barograph's configuration. A setting behind a # has the value shown (or none); take the # away to change it.
# Relative paths start at this file's folder. No password belongs in here: S3 takes the usual AWS environment, and a
# MongoDB URI with a password comes from BAROGRAPH_STORE or from a file that [store] url_file names.
#
# The environment, over this file:
"""

_EXAMPLES: Final = """
# A station. One that is served by Infoclimat describes itself; here stands only what its feed does not say.
# A Weather Underground table carries local times, so its station needs a timezone.
[stations.IICHTE19]
name = "WeerstationBS"
city = "Ichtegem"
latitude = 51.092
longitude = 2.999
elevation = 15
timezone = "Europe/Brussels"
{stations}

# A connection syncs one source to one stream of the landing zone. This one: the table that Weather Underground shows,
# saved as a workbook with one sheet per day (or as CSV).
[connections.meteo_ichtegem]
source = "wunderground-table"
url = "exports/Ichtegem_BE.xlsx"
station = "IICHTE19"
stream = "ichtegem"
schedule = "daily"
tags = ["personal", "be"]
{connections}

# And this one: an answer of Infoclimat's open data, from a file or from an https:// address.
[connections.meteo_infoclimat]
source = "infoclimat"
url = "exports/infoclimat.json"
stream = "infoclimat"
schedule = "daily"
tags = ["infoclimat"]
"""


def configuration() -> str:
    """The text of a barograph.toml that `barograph.config.load` accepts."""
    text = _HEAD + "".join(f"#   {name}: {meaning}\n" for name, meaning in ENVIRONMENT.items())
    for table in (name for name in TABLES if name not in ("stations", "connections")):
        text += f"\n[{table}]\n" + "".join(_setting(name, option) for name, option in TABLES[table].items())
    return text + _EXAMPLES.format(
        stations=_others("stations", given=("name", "city", "latitude", "longitude", "elevation", "timezone")),
        connections=_others("connections", given=("source", "url", "station", "stream", "schedule", "tags")),
    )


def _others(table: str, given: tuple[str, ...]) -> str:
    """The settings of a table that the example does not use."""
    rest = {name: option for name, option in TABLES[table].items() if name not in given}
    return "".join(_setting(name, option) for name, option in rest.items()).rstrip()


def _setting(name: str, option: Option) -> str:
    setting = f"# {name} = {_value(option.default)}"
    return f"{setting:<32} # {option.help}\n"


def _value(value: Any) -> str:
    if value is None:
        return '""'
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else f"{value:_}" if isinstance(value, int) else str(value)
