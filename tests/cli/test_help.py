"""Help: every command explains itself."""

from __future__ import annotations

import shlex

import click
import pytest

from barograph.faces.cli.command import Command, CommandGroup
from barograph.faces.cli.main import SECTIONS, every_command, root
from tests.cli.conftest import call

COMMANDS = every_command()
READING = (
    "query",
    "sql",
    "stations",
    "completeness",
    "connections",
    "logs",
    "runs",
    "status",
    "access-time",
    "verify",
    "run",
    "cluster status",
)


def loaded(name: str) -> Command:
    return COMMANDS[name]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_summary_text_options_and_examples(name: str) -> None:
    """A command's help has a one-line summary, a paragraph, a word about each option, and an example to copy."""
    result = call(*name.split(), "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: barograph {name}")
    summary, _, text = (loaded(name).help or "").partition("\n\n")
    assert summary.endswith(".")
    assert "\n" not in summary
    assert len(text) > 80
    assert all(getattr(option, "help", None) for option in loaded(name).params if isinstance(option, click.Option))
    assert "\nExamples:\n" in result.stdout
    assert all(f"  {line}\n" in result.stdout for line, _ in loaded(name).examples)


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_can_be_parsed(name: str) -> None:
    """No example names an option or an argument that the command does not know."""
    for line, _ in loaded(name).examples:
        words = shlex.split(line.removeprefix('eval "$(').removesuffix(')"'))
        words = words[: next((place for place, word in enumerate(words) if word in ("|", ">")), None)]
        assert words[0] == "barograph"
        with root.make_context("barograph", words[1:]) as ctx:
            rest = [*ctx._protected_args, *ctx.args]
            *outer, own = name.split()
            assert rest[: len(outer)] == outer
            asked = loaded(name)
            if isinstance(asked, CommandGroup):
                assert rest[0] == own
                if rest[1:] and rest[1] in asked.commands:
                    own = rest.pop(0) and rest[0]
                    asked = loaded(f"{name} {own}")
                else:
                    assert asked.invoke_without_command, "the word alone shows the help"
            else:
                rest = rest[len(outer) :]
            assert rest[0] == own
            asked.make_context(own, rest[1:], parent=ctx)


def test_root_help_lists_every_command_with_its_whole_summary() -> None:
    """The list of commands is in sections, and no summary is cut off."""
    result = call("--help")
    assert result.exit_code == 0
    for title, section in SECTIONS.items():
        assert f"\n{title}:\n" in result.stdout
        for name in section:
            assert f"  {name} " in result.stdout
    assert "..." not in result.stdout.partition("\nStart here:")[2]


@pytest.mark.parametrize("name", [*READING, "replica status"])
def test_reading_commands_take_json(name: str) -> None:
    """Every command that reads can print JSON."""
    assert any("--json" in option.opts for option in loaded(name).params)


def test_simulate_help_names_the_faults() -> None:
    """What `--fault` takes stands in the help."""
    from barograph.simulate import FAULTS

    told = call("simulate", "--help").stdout
    assert all(f"  {name} " in told for name in FAULTS)


def test_version() -> None:
    """`--version` prints the package's version."""
    from importlib.metadata import version

    assert call("--version").stdout == f"barograph {version('barograph')}\n"
