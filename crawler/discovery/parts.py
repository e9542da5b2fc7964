"""Stories on several pages: where the next part of one stands. Pure functions.

`rel=next` is believed where the address is no other story's (blogs name the next article so); else
an address that is this one with the next number in it: `?page=2`, `/2/`, `/page/2`, `-2.html`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from msgspec.structs import replace
from stringzilla import find

from crawler.addresses import as_written, joined
from crawler.discovery.links import base_of
from crawler.extract.charset import as_utf8
from crawler.extract.html import parse
from crawler.patterns import compile_pattern
from crawler.records import Link, PageClaim, part_key, part_of
from crawler.scope import CrawlScope

MAX_PARTS = 60  # of one story; more is a trap
_WORD = "page|part|pg|p|pag|pagina|pagine|seite|sida|side|strana|s|teil"
_PARAMETER = re.compile(rf"(?:{_WORD}|start_?page|currentpage)", re.I)
_SUFFIXES = (
    re.compile(rf"^(?P<stem>.+?)/(?:(?:{_WORD})[/_-]?)?(?P<number>\d{{1,2}})(?P<ending>)$", re.I),
    re.compile(
        rf"^(?P<stem>.+?)[-_,](?:(?:{_WORD})[-_,]?)?(?P<number>\d{{1,2}})"
        r"(?P<ending>\.[a-z]{2,5})?$",
        re.I,
    ),
)
_ENDING = re.compile(r"\.[a-z]{2,5}$", re.I)
# What a page without any such link need not be parsed for. All of it is looked for on the page as
# it was sent, and closely only where a few bytes of it stand.
_NEXT = (b"next", b"NEXT", b"Next")
_REL_NEXT = re.compile(rb"""rel\s*=\s*["']?[^"'>]{0,40}\bnext\b""", re.I)
_COUNTED = rf"(?:{_PARAMETER.pattern})=\d".encode()
_LINK_BEGINS = re.compile(rb"""href\s*=\s*["']?[^"'\s<>]*$""", re.I)
_RELATIVE = re.compile(
    rb"""(?:\?(?:[^"'\s<>]{0,60}[&;])?%b|\d{1,2}/?(?=["'\s<>]))""" % _COUNTED, re.I
)
_NUMBERED = re.compile(
    rb"""(?=[/?_,.&;-])[^"'\s<>]{0,80}?(?:[?&;]%b|/[a-z]*[/_-]?\d|[-_,][a-z]*[-_,]?\d)"""
    % _COUNTED,
    re.I,
)
_RELATIVE_BEGINS = (b'"', b"'", b"ref=", b"REF=")
_NAME_BEGINS = (b"/", b'"', b"'", b"=")
_LONGEST_LINK = 500  # bytes before a name in it
MANY = 1000  # such places on a page; then a look at its links is cheaper


def next_part(
    claim: PageClaim, body: bytes, url: str, site: CrawlScope, charset: tuple[str, str, str]
) -> Link | None:
    """The link to the part that follows, None where the story ends here.

    Args:
        claim: its key tells whose and which part the page is.
        body: the page as it was sent.
        url: the address it was read from.
        charset: as announced and as the profile says, and the language.
    """
    own = site.profile.kinds.get(claim.kind)
    if own is None or not (own.role == "story" or own.parts):
        return None
    first, number = part_of(claim.key)
    if not (own.parts or _may_continue(body, url, number)):
        return None
    root = parse(as_utf8(body, *charset))
    if root is None:
        return None
    for target in _targets(root, url, site, first, number, own.parts):
        parts, ours = urlsplit(target), site.in_scope(target)
        address = as_written(parts.path or "/", parts.query, "utf-8") if ours else target
        link = Link(part_key(first, number + 1), address, claim.kind, claim.issue, own.rank)
        if number >= MAX_PARTS:
            return replace(link, left_out="part-limit")
        return link if ours else replace(link, left_out="part-elsewhere")
    return None


def _may_continue(body: bytes, url: str, number: int) -> bool:
    def names_next(at: int) -> bool:
        return _REL_NEXT.search(body, max(0, at - 60), at + 4) is not None

    def is_relative(at: int) -> bool:
        at = at + 1 if body[at] in b"\"'" else at + 4
        return _RELATIVE.match(body, at) is not None and _in_link(body, at, 16)

    following = (b"?", b"%d" % (number + 1), b"0%d" % (number + 1))
    relative = (begun + mark for begun in _RELATIVE_BEGINS for mark in following)
    if _any_place(body, _NEXT, names_next) or _any_place(body, relative, is_relative):
        return True
    names = {stem.partition("?")[0].rpartition("/")[2] for stem in _stems(url, number)}
    told = {_ENDING.sub("", name) for name in names if name}
    for name in [name for name in told if not name.isascii()]:  # as most pages write it
        told |= {quote(name), quote(name).lower()}
    return any(_is_numbered(body, name.encode()) for name in told)


def _is_numbered(body: bytes, name: bytes) -> bool:
    """Is there a link that goes on from this name with a number?"""

    def goes_on(at: int) -> bool:
        behind = at + 1 + len(name)
        return _NUMBERED.match(body, behind) is not None and _in_link(body, at + 1, _LONGEST_LINK)

    return _any_place(body, (begun + name for begun in _NAME_BEGINS), goes_on)


def _any_place(body: bytes, needles: Iterable[bytes], holds: Callable[[int], bool]) -> bool:
    """Does it hold where one of these stands? Also true of a page that has very many."""
    left = MANY
    for needle in needles:
        at = find(body, needle)
        while at >= 0:
            left -= 1
            if not left or holds(at):
                return True
            at = find(body, needle, at + 1)
    return False


def _in_link(body: bytes, at: int, longest: int) -> bool:
    """Does the address of a link go on here that begins at most so many bytes before?"""
    return _LINK_BEGINS.search(body, max(0, at - longest), at) is not None


def _targets(
    root: Any, url: str, site: CrawlScope, first: str, number: int, pattern: str
) -> Iterator[str]:
    base = base_of(root, url)
    links = [(e, t) for e in root.iter("link", "a") if (t := _absolute(base, e.get("href")))]
    if pattern:
        wanted = compile_pattern(pattern)
        for _, target in links:
            match = wanted.fullmatch(_path_and_query(target))
            if match and match[1].isdecimal() and int(match[1]) == number + 1:
                yield target
        return
    here = _stems(url, number)
    for element, target in links:
        if "next" in (element.get("rel") or "").lower().split() and not _same(target, url):
            link = site.classify(target)
            if (
                any(stem in here for _, stem in _numbered_in(target))
                or (link is not None and link.key == first)
                or (link is None and _goes_on(target, here))
            ):
                yield target
    for element, target in links:
        if element.tag == "a" and any(
            told == number + 1 and stem in here for told, stem in _numbered_in(target)
        ):
            yield target


def _absolute(base: str, href: str | None) -> str:
    return joined(base, href.strip()).partition("#")[0] if href else ""


def _same(one: str, other: str) -> bool:
    return _path_and_query(one) == _path_and_query(other)


def _goes_on(target: str, here: set[str]) -> bool:
    """Does its path begin as this story's does? "/story/7" and "/story/7-the-end"."""
    path = _path_and_query(target)
    return any(path.startswith(_ENDING.sub("", stem.partition("?")[0])) for stem in here)


def _path_and_query(url: str) -> str:
    parts = urlsplit(url)
    path = unquote(parts.path).rstrip("/") or "/"
    return f"{path}?{parts.query}" if parts.query else path


def _stems(url: str, number: int) -> set[str]:
    """What this story's parts have in common, if the page at `url` is its part `number`."""
    own = {_path_and_query(url)}
    if number > 1:
        own |= {stem for told, stem in _numbered_in(url) if told in (number - 1, number)}
    return own


def _numbered_in(url: str) -> Iterator[tuple[int, str]]:
    """Each way to read an address as a numbered part: the number, the address without it."""
    parts = urlsplit(url)
    path = unquote(parts.path).rstrip("/")
    query = parse_qsl(parts.query, keep_blank_values=True)
    for place, (name, value) in enumerate(query):
        if _PARAMETER.fullmatch(name) and value.isdecimal() and len(value) < 3:
            rest = urlencode([*query[:place], *query[place + 1 :]])
            yield int(value), f"{path or '/'}?{rest}" if rest else path or "/"
    for suffix in _SUFFIXES:
        if match := suffix.match(path):
            stem = match["stem"] + (match["ending"] or "")
            yield int(match["number"]), f"{stem}?{parts.query}" if parts.query else stem
