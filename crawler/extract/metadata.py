"""What a page says about its story in JSON-LD, in meta tags and in the elements meant for it.

Of several values the first that can be read is taken; what is still missing then, trafilatura's own
rules may `guess`, which costs as much as finding the text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from stringzilla import find

from crawler.extract.bylines import (
    BYLINE,
    LONGEST_AUTHOR,
    marked_dates,
    printed_author,
    printed_dates,
)
from crawler.extract.charset import clean
from crawler.extract.file_names import date_in
from crawler.extract.linked_data import LinkedData
from exchange.text import dates
from exchange.text.detect import language_code
from exchange.text.fold import fold

# Names of meta tags by their letters alone: spellings with colons, dots and dashes are many.
_PUBLISHED = (
    re.compile(r"(?:publish|publication|issued|created|posted|pubdate)"),
    re.compile(r"^(?:dc|dcterms|article|sailthru|citation|content)?date"),
)
_NOT_PUBLISHED = re.compile(r"modif|updat|publisher|expir|author|uid$|id$|url$|site$|year$")
_AUTHOR = re.compile(
    r"^(?!.*(?:twitter|image|photo|url|slug|id$|ids$)).*(?:authors?|authorname|creator|byl)$"
)
_SECTION = ("article:section", "section", "og:article:section", "parsely-section", "category")
_TITLE = ("og:title", "twitter:title", "dc.title", "dcterms.title", "parsely-title", "headline")
_SITE = ("og:site_name", "application-name", "apple-mobile-web-app-title", "twitter:site")
_TEASER = ("og:description", "description", "twitter:description")
_SEPARATED = re.compile(r"\s+[-–—|·•:»/]+\s+|\s*[|｜]\s*|\s*--+\s*|：")
_NO_NAME = re.compile(r"https?://|www\.|^@|^\d+$|[<>{}]")
_NO_LETTER = re.compile(r"[^a-z]")
_META_NAME = re.compile(
    rb"""\s(?:(?:property|itemprop)\s*=|name\s*=\s*["']?([^"'>]*)(?![^>]*\s(?:property|itemprop)\s*=))""",
    re.I,
)
_OPENED = re.compile(r"(.{2,60}?)\s*[-–—|｜:：·]\s*(.+)")
_AUTHOR_MARKS = ("author", "byline", "writer", "posted", "submitted", "username", "zuozhe")
_YEARS = (re.compile(r"20\d\d"), re.compile(r"19\d\d"))
_TAG = re.compile(r"<[a-zA-Z/][^<>]*>")


@dataclass(frozen=True, slots=True)
class PageMetadata:
    """What a page says of its story; "" for what it does not."""

    title: str = ""
    date: str = ""  # ISO
    author: str = ""
    section: str = ""
    teaser: str = ""  # the words that lead to the story, which often stand above it too
    signed: str = ""  # the author as told, be it the newspaper itself


def page_language(root: Any, language: str) -> str:
    """The archive's language with the region that the page names: en-GB for en, el-GR for gr_GR."""
    tag = (root.get("lang") or "").strip().replace("_", "-")
    if not language or language_code(tag) != language or len(tag) > 12:
        return language
    return "-".join([language, *tag.split("-")[1:]])


def may_have_tags(markup: bytes) -> bool:
    """May a page hold what `read_metadata` reads in tags? Looking is cheap."""
    if find(markup, b"ld+json") >= 0:
        return True
    for begun in (b"<meta", b"<META"):
        at = find(markup, begun)
        while at >= 0:
            end = find(markup, b">", at)
            name = _META_NAME.search(markup, at, end if end >= 0 else len(markup))
            if name is not None:
                bare = _NO_LETTER.sub("", (name[1] or b"").decode("latin-1").lower())
                if name[1] is None or _AUTHOR.search(bare) or _PUBLISHED[0].search(bare):
                    return True
            at = find(markup, begun, at + 1)
    return False


def read_metadata(
    root: Any,
    url: str,
    language: str,
    months: Mapping[str, int] | None = None,
    *,
    printed: bool = True,
) -> PageMetadata:
    """What JSON-LD and meta tags say, and the elements of title and date.

    Args:
        root: of the whole page.
        url: the page's address, of which the site's name may be a part.
        language: that of the archive, in which dates are read.
        months: a profile's own, beyond those of the language.
        printed: whether elements count too, where a profile names none.
    """
    metas, linked = _metas(root), LinkedData(root, url)
    tag = page_language(root, language)

    def date_of(values: Iterable[Any]) -> str:
        read = (dates.parse_date(value, months, tag) for value in values if isinstance(value, str))
        return next(filter(None, read), "")

    sites = _folded([*_values(metas, _SITE), *linked.names("publisher"), *_host_names(url)])
    told = [linked.names("author", "creator"), [*_matching(metas, _AUTHOR)]]
    people = [line for values in told if (line := _author_line(values, sites))]
    return PageMetadata(
        title=_title(root, linked, metas, sites, printed),
        date=date_of(linked.values("datePublished", "dateCreated"))
        or date_of(value for name in _PUBLISHED for value in _matching(metas, name, _NOT_PUBLISHED))
        or (printed and (date_of(marked_dates(root)) or date_of(printed_dates(root))))
        or "",
        author=next(iter(people), ""),
        section=_first_text([*linked.values("articleSection"), *_values(metas, _SECTION)]),
        teaser=_first_text([*linked.values("description"), *_values(metas, _TEASER)]),
        signed=next(filter(None, map(_author_line, told)), ""),
    )


def guess(found: PageMetadata, root: Any, markup: str, url: str) -> PageMetadata:
    """What rules make of an author and a date that no tag tells: ours, then trafilatura's.

    A page that is signed by the newspaper itself may still print a name; if not, it stays so.
    Trafilatura's rules cost as much as finding the text, so they are asked only where the markup
    holds what they look for.
    """
    author = found.author or printed_author(root) or found.signed
    lower = markup.lower() if not author else ""
    if any(mark in lower for mark in _AUTHOR_MARKS):
        from trafilatura.metadata import extract_author

        author = _author_line([extract_author(root) or ""])
    date = found.date or date_in(urlsplit(url).path)
    if not date and any(year.search(markup) for year in _YEARS):
        from htmldate import find_date

        # Its extensive search takes a copyright's year for a date.
        date = find_date(root, original_date=True, extensive_search=False) or ""
    return replace(found, author=author, date=date)


def _metas(root: Any) -> dict[str, list[str]]:
    """The contents of meta tags by name in lower case."""
    found: dict[str, list[str]] = {}
    for meta in root.iterfind(".//meta"):
        name = meta.get("property") or meta.get("name") or meta.get("itemprop")
        content = meta.get("content")
        if name and content and not content.isspace():
            found.setdefault(name.strip().lower(), []).append(content)
    return found


def _values(metas: Mapping[str, list[str]], names: Iterable[str]) -> Iterator[str]:
    for name in names:
        yield from metas.get(name, ())


def _matching(
    metas: Mapping[str, list[str]], name: re.Pattern[str], but: re.Pattern[str] | None = None
) -> Iterator[str]:
    for told, values in metas.items():
        bare = _NO_LETTER.sub("", told)
        if name.search(bare) and not (but and but.search(bare)):
            yield from values


def _folded(values: Iterable[str]) -> frozenset[str]:
    return frozenset(fold(text.lstrip("@")) for text in map(_text, values) if text)


def _text(value: Any) -> str:
    """A value as people read it: entities are often escaped twice, and markup is left in."""
    return clean(_TAG.sub(" ", html.unescape(value))) if isinstance(value, str) else ""


def _first_text(values: Iterable[Any]) -> str:
    return next(filter(None, map(_text, values)), "")


def _author_line(values: Iterable[str], sites: Collection[str] = ()) -> str:
    """The names among the values that are not the site's, each once, parted by commas."""
    names: dict[str, str] = {}
    for value in map(_text, values):
        name = BYLINE.sub("", value).strip(" ,;|")
        known = fold(name) in sites or len(name) > LONGEST_AUTHOR
        if name and not known and not _NO_NAME.search(name):
            names.setdefault(fold(name), name)
    return ", ".join(names.values())


def _host_names(url: str) -> list[str]:
    """What a site may call itself: example.com, example."""
    host = (urlsplit(url).hostname or "").removeprefix("www.")
    return [host, *host.split(".")[:-1]] if host else []


def _title(
    root: Any,
    linked: LinkedData,
    metas: Mapping[str, list[str]],
    sites: Collection[str],
    printed: bool,
) -> str:
    """The headline that the page prints, of those that its tags tell; else the tags' own.

    JSON-LD's and the meta tags' may be written for search machines and for readers elsewhere.
    """
    large = [text for h1 in root.iterfind(".//h1") if (text := clean(h1.text_content()))]
    told = list(filter(None, map(_text, _values(metas, _TITLE))))
    named = list(filter(None, map(_text, linked.values("headline"))))[:1]
    heads = [text for e in root.iterfind(".//head/title") if (text := clean(e.text_content()))]
    sure = {fold(text) for text in [*large, *told, *named]}
    found = [
        bare
        for text in [*told, *named, *((*large, *heads) if printed else ())]
        if fold(bare := without_site(text, sites, sure)) not in sites
    ]
    shown = _folded(large)
    confirmed = next((text for text in [*named, *told] if fold(text) in shown), "")
    if confirmed:  # printed with what stands over it, or without?
        inner = [
            text for text in [*named, *told] if confirmed.endswith((f": {text}", f" - {text}"))
        ]
        return without_site(min([confirmed, *inner], key=len), sites, sure)
    return next(iter(found), "")


def without_site(title: str, sites: Collection[str], sure: Collection[str]) -> str:
    """A title without the site's name before or after it.

    Args:
        sites: folded names of the site.
        sure: folded titles that the page says elsewhere: what remains may be one of them.
    """
    parts = [(m.start(), m.end()) for m in _SEPARATED.finditer(title)]
    for start, _ in parts:
        if fold(title[:start]) in sure and fold(title[:start]) not in sites:
            return title[:start]
    while parts:
        start, end = parts.pop()
        if fold(title[end:]) in sites and start:
            title = title[:start]
            continue
        break
    first = _OPENED.match(title)
    if first and fold(first[1]) in sites:
        return first[2]
    return title
