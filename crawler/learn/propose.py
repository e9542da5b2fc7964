"""From a few dozen pages to a profile: layouts, their selectors, and the kinds of addresses."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from crawler.addresses import joined
from crawler.learn import fields
from crawler.learn.addresses import link_kinds, steps
from crawler.learn.body import find_body
from crawler.learn.coverage import SAMPLE_PAGES, XPathCoverage, spread_out
from crawler.learn.labels import label_units
from crawler.learn.units import ParsedPage
from crawler.learn.xpaths import Found
from crawler.profile import ExclusionRules, PageShape, Profile
from exchange.errors import NotEnoughData
from exchange.text.fold import fold
from exchange.text.scripts import count_words

ALIKE = 0.55  # Jaccard of two pages' names; comments and captions come and go
_DIGITS = re.compile(r"\d+")


def group_by_layout(pages: Sequence[ParsedPage]) -> list[list[ParsedPage]]:
    """Groups of pages of one layout, the largest first."""
    groups: list[tuple[frozenset[str], list[ParsedPage]]] = []
    for page in pages:
        names = _element_names(page)
        best = max(groups, key=lambda known: _jaccard(known[0], names), default=None)
        if best is not None and _jaccard(best[0], names) >= ALIKE:
            best[1].append(page)
        else:
            groups.append((names, [page]))
    return sorted((pages for _, pages in groups), key=len, reverse=True)


def _element_names(page: ParsedPage) -> frozenset[str]:
    found: set[str] = set()
    for element in page.table.elements:
        if not isinstance(element.tag, str):
            continue
        above = element.getparent()
        around = above.tag if above is not None else ""
        name = element.get("class") or element.get("id") or element.get("size") or ""
        found.add(f"{around}>{element.tag}.{_DIGITS.sub('', name)}")
    return frozenset(found)


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(1, len(one | other))


# Pages that hold several stories: the element of each, found from the text's elements.

MIN_TEXTS_PER_PAGE = 1.5  # texts on a page, in the mean; one page with two says little


def find_story_element(pages: Sequence[ParsedPage], text: str) -> str:
    """The XPath of each story's element, "" when pages hold one story each."""
    coverage = XPathCoverage(pages)
    bodies = coverage.elements(text)
    if coverage.matches(text) < MIN_TEXTS_PER_PAGE:
        return ""
    wanted = [_story_elements(page, found) for page, found in zip(pages, bodies, strict=True)]
    if sum(map(bool, wanted)) < 0.5 * len(pages):
        return ""
    seen: Counter[str] = Counter()
    order: dict[str, int] = {}
    chosen = [(page, found) for page, found in zip(pages, wanted, strict=True) if found]
    for page, elements in spread_out(chosen, SAMPLE_PAGES):
        for path, rank in (item for one in elements[:3] for item in page.table.ranked(one)):
            seen[path] += 1
            order[path] = min(rank, order.get(path, rank))
    for path in sorted(seen, key=lambda p: (-seen[p], order[p], p)):
        exact = [
            found == around or (not around and len(found) == 1)
            for found, around in zip(coverage.elements(path), wanted, strict=True)
        ]
        if sum(exact) >= 0.9 * len(exact):
            return path
    return ""


def _story_elements(page: ParsedPage, bodies: Found) -> Found:
    """For each body the largest element that holds no other; none when that is the body itself.

    A story's element holds its headline too, so it must have more units than its body.
    """
    if len(bodies) < 2:
        return ()
    found = []
    for body in bodies:
        chosen = body
        for around in page.table.ancestors(body):
            if sum(page.table.inside(other, [around]) for other in bodies) > 1:
                break
            chosen = around
        held = page.units_inside(chosen)
        if len(page.units_inside(body)) >= len(held):
            return ()
        found.append(chosen)
    return tuple(found)


FEWEST = 5  # pages of a layout; fewer do not tell content from boilerplate
LIST_LINKS = 3  # to stories, that a list has at least
TEASER_WORDS = 60  # of a story in a list; one that prints more prints the story
STORY_WORDS = 25  # words of prose on the middle page of a layout that holds stories
_STATIC = (
    r"(?i)\.(?:jpe?g|png|gif|webp|svg|ico|css|js|pdf|zip|mp[34]|avi|mov|docx?|xlsx?|xml)(?:\?|$)"
)


@dataclass(frozen=True, slots=True)
class ProfileProposal:
    """What was learned. `unplaced` pages had no layout."""

    profile: Profile
    pages_by_layout: dict[str, list[ParsedPage]]
    unplaced: int


def propose(
    pages: Sequence[ParsedPage],
    name: str = "",
    start: str = "",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> ProfileProposal:
    """Propose a profile for the newspaper that the pages are from.

    Args:
        name: as readers know it; default: what most page titles end or begin with, or the host.
        start: the path to begin at.
        on_progress: told how many pages were looked at, of how many.

    Raises:
        UserError: no layout has enough pages with text.
    """
    _attach_link_texts(pages)
    shapes: list[PageShape] = []
    pages_by_layout: dict[str, list[ParsedPage]] = {}
    seen = 0
    for group in group_by_layout(pages):
        on_progress(seen, len(pages))
        seen += len(group)
        shape = _shape(f"layout{len(shapes) + 1}", group)
        if shape is not None:
            shapes.append(shape)
            pages_by_layout[shape.name] = group
    for shape in [shape for shape in shapes if _is_list(shape, pages_by_layout)]:
        if len(shapes) > 1:
            shapes.remove(shape)
            del pages_by_layout[shape.name]
    if not shapes:
        raise NotEnoughData(
            f"no layout found: {len(pages)} pages, but fewer than {FEWEST} alike that hold text; "
            "give more pages of stories"
        )
    shapes.sort(key=lambda shape: _strays(shape, pages_by_layout))
    stories = {page.url for group in pages_by_layout.values() for page in group}
    base = _base(pages)
    kinds = link_kinds(pages, stories, base)
    profile = Profile.model_validate(
        {
            "name": name or _name(pages, base),
            "base": base,
            "start": (start or "/",),
            "kinds": kinds,
            "shapes": tuple(shapes),
            "leave_out": ExclusionRules(urls=(_STATIC,)),
        }
    )
    return ProfileProposal(profile, pages_by_layout, len(pages) - len(stories))


def _is_list(shape: PageShape, pages_by_layout: dict[str, list[ParsedPage]]) -> bool:
    """Do the pages of a layout print a few words each of stories that stand on their own pages?"""
    told = {
        page.url for name, group in pages_by_layout.items() if name != shape.name for page in group
    }
    paths = {steps(url) for url in told}
    lists = 0
    for page in pages_by_layout[shape.name]:
        named = page.root.xpath(shape.story or shape.text)
        inside = tuple(sorted(page.table.number[e] for e in named if e in page.table.number))
        if not inside:
            continue
        words = sum(page.units[place].words for place in page.places_inside(inside))
        # So few words are one story's of a list, or the lead of one: then the whole page counts.
        around = page.table.common(inside) if words >= TEASER_WORDS else 0
        links = (page.table.elements[n] for n in page.table.find_inside(".//a", (around,)))
        targets = {
            target
            for link in links
            if (target := _target(page, link)) in told or (target and steps(target) in paths)
        }
        lists += len(targets) >= LIST_LINKS and words < TEASER_WORDS * len(targets)
    return lists > 0.5 * len(pages_by_layout[shape.name])


def _target(page: ParsedPage, link: Any) -> str:
    return joined(page.url, link.get("href") or "").partition("#")[0]


def _shape(name: str, group: Sequence[ParsedPage]) -> PageShape | None:
    if len(group) < FEWEST:
        return None
    label_units(group)
    words = sorted(sum(u.weight for u in page.units if u.weight > 0) for page in group)
    if words[len(words) // 2] < STORY_WORDS:
        return None  # an index, or a form
    found = find_body(group)
    if found is None:
        return None
    story = find_story_element(group, found.path)
    where = (
        fields.find_story_fields(group, story, found.path, found.drop)
        if story
        else fields.find_fields(group, found.path, found.drop)
    )
    text = " | ".join(f".{part}" for part in found.path.split(" | ")) if story else found.path
    drop = tuple(_anchored(path, text) for path in found.drop)
    known = {"name": name, "story": story, "text": text, "drop": drop, **vars(where)}
    return PageShape.model_validate({key: value for key, value in known.items() if value})


def _anchored(drop: str, text: str) -> str:
    """What is cut out of the text, and nowhere else: a profile's drops count from the story."""
    if not drop.startswith("."):
        return drop
    return " | ".join(f"{part}{drop.removeprefix('.')}" for part in text.split(" | "))


def _strays(shape: PageShape, pages_by_layout: dict[str, list[ParsedPage]]) -> int:
    """Pages of other layouts that the shape would take for its own."""
    return sum(
        bool(page.root.xpath(shape.story or shape.text))
        for name, group in pages_by_layout.items()
        if name != shape.name
        for page in group
    )


def _attach_link_texts(pages: Sequence[ParsedPage]) -> None:
    """What the links that lead to a page say; a text that leads to several says nothing."""
    by_url = {page.url: page for page in pages}
    texts_by_url: dict[str, Counter[str]] = defaultdict(Counter)
    targets: dict[str, set[str]] = defaultdict(set)
    for page in pages:
        for link in page.root.iter("a"):
            text = fold(link.text_content())
            if not (target := _target(page, link)):
                continue
            targets[text].add(target)
            if target in by_url and target != page.url:
                texts_by_url[target][text] += 1
    for target, texts in texts_by_url.items():
        best = [t for t in texts if count_words(t) > 1 and len(targets[t]) == 1]
        own = {unit.folded for unit in by_url[target].units}
        by_url[target].link_text = max((t for t in best if t in own), key=len, default="")


def _base(pages: Sequence[ParsedPage]) -> str:
    hosts = Counter(
        f"{parts.scheme}://{parts.netloc}"
        for parts in (urlsplit(page.url) for page in pages)
        if parts.netloc
    )
    return hosts.most_common(1)[0][0] if hosts else "http://localhost"


def _name(pages: Sequence[ParsedPage], base: str) -> str:
    """What the titles of most pages share, or the host."""
    parts = Counter(
        part.strip()
        for page in pages
        for part in set(re.split(r"\s[-|–:]\s|:\s", page.root.xpath("string(//title)")))
    )
    best, count = parts.most_common(1)[0] if parts else ("", 0)
    return best if best and count >= 0.6 * len(pages) else urlsplit(base).hostname or "archive"
