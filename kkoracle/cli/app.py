"""The `kkoracle` command: joins the stages' commands and turns errors into one line.

Imports stay light here, so that `kkoracle --help` answers at once; what is heavy is imported
inside the commands.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

import crawler.cli
import trainer.cli
import workers.cli
from exchange import signals
from exchange.errors import STOPPED, USAGE, UserError
from exchange.inference.engine import Engine
from exchange.journal import CRASHED, JournalEntry
from exchange.metrics import MetricSource
from exchange.project import Project
from exchange.recipes.recipe import Recipe
from exchange.settings import Config, GeneralSettings, RedisSettings
from kkoracle import __version__
from kkoracle.cli import start
from kkoracle.cli.tables import TABLES

# Which commands belong in the journal: all but those that only look.

READ_ONLY_COMMANDS = frozenset(
    {
        "init",
        "doctor",
        "config",
        "estimate",
        "status",
        "dashboard",
        "demo",
        "trace",
        "chat",
        "serve",
        "ui",
        "redis",
        "archive list",
        "archive probe",
        "archive learn",
        "archive coverage",
        "archive review",
        "dataset stats",
        "failed list",
        "failed show",
    }
)
_GLOBAL_OPTIONS_WITH_VALUE = ("--config", "--data")  # the front door's own options


def is_journalled(words: Sequence[str]) -> bool:
    """Whether a command line is worth an entry; unknown commands are.

    Args:
        words: of the command line, without the program's name.
    """
    if not words or "--help" in words:
        return False
    command = _command_name(words)
    return not ({command, command.partition(" ")[0]} & READ_ONLY_COMMANDS)


def _command_name(words: Sequence[str]) -> str:
    """The command and, if there is one, the word after it."""
    at = 0
    while at < len(words) and words[at].startswith("-"):
        at += 2 if words[at] in _GLOBAL_OPTIONS_WITH_VALUE else 1
    rest = words[at : at + 2]
    return " ".join(rest if len(rest) == 2 and not rest[1].startswith("-") else rest[:1])


SIGINT_EXIT_CODE = 130  # what Typer makes of a Ctrl-C that no command has caught

app = typer.Typer(
    name="kkoracle",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
    help="A newspaper's web archive goes in, a language model that has learned it comes out, with "
    "the proof.\n\n"
    "New here? [bold]kkoracle demo[/] shows the whole way offline in a few minutes. For your own "
    "newspaper: [bold]kkoracle init[/], [bold]kkoracle doctor[/], then [bold]kkoracle crawl[/] in "
    "one terminal and [bold]kkoracle work[/] in another; [bold]kkoracle status[/] says how far it "
    "is. Then [bold]kkoracle dataset build[/], [bold]kkoracle train[/], "
    "[bold]kkoracle compare[/].\n\n"
    "Kill anything at any time and run the same command again: nothing is lost.\n\n"
    "Exit codes: 0 done or fine, 1 failed or needs attention, 2 bad usage or config, 3 stopped "
    "and resumable.",
)


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
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print it and end."),
    ] = False,
) -> None:
    settings = Config.find(config)
    settings.check_tables(list(TABLES))
    entry = ctx.obj if isinstance(ctx.obj, JournalEntry) else JournalEntry()
    project = Project(
        config=settings,
        general=settings.table("", GeneralSettings, {"data": data.absolute() if data else None}),
        redis=settings.table("redis", RedisSettings),
        recipe=lambda: _recipe(settings),
        in_language=lambda language: _recipe(settings, language),
        questions=_general_questions,
        companions=_monitor,
        endpoint=_endpoint_engine,
        entry=entry,
    )
    if is_journalled(entry.words):
        entry.open(project.data, settings)
    ctx.obj = project


def _recipe(settings: Config, language: str = "") -> Recipe:
    from workers.settings import current_recipe

    return current_recipe(settings, language)


def _monitor(
    project: Project, archive: str, figures: MetricSource | None
) -> AbstractContextManager[None]:
    from kkoracle.monitor import monitor

    return monitor.monitor_command(project, archive, figures)


def _general_questions(language: str) -> tuple[str, ...]:
    from exchange.recipes import prompts

    return prompts.general_questions(language)


def _endpoint_engine(url: str, served_as: str, api_key: str, width: int) -> Engine:
    """An OpenAI-compatible endpoint that an evaluation asks, greedily."""
    from exchange.inference.openai_engine import OpenAIEngine

    return OpenAIEngine(
        url,
        name=served_as,
        served_as=served_as,
        width=width,
        api_key=api_key,
        temperature=0.0,
        table="evaluate",
    )


start.register(app)
crawler.cli.register(app)
workers.cli.register(app)
trainer.cli.register(app)


def main() -> NoReturn:
    """Run a command; every expected error is one line on standard error.

    SIGTERM ends a command as Ctrl-C does, so that what it holds (our Redis, child processes) is
    let go in order; commands that know better set their own handlers.
    """
    signals.raise_interrupts()
    entry = JournalEntry(sys.argv[1:], __version__)
    code, said = CRASHED, ""
    try:
        code, said = _run(entry)
        if said:
            typer.echo(f"kkoracle: {said}", err=True)
    finally:
        entry.close(code, said)
    sys.exit(code)


def _run(entry: JournalEntry) -> tuple[int, str]:
    """The exit code, and the line that says why it is not 0 ("" when all is said)."""
    command = typer.main.get_command(app)
    try:
        result: Any = command.main(standalone_mode=False, obj=entry)
        code = result if isinstance(result, int) else 0
        if code == SIGINT_EXIT_CODE:
            raise KeyboardInterrupt
        return code, ""
    except UserError as error:
        return error.exit_code, str(error)
    except (KeyboardInterrupt, typer.Abort):
        return STOPPED, signals.STOPPED_LINE
    except BrokenPipeError:  # the reader of our output left: `kkoracle status | head`
        sys.stderr.close()
        return 0, ""
    except Exception as error:
        # Click's own exceptions, whose classes Typer keeps to itself since it brings its own copy.
        if not hasattr(error, "format_message"):
            raise
        message = error.format_message()  # empty when the help was printed instead
        return USAGE, f"{message}  (`kkoracle --help`)" if message else ""
