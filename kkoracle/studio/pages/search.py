"""Search: every story that mentions some words, or a name, by date, with a plot of when.

The index is the one of `kkoracle search`. A small archive's is brought up to date as one searches;
a large one's by that command, which is started here and outlives the browser.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from exchange.errors import UsageError
from exchange.html import plots
from exchange.store.joined_corpus import open_spools
from exchange.store.joined_lists import Spools, add_up, joined_story_check
from exchange.store.stories import StoryFilter
from kkoracle.studio.pages.stories import ArchiveCounts, filter_choices, of_paper, read_filter
from kkoracle.studio.studio import Studio, form_action
from trainer.evaluate.rag import SearchIndex
from trainer.evaluate.rag.archive import usable_index
from trainer.evaluate.rag.mentions import (
    ArchiveQuery,
    MentionCounts,
    count_mentions,
    find_mentions,
)

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request
    from starlette.responses import Response

COMMAND = "search"  # under this name the index is made
AT_ONCE = 3_000  # passages of an archive whose index is made while one waits: about a second
NAMES = 60  # that are offered where nothing was asked for yet
BY_MONTH = 48  # months that are plotted one by one; more are plotted by year
COUNTED = 120_000  # passages; a word that stands in more of them tells nothing by its plot
LONGEST = 300  # characters of a search


def routes(studio: Studio) -> list[Route]:
    """What the page answers."""
    counts = ArchiveCounts()
    return [
        Route("/search", partial(show_search, studio, counts), name="search", methods=["GET"]),
        Route("/search", form_action(partial(make_index, studio)), methods=["POST"], name="index"),
        Route("/names/{name}", partial(show_name, studio, counts), name="name"),
    ]


def show_search(studio: Studio, counts: ArchiveCounts, request: Request) -> Response:
    """What is found, or names to begin with."""
    return _show(studio, counts, request, request.query_params.get("q", "").strip()[:LONGEST])


def show_name(studio: Studio, counts: ArchiveCounts, request: Request) -> Response:
    """Every mention of a name: its words one after another, in any case."""
    name = request.path_params["name"].replace('"', " ").strip()[:LONGEST]
    return _show(studio, counts, request, f'"{name}"', name=name)


def make_index(studio: Studio, request: Request, form: FormData) -> Response:
    """Have the index brought up to date by a command of its own."""
    studio.start_command(COMMAND, ["search", "--archive", studio.archive])
    return studio.redirect(request, "search", "the archive is being indexed: search meanwhile")


def _show(
    studio: Studio, counts: ArchiveCounts, request: Request, q: str, name: str = ""
) -> Response:
    try:
        wanted, asked = read_filter(studio, request)
        wrong = ""
    except UsageError as error:  # said beside the form, to be put right there
        wanted, asked, wrong = StoryFilter(), {}, str(error)
    if request.query_params.get("newest"):
        asked["newest"] = "1"
    index, behind = usable_index(studio.directory, AT_ONCE)
    values: dict[str, Any] = {
        "q": q,
        "name": name,
        "asked": asked,
        "behind": behind,
        "ready": index is not None,
        "making": studio.commands.state(COMMAND),
        "log": studio.commands.log(COMMAND),
        "names": {},
        "page": None,
        "found": MentionCounts(),
        "plot": "",
        "wrong": wrong,
    }
    with open_spools(studio.directory) as every:
        spools = of_paper(every, asked)
        if index is not None:
            with closing(index):
                if q and not wrong:
                    meets = joined_story_check(spools, wanted, some=len(spools) < len(every))
                    values |= _found(request, index, every, q, wanted, meets)
        if not q:
            values["names"] = _names(spools)
        values |= filter_choices(studio, counts, spools, asked)
    return studio.page(request, "search.html.j2", **values)


def _found(
    request: Request,
    index: SearchIndex,
    spools: Spools,
    q: str,
    wanted: StoryFilter,
    meets: Callable[[str], bool] | None,
) -> dict[str, Any]:
    try:
        query = ArchiveQuery.parse(q)
    except UsageError as error:
        return {"wrong": str(error)}
    found = count_mentions(index, query, since=wanted.since, until=wanted.until, most=COUNTED)
    page = find_mentions(
        index,
        spools,
        query,
        since=wanted.since,
        until=wanted.until,
        cursor=request.query_params.get("at", ""),
        newest=bool(request.query_params.get("newest")),
        meets=meets,
    )
    return {"page": page, "found": found, "plot": "" if found.more else timeline(found)}


def timeline(found: MentionCounts) -> object:
    """Stories by month, or by year where there are many months; "" where all are of one month."""
    dated = {month: count for month, count in found.by_month.items() if month}
    if len(dated) < 2:  # one bar tells nothing
        return ""
    first, last = min(dated), max(dated)
    months = [
        f"{at // 12:04}-{at % 12 + 1:02}"
        for at in range(
            int(first[:4]) * 12 + int(first[5:7]) - 1, int(last[:4]) * 12 + int(last[5:7])
        )
    ]
    counts: dict[str, list[int]] = {}
    for month in months:
        place = month if len(months) <= BY_MONTH else month[:4]
        counts.setdefault(place, [0])[0] += dated.get(month, 0)
    return plots.bars(
        f"stories by {'month' if len(months) <= BY_MONTH else 'year'}", ["stories"], counts
    )


def _names(spools: Spools) -> dict[str, int]:
    """The names that occur most, as far as the planner has read the chunks."""
    most = "SELECT name, mentions FROM names ORDER BY mentions DESC, id LIMIT ?"
    found = add_up(dict(spool.db.execute(most, (NAMES,)).fetchall()) for spool in spools.values())
    return dict(list(found.items())[:NAMES])
