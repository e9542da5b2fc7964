"""A stored file to a story's parts. Runs where a parser that hangs or crashes is only counted."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import orjson

from crawler import records
from crawler.extract.charset import clean, decode
from crawler.extract.file_names import date_in, title_in
from crawler.extract.shapes import StoryParts
from crawler.extract.text_parts import named_parts, plain_paragraphs, story_parts, value_of
from exchange.files import parse_toml

MAX_PDF_PAGES = 2000
_STAMP = 60  # characters on a page; a scan that nobody has read may carry that much
_TITLE = 160  # characters: a longer first line is text
_SAME_WORD = re.compile(r"(\w)[-\u00ad]\n(?=\w)")
_FRONT = re.compile(r"\A(---|\+\+\+)[ \t]*\r?\n(.*?)\r?\n\1[ \t]*(?:\r?\n|\Z)", re.S)


class UnreadableDocument(Exception):
    """A file that yields no text; the reason is a code."""


def read_document(kind: str, body: bytes, url: str, charset: str, language: str = "") -> StoryParts:
    """A file of any kind but HTML, which the profile's shapes read.

    Args:
        url: the page's address; for files it holds their name.
        charset, language: the profile's.

    Raises:
        UnreadableDocument: broken-pdf, encrypted-pdf, no-pdf-support, scan, no-text-field, no-text.
    """
    if kind == records.PDF:
        parts = _pdf(body)
    elif kind == records.JSON:
        parts = _record(body, language)
    elif kind == records.MARKDOWN:
        parts = _markdown(decode(body, "", charset, language), language)
    else:
        parts = _text(decode(body, "", charset, language))
    if not parts.paragraphs:
        raise UnreadableDocument("no-text")
    return fill_from_name(parts, url)


def fill_from_name(parts: StoryParts, url: str) -> StoryParts:
    """Fill in what only the file's name tells."""
    if not url.startswith("import:"):
        return parts
    name = unquote(url.removeprefix("import:"))
    return StoryParts(
        parts.title or ("" if "#" in name else clean(title_in(name))),  # a row's file is no title
        parts.section,
        parts.author,
        parts.date or date_in(name),
        parts.paragraphs,
    )


def _text(text: str) -> StoryParts:
    """Blank lines part paragraphs; a short first one without a full stop is the title."""
    found = plain_paragraphs(text)
    title = ""
    if len(found) > 1 and len(found[0]) <= _TITLE and found[0][-1] not in ".;!·…,":
        title, found = found[0], found[1:]
    return StoryParts(title, "", "", "", tuple(found))


def _markdown(text: str, language: str) -> StoryParts:
    from markdown_it import MarkdownIt

    told: Mapping[str, Any] = {}
    if front := _FRONT.match(text):
        told, text = _front_matter(front[1], front[2]), text[front.end() :]
    title, found = value_of(told, "title"), []
    heading = False
    for token in MarkdownIt("commonmark").parse(text):
        heading = token.type == "heading_open" or (heading and token.type != "heading_close")
        if token.type in ("fence", "code_block"):
            found.append(clean(token.content))
        elif token.type == "inline":
            said = clean("".join(_inline(token.children or [])))
            if heading and not title:
                title = said
            elif said:
                found.append(said)
    return named_parts(told, title, found, language)


def _inline(tokens: Iterable[Any]) -> Iterable[str]:
    for token in tokens:
        if token.type in ("text", "code_inline"):
            yield token.content
        elif token.type in ("softbreak", "hardbreak"):
            yield " "


def _front_matter(fence: str, text: str) -> Mapping[str, Any]:
    """TOML between +++, or the plain `key: value` lines of YAML between ---."""
    if fence == "+++":
        try:
            return parse_toml(text)
        except ValueError:
            return {}
    lines = (line.partition(":") for line in text.splitlines())
    return {key.strip().lower(): value.strip().strip("\"'") for key, _, value in lines if value}


def _record(body: bytes, language: str) -> StoryParts:
    parts = story_parts(orjson.loads(body), language)
    if parts is None:
        raise UnreadableDocument("no-text-field")
    return parts


def _pdf(body: bytes) -> StoryParts:
    try:
        from pypdf import PdfReader
        from pypdf.errors import PyPdfError
    except ImportError:
        raise UnreadableDocument("no-pdf-support") from None
    try:
        reader = PdfReader(io.BytesIO(body))
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableDocument("encrypted-pdf")
        shown = reader.pages[:MAX_PDF_PAGES]
        pages = [page.extract_text() for page in shown]
        about: Mapping[str, Any] = reader.metadata or {}
        stamp = 0 if "ocr" in str(about.get("/Creator")).lower() else _STAMP
        pictures = sum(map(_is_picture, shown, pages, [stamp] * len(pages)))
        title = str(about.get("/Title") or "")
    except UnreadableDocument:
        raise
    except (
        PyPdfError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        RuntimeError,  # too deep, or a filter that pypdf does not know
        OSError,
    ):
        raise UnreadableDocument("broken-pdf") from None
    if pictures and 2 * pictures >= len(pages):
        raise UnreadableDocument("scan")
    text = _SAME_WORD.sub(r"\1", "\n".join(pages))
    return StoryParts(clean(title), "", "", "", tuple(plain_paragraphs(text)))


def _is_picture(page: Any, text: str, stamp: int) -> bool:
    """Is a PDF's page a picture of one, with no more characters than a library's stamp?"""
    if len("".join(text.split())) > stamp:
        return False
    resources = page.get("/Resources")
    shown = resources.get_object().get("/XObject") if resources is not None else None
    objects = shown.get_object().values() if shown is not None else ()
    return any(each.get_object().get("/Subtype") == "/Image" for each in objects)


# One document of an import, as the readers of files hand it on.


@dataclass(frozen=True, slots=True)
class ImportDocument:
    """One document, or why there is none: then `reason` is a code and `body` may be empty."""

    name: str  # path from where the import began, `#` and a number for a part of a file
    kind: str
    body: bytes = b""
    url: str = ""  # where it was published, when that is known
    charset: str = ""
    reason: str = ""
    detail: str = ""  # of the reason, for the operator


Documents = Iterator[ImportDocument]
BytesReadCallback = Callable[[int], None]  # bytes read since the last call
