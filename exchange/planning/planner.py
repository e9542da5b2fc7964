"""Plans the tasks of the other kinds, as what was crawled and generated allows.

Runs in the daemon's flow, in small steps: each reads a few hundred new chunks or pairs and makes
the tasks that follow from them. A task's id follows from what it is about, so a step that is done
again makes nothing twice, and a new archive, one that grows and one of an older version are
planned alike.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from exchange.errors import UsageError
from exchange.planning import kinds, refusal
from exchange.planning.context import (
    DENSE_AT,
    PlanningContext,
    PlanSettings,
    place_of,
    survey_chunks,
)
from exchange.recipes.recipe import Recipe
from exchange.recipes.registry import PROMPTS_BY_KIND
from exchange.records import TaskKind
from exchange.store.spool import Spool, open_tasks

log = logging.getLogger(__name__)

CHUNKS_PER_STEP = 200  # read in one step: about 0.1 s
TASKS_PER_STEP = 500  # tasks of one kind made in one step
BUDGET_S = 0.5  # of steps running; then feeding and collecting have their turn
_WATCHED_COUNTERS = (
    "chunks.live",
    "chunks.stale",
    "pairs.accepted",
    "pairs.rejected",
    "tasks.done",
    "tasks.failed",
)


class Planner:
    """Makes tasks in one archive's spool. Belongs to the thread that owns the spool."""

    def __init__(
        self, archive: str, recipe: Recipe, settings: PlanSettings, questions: tuple[str, ...] = ()
    ) -> None:
        self._archive = archive
        self._recipe = recipe
        self._settings = settings
        self._planners: dict[TaskKind, Callable[[PlanningContext], int]] = {
            "dense": kinds.plan_dense,
            "whois": kinds.plan_whois,
            "rephrase": kinds.plan_rephrase,
            "refusal": refusal.plan_refusal,
            "replay": lambda context: kinds.plan_replay(context, questions),
        }
        wanted = {
            "dense": settings.dense,
            "whois": settings.whois,
            "replay": settings.replay,
            "rephrase": settings.rephrase or settings.rephrase_least or settings.wordings,
            "refusal": settings.refusal or settings.correction,
        }
        # With nothing to plan, no chunk is read for it.
        self._kinds = [k for k in self._planners if k in recipe.kinds and wanted[k]]
        self._planned: tuple[int, ...] = ()

    def run(self, spool: Spool) -> int:
        """Take steps until nothing is left to plan now, or time is up; returns tasks made."""
        if not self._kinds:
            return 0
        made = 0
        counts: dict[str, int] = {}  # of tasks by kind, for all steps of this time
        until = time.monotonic() + BUDGET_S
        while time.monotonic() < until:
            counters = spool.counters()
            if self.is_idle(counters):
                break
            read, new = self._step(spool, counters, counts)
            made += new
            if not read and not new:
                self._planned = _counter_state(counters)
        return made

    def is_idle(self, counters: Mapping[str, int]) -> bool:
        """True when the spool is as it was when there was nothing left to plan."""
        return not self._kinds or self._planned == _counter_state(counters)

    def _step(
        self, spool: Spool, counters: Mapping[str, int], counts: dict[str, int]
    ) -> tuple[int, int]:
        with spool.transaction():
            # Chunks first: who is named where decides what can be made of a pair.
            read = survey_chunks(spool, CHUNKS_PER_STEP)
            surveyed = not read
            idle = surveyed and not open_tasks(counters)
            made = 0
            for kind in self._kinds:
                context = PlanningContext(
                    spool=spool,
                    archive=self._archive,
                    kind=kind,
                    recipe=self._recipe.kinds[kind],
                    settings=self._settings,
                    counters=counters,
                    idle=idle,
                    limit=TASKS_PER_STEP,
                    surveyed=surveyed,
                    made=counts,
                )
                place = spool.meta(place_of(kind))
                made += self._planners[kind](context)
                read += spool.meta(place_of(kind)) != place
        return read, made


def retire_tasks(spool: Spool, recipe: Recipe) -> int:
    """Tasks of any kind that another prompt or model asks for wait no more, planned now or not.

    Returns:
        How many those were.
    """
    retired = 0
    with spool.transaction():
        for kind in PROMPTS_BY_KIND:
            wanted = recipe.kinds.get(kind, "")
            retired += spool.db.execute(
                "UPDATE tasks SET state='stale' WHERE kind=? AND recipe<>? "
                "AND state IN ('new','queued')",
                (kind, wanted),
            ).rowcount
            if spool.meta(f"plan.recipe.{kind}") != wanted:
                spool.set_meta(DENSE_AT, "")
                spool.db.execute("DELETE FROM meta WHERE key=?", (place_of(kind),))
                spool.set_meta(f"plan.recipe.{kind}", wanted)
    return retired


def adopt_recipe(spool: Spool, recipe: Recipe, archive: str, *, adopt: bool) -> None:
    """Make the recipe the spool's own, if that costs nothing or is wanted.

    Args:
        adopt: generate everything anew when the recipe changed (`--new-recipe`).

    Raises:
        UsageError: the prompt, the sampling or the model changed since tasks were made.
    """
    current = spool.meta("recipe")
    if current == recipe.id:
        return
    if current and not adopt and spool.has_completions():
        raise UsageError(
            f"the prompt, the sampling or the model changed (recipe {current} is now {recipe.id}): "
            f"{spool.counters().get('chunks.live', 0)} chunks would be generated anew; "
            f"`kkoracle crawl {archive} --new-recipe` does that, or put the former settings back"
        )
    spool.adopt_recipe(recipe.id)


def _counter_state(counters: Mapping[str, int]) -> tuple[int, ...]:
    return (*(counters.get(name, 0) for name in _WATCHED_COUNTERS), open_tasks(counters) > 0)


__all__ = ["PlanSettings", "Planner", "adopt_recipe", "retire_tasks"]
