"""Before pages are extracted anew: show what that changes, and ask."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from crawler import profiles
from crawler.extract import forecast
from crawler.settings import CrawlSettings
from exchange.errors import UsageError
from exchange.recipes.recipe import Recipe
from exchange.store import inputs
from exchange.store.spool import Spool


def confirm_re_extraction(
    directory: Path, archive: str, settings: CrawlSettings, *, accept: bool, imported: bool = False
) -> bool:
    """Does the operator agree, or is there nothing to extract anew?

    Raises:
        UsageError: nobody is there to ask, and `--yes` was not given.
    """
    profile = profiles.load(settings, archive, imported=imported)
    found = forecast.forecast_re_extraction(directory, archive, profile, settings, _report_progress)
    if found is None:
        typer.echo("no page was extracted by another profile: nothing to do anew", err=True)
        return True
    typer.echo(f"extracting anew: {found.line()}")
    if accept:
        return True
    if not sys.stdin.isatty():
        raise UsageError("extracting anew needs a yes: run it in a terminal, or give --yes")
    return typer.confirm("Extract anew?")


def _report_progress(done: int, wanted: int) -> None:
    if sys.stderr.isatty() and done % 20 == 0:
        sys.stderr.write(f"looking at {done} of {wanted} pages   \r")
        sys.stderr.flush()


# Whether the spool's tasks are those that the settings ask for, said before any work begins.


def adopt_recipe(spool: Spool, recipe: Recipe, archive: str, *, language: str, adopt: bool) -> None:
    """Make the recipe the spool's own, if that costs nothing or is wanted.

    Args:
        language: of the newspaper; its tasks carry it, so that a worker finds prompt and rules.
        adopt: generate everything anew when the recipe changed (`--new-recipe`).

    Raises:
        UsageError: the prompt, the sampling or the model changed since tasks were made.
    """
    if inputs.archive_language(spool) != language:
        with spool.transaction():
            spool.set_meta(inputs.LANGUAGE_KEY, language)
    current = spool.meta("recipe")
    if current == recipe.id:
        return
    counters = spool.counters()
    begun = any(count for name, count in counters.items() if name.startswith("tasks."))
    if current and begun and not adopt:
        raise UsageError(
            f"the prompt, the sampling or the model changed (recipe {current} is now {recipe.id}): "
            f"{counters.get('chunks.live', 0)} chunks would be generated anew; "
            f"`kkoracle crawl {archive} --new-recipe` does that, or put the former settings back"
        )
    spool.adopt_recipe(recipe.id)
