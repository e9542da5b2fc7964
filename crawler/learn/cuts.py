"""What must be cut out of a text: XPaths that remove furniture and never a word of the story."""

from __future__ import annotations

from crawler.learn.candidates import relative
from crawler.learn.coverage import Coverage, Left
from crawler.learn.labels import STAYS


def find(coverage: Coverage, text: str) -> tuple[list[str], Left]:
    """XPaths, inside the text, of what is not of the story; none that costs a story's word.

    Returns:
        The XPaths, and the bad units (page, unit) that they leave in.
    """
    paths: dict[str, None] = {}
    left: Left = set()
    for number, (page, found) in enumerate(
        zip(coverage.pages, coverage.elements(text), strict=True)
    ):
        inside = set(found)
        for place, unit in enumerate(page.units):
            if unit.why in STAYS or not page.inside(unit, found):
                continue
            left.add((number, place))
            element = unit.owner
            while element is not None and element not in inside:
                paths.update(dict.fromkeys(relative(element)))
                element = element.getparent()
    gains = {path: _gain(coverage, text, path) for path in paths}
    chosen: list[str] = []
    while left:
        # One with a name first: a bare `.//p` may cut text out of pages not seen here.
        useful = [path for path, gained in gains.items() if len(gained & left) > 1]
        path = max(useful, key=lambda p: ("@" in p, len(gains[p] & left), -len(p), p), default="")
        if not path:
            break
        chosen.append(path)
        left -= gains.pop(path)
    return chosen, left


def _gain(coverage: Coverage, text: str, path: str) -> Left:
    """The bad units that dropping `path` would remove; none at all if it removed a good one."""
    from lxml import etree

    find = etree.XPath(path)
    gained: Left = set()
    for number, (page, roots) in enumerate(
        zip(coverage.pages, coverage.elements(text), strict=True)
    ):
        found = [element for root in roots for element in find(root) if element in page.span]
        if not found:
            continue
        for place, unit in enumerate(page.units):
            if page.inside(unit, found):
                if unit.weight > 0:
                    return set()
                gained.add((number, place))
    return gained
