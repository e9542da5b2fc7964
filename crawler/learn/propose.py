"""From a few dozen pages to a profile: layouts, their selectors, and the kinds of addresses."""

from __future__ import annotations

import contextlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urljoin, urlsplit

from crawler.learn import body, fields, labels, layouts
from crawler.learn.addresses import AddressPattern, families
from crawler.learn.units import ParsedPage
from crawler.profile import ExclusionRules, LinkKind, PageShape, Profile
from exchange.errors import NotEnoughData
from exchange.text.fold import fold

FEWEST = 5  # pages of a layout; fewer do not tell content from furniture
STORY_WORDS = 25  # words of prose on the middle page of a layout that holds stories
SHARE = 0.2  # of a family's pages that must hold stories before it is one of stories
_STATIC = (
    r"(?i)\.(?:jpe?g|png|gif|webp|svg|ico|css|js|pdf|zip|mp[34]|avi|mov|docx?|xlsx?|xml)(?:\?|$)"
)


@dataclass(frozen=True, slots=True)
class ProfileProposal:
    """What was learned. `told` are pages by layout name, to show it on; `left` had no layout."""

    profile: Profile
    told: dict[str, list[ParsedPage]]
    left: int


def propose(pages: Sequence[ParsedPage], name: str = "", start: str = "") -> ProfileProposal:
    """Propose a profile for the newspaper that the pages are from.

    Args:
        name: as readers know it; default: what most page titles end or begin with, or the host.
        start: the path to begin at.

    Raises:
        UserError: no layout has enough pages with text.
    """
    _attach_link_texts(pages)
    shapes: list[PageShape] = []
    told: dict[str, list[ParsedPage]] = {}
    for group in layouts.group_by_layout(pages):
        shape = _shape(f"layout{len(shapes) + 1}", group)
        if shape is not None:
            shapes.append(shape)
            told[shape.name] = group
    if not shapes:
        raise NotEnoughData(
            f"no layout found: {len(pages)} pages, but fewer than {FEWEST} alike that hold text; "
            "give more pages of stories"
        )
    shapes.sort(key=lambda shape: _strays(shape, told))
    stories = {page.url for group in told.values() for page in group}
    base = _base(pages)
    kinds = _kinds(pages, stories, base)
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
    return ProfileProposal(profile, told, len(pages) - len(stories))


def _shape(name: str, group: Sequence[ParsedPage]) -> PageShape | None:
    if len(group) < FEWEST:
        return None
    labels.label(group)
    words = sorted(sum(u.weight for u in page.units if u.weight > 0) for page in group)
    if words[len(words) // 2] < STORY_WORDS:
        return None  # an index, or a form
    found = body.find_body(group)
    if found is None:
        return None
    story = layouts.find_story_element(group, found.text)
    where = (
        fields.find_story_fields(group, story, found.text, found.drop)
        if story
        else fields.find_fields(group, found.text, found.drop)
    )
    text = " | ".join(f".{part}" for part in found.text.split(" | ")) if story else found.text
    drop = tuple(_anchored(path, text) for path in found.drop)
    known = {"name": name, "story": story, "text": text, "drop": drop, **vars(where)}
    return PageShape.model_validate({key: value for key, value in known.items() if value})


def _anchored(drop: str, text: str) -> str:
    """What is cut out of the text, and nowhere else: a profile's drops count from the story."""
    return " | ".join(f"{part}{drop.removeprefix('.')}" for part in text.split(" | "))


def _strays(shape: PageShape, told: dict[str, list[ParsedPage]]) -> int:
    """Pages of other layouts that the shape would take for its own."""
    return sum(
        bool(page.root.xpath(shape.story or shape.text))
        for name, group in told.items()
        if name != shape.name
        for page in group
    )


def _attach_link_texts(pages: Sequence[ParsedPage]) -> None:
    """What the links that lead to a page say; a text that leads to several says nothing."""
    by_url = {page.url: page for page in pages}
    said: dict[str, Counter[str]] = defaultdict(Counter)
    targets: dict[str, set[str]] = defaultdict(set)
    for page in pages:
        for link in page.root.iter("a"):
            text = fold(link.text_content())
            try:
                target = urljoin(page.url, link.get("href") or "").partition("#")[0]
            except ValueError:
                continue
            targets[text].add(target)
            if target in by_url and target != page.url:
                said[target][text] += 1
    for target, texts in said.items():
        best = [t for t in texts if len(t.split()) > 1 and len(targets[t]) == 1]
        own = {unit.folded for unit in by_url[target].units}
        by_url[target].told = max((t for t in best if t in own), key=len, default="")


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


def _kinds(pages: Sequence[ParsedPage], stories: set[str], base: str) -> dict[str, LinkKind]:
    """A kind for each family of addresses that holds stories or leads to them."""
    urls = [page.url for page in pages if page.url.startswith(base)]
    if len(urls) < len(pages) / 2:
        return {"page": LinkKind(role="both", path=".*")}
    of = families(urls)
    members: dict[AddressPattern, list[ParsedPage]] = defaultdict(list)
    for page in pages:
        if page.url in of:
            members[of[page.url]].append(page)
    links = {page.url: _links(page) for group in members.values() for page in group}
    share = {
        family: sum(page.url in stories for page in group) / len(group)
        for family, group in members.items()
    }
    reached = {
        url for page, found in links.items() if share[of[page]] < SHARE for url in found
    }  # from indexes
    made: dict[str, LinkKind] = {}
    for family, group in sorted(
        members.items(), key=lambda item: _order_by_specificity(item[0].path)
    ):
        role: Literal["index", "story", "both"] = "story"
        if share[family] < SHARE:
            role = "index"
            if not any(of[url] != family for page in group for url in links[page.url] if url in of):
                continue  # it leads nowhere
        elif share[family] < 1 - SHARE or not _most_common_kind(
            page.url in reached for page in group
        ):
            role = "both"
        made[_kind_name(family.path, made)] = LinkKind(
            role=role, path=family.path, date=family.date
        )
    return made


def _links(page: ParsedPage) -> set[str]:
    found = set()
    for link in page.root.iter("a"):
        with contextlib.suppress(ValueError):
            found.add(urljoin(page.url, link.get("href") or "").partition("#")[0])
    return found - {page.url}


def _most_common_kind(values: Iterable[bool]) -> bool:
    held = list(values)
    return sum(held) >= 0.7 * len(held)


def _order_by_specificity(path: str) -> tuple[int, str]:
    """The most particular patterns first: the first that matches an address is its kind."""
    return len(re.findall(r"\[\^/\]\+|\\d\+", path)), path


def _kind_name(path: str, taken: dict[str, LinkKind]) -> str:
    words = re.findall(r"[a-z]{3,}", re.sub(r"\\.|\(\?P<date>[^)]*\)|\[[^]]*\]\+", " ", path))
    name = words[0] if words else "page"
    number = 2
    while name in taken:
        name = f"{(words or ['page'])[0]}{number}"
        number += 1
    return name
