"""Addresses to kinds: which part of an address names a layout, and which one page of it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from crawler.addresses import joined
from crawler.learn.units import ParsedPage
from crawler.profile import LinkKind
from exchange.text import dates

MANY = 4  # different words in one place of an address: it holds names, not a fixed part
STORY_SHARE = 0.2  # of a family's pages that must hold stories before it is one of stories
_DATED = re.compile(r"/\d{4}[/-]\d{1,2}[/-]\d{1,2}(?=/|$)")
_ENDING = re.compile(r"^(.*?)(\.[A-Za-z]{1,5})?$", re.S)
_DATE_GROUP = r"(?P<date>\d{4}[/-]\d{1,2}[/-]\d{1,2})"


@dataclass(frozen=True, slots=True)
class AddressPattern:
    """A family of addresses: the regular expression of their paths, and where their date stands."""

    path: str
    date: str = ""  # a query parameter, or the named group "date"


PathSteps = tuple[str, ...]


def steps(url: str) -> PathSteps:
    """The steps of an address's path as regular expressions, a record's name left open.

    >>> steps("http://a.gr/nea/2008/07/07/1234-titlos.html?x=1")[-1]
    '[^/]+\\\\.html'
    """
    path = unquote(urlsplit(url).path) or "/"
    mark = "\0"
    dated = _DATED.search(path)
    if dated:
        path = f"{path[: dated.start()]}/{mark}{path[dated.end() :]}"
    parts = path.removeprefix("/").split("/")
    return tuple(_DATE_GROUP if part == mark else _step(part.replace(mark, "")) for part in parts)


def _step(segment: str) -> str:
    match = _ENDING.match(segment)
    stem, ending = (match[1], match[2] or "") if match else (segment, "")
    if stem.isdecimal():
        return rf"\d+{re.escape(ending)}"
    if re.search(r"\d", stem) or stem.count("-") >= 2 or len(stem) > 40:
        return rf"[^/]+{re.escape(ending)}"
    return re.escape(segment).replace(r"\-", "-")


def families(urls: Iterable[str]) -> dict[str, AddressPattern]:
    """The family of each address; places that hold many different words are left open too."""
    known = {url: steps(url) for url in urls}
    opened = _open_words(set(known.values()))
    members: dict[PathSteps, list[str]] = defaultdict(list)
    for url, path in known.items():
        members[opened[path]].append(url)
    made = {
        path: AddressPattern("/" + "/".join(path), _date(path, urls))
        for path, urls in members.items()
    }
    return {url: made[opened[path]] for url, path in known.items()}


def _open_words(paths: set[PathSteps]) -> dict[PathSteps, PathSteps]:
    """`/politiki/\\d+`, `/athlitika/\\d+` and more of the kind become `/[^/]+/\\d+`."""
    current = {path: path for path in paths}
    for place in range(max(map(len, paths), default=0)):
        alike: dict[tuple[PathSteps, PathSteps], set[PathSteps]] = defaultdict(set)
        for path in set(current.values()):
            if len(path) > place and _fixed(path[place]):
                alike[path[:place], path[place + 1 :]].add(path)
        for (before, after), group in alike.items():
            if len(group) >= MANY:
                open_ = (*before, f"[^/]+{_common_ending(path[place] for path in group)}", *after)
                current = {old: open_ if new in group else new for old, new in current.items()}
    return current


def _fixed(step: str) -> bool:
    return bool(step) and not re.search(r"\\d|\[|\(|\\\.(?:php|do|aspx?|jsp|cgi|pl)$", step)


def _common_ending(words: Iterable[str]) -> str:
    endings = {m[0] if (m := re.search(r"\\\.[A-Za-z]+$", word)) else "" for word in words}
    return endings.pop() if len(endings) == 1 else ""


def _date(path: PathSteps, urls: Sequence[str]) -> str:
    if _DATE_GROUP in path:
        return "date"
    values: dict[str, list[str]] = defaultdict(list)
    for url in urls:
        for name, value in parse_qsl(urlsplit(url).query):
            values[name].append(value)
    for name, found in values.items():
        if len(found) >= 0.8 * len(urls) and all(map(dates.parse_date, found)):
            return name
    return ""


def link_kinds(pages: Sequence[ParsedPage], stories: set[str], base: str) -> dict[str, LinkKind]:
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
        url for page, found in links.items() if share[of[page]] < STORY_SHARE for url in found
    }  # from indexes
    made: dict[str, LinkKind] = {}
    for family, group in sorted(
        members.items(), key=lambda item: _order_by_specificity(item[0].path)
    ):
        role: Literal["index", "story", "both"] = "story"
        if share[family] < STORY_SHARE:
            role = "index"
            if not any(of[url] != family for page in group for url in links[page.url] if url in of):
                continue  # it leads nowhere
        elif share[family] < 1 - STORY_SHARE or not _mostly(page.url in reached for page in group):
            role = "both"
        made[_kind_name(family.path, made)] = LinkKind(
            role=role, path=family.path, date=family.date
        )
    return made


def _links(page: ParsedPage) -> set[str]:
    found = (joined(page.url, link.get("href") or "") for link in page.root.iter("a"))
    return {address.partition("#")[0] for address in found} - {page.url, ""}


def _mostly(values: Iterable[bool]) -> bool:
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
