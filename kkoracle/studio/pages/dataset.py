"""Dataset: its builds, what changed between two, whether tests leak, and shares by split.

The statistics page reads the whole archive, so it is made by the command that makes it in a
terminal, and stands here in a frame once it is there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from exchange.errors import NotFound, UserError
from exchange.html.plots import bars
from exchange.store.joined_corpus import open_spools
from exchange.store.pairs import ListedPair, list_pairs
from kkoracle.studio.pages.overview import BUILD
from kkoracle.studio.studio import Studio, form_action, sandboxed
from trainer.dataset.build import FOLDER
from trainer.dataset.builds import (
    BuildRecord,
    compare_builds,
    list_builds,
    nearest_rows,
    note_current,
)

if TYPE_CHECKING:
    from markupsafe import Markup
    from starlette.datastructures import FormData
    from starlette.requests import Request
    from starlette.responses import Response

STATISTICS = "dataset-stats"  # the command's name here, and its page's in the archive's folder
PAGE = f"{STATISTICS}.html"
SHOWN = 15  # rows of a list, and values of a table; the rest is summed up
NEAREST = 10
OTHERS = "others"


def routes(studio: Studio) -> list[Route]:
    """What the page answers."""
    return [
        Route("/dataset", partial(show_dataset, studio), name="dataset"),
        Route("/dataset/changes", partial(show_changes, studio), name="dataset-changes"),
        Route("/dataset/statistics", partial(show_statistics, studio), name="dataset-statistics"),
        Route(
            "/dataset/statistics/count",
            form_action(partial(count_statistics, studio)),
            methods=["POST"],
            name="dataset-count",
        ),
    ]


def show_dataset(studio: Studio, request: Request) -> Response:
    """The builds, and what the newest one is."""
    dataset, page, nothing = studio.directory / FOLDER, studio.directory / PAGE, ""
    try:
        note_current(studio.directory, dataset)
    except UserError as error:
        nothing = str(error)
    builds = list_builds(studio.directory)
    newest = builds[0] if builds and not nothing else None
    nearest = nearest_rows(dataset, NEAREST) if newest else []
    return studio.page(
        request,
        "dataset.html.j2",
        builds=[(build, _moment(build.at)) for build in builds],
        newest=newest,
        nothing=nothing,
        plots=list(_share_plots(newest)) if newest else [],
        tables=_share_tables(newest) if newest else {},
        leaks=_leaks(newest) if newest else [],
        nearest=nearest,
        texts=_texts(studio, [row[name] for row in nearest for name in ("id", "nearest")]),
        build_command=BUILD,
        building=studio.commands.state(BUILD),
        counting=studio.commands.state(STATISTICS),
        counted=_moment(page.stat().st_mtime) if page.exists() else "",
        log=studio.commands.log(STATISTICS),
    )


def show_changes(studio: Studio, request: Request) -> Response:
    """What came, went and moved from one build to a later one."""
    builds = {build.sha: build for build in list_builds(studio.directory)}
    chosen = request.query_params.getlist("build")
    if len(chosen) != 2 or not builds.keys() >= set(chosen):
        raise NotFound(f"tick two builds to see what changed between them, not {len(chosen)}")
    earlier, later = sorted((builds[sha] for sha in chosen), key=lambda build: build.at)
    change = compare_builds(studio.directory, earlier.sha, later.sha)
    names = list(later.manifest.splits)
    names += [name for name in earlier.manifest.splits if name not in names]
    lists: dict[str, list[tuple[str, str]]] = {
        "Moved": [(f"{was} to {now}", row) for row, was, now in change.moved],
        "Added": [(split, row) for split, rows in change.added.items() for row in rows],
        "Gone": [(split, row) for split, rows in change.gone.items() for row in rows],
    }
    return studio.page(
        request,
        "dataset_changes.html.j2",
        earlier=(earlier, _moment(earlier.at)),
        later=(later, _moment(later.at)),
        counts=[
            (
                name,
                _rows(earlier, name),
                len(change.added.get(name, ())),
                len(change.gone.get(name, ())),
                sum(now == name for _, _, now in change.moved),
                sum(was == name for _, was, _ in change.moved),
                _rows(later, name),
            )
            for name in names
        ],
        moved=len(change.moved),
        one_split=_same_split(earlier, later),
        left_out=_difference(earlier.manifest.left_out, later.manifest.left_out),
        lists={title: (rows[:SHOWN], len(rows)) for title, rows in lists.items() if rows},
        texts=_texts(studio, [row for rows in lists.values() for _, row in rows[:SHOWN]]),
    )


def show_statistics(studio: Studio, request: Request) -> Response:
    """The page of `kkoracle dataset stats --html`, without rights."""
    try:
        return sandboxed((studio.directory / PAGE).read_text("utf-8", "replace"))
    except OSError:
        raise NotFound("the archive was not counted yet: press Count on the page before") from None


def count_statistics(studio: Studio, request: Request, form: FormData) -> Response:
    """Have the command make that page."""
    page = str(studio.directory / PAGE)
    studio.start_command(STATISTICS, ["dataset", "stats", studio.archive, "--html", page])
    return studio.redirect(request, "dataset", "the archive is being counted")


def _share_plots(build: BuildRecord) -> Iterator[Markup]:
    """Rows by year and by kind, each bar in the colours of its splits."""
    names = [name for name, of in build.manifest.splits.items() if of["rows"]]
    for facet in ("year", "kind"):
        counts = {
            value: [of.get(name, 0) for name in names]
            for value, of in build.shares[facet].items()
            if facet == "year" or not value.startswith("general.")
        }
        yield bars(f"Rows by {facet}", names, counts)


def _share_tables(build: BuildRecord) -> dict[str, tuple[list[str], list[tuple[str, list[Any]]]]]:
    """For kind, year and section: the splits, and of each value its rows and share in each."""
    tables = {}
    for facet, values in build.shares.items():
        splits = [
            name for name in build.manifest.splits if any(name in of for of in values.values())
        ]
        totals = {name: sum(of.get(name, 0) for of in values.values()) for name in splits}
        ranked = sorted(values.items(), key=lambda item: -sum(item[1].values()))
        kept = dict(ranked[:SHOWN] if facet != "year" else values.items())
        rest: dict[str, int] = {}
        for value, of in ranked:
            if value not in kept:
                for name, count in of.items():
                    rest[name] = rest.get(name, 0) + count
        rows = [*kept.items(), *([(OTHERS, rest)] if rest else [])]
        tables[facet] = (
            splits,
            [
                (value, [(of.get(name, 0), of.get(name, 0) / totals[name]) for name in splits])
                for value, of in rows
            ],
        )
    return tables


def _leaks(build: BuildRecord) -> list[tuple[str, str, bool]]:
    """What is asked, what was found, and whether it is well."""
    leak = build.manifest.leak
    siblings = leak["siblings_in_train"]
    found = [
        (
            "test_unseen with a story that is taught",
            f"{siblings:.1%}; a random split: {leak['siblings_if_random']:.1%}",
            siblings == 0,
        )
    ]
    for split, near in leak["near_train"].items():
        said = f"{near:,} of {_rows(build, split):,}"
        found.append((f"{split}: rows nearly the same as a taught one", said, near == 0))
    return found


def _rows(build: BuildRecord, split: str) -> int:
    return int(build.manifest.splits.get(split, {}).get("rows", 0))


def _same_split(earlier: BuildRecord, later: BuildRecord) -> bool:
    """Whether no row may have moved: both follow one version of one line."""
    one, other = earlier.manifest, later.manifest
    return (one.version, one.line["key"]) == (other.version, other.line["key"])


def _difference(one: Mapping[str, int], other: Mapping[str, int]) -> list[tuple[str, int, int]]:
    names = sorted({*one, *other})
    return [
        (name, one.get(name, 0), other.get(name, 0))
        for name in names
        if one.get(name, 0) != other.get(name, 0)
    ]


def _texts(studio: Studio, ids: list[str]) -> dict[str, ListedPair]:
    """The pairs of some rows; rows of other origin have none."""
    try:
        with open_spools(studio.directory) as spools:
            return {
                row.pair.id: row
                for spool in spools.values()
                for row in list_pairs(spool, list(dict.fromkeys(ids)))
            }
    except NotFound:
        return {}


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
