"""Where a layout's text stands. An XPath is as good as the words that it gathers on all pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from crawler.learn import cuts, tails
from crawler.learn.candidates import ranked
from crawler.learn.coverage import LOOKED_AT, Coverage, spread_out
from crawler.learn.units import Page

DROP_COSTS = 0.01  # each XPath to cut out is one that may fail on pages not seen
FINALISTS = 6  # XPaths that are looked at more closely


@dataclass(frozen=True, slots=True)
class Body:
    """XPaths of the text and of what is cut out of it; `share` of the story words they hold."""

    text: str
    drop: tuple[str, ...]
    share: float


def find(pages: Sequence[Page]) -> Body | None:
    """The body of a layout; None when no XPath gathers half of what seems to be text.

    Containers are judged by what is left when all has been cut out of them that can be.
    """
    coverage = Coverage(pages)
    paths = _candidates(pages)
    while tails.demote(coverage, paths):  # what was demoted may have hidden another tail
        coverage = Coverage(pages)
    if not any(coverage.good):
        return None
    order = sorted(
        paths, key=lambda p: (-round(coverage.score(p), 3), coverage.matches(p), paths[p], p)
    )
    finalists = _finalists(coverage, order)
    finalists += [f"{lead} | {p}" for p in finalists if (lead := _lead(coverage, p, order))]
    drops = {path: cuts.find(coverage, path) for path in finalists}
    scores = {
        path: coverage.score(path, left) - DROP_COSTS * len(cut)
        for path, (cut, left) in drops.items()
    }
    best = min(
        drops,
        default="",
        key=lambda p: (-round(scores[p], 2), coverage.matches(p), paths.get(p, 0), p),
    )
    if not best or scores[best] <= 0:
        return None
    words = sum(good for good, _ in coverage.weights(best))
    return Body(best, tuple(drops[best][0]), words / sum(coverage.good))


def _finalists(coverage: Coverage, order: list[str]) -> list[str]:
    """The best as they are, and the containers that hold most; one of each that are alike."""
    whole = sorted(
        (path for path in order if coverage.matches(path) <= 1.2),
        key=lambda p: -sum(good for good, _ in coverage.weights(p)),
    )
    chosen: dict[tuple[tuple[int, int], ...], str] = {}
    for path in [*order[:FINALISTS], *whole[: 4 * FINALISTS]]:
        chosen.setdefault((*coverage.weights(path), (round(coverage.matches(path)), 0)), path)
    return list(chosen.values())[: 2 * FINALISTS]


def _candidates(pages: Sequence[Page]) -> dict[str, int]:
    """XPaths worth asking, with the order in which their element offered them (plainest first)."""
    seen: Counter[str] = Counter()
    order: dict[str, int] = {}
    sample = spread_out(pages, LOOKED_AT)
    for page in sample:
        elements: set[Any] = set()
        for unit in page.units:
            if unit.weight > 0:
                elements.update(_up(unit.owner))
        paths: set[str] = set()
        for element in elements:
            for path, rank in ranked(element):
                paths.add(path)
                order[path] = min(rank, order.get(path, rank))
        seen.update(paths)
    least = max(1, len(sample) // 3)
    return {path: order[path] for path, count in seen.items() if count >= least}


def _up(element: Any) -> Iterable[Any]:
    while element is not None and element.tag not in ("body", "html"):
        yield element
        element = element.getparent()


def _lead(coverage: Coverage, best: str, order: list[str]) -> str:
    """A paragraph that stands by itself between headline and text, on most pages."""
    for path in order:
        if coverage.matches(path) > 1.2 or path == best:
            continue
        weights = coverage.weights(path)
        if sum(good > 0 and not bad for good, bad in weights) < 0.7 * len(weights):
            continue
        if all(
            _just_before(page, lead[0], text[0])
            for page, lead, text in zip(
                coverage.pages, coverage.elements(path), coverage.elements(best), strict=True
            )
            if lead and text
        ):
            return path
    return ""


def _just_before(page: Page, lead: Any, text: Any) -> bool:
    """No more than a label or two stand between the end of `lead` and the beginning of `text`."""
    end, start = page.span[lead][1], page.span[text][0]
    if end >= start:
        return False
    between = [u for u in page.units if end < page.span[u.owner][0] < start]
    return len(between) <= 3 and not any(unit.weight > 0 for unit in between)
