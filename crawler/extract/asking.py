"""Before pages are extracted anew: show what that changes, and ask."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from crawler import profiles
from crawler.extract import forecast
from crawler.settings import Crawl
from exchange.errors import UsageError


def agreed(
    directory: Path, archive: str, settings: Crawl, *, accept: bool, imported: bool = False
) -> bool:
    """Does the operator agree, or is there nothing to extract anew?

    Raises:
        UsageError: nobody is there to ask, and `--yes` was not given.
    """
    profile = profiles.load(settings, archive, imported=imported)
    found = forecast.look(directory, archive, profile, settings, _say)
    if found is None:
        typer.echo("no page was extracted by another profile: nothing to do anew", err=True)
        return True
    typer.echo(f"extracting anew: {found.line()}")
    if accept:
        return True
    if not sys.stdin.isatty():
        raise UsageError("extracting anew needs a yes: run it in a terminal, or give --yes")
    return typer.confirm("Extract anew?")


def _say(done: int, wanted: int) -> None:
    if sys.stderr.isatty() and done % 20 == 0:
        sys.stderr.write(f"looking at {done} of {wanted} pages   \r")
        sys.stderr.flush()
