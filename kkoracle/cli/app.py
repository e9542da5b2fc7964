"""The `kkoracle` command: joins the stages' commands and turns errors into one line.

Imports stay light here, so that `kkoracle --help` answers at once; what is heavy is imported
inside the commands.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

import crawler.cli
import kkoracle.live.cli
import trainer.cli
import workers.cli
from exchange import logs, signals
from exchange.cli import commands
from exchange.cli.commands import HelpfulGroup
from exchange.display import LEVEL_VARIABLE
from exchange.errors import FAILED, STOPPED, USAGE, NotAllowed, UserError
from exchange.files import PRIVATE, check_owner, is_full, write_error
from exchange.journal import CRASHED, FRONT_OPTIONS, JournalEntry
from exchange.settings import Config
from exchange.text.controls import strip_in_tables
from kkoracle import __version__
from kkoracle.api import OracleProject
from kkoracle.cli import operations, start
from kkoracle.settings import TABLES, field_names

_QUIET, _VERBOSE = "error", "info"  # the levels of -q and -v
SIGINT_EXIT_CODE = 130  # what Typer makes of a Ctrl-C that no command has caught

app = typer.Typer(
    name="kkoracle",
    cls=HelpfulGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A newspaper's web archive goes in, a language model that has learned it comes out, with "
    "the proof.\n\n"
    "New here? `kkoracle demo` shows the whole way offline in a few minutes. For your own "
    "newspaper: `kkoracle archive learn ADDRESS --contact YOU`, `kkoracle init PROFILE.toml "
    "--contact YOU`, `kkoracle doctor`, then `kkoracle crawl` in one terminal and `kkoracle work` "
    "in another; `kkoracle status` says how far it is. Then `kkoracle dataset build`, "
    "`kkoracle train`, `kkoracle evaluate`.\n\n"
    "Kill anything at any time and run the same command again: nothing is lost.\n\n"
    "Exit codes: 0 done or fine, 1 failed or needs attention, 2 bad usage or config, 3 stopped "
    "and resumable.",
)


def is_journalled(words: Sequence[str]) -> bool:
    """Whether a command line is worth an entry; unknown commands are.

    Args:
        words: of the command line, without the program's name.
    """
    return commands.is_journalled(typer.main.get_command(app), words, FRONT_OPTIONS)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"kkoracle {__version__}")
        raise typer.Exit


@app.callback()
def load_project(
    ctx: typer.Context,
    config: Annotated[
        Path | None, typer.Option(help="Config file; default: kkoracle.toml in this folder.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Data folder; overrides the config.")] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress, and of the log only errors.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Also what the log has to tell.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print it and end."),
    ] = False,
) -> None:
    if quiet or verbose:
        os.environ[LEVEL_VARIABLE] = _QUIET if quiet else _VERBOSE  # children hear it too
    strip_in_tables()
    os.umask(PRIVATE)
    settings = Config.find(config)
    settings.check_environment(field_names, list(TABLES))
    entry = ctx.obj if isinstance(ctx.obj, JournalEntry) else JournalEntry()
    project = OracleProject.of(settings, {"data": data.absolute() if data else None}, entry)
    check_owner(project.data)
    logs.keep_bounded(project.data)
    if commands.is_journalled(ctx.command, entry.words, FRONT_OPTIONS):
        entry.open(project.data, settings)
    ctx.obj = project


start.register(app)
operations.register(app)
crawler.cli.register(app)
workers.cli.register(app)
trainer.cli.register(app)
kkoracle.live.cli.register(app)


def main() -> NoReturn:
    """Run a command; every expected error is one line on standard error.

    SIGTERM ends a command as Ctrl-C does, so that what it holds (our Redis, child processes) is
    let go in order; commands that know better set their own handlers.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # what a terminal's encoding lacks becomes a "?"
            stream.reconfigure(errors="replace")
    entry = JournalEntry(sys.argv[1:], __version__)
    code, said = CRASHED, ""
    try:
        try:
            signals.raise_interrupts()
            code, said = _run(entry)
        except KeyboardInterrupt:  # as it was letting go of what it held
            code, said = STOPPED, signals.STOPPED_LINE
        except Exception:  # an error of ours: what it says is for whoever mends it
            sys.excepthook(*sys.exc_info())
    finally:
        signals.hold_back()
        if said:
            typer.echo(f"kkoracle: {said}", err=True)
        entry.close(code, said)
        if code == CRASHED:
            signals.raise_interrupts()  # who knows what hangs now
    signals.end_process(FAILED if code == CRASHED else code)


def _run(entry: JournalEntry) -> tuple[int, str]:
    """The exit code, and the line that says why it is not 0 ("" when all is said)."""
    command = typer.main.get_command(app)
    try:
        result: Any = command.main(prog_name="kkoracle", standalone_mode=False, obj=entry)
        code = result if isinstance(result, int) else 0
        if code == SIGINT_EXIT_CODE:
            raise KeyboardInterrupt
        return code, ""
    except (KeyboardInterrupt, typer.Abort):
        return STOPPED, signals.STOPPED_LINE
    except BrokenPipeError:  # the reader of our output left: `kkoracle status | head`
        sys.stderr.close()
        return 0, ""
    except Exception as error:
        if (told := _as_user_error(error)) is not None:
            return told.exit_code, str(told)
        # Click's own exceptions, whose classes Typer keeps to itself since it brings its own copy.
        if not hasattr(error, "format_message"):
            raise
        message = error.format_message()  # empty when the help was printed instead
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "kkoracle"
        return USAGE, f"{message}  (`{path} --help`)" if message else ""


def _as_user_error(error: Exception) -> UserError | None:
    """What a person can put right; None for what is a fault of ours.

    A full disk, and what SQLite says of a file, may show in any statement of any command.
    """
    import sqlite3

    from exchange.store import failures

    if isinstance(error, sqlite3.Error):
        error = failures.told(error, "use a file of SQLite")
    elif isinstance(error, OSError) and is_full(error):
        error = write_error(Path(error.filename or "to the disk"), error)
    elif isinstance(error, PermissionError) and error.filename:
        error = NotAllowed(f"no right to use {error.filename}: it is another user's, or protected")
    return error if isinstance(error, UserError) else None
