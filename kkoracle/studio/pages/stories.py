"""Stories: the archive by any filter, on a map of years and months, and one story whole.

The stored page stands in a frame without rights, written anew without anything that acts.
"""

from __future__ import annotations

import calendar
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from crawler.frontier.raw_store import StoredBody
from exchange.errors import UsageError
from exchange.records import MARKS, WITHHELD
from exchange.store.joined_corpus import open_spools
from exchange.store.joined_lists import (
    Spools,
    add_up,
    count_joined_stories,
    find_story,
    list_joined_stories,
)
from exchange.store.spool import Spool
from exchange.store.stories import (
    StoryFilter,
    stories_by_month,
    story_authors,
    story_sections,
)
from exchange.text.language import load_language
from kkoracle.studio.stored_page import readable_page
from kkoracle.studio.studio import Studio, sandboxed
from trainer.evaluate.rag.mentions import ArchiveQuery, mark_words

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

AUTHORS = 300  # names that are offered while one types
SHADES = 5  # of the map, by how many stories a month has
MONTHS = tuple(calendar.month_abbr[1:])
STATES = {
    "accepted": "has accepted pairs",
    "rejected": "has rejected pairs only",
    "waiting": "waits to be asked about",
    "failed": "a task failed",
    "withheld": "held back by a mark",
}


def routes(studio: Studio) -> list[Route]:
    """What the page answers."""
    counts = ArchiveCounts()
    return [
        Route("/stories", partial(show_stories, studio, counts), name="stories"),
        Route("/stories/{id}", partial(show_story, studio), name="story"),
        Route("/stories/{id}/page", partial(show_page, studio), name="stored-page"),
    ]


class ArchiveCounts:
    """Counts by name that read a whole index, kept until there are other stories."""

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], tuple[int, dict[str, int]]] = {}

    def of(
        self, spools: Spools, count: Callable[..., dict[str, int]], *about: str
    ) -> dict[str, int]:
        """What a function counts in all papers, anew only where the number of stories changed."""
        return add_up(self._of(name, spools[name], count, *about) for name in spools)

    def _of(
        self, paper: str, spool: Spool, count: Callable[..., dict[str, int]], *about: str
    ) -> dict[str, int]:
        stories = spool.counters().get("stories", 0)
        key = (paper, count, *about)
        known = self._kept.get(key)
        if known is None or known[0] != stories:
            self._kept[key] = known = (stories, count(spool, *about))
        return known[1]


@dataclass(frozen=True, slots=True)
class MapCell:
    """A month, or a year, of the map."""

    date: str
    label: str
    stories: int
    shade: int  # 0 nothing, SHADES the most


def show_stories(studio: Studio, counts: ArchiveCounts, request: Request) -> Response:
    """The list, with the map above it."""
    wanted, asked = read_filter(studio, request)
    with open_spools(studio.directory) as every:
        spools = of_paper(every, asked)
        page = list_joined_stories(spools, wanted, request.query_params.get("at", ""))
        number = count_joined_stories(spools, wanted)
        by_month = counts.of(spools, stories_by_month, wanted.section)
        choices = filter_choices(studio, counts, spools, asked)
    return studio.page(
        request,
        "stories.html.j2",
        page=page,
        number=number,
        asked=asked,
        meaning=MARKS,
        withheld=WITHHELD,
        months=MONTHS,
        years=list(map_of(by_month)),
        undated=by_month.get("", 0),
        **choices,
    )


def of_paper(spools: Spools, asked: Mapping[str, str]) -> Spools:
    """The one newspaper that is asked for, or all."""
    paper = asked.get("paper")
    return {paper: spools[paper]} if paper else spools


def filter_choices(
    studio: Studio, counts: ArchiveCounts, spools: Spools, asked: Mapping[str, str]
) -> dict[str, Any]:
    """What the fields of a filter offer and hold."""
    sections = counts.of(spools, story_sections)
    authors = counts.of(spools, story_authors)
    language = load_language(studio.project.language(studio.archive)).english_name
    counters = add_up(spool.counters() for spool in spools.values())
    marked = {code: counters.get(f"marks.{code}", 0) for code in MARKS}
    names = (*(one.name for one in fields(StoryFilter)), "paper")
    return {
        "chosen": {name: asked.get(name, "") for name in names},
        "sections": {name: f"{name} ({count:,})" for name, count in sections.items() if name},
        "authors": [name for name in authors if name][:AUTHORS],
        "marks": {code: f"{code} ({count:,})" for code, count in marked.items() if count},
        "states": STATES,
        "languages": {"own": f"{language}, the newspaper's", "other": "another"},
    }


def map_of(by_month: Mapping[str, int]) -> Iterator[tuple[MapCell, tuple[MapCell, ...]]]:
    """Every year from the last to the first with its months; gaps are what one looks for."""
    dated = {month: count for month, count in by_month.items() if month}
    if not dated:
        return
    most = max(dated.values())
    for year in range(int(max(dated)[:4]), int(min(dated)[:4]) - 1, -1):
        cells = []
        for number, name in enumerate(MONTHS, 1):
            month = f"{year:04}-{number:02}"
            count = dated.get(month, 0)
            cells.append(MapCell(month, f"{name} {year}", count, -(-count * SHADES // most)))
        yield MapCell(f"{year:04}", str(year), sum(cell.stories for cell in cells), 0), tuple(cells)


def show_story(studio: Studio, request: Request) -> Response:
    """One story: its text, what it was cut into and the pairs that came of it."""
    searched = request.query_params.get("q", "")
    with open_spools(studio.directory) as spools:
        paper, found = find_story(spools, request.path_params["id"])
        copies = (
            spools[paper]
            .db.execute("SELECT 1 FROM stories WHERE id=?", (found.cluster,))
            .fetchone()
        )
    try:
        query = ArchiveQuery.parse(searched) if searched else ArchiveQuery("")
    except UsageError:
        query = ArchiveQuery("")
    kept = StoredBody.read(studio.folder(paper), found.page)
    return studio.page(
        request,
        "story.html.j2",
        paper=paper,
        found=found,
        story=found.story,
        paragraphs=[mark_words(one, query) for one in found.story.text.split("\n\n")],
        original=found.cluster if copies and found.cluster != found.story.id else "",
        meaning=MARKS,
        withheld=WITHHELD,
        kept=len(kept.body),
        q=searched,
    )


def show_page(studio: Studio, request: Request) -> Response:
    """The page as the newspaper's server sent it, less whatever acts or asks for anything."""
    with open_spools(studio.directory) as spools:
        paper, found = find_story(spools, request.path_params["id"])
    kept = StoredBody.read(studio.folder(paper), found.page)
    return sandboxed(readable_page(kept, studio.project.language(studio.archive)))


def read_filter(studio: Studio, request: Request) -> tuple[StoryFilter, dict[str, str]]:
    """The filter that an address holds, and its fields and its newspaper for the next address.

    Raises:
        UsageError: a value that no story can have.
    """
    known = {one.name for one in fields(StoryFilter)}
    asked = {
        name: value.strip()[:200]
        for name, value in request.query_params.items()
        if name in known and value.strip()
    }
    values: dict[str, Any] = dict(asked)
    values["undated"] = bool(values.get("undated"))
    if paper := studio.paper_of(request.query_params):
        asked["paper"] = paper
    return StoryFilter(**values), asked
