"""The `kkoracle` command: joins the stages' commands and turns errors into one line.

Imports stay light here, so that `kkoracle --help` answers at once; what is heavy is imported
inside the commands.
"""

from __future__ import annotations

import signal
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

import crawler.cli
import kkoracle.operate
import kkoracle.studio.command
import trainer.cli
import workers.cli
from exchange.engine import Engine
from exchange.errors import STOPPED, USAGE, UserError
from exchange.house import House, Recipe
from exchange.journal import CRASHED, Entry
from exchange.metrics import Figures
from exchange.settings import Config, General, Redis
from kkoracle import __version__, journalled
from kkoracle.tables import TABLES

INTERRUPTED = 130  # what Typer makes of a Ctrl-C that no command has caught

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


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"kkoracle {__version__}")
        raise typer.Exit


@app.callback()
def front_door(
    ctx: typer.Context,
    config: Annotated[
        Path | None, typer.Option(help="Config file; default: kkoracle.toml in this folder.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Data folder; overrides the config.")] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it and end.")
    ] = False,
) -> None:
    settings = Config.find(config)
    settings.check_tables(list(TABLES))
    entry = ctx.obj if isinstance(ctx.obj, Entry) else Entry()
    house = House(
        config=settings,
        general=settings.table("", General, {"data": data.absolute() if data else None}),
        redis=settings.table("redis", Redis),
        recipe=lambda: _recipe(settings),
        in_language=lambda language: _recipe(settings, language),
        questions=_questions,
        companions=_companions,
        endpoint=_endpoint,
        entry=entry,
    )
    if journalled.changes_something(entry.words):
        entry.open(house.data, settings)
    ctx.obj = house


def _recipe(settings: Config, language: str = "") -> Recipe:
    from workers import recipe

    return recipe.current(settings, language)


def _companions(
    house: House, archive: str, figures: Figures | None
) -> AbstractContextManager[None]:
    from kkoracle import beside

    return beside.companions(house, archive, figures)


def _questions(language: str) -> tuple[str, ...]:
    from workers import prompts

    return prompts.general(language)


def _endpoint(url: str, served_as: str, api_key: str, width: int) -> Engine:
    """An OpenAI-compatible endpoint that an evaluation asks, greedily."""
    from workers.engines.openai import OpenAIEngine

    return OpenAIEngine(
        url,
        name=served_as,
        served_as=served_as,
        width=width,
        api_key=api_key,
        temperature=0.0,
        table="evaluate",
    )


kkoracle.operate.register(app)
kkoracle.studio.command.register(app)
crawler.cli.register(app)
workers.cli.register(app)
trainer.cli.register(app)


def main() -> NoReturn:
    """Run a command; every expected error is one line on standard error.

    SIGTERM ends a command as Ctrl-C does, so that what it holds (our Redis, child processes) is
    let go in order; commands that know better set their own handlers.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    entry = Entry(sys.argv[1:], __version__)
    code, said = CRASHED, ""
    try:
        code, said = _run(entry)
        if said:
            typer.echo(f"kkoracle: {said}", err=True)
    finally:
        entry.close(code, said)
    sys.exit(code)


def _run(entry: Entry) -> tuple[int, str]:
    """The exit code, and the line that says why it is not 0 ("" when all is said)."""
    command = typer.main.get_command(app)
    try:
        result: Any = command.main(standalone_mode=False, obj=entry)
        code = result if isinstance(result, int) else 0
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        return code, ""
    except UserError as error:
        return error.exit_code, str(error)
    except (KeyboardInterrupt, typer.Abort):
        return STOPPED, "stopped; run the same command again to go on"
    except BrokenPipeError:  # the reader of our output left: `kkoracle status | head`
        sys.stderr.close()
        return 0, ""
    except Exception as error:
        # Click's own exceptions, whose classes Typer keeps to itself since it brings its own copy.
        if not hasattr(error, "format_message"):
            raise
        message = error.format_message()  # empty when the help was printed instead
        return USAGE, f"{message}  (`kkoracle --help`)" if message else ""
