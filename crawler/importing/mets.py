"""Scanned newspapers as libraries keep them: ALTO (the text of a page), METS (what it is part of).

A METS file of an issue names its ALTO pages, and often which blocks of text are an article: then a
story is an article, over as many pages as it takes; else a story is a page. Formats:
https://www.loc.gov/standards/alto/ and https://www.loc.gov/standards/mets/.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from crawler.extract.documents import BytesReadCallback, Documents
from crawler.importing.alto import (
    find_all,
    join_blocks,
    local_name,
    parse_xml,
    read_page,
    root_of,
)
from crawler.importing.json_files import ImportOptions, failed_document, record_document

MAX_PAGES = 2000  # of an issue
_PARENTS = 2  # folders above an ALTO file in which its METS file is looked for
# The types of parts, by the names of docWorks and of Europeana Newspapers' profile (ENMAP), which
# most libraries follow; in lower case.
_ARTICLES = ("article", "section", "letter", "obituary", "review", "interview", "editorial", "news")
_TITLES = ("title", "headline", "heading", "main_title")
_BESIDE = ("overline", "subtitle", "subheadline", "kicker")  # in a heading, but no title
_AUTHORS = ("author", "byline")
_NO_TEXT = ("illustration", "image", "picture", "caption", "advertisement", "ad", "page_number")


def read_alto(path: Path, name: str, tell: BytesReadCallback, options: ImportOptions) -> Documents:
    """One page as a story, unless a METS file that is imported with it tells its articles."""
    tell(path.stat().st_size)
    if options.folder is not None and path.resolve() in _claimed(path, options.folder):
        return
    blocks = read_page(path)
    if not blocks:
        yield failed_document(name, "broken-xml" if blocks is None else "no-text")
    else:
        yield record_document({"text": join_blocks(blocks.values())}, name, options)


def read_mets(path: Path, name: str, tell: BytesReadCallback, options: ImportOptions) -> Documents:
    """The articles of an issue in order, then the pages of which nobody has told the articles."""
    tell(path.stat().st_size)
    issue = _Issue.read(path)
    if issue is None:
        yield failed_document(name, "broken-xml")
        return
    pages: dict[str, dict[str, str]] = {}
    for number, (file, place) in enumerate(issue.pages.items(), 1):
        blocks = read_page(place)
        if blocks is None:
            yield failed_document(f"{name}#page-{number}", "broken-alto")
        pages[file] = blocks or {}
    stories = [*issue.articles()]
    told = issue.told_pages() if stories else frozenset()
    stories += [_Article(issue.about, text=[(file, "")]) for file in pages if file not in told]
    told_any = False
    for number, story in enumerate(stories, 1):
        found = story.record(pages)
        if found["text"]:
            told_any = True
            yield record_document(found, f"{name}#{number}", options)
    if not told_any:
        yield failed_document(name, "no-text")


@dataclass(slots=True)
class _Article:
    """An article as blocks, each (file, block); no block is the whole page."""

    about: dict[str, str]
    title: list[tuple[str, str]] = field(default_factory=list)
    author: list[tuple[str, str]] = field(default_factory=list)
    text: list[tuple[str, str]] = field(default_factory=list)

    def record(self, pages: dict[str, dict[str, str]]) -> dict[str, Any]:
        """The article as a record of an import."""
        found: dict[str, Any] = {**self.about}
        if title := " ".join(_texts(self.title, pages)):
            found["title"] = title
        if author := " ".join(_texts(self.author, pages)):
            found.setdefault("author", author)
        return {**found, "text": join_blocks(_texts(self.text, pages))}


def _texts(blocks: Iterable[tuple[str, str]], pages: dict[str, dict[str, str]]) -> Iterator[str]:
    """The texts of blocks, each once."""
    for file, block in dict.fromkeys(blocks):
        page = pages.get(file, {})
        texts = [page.get(block, "")] if block else page.values()
        yield from filter(None, texts)


@dataclass(slots=True)
class _Issue:
    """One METS file: its pages, and what it says of the issue."""

    root: Any
    pages: dict[str, Path]  # a page's file by the id that METS gives it, in order
    about: dict[str, str]  # of the issue: its date

    @classmethod
    def read(cls, path: Path) -> _Issue | None:
        root = parse_xml(path)
        if root is None:
            return None
        files = {}
        for file in find_all(root, "file"):
            for place in find_all(file, "FLocat"):
                href = next((v for k, v in place.attrib.items() if k.endswith("href")), "")
                found = _local(path, href)
                if found is not None:
                    files[file.get("ID", "")] = found
        pages = {file: files[file] for file in _physical(root) if file in files} or files
        about = _described(root, None)
        date = {"date": about["date"]} if "date" in about else {}
        return cls(root, dict([*pages.items()][:MAX_PAGES]), date)

    def articles(self) -> Iterator[_Article]:
        """The articles of the logical structure, outermost first; none where it has none."""
        for structure in self._logical():
            yield from self._articles_in(structure)

    def told_pages(self) -> frozenset[str]:
        """The pages that the logical structure divides into parts of whatever type."""
        areas = (area for structure in self._logical() for area in find_all(structure, "area"))
        return frozenset(area.get("FILEID", "") for area in areas)

    def _logical(self) -> Iterator[Any]:
        for structure in find_all(self.root, "structMap"):
            if _kind(structure) == "logical":
                yield structure

    def _articles_in(self, element: Any) -> Iterator[_Article]:
        for part in _children(element, "div"):
            if _kind(part) in _ARTICLES and (_kind(part) == "article" or not _has_article(part)):
                yield self._article(part)
            else:
                yield from self._articles_in(part)

    def _article(self, part: Any) -> _Article:
        about = self.about | _described(self.root, part.get("DMDID"))
        if label := part.get("LABEL", "").strip():
            about.setdefault("title", label)
        found = _Article(about)
        _collect(part, found, found.text)
        return found


def _has_article(part: Any) -> bool:
    return any(_kind(inner) == "article" for inner in find_all(part, "div"))


def _collect(
    part: Any, into: _Article, blocks: list[tuple[str, str]], *, body: bool = False
) -> None:
    """Sort the blocks of an article's parts into title, author and text.

    Args:
        body: inside of it, where a title is a part of the text.
    """
    for child in part:
        if local_name(child) == "fptr":
            areas = [area for area in find_all(child, "area") if area.get("BEGIN")]
            blocks += [(area.get("FILEID", ""), area.get("BEGIN")) for area in areas]
            if not areas and child.get("FILEID"):
                blocks.append((child.get("FILEID"), ""))
        elif local_name(child) == "div" and (kind := _kind(child)) not in _NO_TEXT:
            inner = blocks
            if kind in _AUTHORS:
                inner = into.author
            elif kind in _TITLES and not body:
                inner = into.title
            elif kind in _BESIDE or kind.startswith("body"):
                inner = into.text
            _collect(child, into, inner, body=body or kind.startswith("body"))


def _kind(part: Any) -> str:
    return str(part.get("TYPE", "")).lower()


def _physical(root: Any) -> list[str]:
    """The ids of the pages' files as the physical structure orders them."""
    for structure in find_all(root, "structMap"):
        if _kind(structure) == "physical":
            return [
                pointer.get("FILEID", "")
                for part in find_all(structure, "div")
                for child in _children(part, "fptr")
                for pointer in (child, *find_all(child, "area"))
                if pointer.get("FILEID")
            ]
    return []


def _described(root: Any, ids: str | None) -> dict[str, str]:
    """Title, authors and date in the descriptions of these ids; without ids the first date."""
    found: dict[str, str] = {}
    for section in find_all(root, "dmdSec"):
        if ids is not None and section.get("ID") not in ids.split():
            continue
        for element in section.iter():
            text = (element.text or "").strip()
            name = local_name(element)
            if not text:
                continue
            if name in ("dateIssued", "date", "issued"):
                found.setdefault("date", text)
            elif ids is not None and name == "title":
                found.setdefault("title", text)
            elif ids is not None and name in ("namePart", "creator"):
                found["author"] = f"{found['author']}, {text}" if "author" in found else text
    return found


def _local(mets: Path, href: str) -> Path | None:
    """The file beside a METS file that an address means; none outside of its folder's parent."""
    place = unquote(href).removeprefix("file:").lstrip("/").removeprefix("./")
    with contextlib.suppress(OSError, ValueError):
        for start in (mets.parent, mets.parent.parent):
            found = (start / place).resolve()
            if found.is_file() and mets.parent.parent.resolve() in found.parents:
                return found if root_of(found) == "alto" else None
    return None


def _claimed(alto: Path, folder: Path) -> frozenset[Path]:
    """The ALTO pages that METS files near one name, which are read with those."""
    found: frozenset[Path] = frozenset()
    for parent in [*alto.parents][: _PARENTS + 1]:
        found |= _named_in(parent, parent.stat().st_mtime_ns)
        if parent == folder:
            break
    return found


@lru_cache(maxsize=64)
def _named_in(folder: Path, changed: int) -> frozenset[Path]:
    named: set[Path] = set()
    for path in sorted(folder.glob("*.[xX][mM][lL]")):
        with contextlib.suppress(OSError):
            if root_of(path) != "mets":
                continue
            issue = _Issue.read(path)
            named |= set(issue.pages.values()) if issue is not None else set()
    return frozenset(named)


def _children(element: Any, name: str) -> Iterator[Any]:
    return element.iterchildren(f"{{*}}{name}")
