"""Whether the spool's tasks are those that the settings ask for, said before any work begins."""

from __future__ import annotations

from exchange import inputs
from exchange.errors import UsageError
from exchange.house import Recipe
from exchange.spool import Spool


def agree(spool: Spool, recipe: Recipe, archive: str, *, language: str, adopt: bool) -> None:
    """Make the recipe the spool's own, if that costs nothing or is wanted.

    Args:
        language: of the newspaper; its tasks carry it, so that a worker finds prompt and rules.
        adopt: generate everything anew when the recipe changed (`--new-recipe`).

    Raises:
        UsageError: the prompt, the sampling or the model changed since tasks were made.
    """
    if inputs.language(spool) != language:
        with spool.transaction():
            spool.set_meta(inputs.LANGUAGE, language)
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
