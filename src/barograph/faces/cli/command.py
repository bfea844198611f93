"""What every command shares: lazy loading, help with examples, errors without a traceback, the opened application."""

from __future__ import annotations

import importlib
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NoReturn, TypeVar

import click

from barograph.errors import BarographError, NotFound

if TYPE_CHECKING:
    from barograph.config import Settings
    from barograph.logs import ProcessLog
    from barograph.pipeline import Job
    from barograph.store.base import StoreReader

_AnyCallable = TypeVar("_AnyCallable", bound=Callable[..., Any])

INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141
"""As a shell reports SIGINT and SIGPIPE."""

LOGGED: Final = frozenset({
    "verify", "migrate", "backup create", "backup verify", "backup restore", "backup drill", "backup prune",
})  # fmt: skip
"""Long commands that are no runs of the job, which tell of themselves."""

Example = tuple[str, str]
"""A command line, and what it does."""


@dataclass
class App:
    """What the global options say, and the application that they open."""

    config: str | None = None
    data_dir: str | None = None
    landing: str | None = None
    store_url: str | None = None
    log: ProcessLog | None = None

    @cached_property
    def settings(self) -> Settings:
        """The checked settings. Raises ConfigError."""
        return self.load()

    def load(self) -> Settings:
        """The same, read anew."""
        from barograph.config import load

        settings = load(self.config, data_dir=self.data_dir, landing=self.landing, store=self.store_url)
        if self.log is not None:
            self.log.masks.add(settings.secrets)
        return settings

    @property
    def logs(self) -> bool:
        """Whether there is a process log; then no bar and no line of progress stands among its lines."""
        return self.log is not None and self.log.on

    @property
    def data_folder(self) -> Path:
        """The data folder, without a look at the rest of the settings: their store may still have to be made."""
        from barograph.config import data_folder

        return data_folder(self.data_dir)

    @contextmanager
    def job(self, *, quiet: bool = False) -> Iterator[Job]:
        """The landing zone and the store, with progress on stderr."""
        from barograph.faces.cli.progress import open_progress
        from barograph.wiring import opened_job

        with open_progress(quiet=quiet or self.logs) as progress, opened_job(self.settings, progress) as job:
            yield job

    @contextmanager
    def store(self) -> Iterator[StoreReader]:
        """The store, for reading. Raises NotFound where an embedded store does not exist yet: reading makes no file."""
        from barograph.wiring import opened_store

        if (path := self._missing_file()) is not None:
            raise NotFound("there is no record yet", where=str(path), hint="`barograph run` fills it; check --data-dir")
        with opened_store(self.settings) as store:
            yield store

    @property
    def prefix(self) -> str:
        """How the command line began, to be pasted again; what may carry a password is left out."""
        given = [("--config", self.config), ("--data-dir", self.data_dir), ("--landing", self.landing)]
        given += [("--store", self.store_url if self.store_url and "@" not in self.store_url else None)]
        return shlex.join(["barograph", *(word for name, value in given if value for word in (name, value))])

    def has_store(self) -> bool:
        """Whether there is a store to read: False only for an embedded one that no run has made yet."""
        return self._missing_file() is None

    def _missing_file(self) -> Path | None:
        url = self.settings.store_url
        path = Path(url.removeprefix("sqlite:///"))
        return path if url.startswith("sqlite:///") and not path.exists() else None


pass_app: Final = click.make_pass_decorator(App)


class Failure(click.ClickException):
    """An error as a person sees it: what and where, and on the next line what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        self.told = False
        """Whether the process log was told, which stands where this would be shown."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print to stderr."""
        if self.told:
            return
        stream = file or sys.stderr
        click.echo(click.style("error: ", fg="red", bold=True) + _one_line(self.message), file=stream)
        if self.hint:
            click.echo(f"  {_one_line(self.hint)}", file=stream)


class UsageFailure(Failure):
    """The command line or the configuration is wrong."""

    exit_code = 2


def failure_of(error: BarographError) -> Failure:
    """The failure that an error of ours is."""
    kind = UsageFailure if error.exit_code == UsageFailure.exit_code else Failure
    return kind(f"{error.where}: {error.what}" if error.where else error.what, error.hint)


def _one_line(text: str) -> str:
    return " ".join(text.split())


class Command(click.Command):
    """A command whose help ends in examples."""

    def __init__(self, *args: Any, examples: Sequence[Example] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)

    def invoke(self, ctx: click.Context) -> Any:
        """Run it; the process log is told that it began and how it ended, where nothing else tells."""
        app = ctx.find_object(App)
        if app is None or app.log is None or not app.logs or isinstance(self, click.Group):
            return super().invoke(ctx)
        from barograph.logs import COMMANDS, emit

        words = ctx.command_path.partition(" ")[2]
        app.log.lines.command = words
        if words not in LOGGED:
            return super().invoke(ctx)
        began = time.monotonic()
        emit("info", f"{words} started", logger=COMMANDS)
        result = super().invoke(ctx)
        emit("info", f"{words} finished in {time.monotonic() - began:.1f} s", logger=COMMANDS)
        return result

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Examples, each under a line that says what it does."""
        write_examples(formatter, self.examples)
        super().format_epilog(ctx, formatter)


def write_examples(formatter: click.HelpFormatter, examples: Sequence[Example]) -> None:
    """A help section of command lines, with what they do above each."""
    if not examples:
        return
    with formatter.section("Examples"):
        for position, (line, meaning) in enumerate(examples):
            if position:
                formatter.write_paragraph()
            formatter.write_text(f"# {meaning}")
            # Written as it is: a wrapped command line cannot be copied.
            formatter.write(f"{'':>{formatter.current_indent}}{line}\n")


def command(name: str, *, examples: Sequence[Example]) -> Callable[[Callable[..., Any]], Command]:
    """Declare a command; its summary and text are the function's docstring."""
    return click.command(name, cls=Command, examples=examples)


class CommandGroup(Command, click.Group):
    """Commands under one word, such as `backup create`; its help lists them, and ends in examples."""

    def commands_of(self) -> list[Command]:
        """Its commands, in the order in which they were declared."""
        return [found for found in self.commands.values() if isinstance(found, Command)]

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """As declared: in the order in which one uses them."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which ones there are."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            known = ", ".join(self.commands)
            raise UsageFailure(f"no command {f'{self.name} {args[0]}'!r}", f"there are {known}") from error

    def part(self, name: str, *, examples: Sequence[Example]) -> Callable[[Callable[..., Any]], Command]:
        """Declare a command of the group."""

        def declare(function: Callable[..., Any]) -> Command:
            made = command(name, examples=examples)(function)
            self.add_command(made)
            return made

        return declare


def group(
    name: str, *, examples: Sequence[Example], alone: bool = False
) -> Callable[[Callable[..., Any]], CommandGroup]:
    """Declare a group of commands; its summary and text are the function's docstring.

    With `alone` the function does something when none of its commands is named (`ctx.invoked_subcommand` is None), and
    has options of its own; otherwise the word alone shows the help.
    """

    def declare(function: Callable[..., Any]) -> CommandGroup:
        made: CommandGroup = click.command(
            name, cls=CommandGroup, examples=examples, no_args_is_help=not alone, invoke_without_command=alone
        )(function)
        return made

    return declare


def json_option(function: _AnyCallable) -> _AnyCallable:
    """`--json` as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")(function)


class Root(click.Group):
    """The command tree. A command's module is imported when the command is used or listed."""

    def __init__(
        self,
        *args: Any,
        sections: Mapping[str, Mapping[str, str]],
        examples: Sequence[Example] = (),
        **kwargs: Any,
    ) -> None:
        """`sections`: title -> command name -> "module:attribute"."""
        super().__init__(*args, **kwargs)
        self.sections = sections
        self.examples = tuple(examples)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, in the order of the sections."""
        return [name for section in self.sections.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import a command."""
        target = next((section[cmd_name] for section in self.sections.values() if cmd_name in section), None)
        if target is None:
            return None
        module, _, attribute = target.partition(":")
        found: click.Command = getattr(importlib.import_module(module), attribute)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which ones are like it."""
        from difflib import get_close_matches

        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            close = get_close_matches(args[0], self.list_commands(ctx), n=2)
            meant = f"did you mean {' or '.join(close)}? " if close else ""
            raise UsageFailure(f"no command {args[0]!r}", f"{meant}`barograph --help` lists them") from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands by section, each with its summary."""
        width = max(map(len, self.list_commands(ctx)))
        limit = formatter.width - formatter.indent_increment - width - 4
        for title, section in self.sections.items():
            with formatter.section(title):
                found = ((name, self.get_command(ctx, name)) for name in section)
                rows = [(f"{name:<{width}}", cmd.get_short_help_str(limit)) for name, cmd in found if cmd is not None]
                formatter.write_dl(rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Examples."""
        write_examples(formatter, self.examples)
        super().format_epilog(ctx, formatter)

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Parse the global options."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            raise _usage(error, self) from error

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; the process log, where there is one, is told the error instead of the terminal."""
        try:
            return self._invoke(ctx)
        except Failure as failure:
            app = ctx.find_object(App)
            if app is not None and app.logs:
                from barograph.logs import COMMANDS, emit

                context = {"exception": type(failure.__cause__).__name__} if failure.__cause__ else {}
                told = f"{failure.message} — {failure.hint}" if failure.hint else failure.message
                emit("error", told, logger=COMMANDS, context=context)
                failure.told = True
            raise

    def _invoke(self, ctx: click.Context) -> Any:
        """Run the command. Whatever goes wrong leaves as an exit code and a line or two on stderr."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except click.UsageError as error:
            raise _usage(error, self) from error
        except BarographError as error:
            _show_traceback()
            raise failure_of(error) from error
        except (KeyboardInterrupt, click.Abort):
            click.echo("\ninterrupted; nothing is broken, and the same command may be run again", err=True)
            ctx.exit(INTERRUPTED)
        except BrokenPipeError:
            _leave_quietly(ctx)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except OSError as error:
            _show_traceback()
            place = f"{error.filename}: " if error.filename else ""
            raise Failure(f"{place}{error.strerror or error}") from error
        except Exception as error:
            # The outermost edge: what nobody foresaw becomes a line that can be reported, not a traceback.
            _show_traceback()
            raise Failure(
                f"internal error: {type(error).__name__}: {error}",
                "please report it, with the traceback that BAROGRAPH_DEBUG=1 shows",
            ) from error
        return result


def _leave_quietly(ctx: click.Context) -> NoReturn:
    """The reader of our output has gone (`| head`): nothing is wrong, and nobody is there to be told."""
    # Python flushes stdout once more at exit, which must not fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    ctx.exit(BROKEN_PIPE)


def _show_traceback() -> None:
    from barograph.config import debug

    if debug():
        import traceback

        traceback.print_exc()


def _usage(error: click.UsageError, root: Root) -> UsageFailure:
    """A usage error of click's in our form."""
    path = error.ctx.command_path if error.ctx is not None else "barograph"
    hint = f"`{path} --help` tells how it is used"
    if isinstance(error, click.NoSuchOption):
        mine = [option for parameter in root.params for option in parameter.opts]
        if error.option_name in mine and error.ctx is not None and error.ctx.parent is not None:
            name = error.ctx.info_name
            hint = f"it goes before the command: `barograph {error.option_name} … {name}`"
    text = error.format_message()
    return UsageFailure(text[:1].lower() + text[1:].rstrip("."), hint)
