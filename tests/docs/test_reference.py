"""The pages name everything that there is, and nothing that there is not."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Final, get_args, get_type_hints

import click
import pytest

import barograph
from barograph.config import ENVIRONMENT, SOURCE_KINDS, TABLES
from barograph.errors import BarographError
from barograph.faces.cli.cluster import EXIT_CODES as CLUSTER_CODES
from barograph.faces.cli.command import BROKEN_PIPE, INTERRUPTED
from barograph.faces.cli.main import every_command, root
from barograph.faces.cli.report import EXIT_CODES
from barograph.model import Counts
from barograph.ops.cluster.users import PRIVILEGES, ROLE
from barograph.pipeline.verify import Difference
from barograph.store.mongo_schema import INDEXES, VALIDATORS, VIEW
from barograph.store.sqlite_file import SCHEMA
from barograph.variables import VARIABLES
from tests.docs.pages import DOCS, PAGES, ROOT, blocks, cells
from tests.support.documentdb_list import ALLOWED

COMMANDS: Final = list(every_command())
OPERATIONS, RECORD, STORES, PYTHON = (DOCS / f"{name}.md" for name in ("operations", "record", "stores", "python"))
LOCAL: Final = DOCS / "mongodb-local.md"


def text_of(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_current() -> None:
    """`python docs/generate.py` was run after the last change of a command, a setting or a variable."""
    assert generator().stale() == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    """The command has a section with each of its options and arguments, and the text behind each option."""
    section = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", text_of("commands.md"), re.MULTILINE | re.DOTALL)
    assert section is not None
    said = " ".join(section[1].split())
    for parameter in every_command()[name].params:
        if isinstance(parameter, click.Option):
            assert all(re.search(rf"(?<![\w-]){option}(?![\w-])", said) for option in parameter.opts), parameter.opts
            assert " ".join((parameter.help or "").split()) in said
        else:
            assert (parameter.metavar or "").strip("[].") in said


def test_global_options_are_documented() -> None:
    """Those that stand before the command."""
    said = text_of("commands.md").partition("\n## demo\n")[0]
    assert all(option in said for parameter in root.params for option in parameter.opts)


def test_every_setting_is_documented() -> None:
    """The table of settings has each once, with its default and its meaning, and no other."""
    rows = {(row[0], row[1]): row[2:] for row in cells(OPERATIONS, "| table | setting |")}
    found = {(re.sub(r"[`\[\]]|\.\w+", "", table), key.strip("`")) for table, key in rows}
    assert found == {(table, key) for table, options in TABLES.items() for key in options}
    said = [row[2] for row in rows.values()]
    assert said == [option.help for options in TABLES.values() for option in options.values()]


def test_every_kind_of_source_is_documented() -> None:
    """Each kind has its line in the overview, and the settings that only it has in a table of some page."""
    rows = {row[0].strip("`"): row[1] for row in cells(DOCS / "sources.md", "| source | what it reads |")}
    assert rows == {name: kind.summary for name, kind in SOURCE_KINDS.items()}
    for name, kind in SOURCE_KINDS.items():
        if kind.options:
            page = next(page for page in PAGES if f"<!-- generated: settings-{name} -->" in page.read_text("utf-8"))
            said = {(row[0].strip("`"), row[3]) for row in cells(page, "| setting | type |")}
            assert said >= {(key, option.help) for key, option in kind.options.items()}, name


def test_every_environment_variable_is_documented() -> None:
    """Each BAROGRAPH_* that the program reads, and no other."""
    assert {row[0].strip("`"): row[1] for row in cells(OPERATIONS, "| variable | meaning |")} == ENVIRONMENT


def test_every_exit_code_is_documented() -> None:
    """What the process can end with."""
    codes = {0, *EXIT_CODES.values(), INTERRUPTED, BROKEN_PIPE}
    codes |= {getattr(barograph, name).exit_code for name in barograph.__all__ if name.endswith("Error")}
    assert [int(row[0]) for row in cells(OPERATIONS, "| code | meaning |")] == sorted(codes)


def test_every_variable_is_documented() -> None:
    """Name, unit and CF name of each variable in record.md, its columns in sources.md."""
    rows = {row[0].strip("`"): row[1:] for row in cells(RECORD, "| CF standard name |")}
    assert list(rows) == [variable.name for variable in VARIABLES]
    for variable in VARIABLES:
        unit, kind, cf_name, *_ = rows[variable.name]
        assert (unit, kind) == (variable.unit or "–", variable.kind)
        assert cf_name == (f"`{variable.cf_name}`" if variable.cf_name else "–")
    columns = {row[0].strip("`"): row[1:] for row in cells(DOCS / "sources.md", "| Infoclimat field |")}
    said = {name: [cell.strip("`–") or None for cell in row] for name, row in columns.items()}
    assert said == {variable.name: [variable.wunderground, variable.infoclimat] for variable in VARIABLES}


def test_fates_and_differences_are_documented() -> None:
    """Each count of a run, and each kind of difference that verify knows."""
    fates = {row[0].strip("`") for row in cells(RECORD, "| count | the row |")}
    assert fates == set(Counts.__slots__) - {"blank"}
    kinds = {row[0].strip("`") for row in cells(RECORD, "| difference |")}
    assert kinds == set(get_args(get_type_hints(Difference)["kind"]))


def test_the_public_python_is_documented() -> None:
    """Every method of a Record, `open`, and every error."""
    said = PYTHON.read_text(encoding="utf-8")
    methods = [name for name in vars(barograph.Record) if not name.startswith("_")]
    assert [name for name in (*methods, "open") if f"{name}(" not in said] == []
    errors = [name for name in barograph.__all__ if isinstance(getattr(barograph, name), type)]
    assert [name for name in errors if not re.search(rf"\b{name}\b", said)] == []
    assert BarographError.__name__ in errors


def test_the_schema_of_mongodb_is_documented() -> None:
    """Collections, fields of a day and of a station, indexes, and the view."""
    said = STORES.read_text(encoding="utf-8")
    assert [name for name in (*VALIDATORS, VIEW) if f"`{name}`" not in said] == []
    fields = {name for row in cells(STORES, "| field | meaning |") for name in re.findall(r"`(\w+)`", row[0])}
    assert fields == set(VALIDATORS["reports"]["properties"])
    station = next(row for row in cells(STORES, "| fields |") if row[0] == "`stations`")
    named = set(re.findall(r"`(\w+)`", station[2]))
    assert named == set(VALIDATORS["stations"]["properties"]) - {"_id"}
    indexes = {(row[0].strip("`"), row[1].split("`")[1]) for row in cells(STORES, "| index |")}
    assert indexes == {(name, index.document["name"]) for name, models in INDEXES.items() for index in models}


def test_the_rights_of_the_job_are_documented() -> None:
    """The role that `cluster up` makes, in the form of createRole."""
    [role] = [json.loads(block.text) for block in blocks(LOCAL) if block.language == "json"]
    assert role == {"privileges": PRIVILEGES, "roles": []}
    assert f"`{ROLE}`" in LOCAL.read_text(encoding="utf-8")
    exits = {name.strip("` "): int(row[0]) for row in cells(LOCAL, "| exit | result |") for name in row[1].split(",")}
    assert exits == CLUSTER_CODES


def test_the_schema_of_sqlite_is_documented() -> None:
    """Its tables, and for days the columns."""
    rows = {row[0].strip("`"): set(re.findall(r"`(\w+)`", row[2])) for row in cells(STORES, "| table | one row per |")}
    tables = {
        match[1]: match[2] for text in SCHEMA if (match := re.match(r"CREATE TABLE (\w+) \((.*)\)", text, re.DOTALL))
    }
    assert rows.keys() == tables.keys()
    columns = {match.strip() for match in re.findall(r"(\w+) (?:TEXT|INTEGER|BLOB)", tables["reports"])}
    assert rows["reports"] == columns


def test_every_message_in_the_list_of_failures_exists() -> None:
    """Each message that operations.md explains stands in the source; … is what varies."""
    source = "\n".join(literals())
    heads = ("| message | do |", "| message | meaning | do |", "| reason | do |")
    rows = [row for head in heads for row in cells(OPERATIONS, head)]
    assert len(rows) > 40
    pieces = [piece for row in rows for message in re.findall(r"`([^`]+)`", row[0]) for piece in message.split("…")]
    assert [piece for piece in pieces if len(piece.strip()) > 3 and piece.strip() not in source] == []


def literals() -> Iterator[str]:
    """Every piece of text in the package's source."""
    for path in (ROOT / "src" / "barograph").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_the_changelog_has_what_is_unreleased() -> None:
    """Keep a Changelog: an Unreleased section first, its entries under the six kinds of change."""
    page = next(page for page in PAGES if page.name == "CHANGELOG.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert sections[0] == "[Unreleased]"
    kinds = set(re.findall(r"^### (.+)$", page, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    unreleased = page.partition("## [Unreleased]")[2].partition("\n## ")[0]
    assert re.search(r"^- \S", unreleased, re.MULTILINE)


def test_the_readme_has_a_place_for_the_benchmarks() -> None:
    """The marks between which results are put, once, in order."""
    page = PAGES[0].read_text(encoding="utf-8")
    assert page.count("<!-- benchmarks:start -->") == page.count("<!-- benchmarks:end -->") == 1
    assert page.index("<!-- benchmarks:start -->") < page.index("<!-- benchmarks:end -->")


def test_what_documentdb_may_lack_is_documented() -> None:
    """The page has a row for each entry of [[optional]] in the list, and no other."""
    listed = [entry.what for entry in ALLOWED.optional]
    assert [row[0] for row in cells(DOCS / "documentdb.md", "where it is missing")] == listed
